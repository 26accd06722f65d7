"""What the channels count, against PostgreSQL and ClickHouse: it agrees, a lost order is found and brought back, and
what stays different is told."""

from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker
from sqlalchemy import text

from connectors import registry
from flows import connections
from flows.backfill import backfill
from flows.reconcile import reconcile
from flows.rollup import roll_up
from flows.sync import sync
from tests.sandbox_factories import NOON
from warehouse import alerts as store

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

LAST = (NOON - timedelta(days=2)).date()
FIRST = LAST - timedelta(days=9)


@pytest.fixture(scope="module")
def synced(merchant):
    now = merchant.move_to(NOON)
    state = sync(["orders"], ["amazon"], until=now, return_state=True)
    assert state.is_completed(), state.message
    assert roll_up(return_state=True).is_completed()
    return merchant


def look(**options):
    return reconcile(["amazon"], FIRST, LAST, now=NOON, return_state=True, **options)


def rows(statement):
    with connections.postgres().begin() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


@pytest.fixture
def feed(monkeypatch):
    """What would stand in Prefect's event feed, once it is drained."""
    AssertingEventsClient.reset()
    monkeypatch.setattr(EventsWorker, "_client_override", (AssertingEventsClient, ()))

    def events():
        EventsWorker.drain_all()
        return [event for client in AssertingEventsClient.all for event in client.events]

    EventsWorker.drain_all()  # a worker with the client of before
    return events


def test_the_feed_says_what_was_written_where(synced, feed):
    ((day,),) = rows("SELECT max(order_date) FROM core.orders")
    again = sync(["products"], ["amazon"], until=NOON, return_state=True).result()
    published = roll_up(day, day, return_state=True).result()
    said = {
        event.resource.id: event
        for event in feed()
        if event.event.startswith("prefect.asset.materialization")
    }
    core, rollups = said["postgres://wharf/core"], said["clickhouse://wharf/analytics"]
    assert core.event == rollups.event == "prefect.asset.materialization.succeeded"
    assert core.resource["prefect.resource.name"] == "core"
    assert (core.payload["resource"], core.payload["records"]) == ("products", again[0].records)
    assert again[0].records > 0
    assert rollups.payload == {"days": published.days, "months": 1, "rows": published.rows}


def test_three_places_agree_and_the_ledger_says_so(synced):
    state = look()
    assert state.is_completed(), state.message
    found = state.result()
    assert found.of("agrees"), "the small world should sell something in ten days"
    assert found.of("differs") == found.of("repaired") == []
    kept = rows("SELECT state, count(*) FROM ops.reconciliation GROUP BY 1")
    assert dict(kept)["agrees"] == len(found.of("agrees"))
    assert rows("SELECT outcome FROM ops.runs WHERE kind = 'reconcile'") == [("done",)]


def test_a_lost_order_comes_back(synced):
    ((order_id, day, channel),) = rows(
        "SELECT o.id, o.order_date, c.name FROM core.orders o JOIN core.channels c ON c.id = o.channel_id"
        f" WHERE order_date BETWEEN '{FIRST}' AND '{LAST}' AND status = 'completed' ORDER BY o.id LIMIT 1"
    )
    for table in ("sales_events", "order_items"):
        rows(f"DELETE FROM core.{table} WHERE order_id = {order_id} RETURNING 1")
    rows(f"DELETE FROM core.orders WHERE id = {order_id} RETURNING 1")
    told = look(repair=False)
    assert told.is_failed()
    assert f"{channel} {day} orders" in told.message
    assert store.listed(connections.postgres()).filter(alert_type="reconciliation").height > 0

    state = look()
    assert state.name == "Repaired", state.message
    assert {(f.day, f.channel) for f in state.result().of("repaired")} == {(day, channel)}
    assert rows("SELECT outcome FROM ops.runs WHERE kind = 'reconcile' ORDER BY id DESC LIMIT 1") == [
        ("degraded",)
    ]
    assert rows("SELECT count(*) FROM ops.reconciliation WHERE state = 'differs'") == [(0,)]
    assert store.listed(connections.postgres()).filter(alert_type="reconciliation").height == 0


