"""Sales as a channel settled them, by the day the money was booked, beside the order lines of core they were for.

Which lines a day settled is known from the commissions booked on it, so a day whose fees are not loaded cannot be
compared. What is compared are our own lines: whether the orders are there, with the units and the price that were paid
for.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import polars as pl
from sqlalchemy import Engine

from warehouse import frames, sql
from warehouse.reconcile import CENT, Figure, Place

SETTLED = {
    "date": pl.Date,
    "orders": pl.Int64,
    "units": pl.Int64,
    "gross_amount": frames.MONEY,
    "is_in_parts": pl.Boolean,
}
_MEASURES = ("orders", "units", "gross_amount")


def in_core(engine: Engine, place: Place, first: date, last: date) -> pl.DataFrame:
    """Orders, units and price of the goods of the lines settled on each day that has commissions: date and
    `_MEASURES`; `is_in_parts`: some line was settled on another day as well."""
    return frames.query(engine, sql.read("settled_days"), SETTLED, channel=place.id, first=first, last=last)


def compare(place: Place, days: tuple[date, date], control: pl.DataFrame, core: pl.DataFrame) -> list[Figure]:
    """Every figure the source booked from `days[0]` to `days[1]`, against ours. `control`: CONTROL_TOTALS."""
    ours = {row["date"]: row for row in core.iter_rows(named=True)}
    rows = control.filter(pl.col("basis") == "posted", pl.col("business_date").is_between(*days))
    return [
        figure
        for row in rows.iter_rows(named=True)
        for figure in _figures(place, row, ours.get(row["business_date"]))
    ]


def _figures(place: Place, row: dict[str, object], ours: dict[str, object] | None) -> Iterator[Figure]:
    for measure in _MEASURES:
        if row[measure] is None:
            continue
        theirs = Decimal(str(row[measure]))
        known = None if ours is None else Decimal(str(ours[measure]))
        state, told = "differs", None
        if known is None:
            state, told = (
                "explained",
                "the fees of this day are not loaded: which lines it settled is not known",
            )
        elif abs(known - theirs) < CENT:
            state = "agrees"
        elif ours is not None and ours["is_in_parts"]:
            state, told = "explained", "a line was settled in parts, on several days"
        day = row["business_date"]
        assert isinstance(day, date)
        currency = str(row["currency"]) if measure == "gross_amount" else None
        yield Figure(
            place.account, place.name, place.id, day, f"posted {measure}", currency, theirs, known, None,
            state, told,  # type: ignore[arg-type]  # one of the states
        )  # fmt: skip
