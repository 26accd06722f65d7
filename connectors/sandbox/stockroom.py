"""Stock of the generated merchant: who is too late buys nothing, deliveries come when suppliers send them.

He is a careful one: he reorders early enough for his suppliers and keeps weeks of stock in reserve. A few goods he
neglects, and they run out from time to time; of a few he once bought far too many; and on the eve of "today" a few
that sell well are nearly gone, so that there is something to warn of.

A *cell* is one product on one market (`market * products + product`). `simulate` walks through the days and
decides which wanted lines can be sold; `Ledger` turns what happened into levels at any instant.
"""

from dataclasses import dataclass, field

import numpy as np

from connectors.sandbox.catalogue import Catalogue, Floats
from connectors.sandbox.orderbook import NEVER, Flags, Ints

_FIRST_COVER_DAYS = 45
_ORDER_COVER_DAYS = 40
_RESERVE_DAYS = 42
_NEGLECTED = 0.06  # share of the products, all of them among those that sell well
_NEGLECTED_RESERVE_DAYS = -4
_OVERBOUGHT = 0.06
_OVERBOUGHT_COVER_DAYS = 420
_FEWEST = 4  # units of an order to a supplier
_LATE_SHIPMENTS = 0.07
# Days of cover left on the eve of "today" in a few well-selling cells.
_TIGHT_COVER = (0.0, 1.5, 4.0, 9.0)
_TIGHT_DELAY_DAYS = 7


@dataclass
class Wanted:
    """Lines buyers would like, sorted by day and then by time: the parallel columns `simulate` reads."""

    cell: Ints
    day: Ints
    quantity: Ints
    released: Ints  # units that come back because they are cancelled …
    released_day: Ints  # … and when they can be sold again


@dataclass
class Purchases:
    """Orders to suppliers and corrections of counts, each one entry per cell."""

    cell: list[int] = field(default_factory=list)
    ordered_day: list[int] = field(default_factory=list)
    arrival_day: list[int] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    counted: dict[int, int] = field(default_factory=dict)  # cell: units found more or less on `counted_day`
    counted_day: int = 0


@dataclass
class Outcome:
    """What could be sold. `in_stock` is by cell and day: nobody was turned away."""

    sold: Flags  # per wanted line
    in_stock: Flags
    opening: Ints  # units in each cell before the first day
    purchases: Purchases


