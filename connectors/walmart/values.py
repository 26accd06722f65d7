"""Single values as Walmart writes them: instants, amounts, quantities, text. Anything unreadable names its field."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = 788_918_400_000_000, 4_102_444_800_000_000  # 1995 and 2100 in microseconds
_PLACES = Decimal("0.0001")
_MONEY_LIMIT = Decimal(10) ** 14  # Decimal(18, 4)
_COUNT_LIMIT = 10**12
# Addresses Walmart shows instead of a buyer's: shared by many buyers, so no key to any of them.
_PLACEHOLDER_DOMAINS = ("walmartone.com",)
_PLACEHOLDER_NAMES = ("nocx", "noemail", "no-email", "noreply", "no-reply", "none", "null", "na")


class FieldError(ValueError):
    """A value that cannot be read: which field, and why. Never carries the value of a personal field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def micros(value: int | str | Decimal | None, field: str) -> int | None:
    """Microseconds since 1970 in UTC of epoch milliseconds (JSON), epoch seconds or ISO 8601 text (XML, webhooks).

    Text without an offset is UTC. None for nothing.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if not text.lstrip("-").isdigit():
            return _in_range(_iso(text, field), field)
        value = int(text)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise FieldError(field, "not an instant")
        value = int(value)
    if value == 0:
        return None
    return _in_range(value * 1000 if value >= 10**11 else value * 1_000_000, field)


def _iso(text: str, field: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise FieldError(field, f"not an instant: {text[:40]!r}") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return at(instant)


def at(instant: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (instant - _EPOCH) // _MICROSECOND


def _in_range(instant: int, field: str) -> int:
    if not _FIRST <= instant < _LAST:
        raise FieldError(field, "an instant before 1995 or after 2100")
    return instant


def money(value: Decimal, field: str) -> Decimal:
    """`value` when it fits Decimal(18, 4); digits beyond the fourth place are converters' noise and rounded off."""
    if not value.is_finite() or not -_MONEY_LIMIT < value < _MONEY_LIMIT:
        raise FieldError(field, f"not an amount of money: {str(value)[:40]}")
    rounded = value.quantize(_PLACES, ROUND_HALF_EVEN)
    return value if rounded == value else rounded


def share(amount: Decimal, quantity: int) -> Decimal:
    """`amount` / `quantity` to four places."""
    return (amount / quantity).quantize(_PLACES, ROUND_HALF_EVEN)


def count(value: Decimal | int | None, field: str) -> int | None:
    """A whole number of units; None for nothing."""
    if value is None:
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        raise FieldError(field, "not a number of units")
    whole = int(value)
    if whole != value or abs(whole) > _COUNT_LIMIT:
        raise FieldError(field, f"not a whole number of units: {str(value)[:40]}")
    return whole


def text(value: str | int | None, field: str = "text") -> str | None:
    """Text without surrounding space or NUL, None when nothing is left. Leading zeros stay."""
    if value is None:
        return None
    if type(value) is str and value.isascii() and "\x00" not in value:
        return value.strip() or None
    kept = str(value).replace("\x00", "").strip()
    if not kept.isascii():
        try:
            kept.encode()
        except UnicodeEncodeError:
            raise FieldError(field, "not valid Unicode: half of a surrogate pair") from None
        if "\ufffd" in kept and field.endswith("sku"):
            raise FieldError(field, "damaged on the way: bytes that are no UTF-8")
    return kept or None


def shown(value: object) -> str:
    """A value as messages and keys may carry it: short, printable in any encoding that knows Unicode."""
    return str(value).strip()[:80].replace("\x00", "").encode(errors="backslashreplace").decode()


def customer(buyer_id: str | int | None, email: str | None) -> str | None:
    """Who bought, as `orders.customer_ref`: the buyer id, else the relay address unless it is a shared placeholder."""
    buyer = text(buyer_id)
    if buyer:
        return f"walmart:{buyer}"
    address = (text(email) or "").lower()
    name, _, domain = address.rpartition("@")
    if not name or "." not in domain or domain in _PLACEHOLDER_DOMAINS:
        return None
    if name.startswith("nocx") or name in _PLACEHOLDER_NAMES:
        return None
    return f"email:{address}"
