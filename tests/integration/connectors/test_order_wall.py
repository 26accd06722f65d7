"""A shop whose app may not see orders older than 60 days: it says so, and what was known stays."""

from datetime import timedelta

from sqlalchemy import text

from connectors import registry
from connectors.sandbox.faults import Fault
from flows import backfill, connections
from flows.ingest import Ingested, read_and_merge
from tests.sandbox_factories import NOON


def read(days: int) -> Ingested:
    orders = registry.resources_of("shopify")["orders"]
    return read_and_merge(
        connections.account("shopify"), orders, NOON, NOON - timedelta(days=days), "backfill"
    )


def known() -> tuple[int, int, str]:
    """Orders, units, and the outcome of the last run."""
    with connections.postgres().connect() as connection:
        orders = connection.scalar(text("SELECT count(*) FROM core.orders")) or 0
        units = connection.scalar(text("SELECT sum(quantity) FROM core.order_items")) or 0
        return orders, units, connection.scalar(text("SELECT outcome FROM ops.runs ORDER BY id DESC LIMIT 1"))


def test_a_refresh_beyond_the_wall_says_so_and_deletes_nothing(state):
    assert read(150).unseen == ""
    whole = known()
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_all_orders", times=None))
    again = read(150)

    assert known() == (*whole[:2], "degraded")
    assert 0 < again.records < whole[0]
    assert again.unseen == (
        f"nothing before {NOON - timedelta(minutes=1, days=60):%Y-%m-%d} is seen: the app lacks the scope "
        "read_all_orders; grant it, install the app again, then backfill"
    )
    assert again.unseen in again.shown()["notes"]
    assert read(30).unseen == ""  # all of it is visible, so nobody asked


def test_a_backfill_leaves_out_what_is_invisible_and_says_why(state):
    span, told = backfill._within_reach("shopify", "orders", NOON - timedelta(days=900), NOON)
    assert (span.since, told) == (NOON - timedelta(days=900), [])
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_all_orders", times=None))
    span, [why] = backfill._within_reach("shopify", "orders", NOON - timedelta(days=900), NOON)
    assert span.since > NOON - timedelta(days=900)
    assert "read_all_orders" in why
    assert backfill._within_reach("shopify", "products", NOON - timedelta(days=900), NOON)[1] == []
