"""The sandbox refuses what Shopify would refuse, and charges what it would charge."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.sandbox import shopify_bulk
from connectors.sandbox.shopify_plan import MAX_COST, DocumentError, plan
from connectors.sandbox.shopify_search import parse_search
from connectors.sandbox.state import SandboxState
from connectors.shopify import queries
from tests.sandbox_factories import small_world
from tests.shopify_factories import shop

Json = dict[str, Any]
PATH = "/admin/api/2026-07/graphql.json"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[SandboxState, httpx.Client]]:
    with shop(small_world(), pace=1.0) as (state, url):
        headers = {"X-Shopify-Access-Token": state.secrets.shopify_access_token}
        with httpx.Client(base_url=url, headers=headers) as http:
            yield state, http


@pytest.fixture
def http(running: tuple[SandboxState, httpx.Client]) -> httpx.Client:
    running[0].limiter.reset()
    return running[1]


def ask(http: httpx.Client, query: str, /, **variables: Any) -> Json:
    answered = http.post(PATH, json={"query": query, "variables": variables})
    assert answered.status_code == 200
    body: Json = answered.json()
    return body


def test_a_token_is_needed(http: httpx.Client):
    answered = http.post(PATH, json={"query": "{ shop { name } }"}, headers={"X-Shopify-Access-Token": "no"})

    assert answered.status_code == 401
    assert "Invalid API key" in answered.json()["errors"]


def test_the_answer_says_its_version_and_its_cost(http: httpx.Client):
    answered = http.post(PATH, json={"query": "{ shop { name currencyCode } }"})

    assert answered.headers["X-Shopify-API-Version"] == "2026-07"
    cost = answered.json()["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (1, 1)
    assert cost["throttleStatus"]["maximumAvailable"] == 2000.0


def test_an_expired_version_falls_forward_silently(http: httpx.Client):
    answered = http.post(PATH.replace("2026-07", "2020-01"), json={"query": "{ shop { name } }"})

    assert answered.json()["data"]["shop"]["name"] == "wharf-demo"
    assert answered.headers["X-Shopify-API-Version"] == "2025-10"


@pytest.mark.parametrize(
    "query",
    [
        "{ shop { nme } }",
        "{ orders(first: 1) { nodes { lineItems(first: 1) { colour } } } }",
        "{ orders(first: 251) { nodes { id } } }",
        "{ orders { nodes { id } } }",
        '{ orders(first: 1, after: "nonsense") { nodes { id } } }',
        "query($first: Int!) { orders(first: $first) { nodes { id } } }",
        "{ orders(first: 1) { nodes { id }",
    ],
)
def test_a_wrong_document_is_refused(http: httpx.Client, query: str):
    assert "errors" in ask(http, query)


def test_a_query_may_cost_a_thousand_points(http: httpx.Client):
    deep = "{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { id variant { id } "
    deep += "product { id variants(first: 250) { nodes { id } } } } } } } }"

    (error,) = ask(http, deep)["errors"]

    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert error["extensions"]["maxCost"] == MAX_COST


def test_the_bucket_empties_and_says_so_with_status_200(http: httpx.Client):
    query = "{ orders(first: 250) { nodes { id lineItems(first: 100) { nodes { id variant { id } } } } } }"
    # As many as it takes on a busy machine, where the bucket has time to fill.
    throttled = next(told for told in (ask(http, query) for _ in range(200)) if "errors" in told)

    assert throttled["errors"][0]["extensions"]["code"] == "THROTTLED"
    cost = throttled["extensions"]["cost"]
    assert cost["throttleStatus"]["currentlyAvailable"] < cost["requestedQueryCost"]


def test_fragments_aliases_edges_and_cursors(http: httpx.Client):
    query = """query($after: String) { page: orders(first: 2, after: $after, sortKey: UPDATED_AT) {
      edges { cursor node { ...f total: totalPriceSet { shopMoney { amount } } } }
      pageInfo { hasNextPage endCursor } } }
      fragment f on Order { __typename id name }"""
    first = ask(http, query)["data"]["page"]
    second = ask(http, query, after=first["pageInfo"]["endCursor"])["data"]["page"]

    assert first["edges"][0]["node"]["__typename"] == "Order"
    assert first["pageInfo"]["endCursor"] == first["edges"][1]["cursor"]
    ids = [edge["node"]["id"] for edge in first["edges"] + second["edges"]]
    assert len(set(ids)) == 4


def test_an_object_is_found_by_its_global_id(http: httpx.Client):
    query = "{ orders(first: 1, sortKey: UPDATED_AT) { nodes { id lineItems(first: 1) { nodes { id } } } } }"
    gid = ask(http, query)["data"]["orders"]["nodes"][0]["id"]

    told = ask(
        http, "query($id: ID!) { order(id: $id) { id } node(id: $id) { id ... on Order { name } } }", id=gid
    )
    missing = ask(http, 'query { order(id: "gid://shopify/Order/1") { id } }')

    assert told["data"]["order"]["id"] == told["data"]["node"]["id"] == gid
    assert told["data"]["node"]["name"].startswith("#")
    assert missing["data"]["order"] is None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ shop { name } }", "exactly one"),
        (
            "{ orders { edges { node { id refunds { refundLineItems { edges { node { quantity } } } } } } } }",
            "within a list",
        ),
        ("{ orders { edges { node { nme } } } }", "Cannot query field"),
    ],
)
def test_bulk_queries_have_rules_of_their_own(http: httpx.Client, query: str, message: str):
    payload = ask(http, queries.BULK_RUN, query=query)["data"]["bulkOperationRunQuery"]

    assert payload["bulkOperation"] is None
    assert message in payload["userErrors"][0]["message"]


def test_five_bulk_operations_at_once(http: httpx.Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shopify_bulk, "_SECONDS", 3600)  # none ends while the others are asked for
    run = [ask(http, queries.BULK_RUN, query="{ orders { edges { node { id } } } }") for _ in range(6)]
    payloads = [told["data"]["bulkOperationRunQuery"] for told in run]

    assert [payload["bulkOperation"] is not None for payload in payloads] == [True] * 5 + [False]
    assert payloads[5]["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    for payload in payloads[:5]:
        gid = payload["bulkOperation"]["id"]
        ask(http, queries.BULK_CANCEL, id=gid)
        assert ask(http, queries.BULK_STATUS, id=gid)["data"]["bulkOperation"]["status"] == "CANCELED"


def test_client_credentials(http: httpx.Client, running: tuple[SandboxState, httpx.Client]):
    secrets = running[0].secrets
    form = {"client_id": secrets.shopify_client_id, "client_secret": secrets.shopify_client_secret}

    granted = http.post("/admin/oauth/access_token", data={**form, "grant_type": "client_credentials"})
    wrong = http.post(
        "/admin/oauth/access_token", data={**form, "client_secret": "x", "grant_type": "client_credentials"}
    )

    assert granted.json()["expires_in"] == 86399
    assert "read_all_orders" in granted.json()["scope"]
    assert wrong.status_code == 401


def test_the_search_syntax():
    search = parse_search(
        "updated_at:>='2026-01-01T00:00:00Z' AND updated_at:<\"2026-01-02T00:00:00Z\" NOT return_status:no_return"
    )

    assert search.updated_since is not None
    assert search.updated_until is not None
    assert (search.updated_until - search.updated_since).days == 1
    assert search.unequal == {"return_status": "no_return"}
    day = parse_search("created_at:2026-01-01")
    assert day.created_since is not None
    assert day.created_until is not None
    assert (day.created_until - day.created_since).days == 1


@pytest.mark.parametrize(("first", "cost"), [(3, 23), (10, 43)])
def test_costs_fit_what_was_seen_of_the_real_api(first: int, cost: int):
    # A line query of ten points a node below one order: 23 points for 3 nodes and 43 for 10 were seen.
    node = "variant { id product { id } } product { id } originalUnitPriceSet { shopMoney { amount } } "
    node += "originalTotalSet { shopMoney { amount } } discountedTotalSet { shopMoney { amount } } "
    node += "totalDiscountSet { shopMoney { amount } } taxLines { priceSet { shopMoney { amount } } }"
    query = f'{{ order(id: "gid://shopify/Order/1") {{ lineItems(first: {first}) {{ nodes {{ id {node} }} }} }} }}'

    assert plan(query, {}, None).cost == cost


def test_every_query_of_ours_fits_into_one_query():
    for name, text in queries.__dict__.items():
        if name.isupper() and not name.startswith("_") and isinstance(text, str):
            variables = {"first": 100, "q": "", "id": "x", "ids": ["x"] * 100, "query": "x"}
            try:
                made = plan(text, variables, None)
            except DocumentError as error:
                raise AssertionError(f"{name}: {error}") from error
            assert made.cost <= MAX_COST