def simulate(
    rng: np.random.Generator, wanted: Wanted, mean_units: Floats, catalogue: Catalogue, today: int
) -> Outcome:
    """Walk through all days. `mean_units` is the true mean demand by cell and day, which buyers half know."""
    cells, days = mean_units.shape
    products = len(catalogue.skus)
    lead = np.tile(catalogue.lead_days, cells // products)
    foresight = rng.uniform(0.8, 1.25, (cells,))
    reserve, cover = (np.tile(habit, cells // products) for habit in _habits(rng, catalogue.popularity))
    launched = np.tile(catalogue.launched, cells // products)
    ended = np.tile(catalogue.ended, cells // products)
    listed = catalogue.listed.ravel()
    opening = np.ceil(mean_units[:, :_FIRST_COVER_DAYS].sum(axis=1)).astype(np.int64) + 3 * listed
    opening[(launched > 0) | ~listed] = 0
    available = opening.copy()
    usual = mean_units[:, : min(28, days)].mean(axis=1)
    arriving = np.zeros((days + 120, cells), dtype=np.int64)
    returning = np.zeros((days + 5, cells), dtype=np.int64)
    in_stock = np.ones((cells, days), dtype=bool)
    sold = np.ones(len(wanted.cell), dtype=bool)
    bought = Purchases()
    bounds = np.searchsorted(wanted.day, np.arange(days + 1))
    pipeline = np.zeros(cells, dtype=np.int64)
    tight = _tight_cells(mean_units, today, products)
    # A new product's first delivery is there on its first day.
    for cell in np.flatnonzero((launched > 0) & (launched < days) & listed).tolist():
        start = int(launched[cell])
        units = int(np.ceil(mean_units[cell, start : start + 60].sum() * foresight[cell])) + 6
        _buy(bought, arriving, pipeline, cell=cell, day=max(start - 20, 0), arrival=start, units=units)
    for day in range(days):
        if day == today - 1:
            _make_tight(tight, available, arriving, mean_units=mean_units, day=day, bought=bought)
        available += arriving[day] + returning[day]
        pipeline -= arriving[day]
        lines = slice(bounds[day], bounds[day + 1])
        _sell(wanted, lines, available, sold, in_stock[:, day])
        kept = sold[lines]
        np.subtract.at(available, wanted.cell[lines][kept], wanted.quantity[lines][kept])
        comes_back = kept & (wanted.released[lines] > 0) & (wanted.released_day[lines] < days)
        np.add.at(
            returning,
            (wanted.released_day[lines][comes_back], wanted.cell[lines][comes_back]),
            wanted.released[lines][comes_back],
        )
        in_stock[:, day] &= (available > 0) | (mean_units[:, day] == 0)
        usual = np.where(
            in_stock[:, day], 0.94 * usual + 0.06 * _day_units(wanted, lines, kept, cells), usual
        )
        ahead = mean_units[:, day : day + 30].mean(axis=1)
        plan = (0.4 * usual + 0.6 * ahead) * foresight
        reviewed = (np.arange(cells) % 3 == day % 3) & listed & (launched <= day) & (day < ended - 60)
        short = reviewed & (plan > 0) & (available + pipeline <= plan * (lead + reserve) + _FEWEST / 2)
        for cell in np.flatnonzero(short).tolist():
            late = int(rng.integers(8, 24)) if rng.random() < _LATE_SHIPMENTS else 0
            arrival = day + int(lead[cell]) + late
            if cell in tight and today - 1 <= arrival < today + _TIGHT_DELAY_DAYS:
                arrival = today + _TIGHT_DELAY_DAYS
            units = max(int(np.ceil(plan[cell] * cover[cell] / _FEWEST)), 1) * _FEWEST
            _buy(bought, arriving, pipeline, cell=cell, day=day, arrival=arrival, units=units)
    return Outcome(sold, in_stock, opening, bought)


def _habits(rng: np.random.Generator, popularity: Floats) -> tuple[Ints, Ints]:
    """Days of reserve, and days of cover in one order, by product: usual for most."""
    products = len(popularity)
    reserve = np.full(products, _RESERVE_DAYS)
    cover = np.full(products, _ORDER_COVER_DAYS)
    unusual = rng.permutation(products)
    unusual = unusual[np.argsort(popularity[unusual] < np.median(popularity), kind="stable")]
    neglected, overbought = (max(round(products * share), 1) for share in (_NEGLECTED, _OVERBOUGHT))
    reserve[unusual[:neglected]] = _NEGLECTED_RESERVE_DAYS
    cover[unusual[products - overbought :]] = _OVERBOUGHT_COVER_DAYS
    return reserve, cover


def _buy(
    bought: Purchases, arriving: Ints, pipeline: Ints, *, cell: int, day: int, arrival: int, units: int
) -> None:
    bought.cell.append(cell)
    bought.ordered_day.append(day)
    bought.arrival_day.append(arrival)
    bought.units.append(units)
    arriving[arrival, cell] += units
    pipeline[cell] += units


def _tight_cells(mean_units: Floats, today: int, products: int) -> list[int]:
    """The best-selling cells of these days, of different products, one for each entry of `_TIGHT_COVER`."""
    recent = mean_units[:, max(today - 28, 0) : today + 1].mean(axis=1)
    chosen: list[int] = []
    for cell in np.argsort(-recent, kind="stable").tolist():
        if recent[cell] > 0 and all(cell % products != other % products for other in chosen):
            chosen.append(cell)
        if len(chosen) == len(_TIGHT_COVER):
            break
    return chosen


def _make_tight(
    tight: list[int], available: Ints, arriving: Ints, *, mean_units: Floats, day: int, bought: Purchases
) -> None:
    """Count the tight cells down to little, and let what is on its way to them come a week later."""
    bought.counted_day = day
    for cell, cover in zip(tight, _TIGHT_COVER, strict=False):
        left = round(float(mean_units[cell, day : day + 7].mean()) * (cover + 1))
        bought.counted[cell] = left - int(available[cell])
        available[cell] = left
        later = day + 1 + _TIGHT_DELAY_DAYS
        arriving[later, cell] += arriving[day:later, cell].sum()
        arriving[day:later, cell] = 0
    for entry, (cell, arrival) in enumerate(zip(bought.cell, bought.arrival_day, strict=True)):
        if cell in tight and day <= arrival < day + 1 + _TIGHT_DELAY_DAYS:
            bought.arrival_day[entry] = day + 1 + _TIGHT_DELAY_DAYS


def _sell(wanted: Wanted, lines: slice, available: Ints, sold: Flags, in_stock: Flags) -> None:
    """Mark the day's lines that come too late: in time order, what is left decides."""
    cell, quantity = wanted.cell[lines], wanted.quantity[lines]
    asked = np.bincount(cell, weights=quantity, minlength=len(available))
    for short in np.flatnonzero(asked > available).tolist():
        left = int(available[short])
        for line in np.flatnonzero(cell == short).tolist():
            if quantity[line] <= left:
                left -= int(quantity[line])
            else:
                sold[lines.start + line] = False
                in_stock[short] = False


def _day_units(wanted: Wanted, lines: slice, kept: Flags, cells: int) -> Floats:
    units = np.bincount(wanted.cell[lines][kept], weights=wanted.quantity[lines][kept], minlength=cells)
    return units.astype(np.float64)


class Ledger:
    """Every movement of stock, sorted by instant; levels are sums up to an instant."""

    def __init__(self, cells: int) -> None:
        self.cells = cells
        self._parts: list[tuple[Ints, Ints, Ints, Ints, Ints]] = []
        self._table: tuple[Ints, ...] | None = None

    def add(
        self,
        cell: Ints,
        at: Ints,
        *,
        on_hand: Ints | int = 0,
        reserved: Ints | int = 0,
        inbound: Ints | int = 0,
    ) -> None:
        """Movements, one per entry of `cell` and `at`; those that never happen are left out."""
        happens = at != NEVER
        columns = [
            np.broadcast_to(np.asarray(c, dtype=np.int64), at.shape) for c in (on_hand, reserved, inbound)
        ]
        self._parts.append((cell[happens], at[happens], *(column[happens] for column in columns)))
        self._table = None

    def close(self) -> None:
        """Sort the movements; before this nothing can be asked."""
        columns = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
        in_time = np.argsort(columns[1], kind="stable")
        self._table = tuple(column[in_time] for column in columns)

    def movements(self) -> tuple[Ints, ...]:
        """Cell, instant, and what is added to on hand, reserved and inbound, in time order."""
        if self._table is None:
            raise RuntimeError("the ledger is not closed")
        return self._table

    def levels(self, now: int) -> tuple[Ints, Ints, Ints, Ints]:
        """On hand, reserved, inbound and last movement (0: none yet) of each cell at `now`."""
        cell, at, *moves = self.movements()
        end = int(np.searchsorted(at, now, side="right"))
        sums = [
            np.bincount(cell[:end], weights=move[:end], minlength=self.cells).astype(np.int64)
            for move in moves
        ]
        last = np.zeros(self.cells, dtype=np.int64)
        last[cell[:end]] = at[:end]  # in time order: the latest stays
        return sums[0], sums[1], sums[2], last
