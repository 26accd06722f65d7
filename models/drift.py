"""Whether forecasts have become worse than they were measured to be: yesterday's truth against the backtest.

Errors of one day hang together over all series, so days are the sample: a measure has drifted when it is clearly
beyond what the backtest promised, judged by how much it differs from day to day (jackknife over the window's days).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from models.base import Floats

MEASURES = ("wape", "bias", "cover80")
WINDOW_DAYS = 14  # two whole weeks: no weekday counts more than another
LEAST_DAYS = 7
DOUBT = 2.0  # standard errors
WORSE = 1.15  # times the promised WAPE before it matters
OFF = 0.10  # of the units, beyond the promised bias
OUTSIDE = 0.08  # share of days outside the 80 % bounds beyond the promised one


@dataclass(frozen=True)
class Drift:
    """A measure that is not what it was: `found` over the window against `promised`, give or take `error`."""

    measure: str  # of MEASURES
    found: float
    promised: float
    error: float
    since: date


def drifts(daily: pl.DataFrame, promised: Mapping[str, float], *, today: date) -> list[Drift]:
    """What has drifted in the WINDOW_DAYS before `today`; empty while there are too few days to tell.

    `daily`, one row per day: `date`, `units` sold, `absolute` and `signed` errors, `inside` (forecasts within their
    80 % bounds), `days` (forecasts); days out of stock left out, since sales are not demand. `promised`: `wape`,
    `bias` and `cover80` as a backtest measured them.
    """
    since = today - timedelta(days=WINDOW_DAYS)
    window = daily.filter(pl.col("date").is_between(since, today, closed="left"))
    if window.height < LEAST_DAYS or not window["units"].sum():
        return []
    column = {name: window[name].to_numpy() for name in ("units", "absolute", "signed", "inside", "days")}
    measured = {
        "wape": _ratio(column["absolute"], column["units"]),
        "bias": _ratio(column["signed"], column["units"]),
        "cover80": _ratio(column["inside"], column["days"]),
    }
    beyond = {
        "wape": lambda found, error, was: found - DOUBT * error > WORSE * was,
        "bias": lambda found, error, was: abs(found - was) - DOUBT * error > OFF,
        "cover80": lambda found, error, was: was - found - DOUBT * error > OUTSIDE,
    }
    return [
        Drift(name, found, promised[name], error, since)
        for name, (found, error) in measured.items()
        if name in promised and beyond[name](found, error, promised[name])
    ]


def _ratio(above: Floats, below: Floats) -> tuple[float, float]:
    """Σ above / Σ below and its jackknife standard error, leaving out one day at a time."""
    total, base, count = float(above.sum()), float(below.sum()), len(above)
    without = (total - above) / np.maximum(base - below, 1e-9)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    return total / base, float(error)
