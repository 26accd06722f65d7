"""Every request of the Amazon connector is one the official model allows, and every answer of the sandbox fits it."""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from jsonschema import Draft4Validator

from connectors.amazon import RESOURCES, open_client
from connectors.base import Window
from connectors.client import ChannelClient, Limits
from connectors.sandbox.app import serving
from connectors.sandbox.state import SandboxState
from tests.amazon_factories import FETCHED, US, Shop, account, give_back, sale
from tests.reference import reference

MODELS = {
    "/orders/2026-01-01/": "orders_2026-01-01.json",
    "/reports/2021-06-30/": "reports_2021-06-30.json",
    "/fba/inventory/v1/": "fbaInventory_v1.json",
    "/listings/2021-08-01/": "listingsItems_2021-08-01.json",
    "/catalog/2022-04-01/": "catalogItems_2022-04-01.json",
    "/finances/2024-06-19/": "finances_2024-06-19.json",
    "/sales/v1/": "sales_v1.json",
    "/sellers/v1/": "sellers_v1.json",
}
RULES = {"type", "items", "enum", "maxItems", "minItems", "maximum", "minimum"}
READ = {"orders": (5, 40), "inventory": (1,), "products": (1,), "refunds": (5,), "returns": (5,)}  # days back
PACE = 5000.0


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, the path as the model writes it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    sent: bytes
    status: int
    body: bytes


@cache
def model(path: str) -> dict[str, Any]:
    name = next(file for prefix, file in MODELS.items() if path.startswith(prefix))
    found: dict[str, Any] = json.loads(reference(f"marketplace-apis/amazon/{name}").read_text())
    return found


