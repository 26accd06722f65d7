"""Forecast errors, each one number over arrays or one row per group over a backtest frame.

WAPE Σ|y-ŷ|/Σy · MASE mean |error| over the series' in-sample seasonal-naive error · RMSSE the same with squares ·
bias Σ(ŷ-y)/Σy · pinball and WQL = 2·Σpinball/Σy averaged over quantiles · coverage. Days with unknown y never count.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.base import QUANTILES, Floats


def wape(y: Floats, yhat: Floats) -> float:
    """Sum of absolute errors over the sum of units; NaN when nothing was sold."""
    known = np.isfinite(y)
    sold = float(np.abs(y[known]).sum())
    return float(np.abs(y[known] - yhat[known]).sum()) / sold if sold else float("nan")


def bias(y: Floats, yhat: Floats) -> float:
    """Units forecast too many (positive) or too few over units sold."""
    known = np.isfinite(y)
    sold = float(y[known].sum())
    return float((yhat[known] - y[known]).sum()) / sold if sold else float("nan")


def naive_scale(history: Floats, season: int = 1, power: int = 2) -> Floats:
    """Per series the mean |difference|^power over `season` days of the known history; NaN where there is none."""
    gap = np.abs(history[:, season:] - history[:, :-season]) ** power
    known = np.isfinite(gap).sum(axis=1)
    value: Floats = np.where(known > 0, np.nansum(gap, axis=1) / np.maximum(known, 1), np.nan)
    return np.where(value > 0, value, np.nan)


def rmsse(y: Floats, yhat: Floats, scale: Floats) -> float:
    """Mean over series of √(mean squared error / scale); `scale` from naive_scale(power=2)."""
    error = (y - yhat) ** 2
    days = np.isfinite(error).sum(axis=1)
    mean = np.where(days > 0, np.nansum(error, axis=1) / np.maximum(days, 1), np.nan)
    return _mean(np.sqrt(mean / scale))


def mase(y: Floats, yhat: Floats, scale: Floats) -> float:
    """Mean over series of mean |error| / scale; `scale` from naive_scale(season=7, power=1)."""
    error = np.abs(y - yhat)
    days = np.isfinite(error).sum(axis=1)
    return _mean(np.where(days > 0, np.nansum(error, axis=1) / np.maximum(days, 1), np.nan) / scale)


def pinball(y: Floats, bound: Floats, chance: float) -> Floats:
    """Pinball loss per day."""
    gap = y - bound
    value: Floats = np.maximum(chance * gap, (chance - 1) * gap)
    return value


def wql(y: Floats, bounds: dict[str, Floats]) -> float:
    """Weighted quantile loss of the four bounds: 2·Σpinball/Σy, mean over the bounds."""
    known = np.isfinite(y)
    sold = float(y[known].sum())
    if not sold:
        return float("nan")
    return float(np.mean([
        2 * pinball(y[known], bounds[name][known], chance).sum() / sold for name, chance in QUANTILES.items()
    ]))  # fmt: skip


def coverage(y: Floats, low: Floats, high: Floats) -> float:
    """Share of known days with low ≤ y ≤ high."""
    known = np.isfinite(y)
    return float(((y >= low) & (y <= high))[known].mean()) if known.any() else float("nan")


def score_frame(backtest: pl.DataFrame, by: Sequence[str] = ("model",)) -> pl.DataFrame:
    """One row per group of a backtest frame with columns y, yhat, bounds and, for MASE and RMSSE, the scales.

    Columns: `wape`, `bias`, `mase`, `rmsse`, `wql`, `mape`, `cover80`, `cover95`, `below_hi80`, `below_hi95`,
    `days`, `units` and, beside a seasonal_naive model, `fva` (1 - WAPE over the naive WAPE of the same group).
    `mape` is over days with sales, shown because people ask; it rewards forecasts that are too low.
    """
    known = backtest.filter(pl.col("y").is_not_null() & pl.col("y").is_not_nan())
    error = pl.col("y") - pl.col("yhat")
    sold = pl.col("y").sum()
    losses = [
        pl.max_horizontal(
            chance * (pl.col("y") - pl.col(name)), (chance - 1) * (pl.col("y") - pl.col(name))
        ).sum()
        for name, chance in QUANTILES.items()
    ]
    scores = known.group_by(list(by), maintain_order=True).agg(
        wape=error.abs().sum() / sold,
        bias=-error.sum() / sold,
        wql=2 * sum(losses[1:], start=losses[0]) / len(losses) / sold,
        mape=(error.abs() / pl.col("y")).filter(pl.col("y") > 0).mean(),
        cover80=pl.col("y").is_between("lo80", "hi80").mean(),
        cover95=pl.col("y").is_between("lo95", "hi95").mean(),
        below_hi80=(pl.col("y") <= pl.col("hi80")).mean(),
        below_hi95=(pl.col("y") <= pl.col("hi95")).mean(),
        days=pl.len(),
        units=sold,
    )
    if {"scale_abs", "scale_sq", "series_id", "cutoff"} <= set(known.columns):
        per_series = known.group_by([*by, "series_id", "cutoff"]).agg(
            mase=(error.abs().mean() / pl.col("scale_abs").first()),
            rmsse=((error**2).mean() / pl.col("scale_sq").first()).sqrt(),
        )
        scaled = per_series.group_by(list(by)).agg(
            pl.col("mase", "rmsse").filter(pl.col("mase").is_finite() & pl.col("rmsse").is_finite()).mean()
        )
        scores = scores.join(scaled, on=list(by), how="left")
    if "model" in by:
        rest = [column for column in by if column != "model"]
        naive = scores.filter(pl.col("model") == "seasonal_naive").select(*rest, naive_wape="wape")
        if not naive.is_empty():
            joined = scores.join(naive, on=rest, how="left") if rest else scores.join(naive, how="cross")
            scores = joined.with_columns(fva=1 - pl.col("wape") / pl.col("naive_wape")).drop("naive_wape")
    return scores


def _mean(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
