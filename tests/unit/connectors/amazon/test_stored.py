"""Stored payloads are recognised by their shape."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.amazon.stored import normalize_stored, stored_context
from connectors.errors import ConfigurationError
from tests.amazon_factories import FETCHED, JP, ORDER, US, item, money, one, order, part, report, report_line

D = Decimal
CONTEXT = stored_context(FETCHED)


def read(resource: str, *bodies: Any) -> Any:
    files = [
        (f"{n}.txt", b if isinstance(b, bytes) else json.dumps(b).encode()) for n, b in enumerate(bodies)
    ]
    return normalize_stored(resource, files, CONTEXT)


def v0_order(**changes: Any) -> dict[str, Any]:
    return {
        "AmazonOrderId": ORDER,
        "PurchaseDate": "2026-02-01T10:00:00Z",
        "LastUpdateDate": "2026-02-02T10:00:00Z",
        "OrderStatus": "Shipped",
        "FulfillmentChannel": "AFN",
        "MarketplaceId": US,
        "OrderTotal": {"CurrencyCode": "USD", "Amount": "25.60"},
    } | changes


def v0_money(amount: str, currency: str = "USD") -> dict[str, str]:
    return {"CurrencyCode": currency, "Amount": amount}


def v0_item(**changes: Any) -> dict[str, Any]:
    return {
        "ASIN": "B000000001",
        "OrderItemId": "1",
        "SellerSKU": "SKU-1",
        "QuantityOrdered": 2,
        "QuantityShipped": 2,
        "ItemPrice": v0_money("20.00"),
        "ItemTax": v0_money("1.60"),
        "ShippingPrice": v0_money("5.00"),
        "PromotionDiscount": v0_money("1.00"),
    } | changes


ORDERS = order(item(1, 1, part("ITEM", "10.00")), total="10.00")


@pytest.mark.parametrize(
    "body",
    [
        ORDERS,
        [ORDERS],
        {"orders": [ORDERS]},
        {"order": ORDERS},
        {"payload": {"orders": [ORDERS]}},
        [{"orders": [ORDERS]}],
        json.dumps(ORDERS).encode() + b"\n" + json.dumps(ORDERS | {"orderId": ORDER}).encode(),
        b"\xef\xbb\xbf" + json.dumps(ORDERS).encode(),
        {"status": 200, "body": {"orders": [ORDERS]}},
    ],
)
def test_an_order_in_any_wrapping(body):
    assert one(read("orders", body), "orders")["external_id"] == ORDER


def test_v0_orders_and_their_lines_from_two_files():
    both = read(
        "orders",
        {"payload": {"Orders": [v0_order()]}},
        {"payload": {"AmazonOrderId": ORDER, "OrderItems": [v0_item()]}},
    )
    row, line = one(both, "orders"), one(both, "order_items")
    assert (row["status"], row["fulfilled_by"], row["total"]) == ("completed", "marketplace", D("25.60"))
    assert (row["subtotal"], row["discount"], row["shipping"], row["tax"]) == (D(20), D(1), D(5), D("1.60"))
    assert (line["unit_price"], line["net_amount"], line["total"]) == (D(10), D(19), D("25.60"))
    assert both.notes == ()


def test_v0_totals_tell_that_the_tax_is_inside():
    inside = v0_order(OrderTotal=v0_money("24.00"))
    line = one(
        read("orders", {"Orders": [inside]}, {"AmazonOrderId": ORDER, "OrderItems": [v0_item()]}),
        "order_items",
    )
    assert (line["tax_included"], line["net_amount"]) == (True, D("17.40"))


def test_v0_lines_kept_inside_their_order():
    assert one(read("orders", v0_order(OrderItems=[v0_item()])), "order_items")["sku"] == "SKU-1"


def test_v0_pending_and_cancelled():
    pending = v0_order(OrderStatus="Pending", OrderTotal=None)
    gone = v0_order(AmazonOrderId="113-2", OrderStatus="Canceled")
    lines = {
        "AmazonOrderId": "113-2",
        "OrderItems": [v0_item(QuantityOrdered=0, QuantityShipped=0, ItemPrice=None)],
    }
    both = read("orders", {"Orders": [pending, gone]}, lines)
    assert both.frame("orders").select("status", "total").rows() == [
        ("pending", None),
        ("cancelled", D("25.60")),
    ]
    assert one_line(both)["quantity"] == 0


def one_line(both: Any) -> dict[str, Any]:
    assert both.rejected == ()
    return both.frame("order_items").row(0, named=True)


def test_v0_replacement_flag_as_text_and_gift_wrap_kept_apart():
    wrapped = v0_item(BuyerInfo={"GiftWrapPrice": v0_money("3.00"), "GiftWrapTax": v0_money("0.20")})
    both = read(
        "orders", v0_order(IsReplacementOrder="true", OrderItems=[wrapped], OrderTotal=v0_money("28.80"))
    )
    assert one(both, "orders")["is_replacement"] is True
    assert one(both, "orders")["tax"] == D("1.80")
    assert one_line(both)["net_amount"] == D(19)
    assert both.notes == ()


def test_a_bad_v0_line_refuses_its_order_and_no_other():
    both = read(
        "orders",
        {"Orders": [v0_order(), v0_order(AmazonOrderId="113-2")]},
        {"AmazonOrderId": ORDER, "OrderItems": [v0_item(), {"ASIN": "B1"}]},
        {"AmazonOrderId": "113-2", "OrderItems": [v0_item()]},
    )
    assert both.frame("orders")["external_id"].to_list() == ["113-2"]
    assert both.frame("order_items")["order_external_id"].to_list() == ["113-2"]
    assert len(both.rejected) == 1


def test_lines_without_their_order_are_shown():
    assert (
        one_line(read("orders", {"payload": {"AmazonOrderId": ORDER, "OrderItems": [v0_item()]}}))["sku"]
        == "SKU-1"
    )


def test_a_report_is_text():
    assert one(read("orders", report(report_line())), "order_items")["line_id"] == "SKU-1#1"
    assert (
        one(read("orders", report(report_line(product_name="ß"), charset="cp1252")), "order_items")["title"]
        == "ß"
    )


def test_versions_may_be_mixed():
    both = read(
        "orders", ORDERS, v0_order(AmazonOrderId="113-2"), report(report_line(amazon_order_id="113-3"))
    )
    assert sorted(both.frame("orders")["external_id"]) == [ORDER, "113-2", "113-3"]


def test_the_xml_report():
    body = b"""<?xml version="1.0"?><AmazonEnvelope><Message><Order><AmazonOrderID>113-7</AmazonOrderID>
    <PurchaseDate>2026-02-01T10:00:00+00:00</PurchaseDate><LastUpdatedDate>2026-02-02T10:00:00+00:00</LastUpdatedDate>
    <OrderStatus>Shipped</OrderStatus><SalesChannel>Amazon.de</SalesChannel><FulfillmentData>
    <FulfillmentChannel>Amazon</FulfillmentChannel><Address><Country>DE</Country><State>Bayern</State></Address>
    </FulfillmentData><OrderItem><AmazonOrderItemCode>77</AmazonOrderItemCode><ASIN>B1</ASIN><SKU>A</SKU>
    <ProductName>Tasse</ProductName><Quantity>2</Quantity><ItemPrice><Component><Type>Principal</Type>
    <Amount currency="EUR">23.80</Amount></Component><Component><Type>Tax</Type><Amount currency="EUR">3.80</Amount>
    </Component></ItemPrice></OrderItem></Order></Message></AmazonEnvelope>"""
    both = read("orders", body)
    row, line = one(both, "orders"), one(both, "order_items")
    assert (row["channel"], row["ship_country"], row["currency"]) == ("amazon-de", "DE", "EUR")
    assert (line["line_id"], line["net_amount"]) == ("77", D("20.00"))


def test_xml_that_attacks_is_refused():
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    with pytest.raises(ConfigurationError, match=r"0\.txt"):
        read("orders", bomb)


@pytest.mark.parametrize("body", [b"{", b'{"hello": 1}', b"7", b"[[1]]", b"<x/", b""])
def test_what_is_nothing_of_amazon_is_said_in_one_line(body):
    with pytest.raises(ConfigurationError, match=r"0\.txt") as caught:
        read("orders", body)
    assert "\n" not in str(caught.value)


def test_an_unknown_resource_is_said():
    with pytest.raises(ConfigurationError, match="carts"):
        read("carts", ORDERS)


def test_listings_catalog_and_stock():
    summary = {"marketplaceId": JP, "asin": "B1", "productType": "X", "status": [], "itemName": "茶"}
    listing = {"sku": "A", "summaries": [summary], "fulfillmentAvailability": [_default(4)]}
    catalog = {"asin": "B1", "summaries": [{"marketplaceId": JP, "brand": "Cha"}]}
    row = one(read("products", {"items": [listing]}, {"items": [catalog]}), "products")
    assert (row["channel"], row["brand"], row["title"], row["price"]) == ("amazon-jp", "Cha", "茶", None)
    assert one(read("inventory", listing), "inventory")["quantity_available"] == 4
    assert one(read("products", catalog), "products")["external_id"] == "B1"


def _default(quantity: int) -> dict[str, Any]:
    return {"fulfillmentChannelCode": "DEFAULT", "quantity": quantity}


def test_finances_v0_and_new_as_refunds_and_returns():
    charge = {"ChargeType": "Principal", "ChargeAmount": {"CurrencyCode": "USD", "CurrencyAmount": -9.99}}
    tax = {"ChargeType": "Tax", "ChargeAmount": {"CurrencyCode": "USD", "CurrencyAmount": -0.8}}
    adjusted = {"SellerSKU": "A", "OrderAdjustmentItemId": "OA1", "QuantityShipped": 1}
    adjusted["ItemChargeAdjustmentList"] = [charge, tax]
    event = {"AmazonOrderId": ORDER, "PostedDate": "2026-02-05T10:00:00Z", "MarketplaceName": "Amazon.com"}
    event["ShipmentItemAdjustmentList"] = [adjusted]
    body = {
        "payload": {
            "FinancialEvents": {"RefundEventList": [event], "ShipmentEventList": [{"AmazonOrderId": "x"}]}
        }
    }
    row = one(read("refunds", body), "refunds")
    assert (row["refund_id"], row["amount"], row["net_amount"]) == ("OA1", D("10.79"), D("9.99"))
    assert one(read("returns", body), "returns")["amount"] == D("10.79")
    assert row["refunded_at"] == datetime(2026, 2, 5, 10, tzinfo=UTC)


def test_yen_in_a_single_answer():
    yen = order(item(1, 2, part("ITEM", "3000", "JPY")), place=JP, total=money("3000", "JPY"))
    assert one(read("orders", {"order": yen}), "orders")["total"] == D(3000)
