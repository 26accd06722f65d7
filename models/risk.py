"""How likely an item runs out before what is ordered at the next review can arrive: learned, or by formula.

Without training the probability is that of demand over lead time and review exceeding what is there and coming,
demand being negative binomial around forecast and recent sales (a Poisson whose rate is itself uncertain: Silver,
Pyke & Thomas, ch. 7). With labelled rows, gradient boosting over cover, trend and the raw numbers, calibrated on
rows its trees have not seen. Rows picked so that stock-outs are more frequent than in life are corrected for by
`base_rate` (Elkan 2001, The Foundations of Cost-Sensitive Learning, theorem 2).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models.base import Floats, SeriesError
from models.files import BLANK
from models.probability import TREES, calibration

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
LEAST_OF_EACH = 20
# The formula's constants: one set for every shop, chosen once on public data and left alone.
MOST_UNITS = 1e12
REVIEW_DAYS = 7.0  # until somebody orders
WEIGHTS = {"forecast": 0.4, "sales_30d": 0.3, "sales_90d": 0.3}
RATE_ERROR = 0.6  # standard deviation of the true rate around ours, as a share of it
LUMPINESS = 0.5  # variance above a Poisson's, per unit: orders of more than one unit
UNSEEN_UNITS = 0.05  # sold in 90 days by an item that sold nothing: small, not impossible
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
    return pl.DataFrame({"item_id": frame["item_id"], "probability": probability, "risk": risk.tolist()})


def first_principles(frame: pl.DataFrame) -> Floats:
    """P(demand over lead time and review > on hand + inbound). Unknown stock counts as none, an unknown lead time
    as the median of the others (14 days when none is known); stock owed to buyers is certain to be short."""
    from scipy import stats

    column = {name: frame[name].fill_null(0.0).to_numpy() for name in REQUIRED[1:]}
    usual = frame["lead_time_days"].median()
    lead = frame["lead_time_days"].fill_null(usual if isinstance(usual, float) else 14.0).to_numpy()
    forecast = np.where(lead <= 30, column["forecast_30d"] / 30, column["forecast_90d"] / 90)
    rate = (
        WEIGHTS["forecast"] * forecast
        + WEIGHTS["sales_30d"] * column["sales_30d"] / 30
        + WEIGHTS["sales_90d"] * column["sales_90d"] / 90
    )
    mean = (np.maximum(rate, 0.0) + UNSEEN_UNITS / 90) * (np.maximum(lead, 0.0) + REVIEW_DAYS)
    mean = np.minimum(mean, MOST_UNITS)  # beyond it squares are no numbers any more
    there = column["on_hand"] + np.maximum(column["inbound"], 0.0)
    excess = LUMPINESS * mean + (RATE_ERROR * mean) ** 2
    chance = stats.nbinom.sf(np.floor(np.maximum(there, 0.0)), mean**2 / excess, mean / (mean + excess))
    probability: Floats = np.where(there < 0, 1.0, np.clip(chance, 0.0, 1.0))
    return probability


def train(labelled: pl.DataFrame, *, base_rate: float | None = None, seed: int = 7) -> RiskModel:
    """Fit on rows with a `stockout` column of 0/1, at least 20 of each; further numeric and yes/no columns are used.

    Each row's calibrating probability comes from trees that did not see it. `scores` (precision, recall, f1, auc,
    average_precision, brier, base_rate, and the formula's f1 and auc) are out of fold too. `base_rate`: the share
    of stock-outs in life where the rows hold more; probabilities, levels and scores are then those of life.
    """
    import lightgbm

    if LABEL not in labelled.columns:
        raise SeriesError(f"column '{LABEL}' is missing; found {labelled.columns}")
    truth = _flag(labelled[LABEL])
    if np.isnan(truth).any():
        raise SeriesError(f"row {int(np.flatnonzero(np.isnan(truth))[0]) + 1}: {LABEL} is not 0 or 1")
    if min(truth.sum(), (1 - truth).sum()) < LEAST_OF_EACH:
        raise SeriesError(
            f"{int(truth.sum())} stock-outs among {len(truth)} rows: at least {LEAST_OF_EACH} of each kind are needed"
        )
    if base_rate is not None and not 0 < base_rate < 1:
        raise SeriesError(f"base rate must lie between 0 and 1, not {base_rate}")
    frame = _checked(labelled)
    columns = _feature_columns(labelled)
    x = _features(frame, labelled, columns)
    odds = _odds(base_rate) / _odds(float(truth.mean())) if base_rate is not None else 1.0
    weight = np.where(truth == 1, odds, 1.0)
    rng = np.random.default_rng(seed)
    fold = np.empty(len(truth), dtype=np.int64)
    for kind in (0, 1):
        rows = rng.permutation(np.flatnonzero(truth == kind))
        fold[rows] = np.arange(len(rows)) % FOLDS
    settings = TREES | {
        "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 20, "lambda_l2": 5.0, "seed": seed,
    }  # fmt: skip
    held_out, boosters = np.empty(len(truth)), []
    for number in range(FOLDS):
        learn = fold != number
        booster: Any = lightgbm.train(settings, lightgbm.Dataset(x[learn], truth[learn]), num_boost_round=150)
        held_out[~learn] = booster.predict(x[~learn], num_threads=1)
        boosters.append(booster.model_to_string())
    corners, sampled = (np.array(points) for points in calibration(held_out, truth))
    calibrated = odds * sampled / (odds * sampled + 1 - sampled)
    probability = np.interp(held_out, corners, calibrated)
    high = _best_line(truth, probability, weight)
    return RiskModel(
        columns=tuple(columns),
        boosters=tuple(boosters),
        raw=tuple(corners.tolist()),
        calibrated=tuple(calibrated.tolist()),
        high=high,
        medium=high / 2,
        scores=_scores(truth, probability, high, first_principles(frame), weight),
    )


def _odds(rate: float) -> float:
    return rate / (1 - rate)


def _scores(
    truth: Floats, probability: Floats, line: float, simple: Floats, weight: Floats
) -> dict[str, float]:
    from sklearn import metrics

    said, simply = probability >= line, simple >= _best_line(truth, simple, weight)
    weighed: dict[str, Any] = {"sample_weight": weight}
    return {
        "precision": float(metrics.precision_score(truth, said, zero_division=0, **weighed)),
        "recall": float(metrics.recall_score(truth, said, **weighed)),
        "f1": float(metrics.f1_score(truth, said, **weighed)),
        "auc": float(metrics.roc_auc_score(truth, probability)),
        "average_precision": float(metrics.average_precision_score(truth, probability, **weighed)),
        "brier": float(metrics.brier_score_loss(truth, probability, **weighed)),
        "base_rate": float(np.average(truth, weights=weight)),
        "f1_first_principles": float(metrics.f1_score(truth, simply, **weighed)),
        "auc_first_principles": float(metrics.roc_auc_score(truth, simple)),
    }


def _best_line(truth: Floats, probability: Floats, weight: Floats) -> float:
    """The probability from which calling a row a stock-out gives the best F1."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, lines = precision_recall_curve(truth, probability, sample_weight=weight)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(np.clip(lines[int(np.argmax(f1[:-1]))], 0.001, 0.98))


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


