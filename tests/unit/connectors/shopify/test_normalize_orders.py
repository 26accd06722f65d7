"""Orders of every awkward kind, one story each."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.shopify_factories import bag, line, only, order, orders, refund


def test_an_order_keeps_the_shops_own_number_and_its_business_date():
    row = only(orders(order(5, processedAt="2026-01-15T23:30:00Z")).frame("orders"))

    assert (row["external_id"], row["order_number"]) == ("5", "#1005")
    assert row["ordered_at"] == datetime(2026, 1, 15, 23, 30, tzinfo=UTC)
    assert row["source_updated_at"] == datetime(2026, 2, 3, 10, tzinfo=UTC)
    assert (row["currency"], row["total"], row["shipping"]) == ("EUR", Decimal("14.9000"), Decimal("4.9000"))
    assert (row["customer_ref"], row["ship_country"], row["ship_region"]) == ("shopify:7", "DE", "BE")


def test_the_id_comes_from_the_global_id_where_the_number_is_not_asked_for():
    told = order(77)
    del told["legacyResourceId"]

    assert only(orders(told).frame("orders"))["external_id"] == "77"


def test_an_offset_becomes_utc():
    row = only(orders(order(processedAt="2026-02-01T09:00:00+09:00")).frame("orders"))

    assert row["ordered_at"] == datetime(2026, 2, 1, 0, 0, tzinfo=UTC)


def test_tax_on_top_is_added_to_the_line_and_left_out_of_its_net():
    told = line(quantity=2, price="10.0", taxLines=[{"priceSet": bag("1.9")}, {"priceSet": bag("0.6")}])

    row = only(orders(order(1, told)).frame("order_items"))

    assert (row["unit_price"], row["tax"], row["total"], row["net_amount"]) == tuple(
        map(Decimal, ("10.0000", "2.5000", "22.5000", "20.0000"))
    )
    assert row["tax_included"] is False


def test_included_tax_is_taken_out_of_the_net_and_not_added_to_the_total():
    told = line(quantity=1, price="11.9", taxLines=[{"priceSet": bag("1.9")}])

    frames = orders(order(1, told, taxesIncluded=True))
    row = only(frames.frame("order_items"))

    assert (row["total"], row["net_amount"], row["tax_included"]) == (
        Decimal("11.9000"),
        Decimal("10.0000"),
        True,
    )
    assert only(frames.frame("orders"))["subtotal"] == Decimal("11.9000")


def test_discounts_of_line_and_order_are_added_up_from_their_allocations():
    told = line(
        quantity=3,
        price="10.0",
        totalDiscountSet=bag("2.0"),  # leaves the order's own discount out
        discountAllocations=[{"allocatedAmountSet": bag("2.0")}, {"allocatedAmountSet": bag("1.33")}],
    )

    frames = orders(order(1, told, totalDiscountsSet=bag("3.33")))
    row = only(frames.frame("order_items"))

    assert (row["discount"], row["net_amount"]) == (Decimal("3.3300"), Decimal("26.6700"))
    assert only(frames.frame("orders"))["subtotal"] == Decimal("30.0000")
    assert only(frames.frame("orders"))["discount"] == Decimal("3.3300")


def test_without_allocations_the_discounted_total_says_the_discount():
    told = line(quantity=2, price="10.0", discountedTotalSet=bag("17.0"))
    del told["discountAllocations"]

    assert only(orders(order(1, told)).frame("order_items"))["discount"] == Decimal("3.0000")


def test_amounts_are_the_shops_currency_not_the_buyers():
    told = line(originalUnitPriceSet=bag("10.0", "EUR", ("1650", "JPY")))

    frames = orders(order(1, told, totalPriceSet=bag("14.9", "EUR", ("2458", "JPY"))))

    assert only(frames.frame("orders"))["total"] == Decimal("14.9000")
    assert only(frames.frame("order_items"))["unit_price"] == Decimal("10.0000")


def test_a_currency_without_cents_keeps_whole_amounts():
    told = order(1, line(price="1200", quantity=2), currencyCode="JPY", totalPriceSet=bag("2400", "JPY"))

    frames = orders(told)

    assert only(frames.frame("orders"))["total"] == Decimal("2400.0000")
    assert only(frames.frame("orders"))["currency"] == "JPY"
    assert only(frames.frame("order_items"))["net_amount"] == Decimal("2400.0000")


def test_a_refund_is_dated_and_its_shipping_stands_on_no_line():
    back = refund(3, "16.9", (1, 1, "10.0", "1.9"))

    told = line(quantity=2, currentQuantity=1)
    frames = orders(order(1, told, refunds=[back], totalRefundedSet=bag("16.9")))

    rows = frames.frame("refunds").sort("line_id", nulls_last=True).to_dicts()
    assert [(row["refund_id"], row["line_id"], row["quantity"]) for row in rows] == [
        ("3", "1", 1),
        ("3", None, 0),
    ]
    assert [row["amount"] for row in rows] == [Decimal("11.9000"), Decimal("5.0000")]
    assert [row["net_amount"] for row in rows] == [Decimal("10.0000"), Decimal("0.0000")]
    assert rows[0]["refunded_at"] == datetime(2026, 2, 10, 8, tzinfo=UTC)
    item = only(frames.frame("order_items"))
    assert (item["refunded_quantity"], item["cancelled_quantity"]) == (1, 0)
    assert (item["refunded_amount"], item["refunded_net_amount"]) == (Decimal("11.9000"), Decimal("10.0000"))
    assert only(frames.frame("orders"))["refunded"] == Decimal("16.9000")


def test_a_refund_with_tax_included_gives_back_the_price_and_undoes_the_net():
    back = refund(3, "11.9", (1, 1, "11.9", "1.9"))

    frames = orders(order(1, line(price="11.9"), taxesIncluded=True, refunds=[back]))

    row = only(frames.frame("refunds"))
    assert (row["amount"], row["net_amount"]) == (Decimal("11.9000"), Decimal("10.0000"))


def test_one_line_twice_in_a_refund_is_one_row():
    back = refund(3, "20.0", (1, 1, "10.0", "0.0"), (1, 1, "10.0", "0.0"))

    row = only(orders(order(1, line(quantity=2), refunds=[back])).frame("refunds"))

    assert (row["quantity"], row["amount"]) == (2, Decimal("20.0000"))


def test_a_restocking_fee_does_not_make_a_negative_refund():
    frames = orders(order(1, line(), refunds=[refund(3, "8.0", (1, 1, "10.0", "0.0"))]))

    assert only(frames.frame("refunds"))["amount"] == Decimal("10.0000")


def test_what_an_edit_took_out_is_cancelled_and_what_was_refunded_is_not():
    told = line(quantity=5, currentQuantity=2)

    item = only(
        orders(order(1, told, refunds=[refund(3, "10.0", (1, 1, "10.0", "0.0"))])).frame("order_items")
    )

    assert (item["quantity"], item["refunded_quantity"], item["cancelled_quantity"]) == (5, 1, 2)


def test_a_cancelled_order_cancels_what_was_not_refunded():
    told = order(
        1,
        line(quantity=3, currentQuantity=3),
        cancelledAt="2026-02-02T00:00:00Z",
        refunds=[refund(3, "10.0", (1, 1, "10.0", "0.0"))],
    )

    frames = orders(told)

    assert only(frames.frame("order_items"))["cancelled_quantity"] == 2
    row = only(frames.frame("orders"))
    assert (row["status"], row["cancelled_at"]) == ("cancelled", datetime(2026, 2, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "open"),
        ({"displayFinancialStatus": "PENDING"}, "pending"),
        ({"displayFinancialStatus": "EXPIRED"}, "pending"),
        ({"displayFinancialStatus": "AUTHORIZED"}, "open"),
        ({"displayFinancialStatus": "VOIDED"}, "open"),
        ({"displayFulfillmentStatus": "FULFILLED"}, "completed"),
        ({"displayFulfillmentStatus": "FULFILLED", "displayFinancialStatus": "PENDING"}, "pending"),
        ({"closedAt": "2026-02-05T00:00:00Z"}, "completed"),
        ({"closedAt": "2026-02-05T00:00:00Z", "cancelledAt": "2026-02-05T00:00:00Z"}, "cancelled"),
        ({"displayFinancialStatus": None}, "open"),
    ],
)
def test_status_follows_instants_then_fulfilment_and_payment(changes: dict[str, object], status: str):
    assert only(orders(order(1, **changes)).frame("orders"))["status"] == status


def test_an_unknown_state_is_kept_as_text_and_noted_once():
    told = [order(n, displayFulfillmentStatus="TELEPORTED") for n in (1, 2)]

    normalized = orders(*told)

    assert normalized.frame("orders")["fulfillment_status"].to_list() == ["TELEPORTED"] * 2
    assert normalized.notes == ("unknown value TELEPORTED in orders.displayFulfillmentStatus",)


def test_no_customer_no_shipping_address_no_sku_no_variant():
    told = order(
        1,
        line(1, sku="", variant=None),
        line(2, sku=None, title="Größe “M” 日本"),
        customer=None,
        shippingAddress=None,
        billingAddress={"countryCodeV2": "FR", "provinceCode": None},
    )

    frames = orders(told)

    row = only(frames.frame("orders"))
    assert (row["customer_ref"], row["ship_country"], row["ship_region"]) == (None, "FR", None)
    items = frames.frame("order_items")
    assert items["sku"].to_list() == [None, None]
    assert items["external_id"].to_list() == [None, "902"]
    assert items["title"][1] == "Größe “M” 日本"


def test_gift_cards_and_test_orders_are_marked():
    frames = orders(order(1, line(isGiftCard=True), test=True))

    assert only(frames.frame("orders"))["is_test"] is True
    assert only(frames.frame("order_items"))["is_gift_card"] is True


def test_money_the_source_does_not_say_stays_null():
    told = order(totalTaxSet=None, totalDiscountsSet=None, totalShippingPriceSet=None, totalPriceSet=None)

    row = only(orders(told).frame("orders"))

    assert (row["tax"], row["shipping"], row["total"]) == (None, None, None)
    assert row["discount"] == Decimal("0.0000")  # the lines say it


def test_a_bad_order_is_refused_and_its_neighbours_load():
    poisoned = order(2, line(), totalPriceSet=bag("twelve"), email="ann@example.com")

    normalized = orders(order(1), poisoned, order(3))

    assert normalized.frame("orders")["external_id"].to_list() == ["1", "3"]
    assert normalized.frame("order_items")["order_external_id"].to_list() == ["1", "3"]
    (refused,) = normalized.rejected
    assert (refused.natural_key, refused.field) == ("2", "orders.total")
    assert "twelve" in refused.reason
    assert "ann@example.com" not in refused.raw
    assert "gid://shopify/Order/2" in refused.raw
    assert normalized.records == 3


def test_what_no_figure_depends_on_costs_no_order():
    told = orders(order(1, fulfillments="two parcels"), order(2, customer=[], shippingAddress="?"))

    assert told.frame("orders")["external_id"].to_list() == ["1", "2"]
    assert not told.rejected
    assert told.notes == (
        "unreadable fulfillments in orders: left out",
        "unreadable shippingAddress in orders: left out",
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer": "?"}, "customer"),
        ({"createdAt": None, "processedAt": None}, "processedAt"),
        ({"processedAt": "yesterday"}, "orders.ordered_at"),
        ({"totalPriceSet": bag("NaN")}, "orders.total"),
        ({"totalPriceSet": bag("1e30")}, "orders.total"),
        ({"lineItems": {"nodes": [{"id": "gid://shopify/LineItem/1"}]}}, "lineItems.quantity"),
        ({"lineItems": {"nodes": [line(quantity="many")]}}, "lineItems.nodes[0].quantity"),  # type: ignore[arg-type]  # one case, one line
        ({"lineItems": {"nodes": [line(price="x", quantity=2)]}}, "originalUnitPriceSet"),
    ],
)
def test_what_cannot_be_read_says_which_field(changes: dict[str, object], field: str):
    normalized = orders(order(1, **changes), order(2))

    assert [(r.natural_key, r.field) for r in normalized.rejected] == [("1", field)]
    assert normalized.frame("orders")["external_id"].to_list() == ["2"]


def test_an_order_without_an_id_is_refused():
    told = order(1)
    del told["id"], told["legacyResourceId"]

    (refused,) = orders(told).rejected

    assert (refused.natural_key, refused.field) == ("#1001", "id")


def test_numbers_where_text_is_due_and_the_other_way_round_are_read_exactly():
    told = order(1, line(quantity="2"), totalPriceSet={"shopMoney": {"amount": 0.1, "currencyCode": "EUR"}})  # type: ignore[arg-type]  # one case, one line

    normalized = orders(told)

    assert normalized.rejected == ()
    assert only(normalized.frame("orders"))["total"] == Decimal("0.1000")
    assert only(normalized.frame("order_items"))["quantity"] == 2


def test_no_orders_are_empty_frames():
    normalized = orders()

    assert [normalized.frame(name).height for name in ("orders", "order_items", "refunds")] == [0, 0, 0]


def test_objects_beside_may_come_without_their_ids():
    told = order(1, line(variant={"sku": "A"}, product={"title": "B"}), customer={"email": "ann@example.com"})

    normalized = orders(told)

    assert normalized.rejected == ()
    assert only(normalized.frame("orders"))["customer_ref"] is None
    assert only(normalized.frame("order_items"))["external_id"] is None


def test_an_empty_shipping_address_falls_back_to_billing():
    told = order(1, shippingAddress={}, billingAddress={"countryCodeV2": "US", "provinceCode": "NY"})

    row = only(orders(told).frame("orders"))

    assert (row["ship_country"], row["ship_region"]) == ("US", "NY")


def test_allocations_asked_for_without_their_amounts_leave_the_word_to_the_totals():
    told = line(price="10.0", discountAllocations=[{"discountApplication": {}}], totalDiscountSet=bag("2.0"))

    assert only(orders(order(1, told)).frame("order_items"))["discount"] == Decimal("2.0000")


def parcel(created="2026-02-02T09:00:00Z", delivered=None, status="SUCCESS"):
    return {"status": status, "createdAt": created, "deliveredAt": delivered}


@pytest.mark.parametrize(
    ("parcels", "state", "shipped_hour", "delivered_hour"),
    [
        ([parcel(), parcel("2026-02-02T11:00:00Z")], "FULFILLED", 11, None),
        ([parcel(delivered="2026-02-02T20:00:00Z")], "FULFILLED", 9, 20),
        ([parcel(delivered="2026-02-02T20:00:00Z"), parcel()], "FULFILLED", 9, None),  # one is on its way
        ([parcel(), parcel("2026-02-02T23:00:00Z", status="CANCELLED")], "FULFILLED", 9, None),
        ([parcel()], "PARTIALLY_FULFILLED", None, None),  # the rest is not sent yet
        ([], "FULFILLED", None, None),
        (None, "FULFILLED", None, None),  # an older answer that was not asked for it
    ],
)
def test_an_order_left_with_its_last_parcel(parcels, state, shipped_hour, delivered_hour):
    row = only(orders(order(displayFulfillmentStatus=state, fulfillments=parcels)).frame("orders"))
    hours = [at and at.hour for at in (row["shipped_at"], row["delivered_at"])]
    assert hours == [shipped_hour, delivered_hour]
    assert (row["ship_by_at"], row["deliver_by_at"]) == (None, None)
