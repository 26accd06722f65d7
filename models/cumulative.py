"""How much will be sold over the next L days, as a distribution: what a reorder point needs.

Errors of neighbouring days hang together, so √L times a daily error is too small and the sum of daily bounds
far too large. The error of the *sum* is measured at past origins, scaled, pooled by demand class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from models.base import Floats, Ints
from models.champion import CLASSES, Past
from models.intervals import _rows, conformal_quantile
from models.panel import Panel

CHANCES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.80, 0.90, 0.95, 0.975, 0.99)
LEADS = (1, 2, 3, 5, 7, 10, 14, 21, 28, 30, 45, 60, 90)
NORMAL = (-1.645, -1.282, -0.674, 0.0, 0.674, 0.842, 1.282, 1.645, 1.96, 2.326)


def column(chance: float) -> str:
    """The column of a quantile: 0.95 → `q950`."""
    return f"q{round(chance * 1000):03d}"


@dataclass
class CumulativeCalibration:
    """By (class, lead) the quantiles of the scaled error of the sum, one per CHANCES."""

    tables: dict[tuple[int, int], tuple[float, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, list[float]]:
        """Keys as text, for the registry."""
        return {f"{group},{lead}": list(values) for (group, lead), values in self.tables.items()}

    @staticmethod
    def from_json(stored: Mapping[str, Sequence[float]]) -> "CumulativeCalibration":
        """What `to_json` gave."""
        return CumulativeCalibration({
            (int(key.split(",")[0]), int(key.split(",")[1])): tuple(values) for key, values in stored.items()
        })  # fmt: skip


def leads_within(horizon: int) -> list[int]:
    """The lead times that a horizon answers, the horizon itself among them."""
    return sorted({lead for lead in LEADS if lead < horizon} | {horizon})


def sum_unit(spread: Floats, level: Floats, total: Floats, lead: int) -> Floats:
    """The size of a usual error of a sum over `lead` days, per series."""
    usual = level * lead + 1e-6
    value: Floats = np.maximum(spread * np.sqrt(lead), 0.02 * level * lead + 1e-3) * np.clip(
        np.sqrt((total + 0.1 * usual) / (1.1 * usual)), 0.4, 3.0
    )
    return value


def calibrate_sums(pasts: Sequence[Past], said: Sequence[Floats]) -> CumulativeCalibration:
    """Learn from past origins; a series with unknown days in the window does not count there."""
    result = CumulativeCalibration()
    if not pasts:
        return result
    group = np.concatenate([past.group for past in pasts])
    for lead in leads_within(pasts[0].y.shape[1]):
        scaled = np.concatenate([_scaled(past, yhat, lead) for past, yhat in zip(pasts, said, strict=True)])
        for one in range(len(CLASSES)):
            errors = scaled[_rows(group, one)]
            errors = errors[np.isfinite(errors)]
            if len(errors) >= 20:
                result.tables[(one, lead)] = tuple(conformal_quantile(errors, chance) for chance in CHANCES)
    return result


def _scaled(past: Past, yhat: Floats, lead: int) -> Floats:
    y = past.y[:, :lead]
    gaps = (np.isnan(y) & ~past.closed[:, :lead]).mean(axis=1)
    total = yhat[:, :lead].sum(axis=1)
    # a few unknown days are taken as forecast: dropping the series would leave only the always-available
    actual = np.where(np.isnan(y), yhat[:, :lead], y).sum(axis=1)
    scaled: Floats = (actual - total) / sum_unit(past.spread, past.level, total, lead)
    scaled[(gaps > 0.3) | past.unsold] = np.nan
    return scaled


def cumulative_frame(
    panel: Panel, calibration: CumulativeCalibration, group: Ints, spread: Floats, level: Floats, yhat: Floats
) -> pl.DataFrame:
    """One row per series and lead: `series_id`, `lead_days`, `mean` and the quantiles q050 … q990, in units.

    Quantiles rise with the chance and with the lead, and are never negative.
    """
    parts = []
    running = np.zeros((panel.size, len(CHANCES)))
    for lead in leads_within(yhat.shape[1]):
        total = yhat[:, :lead].sum(axis=1)
        units = sum_unit(spread, level, total, lead)
        shift = np.array([_shift(calibration, int(one), lead) for one in range(len(CLASSES))])[group]
        values = np.maximum.accumulate(np.maximum(total[:, None] + shift * units[:, None], 0.0), axis=1)
        running = np.maximum(running, values)
        parts.append(
            pl.DataFrame(
                {"series_id": list(panel.ids), "lead_days": np.full(panel.size, lead), "mean": total}
            ).hstack(pl.DataFrame({column(chance): running[:, k].copy() for k, chance in enumerate(CHANCES)}))
        )
    return pl.concat(parts).sort("series_id", "lead_days")


def at_lead(sums: pl.DataFrame, days: int) -> pl.DataFrame:
    """`series_id, mean` and the quantiles of what is sold over `days`, between the leads of `sums` on both sides; what
    lies beyond the last lead goes on at its pace."""
    leads = sorted(sums["lead_days"].unique().to_list())
    names = ["mean", *map(column, CHANCES)]
    nothing = sums.unique("series_id").with_columns(lead_days=pl.lit(0, sums.schema["lead_days"])).with_columns(
        pl.lit(0.0).alias(name) for name in names
    )  # fmt: skip
    after = min((lead for lead in leads if lead >= days), default=leads[-1])
    before = max((lead for lead in [0, *leads] if lead < after), default=0)
    share = (days - before) / (after - before)
    every = pl.concat([nothing, sums], how="diagonal_relaxed")
    low, high = (
        every.filter(pl.col("lead_days") == lead).select("series_id", *names) for lead in (before, after)
    )
    both = low.join(high, on="series_id", suffix="_after")
    return both.select(
        "series_id",
        *(
            (pl.col(name) + share * (pl.col(f"{name}_after") - pl.col(name)))
            .clip(lower_bound=0.0)
            .alias(name)
            for name in names
        ),
    )


def _shift(calibration: CumulativeCalibration, group: int, lead: int) -> tuple[float, ...]:
    learned = sorted(known for one, known in calibration.tables if one == group)
    if not learned:
        return NORMAL
    nearest = min(learned, key=lambda known: (abs(known - lead), known))
    return calibration.tables[(group, nearest)]
