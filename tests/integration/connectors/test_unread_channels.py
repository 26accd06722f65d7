"""A channel that could not be read does not stop its account, and what was missed of it is read once it can be."""

import os
from datetime import timedelta

from sqlalchemy import text

from connectors import registry
from connectors.sandbox.faults import Fault
from flows import connections
from flows.ingest import Ingested, read_and_merge
from flows.sync import completed
from tests.sandbox_factories import NOON
from warehouse import watermarks

MEXICO = "A1AM78C64UM0Y8"


def read(account: str, resource: str, hours: float = 0, **since) -> Ingested:
    described = registry.resources_of(account)[resource]
    kind = "backfill" if since else "sync"
    start = NOON - timedelta(**since) if since else None
    return read_and_merge(connections.account(account), described, NOON + timedelta(hours=hours), start, kind)


def outcome() -> str:
    with connections.postgres().connect() as connection:
        return str(connection.scalar(text("SELECT outcome FROM ops.runs ORDER BY id DESC LIMIT 1")))


def test_a_refused_marketplace_is_named_and_the_others_go_on(state, monkeypatch):
    # Where the sandbox's seller does not sell: HTTP 403.
    monkeypatch.setenv("AMAZON_MARKETPLACE_IDS", f"{os.environ['AMAZON_MARKETPLACE_IDS']},{MEXICO}")
    connections.forget()

    stock = read("amazon", "inventory")

    assert stock.inserted > 0
    assert [told.partition(" ")[0] for told in stock.unread] == ["amazon-mx"]
    assert outcome() == "degraded"
    done = completed([stock])
    assert done.name == "CompletedInPart"
    assert "inventory: amazon-mx cannot be read" in (done.message or "")
    with connections.postgres().connect() as connection:
        seen = connection.execute(
            text(
                "SELECT c.name FROM ops.observations o JOIN core.channels c ON c.id = o.channel_id ORDER BY c.id"
            )
        )
        assert [row.name for row in seen] == [
            "amazon-us",
            "amazon-ca",
        ]  # alerts know how old the other's stock is


def test_what_was_missed_is_read_once_the_scope_is_there(state):
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_customers", times=None))
    blind = read("shopify", "customers")
    state.faults.clear()

    assert (blind.records, outcome()) == (0, "degraded")
    engine = connections.postgres()
    # A window without a record moves the watermark like any other.
    assert watermarks.read_until(engine, "shopify", "customers") == blind.until
    assert "read_customers" in blind.shown()["notes"]
    seeing = read("shopify", "customers", hours=1)

    assert (seeing.unread, outcome()) == ((), "done")
    assert seeing.inserted > 0
    assert read("shopify", "customers", hours=1, days=900).inserted == 0  # nothing was left to find
    assert watermarks.behind(engine, "shopify", "customers", earliest=NOON - timedelta(days=900)) == {}
