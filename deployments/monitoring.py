"""What a monitoring system asks: /health (do both databases answer?), /fresh (was everything read lately?), both 200
or 503 and why; and /metrics, in Prometheus' text format."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flows import connections
from warehouse import health, read

log = logging.getLogger(__name__)

# A resource is late when its last good run is older than this; orders are read every quarter of an hour,
# products every six hours.
STALE = {"orders": timedelta(hours=2), "inventory": timedelta(hours=3)}
STALE_OTHERS = timedelta(hours=13)


def routes() -> list[Route]:
    """All three, for whichever app serves them."""
    return [Route("/health", _health), Route("/fresh", _fresh), Route("/metrics", _metrics)]


async def _health(_: Request) -> Response:
    silent = await run_in_threadpool(unreachable)
    return JSONResponse({"ok": not silent, "wrong": silent}, 503 if silent else 200)


async def _fresh(_: Request) -> Response:
    wrong = await run_in_threadpool(late, datetime.now(UTC))
    return JSONResponse({"ok": not wrong, "wrong": wrong}, 503 if wrong else 200)


async def _metrics(_: Request) -> Response:
    registry = CollectorRegistry()
    registry.register(_Warehouse())
    return Response(await run_in_threadpool(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)


def unreachable() -> list[str]:
    """The databases that do not answer, and why."""
    wrong = []
    try:
        with connections.postgres().connect() as connection:
            connection.execute(text("SELECT 1"))
    except Exception as error:  # noqa: BLE001 whatever it is, the answer is that it is not well
        wrong.append(f"PostgreSQL: {type(error).__name__}")
    try:
        with closing(connections.clickhouse()) as client:
            client.command("SELECT 1")
    except Exception as error:  # noqa: BLE001 as above
        wrong.append(f"ClickHouse: {type(error).__name__}")
    return wrong


def late(now: datetime) -> list[str]:
    """What was not read lately, and the databases that do not answer."""
    wrong = unreachable()
    if wrong:
        return wrong
    for row in read.freshness(connections.postgres()).iter_rows(named=True):
        what = f"{row['account']} {row['resource']}"
        if row["last_sync_at"] is None:
            wrong.append(f"{what}: no run has ended well yet")
        elif now - row["last_sync_at"] > STALE.get(row["resource"], STALE_OTHERS):
            when = f"{row['last_sync_at']:%Y-%m-%d %H:%M} UTC"
            wrong.append(f"{what}: last read {when}; its last run: {row['last_outcome']}")
    return wrong


class _Warehouse(Collector):
    """Reads the databases at each scrape; nothing is counted in between, so any number of processes may serve it."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = datetime.now(UTC)
        silent = unreachable()
        yield _gauge("wharf_up", "1: both databases answer", [((), not silent)])
        if silent:
            return
        yield _gauge("wharf_fresh", "1: every resource was read lately", [((), not late(now))])
        try:
            yield from _figures(now)
        except Exception:
            log.exception("the figures could not be read")


def _figures(now: datetime) -> Iterator[GaugeMetricFamily]:
    engine = connections.postgres()
    fresh = read.freshness(engine)
    seen = health.look(engine, now)
    each = ("account", "resource")

    def ages(column: str) -> list[tuple[tuple[str, ...], float]]:
        return [
            ((row["account"], row["resource"]), (now - row[column]).total_seconds())
            for row in fresh.iter_rows(named=True)
            if row[column] is not None
        ]

    yield _gauge(
        "wharf_last_good_sync_age_seconds", "Since the last run that ended well", ages("last_sync_at"), each
    )
    yield _gauge("wharf_watermark_lag_seconds", "Since what has provably been read", ages("read_until"), each)
    rows = [
        ((row["account"], row["resource"], what), row[what])
        for row in seen.rows
        for what in ("read", "inserted", "updated", "unchanged", "refused")
    ]
    yield _gauge(
        "wharf_rows_last_day",
        "Rows of the last 24 hours' runs, by what became of them",
        rows,
        (*each, "what"),
    )
    runs = [((row["kind"], row["outcome"]), row["runs"]) for row in seen.runs]
    yield _gauge("wharf_runs_last_day", "Runs begun in the last 24 hours", runs, ("kind", "outcome"))
    totals = [((name,), count) for name, count in seen.totals.items()]
    yield _gauge("wharf_total", "What the warehouse holds and what waits in it", totals, ("what",))
    yield _gauge(
        "wharf_oldest_unpublished_seconds",
        "Since the oldest changed day that ClickHouse does not show yet",
        [((), seen.oldest_unpublished_seconds)],
    )
    way = ("way", "state")
    waiting = [((row["way"], row["state"]), row["messages"]) for row in seen.outbox]
    yield _gauge("wharf_outbox_messages", "Messages not taken by their provider", waiting, way)
    oldest = [((row["way"], row["state"]), max(row["oldest_seconds"], 0)) for row in seen.outbox]
    yield _gauge("wharf_outbox_oldest_seconds", "Since the oldest of them could have been sent", oldest, way)
    left = [((row["key"],), row["tokens_left"]) for row in seen.budgets]
    yield _gauge(
        "wharf_api_budget_left", "Requests the marketplace would take at once now", left, ("budget",)
    )
    size = [((row["key"],), row["burst"]) for row in seen.budgets]
    yield _gauge("wharf_api_budget_size", "Requests it takes at most at once", size, ("budget",))
    blocked = [((row["key"],), row["is_blocked"]) for row in seen.budgets]
    yield _gauge("wharf_api_budget_blocked", "1: the marketplace asked us to wait", blocked, ("budget",))


def _gauge(
    name: str, help_text: str, values: Sequence[tuple[tuple[str, ...], float]], labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for label, value in values:
        family.add_metric(label, float(value))
    return family
