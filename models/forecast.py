"""Forecast or backtest a frame of series: members, learned blend, calibrated bounds. Start reading here.

`run` forecasts the days after each series' last one, `backtest` plays the same on past days and says how well
it went. Both learn weights and bounds only from origins before the one they are used for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from models import registry as store
from models.base import BOUNDS, FORECAST_SCHEMA, Floats, ForecastSettings, Origin, check_series
from models.champion import CLASSES, YOUNG, Past, demand_class, error_table, past_of, series_skill, skill_of
from models.closed import closed_ahead
from models.cumulative import CumulativeCalibration, calibrate_sums, cumulative_frame
from models.ensemble import cold_start, describe, fixed_blend, learned_blend, made_sane
from models.features import history
from models.intervals import Calibration, bounds_of, calibrate, ordered
from models.members import Collected, collect
from models.metrics import naive_scale, score_frame
from models.panel import Panel, build_panel
from models.reconcile import Spread, calibrate_totals, labels_of, score_levels, totals

Progress = Callable[[str, int, int], None]
LEAST_HISTORY = 56  # days that must lie before a past origin for it to teach anything
BLENDS = ("fixed", "ensemble")


@dataclass(frozen=True)
class ForecastResult:
    """`frame`: forecast rows of every member, `fixed` and `ensemble`. `cumulative`: quantiles of sums over lead times.

    `members`: what answered. `error_table`: what was learned of them. `backtest`: the newest past origin, scored
    with weights and bounds from the ones before it; None when stored models were used or history is short.
    `totals`: the ensemble by category, channel and in all (models.reconcile), `spreads` how wide those are. `version`:
    the stored models' name.
    """

    frame: pl.DataFrame
    notes: list[str]
    members: list[str]
    error_table: pl.DataFrame
    cumulative: pl.DataFrame
    totals: pl.DataFrame
    spreads: dict[str, Spread]
    backtest: "BacktestResult | None" = None
    version: str | None = None


@dataclass(frozen=True)
class BacktestResult:
    """`frame`: forecast rows with `cutoff` and `y`. `scores`: one row per model (metrics.score_frame), `by_class` per
    demand class and model, `by_level` of the ensemble and the bar per level of the hierarchy and days ahead."""

    frame: pl.DataFrame
    scores: pl.DataFrame
    notes: list[str]
    error_table: pl.DataFrame = field(default_factory=pl.DataFrame)
    by_class: pl.DataFrame = field(default_factory=pl.DataFrame)
    by_level: pl.DataFrame = field(default_factory=pl.DataFrame)


@dataclass(frozen=True)
class Learned:
    """What past origins taught: who blends, and how wide the bounds must be, by model name; of totals by level."""

    table: pl.DataFrame
    bounds: dict[str, Calibration]
    sums: CumulativeCalibration
    skill: pl.DataFrame
    spreads: dict[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """All models' sane forecasts at one origin: to show, to blend, and the state of the series then."""

    offset: int
    ids: tuple[str, ...]
    show: dict[str, Floats]
    blend: dict[str, Floats]
    past: Past
    fallback: Floats
    network: dict[str, Floats] | None
    notes: list[str]


def run(
    series: pl.DataFrame,
    horizon: int,
    *,
    settings: ForecastSettings | None = None,
    registry: Path | None = None,
    progress: Progress | None = None,
) -> ForecastResult:
    """Forecast `horizon` days of every series. With a `registry`, stored models that fit are used, new ones kept.

    A training there goes on from the network of the one before.
    """
    settings = settings or ForecastSettings()
    _check_horizon(horizon)
    panel, notes = build_panel(check_series(series), horizon, settings)
    found = (
        store.fitting(registry, panel, horizon, settings)
        if registry and settings.retrain is not True
        else None
    )
    if found is None and settings.retrain is False:
        raise store.RegistryError(
            "no stored models fit these series and this horizon; run once with retraining"
        )
    past_offsets = _past_offsets(panel, horizon, 0 if found else settings.folds)
    origins = [*_taught(past_offsets, 0, horizon, settings), Origin(0, 0)]
    collected = collect(
        panel,
        origins,
        horizon,
        settings,
        stored=found.models if found else None,
        network=store.network(registry, panel, settings) if registry and not found else None,
        progress=progress,
    )
    said = {origin.offset: _settle(panel, collected, origin.offset, horizon) for origin in origins}
    pasts = [said[offset] for offset in past_offsets]
    learned = found.learned(Learned) if found else learn(panel, pasts)
    notes += _unique(collected.notes + said[0].notes)
    if not past_offsets and not found:
        notes.append("too little history for past origins: equal weights and textbook bounds")
    models = _blends(said[0], learned.table, learned.skill)
    frame = _rows(panel, 0, models, _bounds(said[0], models, learned))
    now = said[0].past
    cumulative = cumulative_frame(panel, learned.sums, now.group, now.spread, now.level, models["ensemble"])
    version = found.version if found else None
    if registry and not found:
        version = store.keep(registry, panel, horizon, settings, collected.state, learned)
    checked = _replayed(panel, pasts, horizon) if pasts else None
    return ForecastResult(
        frame=frame,
        notes=notes + describe(learned.table),
        members=sorted(collected.means),
        error_table=learned.table,
        cumulative=cumulative,
        totals=totals(frame.filter(pl.col("model") == "ensemble"), labels_of(panel), learned.spreads),
        spreads=learned.spreads,
        backtest=checked,
        version=version,
    )


