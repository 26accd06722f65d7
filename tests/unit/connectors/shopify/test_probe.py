"""What `wharf doctor` sees of a shop."""

from collections.abc import Iterator

import pytest

from connectors.client import Limits
from connectors.sandbox.faults import Fault
from connectors.sandbox.state import SandboxState
from connectors.shopify import open_client
from connectors.shopify.probe import Finding, probe
from tests.sandbox_factories import small_world
from tests.shopify_factories import NOW, account, client, shop


@pytest.fixture
def running() -> Iterator[tuple[SandboxState, str]]:
    with shop(small_world()) as started:
        yield started


def found(url: str, limits: Limits | None = None) -> dict[str, Finding]:
    with client(url, limits=limits) as talking:
        return {finding.subject: finding for finding in probe(talking, NOW)}


def test_a_healthy_shop(running: tuple[SandboxState, str]):
    findings = found(running[1])

    assert all(finding.ok for finding in findings.values())
    assert set(findings) == {
        "token",
        "version",
        "orders",
        "products",
        "inventory",
        "carts",
        "customers",
        "returns",
    }


def test_a_missing_scope_says_what_is_lost(running: tuple[SandboxState, str]):
    state, url = running
    state.faults.add(
        Fault(operation="shopify.scope", kind="missing", field="read_all_orders,read_inventory", times=None)
    )

    findings = found(url)

    assert "older than 60 days are invisible" in findings["read_all_orders"].text
    assert findings["orders"].ok
    assert not findings["inventory"].ok


def test_a_wrong_token_ends_the_look(running: tuple[SandboxState, str]):
    running[0].faults.add(
        Fault(operation="POST /shopify/*", kind="status", status=401, body={"errors": "no"}, times=None)
    )

    (finding,) = found(running[1]).values()

    assert (finding.subject, finding.ok) == ("token", False)


def test_currency_zone_and_version_are_compared(running: tuple[SandboxState, str]):
    told = account(running[1], currency="USD", api_version="2019-04")
    with open_client(told) as talking:
        findings = {finding.subject: finding for finding in probe(talking, NOW)}

    assert findings["currency"].advice == "set SHOPIFY_CURRENCY=EUR"
    assert not findings["version"].ok


def test_a_busy_shop_is_not_taken_for_a_missing_scope(running: tuple[SandboxState, str]):
    state, url = running
    headers = {"Retry-After": "600"}
    state.faults.add(Fault(operation="shopify.orders", kind="status", status=429, headers=headers))

    findings = found(url, Limits(max_wait=1))

    assert (findings["orders"].level, "carts" in findings) == ("warn", False)
    assert findings["orders"].advice.startswith("nothing to mend")


def test_without_sight_of_customers_orders_are_read_all_the_same(running: tuple[SandboxState, str]):
    state, url = running
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_customers", times=None))

    findings = found(url)

    assert "nor who placed an order" in findings["read_customers"].text
    assert (findings["orders"].ok, findings["carts"].ok, findings["customers"].ok) == (True, True, False)


def test_an_answer_in_another_version_is_a_finding(running: tuple[SandboxState, str]):
    told = account(running[1], api_version="2025-01")
    with open_client(told) as talking:
        findings = {finding.subject: finding for finding in probe(talking, NOW)}

    assert "answered by" in findings["version"].text
    assert findings["version"].advice.startswith("set SHOPIFY_API_VERSION to one of")