def test_what_nothing_mends_fails_and_is_told(synced, monkeypatch):
    honest = registry.control_totals

    def one_more(client, channel, first, last):
        return honest(client, channel, first, last).with_columns(pl.col("orders") + 1)

    monkeypatch.setattr(registry, "control_totals", one_more)
    state = look()
    assert state.is_failed()
    differing = state.result(raise_on_failure=False).of("differs")
    assert {f.measure for f in differing} == {"orders"}
    assert {f.delta for f in differing} == {Decimal(-1)}
    assert store.listed(connections.postgres()).filter(alert_type="reconciliation").height > 0


def test_a_backfill_reads_what_is_missing_once(synced):
    since, until = NOON - timedelta(days=40), NOON - timedelta(days=10)
    before = rows("SELECT read_until FROM ops.watermarks WHERE account = 'amazon' AND resource = 'orders'")
    first = backfill("amazon", since, until, slice_days=10, return_state=True)
    assert first.is_completed(), first.message
    assert [result.since for result in first.result()] == [until - timedelta(days=n) for n in (10, 20, 30)]
    assert backfill("amazon", since, until, slice_days=10, return_state=True).result() == []
    assert len(backfill("amazon", since, until, again=True, return_state=True).result()) == 1
    assert (
        rows("SELECT read_until FROM ops.watermarks WHERE account = 'amazon' AND resource = 'orders'")
        == before
    )


def test_a_backfill_on_dask_brings_the_same(synced, monkeypatch):
    """Two processes of a Dask cluster read what was taken out here."""
    since, until = NOON - timedelta(days=30), NOON - timedelta(days=10)
    # By SKU: the report a longer slice is read from numbers the lines another way than the API.
    lines = (
        "SELECT o.external_id, o.status, i.sku, sum(i.quantity - i.cancelled_quantity) FROM core.orders o"
        " JOIN core.order_items i ON i.order_id = o.id GROUP BY 1, 2, 3 ORDER BY 1, 3"
    )
    before = rows(lines)
    chosen = f"order_id IN (SELECT id FROM core.orders WHERE ordered_at BETWEEN '{since}' AND '{until}')"
    for table in ("sales_events", "order_items"):
        assert rows(f"DELETE FROM core.{table} WHERE {chosen} RETURNING 1")
    rows(f"DELETE FROM core.orders WHERE ordered_at BETWEEN '{since}' AND '{until}' RETURNING 1")
    monkeypatch.setenv("WHARF_TASK_RUNNER", "dask")
    connections.settings.cache_clear()
    state = backfill("amazon", since, NOON, slice_days=15, again=True, return_state=True)
    monkeypatch.undo()
    connections.settings.cache_clear()
    assert state.is_completed(), state.message
    assert len(state.result()) == 2
    assert rows(lines) == before


def test_the_sales_report_of_shopify_and_what_walmart_settled_agree(synced):
    first, since = LAST - timedelta(days=20), NOON - timedelta(days=30)
    for name, resources in (("shopify", ["orders"]), ("walmart", ["orders", "fees"])):
        assert sync(resources, [name], since=since, until=NOON, return_state=True).is_completed()
    assert roll_up(return_state=True).is_completed()
    state = reconcile(["shopify", "walmart"], first, LAST, now=NOON, return_state=True)
    assert state.is_completed(), state.message
    agreed = {(f.channel.split("-")[0], f.measure) for f in state.result().of("agrees")}
    posted = {("walmart", f"posted {measure}") for measure in ("orders", "units", "gross_amount")}
    reported = {("shopify", measure) for measure in ("orders", "units", "gross_amount")}
    assert agreed >= {("walmart", "orders"), *reported, *posted}
    rows(
        "DELETE FROM core.order_items WHERE (order_id, line_id) IN (SELECT o.id, f.line_id FROM core.fees f"
        " JOIN core.orders o ON o.channel_id = f.channel_id AND o.external_id = f.order_external_id"
        f" WHERE f.fee_type ILIKE 'commission%' AND f.posted_date < '{LAST}' ORDER BY f.id DESC LIMIT 1) RETURNING 1"
    )
    told = reconcile(["walmart"], first, LAST, repair=False, now=NOON, return_state=True)
    differing = told.result(raise_on_failure=False).of("differs")
    assert "posted units" in {f.measure for f in differing}
    assert told.is_failed()
