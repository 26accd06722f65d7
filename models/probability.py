"""Probabilities made true and judged: what every classifier here needs after its trees have spoken."""

from typing import Any

import numpy as np

from models.base import Floats

Corners = tuple[tuple[float, ...], tuple[float, ...]]  # (raw, calibrated): points to interpolate between

# LightGBM, the same answer on every machine
TREES: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.04,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def calibration(raw: Floats, truth: Floats) -> Corners:
    """Isotonic regression (Zadrozny & Elkan 2002) of rows the trees have not seen, as corner points."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(raw, truth)
    corners = np.unique(np.quantile(raw, np.linspace(0, 1, 101)))
    # isotonic steps say 0 and 1 too readily: half their weight goes to the trees' own probability
    values = np.maximum.accumulate(0.5 * fitted.predict(corners) + 0.5 * corners)
    return tuple(corners.tolist()), tuple(values.tolist())


def best_line(probability: Floats) -> float:
    """The probability from which saying yes gives the best F1 to expect; 0.5 without any chance.

    From calibrated probabilities alone (Lipton, Elkan & Narayanaswamy 2014): few positives would put it by luck.
    """
    ranked = np.sort(probability)[::-1]
    if not len(ranked) or ranked[0] <= 0:
        return 0.5
    f1 = 2 * np.cumsum(ranked) / (ranked.sum() + np.arange(1, len(ranked) + 1))
    return float(np.clip(ranked[int(np.argmax(f1))], 0.02, 0.98))


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
