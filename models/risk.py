"""How likely an item runs out before what is ordered today can arrive: learned, or from first principles.

Without training the probability is that of demand over the lead time exceeding what is there and coming, demand
being gamma-distributed around forecast and recent sales. With labelled rows, gradient boosting over cover, trend
and the raw numbers, calibrated on rows its trees have not seen.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models.base import Floats, SeriesError

REQUIRED = (
    "item_id",
    "on_hand",
    "inbound",
    "lead_time_days",
    "sales_30d",
    "sales_90d",
    "forecast_30d",
    "forecast_90d",
)
LABEL = "stockout"
HIGH, MEDIUM = 0.5, 0.2
FOLDS = 5
FORMAT = 1
YES = ("1", "true", "yes", "y", "t")
NO = ("0", "false", "no", "n", "f")


@dataclass(frozen=True)
class RiskModel:
    """Boosters (one per fold, averaged), the calibration's corner points and the lines between the levels."""

    columns: tuple[str, ...]
    boosters: tuple[str, ...]
    raw: tuple[float, ...]
    calibrated: tuple[float, ...]
    high: float
    medium: float
    scores: dict[str, float]

    def save(self, path: Path) -> None:
        """Write as JSON; nothing in it is code."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps({"format": FORMAT, **self.__dict__}))
        partial.replace(path)

    @staticmethod
    def load(path: Path) -> "RiskModel":
        """What `save` wrote; SeriesError when it is something else."""
        try:
            stored: dict[str, Any] = json.loads(path.read_text())
            if stored.pop("format") != FORMAT:
                raise SeriesError(f"{path}: written by another version; train again")
            return RiskModel(
                columns=tuple(stored["columns"]),
                boosters=tuple(stored["boosters"]),
                raw=tuple(stored["raw"]),
                calibrated=tuple(stored["calibrated"]),
                high=float(stored["high"]),
                medium=float(stored["medium"]),
                scores=dict(stored["scores"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SeriesError(f"{path}: is no risk model ({type(error).__name__})") from error


def score(items: pl.DataFrame, model: RiskModel | None = None) -> pl.DataFrame:
    """One row per item, in the order given: `item_id`, `probability` (0 to 1), `risk` (high, medium, low)."""
    frame = _checked(items)
    if model is None:
        probability, high, medium = first_principles(frame), HIGH, MEDIUM
    else:
        probability, high, medium = _ask(model, frame), model.high, model.medium
    risk = np.where(probability >= high, "high", np.where(probability >= medium, "medium", "low"))
    return pl.DataFrame({"item_id": items["item_id"], "probability": probability, "risk": risk.tolist()})


def first_principles(frame: pl.DataFrame) -> Floats:
    """P(demand over the lead time > on hand + inbound), demand gamma with a spread learned from nothing but size.

    The daily rate is forecast 60 %, last 30 days 25 %, last 90 days 15 %; its own uncertainty widens the gamma.
    """
    from scipy import stats

    column = {name: frame[name].fill_null(0.0).to_numpy() for name in REQUIRED[1:]}
    lead = np.maximum(
        frame["lead_time_days"].fill_null(frame["lead_time_days"].median() or 14.0).to_numpy(), 1.0
    )
    forecast = np.where(lead <= 30, column["forecast_30d"] / 30, column["forecast_90d"] / 90)
    rate = 0.6 * forecast + 0.25 * column["sales_30d"] / 30 + 0.15 * column["sales_90d"] / 90
    mean = np.maximum(rate, 0) * lead
    there = column["on_hand"] + np.maximum(column["inbound"], 0)
    variance = 1.5 * mean + (0.35 * mean) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        shape, scale = mean**2 / variance, variance / mean
        chance = stats.gamma.sf(np.maximum(there, 0), shape, scale=scale)
    chance = np.where(mean <= 0, 0.0, np.where(there <= 0, 1.0, chance))
    owed = (column["on_hand"] < 0) & (there <= 0)
    probability: Floats = np.clip(np.nan_to_num(np.where(owed, 1.0, chance)), 0.0, 1.0)
    return probability


def train(labelled: pl.DataFrame, *, seed: int = 7) -> RiskModel:
    """Fit on rows with a `stockout` column of 0/1, at least 20 of each; further numeric and yes/no columns are used.

    Each row's calibrating probability comes from trees that did not see it. `scores` (precision, recall, f1, auc,
    average_precision, brier, base_rate, f1_first_principles) are out of fold too.
    """
    import lightgbm
    from sklearn.isotonic import IsotonicRegression

    if LABEL not in labelled.columns:
        raise SeriesError(f"column '{LABEL}' is missing; found {labelled.columns}")
    truth = _flag(labelled[LABEL])
    if np.isnan(truth).any():
        raise SeriesError(f"row {int(np.flatnonzero(np.isnan(truth))[0]) + 1}: {LABEL} is not 0 or 1")
    if min(truth.sum(), (1 - truth).sum()) < 20:
        raise SeriesError(
            f"{int(truth.sum())} stock-outs among {len(truth)} rows: at least 20 of each kind are needed"
        )
    frame = _checked(labelled)
    columns = _feature_columns(labelled)
    x = _features(frame, labelled, columns)
    rng = np.random.default_rng(seed)
    fold = np.empty(len(truth), dtype=np.int64)
    for kind in (0, 1):
        rows = rng.permutation(np.flatnonzero(truth == kind))
        fold[rows] = np.arange(len(rows)) % FOLDS
    settings = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 20,
        "lambda_l2": 5.0,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    held_out, boosters = np.empty(len(truth)), []
    for number in range(FOLDS):
        learn = fold != number
        booster: Any = lightgbm.train(settings, lightgbm.Dataset(x[learn], truth[learn]), num_boost_round=150)
        held_out[~learn] = booster.predict(x[~learn], num_threads=1)
        boosters.append(booster.model_to_string())
    calibration = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(held_out, truth)
    # isotonic steps say 0 and 1 too readily: half their weight goes to the trees' own probability
    corners = np.unique(np.quantile(held_out, np.linspace(0, 1, 101)))
    calibrated = np.maximum.accumulate(0.5 * calibration.predict(corners) + 0.5 * corners)
    probability = np.interp(held_out, corners, calibrated)
    high = _best_line(truth, probability)
    return RiskModel(
        columns=tuple(columns),
        boosters=tuple(boosters),
        raw=tuple(corners.tolist()),
        calibrated=tuple(calibrated.tolist()),
        high=high,
        medium=high / 2,
        scores=_scores(truth, probability, high, first_principles(frame)),
    )


def _scores(truth: Floats, probability: Floats, line: float, simple: Floats) -> dict[str, float]:
    from sklearn import metrics

    said = probability >= line
    return {
        "precision": float(metrics.precision_score(truth, said, zero_division=0)),
        "recall": float(metrics.recall_score(truth, said)),
        "f1": float(metrics.f1_score(truth, said)),
        "auc": float(metrics.roc_auc_score(truth, probability)),
        "average_precision": float(metrics.average_precision_score(truth, probability)),
        "brier": float(metrics.brier_score_loss(truth, probability)),
        "base_rate": float(truth.mean()),
        "f1_first_principles": float(metrics.f1_score(truth, simple >= _best_line(truth, simple))),
        "auc_first_principles": float(metrics.roc_auc_score(truth, simple)),
    }


def _best_line(truth: Floats, probability: Floats) -> float:
    """The probability from which calling a row a stock-out gives the best F1."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, lines = precision_recall_curve(truth, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(np.clip(lines[int(np.argmax(f1[:-1]))], 0.02, 0.98))


