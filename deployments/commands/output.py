"""What commands print: tables and lines for a person, one JSON object for a program, and nothing else on stdout."""

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def emit(answer: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout."""
    print(json.dumps(dict(answer), default=_plain, ensure_ascii=False))


def writable(path: Path | None) -> Path | None:
    """The file a result goes to; BadParameter where it cannot: before the work, not after an hour of it."""
    if path is not None and not os.access(path.absolute().parent, os.W_OK):
        raise typer.BadParameter(f"{path.parent} is no folder that can be written to")
    return path


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


# What makes a terminal do something, or a line look like two: titles and reasons come from marketplaces.
_CONTROLS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"


def inert(text: str) -> str:
    """`text` on one line, without what a terminal acts upon."""
    return re.sub(_CONTROLS, " ", text)


def shown(frame: Any, *, rounded: bool = False) -> str:
    """A frame as a table, wide and without the types of its columns."""
    import polars as pl

    frame = frame.with_columns(pl.selectors.string().str.replace_all(_CONTROLS, " "))
    if rounded:
        frame = frame.with_columns(pl.selectors.float().round(3))
    with pl.Config(
        tbl_rows=200,
        tbl_cols=30,
        tbl_width_chars=200,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        fmt_str_lengths=70,
    ):
        return str(frame)


def done(as_json: bool, line: str, **figures: Any) -> None:
    """A line for a person, or what happened as one JSON object for a program."""
    if as_json:
        emit(figures)
    else:
        print(line)


def show(as_json: bool, name: str, frame: Any) -> None:
    """A frame for a person, or one JSON object for a program."""
    if as_json:
        emit({name: frame.to_dicts()})
    else:
        print(f"{name}: nothing" if frame.is_empty() else shown(frame))


def age(instant: datetime | None, now: datetime) -> str:
    """How long ago, in words: "3 minutes ago", "never"."""
    if instant is None:
        return "never"
    gone = now - instant
    if gone < timedelta(minutes=1):
        return "just now"
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(gone.total_seconds() // seconds)
        # Two days say more as hours: 47 hours ago.
        if count >= (2 if unit == "day" else 1):
            return f"{count:,} {unit}{'s' if count > 1 else ''} ago"
    raise AssertionError("a minute or more is some minutes")
