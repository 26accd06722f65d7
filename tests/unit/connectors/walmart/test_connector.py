"""The Walmart connector against the sandbox, over real HTTP: paging, cursors, limits, tokens, misbehaviour."""

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import polars as pl
import pytest

from connectors.base import Window
from connectors.canonical import Normalized, merge_normalized
from connectors.client import Limits
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    ConnectorError,
    CursorExpiredError,
    ProtocolError,
    RateLimitError,
)
from connectors.sandbox import truth
from connectors.sandbox.app import serving
from connectors.sandbox.faults import Fault
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.state import SandboxState
from connectors.walmart import open_client, order_pages
from connectors.walmart.resources import RESOURCES
from tests.walmart_factories import account, context

TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
PACE = 120.0
EVERYTHING = Window(None, TODAY)


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(11, today=TODAY.date(), skus=240, days=200, orders_per_day=24)


@pytest.fixture(scope="module")
def running(world: GeneratedWorld) -> Iterator[tuple[SandboxState, str]]:
    state = SandboxState(world, pace=PACE)
    state.clock.freeze(TODAY)
    with serving(state) as url:
        yield state, f"{url}/walmart"


@pytest.fixture
def sandbox(running):
    state, url = running
    state.clock.freeze(TODAY)
    state.faults.clear()
    state.requests.clear()
    state.limiter.reset()
    return state, url


@pytest.fixture
def client(sandbox):
    _, url = sandbox
    with open_client(
        account(url, PACE), limits=Limits(attempts=4, backoff=0.001, max_backoff=0.002)
    ) as opened:
        yield opened


def pull(client, resource: str, window: Window = EVERYTHING) -> Normalized:
    described = RESOURCES[resource]
    return merge_normalized(
        [described.normalize(page, context()) for page in described.pages(client, window)]
    )


def reachable(world: GeneratedWorld) -> set[str]:
    """Purchase orders that the API can still show: 179 days of them."""
    numbers = world.orders_between("walmart-us", TODAY, created_since=TODAY - timedelta(days=179))
    return {str(3_000_000_000_000 + number) for number in numbers}


def keys(normalized: Normalized) -> list[str]:
    return normalized.frame("orders")["external_id"].to_list()


def test_first_load_has_every_order_of_every_node_type_once(client, sandbox, world):
    got = pull(client, "orders")
    assert sorted(keys(got)) == sorted(reachable(world))
    assert set(got.frame("orders")["fulfilled_by"]) == {"merchant", "marketplace"}
    assert got.rejected == ()
    assert got.notes == ()
    assert got.records == len(keys(got)) > 400


def test_figures_equal_the_worlds_own(client, world):
    got = pull(client, "orders")
    returned = pull(client, "returns")
    wanted = truth.expected(world, TODAY, ["walmart-us"]).filter(
        pl.col("date") >= TODAY.date() - timedelta(days=178)
    )
    orders = got.frame("orders").select(
        "is_replacement",
        order_external_id="external_id",
        date=pl.col("ordered_at").dt.convert_time_zone("America/Los_Angeles").dt.date(),
    )
    lines = (
        got.frame("order_items")
        .join(orders, on="order_external_id")
        .filter(pl.col("date") >= wanted["date"].min())
    )
    revenue = pl.col("net_amount") * (pl.col("quantity") - pl.col("cancelled_quantity")) / pl.col(
        "quantity"
    ) - pl.col("refunded_net_amount")
    sold = lines.select(
        revenue=revenue.sum(), units=(pl.col("quantity") - pl.col("cancelled_quantity")).sum()
    )
    assert sold["revenue"].item() == wanted["revenue"].sum()
    assert sold["units"].item() == wanted["units"].sum()
    units = (
        returned.frame("refunds")
        .join(orders, on="order_external_id")
        .filter(pl.col("date") >= wanted["date"].min())
    )
    assert units["quantity"].sum() == wanted["refunded_units"].sum() > 0


