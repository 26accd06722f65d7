"""Refunds the first version took from Walmart's orders: counted once after the upgrade, on the days they stand on."""

from decimal import Decimal

import pytest

from tests.warehouse_factories import DAY, T0, Loader, Place, line, order, refund
from warehouse import checks, schema

MART = Place("walmart-us", "walmart", "US")


def of(row):
    return {**row, "channel": MART.name}


def upgrade_again(database_url):
    schema.downgrade(database_url, None, "0012")
    schema.upgrade(database_url, None)


@pytest.fixture
def mart(engine):
    return Loader(engine, "walmart", (MART,))


SUMS = (
    "SELECT sum(refunded_units), sum(refunded_amount), sum(refunded_net_amount) FROM core.sales_events"
    " WHERE kind = 'refund'"
)


def test_a_doubled_refund_counts_once_and_one_without_a_return_stays(mart, database_url):
    lines = [line(name, quantity=2, net="40") for name in "ABC"]
    mart.load({"orders": [of(order(name)) for name in "ABC"], "order_items": [of(row) for row in lines]})
    old = {"quantity": 0, "amount": Decimal(22), "net_amount": Decimal(20)}
    mart.load({"refunds": [of(refund("A", "R-1", at=T0 + 2 * DAY, **old)),
                           of(refund("B", "line-1", at=T0 + 3 * DAY, **old))]}, resource="refunds")  # fmt: skip
    new = {"quantity": 1, "amount": Decimal(22), "net_amount": Decimal(20)}
    mart.load({"refunds": [of(refund("A", "return-9-1", at=T0 + 4 * DAY, **new)),
                           of(refund("C", "return-8-1", at=T0 + 4 * DAY, **new))]}, resource="refunds")  # fmt: skip
    assert mart.one(SUMS) == (2, 88, 80)  # three refunds, one of them twice
    with mart.engine.begin() as connection:
        for table in ("ops.dirty_days", "core.restatements"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql(
            "INSERT INTO ops.published_days SELECT DISTINCT channel_id, order_date, now(), 0, 0"
            " FROM core.sales_events ON CONFLICT DO NOTHING"
        )

    upgrade_again(database_url)

    assert mart.one(SUMS) == (2, 66, 60)
    assert mart.rows("SELECT refund_id FROM core.refunds ORDER BY 1") == [("return-8-1",), ("return-9-1",)]
    by_day = "SELECT happened_date, sum(refunded_net_amount) FROM core.sales_events WHERE kind = 'refund' GROUP BY 1"
    assert dict(mart.rows(by_day)) == {
        (T0 + 2 * DAY).date(): 0,  # taken back where it stood
        (T0 + 3 * DAY).date(): 20,
        (T0 + 4 * DAY).date(): 40,
    }
    assert mart.rows("SELECT revenue_delta FROM core.restatements") == [(20,)]
    moved = {T0.date(), (T0 + 2 * DAY).date(), (T0 + 3 * DAY).date()}
    assert {day for (day,) in mart.rows("SELECT day FROM ops.dirty_days")} == moved
    assert checks.ledger_balances(mart.engine).ok

    # the ledger says what a merge would say: reading the orders again moves nothing
    events = mart.one("SELECT count(*) FROM core.sales_events")
    stated = {"refunded_amount": Decimal(22), "refunded_net_amount": Decimal(20)}
    again = [line(name, quantity=2, net="40", **stated) for name in "ABC"]
    mart.load({"orders": [of(order(name)) for name in "ABC"], "order_items": [of(row) for row in again]})
    assert mart.one("SELECT count(*) FROM core.sales_events") == events
    # and its return, when it comes, takes the place of what the order stated
    mart.load({"refunds": [of(refund("B", "return-7-1", at=T0 + 3 * DAY, **new))]}, resource="refunds")
    assert mart.one(SUMS) == (3, 66, 60)
    upgrade_again(database_url)
    assert mart.one(SUMS) == (3, 66, 60)
