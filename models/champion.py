"""Which members have earned their place: errors per demand class and horizon block, from past origins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.base import Bools, Floats, Ints
from models.metrics import naive_scale
from models.panel import Panel

CLASSES = ("smooth", "erratic", "intermittent", "lumpy", "young")
BLOCKS = ((1, 14), (15, 28), (29, 60), (61, 400))
PRUNE = 1.10  # a member this much worse than the best of its class only adds noise …
ANCHOR = (
    "gradient_boosted"  # … but the best over all sets stays: weeks without a promotion hide what it knows
)
SMALLEST_CLASS = 20  # series × origins under which a class borrows its neighbour's table
YOUNG = 28  # known days under which a series is judged by its peers
NEVER_BLENDED = ("seasonal_naive",)  # the bar stays a bar
# Known past days of errors at which a series' own experience counts half beside its class's.
STEADY_DAYS = 100


def demand_class(panel: Panel) -> Ints:
    """Index into CLASSES per series (Syntetos & Boylan: days between sales 1.32, squared variation 0.49)."""
    y = panel.y[:, -365:]
    known = np.isfinite(y).sum(axis=1)
    sold = np.where(y > 0, y, np.nan)
    count = np.isfinite(sold).sum(axis=1)
    interval = known / np.maximum(count, 1)
    mean = np.nansum(sold, axis=1) / np.maximum(count, 1)
    square = np.nansum((sold - mean[:, None]) ** 2, axis=1) / np.maximum(count, 1)
    variation = square / np.maximum(mean, 1e-9) ** 2
    rare, rough = interval > 1.32, variation > 0.49
    found = np.select([~rare & ~rough, ~rare & rough, rare & ~rough], [0, 1, 2], 3)
    found[known < YOUNG] = CLASSES.index("young")
    return found.astype(np.int64)


def block_of(horizon: int) -> Ints:
    """Index into BLOCKS for each step ahead; a last block of under a week belongs to the one before."""
    step = np.arange(1, horizon + 1)
    block = np.searchsorted([last for _, last in BLOCKS], step).astype(np.int64)
    stump = block == block[-1]
    if block[-1] > 0 and stump.sum() < 7:
        block[stump] -= 1
    return block


@dataclass(frozen=True)
class Past:
    """One past origin: what came, what each member had said, and the class each series had then."""

    offset: int
    y: Floats
    said: Mapping[str, Floats]
    group: Ints
    scale: Floats  # √ of the mean squared day-to-day difference, the unit of RMSSE
    spread: Floats  # standard deviation of the last half year, the unit of residuals
    level: Floats  # mean of the last half year
    closed: Bools  # days on which nothing was open: they are 0 and teach nothing; `y` is NaN there

    @property
    def unsold(self) -> Bools:
        """Series without a sale in the half year before: there is no unit to count their errors in, and the first
        sales of a new product, counted in next to nothing, would set the bounds of its whole class."""
        return self.level <= 0


def past_of(panel: Panel, offset: int, said: Mapping[str, Floats], closed: Bools) -> Past:
    """A past origin of the panel, ready to be judged on the days that were not foreseen as `closed`."""
    cut = panel.cut(offset)
    spread, level = unit(cut)
    return Past(
        offset=offset,
        y=np.where(closed, np.nan, _calm_truth(panel, offset, closed.shape[1])),
        said=said,
        group=demand_class(cut),
        scale=np.sqrt(naive_scale(cut.y)),
        spread=spread,
        level=level,
        closed=closed,
    )


def _calm_truth(panel: Panel, offset: int, horizon: int) -> Floats:
    """What came, its spikes lowered by the limits of the days before: one typing error must not set the bounds."""
    from models.features import calm

    if not offset:
        return np.full((panel.size, horizon), np.nan)
    before = panel.cut(offset).y
    return calm(np.hstack([before, panel.truth(offset, horizon)]))[:, -horizon:]


def unit(panel: Panel) -> tuple[Floats, Floats]:
    """Standard deviation and mean of each series' last half year of known days, calmed; 0 where unknown."""
    from models.features import calm

    y = calm(panel.y)[:, -182:]
    known = np.maximum(np.isfinite(y).sum(axis=1), 1)
    level = np.nansum(y, axis=1) / known
    spread = np.sqrt(np.nansum((y - level[:, None]) ** 2, axis=1) / known)
    return spread, level


