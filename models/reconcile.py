"""Totals that add up: a category, a channel or everything *is* the sum of the stored SKU forecasts.

Bottom-up, so coherence is exact. The interval of a total is not the sum of bounds (far too wide): its width
comes from summing errors that are partly shared, with the correlation measured on a backtest where there is one.
"""

from collections.abc import Sequence

import polars as pl

from models.base import BOUNDS

TYPICAL_CORRELATION = 0.05


def totals(
    forecast: pl.DataFrame,
    labels: pl.DataFrame,
    level: Sequence[str],
    *,
    correlation: float = TYPICAL_CORRELATION,
) -> pl.DataFrame:
    """One row per group of `level` columns (none: the grand total), date and model, in the forecast's columns.

    `labels`: series_id and the level's columns. `yhat` is the exact sum. Half-widths h of the series combine to
    √((1-ρ)·Σh² + ρ·(Σh)²): independent errors at ρ = 0, the sum of bounds at ρ = 1.
    """
    joined = forecast.join(
        labels.select("series_id", *level), on="series_id", how="left", maintain_order="left"
    )
    keys = [*level, "date", "model"]
    wide = []
    for bound in BOUNDS:
        half = (pl.col(bound) - pl.col("yhat")).abs()
        wide.append(
            ((1 - correlation) * (half**2).sum() + correlation * half.sum() ** 2).sqrt().alias(f"_{bound}")
        )
    summed = joined.group_by(keys, maintain_order=True).agg(pl.col("yhat").sum(), *wide)
    return summed.select(
        *keys,
        "yhat",
        lo80=pl.max_horizontal(pl.lit(0.0), pl.col("yhat") - pl.col("_lo80")),
        hi80=pl.col("yhat") + pl.col("_hi80"),
        lo95=pl.max_horizontal(pl.lit(0.0), pl.col("yhat") - pl.max_horizontal("_lo95", "_lo80")),
        hi95=pl.col("yhat") + pl.max_horizontal("_hi95", "_hi80"),
    )


def error_correlation(backtest: pl.DataFrame, labels: pl.DataFrame, level: Sequence[str]) -> float:
    """ρ of `totals` that makes past totals' errors as large as they were; 0 to 1, the typical one without data."""
    rows = backtest.filter(pl.col("y").is_not_null()).join(
        labels.select("series_id", *level), on="series_id", how="left"
    )
    if rows.is_empty():
        return TYPICAL_CORRELATION
    error = pl.col("y") - pl.col("yhat")
    days = rows.group_by([*level, "date"]).agg(
        together=error.sum() ** 2, apart=(error**2).sum(), most=error.abs().sum() ** 2
    )
    together, apart, most = days.select(pl.col("together", "apart", "most").sum()).row(0)
    if most - apart <= 0:
        return TYPICAL_CORRELATION
    return float(min(max((together - apart) / (most - apart), 0.0), 1.0))
