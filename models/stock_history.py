"""What stock did in the past, item by item and day by day: what the risk of running out is learned from.

Orders to suppliers are read out of the units on their way: a rise is an order, a fall a delivery. Nothing else of a
merchant's buying is known from his channels.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from models import supply
from models.base import Bools, Floats, Ints, SeriesError

HORIZONS = (7, 14, 30)  # days ahead
QUARTER = 91
LEAST_HISTORY = 28  # days of stock before an origin
EVERY = 7  # days between origins
USUAL_LEAD = 14.0  # days, before any delivery was seen
NEVER = 1 << 40


@dataclass(frozen=True)
class StockHistory:
    """Items × days, oldest day first: units sold, sellable and inbound at the end of the day (NaN: not known yet),
    and whether anything was sellable all day long."""

    ids: tuple[str, ...]
    first_day: date
    units: Floats
    available: Floats
    inbound: Floats
    in_stock: Bools
    product: Ints
    lots: "Lots"

    @property
    def last_day(self) -> date:
        """The last day in it."""
        return self.first_day + timedelta(days=self.units.shape[1] - 1)


@dataclass(frozen=True)
class Lots:
    """Orders to suppliers as inbound shows them: a rise is an order, a fall a delivery, first in first out.

    `arrived` is NEVER while on the way. `product` numbers the SKU: a supplier takes as long whatever the channel.
    """

    item: Ints
    product: Ints
    ordered: Ints
    arrived: Ints
    units: Floats


def history(days: pl.DataFrame) -> StockHistory:
    """From rows `series_id, date, units, available, inbound, in_stock`, one per series and day observed."""
    if days.is_empty():
        raise SeriesError("there is no stock history")
    first, last = days["date"].min(), days["date"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    names = days["series_id"].unique().sort()
    row = dict(zip(names.to_list(), range(len(names)), strict=True))
    at = days["series_id"].replace_strict(row, return_dtype=pl.Int64).to_numpy()
    day = (days["date"] - first).dt.total_days().to_numpy()
    shape = (len(names), (last - first).days + 1)

    def grid(name: str, missing: float) -> Floats:
        values = np.full(shape, missing)
        values[at, day] = days[name].cast(pl.Float64).fill_null(missing).to_numpy()
        return values

    inbound = grid("inbound", 0.0)
    skus = names.str.split("|").list.slice(1).list.join("|")
    product = skus.rank("dense").cast(pl.Int64).to_numpy() - 1
    return StockHistory(
        ids=tuple(names.to_list()),
        first_day=first,
        units=grid("units", 0.0),
        available=grid("available", np.nan),
        inbound=inbound,
        in_stock=grid("in_stock", 1.0) > 0,
        product=product,
        lots=_lots(inbound, product),
    )


def selling(past: StockHistory, day: int) -> Bools:
    """Items whose stock was known on `day` and that sold anything in the quarter before, or came in within it."""
    recent = slice(max(day - QUARTER + 1, 0), day + 1)
    value: Bools = (past.units[:, recent].sum(axis=1) > 0) & ~np.isnan(past.available[:, day])
    return value


def origins(past: StockHistory, *, every: int = EVERY) -> list[int]:
    """Days to learn at, as numbers: each with enough stock before it and the longest horizon after it."""
    known = np.flatnonzero(~np.isnan(past.available).all(axis=0))
    if not len(known):
        return []
    first, last = int(known[0]) + LEAST_HISTORY, past.units.shape[1] - 1 - max(HORIZONS)
    return list(range(last, first - 1, -every))[::-1]


def outcome(past: StockHistory, day: int, horizon: int) -> Floats:
    """1 where the item ran out within `horizon` days after `day`, or would have without the orders placed after
    `day`; else 0; NaN where stock is not known.

    What later orders brought is taken off again. Sales capped by an empty shelf need no correction: where the
    shelf was empty with those orders it was empty without them.
    """
    closing = past.available[:, day + 1 : day + 1 + horizon]
    known = ~np.isnan(closing).any(axis=1) & ~np.isnan(past.available[:, day])
    lots = past.lots
    later = (lots.ordered > day) & (lots.arrived <= day + horizon)
    brought = np.zeros(closing.shape)
    np.add.at(brought, (lots.item[later], lots.arrived[later] - day - 1), lots.units[later])
    out = (closing - np.cumsum(brought, axis=1) <= 0).any(axis=1)
    return np.where(known, out.astype(np.float64), np.nan)


def usual_lead(lots: Lots, done: Bools, items: int, past: StockHistory) -> Floats:
    """Median days an order of the item's product took; of all products where fewer than two came."""
    if not done.any():
        return np.full(items, USUAL_LEAD)
    product, took = lots.product[done], (lots.arrived[done] - lots.ordered[done]).astype(np.float64)
    took = took[np.lexsort((took, product))]
    count = np.bincount(product, minlength=int(past.product.max()) + 1)
    begin = np.cumsum(count) - count
    low, high = (
        np.minimum(begin + np.maximum(half, 0), len(took) - 1) for half in ((count - 1) // 2, count // 2)
    )
    value = np.where(count > 1, (took[low] + took[high]) / 2, np.median(took))
    return value[past.product]


def _lots(inbound: Floats, product: Ints) -> Lots:
    moved = np.diff(inbound, axis=1)
    found: list[tuple[int, int, int, float]] = []
    for row in np.flatnonzero(np.abs(moved).sum(axis=1) > 0).tolist():
        changes = ((day + 1, float(moved[row, day])) for day in np.flatnonzero(moved[row]).tolist())
        found += [
            (row, ordered, NEVER if arrived is None else arrived, units)
            for ordered, arrived, units in supply.matched(changes)
        ]
    table = np.array(found, dtype=np.float64).reshape(-1, 4)
    item = table[:, 0].astype(np.int64)
    return Lots(
        item=item,
        product=product[item],
        ordered=table[:, 1].astype(np.int64),
        arrived=table[:, 2].astype(np.int64),
        units=table[:, 3],
    )