def test_last_page_of_a_slice_says_how_much_there_is(client):
    pages = list(RESOURCES["orders"].pages(client, EVERYTHING))
    told = [page.expected_records for page in pages if page.expected_records is not None]
    assert len(told) == 2  # SellerFulfilled and WFSFulfilled; there is no 3PL
    assert sum(told) == len(keys(pull(client, "orders"))) > 200


def test_a_late_change_of_an_old_order_is_seen(client, world):
    """Without createdStartDate the API shows only what was created in the last seven days."""
    since = TODAY - timedelta(days=3)
    changed = world.orders_between("walmart-us", TODAY, updated_since=since)
    old = [
        order
        for order in world.orders(changed, TODAY)
        if TODAY - timedelta(days=170) < order.created_at < TODAY - timedelta(days=8)
    ]
    assert old
    got = pull(client, "orders", Window(since, TODAY))
    assert {str(3_000_000_000_000 + order.number) for order in old} <= set(keys(got))


def test_windows_meet_without_gap_and_overlap_is_the_only_repeat(client, world):
    edges = [TODAY - timedelta(days=179), *(TODAY - timedelta(days=d) for d in (90, 30, 7)), TODAY]
    seen = [key for a, b in itertools.pairwise(edges) for key in keys(pull(client, "orders", Window(a, b)))]
    assert reachable(world) <= set(seen)


def test_nothing_changed_is_no_page(client):
    future = Window(TODAY + timedelta(days=30), TODAY + timedelta(days=31))
    assert list(RESOURCES["orders"].pages(client, future)) == []
    assert list(RESOURCES["orders"].pages(client, Window(TODAY - timedelta(microseconds=1), TODAY))) == []


def test_windows_with_too_many_orders_are_halved(client, sandbox, world, monkeypatch):
    monkeypatch.setattr(order_pages, "NEAR_MOST", 90)
    got = pull(client, "orders")
    assert set(keys(got)) == reachable(world)


def test_window_that_cannot_be_halved_is_an_error(client, monkeypatch):
    monkeypatch.setattr(order_pages, "NEAR_MOST", 1)
    monkeypatch.setattr(order_pages, "SHORTEST", timedelta(days=60))
    with pytest.raises(ProtocolError, match="holds more orders than one query gives"):
        pull(client, "orders")


def test_every_call_proves_itself_anew(sandbox):
    _, url = sandbox
    seen = []
    http = httpx.Client(event_hooks={"request": [seen.append]})
    with open_client(account(url, PACE), http=http) as opened:
        pull(opened, "inventory")
    token, *calls = seen
    assert token.url.path.endswith("/v3/token")
    assert "WM_SEC.ACCESS_TOKEN" not in token.headers
    ids = [request.headers["WM_QOS.CORRELATION_ID"] for request in seen]
    assert len(set(ids)) == len(ids) > 3
    assert {request.headers["accept"] for request in seen} == {"application/json"}
    assert all("authorization" not in request.headers for request in calls)
    assert all(request.headers["WM_SVC.NAME"] for request in seen)


def test_token_is_asked_once_and_again_when_it_is_refused(client, sandbox, world):
    state, _ = sandbox
    pull(client, "products")
    first = state.requests.counts()["walmart.token"]
    pull(client, "products")
    assert state.requests.counts()["walmart.token"] == first
    state.tokens.expire_all()
    assert pull(client, "products").records == len(world.products("walmart-us", TODAY)) > 100
    assert state.requests.counts()["walmart.items"][401] == 1


def test_wrong_secret_says_what_to_do(sandbox):
    _, url = sandbox
    wrong = account(url, PACE)
    wrong.credentials["client_secret"] = wrong.credentials["client_id"]  # type: ignore[index]  # a mapping in tests
    with open_client(wrong) as opened, pytest.raises(AuthenticationError, match="check WALMART_CLIENT_ID"):
        pull(opened, "products")


