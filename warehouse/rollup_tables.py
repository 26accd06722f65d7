"""ClickHouse tables as units that are replaced whole."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import polars as pl
from clickhouse_connect.driver.client import Client

from warehouse.tables import rollup as tables

_TYPES = {
    "Date": pl.Date,
    "UInt64": pl.UInt64,
    "Int64": pl.Int64,
    "Float64": pl.Float64,
    "Bool": pl.Boolean,
    "String": pl.String,
}


def replace_partition(
    client: Client, table: str, partition: str, frame: pl.DataFrame, fence: Callable[[], None] | None = None
) -> int:
    """Replace one partition of `table` by `frame`, atomically; returns its rows.

    `partition` is ClickHouse's expression: '202603' or tuple(). `fence`, if given, is called between staging
    and swap and may raise to leave everything as it was.
    """
    live, stage = f"{tables.DATABASE}.{table}", f"{tables.DATABASE}.{table}{tables.STAGE_SUFFIX}"
    client.command(f"DROP TABLE IF EXISTS {stage}")
    if frame.is_empty():
        # A stage without the partition is refused as a source, rightly: emptying is said explicitly.
        if fence is not None:
            fence()
        client.command(f"ALTER TABLE {live} DROP PARTITION {partition}")
        return 0
    client.command(f"CREATE TABLE {stage} AS {live}")
    client.insert_arrow(f"{table}{tables.STAGE_SUFFIX}", frame.to_arrow(), database=tables.DATABASE)
    if fence is not None:
        fence()
    client.command(f"ALTER TABLE {live} REPLACE PARTITION {partition} FROM {stage}")
    client.command(f"DROP TABLE IF EXISTS {stage}")
    return frame.height


def columns_of(table: str) -> dict[str, Any]:
    """Columns of ClickHouse table `table` as Polars types."""
    columns = tables.metadata.tables[f"{tables.DATABASE}.{table}"].columns
    return {column.name: _polars_type(str(getattr(column.type, "name"))) for column in columns}  # noqa: B009


def month_of(day: date) -> date:
    """The first of its month."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """The first of the month after `month`."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_between(first: date, last: date) -> Iterator[date]:
    """Firsts of every month from that of `first` to that of `last`."""
    month = month_of(first)
    while month <= last:
        yield month
        month = next_month(month)


def _polars_type(name: str) -> Any:
    for wrapper in ("LowCardinality(", "Nullable("):
        if name.startswith(wrapper):
            name = name.removeprefix(wrapper).removesuffix(")")
    if name.startswith("Decimal"):
        return pl.Decimal(18, 4)
    if name.startswith("DateTime64"):
        return pl.Datetime("ms", "UTC")
    return _TYPES[name]
