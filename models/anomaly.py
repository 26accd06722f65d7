"""Is this hour's number what this hour should bring? Online: each row is judged by the rows before it alone.

What to expect is chosen from three simple forecasters by their own recent errors: the usual value of this time of
the week, of this time of the day, and the recent level. A row stands out when it is further from it than
almost all rows were before, and when several rows in a row drift together. After an alarm the same episode is
not announced again at once. Tuned and scored on the Numenta benchmark's windows (docs/forecasting.md).
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.base import Floats, SeriesError

DAY = 86_400.0


@dataclass(frozen=True)
class AnomalySettings:
    """`floor`: robust deviations below which nothing is odd. `tail`: how many times the usual extreme a row must
    reach. `quiet_days`: silence after an alarm. `warm_up_days`, `warm_up_rows`: rows that are only learned from."""

    floor: float = 5.0
    tail: float = 1.6
    extreme: float = 0.995
    memory: int = 3_000
    together: int = 6
    quiet_days: float = 1.0
    warm_up_days: float = 2.0
    warm_up_rows: int = 30


def detect(frame: pl.DataFrame, settings: AnomalySettings | None = None) -> pl.DataFrame:
    """Rows in order of time: `timestamp`, `value`, `expected`, `score` (0 to 1; 0.5 is the line), `is_anomaly`.

    `timestamp`: text like 2024-01-31 14:00, a date or an instant; rows may be irregular and repeated. `value`: a
    number; an empty one is expected but never an anomaly. Errors name the row.
    """
    settings = settings or AnomalySettings()
    rows = _checked(frame)
    seconds = rows["_at"].dt.epoch("ms").to_numpy() / 1000.0
    values = rows["_value"].fill_null(float("nan")).to_numpy().astype(np.float64)
    expected, score, odd = _walk(seconds, values, settings)
    return rows.select(
        "timestamp",
        pl.col("_value").alias("value"),
        expected=pl.Series(expected).fill_nan(None),
        score=pl.Series(score),
        is_anomaly=pl.Series(odd),
    )


def _checked(frame: pl.DataFrame) -> pl.DataFrame:
    for column in ("timestamp", "value"):
        if column not in frame.columns:
            raise SeriesError(f"column '{column}' is missing; found {frame.columns}")
    if frame.is_empty():
        raise SeriesError("there are no rows")
    if frame.schema["timestamp"] == pl.String:
        text = frame["timestamp"].str.strip_chars().str.replace("T", " ").str.replace(r"(Z|[+-]00:?00)$", "")
        at = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
        at = at.fill_null(text.str.to_datetime("%Y-%m-%d %H:%M", strict=False))
        at = at.fill_null(text.str.to_datetime("%Y-%m-%d", strict=False))
    else:
        at = frame["timestamp"].cast(pl.Datetime("us"), strict=False)
    value = frame["value"]
    number = value.cast(pl.Float64, strict=False).fill_nan(None)
    bad = frame.filter(
        at.is_null() | (number.is_null() & value.is_not_null() & (value.cast(pl.String) != "NaN"))
    )
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise SeriesError(
            f"row with timestamp {row['timestamp']!r} and value {row['value']!r} cannot be read"
        )
    number = pl.select(pl.when(number.is_finite()).then(number)).to_series()
    return frame.with_columns(_at=at.dt.cast_time_unit("us"), _value=number).sort("_at", maintain_order=True)


class _Slots:
    """The last few values of each time slot of a cycle; their median is what the slot usually brings."""

    def __init__(self, cycle: float, step: float, kept: int) -> None:
        self.cycle, self.step = cycle, step
        self.kept = kept
        self.values: dict[int, deque[float]] = {}

    def expects(self, at: float) -> float:
        seen = self.values.get(self._slot(at))
        return float("nan") if not seen else float(np.median(seen))

    def learn(self, at: float, value: float) -> None:
        self.values.setdefault(self._slot(at), deque(maxlen=self.kept)).append(value)

    def _slot(self, at: float) -> int:
        return int((at % self.cycle) // self.step)


def _walk(seconds: Floats, values: Floats, settings: AnomalySettings) -> tuple[Floats, Floats, "list[bool]"]:
    step = _step(seconds)
    seasonal = max(step, 60.0)
    weekly, daily = _Slots(7 * DAY, seasonal, 6), _Slots(DAY, seasonal, 9)
    recent: deque[float] = deque(maxlen=5)
    drift = np.zeros(2)  # how far the week and the day have been off lately
    errors = np.full(3, np.nan)  # running mean |error| of week, day, level
    memory: deque[float] = deque(maxlen=settings.memory)
    jointly: deque[float] = deque(maxlen=settings.memory)
    window: deque[float] = deque(maxlen=settings.together)
    limits = (settings.floor, settings.floor)
    spread, quiet_until = float("nan"), -np.inf
    expected, score, odd = np.full(len(values), np.nan), np.zeros(len(values)), [False] * len(values)
    slow = 1.0 / max(50.0, DAY / max(step, 60.0))
    for row, (at, value) in enumerate(zip(seconds, values, strict=True)):
        usual = np.array([weekly.expects(at) + drift[0], daily.expects(at) + drift[1],
                          float(np.median(recent)) if recent else np.nan])  # fmt: skip
        trusted = np.where(np.isfinite(usual), np.where(np.isfinite(errors), errors, np.inf), np.inf)
        chosen = int(np.argmin(trusted)) if np.isfinite(trusted).any() else 2
        guess = usual[chosen]
        expected[row] = guess
        if not np.isfinite(value):
            continue
        if np.isfinite(guess):
            gap = value - guess
            if np.isfinite(spread) and len(memory) >= settings.warm_up_rows:
                unit = max(spread, 1e-3 * abs(guess), 1e-9)
                single = abs(gap) / unit
                window.append(float(np.clip(gap / unit, -limits[0], limits[0])))
                joint = abs(sum(window)) / len(window) ** 0.5
                if row % 20 == 0:
                    limits = _limits(memory, jointly, settings)
                reach = max(single / limits[0], joint / limits[1])
                score[row] = reach**2 / (1 + reach**2)
                warm = at - seconds[0] >= settings.warm_up_days * DAY or row > 1000
                if reach > 1 and warm and at >= quiet_until:
                    odd[row] = True
                    quiet_until = at + settings.quiet_days * DAY
                memory.append(min(single, 5 * limits[0]))
                jointly.append(min(joint, 5 * limits[1]))
            else:
                memory.append(0.0)
            size = abs(gap)
            # one wild row must not make the next wild row look usual
            capped = min(size, 4 * spread) if np.isfinite(spread) and spread > 0 else size
            spread = size if not np.isfinite(spread) else spread + slow * (capped - spread)
        for which in range(3):
            if np.isfinite(usual[which]):
                miss = abs(value - usual[which])
                errors[which] = (
                    miss if not np.isfinite(errors[which]) else errors[which] + slow * (miss - errors[which])
                )
        for which, slots in enumerate((weekly, daily)):
            plain = slots.expects(at)
            if np.isfinite(plain):
                drift[which] += min(1.0, 10 * slow) * (value - plain - drift[which])
            slots.learn(at, value)
        recent.append(value)
    return expected, score, odd


def _limits(
    memory: "deque[float]", jointly: "deque[float]", settings: AnomalySettings
) -> tuple[float, float]:
    """What single rows and rows together must reach: the floor, or beyond the extremes seen so far."""
    single = float(np.quantile(memory, settings.extreme)) if memory else 0.0
    joint = float(np.quantile(jointly, settings.extreme)) if jointly else 0.0
    return max(settings.floor, settings.tail * single), max(1.5 * settings.floor, settings.tail * joint)


def _step(seconds: Floats) -> float:
    """Usual seconds between rows, from the first hundred."""
    gaps = np.diff(seconds[:100])
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else DAY
