"""From what Amazon sends to what a frame holds: amounts, counts, instants, texts, countries.

Inside the normalizers money is an integer of ten-thousandths and an instant an integer of microseconds:
exact, quick to add up, and handed to Polars as whole columns. Everything optional is None when absent.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from connectors.amazon.marketplaces import BY_DOMAIN, MARKETPLACES
from connectors.base import Context
from connectors.canonical import SCHEMAS, Rejected, from_columns
from connectors.privacy import scrub

SCALE = 10_000
MAX_AMOUNT = 10**11  # of any currency; larger is a broken number, not a sale
MAX_UNITS = 10_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_FIRST_SALE = 788_918_400_000_000  # 1995 in microseconds
_MICROSECOND = timedelta(microseconds=1)
_CACHE_SIZE = 200_000


class BadValueError(ValueError):
    """A record cannot be read: which field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


_amounts: dict[str, int] = {}


def money(value: Any, field: str) -> int | None:
    """Ten-thousandths of a unit of currency; None when absent. Raises BadValueError for what is no amount."""
    if type(value) is str:
        known = _amounts.get(value)
        if known is not None:
            return known
    if value is None or value == "":
        return None
    if isinstance(value, bool | list | dict):
        raise BadValueError(field, f"{value!r:.40} is not an amount")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation:
        raise BadValueError(field, f"{value!r:.40} is not an amount") from None
    if not number.is_finite() or abs(number) >= MAX_AMOUNT:
        raise BadValueError(field, f"{str(value)[:40]} is not a possible amount")
    scaled = int((number * SCALE).to_integral_value(ROUND_HALF_EVEN))
    if type(value) is str:
        if len(_amounts) > _CACHE_SIZE:
            _amounts.clear()
        _amounts[value] = scaled
    return scaled


def plus(*amounts: int | None) -> int | None:
    """Sum of what is there; None when nothing is."""
    total = None
    for amount in amounts:
        if amount is not None:
            total = amount if total is None else total + amount
    return total


def magnitude(amount: int | None) -> int | None:
    """The amount without its sign: Amazon does not say which sign discounts and refunds carry."""
    return None if amount is None else abs(amount)


def per_unit(amount: int | None, units: int) -> int | None:
    """`amount` / `units`, rounded half even to ten-thousandths; None without units."""
    if amount is None or units <= 0:
        return None
    quotient, rest = divmod(amount, units)
    return quotient + (1 if 2 * rest > units or (2 * rest == units and quotient % 2) else 0)


def units(value: Any, field: str, *, required: bool = False) -> int | None:
    """A count of units, not negative. Raises BadValueError for anything else."""
    number = signed_units(value, field)
    if number is None:
        if required:
            raise BadValueError(field, "is missing")
        return None
    if number < 0:
        raise BadValueError(field, f"{number} is negative")
    return number


def signed_units(value: Any, field: str) -> int | None:
    """A whole number of units, of either sign; None when absent."""
    if type(value) is int and -MAX_UNITS <= value <= MAX_UNITS:
        return value
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise BadValueError(field, f"{value!r:.40} is not a number of units") from None
    if not number.is_finite() or number != number.to_integral_value() or abs(number) > MAX_UNITS:
        raise BadValueError(field, f"{str(value)[:40]} is not a possible number of units")
    return int(number)


def instant(value: Any, field: str, *, required: bool = False) -> int | None:
    """Microseconds since 1970 UTC of an ISO 8601 text with any offset (none: UTC) or an epoch number."""
    if value is None or value == "":
        if required:
            raise BadValueError(field, "is missing")
        return None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else _from_epoch(value)
    except (ValueError, ArithmeticError):
        at = _from_text(str(value).strip(), field)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        microseconds = (at - _EPOCH) // _MICROSECOND
    except OverflowError:
        microseconds = -1
    if microseconds < 0 or at > _LATEST:
        raise BadValueError(field, f"{str(value)[:40]} is not a possible instant")
    return microseconds


