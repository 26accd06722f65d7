"""Orders that a shop deletes without a word: found by asking for them, kept as cancelled, never beyond sight."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from connectors import registry
from connectors.errors import ProtocolError
from connectors.sandbox.faults import Fault
from connectors.sandbox.state import SandboxState
from flows import connections, deleted_orders
from flows.ingest import read_and_merge
from tests.sandbox_factories import NOON

LATER = NOON + timedelta(days=2)


@pytest.fixture(autouse=True)
def loaded(state):
    shop, orders = connections.account("shopify"), registry.resources_of("shopify")["orders"]
    read_and_merge(shop, orders, NOON, NOON - timedelta(days=150), "backfill")


def compare(days: int = 60):
    shop, orders = connections.account("shopify"), registry.resources_of("shopify")["orders"]
    return deleted_orders.compare(shop, orders, days, LATER)


def rows(query: str, **values):
    with connections.postgres().connect() as connection:
        return connection.execute(text(query), values).all()


def delete(state: SandboxState, *ids: str) -> None:
    state.faults.add(Fault(operation="shopify.deleted", kind="missing", field=",".join(ids), times=None))


def kept(older_than: int, newer_than: int) -> list[str]:
    """Orders that still count, by their age in days."""
    return [
        row.external_id
        for row in rows(
            "SELECT external_id FROM core.orders WHERE status <> 'cancelled' AND ordered_at < :late"
            " AND ordered_at > :early ORDER BY ordered_at",
            late=LATER - timedelta(days=older_than),
            early=LATER - timedelta(days=newer_than),
        )
    ]


def test_a_deleted_order_counts_as_cancelled_from_the_day_it_was_missed(state):
    before = len(rows("SELECT 1 FROM core.orders"))
    [number] = kept(5, 50)[:1]
    [sold] = rows(
        "SELECT o.order_date, sum(e.units) AS units FROM core.sales_events e JOIN core.orders o ON o.id = e.order_id"
        " WHERE o.external_id = :id GROUP BY 1",
        id=number,
    )
    delete(state, number)

    told = compare()

    assert (told["deleted"], told["asked"] > 20) == (1, True)
    [order] = rows(
        "SELECT status, fulfillment_status, cancelled_at FROM core.orders WHERE external_id = :id", id=number
    )
    assert tuple(order) == ("cancelled", "DELETED", LATER)
    assert len(rows("SELECT 1 FROM core.orders")) == before
    [fall] = rows(
        "SELECT e.happened_at, sum(e.units) AS units FROM core.sales_events e JOIN core.orders o ON o.id = e.order_id"
        " WHERE o.external_id = :id AND e.kind = 'cancellation' GROUP BY 1",
        id=number,
    )
    assert (fall.happened_at, fall.units) == (LATER, -sold.units)
    assert compare()["deleted"] == 0


def test_what_the_app_cannot_see_is_not_deleted(state):
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_all_orders", times=None))
    delete(state, *kept(61, 100)[:1])

    assert compare(days=150)["deleted"] == 0


def test_too_many_are_not_believed(state):
    delete(state, *kept(2, 58))
    marked = "SELECT external_id FROM core.orders WHERE fulfillment_status = 'DELETED'"
    before = rows(marked)

    with pytest.raises(ProtocolError, match="too many to be believed"):
        compare()
    assert rows(marked) == before
