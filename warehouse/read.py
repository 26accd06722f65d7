"""Named questions to PostgreSQL; each returns a frame."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine, text

from warehouse import frames, sql
from warehouse.frames import INSTANT, MONEY
from warehouse.quarantine import listed

_DEMAND = {
    "channel": pl.String,
    "sku": pl.String,
    "category": pl.String,
    "product_id": pl.Int64,
    "channel_id": pl.Int64,
    "date": pl.Date,
    "first_date": pl.Date,
    "last_date": pl.Date,
    "units": pl.Int64,
    "net_price": pl.Float64,
}
_LIST_PRICES = {"channel_id": pl.Int64, "product_id": pl.Int64, "list_price": pl.Float64}
_STOCK_DAYS = {
    "product_id": pl.Int64,
    "channel_id": pl.Int64,
    "known_from": pl.Date,
    "first_date": pl.Date,
    "last_date": pl.Date,
    "has_stock": pl.Boolean,
}


def has_orders(engine: Engine) -> bool:
    """Whether any order was ever loaded."""
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT EXISTS (SELECT FROM core.orders)")))


def demand_products(
    engine: Engine, until: date, *, skus: Sequence[str] | None = None, channels: Sequence[str] | None = None
) -> pl.DataFrame:
    """Products sold before a day, best sellers of the 90 days before it first: product_id, sku, category, series (how
    many channels sold it), units. `skus` and `channels` leave others out."""
    schema = {
        "product_id": pl.Int64,
        "sku": pl.String,
        "category": pl.String,
        "series": pl.Int64,
        "units": pl.Int64,
    }
    values = {
        "skus": None if skus is None else list(skus),
        "channels": None if channels is None else list(channels),
    }
    return frames.query(engine, sql.read("demand_products"), schema, until=until, **values)


def selling_channels(engine: Engine, account: str | None = None) -> list[str]:
    """Names of all channels, or of an account's, in their order."""
    query = "SELECT name FROM core.channels WHERE coalesce(account = %(account)s, true) ORDER BY name"
    return frames.query(engine, query, {"name": pl.String}, account=account)["name"].to_list()


def daily_demand(
    engine: Engine,
    since: date | None = None,
    until: date | None = None,
    *,
    products: Sequence[int] | None = None,
) -> pl.DataFrame:
    """Units ordered per series and business day, every day filled from its first sale.

    Columns: series_id "<channel>|<sku>", date, y (units ordered less cancelled, 0 where nothing sold), in_stock
    (1; 0 when nothing was sellable all day, by inventory_history; 1 before stock was first observed), price (net
    per unit that day, else the last one, else the listing's), category, channel. `since` is included, `until`
    is not; days after the last whole day we have read of the channel's orders are left out: they are unknown.
    `products` gives the series of these alone: all of a large catalogue would take gigabytes.
    """
    wanted = None if products is None else list(products)
    values = {"since": since, "until": until, "products": wanted}
    sold = frames.query(engine, sql.read("daily_demand"), _DEMAND, **values)
    if sold.is_empty():
        return _no_demand()
    prices = frames.query(engine, sql.read("list_prices"), _LIST_PRICES)
    series = (
        sold.group_by("channel", "sku", "category", "product_id", "channel_id")
        .agg(pl.col("first_date").first(), pl.col("last_date").first())
        .join(prices, on=["product_id", "channel_id"], how="left")
    )
    days = series.with_columns(date=pl.date_ranges("first_date", "last_date")).explode(
        "date", empty_as_null=False
    )
    keys = ["product_id", "channel_id", "date"]
    daily = days.join(sold.select(*keys, "units", "net_price"), on=keys, how="left").sort(
        "channel", "sku", "date"
    )
    daily = daily.join(out_of_stock_days(engine, wanted), on=keys, how="left", maintain_order="left")
    series_id = pl.concat_str("channel", pl.lit("|"), "sku")
    return daily.select(
        series_id=series_id,
        date="date",
        y=pl.col("units").fill_null(0).cast(pl.Float64),
        in_stock=pl.when(pl.col("is_out") & (pl.col("units").fill_null(0) <= 0))
        .then(0)
        .otherwise(1)
        .cast(pl.Int8),
        price=pl.col("net_price").forward_fill().over(series_id).fill_null(pl.col("list_price")),
        category="category",
        channel="channel",
    ).filter(pl.lit(True) if since is None else pl.col("date") >= since)


