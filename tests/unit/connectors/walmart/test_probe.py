"""What `wharf doctor` sees of a Walmart account."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors import registry
from connectors.client import Limits
from connectors.sandbox.app import serving
from connectors.sandbox.faults import Fault
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.state import SandboxState
from tests.walmart_factories import account

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[SandboxState, str]]:
    state = SandboxState(GeneratedWorld(3, today=NOW.date(), skus=20, days=30, orders_per_day=40), pace=60)
    state.clock.freeze(NOW)
    with serving(state) as url:
        yield state, f"{url}/walmart"


@pytest.fixture
def look(running):
    state, url = running
    state.faults.clear()
    client = registry.open_client(account(url, 60), limits=Limits(attempts=2, backoff=0.001))
    with client:
        yield state, lambda: {finding.subject: finding for finding in registry.probe(client, NOW)}


def test_a_healthy_account(look):
    _, found = look
    findings = found()
    assert all(finding.ok for finding in findings.values())
    assert set(findings) == {
        "token",
        "products",
        "orders SellerFulfilled",
        "orders WFSFulfilled",
        "orders 3PLFulfilled",
        "returns",
        "inventory",
        "wfs",
    }
    assert findings["orders 3PLFulfilled"].text == "answers; nothing in it"
    assert findings["returns"].text.endswith("requests left")


def test_a_wrong_secret_ends_the_look(look):
    state, found = look
    state.tokens.expire_all()
    state.faults.add(Fault(operation="POST /walmart/v3/token", kind="status", status=401, times=None))
    findings = found()
    assert [finding.ok for finding in findings.values()] == [False]
    assert "WALMART_CLIENT_SECRET" in findings["token"].advice


def test_a_list_that_is_closed_to_the_key(look):
    state, found = look
    state.faults.add(Fault(operation="walmart.returns", kind="status", status=403, times=None))
    findings = found()
    assert not findings["returns"].ok
    assert "API key" in findings["returns"].advice
    assert findings["inventory"].ok


def test_a_seller_without_wfs_is_well(look):
    state, found = look
    state.faults.add(Fault(operation="walmart.wfs_inventory", kind="status", status=401, times=None))
    assert found()["wfs"].ok


def test_an_outage_is_told(look):
    state, found = look
    state.faults.add(Fault(operation="walmart.orders", kind="status", status=520, times=2))
    findings = found()
    assert [name for name, finding in findings.items() if not finding.ok] == ["orders SellerFulfilled"]