def _ask(model: RiskModel, frame: pl.DataFrame) -> Floats:
    import lightgbm

    missing = [name for name in model.columns if name not in frame.columns]
    filled = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in missing)
    x = _features(filled, filled, model.columns)
    raw = np.mean(
        [lightgbm.Booster(model_str=text).predict(x, num_threads=1) for text in model.boosters], axis=0
    )
    probability: Floats = np.interp(np.asarray(raw, dtype=np.float64), model.raw, model.calibrated)
    return probability


def _checked(items: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in REQUIRED if name not in items.columns]
    if missing:
        raise SeriesError(f"columns {missing} are missing; found {items.columns}")
    if items.is_empty():
        raise SeriesError("there are no rows")
    if items["item_id"].null_count():
        raise SeriesError(f"row {int(items['item_id'].is_null().arg_true()[0]) + 1}: item_id is empty")
    numbers = {}
    for name in REQUIRED[1:]:
        number = items[name].cast(pl.Float64, strict=False).fill_nan(None)
        text = items[name].cast(pl.String).str.strip_chars()
        bad = items.filter(number.is_null() & text.is_not_null() & ~text.is_in(["", "NaN", "nan"]))
        if not bad.is_empty():
            row = bad.row(0, named=True)
            raise SeriesError(f"item '{row['item_id']}': {name} is {row[name]!r}, which is no number")
        numbers[name] = number
    return items.with_columns(**numbers)


def _feature_columns(items: pl.DataFrame) -> list[str]:
    """Further columns worth reading: numbers and yes/no, never an id or the answer."""
    found = []
    for name in items.columns:
        if name in (*REQUIRED, LABEL) or name.endswith("_id"):
            continue
        if items.schema[name].is_numeric() or not np.isnan(_flag(items[name])).all():
            found.append(name)
    return found


def _features(frame: pl.DataFrame, source: pl.DataFrame, extra: Sequence[str]) -> Floats:
    c = {name: frame[name].to_numpy().astype(np.float64) for name in REQUIRED[1:]}
    rate = 0.5 * c["forecast_30d"] / 30 + 0.3 * c["sales_30d"] / 30 + 0.2 * c["sales_90d"] / 90
    there = c["on_hand"] + c["inbound"]
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = [
            *c.values(),
            c["on_hand"] / (rate + 0.01),
            there / (rate + 0.01),
            there - rate * c["lead_time_days"],
            c["on_hand"] - c["forecast_30d"],
            c["on_hand"] - c["forecast_90d"],
            there - c["forecast_90d"],
            (c["on_hand"] + 1) / (c["sales_30d"] + 1),
            (c["forecast_30d"] + 1) / (c["sales_30d"] + 1),
            (c["sales_30d"] * 3 + 1) / (c["sales_90d"] + 1),
            first_principles(frame),
        ]
    columns += [_number_or_flag(source[name]) for name in extra]
    return np.column_stack(columns)


def _number_or_flag(column: pl.Series) -> Floats:
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).to_numpy()
    return _flag(column)


def _flag(column: pl.Series) -> Floats:
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase().str.strip_suffix(".0")
    value = pl.select(pl.when(text.is_in(YES)).then(1.0).when(text.is_in(NO)).then(0.0)).to_series()
    return value.cast(pl.Float64).fill_null(float("nan")).to_numpy()
