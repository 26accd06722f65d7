"""A merchant's own file of reviews (CSV or parquet) to frame `feedback`. Whoever wrote them is not read.

Columns by common names: a day or instant (ISO 8601), and stars (1 to 5), words or both; the SKU, an id and the order
where the file has them. Without an id a review is known by its SKU, day, stars and words.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from connectors.base import Context
from connectors.canonical import FEEDBACK, Normalized, Rejected, conform
from connectors.errors import ConfigurationError
from connectors.exports.sheet import fold, rows
from connectors.files import read_plain
from connectors.privacy import without_contacts

_NAMES = {
    "date": ("date", "reviewdate", "postedat", "postedon", "createdat", "submittedat", "day", "instant"),
    "rating": ("rating", "stars", "score", "reviewrating"),
    "text": ("text", "review", "reviewtext", "comment", "comments", "body", "reviewbody", "content"),
    "sku": ("sku", "productsku", "itemsku", "sellersku"),
    "id": ("id", "reviewid", "feedbackid"),
    "order": ("order", "orderid", "ordernumber"),
}
_MAX_REJECTED = 1_000  # a file in the wrong format has a million bad lines: the first thousand say it all


class _BadFieldError(ValueError):
    """A field cannot be read: `field`, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def feedback_from_file(path: Path, context: Context) -> Normalized:
    """The reviews of a file, all on the account's first channel. Raises ConfigurationError or ProtocolError when the
    file cannot be used at all."""
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            told = [
                {fold(name): value for name, value in row.items()} for row in pl.read_parquet(path).to_dicts()
            ]
        except pl.exceptions.PolarsError as error:
            raise ConfigurationError(f"{path}: not a readable parquet file: {type(error).__name__}") from None
    else:
        told = [dict(row) for row in rows(read_plain(path), str(path))]
    if not told:
        return Normalized()
    columns = {
        name: next((known for known in names if known in told[0]), "") for name, names in _NAMES.items()
    }
    if not columns["date"] or not (columns["rating"] or columns["text"]):
        raise ConfigurationError(
            f"{path}: reviews need a column date and one of rating and text; there are {', '.join(told[0])}"
        )
    found, bad = [], []
    for number, row in enumerate(told, start=2):
        given = {name: row.get(column) for name, column in columns.items() if column}
        try:
            found.append(_row(given, context))
        except _BadFieldError as error:
            kept = {name: str(given[name]) for name in ("date", "rating", "sku", "id") if given.get(name)}
            bad.append(Rejected(f"{path.name}:{number}", error.field, str(error), json.dumps(kept)))
    frame = conform(pl.DataFrame(found, schema=FEEDBACK), "feedback").unique(
        ["channel", "feedback_id"], keep="last", maintain_order=True
    )
    return Normalized({"feedback": frame}, tuple(bad[:_MAX_REJECTED]), (), len(told))


def _row(given: Mapping[str, Any], context: Context) -> dict[str, Any]:
    posted, rating, words = (
        _instant(given.get("date"), context),
        _stars(given.get("rating")),
        _text(given.get("text")),
    )
    if rating is None and words is None:
        raise _BadFieldError("rating", "is missing, and so are the words")
    sku = _text(given.get("sku"))
    said = f"{sku}/{posted.isoformat()}/{rating}/{words}"
    return {
        "channel": context.home.name,
        "feedback_id": _text(given.get("id")) or hashlib.sha256(said.encode()).hexdigest()[:32],
        "order_external_id": _text(given.get("order")),
        "sku": sku,
        "rating": rating,
        "text": without_contacts(words) if words else None,
        "posted_at": posted,
    }


def _text(value: Any) -> str | None:
    return str(value).replace("\x00", "").strip() or None if value is not None else None


def _stars(value: Any) -> int | None:
    told = _text(value)
    if told is None:
        return None
    try:
        stars = Decimal(told)
    except InvalidOperation:
        raise _BadFieldError("rating", "is no number") from None
    if not stars.is_finite() or not 1 <= stars <= 5 or stars != int(stars):
        raise _BadFieldError("rating", f"{told[:20]} is not 1 to 5 stars")
    return int(stars)


def _instant(value: Any, context: Context) -> datetime:
    told = _text(value)
    if told is None:
        raise _BadFieldError("date", "is missing")
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise _BadFieldError("date", f"{told[:40]} is no ISO 8601 date such as 2026-01-31") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(context.home.timezone))
    if not datetime(1990, 1, 1, tzinfo=at.tzinfo) <= at <= context.fetched_at:
        raise _BadFieldError("date", f"{told[:40]} is in the future or long ago")
    return at.astimezone(UTC)
