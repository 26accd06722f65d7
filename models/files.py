"""Series from a merchant's file, forecasts to a file: CSV or parquet, told apart by the name's ending."""

from pathlib import Path

import polars as pl

from models.base import SeriesError, check_series

PARQUET = (".parquet", ".pq")
NAMES = ("series_id", "item_id")  # text even where every one looks like a number: 00123 is not 123


def read_table(path: Path) -> pl.DataFrame:
    """The file's rows as they stand; a CSV's columns are read as text where they are not numbers throughout."""
    if not path.is_file():
        raise SeriesError(f"{path}: no such file")
    try:
        if path.suffix.lower() in PARQUET:
            return pl.read_parquet(path)
        return pl.read_csv(
            path,
            infer_schema_length=None,
            null_values=["", "NA", "NaN", "nan", "null", "None"],
            schema_overrides=dict.fromkeys(NAMES, pl.String),
        )
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise SeriesError(
            f"{path}: cannot be read as {path.suffix or 'CSV'}: {_first_line(error)}"
        ) from error


def read_series(path: Path | str) -> pl.DataFrame:
    """A series frame as `models.base` describes it, sorted by series and day.

    Rows may come in any order. A day missing inside a series is a day without a sale (0); an empty `y` is a
    day not known. Days with `in_stock` 0 are not known either, whatever `y` says. Errors name the row.
    """
    path = Path(path)
    frame = read_table(path)
    named = {column: column.strip().lower() for column in frame.columns}
    try:
        frame = frame.rename(named)
        return check_series(frame)
    except pl.exceptions.DuplicateError as error:
        raise SeriesError(f"{path}: two columns have the same name") from error
    except SeriesError as error:
        raise SeriesError(f"{path}: {error}") from error


def write_forecast(frame: pl.DataFrame, path: Path | str) -> None:
    """Write a forecast or backtest frame; a file half written is never left under the name."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    if path.suffix.lower() in PARQUET:
        frame.write_parquet(partial)
    else:
        frame.write_csv(partial, float_precision=6)
    partial.replace(path)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