def error_table(pasts: Sequence[Past], members: Sequence[str]) -> pl.DataFrame:
    """One row per class, block and member: `cells`, `wape`, `rmsse`, `bias`, `ratio`, `kept`.

    `ratio` is the error (geometric mean of absolute and squared) over the best member's of that class and
    block, each member compared with the reference on the cells it answered. `kept`: within PRUNE of the best, or
    the ANCHOR.
    """
    rows: list[dict[str, object]] = []
    for group, name in enumerate(CLASSES if pasts else ()):
        chosen = [past.group == group for past in pasts]
        borrowed = sum(int(rows.sum()) for rows in chosen) < SMALLEST_CLASS
        if borrowed:
            chosen = [_neighbours(past.group, group) for past in pasts]
        if not any(rows.any() for rows in chosen):
            chosen = [np.ones(len(past.group), dtype=np.bool_) for past in pasts]
        blocks = block_of(pasts[0].y.shape[1])
        for block in np.unique(blocks):
            steps = blocks == block
            found = [_errors(pasts, chosen, member, members, steps) for member in members]
            usable = [row for row in found if row is not None]
            if not usable:
                continue
            best = min(
                (float(row["relative"]) for row in usable if row["member"] not in NEVER_BLENDED), default=1.0
            )
            for row in usable:
                ratio = float(row["relative"]) / best if best > 0 else 1.0
                kept = (ratio <= PRUNE or row["member"] == ANCHOR) and row["member"] not in NEVER_BLENDED
                rows.append({"class": name, "block": int(block), **row, "ratio": ratio, "kept": kept})
    schema = {"class": pl.String, "block": pl.Int64, "member": pl.String, "cells": pl.Int64, "wape": pl.Float64,
              "rmsse": pl.Float64, "bias": pl.Float64, "relative": pl.Float64, "ratio": pl.Float64,
              "kept": pl.Boolean}  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def _neighbours(group: Ints, wanted: int) -> Bools:
    """The classes to learn from where one is too small: regular with regular, rare with rare."""
    family = {0: (0, 1), 1: (0, 1), 2: (2, 3), 3: (2, 3), 4: (0, 1, 2, 3, 4)}[wanted]
    return np.isin(group, family)


def _errors(
    pasts: Sequence[Past], chosen: Sequence[Bools], member: str, members: Sequence[str], steps: Bools
) -> dict[str, float | int | str] | None:
    absolute = squared = units = signed = 0.0
    reference_absolute = reference_squared = 0.0
    cells = series = 0
    reference = "ets" if "ets" in members else members[0]
    for past, rows in zip(pasts, chosen, strict=True):
        y = past.y[rows][:, steps]
        if member not in past.said or y.shape[1] == 0:
            continue
        said, other = past.said[member][rows][:, steps], past.said[reference][rows][:, steps]
        both = np.isfinite(y) & np.isfinite(said) & np.isfinite(other)
        able = both.any(axis=1) & np.isfinite(past.scale[rows])
        y, said, other, both = y[able], said[able], other[able], both[able]
        scale, days = past.scale[rows][able], np.maximum(both.sum(axis=1), 1)
        error, naive = np.where(both, said - y, 0.0), np.where(both, other - y, 0.0)
        absolute += float(np.abs(error).sum())
        reference_absolute += float(np.abs(naive).sum())
        signed += float(error.sum())
        units += float(np.where(both, y, 0.0).sum())
        squared += float((np.sqrt((error**2).sum(axis=1) / days) / scale).sum())
        reference_squared += float((np.sqrt((naive**2).sum(axis=1) / days) / scale).sum())
        cells += int(both.sum())
        series += len(y)
    if not cells:
        return None
    relative = np.sqrt(
        (absolute + 1e-9) / (reference_absolute + 1e-9) * (squared + 1e-9) / (reference_squared + 1e-9)
    )
    return {
        "member": member,
        "cells": cells,
        "wape": absolute / units if units else float("nan"),
        "rmsse": squared / series,
        "bias": signed / units if units else float("nan"),
        "relative": float(relative),
    }


def kept_members(table: pl.DataFrame, group: int, block: int) -> dict[str, float]:
    """Member → error ratio of those that may blend for a class and block; empty where nothing was learned.

    A block further ahead than any past origin reached uses the furthest block that was.
    """
    rows = table.filter(pl.col("class") == CLASSES[group], pl.col("kept"), pl.col("block") <= block)
    if rows.is_empty():
        return {}
    rows = rows.filter(pl.col("block") == rows["block"].max())
    return dict(zip(rows["member"].to_list(), rows["ratio"].to_list(), strict=True))


def series_skill(pasts: Sequence[Past], ids: Sequence[str]) -> pl.DataFrame:
    """`series_id` and, by member, its error on that series over the members' mean, in units of what is so in its class.

    1 where nothing is known; drawn towards 1 by STEADY_DAYS, so that a class speaks for series with little past.
    """
    members = [name for name in pasts[0].said if name not in NEVER_BLENDED] if pasts else []
    if not members:
        return pl.DataFrame({"series_id": list(ids)})
    errors, days = np.zeros((len(members), len(ids))), np.zeros((len(members), len(ids)))
    for past in pasts:
        for number, member in enumerate(members):
            error = np.abs(past.y - past.said[member])
            errors[number] += np.nansum(error, axis=1)
            days[number] += np.isfinite(error).sum(axis=1)
    mean = errors / np.maximum(days, 1)
    usual = mean.mean(axis=0)
    group = pasts[-1].group
    columns = {}
    for number, member in enumerate(members):
        ratio = np.ones(len(ids))
        for one in np.unique(group):
            rows = (group == one) & (usual > 0) & (days[number] > 0)
            of_class = mean[number, rows].sum() / max(float(usual[rows].sum()), 1e-12)
            if of_class > 0:
                ratio[rows] = np.maximum(mean[number, rows] / usual[rows] / of_class, 1e-3)
        columns[member] = ratio ** (days[number] / (days[number] + STEADY_DAYS))
    return pl.DataFrame({"series_id": list(ids), **columns})


def skill_of(skill: pl.DataFrame, ids: Sequence[str]) -> dict[str, Floats]:
    """Member → one number per series of `ids`; 1 for series that taught nothing."""
    joined = pl.DataFrame({"series_id": list(ids)}).join(
        skill, on="series_id", how="left", maintain_order="left"
    )
    return {name: joined[name].fill_null(1.0).to_numpy() for name in joined.columns if name != "series_id"}
