"""What each hour should bring: orders per hour of a subject, from its last weeks. Frames in, frames out.

A subject (a channel, a category or SKU on it) sells at its own level, in the weekly shape of its channel: SKUs are
too rare to have one. The level follows the last days as fast as it foretold each next day best (exponential
smoothing, half-life chosen by its own errors), within limits that keep one wild or empty day from moving it much.
Spread is quasi negative binomial: variance = mean + phi x mean^2, phi from the same one-day-ahead errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from models.base import Bools, Floats, Ints

WINDOWS = (1, 2, 3, 6, 12, 24, 48, 96, 168)  # hours that end now
WEEKS = 9
_RECENT = 48  # hours: what is longer is held against the level of a week ago, which it has not yet moved
_HALF_LIVES = (4.0, 8.0, 16.0, 32.0)  # days
_LEAST_DAYS = 14
_SMOOTHING = 25.0  # orders a slot needs before its own figure outweighs that of its neighbours
_SLOT_TRUST = 60.0  # … and that of its weekday and hour taken apart
_PHI_FLOOR = 0.01
_PHI_TRUST = 5.0
_WEEK_DOUBT = 0.04  # phi on top where the level is a week old: it drifts by a fifth

RESULT: dict[str, type[pl.DataType] | pl.DataType] = {
    "subject": pl.String,
    "period": pl.String,
    "hours": pl.Float64,
    "start_at": pl.Datetime("us", "UTC"),
    "date": pl.Date,
    "observed": pl.Float64,
    "expected": pl.Float64,
    "spread": pl.Float64,
    "history_days": pl.Int64,
    "is_quiet": pl.Boolean,
}


@dataclass(frozen=True)
class Special:
    """A day unlike others: `factor` times the usual orders, give or take a share of `doubt`."""

    factor: float = 1.0
    doubt: float = 0.5


@dataclass(frozen=True)
class _Calendar:
    """The hours of the grid as one time zone counts them."""

    weekday: Ints
    hour: Ints
    day: Ints  # 0 for the first local day of the grid
    dates: list[date]
    ordinary: Floats  # per hour, 1: no special day
    factor: Floats
    doubt: Floats


@dataclass(frozen=True)
class _Fit:
    """Of each subject: levels per hour of average shape, up to yesterday and up to a week ago, and phi."""

    recent: Floats
    before: Floats
    phi: Floats
    days: Ints


def judge_windows(
    counts: pl.DataFrame,
    subjects: pl.DataFrame,
    until: datetime,
    special: Mapping[tuple[str, date], Special] | None = None,
    *,
    read_until: datetime | None = None,
) -> pl.DataFrame:
    """Orders of each subject in the windows that end at `until`, and yesterday, beside what they should be.

    `counts`: subject, hour_at (UTC), orders, hours without orders left out; WEEKS weeks are read. `subjects`:
    subject, shape (the subject whose weekly shape it has), timezone. `special`: by (shape, local day). One row per
    subject and window (`period` "hour") and per subject for its last whole local day ("day"); columns of RESULT.
    Subjects with less than two weeks of history are left out.

    Where orders are known up to `read_until`, in the hour after `until`, and `counts` has the instant of the last
    order of each hour (`last_at`), one row more per subject (`is_quiet`): nothing from its last order until then.
    """
    hours = WEEKS * 168
    start = until - timedelta(hours=hours)
    frames: list[pl.DataFrame] = []
    for (shape_of, zone), group in subjects.group_by(["shape", "timezone"], maintain_order=True):
        names = group["subject"].to_list()
        if shape_of not in names:
            continue
        grid = _grid(counts, names, start, hours)
        own = grid[names.index(shape_of)]
        calendar = _calendar(start, hours, str(zone), str(shape_of), special or {})
        shape = _shape(own, calendar)
        whole = _fit(own[None, :], shape, calendar, pooled=_PHI_FLOOR)
        fit = _fit(grid, shape, calendar, pooled=float(whole.phi[0]))
        weights = shape * calendar.factor
        for period, first, last in _spans(hours, calendar):
            level = fit.recent if last - first <= _RECENT else fit.before
            bumps = weights[first:last]
            doubt = float(np.average(calendar.doubt[first:last], weights=bumps))
            expected = level * float(bumps.sum())
            phi = fit.phi + doubt**2 + (_WEEK_DOUBT if last - first > _RECENT else 0.0)
            frames.append(
                pl.DataFrame({
                    "subject": names,
                    "period": period,
                    "hours": last - first,
                    "start_at": start + timedelta(hours=first),
                    "date": calendar.dates[calendar.day[first]],
                    "observed": grid[:, first:last].sum(axis=1),
                    "expected": expected,
                    "spread": 1.0 + phi * expected,
                    "history_days": fit.days,
                    "is_quiet": False,
                }, schema=RESULT)
            )  # fmt: skip
        if read_until is not None:
            last_orders = _last_orders(counts, names, start)
            read = (read_until - start) / timedelta(hours=1)
            frames.append(_quiet(names, fit, weights, calendar, last=last_orders, read=read, start=start))
    if not frames:
        return pl.DataFrame(schema=RESULT)
    return pl.concat(frames).filter((pl.col("history_days") >= _LEAST_DAYS) & (pl.col("expected") > 0))


def _last_orders(counts: pl.DataFrame, names: list[str], start: datetime) -> Floats:
    """When the last order of each subject came, in hours after `start`."""
    last = counts.group_by("subject").agg(pl.col("last_at").max())
    found = pl.DataFrame({"subject": names}).join(last, on="subject", how="left", maintain_order="left")
    value: Floats = ((found["last_at"] - start).dt.total_seconds() / 3600).to_numpy()
    return value


def _quiet(
    names: list[str],
    fit: "_Fit",
    weights: Floats,
    calendar: "_Calendar",
    *,
    last: Floats,
    read: float,
    start: datetime,
) -> pl.DataFrame:
    """The stretch without orders of each subject, from its `last` order until `read` (hours after `start`)."""
    # The hour under way has the weight of the same hour a week ago, and is as special as the one before it.
    this = weights[-168] / calendar.factor[-168] * calendar.factor[-1]
    reached = np.cumsum([0.0, *weights, this])
    doubted = np.cumsum([0.0, *(weights * calendar.doubt), this * calendar.doubt[-1]])
    ends = np.arange(len(reached), dtype=np.float64)
    bumps = np.interp(read, ends, reached) - np.interp(last, ends, reached)
    doubt = (np.interp(read, ends, doubted) - np.interp(last, ends, doubted)) / np.maximum(bumps, 1e-9)
    hours = read - last
    kept = np.flatnonzero((hours > 0) & (hours <= WINDOWS[-1]))
    is_long = hours > _RECENT
    expected = np.where(is_long, fit.before, fit.recent) * bumps
    phi = fit.phi + doubt**2 + np.where(is_long, _WEEK_DOUBT, 0.0)
    return pl.DataFrame({
        "subject": [names[row] for row in kept],
        "period": "hour",
        "hours": hours[kept],
        "start_at": [start + timedelta(hours=float(last[row])) for row in kept],
        "date": calendar.dates[-1],
        "observed": 0.0,
        "expected": expected[kept],
        "spread": (1.0 + phi * expected)[kept],
        "history_days": fit.days[kept],
        "is_quiet": True,
    }, schema=RESULT)  # fmt: skip


def _spans(hours: int, calendar: _Calendar) -> list[tuple[str, int, int]]:
    """(period, first hour, hour after the last) of every window, and of the last local day that is over."""
    last_day = int(calendar.day[-1])
    over = calendar.hour[-1] == 23
    of_day = np.flatnonzero(calendar.day == (last_day if over else last_day - 1))
    windows = [("hour", hours - window, hours) for window in WINDOWS]
    return [*windows, ("day", int(of_day[0]), int(of_day[-1]) + 1)]


def _grid(counts: pl.DataFrame, subjects: list[str], start: datetime, hours: int) -> Floats:
    """Orders of each subject (row) in each hour from `start` (column), zeros filled in."""
    rows = pl.DataFrame({"subject": subjects}).with_row_index("row")
    placed = (
        counts.with_columns(place=(pl.col("hour_at") - start).dt.total_hours())
        .filter(pl.col("place").is_between(0, hours - 1))
        .join(rows, on="subject")
    )
    grid = np.zeros((len(subjects), hours))
    np.add.at(grid, (placed["row"].to_numpy(), placed["place"].to_numpy()), placed["orders"].to_numpy())
    return grid


def _calendar(
    start: datetime, hours: int, zone: str, shape: str, special: Mapping[tuple[str, date], Special]
) -> _Calendar:
    first = start.replace(tzinfo=None)
    last = first + timedelta(hours=hours - 1)
    local = pl.datetime_range(first, last, "1h", time_zone="UTC", eager=True).dt.convert_time_zone(zone)
    dates = local.dt.date()
    day = (dates - dates[0]).dt.total_days().to_numpy().astype(np.int64)
    distinct = dates.unique(maintain_order=True).to_list()
    known = [special.get((shape, each)) for each in distinct]
    return _Calendar(
        weekday=local.dt.weekday().to_numpy().astype(np.int64) - 1,
        hour=local.dt.hour().to_numpy().astype(np.int64),
        day=day,
        dates=distinct,
        ordinary=np.array([found is None for found in known], dtype=np.float64)[day],
        factor=np.array([found.factor if found else 1.0 for found in known])[day],
        doubt=np.array([found.doubt if found else 0.0 for found in known])[day],
    )


def _shape(series: Floats, calendar: _Calendar) -> Floats:
    """The channel's usual hour of the week as a multiple of its mean hour, for every hour of the grid."""
    weekend = calendar.weekday >= 5
    ordinary = calendar.ordinary > 0
    ordinary[-24:] = False  # what is judged must not say what is usual
    clipped = np.minimum(series, _high(series[ordinary]))
    profile = np.ones((2, 24))
    for kind in (0, 1):
        chosen = ordinary & (weekend == bool(kind))
        profile[kind] = _profile(clipped[chosen], calendar.hour[chosen])
    weekday = _weekdays(clipped, calendar, ordinary)
    apart = weekday[calendar.weekday] * profile[weekend.astype(int), calendar.hour]
    slot = calendar.weekday * 24 + calendar.hour
    orders = np.bincount(slot[ordinary], weights=clipped[ordinary], minlength=168)
    times = np.maximum(np.bincount(slot[ordinary], minlength=168), 1)
    mean = max(float(orders.sum() / times.sum()), 1e-9)
    trust = orders / (orders + _SLOT_TRUST)
    together = (trust * (orders / times / mean))[slot] + (1 - trust)[slot] * apart
    value: Floats = np.maximum(together / max(float(together.mean()), 1e-9), 1e-3)
    return value


