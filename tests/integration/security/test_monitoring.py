"""What a monitoring system reads is what the warehouse knows."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from starlette.applications import Starlette

from deployments import monitoring
from flows import connections
from tests.warehouse_factories import line, order
from warehouse import runs


def ask(path):
    async def get():
        transport = httpx.ASGITransport(app=Starlette(routes=monitoring.routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://wharf") as http:
            return await http.get(path)

    return asyncio.run(get())


def test_figures_of_a_warehouse_at_work(settings, loader):
    now = datetime.now(UTC)
    run = loader.run()
    loader.load(
        {"orders": [order("1")], "order_items": [line("1")]}, until=now - timedelta(hours=1), advance=True
    )
    runs.finish(loader.engine, run, "done")
    with loader.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.rate_buckets (key, per_second, burst, full_at)"
                " VALUES ('shopify/orders', 2, 40, clock_timestamp() + interval '10 seconds')"
            )
        )
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(ask("/metrics").text)
        for sample in family.samples
    }
    assert found["wharf_up",] == found["wharf_fresh",] == 1
    assert found["wharf_total", "orders"] == 1
    assert found["wharf_rows_last_day", "shopify", "orders", "inserted"] >= 1
    assert 3590 < found["wharf_watermark_lag_seconds", "shopify", "orders"] < 3700
    assert 18 < found["wharf_api_budget_left", "shopify/orders"] < 25
    assert found["wharf_total", "days_waiting"] >= 1
    assert ask("/fresh").json() == {"ok": True, "wrong": []}


def test_what_is_late_is_named(settings, loader):
    runs.finish(loader.engine, loader.run(), "done")
    with loader.engine.begin() as connection:
        connection.execute(text("UPDATE ops.runs SET finished_at = finished_at - interval '3 hours'"))
    answer = ask("/fresh")
    assert answer.status_code == 503
    assert answer.json()["wrong"][0].startswith("shopify orders: last read")


def test_a_database_that_is_gone_is_named(settings):
    settings.setenv("CLICKHOUSE_URL", "http://127.0.0.1:9")
    connections.forget()
    answer = ask("/health")
    assert answer.status_code == 503
    assert answer.json()["wrong"][0].startswith("ClickHouse")
    assert "wharf_up 0" in ask("/metrics").text
