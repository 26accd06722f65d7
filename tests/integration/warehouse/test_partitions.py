"""The ledger by month (docs/partition-ledger.sql): the same events and marts, and migrations find no difference."""

from pathlib import Path

import pytest

from tests.warehouse_factories import DAY, T0, line, order
from warehouse import checks, rollup, schema

SWITCH = Path(__file__).parents[3] / "docs" / "partition-ledger.sql"
EVENTS = "SELECT order_id, line_id, kind, order_date, units, net_amount FROM core.sales_events ORDER BY id"


def sold(*, more=0):
    days = {"A": T0, "B": T0 + 40 * DAY}
    updated = T0 + (50 + more) * DAY
    return {
        "orders": [order(name, at=at, updated=updated) for name, at in days.items()],
        "order_items": [line(name, quantity=1 + more, net=str(10 + more)) for name in days],
    }


@pytest.fixture
def by_month(loader):
    """A loaded database after the switch; the module's other tests would see it, so this file has one."""
    loader.load(sold())
    before = loader.rows(EVENTS)
    connection = loader.engine.raw_connection()
    try:
        connection.cursor().execute(SWITCH.read_text())
        connection.commit()
    finally:
        connection.close()
    assert loader.rows(EVENTS) == before
    return loader


def test_loads_and_marts_go_on_as_before(by_month, client, database_url):
    assert by_month.one("SELECT count(DISTINCT tableoid) FROM core.sales_events") == 2
    by_month.load(sold(more=3))
    by_month.load({"orders": [order("C", at=T0 - 400 * DAY)], "order_items": [line("C")]})
    assert by_month.one(
        "SELECT tableoid::regclass::text FROM core.sales_events ORDER BY id DESC LIMIT 1"
    ) == ("months.sales_events_other")
    rollup.publish(by_month.engine, client)
    assert client.query("SELECT sum(total_units) FROM analytics.daily_sales_summary").result_rows == [(9,)]
    results = [*checks.after_load(by_month.engine), *checks.after_publish(by_month.engine, client)]
    assert [result.name for result in results if not result.ok and result.severity == "fail"] == []
    assert schema.check(database_url, None) == []
