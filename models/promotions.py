"""A merchant's own plan of promotions, past and ahead, laid over a series frame as its `promo` column."""

from datetime import date
from pathlib import Path

import polars as pl

from models.base import SeriesError
from models.files import read_table

COLUMNS = ("sku", "channel", "first_date", "last_date")


def read_promotions(path: Path) -> pl.DataFrame:
    """One row per promotion: sku and channel (null: all), first_date and last_date (both days belong to it).

    SeriesError names the file and the row at fault.
    """
    rows = read_table(path)
    missing = [name for name in ("first_date", "last_date") if name not in rows.columns]
    if missing:
        raise SeriesError(f"{path}: column '{missing[0]}' is missing; known columns are {', '.join(COLUMNS)}")
    labels = [
        (pl.col(name).cast(pl.String).str.strip_chars().replace("", None) if name in rows.columns
         else pl.lit(None, pl.String)).alias(name)
        for name in ("sku", "channel")
    ]  # fmt: skip
    found = rows.select(*labels, *(_days(rows, name) for name in ("first_date", "last_date")))
    wrong = found.with_row_index("row", offset=2).filter(
        pl.col("first_date").is_null()
        | pl.col("last_date").is_null()
        | (pl.col("last_date") < pl.col("first_date"))
    )
    if not wrong.is_empty():
        raise SeriesError(
            f"{path}: line {wrong['row'][0]} needs a first_date and a last_date not before it, like 2025-11-28"
        )
    return found


def with_promotions(series: pl.DataFrame, promotions: pl.DataFrame, until: date) -> pl.DataFrame:
    """`series` (series_id "<channel>|<sku>") with `promo` 0 or 1, and rows without `y` from each last day to `until`.

    A promotion of all SKUs or channels counts for each of them.
    """
    ends = series.group_by("series_id", maintain_order=True).agg(pl.col("date").max().dt.offset_by("1d"))
    ahead = (
        ends.filter(pl.col("date") <= until)
        .with_columns(pl.date_ranges("date", until))
        .explode("date", empty_as_null=False)
    )
    every = pl.concat([series, ahead], how="diagonal_relaxed")
    names = series.select("series_id").unique(maintain_order=True).with_columns(
        pl.col("series_id").str.split_exact("|", 1).struct.rename_fields(["_channel", "_sku"]).alias("_")
    )  # fmt: skip
    days = (
        names.unnest("_")
        .join(promotions, how="cross")
        .filter(
            pl.col("sku").is_null() | (pl.col("sku") == pl.col("_sku")),
            pl.col("channel").is_null() | (pl.col("channel") == pl.col("_channel")),
        )
        .select("series_id", date=pl.date_ranges("first_date", "last_date"))
        .explode("date", empty_as_null=False)
        .unique()
        .with_columns(promo=pl.lit(1.0))
    )
    return every.join(days, on=["series_id", "date"], how="left", maintain_order="left").with_columns(
        pl.col("promo").fill_null(0.0)
    )


def _days(rows: pl.DataFrame, name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return text if rows.schema[name] == pl.String else pl.col(name).cast(pl.Date, strict=False)
