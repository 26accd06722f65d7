"""All series as arrays, each ending in the last column: the form the models calculate in.

Column T-1 is a series' last day of history (its own, or the common origin), columns T … T+F-1 of a covariate
are the days ahead. So one column may be different dates for different series; `day` gives the calendar.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from models.base import FLAGS_AND_LABELS, Floats, ForecastSettings, Ints

EPOCH = date(1970, 1, 1)
LONG_GAP = 14  # days without a row
LONGEST_HISTORY = 1_470  # four years and two weeks: older days teach no season that newer ones do not


@dataclass(frozen=True)
class Panel:
    """`y` series × T units (NaN: not known, or before the first sale); `known` name → series × (T + F)."""

    ids: tuple[str, ...]
    y: Floats
    start: Ints  # first column in which the series exists; T where it has no history at all
    end: Ints  # day number (days since 1970) of the last column
    known: Mapping[str, Floats]
    category: Ints
    channel: Ints
    categories: tuple[str, ...]
    channels: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of series."""
        return len(self.ids)

    @property
    def days(self) -> int:
        """Columns of history."""
        return int(self.y.shape[1])

    def day(self, column: Ints | int, rows: Ints | slice = slice(None)) -> Ints:
        """Day number of a column, which may lie ahead."""
        numbers: Ints = self.end[rows] - (self.days - 1) + column
        return numbers

    def dates_ahead(self, row: int, horizon: int) -> list[date]:
        """The calendar days of a series' forecast."""
        first = EPOCH + timedelta(days=int(self.end[row]) + 1)
        return [first + timedelta(days=step) for step in range(horizon)]

    def cut(self, offset: int) -> "Panel":
        """The panel as it was `offset` days before: later units are gone, covariates stay known ahead."""
        if offset == 0:
            return self
        kept = max(self.days - offset, 1)
        y = self.y[:, :kept] if self.days > offset else np.full((self.size, 1), np.nan)
        return replace(self, y=y, start=np.minimum(self.start, kept), end=self.end - offset)

    def take(self, rows: Ints) -> "Panel":
        """Some of the series."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            y=self.y[rows],
            start=self.start[rows],
            end=self.end[rows],
            known={name: values[rows] for name, values in self.known.items()},
            category=self.category[rows],
            channel=self.channel[rows],
        )

    def truth(self, offset: int, horizon: int) -> Floats:
        """Units of the `horizon` days after the origin `offset` days before the end; NaN where not known."""
        actual = np.full((self.size, horizon), np.nan)
        first = self.days - offset
        got = self.y[:, max(first, 0) : first + horizon]
        actual[:, : got.shape[1]] = got
        return actual

    def save(self, folder: Path) -> None:
        """Write for worker processes, which map the arrays instead of copying them."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"y": self.y, "start": self.start, "end": self.end, "category": self.category}
        arrays |= {"channel": self.channel} | {f"known-{n}": v for n, v in self.known.items()}
        for name, values in arrays.items():
            np.save(folder / f"{name}.npy", values)
        labels = {"ids": self.ids, "categories": self.categories, "channels": self.channels}
        (folder / "labels.json").write_text(json.dumps({**labels, "known": list(self.known)}))

    @staticmethod
    def load(folder: Path) -> "Panel":
        """The panel that `save` wrote."""
        labels = json.loads((folder / "labels.json").read_text())

        def mapped(name: str) -> Floats:
            values: Floats = np.load(folder / f"{name}.npy", mmap_mode="r")
            return values

        return Panel(
            ids=tuple(labels["ids"]),
            y=mapped("y"),
            start=np.load(folder / "start.npy"),
            end=np.load(folder / "end.npy"),
            known={name: mapped(f"known-{name}") for name in labels["known"]},
            category=np.load(folder / "category.npy"),
            channel=np.load(folder / "channel.npy"),
            categories=tuple(labels["categories"]),
            channels=tuple(labels["channels"]),
        )


