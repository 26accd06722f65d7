"""Words and places as Shopify writes them."""

from connectors.exports.countries import country_code
from connectors.shopify.shapes import Address, Id


def text(value: Id | None) -> str | None:
    """Trimmed text; null for an empty or blank one."""
    cleaned = "" if value is None else str(value).strip()
    return cleaned or None


def country(place: Address | None) -> str | None:
    """ISO alpha-2 code of an address's country."""
    if place is None:
        return None
    return country_code(text(place.country_code_v2) or text(place.country_code) or text(place.country))


def region(place: Address | None) -> str | None:
    """The state or province as a code, else by its name."""
    return None if place is None else text(place.province_code) or text(place.province)
