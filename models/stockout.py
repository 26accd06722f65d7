"""Will a SKU on a channel run out within 7, 14 or 30 days? Learned from what stock did before.

The forecast knows demand; how a merchant reorders and how late suppliers are shows only in past stock. Gradient
boosted trees (LightGBM) read both. Origins are split by time: trees learn from the oldest, probabilities are
calibrated (isotonic regression, Zadrozny & Elkan 2002) and levels chosen on newer ones, and what is reported
comes from the newest. Between two parts lie as many days as the label looks ahead, so none knows the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from models.base import Bools, Floats, Ints, SeriesError

HORIZONS = (7, 14, 30)
MONTH, QUARTER, YEAR = 28, 91, 364
LEAST_HISTORY = 28  # days of stock before an origin
EVERY = 7  # days between origins
MOST_ROWS = 300_000
LEAST_POSITIVES = 50
SPARE_RATE = 0.02  # units a day added before dividing
NEVER = 1 << 40

FEATURES = (
    "horizon", "available", "inbound", "rate_7", "rate_28", "rate_91", "cover_28", "cover_91", "cover_all",
    "lowest", "lowest_in_days", "lowest_sure", "chance", "arriving", "first_arrival", "overdue", "lead", "position",
    "since_receipt", "season", "out_now", "out_28", "out_91", "out_ever",
)  # fmt: skip


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


@dataclass(frozen=True)
class StockoutModel:
    """Trees as text, and per horizon the calibration's corners and the lines of high and medium.

    `scores`: one row per horizon and method, from origins newer than everything learned from.
    """

    trees: str
    corners: Mapping[int, tuple[tuple[float, ...], tuple[float, ...]]]
    high: Mapping[int, float]
    scores: tuple[Mapping[str, Any], ...]


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
    skus = names.str.split("|").list.last()
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


def features(past: StockHistory, day: int, horizon: int) -> Floats:
    """One row per item in the order of FEATURES: only what was known at the end of `day`."""
    from scipy import stats

    sold, there = past.units[:, : day + 1], past.in_stock[:, : day + 1]
    available = np.nan_to_num(past.available[:, day])
    inbound = past.inbound[:, day]
    rates = {span: _rate(sold, there, span) for span in (7, MONTH, QUARTER)}
    season = _season(sold, there, horizon)
    rate = (0.5 * rates[MONTH] + 0.5 * rates[QUARTER]) * season
    supply = _supply(past, day)
    days = np.arange(1, horizon + 1)
    # what is there at the end of each day ahead if the usual sells and suppliers take as long as usual
    needed = rate[:, None] * days
    there_then = available[:, None] + np.cumsum(supply.arriving[:, :horizon], axis=1)
    left = there_then - needed
    lowest = left.argmin(axis=1)
    mean = needed + 1e-4
    excess = 0.5 * mean + (0.35 * mean) ** 2
    chance = stats.nbinom.sf(np.maximum(there_then, 1.0) - 1, mean**2 / excess, mean / (mean + excess))
    columns = [
        np.full(len(available), float(horizon)), available, inbound, *rates.values(),
        available / (rates[MONTH] + SPARE_RATE), available / (rates[QUARTER] + SPARE_RATE),
        (available + inbound) / (rate + SPARE_RATE), left.min(axis=1), lowest + 1,
        left.min(axis=1) / np.sqrt(1 + needed[np.arange(len(lowest)), lowest]), chance.max(axis=1),
        supply.arriving[:, :horizon].sum(axis=1), supply.first, supply.overdue, supply.lead,
        (available + inbound) / (rate + SPARE_RATE) - supply.lead, supply.since, season,
        available <= 0, 1 - there[:, -MONTH:].mean(axis=1), 1 - there[:, -QUARTER:].mean(axis=1),
        1 - there.mean(axis=1),
    ]  # fmt: skip
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])


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


def train(
    past: StockHistory, implied: Mapping[tuple[int, int], Floats] | None = None, *, seed: int = 7
) -> StockoutModel:
    """Fit on the history's own origins; SeriesError when stock was observed too briefly or never ran out.

    `implied`: by (day, horizon) what the forecast of that day gave every item (NaN: none); scored beside the model
    on the test origins that have one.
    """
    import lightgbm

    days = origins(past)
    learn, tune, test = split(days)
    if not test:
        raise SeriesError(
            f"{past.units.shape[1]} days of stock are too few to learn and to check on later ones; "
            "about five months are needed"
        )
    x, y, _, _ = _rows(past, learn, seed)
    if min(y.sum(), len(y) - y.sum()) < LEAST_POSITIVES:
        raise SeriesError(f"{int(y.sum())} stock-outs in {len(y)} past weeks: nothing to learn from")
    booster = lightgbm.train(_SETTINGS | {"seed": seed}, lightgbm.Dataset(x, y), num_boost_round=250)
    corners, high = {}, {}
    x, y, horizon, _ = _rows(past, tune, seed)
    raw = np.asarray(booster.predict(x, num_threads=1), dtype=np.float64)
    for ahead in HORIZONS:
        rows = horizon == ahead
        corners[ahead] = _calibration(raw[rows], y[rows])
        high[ahead] = best_line(y[rows], np.interp(raw[rows], *corners[ahead]))
    model = StockoutModel(booster.model_to_string(), corners, high, ())
    return StockoutModel(model.trees, corners, high, tuple(_judge(model, past, test, implied or {})))


_SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.04,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def predict(model: StockoutModel, past: StockHistory, day: int | None = None) -> dict[int, Floats]:
    """By horizon the probability of each item; a longer horizon is never less likely."""
    import lightgbm

    day = past.units.shape[1] - 1 if day is None else day
    booster = lightgbm.Booster(model_str=model.trees)
    found: dict[int, Floats] = {}
    least: Floats = np.zeros(len(past.ids))
    for horizon in HORIZONS:
        raw = np.asarray(booster.predict(features(past, day, horizon), num_threads=1), dtype=np.float64)
        least = np.maximum(least, np.interp(raw, *model.corners[horizon]))
        found[horizon] = least
    return found


def split(days: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Origins to learn, to tune and to test on, oldest first; the label of one part ends before the next begins."""
    if not days:
        return [], [], []
    first, last = days[0], days[-1]
    span = last - first
    gap = max(HORIZONS)
    tune_from, test_from = last - max(round(0.45 * span), gap + 14), last - max(round(0.2 * span), 14)
    learn = [day for day in days if day <= tune_from - gap]
    tune = [day for day in days if tune_from <= day <= test_from - gap]
    test = [day for day in days if day >= test_from]
    return (learn, tune, test) if learn and tune else ([], [], [])


