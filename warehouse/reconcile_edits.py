"""Edits of orders, for sources that book what an edit adds on the day of the edit and not on the order's own.

Both days then differ from ours by what was edited. The ledger knows by how much, where the order had been read before
it was edited; of orders first read later nobody can tell any more.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

import polars as pl
from sqlalchemy import Engine

from warehouse import frames, sql

_SCHEMA = {
    "date": pl.Date,
    "units_out": pl.Int64,
    "amount_out": frames.MONEY,
    "units_in": pl.Int64,
    "amount_in": frames.MONEY,
    "is_read_late": pl.Boolean,
}


class Edits(NamedTuple):
    """What edits moved away from a day, and to it."""

    units_out: int
    amount_out: Decimal
    units_in: int
    amount_in: Decimal
    is_read_late: bool

    def explain(self, measure: str, delta: Decimal | None) -> str | None:
        """Why ours - theirs is `delta`; None: edits are not why."""
        if not delta or measure == "orders":
            return None
        away, here = (
            (self.units_out, self.units_in) if measure == "units" else (self.amount_out, self.amount_in)
        )
        if -here <= delta <= away:
            return "the source books edits on the day of the edit"
        if self.is_read_late:
            return "read after it was over: the source books edits on the day of the edit, and those are not known"
        return None


def in_core(engine: Engine, channel: int, timezone: str, first: date, last: date) -> dict[date, Edits]:
    """Days from `first` to `last` with edits, or with orders first read more than a day after they were over."""
    found = frames.query(
        engine,
        sql.read("edited_days"),
        _SCHEMA,
        channel=channel,
        timezone=timezone,
        first=first,
        last=last,
    )
    return {row[0]: Edits(*row[1:]) for row in found.iter_rows()}