def build_panel(
    series: pl.DataFrame, horizon: int, settings: ForecastSettings, *, common_end: bool = False
) -> tuple[Panel, list[str]]:
    """Arrays from a checked series frame, and notes on what was assumed.

    A series ends on its last given `y`; with `settings.origin` (or `common_end`) all end on one day, and days
    between a series' last `y` and that day are not known. Days inside a series without a row are zero sales, but
    LONG_GAP of them and more where days without sales have rows: those were left out for a reason.
    """
    notes: list[str] = []
    frame = series.with_columns(pl.col("date").cast(pl.Int32).cast(pl.Int64).alias("day"))
    spans = frame.group_by("series_id", maintain_order=True).agg(
        first=pl.col("day").filter(pl.col("y").is_not_null()).min(),
        last=pl.col("day").filter(pl.col("y").is_not_null()).max(),
        first_sale=pl.col("day").filter(pl.col("y") > 0).min(),
        lowest=pl.col("day").min(),
    )
    _say_spacing(frame, notes)
    empty = spans.filter(pl.col("last").is_null())["series_id"].to_list()
    if empty:
        notes.append(f"{len(empty)} series have no known y and borrow from the others, e.g. '{empty[0]}'")
    spans = spans.with_columns(last=pl.coalesce("last", pl.col("lowest") - 1)).with_columns(
        first=pl.coalesce("first", pl.col("last") + 1)
    )
    spans = spans.with_columns(given="last")
    if settings.origin is not None:
        end_day = (settings.origin - EPOCH).days
        spans = spans.with_columns(last=pl.lit(end_day, pl.Int64))
    elif common_end:
        spans = spans.with_columns(last=pl.col("last").max())
    begin = pl.coalesce("first_sale", "first")
    width = int(spans.select((pl.col("last") - begin + 1).max()).item())
    width = min(max(width, 1), LONGEST_HISTORY)
    ends = spans["last"].to_numpy().astype(np.int64)
    starts = np.clip(width - 1 - (ends - spans.select(begin).to_series().to_numpy()), 0, width).astype(
        np.int64
    )

    frame = frame.join(
        spans.select("series_id", "last").with_row_index("row"), on="series_id", maintain_order="left"
    )
    column = (pl.col("day") - pl.col("last") + width - 1).alias("column")
    frame = frame.with_columns(column).filter(
        (pl.col("column") >= 0) & (pl.col("column") < width + max(horizon, 1) + 370)
    )
    row = frame["row"].to_numpy().astype(np.int64)
    at = frame["column"].to_numpy().astype(np.int64)
    y = np.where(np.arange(width)[None, :] >= starts[:, None], 0.0, np.nan)
    _forget_after_last(y, spans["given"].to_numpy(), ends)
    past = at < width
    units = frame["y"].to_numpy()[past]
    _forget_gaps(y, row[past], at[past], zeros=int((units == 0).sum()), notes=notes)
    y[row[past], at[past]] = units
    if "in_stock" in frame.columns:
        out = past & (frame["in_stock"].to_numpy() == 0)
        y[row[out], at[out]] = np.nan
    y[np.arange(width)[None, :] < starts[:, None]] = np.nan
    known = _covariates(frame, (row, at), (spans.height, width, horizon), settings, notes)
    category, categories = _labels(series, spans, "category", settings.categories)
    channel, channels = _labels(series, spans, "channel", settings.channels)
    ids = tuple(spans["series_id"].to_list())
    panel = Panel(ids, y, starts, ends, known, category, channel, categories, channels)
    return panel, notes


def _say_spacing(frame: pl.DataFrame, notes: list[str]) -> None:
    """Weekly or monthly rows are read as daily ones, which the caller may not have meant."""
    gaps = frame.select(pl.col("day").diff().over("series_id")).drop_nulls().to_series().to_numpy()
    usual = int(np.median(gaps)) if len(gaps) else 1
    if usual > 1 and np.mean(gaps == usual) > 0.95:
        notes.append(f"rows are {usual} days apart: the days between are taken as days without a sale")


