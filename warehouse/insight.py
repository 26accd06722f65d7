"""What customer insight reads of orders, baskets and carts, and its tables in ClickHouse."""

from datetime import date, datetime

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from warehouse import frames, sql
from warehouse.frames import MONEY
from warehouse.rollup_tables import replace_whole
from warehouse.tables import insight as tables


def customer_orders(engine: Engine, until: date) -> pl.DataFrame:
    """`customer_key, currency, date, amount`: one row per order on or before `until` of a customer known by a key."""
    return frames.query(
        engine,
        sql.read("customer_orders"),
        {"customer_key": pl.String, "currency": pl.String, "date": pl.Date, "amount": MONEY},
        until=until,
    )


def known_customers(engine: Engine) -> pl.DataFrame:
    """`customer_key` of everybody not erased. What is published of people is filtered by it within the publisher's
    lock: an erasure that committed before is seen here, one after it deletes what was published."""
    return frames.query(
        engine,
        "SELECT DISTINCT customer_key FROM core.orders WHERE customer_key IS NOT NULL",
        {"customer_key": pl.String},
    )


def centres(engine: Engine, currency: str) -> pl.DataFrame:
    """Where the segments lay last time: segment, recency, frequency, amount; empty the first time."""
    return frames.query(
        engine,
        "SELECT segment, recency, frequency, amount FROM core.segment_centres WHERE currency = %(currency)s",
        {"segment": pl.String, "recency": pl.Float64, "frequency": pl.Float64, "amount": pl.Float64},
        currency=currency,
    )


def keep_centres(engine: Engine, currency: str, found: pl.DataFrame, now: datetime) -> None:
    """Replace the centres of `currency` by `found`."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM core.segment_centres WHERE currency = :c"), {"c": currency})
        if not found.is_empty():
            connection.execute(
                text(
                    "INSERT INTO core.segment_centres (currency, segment, recency, frequency, amount, computed_at)"
                    " VALUES (:currency, :segment, :recency, :frequency, :amount, :now)"
                ),
                [{**row, "currency": currency, "now": now} for row in found.to_dicts()],
            )


def baskets(engine: Engine, since: date, until: date) -> pl.DataFrame:
    """`order_id, product_id` of orders after `since` up to `until`, each product of an order once."""
    return frames.query(
        engine, sql.read("baskets"), {"order_id": pl.Int64, "product_id": pl.Int64}, since=since, until=until
    )


def carts_left(engine: Engine, now: datetime) -> pl.DataFrame:
    """One row per checkout that was left and product in it; date and hour in the channel's time zone."""
    return frames.query(
        engine,
        sql.read("carts_left"),
        {
            "cart_id": pl.Int64,
            "date": pl.Date,
            "hour": pl.Int64,
            "channel_id": pl.Int64,
            "product_id": pl.Int64,
            "currency": pl.String,
            "customer_key": pl.String,
            "units": pl.Int64,
            "amount": MONEY,
            "is_recovered": pl.Boolean,
            "is_reachable": pl.Boolean,
        },
        now=now,
    )


def orders_by_hour(engine: Engine, since: date, until: date) -> pl.DataFrame:
    """`channel_id, currency, hour, customer_key, orders` from `since` up to `until`, of channels that tell of
    checkouts."""
    schema = {
        "channel_id": pl.Int64, "currency": pl.String, "hour": pl.Int64, "customer_key": pl.String, "orders": pl.Int64
    }  # fmt: skip
    return frames.query(engine, sql.read("orders_by_hour"), schema, since=since, until=until)


def feedback(engine: Engine, until: date) -> pl.DataFrame:
    """What buyers said up to `until`: product_id (0: none), sku (empty: none), posted_at, posted_date, rating, text."""
    return frames.query(
        engine,
        sql.read("feedback_said"),
        {
            "product_id": pl.Int64,
            "sku": pl.String,
            "posted_at": frames.INSTANT,
            "posted_date": pl.Date,
            "rating": pl.Int64,
            "text": pl.String,
        },
        until=until,
    ).with_columns(pl.col("sku").fill_null(""))


def names(engine: Engine) -> pl.DataFrame:
    """`product_id, sku, name` of every product."""
    return frames.query(
        engine,
        "SELECT id AS product_id, sku, coalesce(name, sku) AS name FROM core.products",
        {"product_id": pl.Int64, "sku": pl.String, "name": pl.String},
    )


def publish(client: Client, table: str, frame: pl.DataFrame, as_of: datetime) -> int:
    """Replace one of `tables.NAMES` by `frame` at once; further columns are left out. Returns its rows."""
    if table not in tables.NAMES:
        raise ValueError(f"{table} is no table of customer insight; known are {list(tables.NAMES)}")
    return replace_whole(client, table, frame, as_of)
