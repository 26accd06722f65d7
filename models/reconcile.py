"""Totals that add up: a category, a channel or everything *is* the sum of the stored SKU forecasts.

Bottom-up, so coherence is exact. The bounds of a total are not sums of bounds (far too wide): errors of series are
partly shared. How far, and the conformal quantiles of what is left, are measured per level on past origins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import polars as pl

from models.base import BOUNDS, QUANTILES, Floats, Ints
from models.champion import block_of
from models.intervals import NORMAL, conformal_quantile
from models.metrics import naive_scale, score_frame
from models.panel import Panel

LEVELS: Mapping[str, tuple[str, ...]] = {
    "total": (),
    "channel": ("channel",),
    "category": ("category",),
    "channel and category": ("channel", "category"),
}
TYPICAL_SHARE = 0.05
LEAST_DAYS = 20  # of a level's totals, under which textbook quantiles stand in
USUAL = {bound: value / NORMAL["hi80"] for bound, value in NORMAL.items()}


@dataclass(frozen=True)
class Spread:
    """How wide totals of a level are: the unit is √((1-shared)·Σh² + shared·(Σh)²), h half a series' 80 % band.

    `quantiles`: by bound, of (what came - what was said) in that unit.
    """

    shared: float = TYPICAL_SHARE
    quantiles: Mapping[str, float] = field(default_factory=lambda: dict(USUAL))

    def to_json(self) -> dict[str, object]:
        """Plain values, to store."""
        return asdict(self)


Spreads = Mapping[str, Spread]


def labels_of(panel: Panel) -> pl.DataFrame:
    """`series_id`, and `channel` and `category` where the series have different ones."""
    columns: dict[str, list[str]] = {"series_id": list(panel.ids)}
    for name, codes, names in (
        ("channel", panel.channel, panel.channels),
        ("category", panel.category, panel.categories),
    ):
        if len(names) > 1:
            columns[name] = [names[code] for code in codes]
    return pl.DataFrame(columns)


def totals(rows: pl.DataFrame, labels: pl.DataFrame, spreads: Spreads | None = None) -> pl.DataFrame:
    """One row per level, group of series, day and model of forecast rows: `yhat` is the exact sum.

    Columns: `level`, `channel` and `category` (null where all are in it), `series` summed, then those of the forecast.
    A backtest's `cutoff` stays and its `y` is summed, too; days whose `y` is not known are left out of both sums.
    """
    joined = rows.join(labels, on="series_id", how="left", maintain_order="left")
    sums = [pl.col("yhat").sum(), pl.len().alias("series")]
    if "y" in rows.columns:
        joined = joined.filter(pl.col("y").is_not_null() & pl.col("y").is_not_nan())
        sums.append(pl.col("y").sum())
    half = (pl.col("hi80") - pl.col("lo80")) / 2
    sums += [(half**2).sum().alias("_apart"), (half.sum() ** 2).alias("_together")]
    days = [key for key in ("cutoff", "date", "model") if key in rows.columns]
    parts = []
    for level, columns in LEVELS.items():
        if not set(columns) <= set(labels.columns):
            continue
        spread = (spreads or {}).get(level, Spread())
        unit = ((1 - spread.shared) * pl.col("_apart") + spread.shared * pl.col("_together")).sqrt()
        summed = joined.group_by([*columns, *days], maintain_order=True).agg(sums)
        bounds = {
            bound: (pl.col("yhat") + spread.quantiles[bound] * unit).clip(lower_bound=0.0) for bound in BOUNDS
        }
        parts.append(summed.with_columns(level=pl.lit(level), **bounds).drop("_apart", "_together"))
    said = pl.concat(parts, how="diagonal")
    names = [name for name in ("channel", "category") if name in labels.columns]
    return said.select(
        "level", *names, *days, "series", *(["y"] if "y" in rows.columns else []), "yhat", *BOUNDS
    )


def calibrate_totals(
    panel: Panel, came: Sequence[Floats], said: Sequence[Floats], bounds: Sequence[Mapping[str, Floats]]
) -> dict[str, Spread]:
    """By level how wide totals must be, from the truth, the forecast and its bounds at past origins."""
    found = {}
    for level in LEVELS:
        group, number = _groups(panel, level)
        errors, apart, together = [], [], []
        shared = np.zeros(3)
        for y, yhat, one in zip(came, said, bounds, strict=True):
            known = np.isfinite(y)
            error = np.where(known, y - yhat, 0.0)
            half = np.where(known, (one["hi80"] - one["lo80"]) / 2, 0.0)
            total = _summed(error, group, number)
            shared += [(total**2).sum(), (error**2).sum(), (_summed(np.abs(error), group, number) ** 2).sum()]
            errors.append(total.ravel())
            apart.append(_summed(half**2, group, number).ravel())
            together.append((_summed(half, group, number) ** 2).ravel())
        share = _share(*shared)
        unit = np.sqrt((1 - share) * np.concatenate(apart) + share * np.concatenate(together))
        scaled = np.concatenate(errors)[unit > 0] / unit[unit > 0]
        if len(scaled) >= LEAST_DAYS:
            quantiles = {bound: conformal_quantile(scaled, chance) for bound, chance in QUANTILES.items()}
            found[level] = Spread(share, _around_zero(quantiles))
    return found


def score_levels(
    rows: pl.DataFrame, panel: Panel, spreads: Mapping[int, Spreads], horizon: int
) -> pl.DataFrame:
    """One row per level, block of days ahead and model of a backtest: metrics.score_frame, SKUs first.

    `rows`: with `cutoff`, `y` and the scales of MASE and RMSSE; `spreads` by the offset of each cutoff.
    """
    labels = labels_of(panel)
    last = panel.end.max()
    parts = [rows.with_columns(level=pl.lit("series"))]
    for offset, learned in spreads.items():
        cutoff = pl.col("cutoff").cast(pl.Int32) == int(last) - offset
        summed = totals(rows.filter(cutoff), labels, learned)
        names = [name for name in ("channel", "category") if name in summed.columns]
        key = pl.concat_str(pl.col(name).fill_null("") for name in names) if names else pl.lit("")
        parts.append(
            summed.with_columns(series_id=key).join(_scales(panel, offset), on=["level", "series_id"])
        )
    blocks = block_of(horizon)
    spans = [
        f"{np.argmax(blocks == one) + 1} to {horizon - np.argmax(blocks[::-1] == one)}" for one in blocks
    ]
    step = (pl.col("date") - pl.col("cutoff")).dt.total_days()
    every = pl.concat(parts, how="diagonal_relaxed").with_columns(
        days_ahead=step.replace_strict(range(1, horizon + 1), spans, return_dtype=pl.String)
    )
    order = {
        name: place
        for place, name in enumerate(("series", "channel and category", "category", "channel", "total"))
    }
    return score_frame(every, ("level", "days_ahead", "model")).sort(
        pl.col("level").replace_strict(order),
        pl.col("days_ahead").str.extract(r"^(\d+)").cast(pl.Int64),
        "wape",
    )


def _scales(panel: Panel, offset: int) -> pl.DataFrame:
    """What MASE and RMSSE divide by, per group of every level at an origin."""
    history = np.nan_to_num(panel.cut(offset).y)
    parts = []
    for level, columns in LEVELS.items():
        group, number = _groups(panel, level)
        sums = _summed(history, group, number)
        labels = labels_of(panel)
        if not set(columns) <= set(labels.columns):
            continue
        names = labels.with_columns(_group=pl.Series(group)).unique("_group").sort("_group")
        key = pl.concat_str(columns) if columns else pl.lit("")
        parts.append(
            names.select(
                level=pl.lit(level), series_id=key,
                scale_abs=pl.Series(naive_scale(sums, 7, 1)[names["_group"].to_numpy()]),
                scale_sq=pl.Series(naive_scale(sums, 1, 2)[names["_group"].to_numpy()]),
            )
        )  # fmt: skip
    return pl.concat(parts)


def _groups(panel: Panel, level: str) -> tuple[Ints, int]:
    """Each series' group at a level, and how many there are."""
    group = np.zeros(panel.size, dtype=np.int64)
    if "channel" in LEVELS[level]:
        group = panel.channel
    if "category" in LEVELS[level]:
        group = group * len(panel.categories) + panel.category
    return group, int(group.max()) + 1


def _summed(values: Floats, group: Ints, number: int) -> Floats:
    out = np.zeros((number, values.shape[1]))
    np.add.at(out, group, values)
    return out


def _share(together: float, apart: float, most: float) -> float:
    """ρ that makes the squares of summed errors as large as they were: 0 independent, 1 all the same way."""
    if most - apart <= 1e-9 * most:
        return TYPICAL_SHARE
    return float(min(max((together - apart) / (most - apart), 0.0), 1.0))


def _around_zero(quantiles: dict[str, float]) -> dict[str, float]:
    """Ordered, the forecast between them: a total's bounds give way to its sum."""
    lo80, hi80 = min(quantiles["lo80"], 0.0), max(quantiles["hi80"], 0.0)
    return {
        "lo95": min(quantiles["lo95"], lo80),
        "lo80": lo80,
        "hi80": hi80,
        "hi95": max(quantiles["hi95"], hi80),
    }