def level(probability: Floats, high: float) -> list[str]:
    """high from the line of best F1, medium from half of it, else low."""
    names = np.where(probability >= high, "high", np.where(probability >= high / 2, "medium", "low"))
    return [str(name) for name in names]


def best_line(truth: Floats, probability: Floats) -> float:
    """The probability from which calling an item a stock-out gives the best F1; 0.5 when none ran out."""
    from sklearn.metrics import precision_recall_curve

    if truth.sum() == 0:
        return 0.5
    precision, recall, lines = precision_recall_curve(truth, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(np.clip(lines[int(np.argmax(f1[:-1]))], 0.02, 0.98))


def score(truth: Floats, probability: Floats, line: float) -> dict[str, float]:
    """How good probabilities were: rank, F1 at the line, and calibration (Brier; expected error over ten bins)."""
    from sklearn import metrics

    said = probability >= line
    bins = np.minimum((probability * 10).astype(int), 9)
    gaps = [
        abs(float((truth - probability)[bins == one].mean())) * float((bins == one).mean())
        for one in np.unique(bins)
    ]
    both = 0 < truth.sum() < len(truth)
    return {
        "rows": float(len(truth)),
        "base_rate": float(truth.mean()),
        "precision": float(metrics.precision_score(truth, said, zero_division=0)),
        "recall": float(metrics.recall_score(truth, said, zero_division=0)),
        "f1": float(metrics.f1_score(truth, said, zero_division=0)),
        "auc": float(metrics.roc_auc_score(truth, probability)) if both else float("nan"),
        "average_precision": float(metrics.average_precision_score(truth, probability)) if both else float("nan"),
        "brier": float(np.mean((truth - probability) ** 2)),
        "calibration_error": float(np.sum(gaps)),
    }  # fmt: skip


def _judge(
    model: StockoutModel, past: StockHistory, days: Sequence[int], implied: Mapping[tuple[int, int], Floats]
) -> list[dict[str, Any]]:
    said = {day: predict(model, past, day) for day in days}
    rows: list[dict[str, Any]] = []
    for horizon in HORIZONS:
        asked = [day for day in days if (day, horizon) in implied] or list(days)
        truth = np.concatenate([outcome(past, day, horizon) for day in asked])
        learned = np.concatenate([said[day][horizon] for day in asked])
        nothing = np.full(len(past.ids), np.nan)
        other = np.concatenate([implied.get((day, horizon), nothing) for day in asked])
        asked_of = np.concatenate([selling(past, day) for day in asked])
        fine = asked_of & ~np.isnan(truth) & (~np.isnan(other) | (np.isnan(other).all()))
        if not fine.any():
            continue
        rows.append(
            {"horizon_days": horizon, "method": "learned"}
            | score(truth[fine], learned[fine], model.high[horizon])
        )
        if not np.isnan(other).all():
            rows.append(
                {"horizon_days": horizon, "method": "forecast"} | score(truth[fine], other[fine], 0.5)
            )
    return rows  # fmt: skip


def better(model: StockoutModel, horizon: int) -> str:
    """`learned` or `forecast`: whose average precision was higher on the newest origins; learned without rival."""
    known = {str(row["method"]): row for row in model.scores if row["horizon_days"] == horizon}
    if "forecast" not in known or "learned" not in known:
        return "learned"
    return max(known, key=lambda method: float(known[method]["average_precision"]))


def _rows(past: StockHistory, days: Sequence[int], seed: int) -> tuple[Floats, Floats, Floats, Ints]:
    """(features, outcome, horizon, day) of all items at the origins, thinned to MOST_ROWS."""
    share = min(1.0, MOST_ROWS / max(len(days) * len(past.ids) * len(HORIZONS), 1))
    rng = np.random.default_rng(seed)
    x, y, ahead, at = [], [], [], []
    for day in days:
        for horizon in HORIZONS:
            truth = outcome(past, day, horizon)
            rows = ~np.isnan(truth) & selling(past, day)
            if share < 1:
                rows &= rng.random(len(truth)) < share
            x.append(features(past, day, horizon)[rows])
            y.append(truth[rows])
            ahead.append(np.full(int(rows.sum()), float(horizon)))
            at.append(np.full(int(rows.sum()), day))
    return np.concatenate(x), np.concatenate(y), np.concatenate(ahead), np.concatenate(at)


def _calibration(raw: Floats, truth: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(raw, truth)
    corners = np.unique(np.quantile(raw, np.linspace(0, 1, 101)))
    # isotonic steps say 0 and 1 too readily: half their weight goes to the trees' own probability
    values = np.maximum.accumulate(0.5 * fitted.predict(corners) + 0.5 * corners)
    return tuple(corners.tolist()), tuple(values.tolist())


def _rate(sold: Floats, there: Bools, span: int) -> Floats:
    """Units per day with stock over the last `span` days; 0 where there was none."""
    days = there[:, -span:].sum(axis=1)
    rate: Floats = np.where(
        days > 0, (sold[:, -span:] * there[:, -span:]).sum(axis=1) / np.maximum(days, 1), 0.0
    )
    return rate  # fmt: skip


def _season(sold: Floats, there: Bools, horizon: int) -> Floats:
    """How much more sold a year ago in the days ahead than in the quarter before: of the whole shop and of the
    item, the item counting as much as it sold; 1 without a year of history."""
    today = sold.shape[1]
    begin = today - YEAR
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


@dataclass(frozen=True)
class _Supply:
    """By item: units due on each of the days ahead, days to the first, days the latest is overdue (NaN: nothing is
    on the way), what an order usually takes, and days since goods last came in (NaN: never)."""

    arriving: Floats
    first: Floats
    overdue: Floats
    lead: Floats
    since: Floats


def _supply(past: StockHistory, day: int) -> _Supply:
    lots, items = past.lots, len(past.ids)
    done = lots.arrived <= day
    open_now = (lots.ordered <= day) & ~done
    lead = _usual_lead(lots, done, items, past)
    age = day - lots.ordered[open_now]
    due = lead[lots.item[open_now]] - age
    # an overdue order comes, as a rule, within the next week
    on_day = np.clip(np.ceil(np.where(due > 0, due, 5.0)), 1, max(HORIZONS)).astype(np.int64)
    within = np.where(due > 0, due, 5.0) <= max(HORIZONS)
    arriving = np.zeros((items, max(HORIZONS)))
    np.add.at(
        arriving,
        (lots.item[open_now][within], on_day[within] - 1),
        lots.units[open_now][within],
    )
    first, overdue, since = (np.full(items, np.inf) for _ in range(3))
    np.minimum.at(first, lots.item[open_now], due)
    np.minimum.at(overdue, lots.item[open_now], due)
    np.minimum.at(since, lots.item[done], (day - lots.arrived[done]).astype(np.float64))
    first, overdue, since = (np.where(np.isinf(values), np.nan, values) for values in (first, overdue, since))
    return _Supply(arriving, np.maximum(first, 0.0), np.maximum(-overdue, 0.0), lead, since)


def _usual_lead(lots: Lots, done: Bools, items: int, past: StockHistory) -> Floats:
    """Median days an order of the item's product took; of all products where fewer than two came."""
    if not done.any():
        return np.full(items, 14.0)
    took = pl.DataFrame({"product": lots.product[done], "days": lots.arrived[done] - lots.ordered[done]})
    usual = (
        took.group_by("product").agg(days=pl.col("days").median(), count=pl.len()).filter(pl.col("count") > 1)
    )
    value = np.full(
        int(max(past.product.max(), lots.product.max())) + 1, float(np.median(took["days"].to_numpy()))
    )
    value[usual["product"].to_numpy()] = usual["days"].to_numpy()
    return value[past.product]


def _lots(inbound: Floats, product: Ints) -> Lots:
    moved = np.diff(inbound, axis=1)
    found: list[tuple[int, int, int, float]] = []
    for row in np.flatnonzero(np.abs(moved).sum(axis=1) > 0).tolist():
        waiting: list[list[float]] = []
        for day in np.flatnonzero(moved[row]).tolist():
            change = float(moved[row, day])
            if change > 0:
                waiting.append([day + 1, change])
                continue
            came = -change
            while came > 0 and waiting:
                taken = min(came, waiting[0][1])
                found.append((row, int(waiting[0][0]), day + 1, taken))
                came -= taken
                waiting[0][1] -= taken
                if waiting[0][1] <= 0:
                    waiting.pop(0)
        found += [(row, int(ordered), NEVER, units) for ordered, units in waiting]
    table = np.array(found, dtype=np.float64).reshape(-1, 4)
    item = table[:, 0].astype(np.int64)
    return Lots(
        item=item,
        product=product[item],
        ordered=table[:, 1].astype(np.int64),
        arrived=table[:, 2].astype(np.int64),
        units=table[:, 3],
    )
