"""The connector against the sandbox's Selling Partner API, over real HTTP."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from pydantic import SecretStr

from connectors.amazon import RESOURCES, open_client
from connectors.base import Context, Window
from connectors.budget import LocalBudget, Rate
from connectors.client import Call, Limits
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    ConfigurationError,
    CursorExpiredError,
    ProtocolError,
    RequestRejectedError,
)
from connectors.extract import Tally, fetch
from connectors.sandbox.amazon_orders import order_id
from connectors.sandbox.app import serving
from connectors.sandbox.state import Limiter, SandboxState
from connectors.sandbox.truth import all_orders
from tests.amazon_bench import PACE, PATIENT, UNTIL, bench
from tests.amazon_factories import CA, FETCHED, JP, US, Shop, account, give_back, sale
from tests.sandbox_factories import NOON, small_world

D = Decimal


# -- orders ------------------------------------------------------------------------------------------------


def test_every_order_of_the_window_is_read_page_by_page():
    with bench(Shop(*(sale(number, 24 + number / 100) for number in range(1, 251)))) as it:
        read = it.read("orders", FETCHED - timedelta(days=5))
        assert it.asked("searchOrders") == 3
    assert sorted(read.frame("orders")["external_id"]) == sorted(order_id(number) for number in range(1, 251))
    assert read.frame("order_items").height == 500


def test_the_window_has_an_end_and_a_beginning():
    with bench(Shop(sale(1, 100), sale(2, 50), sale(3, 10))) as it:
        read = it.read("orders", FETCHED - timedelta(hours=60), FETCHED - timedelta(hours=20))
    assert read.frame("orders")["external_id"].to_list() == [order_id(2)]


def test_the_servers_own_cut_off_is_the_watermark():
    with bench(Shop(sale(1))) as it:
        [page] = RESOURCES["orders"].pages(it.client, Window(FETCHED - timedelta(days=2), UNTIL))
    assert page.watermark == UNTIL


def test_an_order_that_changes_between_two_pages_pushes_none_out_of_sight():
    shop = Shop(*(sale(number, 48 + number / 100) for number in range(1, 251)))
    with bench(shop) as it:
        described, context = RESOURCES["orders"], Context(it.account, FETCHED)
        pages = described.pages(it.client, Window(FETCHED - timedelta(days=5), UNTIL))
        seen = set(described.normalize(next(pages), context).frame("orders")["external_id"])
        for number in (250, 249, 248):  # the oldest ones: they were on the first page
            shop.by_number[number] = replace(shop.by_number[number], updated_at=FETCHED)
        for page in pages:
            seen |= set(described.normalize(page, context).frame("orders")["external_id"])
    assert len(seen) == 250


def test_amounts_arrive_exactly():
    with bench(Shop(sale(1))) as it:
        read = it.read("orders", FETCHED - timedelta(days=2))
    row = read.frame("orders").row(0, named=True)
    assert (row["subtotal"], row["discount"], row["shipping"], row["tax"]) == (D(25), D(2), D(3), D("1.75"))
    assert row["total"] == D("27.75")
    assert read.frame("order_items")["net_amount"].to_list() == [D(18), D(5)]
    assert read.notes == ()


# -- stock and listings ------------------------------------------------------------------------------------


def test_the_whole_stock_amazons_and_the_merchants():
    with bench(Shop(listings=130)) as it:
        read = it.read("inventory")
        assert it.asked("getInventorySummaries") == 2
    frame = read.frame("inventory")
    assert frame["sku"].n_unique() == frame.height == 130
    assert frame.group_by("warehouse_location").len().sort("warehouse_location").rows() == [
        (f"FBA:{US}", 65),
        ("MFN", 65),
    ]
    assert set(frame["quantity_available"]) == {8}


def test_a_page_token_that_dies_under_way_begins_the_snapshot_again():
    dead = {"errors": [{"code": "InvalidInput", "message": "nextToken: the token has expired."}]}
    with bench(Shop(listings=230)) as it:
        it.break_("getInventorySummaries", "status", status=400, body=dead, after=2, times=1)
        read = it.read("inventory")
        assert it.asked("getInventorySummaries") == 6
    assert read.frame("inventory").height == 230


def test_a_thousand_listings_and_more_are_read_by_the_date_they_were_made():
    with bench(Shop(listings=1050)) as it:
        read = it.read("products")
    assert read.frame("products")["sku"].n_unique() == 1050
    row = read.frame("products").row(0, named=True)
    assert (row["brand"], row["category"], row["price"]) == ("Acme", "Home > Things", D("9.99"))


# -- refunds and returns -----------------------------------------------------------------------------------


def test_refunds_are_dated_and_name_their_line():
    refunds = (give_back(1, 10, "9.00", "0.75"), give_back(2, 5, "5.00", "0", 2, shipping=D("3.00")))
    with bench(Shop(sale(1, refunds=refunds, updated_at=FETCHED - timedelta(hours=5)), sale(2))) as it:
        read = it.read("refunds", FETCHED - timedelta(days=2))
    rows = read.frame("refunds").sort("refunded_at").to_dicts()
    assert [(row["line_id"], row["amount"], row["net_amount"]) for row in rows] == [
        ("A#1", D("9.75"), D(9)),
        ("B#1", D(8), D(5)),
    ]
    assert rows[0]["refunded_at"] == FETCHED - timedelta(hours=10)


def test_fees_are_costs_and_what_is_given_back_of_them_is_not():
    back = (give_back(1, 10, "8.00", "0.00"),)
    sent = sale(1, 20, fulfilled_by="marketplace", shipped_at=FETCHED - timedelta(hours=12), refunds=back)
    with bench(Shop(sent)) as it:
        read = it.read("refunds", FETCHED - timedelta(days=2))
        again = it.read("refunds", FETCHED - timedelta(days=2))
    fees = read.frame("fees").sort("fee_id").to_dicts()
    assert {fee["order_external_id"] for fee in fees} == {order_id(1)}
    given_back = [(fee["fee_type"], fee["amount"]) for fee in fees if fee["amount"] < 0]
    assert given_back == [("Commission", D("-1.20"))]
    taken = {(fee["fee_type"], fee["line_id"]) for fee in fees if fee["amount"] > 0}
    assert {("Commission", "A#1"), ("FBAPerUnitFulfillmentFee", "A#1")} <= taken
    assert {fee["posted_at"] for fee in fees if fee["amount"] > 0} == {FETCHED - timedelta(hours=12)}
    assert again.frame("fees").equals(read.frame("fees"))


def test_refunds_of_a_long_window_are_read_in_slices_and_empty_slices_are_no_end():
    old = sale(
        1, 24 * 100, refunds=(give_back(1, 24 * 90, "1.00", "0"),), updated_at=FETCHED - timedelta(days=90)
    )
    new = sale(2, 24 * 9, refunds=(give_back(1, 24, "2.00", "0"),), updated_at=FETCHED - timedelta(days=1))
    with bench(Shop(old, new)) as it:
        read = it.read("refunds", FETCHED - timedelta(days=200))
        assert it.asked("listTransactions") == 7
    assert sorted(read.frame("refunds")["net_amount"]) == [D(1), D(2)]


def test_returns_of_both_kinds():
    back = (give_back(1, 10, "9.00", "0.75"),)
    ours = sale(1, refunds=back, updated_at=FETCHED - timedelta(hours=10))
    theirs = sale(2, refunds=back, updated_at=FETCHED - timedelta(hours=10), fulfilled_by="marketplace")
    with bench(Shop(ours, theirs)) as it:
        read = it.read("returns", FETCHED - timedelta(days=2))
    rows = read.frame("returns").to_dicts()
    assert {row["order_external_id"] for row in rows} == {order_id(1), order_id(2)}
    assert {(row["channel"], row["quantity"], row["line_id"]) for row in rows} == {("amazon-us", 1, "A#1")}


# -- how it behaves ----------------------------------------------------------------------------------------


def test_one_token_serves_many_requests_and_a_dead_one_is_replaced():
    with bench(Shop(sale(1)), pace=1) as it:
        it.read("orders", FETCHED - timedelta(days=2))
        it.read("orders", FETCHED - timedelta(days=2))
        assert it.asked("token") == 1
        it.state.tokens.expire_all()
        assert it.read("orders", FETCHED - timedelta(days=2)).records == 1
        assert it.asked("token") == 2


def test_a_token_is_replaced_before_it_ends():
    with bench(Shop(sale(1)), pace=1) as it:
        it.read("orders", FETCHED - timedelta(days=2))
        auth = it.client._auth
        assert 3000 < auth._refresh_at - auth._clock() < 3600 - 290  # type: ignore[attr-defined]  # what is due when


def test_wrong_credentials_are_named_and_not_shown():
    with bench(Shop()) as it:
        wrong = replace(
            it.account, credentials={**it.account.credentials, "refresh_token": SecretStr("Atzr|s3cret")}
        )
        with open_client(wrong) as client, pytest.raises(AuthenticationError, match="authorize") as caught:
            list(RESOURCES["products"].pages(client, Window(None, UNTIL)))
    assert "s3cret" not in str(caught.value)


def test_a_missing_role_is_said():
    denied = {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]}
    with bench(Shop()) as it:
        it.break_("searchOrders", "status", status=403, body=denied, times=None)
        with pytest.raises(AuthenticationError, match="role"):
            it.read("orders", FETCHED - timedelta(days=2))


def test_a_missing_seller_id_is_said_before_anything_is_asked():
    with bench(Shop(listings=1)) as it:
        without = replace(it.account, options={"pace": "5000"})
        with open_client(without) as client, pytest.raises(ConfigurationError, match="AMAZON_SELLER_ID"):
            list(RESOURCES["products"].pages(client, Window(None, UNTIL)))
        assert it.asked("searchListingsItems") == 0


def test_throttling_is_waited_out():
    slow = {"errors": [{"code": "QuotaExceeded", "message": "You exceeded your quota."}]}
    with bench(Shop(sale(1))) as it:
        it.break_(
            "searchOrders", "status", status=429, body=slow, headers={"x-amzn-ratelimit-limit": "50"}, times=2
        )
        assert it.read("orders", FETCHED - timedelta(days=2)).records == 1
        assert it.asked("searchOrders") == 3
        assert it.client.waited >= 2 / 50


def test_the_published_rate_is_reached_and_never_exceeded():
    """25 pages: a burst of 20, then one every 178 seconds, on a clock of both sides that only waiting moves."""
    at = 0.0

    def now() -> float:
        return at

    def sleep(seconds: float) -> None:
        nonlocal at
        at += seconds

    state = SandboxState(Shop(*(sale(number, 20 + number / 1000) for number in range(1, 2450))))
    state.clock.freeze(FETCHED)
    state.limiter = Limiter(clock=now)
    limits = Limits(max_wait=3600)
    with (
        serving(state) as url,
        open_client(
            account(f"{url}/amazon", places=(US,)), budget=LocalBudget(now), sleep=sleep, limits=limits
        ) as client,
    ):
        pages = list(RESOURCES["orders"].pages(client, Window(FETCHED - timedelta(days=5), UNTIL)))
    assert len(pages) == 25
    assert state.requests.counts()["amazon.searchOrders"] == {200: 25}
    assert at == pytest.approx(5 / 0.0056)


@pytest.mark.parametrize(
    ("resource", "operation", "since"),
    [
        ("orders", "searchOrders", FETCHED - timedelta(days=5)),
        ("inventory", "getInventorySummaries", None),
        ("products", "searchListingsItems", None),
    ],
)
def test_a_page_that_comes_again_is_an_error(resource, operation, since):
    world = Shop(*(sale(number, 20 + number / 1000) for number in range(1, 350)), listings=350)
    with bench(world) as it:
        it.break_(operation, "repeat", after=1, times=None)
        with pytest.raises(ProtocolError, match=operation):
            it.read(resource, since)


def test_an_outage_is_survived_and_a_long_one_is_not():
    with bench(Shop(sale(1))) as it:
        it.break_("searchOrders", "status", status=503, times=2)
        assert it.read("orders", FETCHED - timedelta(days=2)).records == 1
        it.break_("searchOrders", "status", status=500, times=None)
        with pytest.raises(ChannelUnavailableError):
            it.read("orders", FETCHED - timedelta(days=2))


def test_poison_on_a_page_refuses_one_record():
    with bench(Shop(sale(1), sale(2), sale(3))) as it:
        it.break_("searchOrders", "poison", field="quantityOrdered", value="many")
        read = it.read("orders", FETCHED - timedelta(days=2))
    assert read.frame("orders").height == 2
    assert [refused.field for refused in read.rejected] == ["orderItems.quantityOrdered"]


def test_a_page_without_its_list_is_an_error():
    with bench(Shop(sale(1))) as it:
        it.break_("searchOrders", "status", status=200, body={"orderz": []})
        with pytest.raises(ProtocolError):
            it.read("orders", FETCHED - timedelta(days=2))


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "Exactly one"),
        ({"lastUpdatedAfter": "2026-02-01T00:00:00Z", "createdAfter": "2026-02-01T00:00:00Z"}, "Exactly one"),
        (
            {"lastUpdatedAfter": "2026-02-01T00:00:00Z", "lastUpdatedBefore": "2026-03-01T11:59:00Z"},
            "two minutes",
        ),
        ({"lastUpdatedAfter": "2026-02-01T00:00:00Z", "maxResultsPerPage": "101"}, "between 1 and 100"),
        ({"lastUpdatedAfter": "2026-02-01T00:00:00Z", "includedData": "GOSSIP"}, "unknown value"),
        ({"lastUpdatedAfter": "2026-02-01T00:00:00Z", "paginationToken": "x"}, "not valid"),
        (
            {"lastUpdatedAfter": "2026-02-01T00:00:00Z", "createdBefore": "2026-02-02T00:00:00Z"},
            "cannot be given",
        ),
    ],
)
def test_the_sandbox_is_as_strict_as_amazon(params, reason):
    call = Call("searchOrders", Rate(1, 20), "orders/2026-01-01/orders", params=tuple(params.items()))
    with bench(Shop()) as it, pytest.raises((RequestRejectedError, CursorExpiredError), match=reason):
        it.client.send(call)


def test_a_page_token_goes_with_the_same_question_only():
    with bench(Shop(*(sale(number) for number in range(1, 110)))) as it:
        pages = RESOURCES["orders"].pages(it.client, Window(FETCHED - timedelta(days=2), UNTIL))
        token = json.loads(next(pages).body)["pagination"]["nextToken"]
        params = (("lastUpdatedAfter", "2026-02-01T00:00:00Z"), ("paginationToken", token))
        with pytest.raises(CursorExpiredError):
            it.client.send(Call("searchOrders", Rate(1, 20), "orders/2026-01-01/orders", params=params))


def test_an_invented_merchant_adds_up_to_the_truth():
    """Through reports, refunds and `extract`, as a flow reads it; both Amazon channels of the small world."""
    world = small_world()
    state = SandboxState(world, pace=PACE)
    state.clock.freeze(NOON)
    frames: dict[str, list[pl.DataFrame]] = {"order_items": [], "refunds": []}
    until = NOON - timedelta(minutes=3)
    with serving(state) as url:
        asked = account(f"{url}/amazon", PACE)
        with open_client(asked, limits=PATIENT) as client:
            for name in ("orders", "refunds"):
                window = Window(None, until)
                for batch in fetch(
                    client, RESOURCES[name], window, key=b"k" * 32, fetched_at=NOON, tally=Tally()
                ):
                    assert batch.rejected == ()
                    for frame, rows in batch.frames.items():
                        if frame in frames:
                            frames[frame].append(rows)
    items, refunds = pl.concat(frames["order_items"]), pl.concat(frames["refunds"])
    kept = pl.col("quantity") - pl.col("cancelled_quantity")
    for channel in ("amazon-us", "amazon-ca"):
        seen = [o for o in all_orders(world, channel, NOON) if o.updated_at < until]
        lines = [(o, part) for o in seen for part in o.lines if o.cancelled_at is None]
        ours = items.filter(channel=channel)
        assert ours.select(kept.sum()).item() == sum(part.quantity - part.cancelled for _, part in lines)
        net = sum(
            (part.unit_price * part.quantity - part.discount)
            * (part.quantity - part.cancelled)
            / part.quantity
            for o, part in lines
            if o.paid_at is not None and not o.is_replacement
        )
        revenue = ours.select((pl.col("net_amount") * kept / pl.col("quantity")).sum()).item()
        assert abs(revenue - net) < D("0.01")
        given_back = [part for o in seen for refund in o.refunds for part in refund.lines]
        assert refunds.filter(channel=channel)["net_amount"].sum() == sum(part.amount for part in given_back)


# -- one marketplace of several that is refused ------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "since"),
    [
        ("orders", FETCHED - timedelta(days=5)),
        ("orders", FETCHED - timedelta(days=20)),  # by reports
        ("inventory", None),
        ("products", None),
        ("returns", FETCHED - timedelta(days=5)),
    ],
)
def test_a_marketplace_that_is_refused_does_not_stop_the_others(resource: str, since):
    shop = Shop(sale(1, refunds=(give_back(1, 10, "9.00", "0.75"),)), listings=1)
    with bench(shop) as alone:
        expected = alone.read(resource, since).frame(resource)
    with bench(shop, places=(CA, US)) as it:  # the sandbox's seller does not sell in Canada
        read = it.read(resource, since).frame(resource)

    assert read.drop("source_updated_at").equals(expected.drop("source_updated_at"))
    assert read.height > 0
    assert list(it.client.refused) == ["amazon-ca"]
    assert "403" in it.client.refused["amazon-ca"]


def test_marketplaces_that_are_all_refused_fail():
    with bench(Shop(sale(1)), places=(CA, JP)) as it, pytest.raises(AuthenticationError, match="403"):
        it.read("orders", FETCHED - timedelta(days=5))
