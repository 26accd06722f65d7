"""The service level at which all SKUs together hold as much as a plain rule would: the same money, better placed.

One level is too much stock for one catalogue and too little for the next, or for the same one before Christmas. What
a merchant knows is how much stock a rule of thumb keeps. So the level is read from the exchange curve (Silver, Pyke &
Thomas, *Inventory and Production Management*, ch. 4 and 6) at a share of that stock, anew for every plan. What lies on
average is reckoned in the same way for both: positions lie evenly between the reorder point and a cycle more, and what
is left of one when an order has come is what demand has not taken by then.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.base import Floats
from models.cumulative import at_lead
from models.inventory import possible_delays, quantile_of, summed
from models.replenishment import Costs, cycle

LEVELS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
USUAL = 0.7  # where nothing has sold that could be compared
PLAIN_LEADS, PLAIN_DAYS = 1.5, 30  # the plain rule: at one and a half lead times of sales, 30 days more
_POSITIONS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the way through a cycle
_FOUR_WEEKS = 28


def find(
    items: pl.DataFrame, cumulative: pl.DataFrame, costs: Costs, *, share: float, review_days: float,
    past_delays: Sequence[float] = (),
) -> float:  # fmt: skip
    """The level, from 0.5 to 0.95 in hundredths, at which `items` hold `share` of what the plain rule would hold.

    `items`: `series_id`, `lead_time_days`, `lead_time_sd_days`, `recent_daily` (units sold a day lately, which the
    plain rule goes by) and `unit_cost`, all in one currency; an item without a cost weighs as one of the mean cost.
    `cumulative`: as `ForecastResult.cumulative`. Items without a forecast do not count.
    """
    if cumulative.is_empty():
        return USUAL
    ahead = at_lead(cumulative, _FOUR_WEEKS).select("series_id", mean_daily=pl.col("mean") / _FOUR_WEEKS)
    known = items.join(ahead, on="series_id", how="inner").with_columns(
        pl.col("recent_daily").fill_null(0.0), cycle_units=cycle(costs, review_days)
    )
    lead, spread, recent, brings = (
        known[name].cast(pl.Float64).to_numpy()
        for name in ("lead_time_days", "lead_time_sd_days", "recent_daily", "cycle_units")
    )
    if not recent.any():
        return USUAL
    cost = pl.col("unit_cost").cast(pl.Float64)
    worth = known.select(pl.coalesce(cost, cost.mean(), 1.0)).to_series().to_numpy()
    demand, delays = summed(known["series_id"].to_list(), cumulative), possible_delays(spread, past_delays)
    protected = demand.drawn(lead + review_days, delays)
    taken = demand.drawn(lead + review_days / 2, delays)
    plain = _lies(taken, PLAIN_LEADS * lead * recent, PLAIN_DAYS * recent) @ worth
    ours = [
        _lies(taken, np.ceil(quantile_of(protected, np.full(len(lead), level))), brings) @ worth
        for level in LEVELS
    ]
    return round(float(np.interp(share * plain, ours, LEVELS)), 2)


def _lies(taken: Floats, point: Floats, brings: Floats) -> Floats:
    """Units of each item that lie there on average, by what demand has `taken` until an order is there."""
    left = [np.maximum((point + part * brings)[:, None] - taken, 0.0).mean(axis=1) for part in _POSITIONS]
    value: Floats = np.mean(left, axis=0)
    return value
