"""What was known of an item's stock on a past day, and the chance of running out that follows from it alone.

The chance: demand until day t is negative binomial (a Poisson whose rate is itself uncertain, bought several units at a
time; Silver, Pyke & Thomas, ch. 7), the next delivery comes as late as past deliveries came, given that it has not
come yet, and the item runs out before it or in spite of it.
"""

from dataclasses import dataclass

import numpy as np

from models.base import Bools, Floats, Ints
from models.stock_history import HORIZONS, QUARTER, StockHistory, usual_lead

MONTH, YEAR = 28, 364
SPARE_RATE = 0.02  # units a day added before dividing
LUMPINESS = 0.7  # variance above a Poisson's, per unit: buyers take more than one at a time
RATE_ERROR = 0.25  # of the true rate around ours beside what few sales leave open, as a share of it
FEWEST_DELIVERIES = 20  # below which the delays of an imagined supplier are added
IMAGINED_DELAYS = np.array([0.0] * 14 + [15.0])  # days

# Each with the direction in which the chance must move with it; 0: either.
FEATURES = {
    "horizon": 0, "available": -1, "rate_7": 1, "rate_28": 1, "rate_91": 1, "cover_28": -1, "lowest": -1,
    "lowest_in_days": 0, "first_arrival": 0, "overdue": 0, "season": 1, "out_91": 0, "chance": 1, "chance_plain": 1,
}  # fmt: skip


def features(past: StockHistory, day: int, horizon: int) -> Floats:
    """One row per item in the order of FEATURES: only what was known at the end of `day`."""
    since = max(day + 1 - YEAR - QUARTER, 0)
    sold, there = past.units[:, since : day + 1], past.in_stock[:, since : day + 1]
    available = np.nan_to_num(past.available[:, day])
    rates = {span: _rate(sold, there, span) for span in (7, MONTH, QUARTER)}
    season = _season(sold, there, horizon)
    usual = 0.5 * rates[MONTH] + 0.5 * rates[QUARTER]
    supply = on_its_way(past, day)
    ahead = np.arange(1, horizon + 1)
    expected = (usual * season)[:, None] * ahead
    left = available[:, None] + np.cumsum(supply.arriving[:, :horizon], axis=1) - expected
    seen = (sold[:, -QUARTER:] * there[:, -QUARTER:]).sum(axis=1)
    error = 1 / (seen + 2) + RATE_ERROR**2
    columns = {
        "horizon": np.full(len(available), float(horizon)),
        "available": available,
        "rate_7": rates[7],
        "rate_28": rates[MONTH],
        "rate_91": rates[QUARTER],
        "cover_28": available / (rates[MONTH] + SPARE_RATE),
        "lowest": left.min(axis=1),
        "lowest_in_days": left.argmin(axis=1) + 1,
        "first_arrival": supply.first,
        "overdue": supply.overdue,
        "season": season,
        "out_91": 1 - there[:, -QUARTER:].mean(axis=1),
        "chance": runs_out(available, expected, error, supply),
        "chance_plain": runs_out(available, usual[:, None] * ahead, error, supply),
    }
    return np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in FEATURES])


def formula(rows: Floats) -> Floats:
    """The chance by formula, of rows of `features`: between that of a usual season and of last year's."""
    names = list(FEATURES)
    value: Floats = np.sqrt(rows[:, names.index("chance")] * rows[:, names.index("chance_plain")])
    return value


@dataclass(frozen=True)
class Supply:
    """By item: units due on each of the days ahead; of the oldest order on its way the days until it is due (NaN:
    there is none) and how many it is overdue; `comes`: the chance that it comes on each of the days ahead, the last
    column that it comes later; `units` that then are, or would be, there from all orders."""

    arriving: Floats
    first: Floats
    overdue: Floats
    comes: Floats
    units: Floats


def runs_out(available: Floats, expected: Floats, error: Floats, supply: Supply) -> Floats:
    """Chance that the shelf is empty at the end of a day. `expected`: items × days, the mean of demand until then;
    `error`: variance of the true demand around it, as a share of its square."""
    from scipy import stats

    horizon = expected.shape[1]
    mean = np.maximum(expected, 1e-4)
    excess = LUMPINESS * mean + error[:, None] * mean**2
    size, share = mean**2 / excess, mean / (mean + excess)
    by_day = stats.nbinom.sf(np.maximum(available, 1.0)[:, None] - 1, size, share)
    by_day = np.where(available[:, None] <= 0, 1.0, by_day)
    # a delivery of day k is in time if the shelf was not empty at the end of day k - 1
    before = np.concatenate([np.zeros((len(available), 1)), by_day[:, :-1], by_day[:, -1:]], axis=1)
    whole = np.maximum(available + supply.units, 1.0)
    after = stats.nbinom.sf(whole - 1, size[:, -1], share[:, -1])
    comes = np.column_stack([supply.comes[:, :horizon], supply.comes[:, horizon:].sum(axis=1)])
    out = np.maximum(before, after[:, None])
    out[:, -1] = before[:, -1]
    value: Floats = (comes * out).sum(axis=1)
    return value