def backtest(
    series: pl.DataFrame,
    horizon: int,
    folds: int = 2,
    *,
    settings: ForecastSettings | None = None,
    progress: Progress | None = None,
) -> BacktestResult:
    """Forecast `folds` past origins, `horizon` days apart, the newest `horizon` days before the last day known.

    For each origin, models, weights and bounds come from the days before it alone.
    """
    settings = settings or ForecastSettings()
    _check_horizon(horizon)
    if folds < 1:
        raise ValueError("folds must be at least 1")
    panel, notes = build_panel(check_series(series), 0, settings, common_end=True)
    scored = [horizon * number for number in range(folds, 0, -1)]
    if panel.days - scored[0] < 1:
        raise ValueError(
            f"{folds} folds of {horizon} days need more than {scored[0]} days of history; there are {panel.days}"
        )
    before = _past_offsets(panel, horizon, settings.folds, first=scored[0])
    origins = [*_taught(before, scored[0], horizon, settings), *(Origin(offset, offset) for offset in scored)]
    collected = collect(panel, origins, horizon, settings, progress=progress)
    said = {origin.offset: _settle(panel, collected, origin.offset, horizon) for origin in origins}
    frames, table, spreads = [], pl.DataFrame(), {}
    for offset in scored:
        learned = learn(panel, [said[o] for o in [*before, *scored] if o >= offset + horizon])
        spreads[offset] = learned.spreads
        models, table = _blends(said[offset], learned.table, learned.skill), learned.table
        frames.append(_rows(panel, offset, models, _bounds(said[offset], models, learned), horizon=horizon))
    notes += _unique(collected.notes + [note for offset in scored for note in said[offset].notes])
    return _result(panel, pl.concat(frames), notes + describe(table), table, spreads, horizon)


def learn(panel: Panel, pasts: Sequence[Said]) -> Learned:
    """Error table, bounds of every model, of sums over days and of totals over series, from past origins."""
    if not pasts:
        return Learned(error_table([], []), {}, CumulativeCalibration(), series_skill([], panel.ids))
    origins = [said.past for said in pasts]
    table = error_table(origins, list(pasts[0].blend))
    skill = series_skill(origins, panel.ids)
    models = [_blends(said, table, skill) for said in pasts]
    network = [said.network for said in pasts if said.network is not None]
    bounds = {}
    for name in models[0]:
        helped = name in (*BLENDS, "lstm") and len(network) == len(pasts)
        bounds[name] = calibrate(origins, [one[name] for one in models], network if helped else None)
    sums = calibrate_sums(origins, [one["ensemble"] for one in models])
    learned = Learned(table, bounds, sums, skill)
    blend = [{"ensemble": one["ensemble"]} for one in models]
    spreads = calibrate_totals(
        panel,
        [past.y for past in origins],
        [one["ensemble"] for one in blend],
        [_bounds(past, one, learned)["ensemble"] for past, one in zip(pasts, blend, strict=True)],
    )
    return replace(learned, spreads=spreads)


def _check_horizon(horizon: int) -> None:
    if not 1 <= horizon <= 365:
        raise ValueError(f"horizon must be 1 to 365 days, not {horizon}")


