"""How many orders came in when, and how far that is known; each question returns a frame."""

from datetime import date, datetime

import polars as pl
from sqlalchemy import Engine

from warehouse import frames, sql
from warehouse.frames import INSTANT

_CHANNELS = """
    SELECT c.id AS channel_id, c.name AS channel, c.account, c.timezone, c.currency, w.read_until,
           (SELECT mode() WITHIN GROUP (ORDER BY r.ship_country) FROM (
                SELECT o.ship_country FROM core.orders o
                WHERE o.channel_id = c.id AND o.ship_country IS NOT NULL AND o.ordered_at >= %(since)s LIMIT 2000
            ) r) AS country
    FROM core.channels c
    LEFT JOIN ops.watermarks w ON w.account = c.account AND w.resource = 'orders'
    WHERE c.is_active
    ORDER BY c.name
"""
_PRODUCTS = """
    SELECT l.channel_id, l.product_id, p.sku, p.name, p.category, bool_or(l.is_active) AS is_listed
    FROM core.channel_products l JOIN core.products p ON p.id = l.product_id
    GROUP BY 1, 2, 3, 4, 5
"""
_DAILY = """
    SELECT channel_id, order_date AS date, count(*)::bigint AS orders FROM core.orders
    WHERE order_date BETWEEN %(since)s AND %(until)s AND NOT is_replacement AND NOT is_test
    GROUP BY 1, 2
"""


def channels(engine: Engine, since: datetime) -> pl.DataFrame:
    """Active channels: account, time zone, currency, where most buyers live, until when orders are read (or null)."""
    return frames.query(
        engine,
        _CHANNELS,
        {
            "channel_id": pl.Int64,
            "channel": pl.String,
            "account": pl.String,
            "timezone": pl.String,
            "currency": pl.String,
            "read_until": INSTANT,
            "country": pl.String,
        },
        since=since,
    )


def hourly(engine: Engine, since: datetime, until: datetime) -> pl.DataFrame:
    """Orders per hour in `since <= t < until`, and the instant of the last of them: rows with a product_id, with a
    category, or of a whole channel.

    Hours without orders are left out; an order counts once in each row it belongs to.
    """
    return frames.query(
        engine,
        sql.read("hourly_orders"),
        {
            "channel_id": pl.Int64,
            "product_id": pl.Int64,
            "category": pl.String,
            "hour_at": INSTANT,
            "orders": pl.Int64,
            "last_at": INSTANT,
        },
        since=since,
        until=until,
    )


def daily(engine: Engine, since: date, until: date) -> pl.DataFrame:
    """Orders per channel and business day, both ends included; days without orders are left out."""
    return frames.query(
        engine,
        _DAILY,
        {"channel_id": pl.Int64, "date": pl.Date, "orders": pl.Int64},
        since=since,
        until=until,
    )


def listed_products(engine: Engine) -> pl.DataFrame:
    """Products by channel: SKU, name, category, and whether any listing of it is active there."""
    return frames.query(
        engine,
        _PRODUCTS,
        {
            "channel_id": pl.Int64,
            "product_id": pl.Int64,
            "sku": pl.String,
            "name": pl.String,
            "category": pl.String,
            "is_listed": pl.Boolean,
        },
    )


def parts(engine: Engine, since: datetime, until: datetime, channel: str) -> pl.DataFrame:
    """Orders of a channel placed in `since <= t < until`, by category, region and SKU.

    `orders` are fractions of orders that add up to whole ones; `revenue` is net.
    """
    return frames.query(
        engine,
        sql.read("order_parts"),
        {
            "channel": pl.String,
            "category": pl.String,
            "region": pl.String,
            "sku": pl.String,
            "orders": pl.Float64,
            "revenue": pl.Float64,
            "units": pl.Float64,
        },
        since=since,
        until=until,
        channel=channel,
    )