@pytest.mark.parametrize("resource", ["orders", "returns", "products", "inventory"])
def test_reads_the_same_after_a_flaky_minute(client, sandbox, resource):
    state, _ = sandbox
    calm = pull(client, resource)
    hourly = {"x-next-replenishment-time": "0.001"}
    for fault in (
        Fault(operation="GET /walmart/v3/*", kind="status", status=503),
        Fault(operation="GET /walmart/v3/*", kind="status", status=520, after=1),
        Fault(operation="GET /walmart/v3/*", kind="status", status=429, headers=hourly, body={"errors": []}),
    ):
        state.faults.add(fault)
    again = pull(client, resource)
    for name, frame in calm.frames.items():
        assert again.frame(name).equals(frame), name


def test_cut_body_of_a_single_use_cursor_restarts_the_window(client, sandbox):
    """The cursor was spent by the answer that never came whole; asking again gets 404, which is not "the end"."""
    state, _ = sandbox
    state.faults.add(Fault(operation="GET /walmart/v3/inventories", kind="cut", size=30, after=1))
    with pytest.raises(CursorExpiredError, match="cursor was not accepted"):
        pull(client, "inventory")
    assert pull(client, "inventory").records > 50


def test_item_page_lost_on_the_way_is_missed(client, sandbox, world):
    """The session's cursor went on; asking again gives the page after the lost one."""
    state, _ = sandbox
    wanted = len(world.products("walmart-us", TODAY))
    state.faults.add(Fault(operation="GET /walmart/v3/items", kind="cut", size=30, after=1))
    pages = list(RESOURCES["products"].pages(client, EVERYTHING))
    assert sum(len(json.loads(page.body)["ItemResponse"]) for page in pages) == wanted - 50
    assert [page.expected_records for page in pages if page.expected_records is not None] == [wanted]


def test_dead_item_cursor_is_told(sandbox):
    state, url = sandbox
    with open_client(account(url, PACE)) as opened:
        state.faults.add(
            Fault(
                operation="GET /walmart/v3/items",
                kind="status",
                status=400,
                after=1,
                body={"errors": [{"code": "X", "description": "Invalid Cursor"}]},
            )
        )
        with pytest.raises(CursorExpiredError, match="Invalid Cursor"):
            pull(opened, "products")


@pytest.mark.parametrize(
    ("operation", "resource"),
    [("walmart.orders", "orders"), ("walmart.returns", "returns"), ("walmart.items", "products"),
     ("walmart.inventories", "inventory")],
)  # fmt: skip
def test_repeated_page_is_an_error_that_names_it(client, sandbox, operation, resource):
    state, _ = sandbox
    if resource == "returns":
        pytest.skip("the world has fewer returns than one page holds")
    state.faults.add(Fault(operation=operation, kind="repeat", times=None, after=1))
    with pytest.raises(ProtocolError, match=r"page \d+ (repeats|has a token)"):
        pull(client, resource)


def test_reordered_page_changes_nothing(client, sandbox):
    state, _ = sandbox
    calm = pull(client, "orders").frame("orders").sort("external_id")
    state.faults.add(Fault(operation="walmart.orders", kind="reorder", times=None))
    assert pull(client, "orders").frame("orders").sort("external_id").equals(calm)


def test_poisoned_record_is_refused_and_the_rest_loads(client, sandbox, world):
    state, _ = sandbox
    state.faults.add(Fault(operation="walmart.orders", kind="poison", field="orderDate", value="never"))
    got = pull(client, "orders")
    assert len(got.rejected) == 1
    assert len(keys(got)) == len(reachable(world)) - 1


def test_new_field_is_no_trouble_and_a_lost_one_is(client, sandbox, world):
    state, _ = sandbox
    state.faults.add(Fault(operation="walmart.items", kind="extra", field="colour", value={"a": 1}))
    assert pull(client, "products").rejected == ()
    state.faults.add(Fault(operation="walmart.items", kind="missing", field="sku"))
    lost = pull(client, "products")
    assert len(lost.rejected) == 50
    assert lost.records == len(world.products("walmart-us", TODAY))


