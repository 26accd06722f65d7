"""Small demand series for the tests of `models`."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

START = date(2024, 1, 1)
CHEAP = ("seasonal_naive", "weekday_mean", "tsb", "ets")


def series(
    name: str, units: Sequence[float | None], *, start: date = START, **columns: Sequence[float]
) -> pl.DataFrame:
    """One series, a row a day from `start`; None is a day not known."""
    days = [start + timedelta(days=number) for number in range(len(units))]
    frame = pl.DataFrame(
        {"series_id": name, "date": days, "y": pl.Series(units, dtype=pl.Float64, strict=False)}
    )
    return frame.with_columns(pl.Series(key, values, dtype=pl.Float64) for key, values in columns.items())


def weekly(name: str, days: int, *, level: float = 10.0, seed: int = 1, start: date = START) -> pl.DataFrame:
    """Poisson demand with strong weekends."""
    rng = np.random.default_rng(seed)
    week = np.array([0.8, 0.8, 0.8, 0.9, 1.1, 1.5, 1.1])
    mean = level * week[(np.arange(days) + start.weekday()) % 7]
    return series(name, rng.poisson(mean).astype(float).tolist(), start=start)


def shop(count: int = 12, days: int = 240, seed: int = 3) -> pl.DataFrame:
    """A dozen SKUs of different levels, two of them rarely sold."""
    parts = [weekly(f"sku{n:02d}", days, level=(n % 5 + 1) * 4.0, seed=seed + n) for n in range(count - 2)]
    rng = np.random.default_rng(seed)
    for n in range(2):
        units = (rng.random(days) < 0.1) * rng.integers(1, 9, days)
        parts.append(series(f"rare{n}", units.astype(float).tolist()))
    return pl.concat(parts)


def awkward() -> pl.DataFrame:
    """Every shape that has broken a forecaster: all zero, one row, constant, three days, gaps, 10⁹ in one day."""
    rng = np.random.default_rng(5)
    noise = [float(value) for value in rng.integers(0, 10, 200)]
    gapped = series("gapped", noise).filter(
        ~pl.col("date").is_between(START + timedelta(60), START + timedelta(99))
    )
    return pl.concat([
        series("zero", [0.0] * 200),
        series("one", [5.0]),
        series("constant", [3.0] * 200),
        series("three", [1.0, 2.0, 3.0]),
        gapped,
        series("spike", [*noise[:120], 1e9, *noise[120:]]),
        series("last day spike", [*noise[:120], 1e9]),
        series("unknown", [None] * 30),
    ])  # fmt: skip


def broken_rows(forecast: pl.DataFrame) -> pl.DataFrame:
    """Rows that break the contract: negative, not finite, or bounds that cross."""
    numbers = ["yhat", "lo80", "hi80", "lo95", "hi95"]
    fine = pl.all_horizontal(pl.col(name).is_finite() for name in numbers) & (pl.col("lo95") >= 0)
    rising = (
        (pl.col("lo95") <= pl.col("lo80"))
        & (pl.col("lo80") <= pl.col("yhat"))
        & (pl.col("yhat") <= pl.col("hi80"))
        & (pl.col("hi80") <= pl.col("hi95"))
    )
    return forecast.filter(~(fine & rising).fill_null(False))
