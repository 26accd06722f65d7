"""ClickHouse, database `analytics`: what its tables are made of.

All are plain MergeTree tables whose partitions are replaced whole (see `warehouse.rollup`), so there is one
row per key without FINAL.
"""

from typing import Any

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import (
    DateTime64,
    Decimal,
    LowCardinality,
    Nullable,
    String,
    UInt64,
)
from sqlalchemy import Column, MetaData

DATABASE = "analytics"

STAGE_SUFFIX = "__stage"

metadata = MetaData(schema=DATABASE)

# Tables rebuilt by month of their `date` column; all others are replaced as one unit.
MONTHLY = (
    "daily_sales_summary",
    "daily_sales_as_happened",
    "daily_sales_reporting",
    "daily_channel_sales",
    "daily_region_sales",
    "daily_refunds",
    "daily_fees",
    "daily_margin",
    "daily_funnel",
    "inventory_daily",
    "forecast_accuracy",
)


def money() -> Any:
    """An exact amount, four places."""
    return Decimal(18, 4)


def rate() -> Any:
    """An exchange rate, twelve places."""
    return Decimal(24, 12)


def instant() -> Any:
    """A moment in UTC, to the millisecond."""
    return DateTime64(3, "UTC")


def code() -> Any:
    """A short word out of few."""
    return LowCardinality(String)


def column(name: str, kind: Any, comment: str, **options: Any) -> Column[Any]:
    """A column that is never null."""
    return Column(name, kind, comment=comment, nullable=False, **options)


def optional(name: str, kind: Any, comment: str) -> Column[Any]:
    """A column that may be null."""
    return Column(name, Nullable(kind), comment=comment)


def keys() -> tuple[Column[Any], Column[Any]]:
    """channel_id and product_id."""
    return (
        column("channel_id", UInt64, "channels.channel_id; the same id as in PostgreSQL."),
        column(
            "product_id", UInt64, "products.product_id; the same id as in PostgreSQL; 0: a line without one."
        ),
    )
