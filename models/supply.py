"""What is on its way and when it should be here: read from units inbound, the one thing channels tell of a delivery.

No marketplace says when an order to a supplier will arrive. A rise of inbound is such an order, a fall its delivery,
first in first out; how long past orders took says when an open one is due. A supplier takes as long whatever the
channel, so times are learned by SKU.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import TypeVar

import polars as pl

FEWEST_DELAYS = 20  # deliveries before their delays stand for a lead time's spread
FEWEST = 2  # deliveries of a SKU before its own time is believed
PATIENCE_DAYS = 3.0  # an order may be so much later than usual, …
# … or so much of its usual time, if that is more; what is later still may come any time or never
PATIENCE_RATE = 0.25
Day = TypeVar("Day")  # a date, or a day's number

EXPECTED: dict[str, pl.DataType | type[pl.DataType]] = {
    "series_id": pl.String,
    "deliveries": pl.List(pl.Struct({"days": pl.Float64, "units": pl.Float64})),
    "overdue_days": pl.Float64,
}


@dataclass(frozen=True)
class Lot:
    """Units ordered one day and delivered another (None: still on their way).

    `is_seen` is False for what was on its way already when the channel was first looked at: nobody knows since when.
    """

    ordered: date
    arrived: date | None
    units: float
    is_seen: bool = True


def lots(moves: Iterable[tuple[date, float]], first_look: date | None = None) -> list[Lot]:
    """Orders and deliveries of one series from its changes of inbound, oldest first, one a day."""
    return [Lot(ordered, arrived, units, ordered != first_look) for ordered, arrived, units in matched(moves)]


def matched(moves: Iterable[tuple[Day, float]]) -> list[tuple[Day, Day | None, float]]:
    """(ordered, arrived, units) of changes of inbound, oldest first, first in first out; arrived None: on its way."""
    waiting: deque[tuple[Day, float]] = deque()
    found: list[tuple[Day, Day | None, float]] = []
    for day, change in moves:
        if change > 0:
            waiting.append((day, change))
        came = -change
        while came > 0 and waiting:
            ordered, units = waiting.popleft()
            taken = min(came, units)
            found.append((ordered, day, taken))
            came -= taken
            if units > taken:
                waiting.appendleft((ordered, units - taken))
    return found + [(ordered, None, units) for ordered, units in waiting]


def expected(moves: pl.DataFrame, today: date, usual_days: float) -> pl.DataFrame:
    """One row per series with units on their way: `deliveries`, each in how many days and how many, soonest first, and
    by how many days the oldest order is overdue (0: it is not).

    `moves`: `series_id` ("<channel>|<sku>"), `date`, `moved` (units, above 0 ordered, below 0 delivered), `first_date`
    (when the channel was first looked at). An order takes as long as its SKU's orders usually took, else as all did,
    else `usual_days`. One that is a little overdue is expected within days; later than that it is not counted on.
    """
    own = _by_series(moves)
    took = _took(own)
    everybody = [days for known in took.values() for days in known]
    rows_out = []
    for series, found in own.items():
        known = took[_sku(series)]
        usual = float(median(known if len(known) >= FEWEST else everybody or [usual_days]))
        ages = [((today - lot.ordered).days, lot.units) for lot in found if lot.arrived is None]
        if ages:
            rows_out.append(
                (series, _coming(ages, max(usual, 1.0)), max(max(a for a, _ in ages) - usual, 0.0))
            )
    return pl.DataFrame(rows_out, schema=EXPECTED, orient="row")


def delays(moves: pl.DataFrame) -> list[float]:
    """By how many days past orders missed the usual time of their SKU (`moves` as in `expected`); none where there were
    too few to tell how suppliers are."""
    known = [days for days in _took(_by_series(moves)).values() if len(days) >= FEWEST]
    late = [float(each - median(days)) for days in known for each in days]
    return late if len(late) >= FEWEST_DELAYS else []


def _by_series(moves: pl.DataFrame) -> dict[str, list[Lot]]:
    by_series = moves.sort("date").group_by("series_id", maintain_order=True)
    return {
        series: lots(zip(days, moved, strict=True), first)
        for series, days, moved, first in by_series.agg(
            "date", "moved", pl.col("first_date").min()
        ).iter_rows()
    }


def _took(own: dict[str, list[Lot]]) -> dict[str, list[int]]:
    """By SKU the days each delivered order took, of those whose beginning was seen."""
    took: dict[str, list[int]] = {}
    for series, found in own.items():
        took.setdefault(_sku(series), []).extend(
            (lot.arrived - lot.ordered).days for lot in found if lot.arrived is not None and lot.is_seen
        )
    return took


def _coming(ages: list[tuple[int, float]], usual: float) -> list[dict[str, float]]:
    """Deliveries, soonest first, of the open orders (days since they were placed, units) that can be counted on."""
    patience = max(PATIENCE_DAYS, PATIENCE_RATE * usual)
    due = [(usual - age, units) for age, units in ages if age <= usual + patience]
    return [
        {"days": days, "units": units}
        for days, units in sorted((max(d, PATIENCE_DAYS) if d <= 0 else d, u) for d, u in due)
    ]


def _sku(series_id: str) -> str:
    return series_id.partition("|")[2]