def _forget_after_last(y: Floats, given: Ints, ends: Ints) -> None:
    """With a common end, the days after a series' last `y` are not known (not zero)."""
    width = y.shape[1]
    y[np.arange(width)[None, :] > (width - 1 - (ends - given))[:, None]] = np.nan


def _forget_gaps(y: Floats, row: Ints, at: Ints, *, zeros: int, notes: list[str]) -> None:
    """Long runs of days without a row, inside a series: a shop shut for months sold nothing, and it says nothing.

    Only where days without sales usually have rows: there are more `zeros` than days left out, and the series has rows
    for most of its days. In a file of sales alone, or of a rare seller, no row is no sale.
    """
    count, width = y.shape
    day = np.arange(width)[None, :]
    given = np.zeros((count, width), dtype=np.bool_)
    given[row, at] = True
    before = np.maximum.accumulate(np.where(given, day, -width), axis=1)
    after = np.minimum.accumulate(np.where(given, day, 2 * width)[:, ::-1], axis=1)[:, ::-1]
    left_out = ~given & (before >= 0) & (after < width)
    if zeros <= left_out.sum():
        return
    usual = left_out.sum(axis=1) < given.sum(axis=1)
    gap = left_out & usual[:, None] & (after - before > LONG_GAP)
    if gap.any():
        y[gap] = np.nan
        notes.append(
            f"{int(gap.any(axis=1).sum())} series have gaps of {LONG_GAP} days and more without a row: taken as not"
            " known, since days without sales have rows"
        )


def _covariates(
    frame: pl.DataFrame,
    cells: tuple[Ints, Ints],
    shape: tuple[int, int, int],
    settings: ForecastSettings,
    notes: list[str],
) -> dict[str, Floats]:
    """Promo, price and further known-ahead columns, dense; a column that is not known ahead is not used.

    `promo` is 0 where nothing is said, a price holds until the next one. A further column counts as known
    ahead when the settings name it or the file carries it into the days ahead.
    """
    count, width, horizon = shape
    row, at = cells
    known: dict[str, Floats] = {}
    for column in frame.columns:
        if column in FLAGS_AND_LABELS or not frame.schema[column].is_numeric():
            continue
        if column in ("day", "row", "last", "column"):
            continue
        values = np.full((count, width + horizon), np.nan)
        near = at < width + horizon
        values[row[near], at[near]] = frame[column].cast(pl.Float64).to_numpy()[near]
        told = np.isfinite(values[:, width:]).mean() if horizon else 1.0
        if told < 0.5 and not (column == "price" and told == 0.0):
            if horizon and np.isfinite(values).any():
                notes.append(f"column '{column}' is not known for the days ahead and is not used")
            continue
        if column not in ("price", "promo", *settings.known_ahead) and not horizon:
            continue
        known[column] = _held(values) if column == "price" else np.nan_to_num(values, nan=0.0)
        # without a value it says nothing, but models that know the column must be given it
        if not known[column].any() and column not in settings.known_ahead:
            del known[column]
    return known


def _held(values: Floats) -> Floats:
    """Each gap filled with the value before it, and the first gap with the first value."""
    for data in (values, values[:, ::-1]):
        valid = np.isfinite(data)
        last = np.maximum.accumulate(np.where(valid, np.arange(data.shape[1])[None, :], 0), axis=1)
        data[:] = np.take_along_axis(data, last, axis=1)
    return values


def _labels(
    series: pl.DataFrame, spans: pl.DataFrame, column: str, others: tuple[str, ...]
) -> tuple[Ints, tuple[str, ...]]:
    """Each series' last given label as a code among these and `others`; one nameless label where the frame has
    none."""
    if column not in series.columns:
        return np.zeros(spans.height, dtype=np.int64), ("",)
    last = series.group_by("series_id").agg(pl.col(column).cast(pl.String).drop_nulls().last())
    given = spans.select("series_id").join(last, on="series_id", how="left", maintain_order="left")
    names = tuple(sorted({*given[column].fill_null("").to_list(), *others}))
    code = {name: number for number, name in enumerate(names)}
    return np.array([code[name or ""] for name in given[column].to_list()], dtype=np.int64), names
