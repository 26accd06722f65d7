"""Is this hour's number what this hour should bring? Online: each row is judged by the rows before it alone.

What to expect is chosen from three simple forecasters by their own recent errors: the usual value of this time of
the week, of this time of the day, and the recent level. A row stands out when it is further from it than
almost all rows were before, when several rows in a row drift together, or when it is as far from the long-run
level as hardly any row was. After an alarm the same episode is
not announced again at once. Tuned and scored on the Numenta benchmark's windows (docs/forecasting.md).
"""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.base import Floats, SeriesError
from models.files import BLANK
from models.instants import instants

DAY = 86_400.0
LARGEST = 1e150  # of what is squared later on


@dataclass(frozen=True)
class AnomalySettings:
    """Thresholds, in robust deviations from what was expected, and how long to be silent.

    `floor`: below it nothing is odd; `broad_floor`: the same from the long-run level. `tail`: how many times the
    usual extreme (the `extreme` quantile of the last `memory` rows) a row must reach. `together`: rows that may
    drift as one. `quiet_days`: silence after an alarm. Rows of the warm-up are only learned from.
    """

    floor: float = 4.0
    tail: float = 1.2
    extreme: float = 0.999
    memory: int = 6_000
    together: int = 24
    quiet_days: float = 1.0
    broad_floor: float = 5.0
    warm_up_days: float = 2.0
    warm_up_rows: int = 30


def detect(frame: pl.DataFrame, settings: AnomalySettings | None = None) -> pl.DataFrame:
    """`judge` of what `readable` makes of the frame."""
    return judge(readable(frame)[0], settings)