def operation(exchange: Exchange) -> dict[str, Any]:
    """The model's operation that answers a path."""
    for template, methods in model(exchange.path)["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
        if re.fullmatch(pattern, exchange.path) and exchange.method.lower() in methods:
            found: dict[str, Any] = methods[exchange.method.lower()]
            return found
    raise AssertionError(f"the model has no {exchange.method} {exchange.path}")


def errors(schema: dict[str, Any], path: str, value: Any) -> list[str]:
    whole = {**schema, "definitions": model(path)["definitions"]}
    found = Draft4Validator(whole, format_checker=Draft4Validator.FORMAT_CHECKER).iter_errors(value)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def request_errors(exchange: Exchange) -> list[str]:
    """What the model would not allow in a request."""
    known = {p["name"]: p for p in operation(exchange).get("parameters", []) if p.get("in") == "query"}
    given = dict(exchange.query)
    wrong = [
        f"{name} is required" for name, rule in known.items() if rule.get("required") and name not in given
    ]
    for name, value in given.items():
        rule = known.get(name)
        if rule is None:
            wrong.append(f"{name} is not a parameter")
            continue
        typed: Any = value
        if rule["type"] == "array":
            typed = value.split(",")
        elif rule["type"] == "integer":
            typed = int(value)
        elif rule["type"] == "boolean":
            typed = {"true": True, "false": False}.get(value, value)
        rules = {key: value for key, value in rule.items() if key in RULES}
        wrong += [f"{name}: {text}" for text in errors(rules, exchange.path, typed)]
    body = next((p for p in operation(exchange).get("parameters", []) if p.get("in") == "body"), None)
    if body is not None:
        wrong += errors(body["schema"], exchange.path, json.loads(exchange.sent))
    return wrong


def answer_errors(exchange: Exchange) -> list[str]:
    """Where an answer is not what the model promises for its status."""
    promised = operation(exchange)["responses"].get(str(exchange.status))
    if promised is None:
        return [f"the model promises no status {exchange.status}"]
    return errors(promised["schema"], exchange.path, json.loads(exchange.body))


def recorded(client: ChannelClient, into: list[Exchange]) -> None:
    """Keeps what goes over the client's wire."""

    def note(response: httpx.Response) -> None:
        response.read()
        path = unquote(response.request.url.path.removeprefix("/amazon"))
        if any(path.startswith(prefix) for prefix in MODELS):
            query = tuple(response.request.url.params.multi_items())
            sent = response.request.read()
            into.append(
                Exchange(response.request.method, path, query, sent, response.status_code, response.content)
            )

    client._http.event_hooks = {"response": [note]}


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    """Everything said while each resource is read, and a few questions the connector does not ask."""
    reference("marketplace-apis/amazon/orders_2026-01-01.json")
    refunded = (give_back(1, 10, "9.00", "0.75", shipping=Decimal("3.00")),)
    gone = sale(2, cancelled_at=FETCHED, shipped_at=None)
    pending = sale(3, paid_at=None, shipped_at=None)
    returned = sale(4, refunds=refunded, updated_at=FETCHED - timedelta(hours=10), fulfilled_by="marketplace")
    again = sale(5, is_replacement=True, replaces=1, external_number="F-5")
    shop = Shop(gone, pending, returned, again, *(sale(n, 30 + n / 100) for n in range(6, 120)), listings=120)
    state = SandboxState(shop, pace=PACE)
    state.clock.freeze(FETCHED)
    found: list[Exchange] = []
    until = FETCHED - timedelta(minutes=3)
    with (
        serving(state) as url,
        open_client(account(f"{url}/amazon", PACE, (US,)), limits=Limits(backoff=0.001)) as it,
    ):
        recorded(it, found)
        for name, back in READ.items():
            for days in back:
                assert list(RESOURCES[name].pages(it, Window(FETCHED - timedelta(days=days), until)))
        token = state.tokens.issue("amazon", 3600 * PACE)
        order = json.loads(found[0].body)["orders"][0]["orderId"]
        day = "2026-02-27T00:00:00+00:00--2026-03-01T00:00:00+00:00"
        asked = [
            (f"/orders/2026-01-01/orders/{order}", {"includedData": "PROCEEDS,FULFILLMENT"}, token),
            ("/orders/2026-01-01/orders/113-0-0", {}, token),
            ("/orders/2026-01-01/orders", {}, token),
            ("/orders/2026-01-01/orders", {"createdAfter": "2026-02-01T00:00:00Z"}, "stale"),
            ("/reports/2021-06-30/reports", {"reportTypes": "GET_MERCHANT_LISTINGS_ALL_DATA"}, token),
            ("/sellers/v1/marketplaceParticipations", {}, token),
            (
                "/sales/v1/orderMetrics",
                {"marketplaceIds": US, "interval": day, "granularity": "Total"},
                token,
            ),
            (
                "/sales/v1/orderMetrics",
                {"marketplaceIds": US, "interval": day, "granularity": "Day", "granularityTimeZone": "UTC"},
                token,
            ),
            ("/fba/inventory/v1/summaries", {"granularityType": "Marketplace"}, token),
        ]
        for path, params, given in asked:
            it._http.get(f"{url}/amazon{path}", params=params, headers={"x-amz-access-token": given})
    return found


def test_the_reading_covered_every_operation(exchanges):
    seen = {(e.method, re.sub(r"[0-9A-Z][^/]*$", "*", e.path)) for e in exchanges if e.status < 300}
    assert len({e.path.split("/")[1] for e in exchanges}) == len(MODELS)
    assert ("POST", "/reports/2021-06-30/reports") in seen
    assert {e.status for e in exchanges} == {200, 202, 400, 403, 404}
    assert any(b"nextToken" in e.body for e in exchanges if e.path.startswith("/orders"))


def test_every_request_is_allowed(exchanges):
    wrong = {
        f"{e.method} {e.path}": found for e in exchanges if e.status < 300 and (found := request_errors(e))
    }
    assert wrong == {}


def test_every_answer_is_promised(exchanges):
    wrong = {f"{e.method} {e.path} {e.status}": found[:5] for e in exchanges if (found := answer_errors(e))}
    assert wrong == {}


def test_the_checks_notice_what_is_wrong(exchanges):
    found = next(e for e in exchanges if e.path == "/orders/2026-01-01/orders")
    broken = json.loads(found.body)
    del broken["orders"][0]["orderItems"]
    body = json.dumps(broken).encode()
    assert answer_errors(Exchange("GET", found.path, found.query, b"", 200, body))
    assert request_errors(Exchange("GET", found.path, (("gossip", "1"),), b"", 200, found.body))
    assert request_errors(Exchange("GET", found.path, (("includedData", "GOSSIP"),), b"", 200, found.body))