def stock_position(engine: Engine) -> pl.DataFrame:
    """Stock now per channel and SKU: units sellable (never below 0), reserved, inbound; when last looked at."""
    return frames.query(
        engine,
        sql.read("stock_position"),
        {
            "series_id": pl.String,
            "product_id": pl.Int64,
            "channel_id": pl.Int64,
            "channel": pl.String,
            "account": pl.String,
            "sku": pl.String,
            "name": pl.String,
            "category": pl.String,
            "available": pl.Int64,
            "reserved": pl.Int64,
            "inbound": pl.Int64,
            "source_updated_at": INSTANT,
            "observed_at": INSTANT,
            "is_confirmed": pl.Boolean,
            "price": pl.Float64,
            "currency": pl.String,
        },
    )


def stock_history(engine: Engine, since: datetime) -> pl.DataFrame:
    """Units sellable at the end of each business day per channel and SKU, all places together, from `since` to
    the last look. Columns: channel, sku, product_id, channel_id, date, available.
    """
    frame = frames.query(
        engine,
        sql.read("stock_history"),
        {
            "channel": pl.String,
            "sku": pl.String,
            "product_id": pl.Int64,
            "channel_id": pl.Int64,
            "date": pl.Date,
            "last_date": pl.Date,
            "available": pl.Int64,
        },
        since=since,
    )
    if frame.is_empty():
        return frame.drop("last_date")
    keys = ["channel", "sku", "product_id", "channel_id"]
    days = frame.group_by(keys).agg(first=pl.col("date").min(), last=pl.col("last_date").max())
    filled = days.with_columns(date=pl.date_ranges("first", "last")).explode("date", empty_as_null=False)
    return (
        filled.select(*keys, "date")
        .join(frame.select(*keys, "date", "available"), on=[*keys, "date"], how="left")
        .sort(*keys, "date")
        .with_columns(pl.col("available").forward_fill().over(keys))
    )


def freshness(engine: Engine) -> pl.DataFrame:
    """One row per account and resource ever synced: how far it is read, and how its last run ended."""
    return frames.query(
        engine,
        sql.read("freshness"),
        {
            "account": pl.String,
            "resource": pl.String,
            "read_until": INSTANT,
            "last_sync_at": INSTANT,
            "last_outcome": pl.String,
            "last_started_at": INSTANT,
            "last_message": pl.String,
            "refused": pl.Int64,
        },
    )


def latest_forecasts(engine: Engine, models: Sequence[str] | None = None) -> pl.DataFrame:
    """The newest forecast of every series: the columns of a forecast frame and product_id, channel_id."""
    return frames.query(
        engine,
        sql.read("latest_forecasts"),
        {
            "series_id": pl.String,
            "product_id": pl.Int64,
            "channel_id": pl.Int64,
            "date": pl.Date,
            "model": pl.String,
            "yhat": pl.Float64,
            "lo80": pl.Float64,
            "hi80": pl.Float64,
            "lo95": pl.Float64,
            "hi95": pl.Float64,
            "generated_at": INSTANT,
        },
        models=list(models) if models is not None else None,
    )


def day_totals(engine: Engine) -> pl.DataFrame:
    """Orders, units and revenue per channel and business day of the order, by currency."""
    return frames.query(
        engine,
        sql.read("day_totals"),
        {
            "channel": pl.String,
            "channel_id": pl.Int64,
            "date": pl.Date,
            "currency": pl.String,
            "orders": pl.Int64,
            "units": pl.Int64,
            "revenue": MONEY,
            "refunded": MONEY,
        },
    )


def quarantine(engine: Engine, limit: int = 1000) -> pl.DataFrame:
    """Records refused and not loaded since, newest first."""
    return listed(engine, limit=limit)