def sound(items: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """(rows that can be scored, a line on each that cannot: no id, or something that is no finite number).

    SeriesError where a column is missing or no row is left.
    """
    missing = [name for name in REQUIRED if name not in items.columns]
    if missing:
        raise SeriesError(f"columns {missing} are missing; found {items.columns}")
    if items.is_empty():
        raise SeriesError("there are no rows")
    found = pl.lit(None, pl.String)
    numbers = {name: _number(items[name]) for name in REQUIRED[1:]}
    for name, number in numbers.items():
        text = items[name].cast(pl.String).str.strip_chars()
        wrong = (number.is_null() & ~text.str.to_lowercase().is_in(BLANK)) | number.is_infinite()
        says = pl.format("{} is '{}', which is no finite number", pl.lit(name), text)
        found = pl.coalesce(found, pl.when(wrong).then(says))
    rows = items.with_columns(**numbers).with_row_index("_row", offset=1)
    rows = rows.with_columns(
        _fault=pl.when(pl.col("item_id").cast(pl.String).str.strip_chars().fill_null("") == "")
        .then(pl.lit("item_id is empty"))
        .otherwise(found)
    )
    told = [
        f"row {number}, item {item!r}: {fault}"
        for number, item, fault in rows.drop_nulls("_fault").select("_row", "item_id", "_fault").iter_rows()
    ]
    left = rows.filter(pl.col("_fault").is_null()).drop("_row", "_fault")
    if left.is_empty():
        raise SeriesError(told[0])
    return left, told


def _checked(items: pl.DataFrame) -> pl.DataFrame:
    left, told = sound(items)
    if told:
        raise SeriesError(told[0])
    return left


def _number(column: pl.Series) -> pl.Series:
    text = column.str.strip_chars() if column.dtype == pl.String else column
    return text.cast(pl.Float64, strict=False).fill_nan(None)


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
