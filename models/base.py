"""What a series frame and a forecast frame look like, and what every demand model promises.

Series frame, one row per series and day: `series_id` (String), `date` (Date), `y` (Float64, units sold; null is
"not known"), and optionally `in_stock` (0/1), `price`, `promo`, `category`, `channel` and further numeric columns
that are known ahead. Forecast frame, one row per series, day and model: the columns of FORECAST_SCHEMA.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

if TYPE_CHECKING:
    from models.panel import Panel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEVELS = (0.80, 0.95)
BOUNDS = ("lo80", "hi80", "lo95", "hi95")
QUANTILES = {"lo95": 0.025, "lo80": 0.10, "hi80": 0.90, "hi95": 0.975}

FORECAST_SCHEMA: Mapping[str, type[pl.DataType]] = {
    "series_id": pl.String,
    "date": pl.Date,
    "model": pl.String,
    "yhat": pl.Float64,
    "lo80": pl.Float64,
    "hi80": pl.Float64,
    "lo95": pl.Float64,
    "hi95": pl.Float64,
}
FLAGS_AND_LABELS = ("series_id", "date", "y", "in_stock", "category", "channel")

MEMBERS = ("seasonal_naive", "weekday_mean", "tsb", "ets", "gradient_boosted", "arima", "prophet", "lstm")
FIXED_WEIGHTS = {"prophet": 0.4, "lstm": 0.4, "arima": 0.2}
Effort = Literal["quick", "full"]


class SeriesError(ValueError):
    """The series frame breaks its contract; the message names the series, row or column."""


@dataclass(frozen=True)
class ForecastSettings:
    """How much work a forecast may be. `quick` trades a little accuracy for a minute; `full` is the nightly one.

    `origin`: forecast every series from the day after this one (default: after its own last known `y`).
    `calibration_folds`: past origins from which weights and intervals are learned (default: 3 quick, 4 full).
    `countries`: ISO codes whose public holidays Prophet knows, by channel; "" stands for those not named.
    `categories`, `channels`: labels there are beside those in the frame, where it holds only some of the series.
    `retrain`: True trains although stored models fit, False never trains, None trains when they do not fit.
    """

    members: tuple[str, ...] = MEMBERS
    workers: int = 2
    calibration_folds: int | None = None
    effort: Effort = "quick"
    seed: int = 7
    origin: date | None = None
    countries: Mapping[str, str] = field(default_factory=dict)
    known_ahead: tuple[str, ...] = ()
    retrain: bool | None = None
    categories: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.members) - set(MEMBERS))
        if unknown:
            raise ValueError(f"unknown forecast members {unknown}; known are {list(MEMBERS)}")
        if self.workers < 1:
            raise ValueError("workers must be at least 1")
        if self.effort not in ("quick", "full"):
            raise ValueError(f"effort must be 'quick' or 'full', not {self.effort!r}")
        if self.calibration_folds is not None and self.calibration_folds < 1:
            raise ValueError("calibration_folds must be at least 1")

    @property
    def folds(self) -> int:
        """Past origins to calibrate on."""
        return self.calibration_folds or (3 if self.effort == "quick" else 4)


@dataclass(frozen=True)
class Origin:
    """A day to forecast from: `offset` days before the panel's end, with models trained `trained_at` days before."""

    offset: int
    trained_at: int

    def __post_init__(self) -> None:
        if self.trained_at < self.offset:
            raise ValueError("a model may not be trained on days after the origin")


class DemandModel(Protocol):
    """One way to forecast demand: mean units per series and day."""

    name: str

    def forecast(self, panel: "Panel", origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """By offset, an array series × horizon of expected units; NaN where the model has no answer."""
        ...


def check_series(series: pl.DataFrame) -> pl.DataFrame:
    """The frame with contract types and order; raises SeriesError naming the series, row or column at fault.

    Rows are sorted. NaN in `y` counts as not known. Negative units, a date given twice for a series and
    a flag other than 0 or 1 are errors: guessing there would hide a fault upstream.
    """
    for column in ("series_id", "date", "y"):
        if column not in series.columns:
            raise SeriesError(f"column '{column}' is missing; found {series.columns}")
    if series.is_empty():
        raise SeriesError("there are no rows")
    frame = series.with_columns(
        pl.col("series_id").cast(pl.String),
        _dates(series),
        *(_number(series, column) for column in series.columns if _is_numeric_column(series, column)),
    )
    _refuse(frame, pl.col("series_id").is_null() | (pl.col("series_id") == ""), "series_id is empty")
    _refuse(frame, pl.col("date").is_null(), "date is empty")
    _refuse(frame, pl.col("y") < 0, "y is negative (returns belong to the day of their order)")
    _refuse(frame, pl.col("y").is_infinite(), "y is infinite")
    for flag in ("in_stock",):
        if flag in frame.columns:
            _refuse(
                frame, ~pl.col(flag).is_in([0.0, 1.0]) & pl.col(flag).is_not_null(), f"{flag} is not 0 or 1"
            )
    frame = frame.with_row_index("_row").sort("series_id", "date", maintain_order=True)
    repeated = frame.filter(pl.struct("series_id", "date").is_duplicated())
    if not repeated.is_empty():
        first = repeated.row(0, named=True)
        raise SeriesError(
            f"series '{first['series_id']}' has {first['date']} more than once "
            f"({repeated.height} such rows in all); one row per series and day is needed"
        )
    return frame.drop("_row")


def _is_numeric_column(series: pl.DataFrame, column: str) -> bool:
    if column in ("y", "in_stock", "price", "promo"):
        return True
    return column not in FLAGS_AND_LABELS and (
        series.schema[column].is_numeric() or series.schema[column] == pl.Boolean
    )


def _number(series: pl.DataFrame, column: str) -> pl.Expr:
    """The column as Float64 with NaN as null; text that is no number is an error, not a null."""
    if series.schema[column] == pl.String:
        text = series[column].str.strip_chars()
        number = text.cast(pl.Float64, strict=False)
        bad = series.filter(number.is_null() & text.is_not_null() & (text != ""))
        if not bad.is_empty():
            row = bad.row(0, named=True)
            raise SeriesError(
                f"series '{row['series_id']}', {row['date']}: {column} is {row[column]!r}, which is no number"
            )
        return pl.lit(number).fill_nan(None).alias(column)
    try:
        return pl.lit(series[column].cast(pl.Float64)).fill_nan(None).alias(column)
    except pl.exceptions.PolarsError as error:
        raise SeriesError(f"column '{column}' ({series.schema[column]}) does not hold numbers") from error


def _dates(series: pl.DataFrame) -> pl.Series:
    column = series["date"]
    if column.dtype == pl.String:
        text = column.str.strip_chars().str.slice(0, 10)
        parsed = text.str.to_date("%Y-%m-%d", strict=False)
        bad = series.filter(parsed.is_null() & column.is_not_null())
        if not bad.is_empty():
            row = bad.row(0, named=True)
            raise SeriesError(f"series '{row['series_id']}': date {row['date']!r} is not like 2024-12-31")
        return parsed.alias("date")
    try:
        return column.cast(pl.Date)
    except pl.exceptions.PolarsError as error:
        raise SeriesError(f"column 'date' ({column.dtype}) does not hold dates") from error


def _refuse(frame: pl.DataFrame, fault: pl.Expr, says: str) -> None:
    bad = frame.filter(fault)
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise SeriesError(f"series '{row['series_id']}', {row['date']}: {says} ({bad.height} such rows)")