def refused(engine: Engine, since: datetime) -> pl.DataFrame:
    """Rows read and records refused per account and resource by runs that began at or after `since`."""
    return frames.query(
        engine,
        "SELECT account, resource, sum(rows_quarantined)::bigint AS refused, sum(rows_read)::bigint AS rows"
        " FROM ops.runs WHERE account IS NOT NULL AND resource IS NOT NULL AND started_at >= %(since)s GROUP BY 1, 2",
        {"account": pl.String, "resource": pl.String, "refused": pl.Int64, "rows": pl.Int64},
        since=since,
    )


def runs(engine: Engine, limit: int = 50) -> pl.DataFrame:
    """The newest runs of the ledger."""
    return frames.query(
        engine,
        "SELECT id, kind, account, resource, since, until, outcome, started_at, finished_at, rows_read,"
        " rows_inserted, rows_updated, rows_unchanged, rows_quarantined, message"
        " FROM ops.runs ORDER BY id DESC LIMIT %(limit)s",
        {
            "id": pl.Int64,
            "kind": pl.String,
            "account": pl.String,
            "resource": pl.String,
            "since": INSTANT,
            "until": INSTANT,
            "outcome": pl.String,
            "started_at": INSTANT,
            "finished_at": INSTANT,
            "rows_read": pl.Int64,
            "rows_inserted": pl.Int64,
            "rows_updated": pl.Int64,
            "rows_unchanged": pl.Int64,
            "rows_quarantined": pl.Int64,
            "message": pl.String,
        },
        limit=limit,
    )


def schema_notes(engine: Engine) -> pl.DataFrame:
    """Drift seen in sources' answers, one row a kind."""
    return frames.query(
        engine,
        "SELECT account, resource, note, times, first_seen_at, last_seen_at FROM ops.schema_notes ORDER BY 1, 2, 3",
        {
            "account": pl.String,
            "resource": pl.String,
            "note": pl.String,
            "times": pl.Int64,
            "first_seen_at": INSTANT,
            "last_seen_at": INSTANT,
        },
    )


def restatements(engine: Engine, limit: int = 1000) -> pl.DataFrame:
    """Published days that moved: by how much and why, newest first."""
    return frames.query(
        engine,
        "SELECT c.name AS channel, r.order_date, r.currency, r.kind, r.orders, r.units_delta, r.revenue_delta,"
        " r.recorded_at, r.run_id FROM core.restatements r JOIN core.channels c ON c.id = r.channel_id"
        " ORDER BY r.id DESC LIMIT %(limit)s",
        {
            "channel": pl.String,
            "order_date": pl.Date,
            "currency": pl.String,
            "kind": pl.String,
            "orders": pl.Int64,
            "units_delta": pl.Int64,
            "revenue_delta": MONEY,
            "recorded_at": INSTANT,
            "run_id": pl.Int64,
        },
        limit=limit,
    )


def out_of_stock_days(engine: Engine, products: Sequence[int] | None = None) -> pl.DataFrame:
    """Days on which no place had anything sellable at any time; columns product_id, channel_id, date, is_out."""
    spans = frames.query(engine, sql.read("stock_days"), _STOCK_DAYS, products=products)
    keys = ["product_id", "channel_id"]
    if spans.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(keys, pl.Int64), "date": pl.Date, "is_out": pl.Boolean})
    days = spans.with_columns(date=pl.date_ranges("first_date", "last_date")).explode(
        "date", empty_as_null=False
    )
    return (
        days.filter(pl.col("date") >= pl.col("known_from"))
        .group_by(*keys, "date")
        .agg(is_out=~pl.col("has_stock").any())
        .filter("is_out")
    )


def _no_demand() -> pl.DataFrame:
    schema: dict[str, Any] = {
        "series_id": pl.String,
        "date": pl.Date,
        "y": pl.Float64,
        "in_stock": pl.Int8,
        "price": pl.Float64,
        "category": pl.String,
        "channel": pl.String,
    }
    return pl.DataFrame(schema=schema)