def _profile(series: Floats, hour: Ints) -> Floats:
    """Share of each hour of the day times 24, smoothed where there are few orders."""
    orders = np.bincount(hour, weights=series, minlength=24)
    total = max(float(orders.sum()), 1e-9)
    around = (np.roll(orders, 1) + 2 * orders + np.roll(orders, -1)) / 4
    blended = (orders * orders + _SMOOTHING * (around + total / 240)) / (orders + _SMOOTHING)
    value: Floats = 24 * blended / max(float(blended.sum()), 1e-9)
    return value


def _weekdays(series: Floats, calendar: _Calendar, ordinary: Bools) -> Floats:
    """Monday to Sunday as a multiple of the week's mean: medians over the weeks, pulled towards 1."""
    totals = np.bincount(calendar.day, weights=series)
    whole = np.bincount(calendar.day, weights=ordinary) >= 23
    names = np.array([each.weekday() for each in calendar.dates])
    factors = np.ones(7)
    for name in range(7):
        ratios = []
        for day in np.flatnonzero((names == name) & whole):
            week = slice(max(day - 3, 0), day + 4)
            level = totals[week][whole[week]]
            if len(level) >= 5 and level.mean() > 0:
                ratios.append(totals[day] / level.mean())
        if ratios:
            seen = float(totals[whole & (names == name)].sum())
            factors[name] = (np.median(ratios) * seen + _SMOOTHING) / (seen + _SMOOTHING)
    value: Floats = factors / factors.mean()
    return value


