from datetime import date, timedelta

import numpy as np
import polars as pl

from models.drift import drifts

TODAY = date(2026, 5, 1)
PROMISED = {"wape": 0.30, "bias": 0.0, "cover80": 0.80}


def accuracy(days: int = 14, factor: float = 1.0, width: float = 1.29) -> pl.DataFrame:
    """`factor`: forecast over what was to be expected; noise gives a WAPE near 0.30 and 80 % within the bounds."""
    rng = np.random.default_rng(1)
    rows = []
    for back in range(1, days + 1):
        units = np.maximum(20 * (1 + rng.normal(0, 0.37, 60)), 0)
        error = 20.0 * factor - units
        rows.append({
            "date": TODAY - timedelta(days=back),
            "units": units.sum(),
            "absolute": np.abs(error).sum(),
            "signed": error.sum(),
            "inside": float((np.abs(error) <= width * 0.37 * 20).sum()),
            "days": 60.0,
        })  # fmt: skip
    return pl.DataFrame(rows)


def found(frame: pl.DataFrame) -> list[str]:
    return [drift.measure for drift in drifts(frame, PROMISED, today=TODAY)]


def test_forecasts_as_good_as_promised_have_not_drifted():
    assert found(accuracy()) == []


def test_forecasts_that_are_too_high_have_drifted_in_bias_and_error():
    assert found(accuracy(factor=1.5)) == ["wape", "bias", "cover80"]


def test_bounds_that_no_longer_hold_are_told():
    assert found(accuracy(width=0.7)) == ["cover80"]


def test_a_bad_day_is_no_drift():
    good, bad = accuracy(), accuracy(factor=1.8)
    last = TODAY - timedelta(days=1)

    assert found(pl.concat([good.filter(pl.col("date") < last), bad.filter(pl.col("date") == last)])) == []


def test_too_few_days_say_nothing():
    assert found(accuracy(days=5, factor=2.0)) == []
