"""Orders 2026-01-01: what each of Amazon's peculiarities becomes."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.amazon import normalize
from connectors.base import Page
from connectors.canonical import ORDER_ITEMS, ORDERS
from connectors.errors import ProtocolError
from tests.amazon_factories import DE, JP, ORDER, UK, context, item, money, one, order, part, read_orders

D = Decimal


def test_a_us_order_has_tax_on_top_and_the_discount_without_its_sign():
    line = item(
        1,
        2,
        part("ITEM", "39.98"),
        part("SHIPPING", "5.00"),
        part("TAX", "3.60", ITEM="3.20", SHIPPING="0.40"),
        part("DISCOUNT", "-4.00"),
        total="44.58",
    )
    read = read_orders(order(line, total="44.58"))

    row, item_row = one(read, "orders"), one(read, "order_items")
    assert row["channel"] == "amazon-us"
    assert row["status"] == "completed"
    assert (row["subtotal"], row["shipping"], row["tax"]) == (D("39.98"), D("5.00"), D("3.60"))
    assert (row["discount"], row["total"], row["currency"]) == (D("4.00"), D("44.58"), "USD")
    assert item_row["unit_price"] == D("19.99")
    assert item_row["net_amount"] == D("35.98")
    assert item_row["tax_included"] is False
    assert read.notes == ()


def test_net_amount_excludes_the_vat_inside_the_price():
    line = item(1, 1, part("ITEM", "11.90", "EUR"), part("TAX", "1.90", "EUR"), total="11.90")
    row = one(read_orders(order(line, place=DE, total=money("11.90", "EUR"))), "order_items")

    assert row["tax_included"] is True
    assert row["net_amount"] == D("10.00")
    assert row["total"] == D("11.90")


def test_a_line_total_that_holds_the_tax_beats_what_is_usual_in_the_marketplace():
    line = item(1, 1, part("ITEM", "10.00", "EUR"), part("TAX", "1.90", "EUR"), total="11.90")
    row = one(read_orders(order(line, place=DE)), "order_items")

    assert row["tax_included"] is False
    assert row["net_amount"] == D("10.00")


def test_a_discount_on_shipping_takes_nothing_from_revenue():
    line = item(
        1, 1, part("ITEM", "20.00"), part("SHIPPING", "5.00"), part("DISCOUNT", "5.00", SHIPPING="5.00")
    )
    row = one(read_orders(order(line)), "order_items")

    assert row["discount"] == D("5.00")
    assert row["net_amount"] == D("20.00")


def test_the_tax_of_shipping_is_not_taken_out_of_the_price_of_the_goods():
    line = item(
        1,
        1,
        part("ITEM", "11.90"),
        part("SHIPPING", "1.19"),
        part("TAX", "2.09", ITEM="1.90", SHIPPING="0.19"),
    )
    assert one(read_orders(order(line, place=DE)), "order_items")["net_amount"] == D("10.00")


def test_a_pending_order_has_no_money_and_says_so():
    pending = order(item(1, 2), fulfillment={"fulfillmentStatus": "PENDING"})
    read = read_orders(pending)

    row, line = one(read, "orders"), one(read, "order_items")
    assert row["status"] == "pending"
    assert [row[name] for name in ("total", "subtotal", "tax", "currency", "shipping")] == [None] * 5
    assert [line[name] for name in ("unit_price", "net_amount", "total", "discount")] == [None] * 4
    assert line["quantity"] == 2


def test_a_pending_order_may_tell_its_unit_price():
    line = item(product={"price": {"unitPrice": money("5.00")}})
    read = read_orders(order(line, fulfillment={"fulfillmentStatus": "PENDING"}))

    assert one(read, "order_items")["unit_price"] == D("5.00")
    assert one(read, "orders")["currency"] == "USD"


@pytest.mark.parametrize(("quantity", "cancelled"), [(3, 3), (0, 0)])
def test_a_cancelled_order_has_cancelled_units_and_no_division_by_zero(quantity, cancelled):
    line = item(1, quantity, part("ITEM", "0.00"))
    read = read_orders(order(line, fulfillment={"fulfillmentStatus": "CANCELLED"}))

    assert one(read, "orders")["status"] == "cancelled"
    assert one(read, "order_items")["cancelled_quantity"] == cancelled
    assert one(read, "order_items")["quantity"] == quantity


def test_units_that_were_sent_are_not_cancelled_whatever_was_asked_for():
    line = item(
        1,
        2,
        part("ITEM", "20.00"),
        cancellation={"cancellationExecution": {"cancelledBy": "MERCHANT"}},
        fulfillment={"quantityFulfilled": 2, "quantityUnfulfilled": 0},
    )
    assert one(read_orders(order(line)), "order_items")["cancelled_quantity"] == 0


def test_a_partly_cancelled_line_counts_the_units_neither_sent_nor_waiting():
    line = item(
        1,
        5,
        part("ITEM", "50.00"),
        cancellation={"cancellationExecution": {"cancelledBy": "BUYER"}},
        fulfillment={"quantityFulfilled": 2, "quantityUnfulfilled": 1},
    )
    row = one(read_orders(order(line)), "order_items")

    assert row["cancelled_quantity"] == 2
    assert row["net_amount"] == D("50.00")


def test_money_that_already_leaves_out_cancelled_units_is_told_for_all_of_them():
    line = item(
        1,
        4,
        part("ITEM", "30.00"),
        cancellation={"cancellationExecution": {"cancelledBy": "BUYER"}},
        fulfillment={"quantityFulfilled": 3, "quantityUnfulfilled": 0},
    )
    line["product"]["price"] = {"unitPrice": money("10.00")}
    row = one(read_orders(order(line)), "order_items")

    assert row["net_amount"] - row["net_amount"] * row["cancelled_quantity"] / row["quantity"] == D("30.00")


def test_a_request_to_cancel_cancels_nothing():
    line = item(1, 1, part("ITEM", "5"), cancellation={"cancellationRequest": {"requester": "BUYER"}})
    assert one(read_orders(order(line)), "order_items")["cancelled_quantity"] == 0


def test_a_replacement_is_told_by_what_it_replaces():
    replacing = [{"orderId": "113-9", "associationType": "REPLACEMENT_ORIGINAL_ID"}]
    assert one(read_orders(order(item(), associatedOrders=replacing)), "orders")["is_replacement"] is True
    other = [{"orderId": "113-9", "associationType": "SOMETHING_ELSE"}]
    assert one(read_orders(order(item(), associatedOrders=other)), "orders")["is_replacement"] is False


def test_yen_have_no_places_and_lose_nothing():
    read = read_orders(order(item(1, 3, part("ITEM", "5940", "JPY")), place=JP, total=money("5940", "JPY")))

    assert one(read, "orders")["total"] == D(5940)
    assert one(read, "order_items")["unit_price"] == D(1980)


def test_one_page_may_hold_several_currencies_and_marketplaces():
    pounds = order(item(1, 1, part("ITEM", "1", "GBP")), place=UK, orderId="202-1", total=money("1", "GBP"))
    read = read_orders(order(item(), total="2"), pounds)

    assert read.frame("orders").select("channel", "currency").rows() == [
        ("amazon-us", "USD"),
        ("amazon-uk", "GBP"),
    ]


def test_the_buyer_is_only_his_address_and_the_place_only_country_and_region():
    address = {"name": "Ann", "addressLine1": "1 Road", "countryCode": "uk", "stateOrRegion": " England "}
    read = read_orders(
        order(item(), buyer={"buyerEmail": "x@marketplace.amazon.com", "buyerName": "Ann"})
        | {"recipient": {"deliveryAddress": address}}
    )
    row = one(read, "orders")

    assert row["customer_ref"] == "email:x@marketplace.amazon.com"
    assert (row["ship_country"], row["ship_region"]) == ("GB", "England")
    assert "Ann" not in str(row)


def test_instants_with_any_offset_become_utc():
    read = read_orders(
        order(item(), createdTime="2026-02-01T19:00:00+09:00", lastUpdatedTime="2026-02-01T23:30:00.123Z")
    )
    row = one(read, "orders")

    assert row["ordered_at"] == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert row["source_updated_at"] == datetime(2026, 2, 1, 23, 30, 0, 123000, tzinfo=UTC)


def test_an_unknown_status_is_kept_and_noted():
    read = read_orders(order(item(), fulfillment={"fulfillmentStatus": "TELEPORTED", "fulfilledBy": "DRONE"}))
    row = one(read, "orders")

    assert (row["status"], row["fulfillment_status"], row["fulfilled_by"]) == ("open", "TELEPORTED", None)
    assert read.notes == (
        "unknown value TELEPORTED in orders.fulfillment_status",
        "unknown value DRONE in orders.fulfilled_by",
    )


def test_an_unknown_kind_of_money_counts_into_the_total_and_is_noted():
    line = item(1, 1, part("ITEM", "10.00"), part("STORAGE_HALO", "1.00"))
    read = read_orders(order(line, total="11.00"))

    assert one(read, "order_items")["total"] == D("11.00")
    assert read.notes == ("unknown value STORAGE_HALO in orders.proceeds.breakdowns.type",)


def test_a_total_that_is_not_the_sum_is_noted_and_loaded():
    read = read_orders(order(item(1, 1, part("ITEM", "10.00"), total="10.00"), total="12.00"))

    assert one(read, "orders")["total"] == D("12.00")
    assert read.notes == (f"orders.total is not the sum of its lines (first seen: {ORDER})",)


def test_a_tip_belongs_to_the_order_alone():
    tipped = order(item(1, 1, part("ITEM", "10.00"), total="10.00"), total="15.00")
    tipped["proceeds"]["breakdowns"] = [part("ITEM", "10.00"), part("DELIVERY_TIP", "5.00")]
    assert read_orders(tipped).notes == ()


def test_a_missing_sku_and_asin_are_null():
    row = one(read_orders(order(item(product={"title": "Only a name"}))), "order_items")
    assert (row["sku"], row["external_id"], row["title"]) == (None, None, "Only a name")


def test_leading_zeros_and_odd_titles_survive():
    row = one(
        read_orders(order(item(product={"sellerSku": "00042", "title": 'Ω "5″" \t 猫\x00'}))), "order_items"
    )
    assert (row["sku"], row["title"]) == ("00042", 'Ω "5″" \t 猫')


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (order(item(), lastUpdatedTime=None), "lastUpdatedTime"),
        (order(item(), createdTime="soon"), "createdTime"),
        (order(item(), createdTime="9999-12-31T00:00:00Z"), "createdTime"),
        (order(item(1, None)), "orderItems.quantityOrdered"),
        (order(item(1, -1)), "orderItems.quantityOrdered"),
        (order(item(1, "two")), "orderItems.quantityOrdered"),
        (order(item(1, 1.5)), "orderItems.quantityOrdered"),
        (order(item(1, 10**12)), "orderItems.quantityOrdered"),
        (order(item(1, 1, part("ITEM", "NaN"))), "orderItems.proceeds.breakdowns.subtotal.amount"),
        (order(item(1, 1, part("ITEM", "1e300"))), "orderItems.proceeds.breakdowns.subtotal.amount"),
        (order(item(), total="free"), "proceeds.grandTotal.amount"),
        (order(item(1), item(1)), "orderItems.orderItemId"),
        (order(item(1, 1, part("ITEM", ["1"]))), "orderItems.proceeds.breakdowns.subtotal.amount"),
    ],
)
def test_a_bad_record_is_refused_by_name_and_its_neighbours_load(broken, field):
    read = read_orders(order(item(), orderId="113-2"), broken, order(item(), orderId="113-3"))

    assert read.frame("orders")["external_id"].to_list() == ["113-2", "113-3"]
    assert read.frame("order_items")["order_external_id"].to_list() == ["113-2", "113-3"]
    [refused] = read.rejected
    assert (refused.natural_key, refused.field) == (ORDER, field)
    assert read.records == 3


@pytest.mark.parametrize(
    "missing",
    ["orderId", "createdTime", "lastUpdatedTime", "salesChannel", "orderItems", "orderItemId", "product"],
)
def test_what_the_model_requires_is_required(missing):
    broken = order(item())
    broken.pop(missing, None)
    broken["orderItems"] = [
        {k: v for k, v in line.items() if k != missing} for line in broken.get("orderItems", [])
    ]
    if missing == "orderItems":
        del broken["orderItems"]
    read = read_orders(broken, order(item(), orderId="113-2"))

    assert read.frame("orders")["external_id"].to_list() == ["113-2"]
    assert read.rejected[0].field.endswith(missing)
    assert "missing" in read.rejected[0].reason


def test_what_is_refused_keeps_the_fields_we_read_and_nothing_of_the_person():
    broken = order(item(1, -1), buyer={"buyerEmail": "x@y.z"}, newBlock={"a": 1})
    [refused] = read_orders(broken).rejected

    raw = json.loads(refused.raw)
    assert "newBlock" not in raw
    assert raw["orderItems"][0]["quantityOrdered"] == -1
    assert "x@y.z" not in refused.raw


def test_a_bare_nan_is_no_json_and_still_spares_the_neighbours():
    body = json.dumps({"orders": [order(item(), total="@"), order(item(), orderId="113-2")]})
    read = read_orders(body=body.replace('"@"', "NaN").encode())

    assert read.frame("orders")["external_id"].to_list() == ["113-2"]
    assert read.rejected[0].field == "proceeds.grandTotal.amount"


def test_half_a_surrogate_pair_is_stored_as_something_storable():
    line = item()
    line["product"]["title"] = "@"
    read = read_orders(
        body=json.dumps({"orders": [order(line)]}).replace('"@"', '"bad \\ud83d tail"').encode()
    )
    assert one(read, "order_items")["title"].encode().startswith(b"bad ")


def test_json_numbers_are_exact():
    body = json.dumps({"orders": [order(item(1, 1, part("ITEM", "@")), total="0.10")]}).replace('"@"', "0.1")
    assert one(read_orders(body=body.encode()), "order_items")["net_amount"] == D("0.1")


def test_an_order_that_comes_twice_is_one_in_its_newest_state():
    old = order(item(1), item(2), lastUpdatedTime="2026-02-02T00:00:00Z")
    new = order(item(1), lastUpdatedTime="2026-02-03T00:00:00Z")
    for page in ((old, new), (new, old)):
        read = read_orders(*page)
        assert read.frame("order_items").height == 1
        assert one(read, "orders")["source_updated_at"].day == 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"payload": {}}', b'{"orders": null}'])
def test_what_is_no_page_is_an_error_and_never_an_empty_page(body):
    with pytest.raises(ProtocolError):
        normalize.orders(Page(body), context())


def test_a_new_field_changes_nothing():
    plain, more = order(item()), order(item() | {"aura": {"hue": 3}}, vibes=[1])
    assert read_orders(plain).frame("orders").equals(read_orders(more).frame("orders"))


def test_an_empty_page_gives_empty_frames_of_the_schema():
    read = read_orders()
    assert read.frame("orders").schema == pl.Schema(ORDERS)
    assert read.frame("order_items").schema == pl.Schema(ORDER_ITEMS)


_cents = st.integers(0, 10**7)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 50), _cents, _cents, _cents, _cents), min_size=1, max_size=5),
    st.booleans(),
)
def test_an_orders_parts_add_up_whatever_they_are(lines, negative):
    def text(cents: int) -> str:
        return str(D(cents) / 100)

    items, total = [], D(0)
    for number, (quantity, price, shipping, tax, discount) in enumerate(lines, 1):
        sign = "-" if negative else ""
        parts = [part("ITEM", text(price)), part("SHIPPING", text(shipping)), part("TAX", text(tax))]
        items.append(item(number, quantity, *parts, part("DISCOUNT", sign + text(discount))))
        total += D(price + shipping + tax - discount) / 100
    read = read_orders(order(*items, total=str(total)))

    row = one(read, "orders")
    assert row["subtotal"] + row["shipping"] + row["tax"] - row["discount"] == row["total"]
    assert read.frame("order_items")["total"].sum() == total
    assert read.notes == ()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.data())
def test_any_poison_in_any_field_is_read_or_refused_and_never_crashes(data):
    victim = order(
        item(1, 1, part("ITEM", "10.00"), part("TAX", "1.00", ITEM="1.00"), total="11.00"), total="11.00"
    )
    victim["recipient"] = {"deliveryAddress": {"countryCode": "US"}}
    node: Any = victim
    while True:
        place = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[place], dict | list) or not node[place] or data.draw(st.booleans()):
            break
        node = node[place]
    node[place] = data.draw(_json)
    read = read_orders(order(item(), orderId="113-2"), victim)

    assert "113-2" in read.frame("orders")["external_id"].to_list()
    assert read.frame("orders").height + len(read.rejected) == 2


WINDOWS = {
    "shipByWindow": {"latestDateTime": "2026-02-03T07:59:59Z"},
    "deliverByWindow": {"earliestDateTime": "2026-02-05T08:00:00Z", "latestDateTime": "2026-02-09T07:59:59Z"},
}


def sent_with(*packages, **fulfillment):
    """When a shipped order was promised and sent: (ship by, deliver by, shipped, delivered), and the notes."""
    told = {"fulfillmentStatus": "SHIPPED", **WINDOWS, **fulfillment}
    read = read_orders(order(item(), fulfillment=told, packages=list(packages)))
    row = read.frame("orders").select("ship_by_at", "deliver_by_at", "shipped_at", "delivered_at").row(0)
    return row, read.notes


def test_an_order_left_when_its_last_package_did_and_what_is_not_told_stays_open():
    first, last = {"shipTime": "2026-02-02T10:00:00Z"}, {"shipTime": "2026-02-02T18:00:00Z"}
    thrown_away = {"shipTime": "2026-02-08T10:00:00Z", "packageStatus": {"status": "CANCELLED"}}
    promised = datetime(2026, 2, 3, 7, 59, 59, tzinfo=UTC), datetime(2026, 2, 9, 7, 59, 59, tzinfo=UTC)

    row, _ = sent_with(last, first, thrown_away)
    assert row == (*promised, datetime(2026, 2, 2, 18, tzinfo=UTC), None)
    assert sent_with(first, {"packageStatus": {"status": "SHIPPED"}})[0] == (*promised, None, None)
    assert sent_with()[0] == (*promised, None, None)
    assert sent_with(first, fulfillmentStatus="PARTIALLY_SHIPPED")[0] == (*promised, None, None)


def test_a_promise_that_cannot_be_read_costs_no_order():
    row, notes = sent_with(shipByWindow={"latestDateTime": "soon"}, deliverByWindow={"latestDateTime": 0})
    assert row == (None, None, None, None)
    assert any("shipByWindow" in note for note in notes)