def test_error_inside_a_good_answer_is_not_an_empty_list(client, sandbox):
    state, _ = sandbox
    state.faults.add(
        Fault(
            operation="GET /walmart/v3/*",
            kind="status",
            status=200,
            times=None,
            body={"error": [{"code": "X"}]},
        )
    )
    for resource in RESOURCES:
        with pytest.raises(ProtocolError, match="unknown shape"):
            pull(client, resource)


def test_xml_answer_is_survived(sandbox):
    """A gateway that ignores Accept."""
    _, url = sandbox

    def ask_for_xml(request: httpx.Request) -> None:
        if not request.url.path.endswith("/token"):
            request.headers["accept"] = "application/xml"

    window = Window(TODAY - timedelta(days=20), TODAY)
    with open_client(account(url, PACE)) as opened:
        plain = pull(opened, "orders", window)
    http = httpx.Client(event_hooks={"request": [ask_for_xml]})
    with open_client(account(url, PACE), http=http) as opened:
        got = pull(opened, "orders", window)
    assert got.frame("orders").equals(plain.frame("orders"))
    assert got.frame("order_items").equals(plain.frame("order_items"))


def test_wfs_falls_back_to_the_legacy_answer(client, sandbox):
    state, _ = sandbox
    new = pull(client, "inventory").frame("inventory")
    gone = {"errors": [{"code": "UNAUTHORIZED", "description": "Program Eligibility is not enabled"}]}
    state.faults.add(
        Fault(operation="walmart.wfs_inventory", kind="status", status=401, times=None, body=gone)
    )
    old = pull(client, "inventory").frame("inventory")
    columns = ["sku", "warehouse_location", "quantity_available", "quantity_on_hand"]
    assert old.select(columns).equals(new.select(columns))
    assert "WFS" in set(new["warehouse_location"])


def test_seller_outside_wfs_has_only_his_own_stock(client, sandbox):
    state, _ = sandbox
    for operation in ("walmart.wfs_inventory", "walmart.wfs_inventory_legacy"):
        state.faults.add(Fault(operation=operation, kind="status", status=401, times=None))
    assert set(pull(client, "inventory").frame("inventory")["warehouse_location"]) == {"main"}


def test_outage_of_wfs_is_an_outage(client, sandbox):
    state, _ = sandbox
    state.faults.add(Fault(operation="walmart.wfs_inventory", kind="status", status=500, times=None))
    with pytest.raises(ChannelUnavailableError):
        pull(client, "inventory")


def test_stock_equals_the_worlds(client, world):
    got = pull(client, "inventory").frame("inventory")
    wanted = {
        (level.sku, level.location): (level.available, level.on_hand, level.reserved)
        for level in world.stock("walmart-us", TODAY)
    }
    seen = {
        (row["sku"], row["warehouse_location"]): (
            row["quantity_available"],
            row["quantity_on_hand"],
            row["quantity_reserved"],
        )
        for row in got.to_dicts()
    }
    assert seen == wanted


def test_products_equal_the_worlds(client, world):
    got = {row["sku"]: row for row in pull(client, "products").frame("products").to_dicts()}
    for product in world.products("walmart-us", TODAY):
        row = got.pop(product.sku)
        assert (row["title"], row["price"], row["is_active"]) == (
            product.title,
            product.price,
            product.is_active,
        )
    assert got == {}


def test_429_that_never_ends_is_told_with_its_wait(sandbox):
    state, url = sandbox
    state.faults.add(
        Fault(operation="walmart.items", kind="status", status=429, times=None, headers={"retry-after": "0"})
    )
    with (
        open_client(account(url, PACE), limits=Limits(attempts=2)) as opened,
        pytest.raises(RateLimitError) as caught,
    ):
        pull(opened, "products")
    assert caught.value.retry_after_seconds == 0
    assert re.search(r"walmart\.items: HTTP 429", str(caught.value))


def test_errors_carry_no_secret(sandbox):
    state, url = sandbox
    state.faults.add(Fault(operation="walmart.items", kind="status", status=403, times=None))
    with open_client(account(url, PACE)) as opened, pytest.raises(ConnectorError) as caught:
        pull(opened, "products")
    assert "walmart-sandbox-secret" not in str(caught.value)