def _rate(sold: Floats, there: Bools, span: int) -> Floats:
    """Units per day with stock over the last `span` days; 0 where there was none."""
    days = there[:, -span:].sum(axis=1)
    units = (sold[:, -span:] * there[:, -span:]).sum(axis=1)
    rate: Floats = np.where(days > 0, units / np.maximum(days, 1), 0.0)
    return rate


def _season(sold: Floats, there: Bools, horizon: int) -> Floats:
    """How much more sold a year ago in the days ahead than in the quarter before: of the whole shop and of the
    item, the item counting as much as it sold; 1 without a year of history."""
    begin = sold.shape[1] - YEAR
    if begin < QUARTER:
        return np.ones(len(sold))
    ahead, before = slice(begin, begin + horizon), slice(begin - QUARTER, begin)

    def rate(part: slice) -> Floats:
        days = np.maximum(there[:, part].sum(axis=1), 1)
        value: Floats = (sold[:, part] * there[:, part]).sum(axis=1) / days
        return value

    after, usual = rate(ahead), rate(before)
    shop = (after.sum() + SPARE_RATE) / (usual.sum() + SPARE_RATE)
    units = sold[:, before].sum(axis=1)
    trust = units / (units + 30.0)
    own = (after + 0.1 * usual + SPARE_RATE) / (1.1 * usual + SPARE_RATE)
    value: Floats = np.clip(np.exp(trust * np.log(own) + (1 - trust) * np.log(shop)), 0.3, 4.0)
    return value


def on_its_way(past: StockHistory, day: int) -> Supply:
    """What is coming, seen from the end of `day`."""
    lots, items, longest = past.lots, len(past.ids), max(HORIZONS)
    done = lots.arrived <= day
    lead = usual_lead(lots, done, items, past)
    waiting = np.flatnonzero((lots.ordered <= day) & ~done)
    waiting = waiting[np.argsort(lots.ordered[waiting], kind="stable")]
    item, due = lots.item[waiting], lead[lots.item[waiting]] - (day - lots.ordered[waiting])
    # an overdue order comes, as a rule, within the next week
    in_days = np.where(due > 0, due, 5.0)
    soon = in_days <= longest
    arriving = np.zeros((items, longest))
    np.add.at(arriving, (item[soon], np.ceil(in_days[soon]).astype(np.int64) - 1), lots.units[waiting][soon])
    first, overdue = np.full(items, np.nan), np.full(items, np.nan)
    comes = np.zeros((items, longest + 1))
    comes[:, -1] = 1.0
    units = np.zeros(items)
    late = _delays(past, done, lead)
    oldest, at = np.unique(item, return_index=True)
    is_first = np.zeros(len(waiting), dtype=bool)
    is_first[at] = True
    np.add.at(units, item[is_first | soon], lots.units[waiting][is_first | soon])
    first[oldest], overdue[oldest] = np.maximum(due[at], 0.0), np.maximum(-due[at], 0.0)
    comes[oldest] = _comes_on(due[at], late, longest)
    return Supply(arriving, first, overdue, comes, units)


def _delays(past: StockHistory, done: Bools, lead: Floats) -> Floats:
    """By how many days past deliveries missed the usual time of their product, sorted."""
    lots = past.lots
    late = (lots.arrived[done] - lots.ordered[done]) - lead[lots.item[done]]
    return np.sort(late if len(late) >= FEWEST_DELIVERIES else np.concatenate([late, IMAGINED_DELAYS]))


def _comes_on(due: Floats, late: Floats, longest: int) -> Floats:
    """Rows × days: the chance to come on each of the next `longest` days, the last column: later; an order that is
    later than any has ever been is thought to come within a fortnight."""
    days = np.arange(0, longest + 1)
    # of the past delays those that would have brought the order already do not count
    by: Ints = np.searchsorted(late, days[None, :] - due[:, None], side="right")
    still = len(late) - by[:, :1]
    chance = np.diff(by, axis=1) / np.maximum(still, 1)
    chance = np.where(still > 0, chance, np.where(days[1:] <= 14, 1 / 14, 0.0))
    return np.column_stack([chance, np.maximum(1 - chance.sum(axis=1), 0.0)])