def _high(series: Floats) -> float:
    """A count no ordinary hour goes beyond: the 99.5 % quantile, and a little room."""
    return float(np.quantile(series, 0.995)) + 1.0 if len(series) else np.inf


def _fit(grid: Floats, shape: Floats, calendar: _Calendar, *, pooled: float) -> _Fit:
    """Smooth each subject's days, one ahead, from its first order on; the last 24 hours are left out."""
    hours, days = grid.shape[1], len(calendar.dates)
    whole: Bools = np.bincount(calendar.day, weights=calendar.ordinary, minlength=days) >= 23
    brings = np.asarray(np.bincount(calendar.day, weights=shape, minlength=days), dtype=np.float64)
    starts = np.searchsorted(calendar.day, np.arange(days))
    daily = np.asarray(np.add.reduceat(grid, starts, axis=1), dtype=np.float64)
    first: Ints = np.where(daily.any(axis=1), (daily > 0).argmax(axis=1), days).astype(np.int64)
    end, week = int(calendar.day[hours - 24]), int(calendar.day[hours - 168])
    none = np.zeros(len(grid))
    best = _Fit(none, none, none, none.astype(np.int64))
    least = np.full(len(grid), np.inf)
    for half_life in _HALF_LIVES:
        fit, error = _smoothed(
            daily[:, :end], brings, whole, first=first, week=week, half_life=half_life, pooled=pooled
        )
        better = error < least
        least = np.where(better, error, least)
        best = _Fit(
            np.where(better, fit.recent, best.recent),
            np.where(better, fit.before, best.before),
            np.where(better, fit.phi, best.phi),
            fit.days,
        )
    return best


