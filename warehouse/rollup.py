"""Core into ClickHouse: whole months of daily sales and whole dimensions, replaced atomically.

A month is recomputed from the ledger and swapped in by REPLACE PARTITION, so publishing twice, or again after
a crash at any point, gives the same rows, and a reader sees a month before or after, never in between. The
days to publish are read with their versions before anything is computed and only those versions are cleared
afterwards: what changes meanwhile stays dirty.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from clickhouse_connect.driver.client import Client
from sqlalchemy import Connection, Engine, text

from warehouse import frames, schema, sql
from warehouse.batch import Published
from warehouse.errors import PublishBusyError
from warehouse.rollup_stock import publish_forecasts, publish_stock
from warehouse.rollup_tables import columns_of, month_of, next_month, replace_partition
from warehouse.tables import rollup as tables

_LOCK = 0x57484152_46000002
_SALES = {
    "daily_sales_summary": ("order_date", "publish_orders_by_order_date"),
    "daily_sales_as_happened": ("happened_date", "publish_orders_as_happened"),
}


@dataclass(frozen=True)
class DirtyDay:
    """A day to publish, at the version we saw."""

    channel_id: int
    day: date
    version: int


def publish(
    engine: Engine,
    client: Client,
    days: Iterable[date] | None = None,
    *,
    on_step: Callable[[str], None] = lambda step: None,
) -> Published:
    """Bring ClickHouse up to date: all dirty days, or the months of `days` whether dirty or not.

    Dimensions, cohorts and the journal go with it. Safe to repeat and to run from several processes: raises
    PublishBusyError when another one is publishing. `on_step` hears of each step before it is taken.
    """
    started = time.monotonic()
    schema.require_clickhouse(client)
    with only_publisher(engine, on_step) as lock:
        schema.require(lock.connection)
        dirty = _dirty_days(engine)
        wanted = {month_of(entry.day) for entry in dirty} if days is None else {month_of(day) for day in days}
        rows = 0
        for month in sorted(wanted):
            for table in _SALES:
                on_step(f"{table} {month:%Y-%m}")
                rows += _publish_month(engine, client, table, month, lock)
        on_step("dimensions")
        rows += _publish_wholes(engine, client, lock, everything=bool(wanted))
        on_step("stock and forecasts")
        rows += publish_stock(engine, client, lock.still_held, everything=days is not None)
        rows += publish_forecasts(engine, client, lock.still_held, sorted(wanted))
        on_step("clear")
        done = [entry for entry in dirty if month_of(entry.day) in wanted]
        _clear(engine, done, sorted(wanted))
    return Published(
        days=len({(entry.channel_id, entry.day) for entry in done}),
        months=tuple(sorted(wanted)),
        rows=rows,
        seconds=time.monotonic() - started,
    )


def publish_all(engine: Engine, client: Client) -> Published:
    """Rebuild every month there is, and drop months that no longer hold anything."""
    with engine.connect() as connection:
        months = connection.execute(
            text(
                "SELECT DISTINCT date_trunc('month', day)::date FROM (SELECT order_date AS day FROM"
                " core.sales_events UNION SELECT happened_date FROM core.sales_events) d"
            )
        ).scalars()
        wanted = {day for day in months if isinstance(day, date)}
    for table in _SALES:
        query = f"SELECT DISTINCT toStartOfMonth(date) FROM {tables.DATABASE}.{table}"  # noqa: S608
        wanted |= {row[0] for row in client.query(query).result_rows}
    return publish(engine, client, sorted(wanted))


class _Lock:
    """The publisher's advisory lock and the session that has it."""

    def __init__(self, connection: Connection, on_step: Callable[[str], None]) -> None:
        self.connection = connection
        self.on_step = on_step

    def still_held(self) -> None:
        """Raise when the session, and with it the lock, is gone: somebody newer may be publishing."""
        self.connection.execute(text("SELECT 1"))


@contextmanager
def only_publisher(
    engine: Engine, on_step: Callable[[str], None] = lambda step: None, *, patience_seconds: float = 0
) -> Iterator[_Lock]:
    """Nobody else publishes within. Raises PublishBusyError when somebody still does after `patience_seconds`."""
    deadline = time.monotonic() + patience_seconds
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise PublishBusyError(
                "another process is publishing; its run or the next takes these days along"
            )
        try:
            yield _Lock(connection, on_step)
        finally:
            connection.invalidate()  # the lock ends with the session, whatever state it is in


def _dirty_days(engine: Engine) -> list[DirtyDay]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT channel_id, day, version FROM ops.dirty_days"))
        return [DirtyDay(row.channel_id, row.day, row.version) for row in rows]


def _publish_month(engine: Engine, client: Client, table: str, month: date, lock: _Lock) -> int:
    day, orders = _SALES[table]
    query = sql.read("publish_days").replace("{orders}", sql.read(orders)).replace("{day}", day)
    query = query.replace(":first", f"'{month}'").replace(":after", f"'{next_month(month)}'")
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off"))
        frame = frames.fetch(connection, query, columns_of(table))

    def before_swap() -> None:
        lock.on_step(f"swap {table} {month:%Y-%m}")
        lock.still_held()

    return replace_partition(client, table, f"'{month:%Y%m}'", frame, before_swap)


def _publish_wholes(engine: Engine, client: Client, lock: _Lock, *, everything: bool) -> int:
    """Small tables, replaced as one; cohorts only when sales moved."""
    names = ["channels", "products", *(("customer_cohorts", "restatements") if everything else ())]
    rows = 0
    for name in names:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off"))
            frame = frames.fetch(connection, sql.read(f"publish_{name}"), columns_of(name))
        rows += replace_partition(client, name, "tuple()", frame, lock.still_held)
    return rows


def _clear(engine: Engine, done: list[DirtyDay], months: list[date]) -> None:
    """Take the published versions off the list and remember what was published."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "DELETE FROM ops.dirty_days d USING (SELECT unnest(CAST(:channels AS bigint[])) AS channel_id,"
                " unnest(CAST(:days AS date[])) AS day, unnest(CAST(:versions AS bigint[])) AS version) s"
                " WHERE d.channel_id = s.channel_id AND d.day = s.day AND d.version = s.version"
            ),
            {
                "channels": [entry.channel_id for entry in done],
                "days": [entry.day for entry in done],
                "versions": [entry.version for entry in done],
            },
        )
        for month in months:
            connection.execute(text(sql.read("published_days")), {"first": month, "after": next_month(month)})
