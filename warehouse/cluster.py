"""ClickHouse on several machines: the same statements, rewritten for a cluster. Without one nothing is rewritten.

What grows with time (the tables partitioned by month) is spread over the shards: `<table>__shard` on each, replicated
within it, and `<table>` in front of all of them. Everything else stands whole on every machine, so that joins stay on
one. Who publishes, migrates or reads names the same tables either way.

The cluster's name comes with the address (`?cluster=name`, see WHARF_CLICKHOUSE_CLUSTER); `{cluster}` takes it from the
servers' own macros. The servers need Keeper, a database engine Atomic, and the macros `shard` and `replica`.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import WeakKeyDictionary

from clickhouse_connect.driver.client import Client

from warehouse.tables.analytics import DATABASE, STAGE_SUFFIX, metadata

SHARD_SUFFIX = "__shard"
# Rows of one product lie together; without products, those of one channel.
_SHARDING = {
    "product_id": "cityHash64(product_id)",
    "sku": "cityHash64(sku)",
    "channel_id": "cityHash64(channel_id)",
}
_REPLICATED_SHARD = "ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')"
_REPLICATED_WHOLE = "ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}-{replica}')"
_WHICH = rf"(?:{DATABASE}|`{DATABASE}`)\.`?(\w+)`?"
_CREATE = re.compile(
    rf"CREATE TABLE (?:IF NOT EXISTS )?{_WHICH} (\(.*) Engine MergeTree\b(.*)", re.DOTALL | re.IGNORECASE
)
_COPY = re.compile(rf"CREATE TABLE {_WHICH} AS {_WHICH}")
_DROP = re.compile(rf"DROP TABLE (IF EXISTS )?{_WHICH}")
_SWAP = re.compile(rf"ALTER TABLE {_WHICH} REPLACE PARTITION (\S+) FROM {_WHICH}")
_ALTER = re.compile(rf"ALTER TABLE {_WHICH} (.*)", re.DOTALL)
_ROWS = re.compile(r"(DROP PARTITION|DELETE|\w+ PROJECTION)\b")
_named: WeakKeyDictionary[Client, str | None] = WeakKeyDictionary()


def statements(statement: str, cluster: str | None) -> list[str]:
    """What to run for `statement`, in order: itself where there is no cluster, or where it reads or inserts."""
    if cluster is None:
        return [statement]
    on = f"ON CLUSTER '{cluster}'"
    if statement.startswith("CREATE DATABASE"):
        return [f"{statement} {on}"]
    if found := _CREATE.fullmatch(statement):
        table, columns, rest = found.groups()
        return _created(table, columns, rest, cluster)
    if found := _COPY.fullmatch(statement):
        made, like = found.groups()
        if not is_sharded(like):
            return [f"CREATE TABLE {DATABASE}.{made} {on} AS {DATABASE}.{like}"]
        copied = f"CREATE TABLE {_shard(made)} {on} AS {_shard(like)}"
        return [copied, _front(made, _sharding(like), cluster)]
    if found := _SWAP.fullmatch(statement):
        table, partition, stage = found.groups()
        if not is_sharded(table):  # one replicated table: what is done to a copy is done to all
            return [f"{statement} SETTINGS alter_sync = 2"]
        # A shard that has nothing of the month any more gives up what it had.
        settings = "SETTINGS allow_replace_partition_from_empty_source = 1, alter_sync = 2"
        return [
            f"SYSTEM SYNC REPLICA {on} {_shard(stage)}",
            f"ALTER TABLE {_shard(table)} {on} REPLACE PARTITION {partition} FROM {_shard(stage)} {settings}",
        ]
    if found := _DROP.fullmatch(statement):
        exists, table = found.group(1) or "", found.group(2)
        dropped = [f"DROP TABLE {exists}{DATABASE}.{table} {on} SYNC"]
        return [*dropped, f"DROP TABLE {exists}{_shard(table)} {on} SYNC"] if is_sharded(table) else dropped
    if found := _ALTER.fullmatch(statement):
        table, change = found.groups()
        if not is_sharded(table):
            return [statement]
        behind = f"ALTER TABLE {_shard(table)} {on} {change}"
        # Rows are behind the front only; columns are named by both.
        return [behind] if _ROWS.match(change) else [behind, f"ALTER TABLE {DATABASE}.{table} {on} {change}"]
    return [statement]


def run(client: Client, statement: str) -> None:
    """Run `statement`, on all machines where the tables stand on several."""
    for one in statements(statement, named(client)):
        client.command(one)


def inserting(client: Client) -> dict[str, Any]:
    """Settings for an INSERT after which the rows are there: on every shard, where there are shards."""
    return {"distributed_foreground_insert": 1, "insert_quorum": "auto"} if named(client) else {}


def named(client: Client) -> str | None:
    """The cluster the tables stand on, as they say themselves; None: on one machine."""
    if client not in _named:
        rows = client.query(
            "SELECT engine_full FROM system.tables WHERE database = {of:String} AND engine = 'Distributed' LIMIT 1",
            parameters={"of": DATABASE},
        ).result_rows
        _named[client] = str(rows[0][0]).split("'")[1] if rows else None
    return _named[client]


def in_url(url: str) -> str | None:
    """The cluster an address names; None: none."""
    return dict(parse_qsl(urlsplit(url).query)).get("cluster")


def with_cluster(url: str, cluster: str) -> str:
    """The address with the cluster's name in it."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode({'cluster': cluster})}"


def is_sharded(table: str) -> bool:
    """Whether `table`, or the one it is a stage of, is spread over shards: what is partitioned by month."""
    known = metadata.tables.get(f"{DATABASE}.{table.removesuffix(STAGE_SUFFIX)}")
    return known is not None and "PARTITION BY" in str(getattr(known, "engine").compile())  # noqa: B009 ClickHouse's own, untyped


def _created(table: str, columns: str, rest: str, cluster: str) -> list[str]:
    on = f"ON CLUSTER '{cluster}'"
    if "PARTITION BY" not in rest:
        return [
            f"CREATE TABLE IF NOT EXISTS {DATABASE}.{table} {on} {columns} Engine {_REPLICATED_WHOLE}{rest}"
        ]
    key = next(how for column, how in _SHARDING.items() if f"`{column}`" in columns)
    return [
        f"CREATE TABLE IF NOT EXISTS {_shard(table)} {on} {columns} Engine {_REPLICATED_SHARD}{rest}",
        _front(table, key, cluster),
    ]


def _front(table: str, key: str, cluster: str) -> str:
    behind = f"{table}{SHARD_SUFFIX}"
    return (
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.{table} ON CLUSTER '{cluster}' AS {DATABASE}.{behind}"
        f" Engine Distributed('{cluster}', '{DATABASE}', '{behind}', {key})"
    )


def _sharding(table: str) -> str:
    columns = metadata.tables[f"{DATABASE}.{table}"].columns
    return next(how for column, how in _SHARDING.items() if column in columns)


def _shard(table: str) -> str:
    return f"{DATABASE}.{table}{SHARD_SUFFIX}"
