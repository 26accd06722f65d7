"""Will a SKU on a channel run out within 7, 14 or 30 days? Learned from what stock did before.

Few items run out, so trees alone learn little from a merchant's past: gradient boosted trees (LightGBM) start from the
chance a formula gives (`models.stockout_features`) and learn where it is wrong, each feature in the direction it can
only work. Origins are split by time: trees learn from the oldest, probabilities are calibrated (isotonic regression,
Zadrozny & Elkan 2002) on newer ones, and what is reported comes from the newest. Between two parts lie as many days as
the label looks ahead, so none knows the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.base import Floats, Ints, SeriesError
from models.probability import TREES, Corners, best_line, calibration, score
from models.stock_history import HORIZONS, StockHistory, origins, outcome, selling
from models.stockout_features import FEATURES, features, formula

MOST_ROWS = 300_000
LEAST_POSITIVES = 50
ROUNDS = 30


@dataclass(frozen=True)
class StockoutModel:
    """Trees as text, and per horizon the calibration's corners and the line from which risk is high.

    `scores`: one row per horizon and method, from origins newer than everything learned from.
    """

    trees: str
    corners: Mapping[int, Corners]
    high: Mapping[int, float]
    scores: tuple[Mapping[str, Any], ...]


def train(
    past: StockHistory, implied: Mapping[tuple[int, int], Floats] | None = None, *, seed: int = 7
) -> StockoutModel:
    """Fit on the history's own origins; SeriesError when stock was observed too briefly or never ran out.

    `implied`: by (day, horizon) what the forecast of that day gave every item (NaN: none); scored beside the model
    on the test origins that have one.
    """
    import lightgbm

    learn, tune, test = split(origins(past))
    if not test:
        raise SeriesError(
            f"{past.units.shape[1]} days of stock are too few to learn and to check on later ones; "
            "about five months are needed"
        )
    x, y, _ = _rows(past, learn, seed)
    if min(y.sum(), len(y) - y.sum()) < LEAST_POSITIVES:
        raise SeriesError(f"{int(y.sum())} stock-outs in {len(y)} past weeks: nothing to learn from")
    rows = lightgbm.Dataset(x, y, init_score=_log_odds(formula(x)))
    booster = lightgbm.train(_SETTINGS | {"seed": seed}, rows, num_boost_round=ROUNDS)
    corners, high = {}, {}
    x, y, horizon = _rows(past, tune, seed)
    raw = _raw(booster, x)
    for ahead in HORIZONS:
        of = horizon == ahead
        corners[ahead] = calibration(raw[of], y[of])
        high[ahead] = best_line(np.interp(raw[of], *corners[ahead]))
    model = StockoutModel(booster.model_to_string(), corners, high, ())
    return StockoutModel(model.trees, corners, high, tuple(_judge(model, past, test, implied or {})))


# Few positives: small trees, much shrinking.
_SETTINGS: dict[str, Any] = TREES | {
    "num_leaves": 7,
    "min_data_in_leaf": 200,
    "lambda_l2": 20.0,
    "monotone_constraints": list(FEATURES.values()),
}


def predict(model: StockoutModel, past: StockHistory, day: int | None = None) -> dict[int, Floats]:
    """By horizon the probability of each item; a longer horizon is never less likely."""
    import lightgbm

    day = past.units.shape[1] - 1 if day is None else day
    booster = lightgbm.Booster(model_str=model.trees)
    found: dict[int, Floats] = {}
    least: Floats = np.zeros(len(past.ids))
    for horizon in HORIZONS:
        raw = _raw(booster, features(past, day, horizon))
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


def test_days(past: StockHistory) -> list[int]:
    """The newest origins, on which methods are compared; none while the past is too short."""
    return split(origins(past))[2]


def level(probability: Floats, high: float) -> list[str]:
    """high from the line of best F1, medium from half of it, else low."""
    names = np.where(probability >= high, "high", np.where(probability >= high / 2, "medium", "low"))
    return [str(name) for name in names]


def better(model: StockoutModel, horizon: int) -> str:
    """`learned` or `forecast`: whose average precision was higher on the same newest rows; learned without rival."""
    for row in model.scores:
        if row["horizon_days"] == horizon and row["method"] == "forecast":
            return "forecast" if row["average_precision"] > row["average_precision_learned"] else "learned"
    return "learned"


def _judge(
    model: StockoutModel, past: StockHistory, days: Sequence[int], implied: Mapping[tuple[int, int], Floats]
) -> list[dict[str, Any]]:
    """Scores of the trees and of two plain rules on all rows, and of the forecast on the rows it was asked for."""
    said = {day: predict(model, past, day) for day in days}
    nothing = np.full(len(past.ids), np.nan)
    rows: list[dict[str, Any]] = []
    for horizon in HORIZONS:
        seen = [features(past, day, horizon) for day in days]
        truth = np.concatenate([outcome(past, day, horizon) for day in days])
        fine = np.concatenate([selling(past, day) for day in days]) & ~np.isnan(truth)
        truth = truth[fine]
        learned = np.concatenate([said[day][horizon] for day in days])[fine]
        foreseen = np.concatenate([implied.get((day, horizon), nothing) for day in days])[fine]
        plain = np.concatenate([formula(one) for one in seen])[fine]
        cover = np.concatenate(seen)[fine, list(FEATURES).index("cover_28")]
        methods = {
            "learned": (learned, model.high[horizon]),
            "formula": (plain, best_line(plain)),
            "days of cover": (horizon / (horizon + cover), 0.5),  # one half: it lasts as long as the horizon
        }
        for method, (chance, line) in methods.items():
            rows.append({"horizon_days": horizon, "method": method} | score(truth, chance, line))
        asked = ~np.isnan(foreseen)
        if 0 < truth[asked].sum() < asked.sum():
            scored = score(truth[asked], foreseen[asked], best_line(foreseen[asked]))
            rival = score(truth[asked], learned[asked], model.high[horizon])["average_precision"]
            told = {"horizon_days": horizon, "method": "forecast"} | scored
            rows.append(told | {"average_precision_learned": rival})
    return rows


def _rows(past: StockHistory, days: Sequence[int], seed: int) -> tuple[Floats, Floats, Ints]:
    """(features, outcome, horizon) of all items at the origins, thinned to MOST_ROWS."""
    share = min(1.0, MOST_ROWS / max(len(days) * len(past.ids) * len(HORIZONS), 1))
    rng = np.random.default_rng(seed)
    x, y, ahead = [], [], []
    for day in days:
        for horizon in HORIZONS:
            truth = outcome(past, day, horizon)
            rows = ~np.isnan(truth) & selling(past, day)
            if share < 1:
                rows &= rng.random(len(truth)) < share
            x.append(features(past, day, horizon)[rows])
            y.append(truth[rows])
            ahead.append(np.full(int(rows.sum()), horizon))
    return np.concatenate(x), np.concatenate(y), np.concatenate(ahead)


def _raw(booster: Any, x: Floats) -> Floats:
    """The trees' probability: what they add to the formula's log odds."""
    added = np.asarray(booster.predict(x, raw_score=True, num_threads=1), dtype=np.float64)
    value: Floats = 1 / (1 + np.exp(-(added + _log_odds(formula(x)))))
    return value


def _log_odds(chance: Floats) -> Floats:
    bounded = np.clip(chance, 1e-4, 1 - 1e-4)
    value: Floats = np.log(bounded / (1 - bounded))
    return value
