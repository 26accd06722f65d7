"""Rows from a merchant's file, and rows to one: CSV as people's programs write it, or parquet."""

import csv
import gzip
import io
from pathlib import Path

import polars as pl

from models.base import SeriesError, check_series

PARQUET = (".parquet", ".pq")
NAMES = ("series_id", "item_id")  # text even where every one looks like a number: 00123 is not 123
SEPARATORS = ",;\t|"
BLANK = ("", "-", "na", "n/a", "nan", "#n/a", "null", "none")
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
# 1,234.50 in a file whose columns a comma parts; 1.234,50 in any other
_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_DECIMAL_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+$"


def read_table(path: Path) -> pl.DataFrame:
    """The file's rows; a CSV's columns are numbers where every row that says something is one, else text.

    Recognised: parquet by its first bytes, gzip, UTF-8, UTF-16 and Windows-1252, the separators `, ; tab |`, decimal
    commas and thousands, and the usual ways to say nothing. Column names are in lower case without blanks around
    them. SeriesError names the file, and the line where one has more fields than the header.
    """
    if not path.is_file():
        raise SeriesError(f"{path}: no such file")
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        if content.startswith(b"PAR1") or path.suffix.lower() in PARQUET:
            frame = pl.read_parquet(io.BytesIO(content))
            frame.columns = _names(frame.columns)
            return frame
        return _read_csv(_utf8(content))
    except SeriesError as error:
        raise SeriesError(f"{path}: {error}") from error
    except (pl.exceptions.PolarsError, OSError, EOFError, UnicodeDecodeError) as error:
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
    try:
        return check_series(frame)
    except SeriesError as error:
        raise SeriesError(f"{path}: {error}") from error


def write_table(frame: pl.DataFrame, path: Path | str, *, decimals: int | None = None) -> None:
    """Write as CSV or parquet, as the name says; a file half written is never left under the name."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    if path.suffix.lower() in PARQUET:
        frame.write_parquet(partial)
    else:
        frame.write_csv(partial, float_precision=decimals)
    partial.replace(path)


def write_forecast(frame: pl.DataFrame, path: Path | str) -> None:
    """Write a forecast or backtest frame."""
    write_table(frame, path, decimals=6)


def _utf8(content: bytes) -> bytes:
    """The text in UTF-8, each line ended by a newline: other encodings and old Macs' line ends are brought to it."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            content = content.decode(encoding).encode()
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("cp1252", errors="replace").encode()
    return content if b"\n" in content else content.replace(b"\r", b"\n")


def _names(columns: list[str]) -> list[str]:
    names = [name.strip().lower() for name in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SeriesError(f"two columns have the same name: {twice[0]!r}; found {columns}")
    return names


def _read_csv(content: bytes) -> pl.DataFrame:
    header = content.lstrip().split(b"\n", 1)[0].decode()
    separator = max(SEPARATORS, key=header.count)
    names = _names(next(csv.reader([header], delimiter=separator), []))
    try:
        text = pl.read_csv(content, separator=separator, infer_schema=False)
    except pl.exceptions.ComputeError as error:
        lines = csv.reader(io.StringIO(content.decode()), delimiter=separator)
        for number, fields in enumerate(lines, start=1):
            if len(fields) > len(names):
                raise SeriesError(
                    f"line {number} has {len(fields)} fields, the header {len(names)}"
                ) from error
        raise
    text.columns = names
    return text.select(
        column if column.name in NAMES else _typed(column, comma_is_point=separator != ",") for column in text
    )


def _typed(column: pl.Series, *, comma_is_point: bool) -> pl.Series:
    """Numbers or yes and no where every text that says something is one; else the texts."""
    text = pl.col(column.name).str.strip_chars()
    bare = text.str.replace_all("." if comma_is_point else ",", "", literal=True)
    bare = bare.str.replace(",", ".", literal=True) if comma_is_point else bare
    form = _DECIMAL_COMMA if comma_is_point else _THOUSANDS
    said = (
        column.to_frame()
        .select(pl.when(~text.str.to_lowercase().is_in(BLANK)).then(text))
        .select(pl.when(text.str.contains(form)).then(bare).otherwise(text))
        .to_series()
    )
    if said.null_count() == len(said):
        return said
    for kind in (pl.Int64, pl.Float64):
        number = said.cast(kind, strict=False)
        if number.null_count() == said.null_count():
            return number
    flags = said.str.to_lowercase()
    return flags == "true" if flags.is_in(["true", "false"]).all() else said


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
