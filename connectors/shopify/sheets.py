"""Rows of text turned into canonical frames, a whole page at a time.

Amounts and instants are text in the rows; Polars parses a column of them at once. When a column cannot be
parsed the page is built again record by record (`decode.py`), and `tidy` says which value is wrong.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import polars as pl

from connectors.canonical import COUNT, INSTANT, MONEY, SCHEMAS

Row = tuple[Any, ...]

# An offset or "Z" at the end; fractions of a second or none.
_ISO = "%Y-%m-%dT%H:%M:%S%.f%#z"
_SPACED = re.compile(r" ([+-]\d\d:?\d\d)$")  # "2012-02-15 15:12:21 -0500" of old versions
_LARGEST = Decimal(10) ** 14  # Decimal(18, 4) holds 14 digits before the point
_MOST = 10**12  # units


class BadValueError(ValueError):
    """A value that the canonical frame cannot hold."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class Sheet:
    """Rows of one frame, `channel` left out: it is the same for all.

    A row has the frame's columns in their order, or only those in `columns`; what a sheet leaves out is
    computed by `finish` of the module that owns it.
    """

    def __init__(self, name: str, channel: str, columns: Sequence[str] | None = None) -> None:
        self.name, self.channel = name, channel
        self.columns = tuple(columns or [column for column in SCHEMAS[name] if column != "channel"])
        self.rows: list[Row] = []

    def parsed(self) -> pl.LazyFrame:
        """The rows with amounts and instants parsed, and the channel; a Polars error once it is collected.

        Raises BadValueError for a whole number that no column can hold.
        """
        raw, typed = _way_in(self.name, self.columns)
        values = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.columns)
        try:
            frame = pl.DataFrame(dict(zip(self.columns, values, strict=True)), schema=raw, strict=True)
        except (TypeError, OverflowError):  # what Polars says of it
            raise BadValueError(self.name, "a number out of range") from None
        return frame.lazy().select(pl.lit(self.channel).alias("channel"), *typed)

    def frame(self) -> pl.DataFrame:
        """The canonical frame, for sheets that have every column."""
        return self.parsed().collect()

    def tidy(self) -> None:
        """Bring every amount and instant into the form `text_frame` parses. Raises BadValueError."""
        kinds = [_kind(self.name, column) for column in self.columns]
        self.rows = [
            tuple(_tidied(self.name, *cell) for cell in zip(self.columns, kinds, row, strict=True))
            for row in self.rows
        ]


# Columns of intermediate sheets that no canonical frame has.
_OWN = {"gross": MONEY}


def _kind(name: str, column: str) -> pl.DataType:
    return SCHEMAS[name].get(column) or _OWN[column]


@cache
def _way_in(name: str, columns: tuple[str, ...]) -> tuple[pl.Schema, list[pl.Expr]]:
    """The types that rows go in with, and the expressions that parse them."""
    kinds = {column: _kind(name, column) for column in columns}
    raw = {column: pl.String() if kind in {MONEY, INSTANT} else kind for column, kind in kinds.items()}
    return pl.Schema(raw), [_parsed(column, kind) for column, kind in kinds.items()]


def _parsed(column: str, kind: pl.DataType) -> pl.Expr:
    if kind == INSTANT:
        return pl.col(column).str.to_datetime(_ISO, time_unit="us", strict=True).dt.convert_time_zone("UTC")
    if kind == MONEY:
        return pl.col(column).cast(MONEY, strict=True)
    return pl.col(column)


def _tidied(name: str, column: str, kind: pl.DataType, value: Any) -> Any:
    where = f"{name}.{column}"
    if value is None or kind not in {MONEY, INSTANT, COUNT}:
        return value
    if kind == COUNT:
        if abs(value) > _MOST:
            raise BadValueError(where, f"{str(value)[:40]!r} is out of range")
        return value
    if kind == MONEY:
        return _money_text(where, value)
    return _instant_text(where, value)


def _money_text(where: str, value: str) -> str:
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise BadValueError(where, f"{value[:40]!r} is not an amount") from None
    if not amount.is_finite() or abs(amount) >= _LARGEST:
        raise BadValueError(where, f"{value[:40]!r} is out of range")
    return f"{amount:f}"


def _instant_text(where: str, value: str) -> str:
    try:
        instant = datetime.fromisoformat(
            _SPACED.sub(r"\1", value.strip().replace(" UTC", "+00:00").replace("/", "-"))
        )
    except ValueError:
        raise BadValueError(where, f"{value[:40]!r} is not an instant") from None
    # Without an offset it can only be what the API itself speaks: UTC.
    instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
