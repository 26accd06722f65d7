"""Walmart's orders as canonical frames: every trap that is known, one by one."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.canonical import SCHEMAS
from connectors.walmart.normalize import orders
from tests.walmart_factories import (
    charge,
    context,
    line,
    only,
    order,
    orders_page,
    refund,
    rows,
    statuses,
)


def read(*given, **meta):
    return orders(orders_page(*given, **meta), context())


def test_an_order_with_tax_shipping_and_discount():
    priced = line(
        quantity="2",
        charges={
            "charge": [
                charge(20, 1.65),
                charge(-2.5, name="SubscriptionDiscount"),
                charge(4.99, 0.41, "SHIPPING", "Shipping"),
            ]
        },
    )
    got = read(order("3000001", priced, buyerId="52e3962d"))

    row = only(got, "orders")
    assert row["channel"] == "walmart-us"
    assert (row["external_id"], row["order_number"]) == ("3000001", "200001")
    assert row["ordered_at"] == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert row["source_updated_at"] == datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
    assert (row["subtotal"], row["discount"], row["shipping"]) == (20, Decimal("2.5"), Decimal("4.99"))
    assert (row["tax"], row["total"], row["refunded"]) == (Decimal("2.06"), Decimal("24.55"), 0)
    assert (row["currency"], row["ship_country"], row["ship_region"]) == ("USD", "US", "CA")
    assert (row["fulfilled_by"], row["customer_ref"]) == ("merchant", "walmart:52e3962d")
    item = only(got, "order_items")
    assert (item["line_id"], item["sku"], item["title"], item["quantity"]) == ("1", "SKU-1", "Mug", 2)
    assert (item["unit_price"], item["discount"]) == (10, Decimal("2.5"))
    assert (item["net_amount"], item["total"]) == (Decimal("17.5"), Decimal("24.55"))
    assert got.rejected == ()
    assert got.notes == ()
    assert got.records == 1


def test_frames_of_no_orders_keep_their_schemas():
    got = read()
    assert {name: frame.schema for name, frame in got.frames.items()} == {
        name: SCHEMAS[name] for name in ("orders", "order_items")
    }


def test_amounts_are_exact_and_never_float():
    got = read(
        order("1", line(charges={"charge": [charge(0.1, 0.2)]}), line("2", charges={"charge": [charge(0.7)]}))
    )
    assert only(got, "orders")["total"] == Decimal("1.0")


def test_converter_noise_beyond_four_places_is_rounded_off():
    got = read(order("1", line(charges={"charge": [charge(19.990000000000002)]})))
    assert only(got, "orders")["total"] == Decimal("19.99")


@pytest.mark.parametrize("amount", ["9.99", 9.99])
def test_amounts_as_strings_or_numbers(amount):
    assert only(read(order("1", line(charges={"charge": [charge(amount, "0.80")]}))), "orders")[
        "total"
    ] == Decimal("10.79")


@pytest.mark.parametrize(
    ("given", "status", "fulfillment"),
    [
        ([("Created", "1")], "open", "CREATED"),
        ([("Acknowledged", "1")], "open", "ACKNOWLEDGED"),
        ([("Shipped", "1")], "completed", "SHIPPED"),
        ([("Delivered", "1")], "completed", "DELIVERED"),
        ([("Cancelled", "1")], "cancelled", "CANCELLED"),
        ([("Refund", "1")], "completed", "DELIVERED"),
        ([("InTransit", "1")], "open", "ACKNOWLEDGED"),
    ],
)
def test_status_of_one_line(given, status, fulfillment):
    row = only(read(order("1", line(orderLineStatuses=statuses(*given)))), "orders")
    assert (row["status"], row["fulfillment_status"]) == (status, fulfillment)
    assert (row["cancelled_at"] is not None) == (status == "cancelled")


@pytest.mark.parametrize(
    ("first", "second", "status", "fulfillment"),
    [
        ("Created", "Acknowledged", "open", "CREATED"),
        ("Shipped", "Delivered", "completed", "SHIPPED"),
        ("Shipped", "Created", "open", "PARTIALLY_SHIPPED"),
        ("Cancelled", "Delivered", "completed", "DELIVERED"),
        ("Cancelled", "Created", "open", "CREATED"),
        ("Cancelled", "Cancelled", "cancelled", "CANCELLED"),
    ],
)
def test_status_of_two_lines(first, second, status, fulfillment):
    two = (
        line("1", orderLineStatuses=statuses((first, "1"))),
        line("2", orderLineStatuses=statuses((second, "1"))),
    )
    row = only(read(order("1", *two)), "orders")
    assert (row["status"], row["fulfillment_status"]) == (status, fulfillment)


def test_one_line_in_several_statuses():
    split = line(
        quantity="5", orderLineStatuses=statuses(("Shipped", "2"), ("Cancelled", "1"), ("Created", "2"))
    )
    got = read(order("1", split))
    assert only(got, "order_items")["cancelled_quantity"] == 1
    assert only(got, "orders")["fulfillment_status"] == "PARTIALLY_SHIPPED"


def test_cancelled_line_has_zero_charges_and_no_revenue():
    gone = line(charges={"charge": [charge(0)]}, orderLineStatuses=statuses(("Cancelled", "1")))
    item = only(read(order("1", gone)), "order_items")
    assert (item["quantity"], item["cancelled_quantity"], item["net_amount"], item["unit_price"]) == (
        1,
        1,
        0,
        0,
    )


def test_cancelled_line_whose_quantity_fell_to_zero():
    gone = line(quantity="0", charges={"charge": []}, orderLineStatuses=statuses(("Cancelled", "0")))
    got = read(order("1", gone))
    assert only(got, "orders")["status"] == "cancelled"
    assert only(got, "order_items")["unit_price"] is None


@pytest.mark.parametrize("charges", [{}, None, {"charge": []}, {"charge": None}, {"charge": [None, {}]}])
def test_no_charges_mean_unknown_not_zero(charges):
    got = read(order("1", line(charges=charges)))
    row = only(got, "orders")
    assert (row["subtotal"], row["tax"], row["total"], row["currency"]) == (None, None, None, None)
    assert only(got, "order_items")["net_amount"] is None


def test_refund_is_positive_whatever_its_sign():
    both = line(
        refund=refund(
            charge(-8, -0.66, name="Item Price"),
            charge(1.5, kind="SHIPPING", name="Shipping Price"),
            refund_id="R-7",
        )
    )
    got = read(order("1", both))
    assert only(got, "orders")["refunded"] == Decimal("10.16")
    item = only(got, "order_items")
    assert (item["refunded_amount"], item["refunded_net_amount"]) == (Decimal("10.16"), 8)
    assert item["refunded_quantity"] is None  # the order does not say how many
    assert rows(got, "refunds") == []  # a return says when, and of how many units


def test_one_cent_refund_counts():
    item = only(read(order("1", line(refund=refund(charge(-0.01))))), "order_items")
    assert item["refunded_amount"] == Decimal("0.01")


@pytest.mark.parametrize(
    "empty", [None, {}, {"refundCharges": None}, {"refundCharges": {"refundCharge": []}}]
)
def test_no_refund(empty):
    got = read(order("1", line(refund=empty)))
    assert rows(got, "refunds") == []
    assert only(got, "order_items")["refunded_quantity"] == 0


def test_refund_status_tells_units():
    line_ = line(quantity="3", orderLineStatuses=statuses(("Delivered", "2"), ("Refund", "1")))
    assert only(read(order("1", line_)), "order_items")["refunded_quantity"] == 1


def test_replacement():
    got = read(order("1", line(charges={"charge": [charge(0)]}), orderType="REPLACEMENT"))
    assert only(got, "orders")["is_replacement"] is True


@pytest.mark.parametrize(
    ("changes", "ref"),
    [
        ({}, "email:abc@relay.walmart.com"),
        ({"customerEmailId": "nocxemail@walmartone.com"}, None),
        ({"customerEmailId": None}, None),
        ({"customerEmailId": ""}, None),
        ({"customerEmailId": "not an address"}, None),
        ({"customerEmailId": "nocxemail@walmartone.com", "buyerId": "b-1"}, "walmart:b-1"),
    ],
)
def test_who_bought(changes, ref):
    assert only(read(order("1", **changes)), "orders")["customer_ref"] == ref


@pytest.mark.parametrize(
    ("country", "alpha2"),
    [("USA", "US"), ("US", "US"), ("CAN", "CA"), ("mex", "MX"), ("", None), ("XXX", None)],
)
def test_country(country, alpha2):
    address = {"postalAddress": {"country": country, "state": ""}}
    row = only(read(order("1", shippingInfo=address)), "orders")
    assert (row["ship_country"], row["ship_region"]) == (alpha2, None)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (1_582_799_405_000, datetime(2020, 2, 27, 10, 30, 5, tzinfo=UTC)),
        ("1582799405000", datetime(2020, 2, 27, 10, 30, 5, tzinfo=UTC)),
        (1_582_799_405, datetime(2020, 2, 27, 10, 30, 5, tzinfo=UTC)),
        ("2019-09-19T13:03:55.000+05:30", datetime(2019, 9, 19, 7, 33, 55, tzinfo=UTC)),
        ("2016-05-18T16:53:14.123Z", datetime(2016, 5, 18, 16, 53, 14, 123_000, tzinfo=UTC)),
        ("2016-05-18", datetime(2016, 5, 18, tzinfo=UTC)),
    ],
)
def test_instants(date, expected):
    got = read(order("1", line(statusDate=None), orderDate=date))
    assert only(got, "orders")["ordered_at"] == expected
    assert only(got, "orders")["source_updated_at"] == expected


def test_leading_zeros_and_numbers_as_skus():
    got = read(
        order("1", line("1", item={"sku": "000123"}), line("2", item={"sku": 123}), line(3, item=None))
    )
    assert [row["sku"] for row in rows(got, "order_items")] == ["000123", "123", None]
    assert [row["line_id"] for row in rows(got, "order_items")] == ["1", "2", "3"]


def test_unicode_titles_stay_and_nul_goes():
    got = read(order("1", line(item={"sku": "s", "productName": "  Tasse „Größe“ ☕\u0000 "})))
    assert only(got, "order_items")["title"] == "Tasse „Größe“ ☕"


@pytest.mark.parametrize(
    ("node", "fulfilled_by"),
    [("WFSFulfilled", "marketplace"), ("SellerFulfilled", "merchant"), ("3PLFulfilled", "merchant")],
)
def test_fulfilled_by(node, fulfilled_by):
    assert only(read(order("1", shipNode={"type": node})), "orders")["fulfilled_by"] == fulfilled_by


def test_unknown_values_are_kept_and_noted_once():
    strange = line(
        orderLineStatuses=statuses(("Teleported", "1")), charges={"charge": [charge(3, kind="GIFT")]}
    )
    got = read(order("1", strange, shipNode={"type": "Drone"}), order("2", strange))
    assert got.rejected == ()
    assert set(got.notes) == {
        "unknown value Teleported in orders.orderLineStatus.status",
        "unknown value GIFT in orders.charge.chargeType",
        "unknown value Drone in orders.shipNode.type",
    }
    assert rows(got, "orders")[0]["total"] == 3  # what the buyer paid includes what we cannot name


def test_order_summary_settles_per_unit_charges():
    per_unit = order(
        "1",
        line(quantity="3", charges={"charge": [charge(10, 1)]}),
        orderSummary={"totalAmount": {"currencyAmount": 33, "currencyUnit": "USD"}},
    )
    got = read(per_unit)
    assert only(got, "orders")["total"] == 33
    assert only(got, "order_items")["unit_price"] == 10
    assert len(got.notes) == 1
    agreeing = order(
        "1",
        line(quantity="3", charges={"charge": [charge(30, 3)]}),
        orderSummary={"totalAmount": {"currencyAmount": 33, "currencyUnit": "USD"}},
    )
    assert only(read(agreeing), "orders")["total"] == 33
    assert read(agreeing).notes == ()


BAD = [
    ({"orderDate": None}, "orderDate"),
    ({"orderDate": "yesterday"}, "orderDate"),
    ({"orderDate": 5}, "orderDate"),
    ({"orderLines": None}, "orderLines"),
    ({"orderLines": {"orderLine": []}}, "orderLines"),
    ({"purchaseOrderId": None}, "record"),
    ({"orderLines": {"orderLine": [line(None)]}}, "orderLines.orderLine.lineNumber"),
    ({"orderLines": {"orderLine": [line("1"), line("1")]}}, "orderLines.orderLine.lineNumber"),
    (
        {"orderLines": {"orderLine": [line(quantity="1.5", orderLineStatuses=statuses(("Created", "1")))]}},
        "orderLineQuantity",
    ),
    ({"orderLines": {"orderLine": [line(quantity="-1")]}}, "orderLineQuantity"),
    (
        {"orderLines": {"orderLine": [line(charges={"charge": [charge("NaN")]})]}},
        "charge.chargeAmount.amount",
    ),
    (
        {"orderLines": {"orderLine": [line(charges={"charge": [charge("1e20")]})]}},
        "charge.chargeAmount.amount",
    ),
    ({"orderLines": {"orderLine": [line(item={"sku": "\ud800"})]}}, "item.sku"),
    ({"orderLines": {"orderLine": [line(charges={"charge": [charge("ten")]})]}}, "orderLines.orderLine[0]"),
]


@pytest.mark.parametrize(("changes", "field"), BAD)
def test_a_bad_record_is_refused_and_its_neighbours_load(changes, field):
    got = read(order("1"), order("2", **changes), order("3"))
    assert [row["external_id"] for row in rows(got, "orders")] == ["1", "3"]
    assert got.records == 3
    (refused,) = got.rejected
    assert refused.field.startswith(field)
    assert refused.reason
    assert refused.natural_key == ("unknown" if "purchaseOrderId" in changes else "2")


@pytest.mark.parametrize("lost", ["purchaseOrderId", "orderDate", "orderLines"])
def test_a_missing_required_field_is_never_just_skipped(lost):
    without = order("2")
    del without[lost]
    for given in ([order("1"), without], [without]):
        got = read(*given)
        assert len(rows(got, "orders")) == len(given) - 1
        assert len(got.rejected) == 1


@pytest.mark.parametrize("entry", [None, "text", 7, [], {}])
def test_what_is_no_record_is_refused(entry):
    got = read(order("1"), entry)
    assert len(rows(got, "orders")) == 1
    assert len(got.rejected) == 1


def test_refused_records_carry_no_personal_data():
    got = read(order("2", orderDate="yesterday", pickupPersons=[{"name": {"completeName": "Jane Canary"}}]))
    (refused,) = got.rejected
    raw = refused.raw.lower()
    assert json.loads(refused.raw)["purchaseOrderId"] == "2"
    assert "canary" not in raw
    assert "relay.walmart" not in raw
    assert "5551234567" not in raw
    assert '"state": "ca"' in raw


def test_several_currencies_in_one_order_are_refused():
    foreign = charge(5)
    foreign["chargeAmount"]["currency"] = "CAD"
    got = read(order("1", line("1"), line("2", charges={"charge": [foreign]})))
    assert got.rejected[0].field == "charge.chargeAmount.currency"


SENT, ARRIVED = "2026-02-02T10:00:00Z", "2026-02-04T15:00:00Z"
PROMISED = {"estimatedShipDate": "2026-02-03T06:00:00Z", "estimatedDeliveryDate": 1770616800000}


def sent_line(number="1", status="Delivered", sent=SENT, **changes):
    told = statuses((status, "1"))
    if sent:
        told["orderLineStatus"][0]["trackingInfo"] = {"shipDateTime": sent}
    return line(number, orderLineStatuses=told, statusDate=ARRIVED, **changes)


@pytest.mark.parametrize(
    ("lines", "shipped", "delivered"),
    [
        ([sent_line(), sent_line("2", sent="2026-02-02T12:00:00Z")], "2026-02-02T12:00:00Z", ARRIVED),
        ([sent_line(status="Shipped")], SENT, None),
        ([sent_line(), sent_line("2", "Shipped")], SENT, None),
        ([sent_line(), sent_line("2", "Cancelled", sent=None)], SENT, ARRIVED),
        ([sent_line(), sent_line("2", "Acknowledged", sent=None)], None, None),
        ([sent_line(sent=None)], None, ARRIVED),
        ([sent_line(sent="yesterday")], None, ARRIVED),
        # The one date of a status may be the refund's now.
        ([sent_line(refund=refund(charge("-5.00")))], SENT, None),
    ],
)
def test_when_an_order_was_promised_sent_and_delivered(lines, shipped, delivered):
    row = only(read(order("1", *lines, shippingInfo=PROMISED)), "orders")

    def instant(text):
        return text and datetime.fromisoformat(text)

    assert (row["shipped_at"], row["delivered_at"]) == (instant(shipped), instant(delivered))
    assert row["ship_by_at"] == datetime(2026, 2, 3, 6, tzinfo=UTC)
    assert row["deliver_by_at"] == datetime(2026, 2, 9, 6, tzinfo=UTC)