def _smoothed(
    daily: Floats,
    brings: Floats,
    whole: Bools,
    *,
    first: Ints,
    week: int,
    half_life: float,
    pooled: float,
) -> tuple[_Fit, Floats]:
    """The fit with one half-life, and the sum of its squared errors in variances."""
    subjects, days = daily.shape
    fade = 0.5 ** (1 / half_life)
    orders, share, known = np.zeros(subjects), np.zeros(subjects), np.zeros(subjects, dtype=np.int64)
    before = np.zeros(subjects)
    error, excess, squares = np.zeros(subjects), np.zeros(subjects), np.zeros(subjects)
    for day in range(days):
        if day == week:
            before = orders / np.maximum(share, 1e-9)
        if not whole[day]:
            continue
        lives, came = first <= day, daily[:, day]
        mean = orders / np.maximum(share, 1e-9) * brings[day]
        judged = lives & (known >= 7) & (mean > 0)
        reach = 3 * np.sqrt(mean + 2 * pooled * mean**2) + 1
        tame = np.where(judged, np.clip(came, mean - reach, mean + reach), came)
        off = np.where(judged, (tame - mean) ** 2, 0.0)
        error += off / np.maximum(mean + pooled * mean**2, 0.5)
        excess += np.where(judged, off - mean, 0.0)
        squares += np.where(judged, mean**2, 0.0)
        orders = np.where(lives, orders * fade + tame, orders)
        share = np.where(lives, share * fade + brings[day], share)
        known += lives
    phi = (excess + _PHI_TRUST * pooled) / (squares + _PHI_TRUST)
    fit = _Fit(
        orders / np.maximum(share, 1e-9), before, np.clip(phi, max(pooled, _PHI_FLOOR), 2.0), known.copy()
    )
    return fit, error
