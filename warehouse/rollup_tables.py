"""ClickHouse tables as units that are replaced whole."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import polars as pl
from clickhouse_connect.driver.client import Client

from warehouse import cluster, schema
from warehouse.tables import analytics as tables

Fence = Callable[[], None]

_TYPES = {
    "Date": pl.Date,
    "UInt64": pl.UInt64,
    "Int64": pl.Int64,
    "Float64": pl.Float64,
    "Bool": pl.Boolean,
    "String": pl.String,
}


def replace_partition(
    client: Client, table: str, partition: str, frame: pl.DataFrame, fence: Fence | None = None
) -> int:
    """Replace one partition of `table` by `frame`, atomically; returns its rows.

    `partition` is ClickHouse's expression: '202603' or tuple(). `fence`, if given, is called between staging
    and swap and may raise to leave everything as it was.
    """

    def fill(stage: str) -> int:
        if not frame.is_empty():
            client.insert_arrow(
                stage, frame.to_arrow(), database=tables.DATABASE, settings=cluster.inserting(client)
            )
        return frame.height

    return _replace(client, table, partition, fill, fence)


def replace_whole(client: Client, table: str, frame: pl.DataFrame, as_of: datetime) -> int:
    """Replace all of a table with an `as_of` column by `frame`, atomically; further columns are left out. Returns its
    rows. Raises SchemaError when ClickHouse is at another revision."""
    schema.require_clickhouse(client)
    return replace_partition(client, table, "tuple()", typed(table, frame, as_of))


def typed(table: str, frame: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The columns of `table` out of `frame` and `as_of`, in its types; figures are rounded to them."""
    stamped = frame.with_columns(as_of=pl.lit(as_of))
    return stamped.select(_typed(name, kind) for name, kind in columns_of(table).items())


def _typed(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Decimal):
        return column.cast(pl.Float64).fill_nan(None).round(4).cast(kind)
    if kind == pl.Int64:
        return column.cast(pl.Float64).round(0).cast(kind)
    return column.cast(kind)


def derive_partition(
    client: Client,
    table: str,
    partition: str,
    query: str,
    parameters: dict[str, Any],
    fence: Fence | None = None,
) -> int:
    """Replace one partition of `table` by what `query` makes of other published tables, atomically; returns its
    rows. Columns go by name."""

    def fill(stage: str) -> int:
        names = ", ".join(columns_of(table))
        client.command(
            f"INSERT INTO {tables.DATABASE}.{stage} ({names}) SELECT {names} FROM ({query})",
            parameters=parameters,
            settings=cluster.inserting(client),
        )
        return int(client.query(f"SELECT count() FROM {tables.DATABASE}.{stage}").result_rows[0][0])

    return _replace(client, table, partition, fill, fence)


def _replace(
    client: Client, table: str, partition: str, fill: Callable[[str], int], fence: Fence | None
) -> int:
    stage = f"{table}{tables.STAGE_SUFFIX}"
    live, staged = f"{tables.DATABASE}.{table}", f"{tables.DATABASE}.{stage}"
    cluster.run(client, f"DROP TABLE IF EXISTS {staged}")
    cluster.run(client, f"CREATE TABLE {staged} AS {live}")
    rows = fill(stage)
    if fence is not None:
        fence()
    if rows:
        cluster.run(client, f"ALTER TABLE {live} REPLACE PARTITION {partition} FROM {staged}")
    else:
        # A stage without the partition is refused as a source, rightly: emptying is said explicitly.
        cluster.run(client, f"ALTER TABLE {live} DROP PARTITION {partition}")
    cluster.run(client, f"DROP TABLE IF EXISTS {staged}")
    return rows


def columns_of(table: str) -> dict[str, Any]:
    """Columns of ClickHouse table `table` as Polars types."""
    columns = tables.metadata.tables[f"{tables.DATABASE}.{table}"].columns
    return {column.name: _polars_type(str(getattr(column.type, "name"))) for column in columns}  # noqa: B009 ClickHouse's own, untyped


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
        precision, scale = name.removeprefix("Decimal(").removesuffix(")").split(",")
        return pl.Decimal(int(precision), int(scale))
    if name.startswith("DateTime64"):
        return pl.Datetime("ms", "UTC")
    return _TYPES[name]
