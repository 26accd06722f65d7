"""Seller feedback report to frame `feedback`: stars and words of buyers about an order. Never who they are.

The report (GET_SELLER_FEEDBACK_DATA) has no ids, but a buyer says one thing of an order: its id is the order's. Its
dates are days, written as people of the marketplace write them (1/31/26, 31.1.26, 26/1/31). Outside the United States
its header may be in the country's language, so columns it does not know by name are taken by their place. The
connector adds the column `marketplace-id`, because the report does not say where the order was placed; a stored
report without it tells by the domain of the rater's relay address, which is read for nothing else.
"""

import hashlib
import re
from typing import Any

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.normalize.flat_file import read_lines
from connectors.amazon.normalize.returned import MARKETPLACE
from connectors.amazon.normalize.values import (
    BadValueError,
    Channels,
    Notes,
    Rows,
    day_start,
    instant,
    rejected,
    signed_units,
    text,
)
from connectors.base import Context
from connectors.canonical import Normalized
from connectors.errors import ProtocolError
from connectors.privacy import without_contacts

# In the report's order; between comments and order id stand the seller's answer and three ratings of parts.
_COLUMNS = {"date": 0, "rating": 1, "comments": 2, "order-id": 7, "rater-email": 8}
_DAY = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})\.?")
_MONTH_FIRST = {"US"}


def feedback_report(body: bytes, charset: str, context: Context) -> Normalized:
    """Frame of a report."""
    lines = read_lines(body, charset, "feedback report")
    if not lines.columns:
        return Normalized()
    given = lines.columns
    if "order-id" not in given:
        if len(given) <= _COLUMNS["order-id"]:
            raise ProtocolError("amazon feedback report: no column order-id; its header has changed")
        lines = lines.rename({given[at]: name for name, at in _COLUMNS.items() if at < len(given)})
    notes = Notes()
    channels = Channels(context, notes)
    rows, bad, seen = Rows("feedback"), [], 0
    for line in lines.iter_rows(named=True):
        seen += 1
        try:
            place = line.get(MARKETPLACE) or _place_of(line.get("rater-email"), channels)
            rows.extend([_row(line, place or context.home.external_id) | {"channel": channels.name(place)}])
        except BadValueError as error:
            # Nothing of the buyer's: not his words, not his address.
            kept = {name: line.get(name) for name in ("date", "rating", "order-id", MARKETPLACE)}
            bad.append(rejected(text(line.get("order-id")) or "(unknown)", error, kept))
    return Normalized({"feedback": rows.frame()}, tuple(bad), notes.all(), seen)


def _row(line: dict[str, Any], place: str) -> dict[str, Any]:
    order_id, words = text(line.get("order-id")), text(line.get("comments"))
    rating = signed_units(line.get("rating"), "rating")
    if rating is None and words is None:
        raise BadValueError("rating", "is missing, and so are the comments")
    if rating is not None and not 1 <= rating <= 5:
        raise BadValueError("rating", f"{rating} is not 1 to 5 stars")
    posted = _posted(text(line.get("date")), place)
    said = f"{posted}/{rating}/{words}"
    return {
        "feedback_id": order_id or hashlib.sha256(said.encode()).hexdigest()[:32],
        "order_external_id": order_id,
        "sku": None,  # it is about the order
        "rating": rating,
        "text": without_contacts(words) if words else None,
        "posted_at": posted,
    }


def _posted(told: str | None, place: str) -> int:
    """Microseconds of the start of a day in the marketplace `place`. Raises BadValueError for what is no day."""
    if told is None:
        raise BadValueError("date", "is missing")
    parts = _DAY.fullmatch(told)
    if parts is None:
        posted = instant(told, "date", required=True)
        assert posted is not None
        return posted
    marketplace = MARKETPLACES.get(place)
    first, second, third = (int(part) for part in parts.groups())
    if len(parts[1]) == 4 or (marketplace and marketplace.country == "JP"):
        year, month, day = first, second, third
    elif "." not in told and second <= 12 < first:
        year, month, day = third, second, first
    elif "." not in told and (second > 12 or marketplace is None or marketplace.country in _MONTH_FIRST):
        year, month, day = third, first, second
    else:
        year, month, day = third, second, first
    return day_start(year + 2000 if year < 100 else year, month, day, place, "date")


def _place_of(address: str | None, channels: Channels) -> str | None:
    """Marketplace of a relay address such as `x@marketplace.amazon.de`."""
    return channels.by_domain((address or "").rpartition("@")[2].removeprefix("marketplace."))
