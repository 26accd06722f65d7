"""How places and products do: tables derived in ClickHouse from published ones, and what their pictures show."""

from datetime import date, datetime

import polars as pl
from clickhouse_connect.driver.client import Client

from warehouse import schema, sql
from warehouse.rollup_tables import Fence, derive_partition
from warehouse.tables.performance import NAMES


def publish(client: Client, table: str, until: date, as_of: datetime, fence: Fence | None = None) -> int:
    """Replace one of `NAMES` by what the days before `until` say; returns its rows."""
    if table not in NAMES:
        raise ValueError(f"{table} is no table of performance; known are {list(NAMES)}")
    schema.require_clickhouse(client)
    values = {"until": until, "as_of": as_of}
    return derive_partition(client, table, "tuple()", sql.read(f"derive_{table}"), values, fence)


def regions(client: Client, most: int = 40) -> pl.DataFrame:
    """The largest places with their channel's name: channel, place, currency, orders, revenue, share, growth, own."""
    return _frame(
        client,
        "SELECT c.name, concat(r.ship_country, if(r.ship_region = '', '', concat('-', r.ship_region))),"
        " r.currency, r.num_orders, toFloat64(r.total_revenue), r.revenue_share, r.refund_rate, r.growth,"
        " r.growth_beside_channel FROM analytics.region_performance r"
        " JOIN analytics.channels c ON c.channel_id = r.channel_id"
        " ORDER BY r.total_revenue DESC, 2 LIMIT {most:UInt32}",
        {
            "channel": pl.String, "place": pl.String, "currency": pl.String, "orders": pl.Int64,
            "revenue": pl.Float64, "share": pl.Float64, "refund_rate": pl.Float64, "growth": pl.Float64,
            "own_growth": pl.Float64,
        },
        most=most,
    )  # fmt: skip


def earnings(client: Client) -> pl.DataFrame:
    """Every product on every channel: channel, sku, name, currency and the amounts of `profitability`."""
    return _frame(
        client,
        "SELECT c.name, p.sku, coalesce(p.name, p.sku), f.currency, f.total_units, toFloat64(f.net_sales),"
        " toFloat64(f.refunded), toFloat64(f.fees) + toFloat64(f.fee_share), toFloat64(f.shipping_paid),"
        " toFloat64(f.goods_cost), toFloat64(f.contribution), f.contribution_rate FROM analytics.profitability f"
        " JOIN analytics.channels c ON c.channel_id = f.channel_id"
        " JOIN analytics.products p ON p.product_id = f.product_id ORDER BY f.net_sales DESC, p.sku",
        {
            "channel": pl.String, "sku": pl.String, "name": pl.String, "currency": pl.String, "units": pl.Int64,
            "net_sales": pl.Float64, "refunded": pl.Float64, "fees": pl.Float64, "shipping_paid": pl.Float64,
            "goods_cost": pl.Float64, "contribution": pl.Float64, "contribution_rate": pl.Float64,
        },
    )  # fmt: skip


def _frame(client: Client, query: str, columns: dict[str, type[pl.DataType]], **values: int) -> pl.DataFrame:
    rows = client.query(query, parameters=values).result_rows
    return pl.DataFrame(rows, schema=columns, orient="row")
