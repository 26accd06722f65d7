"""One forecast from many: sanity first, then the members each class has kept, and the fixed blend beside it."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from models.base import FIXED_WEIGHTS, Bools, Floats, Ints
from models.champion import BLOCKS, CLASSES, YOUNG, block_of, kept_members
from models.features import History, calm
from models.panel import Panel

MOST_OVER_MONTH = 5.0  # no day ahead above 5 times the best 28-day mean …
MOST_OVER_DAY = 1.5  # … unless single days have been that high
# How far a member is trusted before its errors are seen: measured over the sets of docs/forecasting.md. Past errors
# of one shop mostly tie (its members differ by less than its months), so they prune and tilt, not decide.
TRUST = {
    "gradient_boosted": 6.0,
    "lstm": 1.5,
    "prophet": 0.5,
    "ets": 2.0,
    "arima": 0.4,
    "weekday_mean": 0.2,
    "tsb": 0.2,
}
TILT = 5.0  # weight falls with error to this power: 10 % worse is 0.62 of the weight
MEDIAN_SHARE = 0.2  # of the kept members' median: a guard against one that goes astray


def sanity_limit(panel: Panel) -> Floats:
    """Per series the most a day may be forecast: beyond it a member is taken to have exploded."""
    y = np.nan_to_num(calm(panel.y))
    width = min(28, y.shape[1])
    sums = np.cumsum(np.hstack([np.zeros((len(y), 1)), y]), axis=1)
    month = ((sums[:, width:] - sums[:, :-width]) / width).max(axis=1)
    limit: Floats = np.maximum(MOST_OVER_MONTH * month, MOST_OVER_DAY * y.max(axis=1))
    return limit


def _beyond(values: Floats, limit: Floats) -> Bools:
    with np.errstate(invalid="ignore"):
        found: Bools = (values > 1.001 * limit[:, None] + 0.5) | np.isinf(values)
    return found


def made_sane(
    panel: Panel, said: Mapping[str, Floats], fallback: Floats
) -> tuple[dict[str, Floats], dict[str, Floats], list[str]]:
    """(what to show, what to blend, notes). Shown: finite, within 0 and the limit. Blended: NaN where it was not.

    A member without an answer for a series shows the fallback there.
    """
    limit = sanity_limit(panel)
    known: Bools = np.asarray(np.isfinite(panel.y).any(axis=1))
    show: dict[str, Floats] = {}
    blend: dict[str, Floats] = {}
    notes = []
    for name, values in said.items():
        wild = _beyond(values, limit) & known[:, None]
        exploded: Bools = np.asarray(
            wild.mean(axis=1) > 0.25
        )  # many days above: the whole row is not to be trusted
        if exploded.any():
            first = panel.ids[int(np.flatnonzero(exploded)[0])]
            notes.append(
                f"{name} exploded on {int(exploded.sum())} series and is left out there, e.g. '{first}'"
            )
        silent: Bools = ~np.isfinite(values).all(axis=1) & ~exploded
        if silent.any() and known.any():
            notes.append(f"{name} has no answer for {int(silent.sum())} of {panel.size} series")
        inside = np.clip(
            np.nan_to_num(values, nan=0.0, posinf=0.0), 0.0, np.where(known, limit, np.inf)[:, None]
        )
        blend[name] = np.where(exploded[:, None] | ~np.isfinite(values), np.nan, inside)
        show[name] = np.where(np.isfinite(values) | exploded[:, None], inside, fallback)
    return show, blend, notes


def fixed_blend(said: Mapping[str, Floats], fallback: Floats) -> Floats:
    """40 % Prophet, 40 % LSTM, 20 % ARIMA of those that answered; the fallback where none did."""
    total, weight = np.zeros_like(fallback), np.zeros_like(fallback)
    for name, share in FIXED_WEIGHTS.items():
        if name in said:
            answered = np.isfinite(said[name])
            total += np.where(answered, share * np.nan_to_num(said[name]), 0.0)
            weight += share * answered
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = np.where(weight > 0, total / weight, fallback)
    return value


def learned_blend(
    table: pl.DataFrame,
    group: Ints,
    blend: Mapping[str, Floats],
    fallback: Floats,
    skill: Mapping[str, Floats] | None = None,
) -> Floats:
    """Per class and block the kept members: their mean weighted by trust and past error, and some of their median.

    `skill`: by member, how its past error on each series compares with its class (champion.series_skill).
    """
    out = fallback.copy()
    blocks = block_of(fallback.shape[1])
    for one in np.unique(group):
        rows = np.flatnonzero(group == one)
        for block in np.unique(blocks):
            steps = np.flatnonzero(blocks == block)
            kept = kept_members(table, int(one), int(block)) or dict.fromkeys(TRUST, 1.0)
            kept = {name: ratio for name, ratio in kept.items() if name in blend}
            if not kept:
                continue
            cells = np.ix_(rows, steps)
            stack = np.stack([blend[name][cells] for name in kept])
            known = skill or {}
            error = np.stack([
                ratio * (known[name][rows] if name in known else np.ones(len(rows))) for name, ratio in kept.items()
            ])  # fmt: skip
            trust = np.array([TRUST.get(name, 0.3) for name in kept])[:, None]
            out[cells] = _middle(stack, trust * error**-TILT, fallback[cells])
    return out


def _middle(stack: Floats, weights: Floats, fallback: Floats) -> Floats:
    """Weighted mean and median of members × series × days; `weights` members × series."""
    answered = np.isfinite(stack)
    each = weights[:, :, None] * answered
    weight = each.sum(axis=0)
    some = weight > 0
    mean = (np.nan_to_num(stack) * each).sum(axis=0) / np.where(some, weight, 1.0)
    filled = np.where(answered, stack, np.where(some, mean, 0.0)[None])
    value: Floats = MEDIAN_SHARE * np.median(filled, axis=0) + (1 - MEDIAN_SHARE) * mean
    return np.where(some, value, fallback)


def cold_start(h: History, horizon: int) -> Floats:
    """Means of young series from their peers: the category's week and season times a shrunk own level.

    The own mean of n known days counts n/(n+7), the middle level of the category's others 7/(n+7).
    """
    panel = h.panel
    count, t = panel.size, panel.days - 1
    rows, end = np.arange(count), np.full(panel.size, t)
    known = np.isfinite(panel.y).sum(axis=1)
    own = np.nan_to_num(h.mean(rows, end, panel.days))
    old = known >= YOUNG
    recent = np.nan_to_num(h.mean(rows, end, 91))
    out = np.zeros((count, horizon))
    weekday = (panel.end[:, None] + 1 + np.arange(horizon)[None, :] + 3) % 7
    for category in range(len(panel.categories)):
        members = panel.category == category
        peers = np.flatnonzero(members & old) if (members & old).any() else np.flatnonzero(old)
        typical = (
            float(np.median(recent[peers]))
            if len(peers)
            else float(np.mean(own[known > 0]))
            if (known > 0).any()
            else 0.0
        )
        profile = _week_profile(h.y[peers], panel.end[peers])
        mine = np.flatnonzero(members)
        level = (known[mine] * own[mine] + 7 * typical) / (known[mine] + 7)
        out[mine] = level[:, None] * profile[weekday[mine]]
    return out


def _week_profile(y: Floats, end: Ints) -> Floats:
    """Seven factors with mean 1: each weekday's share of the peers' units in the last half year."""
    if not len(y):
        return np.ones(7)
    recent = y[:, -182:]
    weekday = (end[:, None] - np.arange(recent.shape[1])[::-1][None, :] + 3) % 7
    level = np.nansum(recent, axis=1) / np.maximum(np.isfinite(recent).sum(axis=1), 1)
    ratio = recent / np.where(level > 0, level, np.nan)[:, None]
    means = np.array([np.nanmean(ratio[weekday == day]) if np.isfinite(ratio[weekday == day]).any() else 1.0
                      for day in range(7)])  # fmt: skip
    value: Floats = means / means.mean() if means.mean() > 0 else np.ones(7)
    return value


def describe(table: pl.DataFrame) -> list[str]:
    """One line per class: which members blend, best first."""
    lines = []
    for group, name in enumerate(CLASSES):
        kept = kept_members(table, group, 0)
        if kept and table.filter(pl.col("class") == name)["cells"].sum():
            ordered = sorted(kept, key=lambda member: kept[member])
            lines.append(f"{name}, days {BLOCKS[0][0]} to {BLOCKS[0][1]}: {', '.join(ordered)}")
    return lines