def readable(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """(rows in order of time with `_at` and `_value`, a line on each row that could not be read).

    `timestamp`: as `models.instants` reads it; rows may be unsorted, irregular and repeated. `value`: a number up to
    1e150; a row without one, or with one that cannot be read, stays and has none; a row without an instant is left
    out. SeriesError where a column is missing or no row is left.
    """
    for column in ("timestamp", "value"):
        if column not in frame.columns:
            raise SeriesError(f"column '{column}' is missing; found {frame.columns}")
    if frame.is_empty():
        raise SeriesError("there are no rows")
    value = frame["value"].cast(pl.Float64) if frame["value"].dtype == pl.Boolean else frame["value"]
    text = value.cast(pl.String).str.strip_chars()
    number = text.cast(pl.Float64, strict=False).fill_nan(None)
    number = pl.select(pl.when(number.abs() <= LARGEST).then(number)).to_series()
    blank = value.is_null() | text.str.to_lowercase().is_in(BLANK)
    rows = frame.with_row_index("_row", offset=1).with_columns(
        _at=instants(frame["timestamp"]), _value=number, _odd=number.is_null() & ~blank
    )
    bad = rows.filter(pl.col("_at").is_null() | pl.col("_odd"))
    told = [
        f"row {number}: timestamp {stamp!r} with value {value!r} cannot be read"
        for number, stamp, value in bad.select("_row", "timestamp", "value").iter_rows()
    ]
    rows = rows.drop_nulls("_at")
    if rows.is_empty():
        raise SeriesError(told[0])
    return rows.sort("_at", maintain_order=True), told


def judge(rows: pl.DataFrame, settings: AnomalySettings | None = None) -> pl.DataFrame:
    """`timestamp`, `value`, `expected`, `score` (0 to 1; 0.5 is the line), `is_anomaly` of each row of `readable`.

    Where `series_id` names more than one series each is judged by itself, and it is the first column. Further columns
    are left out.
    """
    if "series_id" in rows.columns and rows["series_id"].n_unique() > 1:
        parts = rows.sort("series_id", maintain_order=True).partition_by("series_id", maintain_order=True)
        return pl.concat(
            judge(part.drop("series_id"), settings).insert_column(0, part["series_id"]) for part in parts
        )
    seconds = rows["_at"].dt.epoch("ms").to_numpy() / 1000.0
    values = rows["_value"].fill_null(float("nan")).to_numpy().astype(np.float64)
    expected, score, odd = _walk(seconds, values, settings or AnomalySettings())
    return rows.select(
        "timestamp",
        pl.col("_value").alias("value"),
        expected=pl.Series(expected).fill_nan(None),
        score=pl.Series(score),
        is_anomaly=pl.Series(odd),
    )


class _Slots:
    """The last few values of each time slot of a cycle; their median is what the slot usually brings."""

    def __init__(self, cycle: float, step: float, kept: int) -> None:
        self.cycle, self.step = cycle, step
        self.kept = kept
        self.values: dict[int, deque[float]] = {}

    def expects(self, at: float) -> float:
        return _middle(self.values.get(self._slot(at), ()))

    def learn(self, at: float, value: float) -> None:
        self.values.setdefault(self._slot(at), deque(maxlen=self.kept)).append(value)

    def _slot(self, at: float) -> int:
        return int((at % self.cycle) // self.step)


class _Expectation:
    """Week, day and level, each with its running error; the one that was off least lately speaks."""

    def __init__(self, step: float) -> None:
        slot = max(step, 60.0)
        self.slots = (_Slots(7 * DAY, slot, 6), _Slots(DAY, slot, 9))
        self.recent: deque[float] = deque(maxlen=5)
        self.drift = [0.0, 0.0]  # how far week and day have been off lately
        self.errors = [math.inf, math.inf, math.inf]
        self.slow = 1.0 / max(50.0, DAY / slot)

    def usual(self, at: float) -> list[float]:
        """What each of the three expects; NaN where it has seen nothing."""
        seasonal = [slots.expects(at) + off for slots, off in zip(self.slots, self.drift, strict=True)]
        return [*seasonal, _middle(self.recent)]

    def chosen(self, usual: list[float]) -> float:
        known = [
            (error, value) for error, value in zip(self.errors, usual, strict=True) if not math.isnan(value)
        ]
        return min(known)[1] if known else math.nan

    def learn(self, at: float, value: float, usual: list[float]) -> None:
        for which, said in enumerate(usual):
            if not math.isnan(said):
                miss, error = abs(value - said), self.errors[which]
                self.errors[which] = miss if error == math.inf else error + self.slow * (miss - error)
        for which, slots in enumerate(self.slots):
            plain = slots.expects(at)
            if not math.isnan(plain):
                self.drift[which] += min(1.0, 10 * self.slow) * (value - plain - self.drift[which])
            slots.learn(at, value)
        self.recent.append(value)


class _Judge:
    """How far out a gap is against all gaps before it, alone and together with the ones just before."""

    def __init__(self, settings: AnomalySettings, slow: float) -> None:
        self.settings, self.slow = settings, slow
        self.singles: deque[float] = deque(maxlen=settings.memory)
        self.joints: deque[float] = deque(maxlen=settings.memory)
        self.window: deque[float] = deque(maxlen=settings.together)
        self.limits = (settings.floor, settings.floor)
        self.spread = math.nan
        self.seen = 0

    def reach(self, gap: float, guess: float) -> float:
        """1 at the line, 2 twice beyond it; 0 while still learning what is usual."""
        self.seen += 1
        reach, size = 0.0, abs(gap)
        if self.seen > self.settings.warm_up_rows:
            unit = max(self.spread, 1e-3 * abs(guess), 1e-9)
            single = size / unit
            self.window.append(max(-self.limits[0], min(gap / unit, self.limits[0])))
            joint = abs(sum(self.window)) / len(self.window) ** 0.5
            if self.seen % 50 == 1 or len(self.singles) < 100:
                self.limits = _limits(self.singles, self.joints, self.settings)
            reach = max(single / self.limits[0], joint / self.limits[1])
            self.singles.append(min(single, 5 * self.limits[0]))
            self.joints.append(min(joint, 5 * self.limits[1]))
        # one wild row must not make the next wild row look usual
        capped = min(size, 4 * self.spread) if self.spread > 0 else size
        slow = max(self.slow, 1.0 / self.seen)
        self.spread = size if self.seen == 1 else self.spread + slow * (capped - self.spread)
        return reach


def _walk(seconds: Floats, values: Floats, settings: AnomalySettings) -> tuple[Floats, Floats, list[bool]]:
    expectation = _Expectation(_step(seconds))
    judge = _Judge(settings, expectation.slow)
    broad, level = _Judge(replace(settings, floor=settings.broad_floor), expectation.slow / 4), math.nan
    quiet_until = -math.inf
    expected, score, odd = np.full(len(values), np.nan), np.zeros(len(values)), [False] * len(values)
    first = float(seconds[0])
    for row, (at, value) in enumerate(zip(seconds.tolist(), values.tolist(), strict=True)):
        usual = expectation.usual(at)
        guess = expectation.chosen(usual)
        expected[row] = guess
        if math.isnan(value):
            continue
        if not math.isnan(guess):
            reach = judge.reach(value - guess, guess)
            if not math.isnan(level):
                reach = min(max(reach, broad.reach(value - level, level)), 1e6)
            score[row] = reach**2 / (1 + reach**2)
            warm = at - first >= settings.warm_up_days * DAY or row > 1000
            if reach > 1 and warm and at >= quiet_until:
                odd[row] = True
                quiet_until = at + settings.quiet_days * DAY
        level = (
            value
            if math.isnan(level)
            else level + max(1.0 / (row + 1), expectation.slow / 8) * (value - level)
        )
        expectation.learn(at, value, usual)
    return expected, score, odd


def _middle(values: Collection[float]) -> float:
    """Median; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _limits(memory: deque[float], jointly: deque[float], settings: AnomalySettings) -> tuple[float, float]:
    """What single rows and rows together must reach: the floor, or beyond the extremes seen so far."""
    single = float(np.quantile(memory, settings.extreme)) if memory else 0.0
    joint = float(np.quantile(jointly, settings.extreme)) if jointly else 0.0
    return max(settings.floor, settings.tail * single), max(1.5 * settings.floor, settings.tail * joint)


def _step(seconds: Floats) -> float:
    """Usual seconds between rows, from the first hundred."""
    gaps = np.diff(seconds[:100])
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else DAY
