"""How orders were sent and delivered: the table `delivery_performance`, and what slows a channel down."""

from datetime import date, datetime, timedelta

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine

from warehouse import frames, schema, sql
from warehouse.rollup_tables import Fence, replace_partition, typed

LONGEST = timedelta(days=60)  # from order to sending; what took longer is no measure of handling
_COUNTS = (
    "orders shipped_on_time shipped_late shipping_unknown shipped delivered_on_time delivered_late delivery_unknown "
    "delivered"
).split()


def weeks(engine: Engine, since: date, until: date, as_of: datetime) -> pl.DataFrame:
    """Rows of `delivery_performance`, with their channel's name, of orders of `since <= day < until` as of then."""
    found = frames.query(
        engine,
        sql.read("delivery_weeks"),
        {
            "week": pl.Date,
            "channel_id": pl.Int64,
            "channel": pl.String,
            "ship_country": pl.String,
            "ship_region": pl.String,
            "fulfilled_by": pl.String,
            "orders": pl.Int64,
            "shipped_on_time": pl.Int64,
            "shipped_late": pl.Int64,
            "shipping_unknown": pl.Int64,
            "shipped": pl.Int64,
            "days_to_ship": pl.Float64,
            "delivered_on_time": pl.Int64,
            "delivered_late": pl.Int64,
            "delivery_unknown": pl.Int64,
            "delivered": pl.Int64,
            "days_to_deliver": pl.Float64,
        },
        since=since,
        until=until,
        as_of=as_of,
    )
    return with_rates(found)


def with_rates(counted: pl.DataFrame) -> pl.DataFrame:
    """Counts with the rates of what is known; null where nothing is."""

    def share(good: str, bad: str) -> pl.Expr:
        known = pl.col(good) + pl.col(bad)
        return pl.when(known > 0).then(pl.col(good) / known)

    return counted.with_columns(
        shipped_on_time_rate=share("shipped_on_time", "shipped_late"),
        delivered_late_rate=share("delivered_late", "delivered_on_time"),
    )


def summed(counted: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Rows of `weeks` put together by `keys`: days are means of orders, not of rows."""
    days = [
        (pl.col(days) * pl.col(count)).sum() / pl.col(count).sum()
        for days, count in (("days_to_ship", "shipped"), ("days_to_deliver", "delivered"))
    ]
    return with_rates(
        counted.group_by(keys).agg(pl.col(_COUNTS).sum(), *(one.fill_nan(None) for one in days))
    )


def publish(client: Client, counted: pl.DataFrame, as_of: datetime, fence: Fence | None = None) -> int:
    """Replace `delivery_performance` by rows of `weeks`; returns their number."""
    schema.require_clickhouse(client)
    table = "delivery_performance"
    return replace_partition(client, table, "tuple()", typed(table, counted, as_of), fence)


def delays(engine: Engine, channel: str, since: datetime, until: datetime, usual: timedelta) -> pl.DataFrame:
    """`sku, sent, sent_before, days, days_before`: from order to sending, of what a channel sent in
    `since <= t < until` and in the time `usual` before."""
    return frames.query(
        engine,
        sql.read("shipping_delays"),
        {
            "sku": pl.String,
            "sent": pl.Int64,
            "sent_before": pl.Int64,
            "days": pl.Float64,
            "days_before": pl.Float64,
        },
        channel=channel,
        since=since,
        until=until,
        usual_since=since - usual,
        ordered_since=(since - usual - LONGEST).date(),
    )
