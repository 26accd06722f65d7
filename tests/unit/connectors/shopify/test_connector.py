"""The connector against the sandbox, over real HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from connectors.base import Context, Window
from connectors.canonical import merge_normalized
from connectors.client import Limits
from connectors.errors import AuthenticationError, ChannelUnavailableError, ProtocolError
from connectors.extract import Tally, fetch
from connectors.sandbox import truth
from connectors.sandbox.faults import Fault
from connectors.sandbox.shopify_bulk import Operation
from connectors.sandbox.state import SandboxState
from connectors.shopify import resources
from connectors.shopify.ask import ask
from connectors.shopify.queries import PROBE
from connectors.shopify.resources import RESOURCES
from tests.sandbox_factories import HandWorld, days, line, order, small_world
from tests.shopify_factories import CHANNEL, NOW, client, read, shop

ALL = Window(None, NOW)
FORTNIGHT = Window(NOW - timedelta(days=14), NOW)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[SandboxState, str]]:
    with shop(small_world()) as started:
        yield started


@pytest.fixture
def state(running: tuple[SandboxState, str]) -> Iterator[SandboxState]:
    yield running[0]
    running[0].faults.clear()
    running[0].requests.clear()
    running[0].limiter.reset()


@pytest.fixture
def url(running: tuple[SandboxState, str]) -> str:
    return running[1]


@pytest.fixture
def months(monkeypatch: pytest.MonkeyPatch) -> Window:
    """A window of many pages that is paged all the same."""
    monkeypatch.setattr(resources, "LONG", timedelta(days=1000))
    return Window(NOW - timedelta(days=100), NOW)


def sold(frames: dict[str, pl.DataFrame]) -> tuple[Decimal, Decimal, int]:
    """Net of cancellations, refunded net, units: the figures the truth has."""
    items = frames["order_items"].with_columns(
        cancelled=(pl.col("net_amount") * pl.col("cancelled_quantity") / pl.col("quantity")).fill_null(0)
    )
    return (
        items["net_amount"].sum() - items["cancelled"].sum(),
        items["refunded_net_amount"].sum(),
        (items["quantity"] - items["cancelled_quantity"]).sum(),
    )


def test_a_first_load_by_bulk_operation_is_the_truth(state: SandboxState, url: str):
    frames, tally = read(url, "orders", ALL)

    expected = truth.expected(state.world, NOW, [CHANNEL])
    assert sold(frames) == (expected["net"].sum(), expected["refunded"].sum(), expected["units"].sum())
    assert tally.records == tally.expected == frames["orders"]["external_id"].n_unique()
    assert frames["refunds"]["net_amount"].sum() == expected["refunded"].sum()
    assert "shopify.orders" not in state.requests.counts()


def test_paging_gives_the_same_orders_as_the_bulk_operation(state: SandboxState, url: str, months: Window):
    bulk, _ = read(url, "orders", ALL)
    paged, tally = read(url, "orders", months)

    assert tally.pages > 3
    since = pl.col("source_updated_at") >= months.since
    assert paged["orders"].sort("external_id").equals(bulk["orders"].filter(since).sort("external_id"))
    own = pl.col("order_external_id").is_in(paged["orders"]["external_id"].to_list())
    by = ["order_external_id", "line_id"]
    assert paged["order_items"].sort(by).equals(bulk["order_items"].filter(own).sort(by))
    by = ["order_external_id", "refund_id", "line_id"]
    assert paged["refunds"].sort(by).equals(bulk["refunds"].filter(own).sort(by))


def test_a_bulk_file_in_parts_keeps_every_order_whole(
    state: SandboxState, url: str, monkeypatch: pytest.MonkeyPatch
):
    whole, _ = read(url, "orders", ALL)
    monkeypatch.setattr("connectors.shopify.bulk.PAGE_BYTES", 100_000)

    parts, tally = read(url, "orders", ALL)

    assert tally.pages > 5
    assert parts["orders"].sort("external_id").equals(whole["orders"].sort("external_id"))
    by = ["order_external_id", "line_id"]
    assert parts["order_items"].sort(by).equals(whole["order_items"].sort(by))


def test_a_bulk_file_cut_short_is_an_error_and_not_a_smaller_window(state: SandboxState, url: str):
    state.faults.add(Fault(operation="shopify.bulk_file", kind="empty", times=None))

    with pytest.raises(ChannelUnavailableError, match="announced"):
        read(url, "orders", ALL)


def test_a_bulk_operation_that_failed_is_asked_for_again_as_a_whole(
    state: SandboxState, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Operation, "status", "EXPIRED")

    with pytest.raises(ChannelUnavailableError, match="EXPIRED"):
        read(url, "orders", ALL)
    monkeypatch.undo()

    assert read(url, "orders", ALL)[0]["orders"].height > 0


def test_products_and_stock_are_all_there(state: SandboxState, url: str):
    products, _ = read(url, "products", ALL)
    stock, _ = read(url, "inventory", ALL)

    told = state.world.products(CHANNEL, NOW)
    assert sorted(products["products"]["sku"]) == sorted(product.sku for product in told)
    levels = state.world.stock(CHANNEL, NOW)
    assert stock["inventory"].height == len(levels)
    assert stock["inventory"]["quantity_available"].sum() == sum(level.available for level in levels)
    assert stock["inventory"]["quantity_on_hand"].sum() == sum(level.on_hand for level in levels)
    linked = stock["inventory"].join(products["products"], on="external_id", how="anti")
    assert linked.height == 0


def test_many_pages_become_a_bulk_operation(state: SandboxState, url: str, monkeypatch: pytest.MonkeyPatch):
    few, _ = read(url, "products", ALL)
    monkeypatch.setattr(resources, "FEW_PAGES", 0)

    many, tally = read(url, "products", ALL)

    assert tally.expected == tally.records
    assert many["products"].sort("external_id").equals(few["products"].sort("external_id"))


def test_carts_and_returns(state: SandboxState, url: str):
    month = Window(NOW - timedelta(days=30), NOW)
    carts, _ = read(url, "carts", month)
    returns, _ = read(url, "returns", month)

    told = state.world.carts_between(CHANNEL, NOW, NOW - timedelta(days=30), NOW)
    assert carts["carts"].height == len(told)
    assert carts["carts"]["completed_at"].count() == sum(cart.completed_at is not None for cart in told)
    assert returns["returns"].height > 0


def test_long_orders_are_completed_page_by_page(state: SandboxState):
    lines = [line(n, f"S{n}", 1, "1.00", product_number=n) for n in range(1, 251)]
    world = HandWorld(order(1, NOW - days(3), *lines), order(2, NOW - days(2), line(1, "S1", 1, "2.00")))
    with shop(world) as (_, url):
        frames, _ = read(url, "orders", FORTNIGHT)

    assert frames["order_items"].group_by("order_external_id").len().sort("len")["len"].to_list() == [1, 250]
    assert frames["orders"]["subtotal"].sort().to_list() == [Decimal("2.0000"), Decimal("250.0000")]


def test_a_token_that_ends_is_renewed_once(state: SandboxState, url: str):
    with client(url, static=False) as talking:
        ask(talking, "Probe", PROBE, {})
        state.tokens.expire_all()
        ask(talking, "Probe", PROBE, {})

    counts = state.requests.counts()
    assert counts["shopify.token"] == {200: 2}
    assert counts["shopify.graphql"] == {401: 1}


def test_wrong_credentials_end_the_read(state: SandboxState, url: str):
    with client(url) as talking:
        talking._auth._token = "shpat_wrong"  # type: ignore[attr-defined]  # a token gone bad
        with pytest.raises(AuthenticationError, match="Invalid API key"):
            ask(talking, "Probe", PROBE, {})


def test_a_missing_scope_is_named(state: SandboxState, url: str):
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_orders", times=None))

    with pytest.raises(AuthenticationError, match="read_orders"):
        read(url, "orders", FORTNIGHT)
    with pytest.raises(AuthenticationError):
        read(url, "orders", ALL)


def test_beyond_the_wall_orders_are_silently_absent(state: SandboxState, url: str):
    everything, _ = read(url, "orders", ALL)
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_all_orders", times=None))

    visible, _ = read(url, "orders", ALL)

    wall = NOW - timedelta(days=60)
    assert 0 < visible["orders"].height < everything["orders"].height
    assert visible["orders"]["ordered_at"].min() >= wall


def test_a_repeated_page_is_an_error(state: SandboxState, url: str, months: Window):
    state.faults.add(Fault(operation="shopify.orders", kind="repeat", after=1, times=None))

    with pytest.raises(ProtocolError, match="page 2 repeats page 1"):
        read(url, "orders", months)


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]},
        {"errors": [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}], "data": None},
    ],
)
def test_passing_refusals_are_asked_again(state: SandboxState, url: str, body: dict[str, object]):
    state.faults.add(Fault(operation="shopify.orders", kind="status", status=200, body=body, times=2))

    frames, _ = read(url, "orders", FORTNIGHT)

    assert frames["orders"].height > 0


def test_a_query_that_is_too_costly_is_asked_in_smaller_pages(state: SandboxState, url: str, months: Window):
    whole, before = read(url, "orders", months)
    body = {"errors": [{"message": "too much", "extensions": {"code": "MAX_COST_EXCEEDED"}}]}
    state.faults.add(
        Fault(operation="shopify.orders", kind="status", status=200, body=body, after=1, times=1)
    )

    smaller, tally = read(url, "orders", months)

    assert smaller["orders"].sort("external_id").equals(whole["orders"].sort("external_id"))
    assert tally.pages > before.pages


def test_poison_is_refused_and_the_rest_loads(state: SandboxState, url: str):
    whole, _ = read(url, "orders", FORTNIGHT)
    state.faults.add(Fault(operation="shopify.orders", kind="poison", field="totalPriceSet", value="much"))

    rest, tally = read(url, "orders", FORTNIGHT)

    assert tally.rejected == 1
    assert rest["orders"].height == whole["orders"].height - 1


def test_reordered_pages_and_new_fields_change_nothing(state: SandboxState, url: str):
    whole, _ = read(url, "orders", FORTNIGHT)
    state.faults.add(Fault(operation="shopify.orders", kind="reorder"))
    state.faults.add(Fault(operation="shopify.orders", kind="extra", field="mood"))

    again, tally = read(url, "orders", FORTNIGHT)

    assert tally.rejected == 0
    assert again["orders"].sort("external_id").equals(whole["orders"].sort("external_id"))


def test_a_cut_answer_is_asked_again(state: SandboxState, url: str):
    state.faults.add(Fault(operation="shopify.orders", kind="cut", size=200))

    frames, _ = read(url, "orders", FORTNIGHT)

    assert frames["orders"].height > 0


def test_the_budget_is_kept_by_our_side(url: str):
    with shop(small_world(), pace=20.0) as (slow, address):
        with client(address, limits=Limits(max_wait=60)) as talking:
            talking.pace = 20.0
            for _ in range(100):  # as many as it takes on a busy machine
                list(resources.ORDERS.pages(talking, FORTNIGHT))
                if talking.waited:
                    break
        counts = slow.requests.counts()

    assert counts["shopify.orders"].get(429, 0) == 0
    assert talking.waited > 0


def test_customers_are_the_ones_who_ordered_paged_or_by_bulk_operation(state: SandboxState, url: str):
    paged, _ = read(url, "customers", FORTNIGHT)
    whole, tally = read(url, "customers", ALL)
    orders, _ = read(url, "orders", ALL)

    told = whole["customers"].sort("customer_key")
    bought = (
        orders["orders"].drop_nulls("customer_key").group_by("customer_key").agg(pl.len().alias("orders"))
    )
    assert dict(zip(told["customer_key"], told["orders_count"], strict=True)) == dict(bought.rows())
    assert tally.records == told["customer_key"].n_unique()
    since = (FORTNIGHT.since or NOW).replace(hour=0)
    recent = told.filter(pl.col("source_updated_at") >= since)
    assert paged["customers"].sort("customer_key").equals(recent)


def test_a_refused_customer_goes_by_his_pseudonym(state: SandboxState, url: str):
    state.faults.add(
        Fault(operation="shopify.customers", kind="poison", field="numberOfOrders", value="many")
    )

    with client(url) as talking:
        tally = Tally()
        batches = list(
            fetch(talking, RESOURCES["customers"], FORTNIGHT, key=b"key", fetched_at=NOW, tally=tally)
        )

    [refused] = [refused for batch in batches for refused in batch.rejected]
    assert (len(refused.natural_key), refused.field) == (32, "numberOfOrders")
    assert tally.records == sum(batch.frames["customers"].height for batch in batches) + 1


@pytest.mark.parametrize(
    ("resource", "window"), [("orders", FORTNIGHT), ("orders", ALL), ("carts", FORTNIGHT)]
)
def test_without_sight_of_customers_the_rest_is_read_and_one_warning_names_the_scope(
    state: SandboxState, url: str, resource: str, window: Window
):
    whole, _ = read(url, resource, window)
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field="read_customers", times=None))

    with client(url) as talking:
        pages = list(RESOURCES[resource].pages(talking, window))
        context = Context(talking.account, NOW)
        frame = merge_normalized([RESOURCES[resource].normalize(page, context) for page in pages]).frame(
            resource
        )

    assert frame.height == whole[resource].height > 0
    assert frame["customer_ref"].null_count() == frame.height
    [warning] = talking.warnings
    assert "read_customers" in warning


@pytest.mark.parametrize(
    ("resource", "scope"), [("customers", "read_customers"), ("returns", "read_returns")]
)
def test_a_resource_without_its_scope_is_left_out_and_not_taken_for_read(
    state: SandboxState, url: str, resource: str, scope: str
):
    state.faults.add(Fault(operation="shopify.scope", kind="missing", field=scope, times=None))

    with client(url) as talking:
        assert list(RESOURCES[resource].pages(talking, FORTNIGHT)) == []

    assert scope in talking.refused[CHANNEL]