def _past_offsets(panel: Panel, horizon: int, folds: int, first: int = 0) -> list[int]:
    """Offsets of past origins, earliest first, that leave at least some series with a history before them.

    `folds` horizons are reached back over; origins between the folds cost little and steady the bounds.
    """
    step = max(7, -(-horizon // 2))
    offsets = range(first + horizon, first + horizon * folds + 1, step) if folds else range(0)
    return [o for o in sorted(offsets, reverse=True) if (panel.days - o - panel.start >= LEAST_HISTORY).any()]


def _taught(offsets: Sequence[int], first: int, horizon: int, settings: ForecastSettings) -> list[Origin]:
    """Past origins with the models they would have had: trained once a horizon, or once for all where quick.

    Models of four to eight weeks ago forecast as well as fresh ones (measured), so quick learns the same of them.
    """
    if settings.effort == "quick":
        return [Origin(offset, max(offsets)) for offset in offsets]
    return [Origin(o, min(first + horizon * -(-(o - first) // horizon), max(offsets))) for o in offsets]


def _settle(panel: Panel, collected: Collected, offset: int, horizon: int) -> Said:
    cut = panel.cut(offset)
    h = history(cut)
    peers = cold_start(h, horizon)
    young = np.isfinite(cut.y).sum(axis=1) < YOUNG
    cheap = collected.means.get("weekday_mean", {}).get(offset, peers)
    fallback = np.where(young[:, None] | ~np.isfinite(cheap), peers, cheap)
    raw = {name: by_offset[offset] for name, by_offset in collected.means.items() if offset in by_offset}
    show, blend, notes = made_sane(cut, raw, fallback)
    return Said(
        offset=offset,
        ids=panel.ids,
        show=show,
        blend=blend,
        past=past_of(panel, offset, blend, closed_ahead(h, horizon)),
        fallback=fallback,
        network=collected.bounds.get(offset),
        notes=notes,
    )


def _blends(said: Said, table: pl.DataFrame, skill: pl.DataFrame) -> dict[str, Floats]:
    """Every model to show: members, the fixed blend and the learned one: the young by their peers, closed days 0."""
    of_series = skill_of(skill, said.ids)
    blended = learned_blend(table, said.past.group, said.blend, said.fallback, of_series)
    young = said.past.group == CLASSES.index("young")
    blended[young] = 0.5 * blended[young] + 0.5 * said.fallback[young]
    blended[said.past.closed] = 0.0
    return {**said.show, "fixed": fixed_blend(said.blend, said.fallback), "ensemble": blended}


def _bounds(said: Said, models: dict[str, Floats], learned: Learned) -> dict[str, dict[str, Floats]]:
    out = {}
    for name, yhat in models.items():
        calibration = learned.bounds.get(name, Calibration())
        now = said.past
        raw = bounds_of(calibration, now.group, yhat, now.spread, now.level, said.network)
        if name == "ensemble":
            raw = {bound: np.where(now.closed, 0.0, values) for bound, values in raw.items()}
        out[name] = ordered(yhat, raw)
    return out


def _rows(
    panel: Panel,
    offset: int,
    models: dict[str, Floats],
    bounds: dict[str, dict[str, Floats]],
    *,
    horizon: int | None = None,
) -> pl.DataFrame:
    """Arrays as forecast rows; with a horizon also the truth, and only series that had begun and were known."""
    cut = panel.cut(offset)
    steps = next(iter(models.values())).shape[1]
    rows = np.arange(panel.size)
    truth = panel.truth(offset, steps) if horizon is not None else None
    if truth is not None:
        rows = np.flatnonzero((cut.start < cut.days) & np.isfinite(truth).any(axis=1))
    days = (cut.end[rows][:, None] + 1 + np.arange(steps)[None, :]).ravel()
    keys = pl.DataFrame({
        "series_id": pl.Series([panel.ids[row] for row in rows], dtype=pl.String).gather(
            np.repeat(np.arange(len(rows)), steps)
        ),
        "date": pl.Series(days.astype(np.int32)).cast(pl.Date),
    })  # fmt: skip
    extra: dict[str, pl.Series] = {}
    if truth is not None:
        absolute, squared = naive_scale(cut.y, 7, 1), naive_scale(cut.y, 1, 2)
        extra = {
            "cutoff": pl.Series(np.repeat(cut.end[rows].astype(np.int32), steps)).cast(pl.Date),
            "y": pl.Series(truth[rows].ravel()).fill_nan(None),
            "class": pl.Series(_class_names(panel, offset)[rows].repeat(steps)),
            "scale_abs": pl.Series(np.repeat(absolute[rows], steps)),
            "scale_sq": pl.Series(np.repeat(squared[rows], steps)),
        }
    parts = []
    for name, yhat in models.items():
        columns = {"yhat": yhat, **{bound: bounds[name][bound] for bound in BOUNDS}}
        values = {column: pl.Series(data[rows].ravel()) for column, data in columns.items()}
        parts.append(keys.with_columns(model=pl.lit(name), **values, **extra))
    return pl.concat(parts).select([*FORECAST_SCHEMA, *extra])


def _class_names(panel: Panel, offset: int) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    return np.array(CLASSES)[demand_class(panel.cut(offset))]


def _replayed(panel: Panel, pasts: Sequence[Said], horizon: int) -> BacktestResult:
    newest = pasts[-1]
    learned = learn(panel, [past for past in pasts if past.offset >= newest.offset + horizon])
    models = _blends(newest, learned.table, learned.skill)
    frame = _rows(panel, newest.offset, models, _bounds(newest, models, learned), horizon=horizon)
    return _result(panel, frame, [], learned.table, {newest.offset: learned.spreads}, horizon)


def _result(
    panel: Panel,
    frame: pl.DataFrame,
    notes: list[str],
    table: pl.DataFrame,
    spreads: dict[int, dict[str, Spread]],
    horizon: int,
) -> BacktestResult:
    scores = score_frame(frame).sort("wape")
    by_class = score_frame(frame, ("class", "model")).sort("class", "wape")
    shown = frame.filter(pl.col("model").is_in(["ensemble", "seasonal_naive"]))
    return BacktestResult(
        frame=frame.drop("class", "scale_abs", "scale_sq"),
        scores=scores,
        notes=notes,
        error_table=table,
        by_class=by_class,
        by_level=score_levels(shown, panel, spreads, horizon),
    )


def _unique(notes: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(notes))
