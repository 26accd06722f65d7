"""The sandbox's Walmart answers against Walmart's own OpenAPI models (skipped where the models are not here).

The models are wrong or silent in places, and the sandbox follows what sellers see: `tax` may be null in reality
(the sandbox leaves it out), `orderSummary` is often missing, a return's `nextCursor` may be empty, and
`/v3/wfs/inventory` has no public model at all.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from connectors.client import Call
from connectors.sandbox.app import serving
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.state import SandboxState
from connectors.walmart import open_client
from connectors.walmart.order_pages import RATE, stamp
from tests.reference import reference
from tests.walmart_factories import account

TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODELS = "marketplace-apis/walmart"


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(5, today=TODAY.date(), skus=60, days=60, orders_per_day=40)


@pytest.fixture(scope="module")
def api(world: GeneratedWorld) -> Iterator[str]:
    state = SandboxState(world, pace=60)
    state.clock.freeze(TODAY)
    with serving(state) as url:
        yield f"{url}/walmart"


def ask(api: str, path: str, **params: str) -> Any:
    with open_client(account(api, 60)) as client:
        answer = client.send(Call(operation="contract", rate=RATE, path=path, params=tuple(params.items())))
    return json.loads(answer.body)


def model(file: str, path: str, method: str = "get", status: str = "200") -> dict[str, Any]:
    """The schema of an answer, with OpenAPI's own words turned into JSON Schema's."""
    document = json.loads(reference(f"{MODELS}/{file}.json").read_text())
    schema: dict[str, Any] = document["paths"][path][method]["responses"][status]["content"][
        "application/json"
    ]["schema"]
    return schema


def check(schema: dict[str, Any], answer: Any) -> None:
    errors = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:160]}"
        for error in Draft202012Validator(schema).iter_errors(answer)
    ]
    assert errors == []


ORDER_PARAMS = {
    "createdStartDate": stamp(TODAY - timedelta(days=179)),
    "limit": "200",
    "replacementInfo": "true",
}


@pytest.mark.parametrize("node_type", ["SellerFulfilled", "WFSFulfilled"])
def test_orders(api, node_type):
    schema = model("orders", "/v3/orders")
    answer = ask(api, "/v3/orders", shipNodeType=node_type, **ORDER_PARAMS)
    found = answer["list"]["elements"]["order"]
    seen = {entry["status"] for o in found for li in o["orderLines"]["orderLine"] for entry in statuses(li)}
    assert {"Delivered", "Cancelled"} <= seen
    check(schema, answer)


def statuses(line: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line["orderLineStatuses"]["orderLineStatus"]
    return found


def test_orders_have_refunds_and_replacements_somewhere(api):
    reference(f"{MODELS}/orders.json")
    lines: list[dict[str, Any]] = []
    kinds = set()
    for node_type in ("SellerFulfilled", "WFSFulfilled"):
        path = "/v3/orders"
        answer = ask(api, path, shipNodeType=node_type, **ORDER_PARAMS)
        while True:
            for order in answer["list"]["elements"]["order"]:
                kinds.add(order["orderType"])
                lines += order["orderLines"]["orderLine"]
            cursor = answer["list"]["meta"].get("nextCursor")
            if not cursor:
                break
            answer = ask(api, path + cursor)
            check(model("orders", "/v3/orders"), answer)
    assert any("refund" in line for line in lines)
    assert kinds == {"REGULAR", "REPLACEMENT"}


def test_one_order(api):
    listed = ask(api, "/v3/orders", **ORDER_PARAMS)["list"]["elements"]["order"][0]
    answer = ask(api, f"/v3/orders/{listed['purchaseOrderId']}", replacementInfo="true")
    assert answer["order"] == listed
    # The model of this answer is an order without its wrapper and with ISO dates; sellers are given
    # {"order": …} with epoch milliseconds, an order like those of the list.
    inside = model("orders", "/v3/orders")["properties"]["list"]["properties"]["elements"]["properties"][
        "order"
    ]
    check(inside["items"], answer["order"])


def test_returns(api):
    answer = ask(
        api,
        "/v3/returns",
        returnLastModifiedStartDate=stamp(TODAY - timedelta(days=60)),
        returnLastModifiedEndDate=stamp(TODAY),
        limit="200",
    )
    assert answer["returnOrders"]
    check(model("returns", "/v3/returns"), answer)


def test_dates_of_reconciliation_reports(api):
    path = "/v3/report/reconreport/availableReconFiles"
    answer = ask(api, path, reportVersion="v1")
    assert answer["availableApReportDates"]
    check(model("reports", f"{path}?reportVersion=v1"), answer)


def test_items(api):
    answer = ask(api, "/v3/items", nextCursor="*", limit="50")
    assert answer["ItemResponse"]
    check(model("items", "/v3/items"), answer)


def test_inventories(api):
    answer = ask(api, "/v3/inventories", limit="50")
    sku = answer["elements"]["inventories"][0]["sku"]
    check(model("inventory", "/v3/inventories"), answer)
    check(model("inventory", "/v3/inventory"), ask(api, "/v3/inventory", sku=sku))


def test_legacy_wfs_inventory(api):
    answer = ask(api, "/v3/fulfillment/inventory", limit="300")
    assert answer["payload"]["inventory"]
    check(model("inventory", "/v3/fulfillment/inventory"), answer)


def test_token(api):
    with open_client(account(api, 60)) as client:
        client.send(Call(operation="contract", rate=RATE, path="/v3/items"))
    answer = httpx.post(
        f"{api}/v3/token",
        data={"grant_type": "client_credentials"},
        auth=("walmart-sandbox-client", "walmart-sandbox-secret"),
        headers={
            "Accept": "application/json",
            "WM_SVC.NAME": "Walmart Marketplace",
            "WM_QOS.CORRELATION_ID": "b3261d2d-028a-4ef7-8602-633c23200af6",
        },
    )
    assert answer.json()["expires_in"] == 900
    check(model("authentication", "/v3/token", "post"), answer.json())


GOOD = {
    "WM_SVC.NAME": "Walmart Marketplace",
    "WM_QOS.CORRELATION_ID": "b3261d2d-028a-4ef7-8602-633c23200af6",
    "Accept": "application/json",
}


@pytest.mark.parametrize(
    ("path", "params", "headers", "status", "code"),
    [
        ("/v3/orders", {}, {"WM_SVC.NAME": ""}, 400, "INVALID_REQUEST_HEADER"),
        ("/v3/orders", {}, {"WM_QOS.CORRELATION_ID": "not a guid"}, 400, "INVALID_REQUEST_HEADER"),
        ("/v3/orders", {}, {"WM_SEC.ACCESS_TOKEN": "expired"}, 401, "UNAUTHORIZED"),
        ("/v3/orders", {"limit": "201"}, {}, 400, "INVALID_REQUEST_PARAM"),
        ("/v3/orders", {"shipNodeType": "Anyone"}, {}, 400, "INVALID_REQUEST_PARAM"),
        ("/v3/orders", {"createdStartDate": "soon"}, {}, 400, "INVALID_REQUEST_PARAM"),
        ("/v3/orders", {"shipNodeType": "3PLFulfilled"}, {}, 404, "CONTENT_NOT_FOUND"),
        ("/v3/returns", {"returnLastModifiedStartDate": "2026-11-01"}, {}, 400, "INVALID_REQUEST_PARAM"),
        ("/v3/returns", {"returnCreationEndDate": "2026-11-01"}, {}, 400, "INVALID_REQUEST_PARAM"),
        ("/v3/items", {"nextCursor": "made-up"}, {}, 400, "INVALID_REQUEST_PARAM"),
        ("/v3/items", {"limit": "51"}, {}, 400, "INVALID_REQUEST_PARAM"),
        ("/v3/inventories", {"nextCursor": "made-up"}, {}, 404, "CONTENT_NOT_FOUND"),
        ("/v3/inventory", {}, {}, 400, "INVALID_REQUEST_PARAM"),
    ],
)
def test_the_sandbox_refuses_what_walmart_refuses(api, path, params, headers, status, code):
    with open_client(account(api, 60)) as client:
        token = client._auth.headers()["WM_SEC.ACCESS_TOKEN"]
    answer = httpx.get(api + path, params=params, headers={"WM_SEC.ACCESS_TOKEN": token, **GOOD, **headers})
    assert answer.status_code == status
    assert answer.json()["errors"][0]["code"].startswith(code)


def test_defaults_hide_what_the_connector_asks_for(api):
    """Seven days of seller-fulfilled orders, a hundred of them: what a naive request sees."""
    few = ask(api, "/v3/orders")["list"]
    all_ = ask(api, "/v3/orders", **ORDER_PARAMS)["list"]
    assert few["meta"]["limit"] == 100
    assert few["meta"]["totalCount"] < all_["meta"]["totalCount"]
    first = min(order["orderDate"] for order in few["elements"]["order"])
    assert first >= (TODAY - timedelta(days=7)).timestamp() * 1000


def test_xml_is_the_default(api):
    with open_client(account(api, 60)) as client:
        token = client._auth.headers()["WM_SEC.ACCESS_TOKEN"]
    headers = {**GOOD, "WM_SEC.ACCESS_TOKEN": token, "Accept": "*/*"}
    answer = httpx.get(f"{api}/v3/orders", headers=headers)
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.text.startswith("<?xml")


def test_limits_are_told_and_kept(world):
    state = SandboxState(world)
    state.clock.freeze(TODAY)
    token = state.tokens.issue("walmart", 900)
    dates = {"returnLastModifiedStartDate": "2026-11-19", "returnLastModifiedEndDate": "2026-11-20"}
    headers = {"WM_SEC.ACCESS_TOKEN": token, **GOOD}
    with serving(state) as url, httpx.Client(headers=headers, params=dates) as http:
        asked = (http.get(f"{url}/walmart/v3/returns") for _ in range(1000))
        good, refused = next((n, answer) for n, answer in enumerate(asked) if answer.status_code != 200)
    assert good >= 50
    assert refused.status_code == 429
    assert refused.json()["errors"][0]["code"].startswith("REQUEST_THRESHOLD_VIOLATED")
    assert refused.headers["x-current-token-count"] == "0"
    assert int(refused.headers["x-next-replenishment-time"]) > 1_700_000_000_000