def day_start(year: int, month: int, day: int, place: str, field: str) -> int:
    """Microseconds of the start of a day in the marketplace `place`. Raises BadValueError for what is no day."""
    marketplace = MARKETPLACES.get(place)
    try:
        at = datetime(year, month, day, tzinfo=ZoneInfo(marketplace.timezone) if marketplace else UTC)
    except ValueError as error:
        raise BadValueError(field, f"{year}-{month}-{day} is not a day: {error}") from None
    start = instant(at.isoformat(), field, required=True)
    assert start is not None
    return start


def _from_text(text: str, field: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M:%S %Z", "%d.%m.%Y %H:%M:%S UTC", "%Y/%m/%d %H:%M:%S"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        return zoned(text) or _from_epoch(Decimal(text))
    except (ValueError, ArithmeticError):
        raise BadValueError(field, f"{text[:40]!r} is not an instant") from None


# Named zones of Amazon's reports. `%Z` reads only the machine's own, so the offsets stand here, in hours.
_ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "MET": 1, "CEST": 2, "MEST": 2, "EET": 2,
    "EEST": 3, "TRT": 3, "JST": 9, "IST": 5.5, "SGT": 8, "GST": 4, "AEST": 10, "AEDT": 11, "PST": -8, "PDT": -7,
    "MEZ": 1, "MESZ": 2, "MST": -7, "MDT": -6, "CST": -6, "CDT": -5, "EST": -5, "EDT": -4, "BRT": -3, "BRST": -2,
}  # fmt: skip


def zoned(text: str) -> datetime | None:
    """`2024-05-01 13:15:00 PDT` in UTC; None when the zone is not one Amazon's reports use."""
    stamp, _, zone = text.rpartition(" ")
    hours = _ZONES.get(zone.upper())
    if hours is None:
        return None
    for form in ("%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S"):
        try:
            return datetime.strptime(stamp, form).replace(tzinfo=UTC) - timedelta(hours=hours)
        except ValueError:
            continue
    return None


def _from_epoch(value: Any) -> datetime:
    seconds = Decimal(str(value))
    if not seconds.is_finite():
        raise ValueError("not finite")
    if abs(seconds) >= 10**11:  # milliseconds: as seconds they would be after the year 5000
        seconds /= 1000
    return _EPOCH + timedelta(microseconds=int(seconds * 1_000_000))


def text(value: Any) -> str | None:
    """Trimmed text without NUL characters (PostgreSQL holds none); None when empty."""
    if value is None:
        return None
    cleaned = value if type(value) is str else str(value)
    if "\x00" in cleaned:
        cleaned = cleaned.replace("\x00", "")
    return cleaned.strip() or None


def key(value: Any, field: str) -> str:
    """A natural key as text. Raises BadValueError when it is empty."""
    cleaned = text(value)
    if cleaned is None:
        raise BadValueError(field, "is missing")
    return cleaned


_COUNTRIES = {
    "UK": "GB", "EL": "GR", "USA": "US", "CAN": "CA", "MEX": "MX", "BRA": "BR", "GBR": "GB", "DEU": "DE",
    "FRA": "FR", "ITA": "IT", "ESP": "ES", "NLD": "NL", "SWE": "SE", "POL": "PL", "BEL": "BE", "IRL": "IE",
    "TUR": "TR", "ARE": "AE", "SAU": "SA", "EGY": "EG", "IND": "IN", "ZAF": "ZA", "JPN": "JP", "AUS": "AU",
    "SGP": "SG", "AUT": "AT", "CHE": "CH", "UNITED STATES": "US", "UNITED KINGDOM": "GB", "GERMANY": "DE",
    "DEUTSCHLAND": "DE", "FRANCE": "FR", "ITALY": "IT", "ITALIA": "IT", "SPAIN": "ES", "CANADA": "CA",
    "MEXICO": "MX", "JAPAN": "JP", "AUSTRALIA": "AU", "ESPAÑA": "ES", "ÖSTERREICH": "AT", "AUSTRIA": "AT",
}  # fmt: skip


