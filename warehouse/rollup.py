"""Core into ClickHouse: whole months of daily sales and whole dimensions, replaced atomically.

A month is recomputed from the ledger and swapped in by REPLACE PARTITION, so publishing twice, or again after
a crash at any point, gives the same rows, and a reader sees a month before or after, never in between. The
days to publish are read with their versions before anything is computed and only those versions are cleared
afterwards: what changes meanwhile stays dirty.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from warehouse import breaker, marts, schema, sql
from warehouse.batch import Published
from warehouse.publisher import only_publisher
from warehouse.rates import Reporting
from warehouse.rollup_stock import publish_forecasts, publish_stock
from warehouse.rollup_tables import month_of, next_month


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
    reporting: Reporting | None = None,
    limits: breaker.Limits | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Published:
    """Bring ClickHouse up to date: all dirty days, or the months of `days` whether dirty or not.

    Dimensions, cohorts and the journal go with it. `reporting` None keeps the reporting currency there is; another
    one than published rebuilds every month. Channels of which more was refused than `limits` allow stay as they
    are, and their days dirty. Safe to repeat and to run from several processes: raises PublishBusyError when
    another one is publishing. `on_step` hears of each step before it is taken.
    """
    started = time.monotonic()
    schema.require_clickhouse(client)
    with only_publisher(engine, on_step) as lock:
        schema.require(lock.connection)
        stopped = breaker.held(engine, limits or breaker.Limits())
        held = frozenset(channel for found in stopped for channel in found.channel_ids)
        dirty = [entry for entry in _dirty_days(engine) if entry.channel_id not in held]
        shown = marts.reporting_shown(client)
        reporting = reporting or Reporting(shown or Reporting.currency)
        wanted = {month_of(entry.day) for entry in dirty} if days is None else {month_of(day) for day in days}
        at = marts.Publication(engine, client, lock.still_held, held)
        rows = 0
        for month in sorted(wanted):
            for table in marts.FROM_CORE:
                on_step(f"{table} {month:%Y-%m}")
                rows += marts.from_core(at, table, month, lock.before_swap(table, month))
        on_step("dimensions")
        rows += marts.whole(at, "channels") + marts.whole(at, "products")
        if wanted and not held:  # cohorts cross channels: half of them would be wrong
            rows += marts.whole(at, "customer_cohorts") + marts.whole(at, "restatements")
        if wanted or shown != reporting.currency:  # a rate that was corrected has made its days dirty
            rows += marts.exchange_rates(at, reporting, wanted if shown else marts.months_published(client))
        stale = set(marts.months_published(client)) if shown not in (None, reporting.currency) else set()
        for month in sorted(wanted | stale):
            for table in marts.DERIVED:
                on_step(f"{table} {month:%Y-%m}")
                rows += marts.derived(at, table, month, reporting)
        if wanted or marts.performance_is_due(client):
            rows += marts.product_performance(at)
        on_step("stock and forecasts")
        rows += publish_stock(engine, client, lock.still_held, everything=days is not None)
        rows += publish_forecasts(engine, client, lock.still_held, sorted(wanted))
        on_step("clear")
        done = [entry for entry in dirty if month_of(entry.day) in wanted]
        _clear(engine, done, sorted(wanted), held)
    return Published(
        days=len({(entry.channel_id, entry.day) for entry in done}),
        months=tuple(sorted(wanted)),
        rows=rows,
        seconds=time.monotonic() - started,
        held=tuple(found.reason for found in stopped),
    )


def publish_all(engine: Engine, client: Client) -> Published:
    """Rebuild every month there is, and drop months that no longer hold anything."""
    with engine.connect() as connection:
        months = connection.execute(
            text(
                "SELECT DISTINCT date_trunc('month', day)::date FROM (SELECT order_date AS day FROM"
                " core.sales_events UNION SELECT happened_date FROM core.sales_events"
                " UNION SELECT order_date FROM core.orders UNION SELECT posted_date FROM core.fees) d"
            )
        ).scalars()
        wanted = {day for day in months if isinstance(day, date)}
    wanted |= set(marts.months_published(client))
    return publish(engine, client, sorted(wanted))


def _dirty_days(engine: Engine) -> list[DirtyDay]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT channel_id, day, version FROM ops.dirty_days"))
        return [DirtyDay(row.channel_id, row.day, row.version) for row in rows]


def _clear(engine: Engine, done: list[DirtyDay], months: list[date], held: frozenset[int]) -> None:
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
            connection.execute(
                text(sql.read("published_days")),
                {"first": month, "after": next_month(month), "held": sorted(held)},
            )
