"""What planning reads beside demand and stock, and its tables in ClickHouse."""

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine

from warehouse import frames, sql
from warehouse.frames import MONEY
from warehouse.rollup_tables import replace_whole
from warehouse.tables import planning as tables


def stock_levels(engine: Engine, products: Sequence[int] | None = None) -> pl.DataFrame:
    """`series_id, date, available, inbound` at the end of each business day since stock was first observed, all
    places together, up to the last look. `products`: these alone; None: all."""
    changes = frames.query(
        engine,
        sql.read("stock_levels"),
        {
            "series_id": pl.String,
            "place": pl.String,
            "date": pl.Date,
            "last_date": pl.Date,
            "available": pl.Int64,
            "inbound": pl.Int64,
        },
        products=None if products is None else list(products),
    )
    if changes.is_empty():
        return changes.select("series_id", "date", "available", "inbound")
    keys = ["series_id", "place"]
    days = changes.group_by(keys).agg(first=pl.col("date").min(), last=pl.col("last_date").max())
    filled = days.with_columns(date=pl.date_ranges("first", "last")).explode("date", empty_as_null=False)
    levels = filled.select(*keys, "date").join(
        changes.select(*keys, "date", "available", "inbound"), on=[*keys, "date"], how="left"
    )
    return (
        levels.sort(*keys, "date")
        .with_columns(pl.col("available", "inbound").forward_fill().over(keys))
        .group_by("series_id", "date")
        .agg(pl.col("available", "inbound").sum())
        .sort("series_id", "date")
    )


def asked_prices(engine: Engine, since: date, products: Sequence[int]) -> pl.DataFrame:
    """`series_id, date, asked`: what a unit cost before discounts, on the days with a sale from `since` on."""
    return frames.query(
        engine,
        sql.read("asked_prices"),
        {"series_id": pl.String, "date": pl.Date, "asked": pl.Float64},
        since=since,
        products=list(products),
    )


def recent_sales(engine: Engine, since: date, until: date, products: Sequence[int]) -> pl.DataFrame:
    """`series_id, recent_daily`: units a day sold in [since, until) of what sold at all."""
    return frames.query(
        engine,
        sql.read("recent_sales"),
        {"series_id": pl.String, "recent_daily": pl.Float64},
        since=since,
        until=until,
        products=list(products),
    )


def first_seen(engine: Engine) -> pl.DataFrame:
    """`series_id, known_since`: the day stock of a product was first looked at on a channel."""
    return frames.query(
        engine, sql.read("stock_first_seen"), {"series_id": pl.String, "known_since": pl.Date}
    )


def inbound_moves(engine: Engine, since: datetime) -> pl.DataFrame:
    """`series_id, date, moved, first_date`: by how much the units on their way changed on each business day since an
    instant (above 0: ordered, below: delivered), and when the series was first looked at since then."""
    return frames.query(
        engine,
        sql.read("inbound_moves"),
        {"series_id": pl.String, "date": pl.Date, "moved": pl.Float64, "first_date": pl.Date},
        since=since,
    )


def places(engine: Engine, since: datetime, now: datetime) -> pl.DataFrame:
    """`series_id, warehouse_location, available, left_daily` (units a day that left it since an instant) of what lies
    in several places of a channel."""
    schema = {
        "series_id": pl.String, "warehouse_location": pl.String, "available": pl.Int64, "left_daily": pl.Float64
    }  # fmt: skip
    return frames.query(engine, sql.read("stock_places"), schema, since=since, now=now)


def unit_costs(engine: Engine, reporting: str) -> pl.DataFrame:
    """`series_id, unit_cost` of every listing, in the channel's currency; null where no listing says, or only one in a
    currency without a rate to `reporting`."""
    schema = {"series_id": pl.String, "unit_cost": MONEY}
    return frames.query(engine, sql.read("unit_costs"), schema, reporting=reporting)


def publish(client: Client, table: str, frame: pl.DataFrame, as_of: datetime) -> int:
    """Replace one of `tables.NAMES` by `frame` at once; further columns are left out. Returns its rows."""
    if table not in tables.NAMES:
        raise ValueError(f"{table} is no table of planning; known are {list(tables.NAMES)}")
    return replace_whole(client, table, frame, as_of)
