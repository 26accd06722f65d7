"""What is in both databases, beside what happened in the world: every difference is a wrong row."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from connectors.sandbox import truth
from connectors.sandbox.world import Market, World
from warehouse import checks

_CENT = 0.005
_CORE_LINES = """
    SELECT c.name AS channel, date_trunc('second', o.ordered_at)::text, date_trunc('second', o.source_updated_at)::text,
           i.sku,
           sum(i.quantity)::bigint AS quantity,
           sum(CASE WHEN o.status = 'cancelled' THEN i.quantity ELSE i.cancelled_quantity END)::bigint AS cancelled,
           sum(i.refunded_quantity)::bigint AS refunded
    FROM core.orders o JOIN core.channels c ON c.id = o.channel_id JOIN core.order_items i ON i.order_id = o.id
    WHERE c.name = ANY (:channels) GROUP BY o.id, c.name, i.sku
"""
_CORE_STOCK = """
    SELECT c.name AS channel, p.sku, sum(i.quantity_available)::bigint AS available
    FROM core.inventory i JOIN core.channels c ON c.id = i.channel_id JOIN core.products p ON p.id = i.product_id
    WHERE c.name = ANY (:channels) GROUP BY 1, 2 HAVING sum(i.quantity_available) <> 0
"""
_PUBLISHED = """
    SELECT c.name AS channel, toString(s.date) AS day, sum(s.total_units), sum(s.refunded_units),
           toFloat64(sum(s.total_revenue))
    FROM analytics.daily_sales_summary s LEFT JOIN analytics.channels c ON c.channel_id = s.channel_id
    WHERE channel IN {channels:Array(String)}
    GROUP BY channel, day
"""
_BOTH_CLOCKS = """
    SELECT channel_id, product_id, sum(units), sum(revenue) FROM (
        SELECT channel_id, product_id, total_units AS units, total_revenue AS revenue
        FROM analytics.daily_sales_summary
        UNION ALL SELECT channel_id, product_id, -total_units, -total_revenue FROM analytics.daily_sales_as_happened
    ) GROUP BY channel_id, product_id HAVING sum(units) <> 0 OR sum(revenue) <> 0
"""


def wrong_rows(
    engine: Engine,
    client: Client,
    world: World,
    markets: Sequence[Market],
    now: datetime,
    *,
    stock: bool = False,
) -> list[str]:
    """One line for every order line, stock level (if `stock`), day and check of `markets` that is not as it
    happened up to `now`."""
    found = [f"core line: {row}" for row in _lines(engine, world, markets, now)]
    found += [f"published day: {row}" for row in _days(client, world, markets, now)]
    if stock:
        found += [f"stock: {row}" for row in _stock(engine, world, markets, now)]
    found += [f"the two clocks differ: {row}" for row in client.query(_BOTH_CLOCKS).result_rows]
    results = [*checks.after_load(engine), *checks.after_publish(engine, client)]
    return found + [f"{r.name}: {r.detail}" for r in results if not r.ok and r.severity == "fail"]


def orders_off(
    engine: Engine, world: World, markets: Sequence[Market], now: datetime
) -> set[tuple[str, str]]:
    """Channel and instant of every order in core that is not as it was at `now`, or not there."""
    return {(row[0], row[1]) for row in _lines(engine, world, markets, now)}


def _lines(engine: Engine, world: World, markets: Sequence[Market], now: datetime) -> list[Any]:
    wanted = []
    for market in markets:
        for order in truth.all_orders(world, market.channel, now):
            given_back: dict[int, int] = {}
            for refund in order.refunds:
                for part in refund.lines:
                    given_back[part.line_number] = given_back.get(part.line_number, 0) + part.quantity
            clocks = [f"{at:%Y-%m-%d %H:%M:%S}+00" for at in (order.created_at, order.updated_at)]
            by_sku: dict[str | None, list[int]] = {}  # a report tells the cancelled part of a line as a line
            for line in order.lines:
                gone = line.quantity if order.cancelled_at is not None else line.cancelled
                sums = by_sku.setdefault(line.sku, [0, 0, 0])
                for place, units in enumerate((line.quantity, gone, given_back.get(line.number, 0))):
                    sums[place] += units
            wanted += [(market.channel, *clocks, sku, *sums) for sku, sums in by_sku.items()]
    return _difference(engine, _CORE_LINES, wanted, markets)


def _stock(engine: Engine, world: World, markets: Sequence[Market], now: datetime) -> list[Any]:
    levels: dict[tuple[str, str], int] = {}
    for market in markets:
        for level in world.stock(market.channel, now):
            key = market.channel, level.sku
            levels[key] = levels.get(key, 0) + level.available
    wanted = [(*key, units) for key, units in levels.items() if units]
    return _difference(engine, _CORE_STOCK, wanted, markets)


def _difference(engine: Engine, query: str, wanted: list[Any], markets: Sequence[Market]) -> list[Any]:
    """Rows with how often they should be there and how often they are, where that differs."""
    with engine.connect() as connection:
        rows = connection.execute(text(query), {"channels": [market.channel for market in markets]})
        ours = Counter(tuple(row) for row in rows)
    theirs = Counter(wanted)
    return [
        (*row, f"{theirs[row]} wanted, {ours[row]} found")
        for row in theirs.keys() | ours.keys()
        if theirs[row] != ours[row]
    ]


def _days(client: Client, world: World, markets: Sequence[Market], now: datetime) -> list[Any]:
    """Business days of a channel whose units, refunded units or revenue differ."""
    keys = ["channel", "date"]
    figures = ["units", "refunded_units", "revenue"]
    channels = [market.channel for market in markets]
    wanted = (
        truth.expected(world, now, channels)
        .group_by("channel", pl.col("date").cast(pl.String))
        .agg(pl.col("units", "refunded_units").sum(), pl.col("revenue").sum().cast(pl.Float64))
    )
    published = client.query(_PUBLISHED, parameters={"channels": channels}).result_rows
    ours = pl.DataFrame(published, schema=wanted.schema, orient="row")
    both = wanted.join(ours, on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_ours")
    off = [(pl.col(name) - pl.col(f"{name}_ours")).abs() > _CENT for name in figures]
    off[-1] &= pl.struct(keys).is_in(_unpriced(world, now)).not_()
    return both.with_columns(pl.all().exclude(keys).fill_null(0)).filter(pl.any_horizontal(off)).rows()


def _unpriced(world: World, now: datetime) -> pl.Series:
    """Days with an order that is not paid yet: Amazon tells no prices of such."""
    days = [
        {
            "channel": market.channel,
            "date": str(order.created_at.astimezone(ZoneInfo(market.timezone)).date()),
        }
        for market in world.markets
        if market.platform == "amazon"
        for order in truth.all_orders(world, market.channel, now)
        if order.paid_at is None
    ]
    return pl.Series(days, dtype=pl.Struct({"channel": pl.String, "date": pl.String}))