def country(value: Any, notes: "Notes") -> str | None:
    """ISO 3166 alpha-2, or None with a note when it cannot be told."""
    name = text(value)
    if name is None:
        return None
    upper = name.upper()
    if upper in _COUNTRIES:
        return _COUNTRIES[upper]
    if len(upper) == 2 and upper.isascii() and upper.isalpha():
        return upper
    notes.add(f"unknown value {name[:40]} in orders.ship_country")
    return None


def truth(value: Any) -> bool:
    """A flag that Amazon sends as true or as "true"."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


class Notes:
    """What a page showed that was not expected; each text once, in order of appearance."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def add(self, note: str) -> None:
        self._seen.setdefault(note)

    def once(self, topic: str, natural_key: str) -> None:
        """A note about one record that stands for all of its kind on the page."""
        if not any(note.startswith(topic) for note in self._seen):
            self._seen[f"{topic} (first seen: {natural_key})"] = None

    def optional_instant(self, value: Any, field: str) -> int | None:
        """`instant` of a value that nothing depends on: None, and a note, where it cannot be read. Amazon says 1970
        where it does not know."""
        try:
            found = instant(value, field)
        except BadValueError as error:
            self.add(str(error))
            return None
        return found if found is None or found >= _FIRST_SALE else None

    def all(self) -> tuple[str, ...]:
        return tuple(self._seen)


class Rows:
    """Rows of one canonical frame while they are gathered."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rows: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def extend(self, rows: list[dict[str, Any]]) -> None:
        self._rows.extend(rows)

    def frame(self) -> pl.DataFrame:
        """The rows as a conforming frame: money from ten-thousandths, instants from microseconds."""
        columns = {column: [row[column] for row in self._rows] for column in SCHEMAS[self._name]}
        return from_columns(columns, self._name, scaled=True)


class Channels:
    """Which channel a marketplace id or a store's domain is, for one account."""

    def __init__(self, context: Context, notes: Notes) -> None:
        self._account, self._home, self._notes = context.account, context.home, notes
        self._known: dict[str | None, str] = {}

    def name(self, marketplace_id: str | None) -> str:
        """Channel of a marketplace; the account's first one, with a note, when it cannot be told."""
        known = self._known.get(marketplace_id)
        if known is None:
            channel = self._account.channel(marketplace_id)
            if channel is not None:
                known = channel.name
            elif marketplace_id in MARKETPLACES:
                known = MARKETPLACES[marketplace_id].channel
            else:
                known = self._home.name
                if marketplace_id:
                    self._notes.add(f"unknown value {marketplace_id[:40]} in orders.marketplace")
            self._known[marketplace_id] = known
        return known

    def by_domain(self, domain: str | None) -> str | None:
        """Marketplace id of a store named like `Amazon.de`; None when it is none."""
        marketplace = BY_DOMAIN.get((domain or "").strip().lower())
        return marketplace.id if marketplace else None

    def tax_included(self, marketplace_id: str | None) -> bool:
        """Whether prices there contain tax; an unnamed marketplace is the account's first."""
        marketplace = MARKETPLACES.get(marketplace_id or self._home.external_id)
        return marketplace.tax_included if marketplace else False


def rejected(natural_key: str, error: BadValueError, record: Any) -> Rejected:
    """A refused record with its personal data taken out."""
    return Rejected(natural_key, error.field, error.reason, raw(record))


def raw(record: Any) -> str:
    """`record` as JSON text for quarantine, without personal data."""
    cleaned = scrub(record) if isinstance(record, Mapping | list) else record
    return json.dumps(cleaned, ensure_ascii=False, default=str)[:100_000]
