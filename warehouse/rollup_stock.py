"""Stock and forecasts into ClickHouse: by day, as health now, and forecasts beside what was sold."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from warehouse import frames, read, sql
from warehouse.rollup_tables import Fence, columns_of, month_of, months_between, next_month, replace_partition
from warehouse.tables.analytics import DATABASE

HEALTH_DAYS = 28
_KEYS = ["product_id", "channel_id"]


def publish_stock(engine: Engine, client: Client, fence: Fence, *, everything: bool) -> int:
    """inventory_daily from the last published month on (or all of it), and inventory_health; returns rows."""
    days = stock_by_day(engine)
    if days.is_empty():
        return 0
    first, last = days["date"].min(), days["date"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    if not everything:
        # A month back: what the source dates earlier than we saw it may still change the month before.
        published = client.query(f"SELECT max(date) FROM {DATABASE}.inventory_daily").result_rows[0][0]
        first = max(first, month_of(month_of(published) - timedelta(days=1)))
    rows = 0
    for month in months_between(first, last):
        part = days.filter(pl.col("date").is_between(month, next_month(month), closed="left"))
        rows += replace_partition(
            client, "inventory_daily", f"'{month:%Y%m}'", _typed(part, "inventory_daily"), fence
        )
    return rows + replace_partition(client, "inventory_health", "tuple()", stock_health(engine, days), fence)


def publish_forecasts(engine: Engine, client: Client, fence: Fence, months: Iterable[date]) -> int:
    """Forecasts when there are newer ones, and accuracy for the months given; returns rows."""
    with engine.connect() as connection:
        newest = connection.scalar(text("SELECT max(generated_at) FROM core.forecasts"))
    if newest is None:
        return 0
    assert isinstance(newest, datetime)
    shown = client.query(
        f"SELECT max(generated_at) = {{at:DateTime64(3)}} FROM {DATABASE}.forecasts",
        parameters={"at": newest.replace(microsecond=newest.microsecond // 1000 * 1000)},
    ).result_rows[0][0]
    rows = 0
    if not shown:
        frame = _fetch(engine, "publish_forecasts", "forecasts")
        rows += replace_partition(client, "forecasts", "tuple()", frame, fence)
    for month in months:
        frame = _fetch(
            engine, "publish_forecast_accuracy", "forecast_accuracy", first=month, after=next_month(month)
        )
        rows += replace_partition(client, "forecast_accuracy", f"'{month:%Y%m}'", frame, fence)
    return rows


def stock_by_day(engine: Engine) -> pl.DataFrame:
    """closing_units and in_stock per product, channel and business day since first observed."""
    closing = read.stock_history(engine, datetime.fromisoformat("1990-01-01T00:00:00+00:00"))
    out = read.out_of_stock_days(engine)
    joined = closing.join(out, on=[*_KEYS, "date"], how="left")
    return joined.select(
        *_KEYS,
        "date",
        closing_units="available",
        in_stock=(pl.col("available") > 0) | ~pl.col("is_out").fill_null(False),
    )


def stock_health(engine: Engine, days: pl.DataFrame) -> pl.DataFrame:
    """One row per product and channel in stock: what is there against the last 28 days."""
    base = frames.query(
        engine,
        sql.read("stock_health"),
        {
            "product_id": pl.Int64,
            "channel_id": pl.Int64,
            "as_of": pl.Datetime("ms", "UTC"),
            "today": pl.Date,
            "quantity_available": pl.Int64,
            "quantity_reserved": pl.Int64,
            "quantity_inbound": pl.Int64,
            "reorder_point": pl.Int64,
            "units_sold_28d": pl.Int64,
        },
        days=HEALTH_DAYS,
    )
    today = base.select(*_KEYS, "today")
    recent = days.join(today, on=_KEYS).filter(
        (pl.col("date") < pl.col("today"))
        & (pl.col("date") >= pl.col("today") - pl.duration(days=HEALTH_DAYS))
    )
    counted = recent.group_by(_KEYS).agg(
        days_in_stock_28d=pl.col("in_stock").sum().cast(pl.Int64),
        stockout_days_28d=(~pl.col("in_stock")).sum().cast(pl.Int64),
    )
    sold, available = pl.col("units_sold_28d"), pl.col("quantity_available")
    velocity = pl.when(pl.col("days_in_stock_28d") > 0).then(sold / pl.col("days_in_stock_28d"))
    return _typed(
        base.join(counted, on=_KEYS, how="left")
        .with_columns(pl.col("days_in_stock_28d", "stockout_days_28d").fill_null(0))
        .with_columns(
            velocity=velocity,
            sell_through=pl.when(sold + available > 0).then(sold / (sold + available)),
        )
        .with_columns(days_of_cover=pl.when(pl.col("velocity") > 0).then(available / pl.col("velocity"))),
        "inventory_health",
    )


def _fetch(engine: Engine, statement: str, table: str, **values: Any) -> pl.DataFrame:
    return frames.query(engine, sql.read(statement), columns_of(table), **values)


def _typed(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(kind) for name, kind in columns_of(table).items())
