"""Shapes of older and other answers of Amazon that sellers keep."""

import json
from typing import Any

import msgspec
import pytest

from connectors.amazon.normalize.listings import composed_page
from connectors.amazon.stored import normalize_stored, stored_context
from connectors.canonical import merge_normalized
from tests.amazon_factories import FETCHED, US

CONTEXT = stored_context(FETCHED)
DE, JP = "A1PA6795UKMFR9", "A1VC38T7YXB528"
HEADER = """amazon-order-id purchase-date last-updated-date order-status sales-channel product-name sku quantity
    currency item-price""".split()


def rows(resource: str, *bodies: Any) -> list[dict[str, Any]]:
    files = [(f"{n}", b if isinstance(b, bytes) else json.dumps(b).encode()) for n, b in enumerate(bodies)]
    return normalize_stored(resource, files, CONTEXT).frame(resource).to_dicts()


def sheet(*lines: list[str]) -> str:
    return "\n".join("\t".join(line) for line in lines) + "\n"


def test_an_order_its_address_its_buyer_and_its_lines_are_put_together():
    known = {"AmazonOrderId": "1-1"}
    order = {
        **known,
        "PurchaseDate": "2024-03-31T23:30:00Z",
        "LastUpdateDate": "2024-04-01T00:00:00Z",
        "OrderStatus": "Shipped",
        "MarketplaceId": US,
    }
    line = {"OrderItemId": "9", "QuantityOrdered": 1, "ItemPrice": {"CurrencyCode": "USD", "Amount": "25.00"}}
    (row,) = rows(
        "orders",
        {"payload": order},
        {
            "payload": {
                **known,
                "ShippingAddress": {"CountryCode": "US", "StateOrRegion": "CA", "Name": "Ann"},
            }
        },
        {"payload": {**known, "BuyerEmail": "x@marketplace.amazon.com"}},
        {"payload": {**known, "OrderItems": [line]}},
    )

    assert (row["ship_country"], row["ship_region"], row["customer_ref"]) == (
        "US",
        "CA",
        "email:x@marketplace.amazon.com",
    )
    assert f"{row['subtotal']:.2f}" == "25.00"


@pytest.mark.parametrize(
    ("title", "charset", "place"),
    [
        ("抹茶チョコ", "cp932", "Amazon.co.jp"),
        ("チョコ", "cp932", ""),
        ("Töpfe – große", "cp1252", "Amazon.de"),
        ("Été à la crème", "cp1252", ""),
        ("Töpfe", "utf-16", "Amazon.de"),
        ("抹茶", "utf-8-sig", "Amazon.co.jp"),
    ],
)
def test_the_charset_of_a_stored_report_is_told_by_its_bytes(title: str, charset: str, place: str):
    when = "2024-03-31T23:30:00+00:00"
    line = ["902-1", when, when, "Shipped", place, title, "S", "1", "EUR", "3.00"]
    body = sheet(HEADER, line).encode(charset)
    frame = normalize_stored("orders", [("x.tsv", body)], CONTEXT).frame("order_items")

    assert frame["title"].to_list() == [title]


def test_the_order_report_for_shipping_is_read():
    names = """order-id order-item-id purchase-date payments-date buyer-email sku product-name quantity-purchased
        currency item-price item-tax shipping-price ship-country""".split()
    bought, paid = "2024-01-02T03:04:05-08:00", "2024-01-02T03:14:05-08:00"
    line = ["1-1", "777", bought, paid, "a@b.c", "S1", "P", "2", "USD", "20.00", "1.60", "5.00", "US"]
    normalized = normalize_stored("orders", [("x", sheet(names, line).encode())], CONTEXT)

    (order,), (item,) = (normalized.frame(name).to_dicts() for name in ("orders", "order_items"))
    assert (order["status"], f"{order['total']:.2f}") == ("open", "26.60")
    assert (item["line_id"], item["quantity"], f"{item['unit_price']:.2f}") == ("777", 2, "10.00")


def test_stock_of_amazons_and_the_listings_report():
    stock = sheet(
        ["seller-sku", "asin", "Warehouse-Condition-code", "Quantity Available"],
        ["S1", "B1", "SELLABLE", "7"],
        ["S1", "B1", "UNSELLABLE", "2"],
    )
    listed = sheet(
        ["seller-sku", "asin1", "quantity", "fulfillment-channel"],
        ["S2", "B2", "5", "DEFAULT"],
        ["S1", "B1", "", "AMAZON_NA"],
    )

    (own,) = rows("inventory", stock.encode())
    assert (own["warehouse_location"], own["quantity_available"], own["quantity_unavailable"]) == (
        f"FBA:{US}",
        7,
        2,
    )
    (mine,) = rows("inventory", listed.encode())
    assert (mine["sku"], mine["warehouse_location"], mine["quantity_available"]) == ("S2", "MFN", 5)


def test_a_listing_that_has_attributes_only_says_what_they_say():
    attributes = {
        "item_name": [{"value": "Cup", "marketplace_id": DE}],
        "brand": [{"value": "Wharf", "marketplace_id": DE}],
        "purchasable_offer": [
            {"currency": "EUR", "marketplace_id": DE, "our_price": [{"schedule": [{"value_with_tax": 12.5}]}]}
        ],
    }
    (row,) = rows("products", {"sku": "Z", "attributes": attributes})

    assert (row["channel"], row["title"], row["brand"], f"{row['price']:.2f}", row["currency"]) == (
        "amazon-de",
        "Cup",
        "Wharf",
        "12.50",
        "EUR",
    )


def test_the_catalog_of_2020_has_brand_and_barcode_under_other_names():
    item = {
        "asin": "B1",
        "summaries": [{"marketplaceId": US, "brandName": "Samsung", "itemName": "TV"}],
        "identifiers": [
            {"marketplaceId": US, "identifiers": [{"type": "upc", "identifier": "887276302195"}]}
        ],
    }
    (row,) = rows("products", {"items": [item]})

    assert (row["brand"], row["barcode"]) == ("Samsung", "887276302195")


def test_a_refund_written_without_its_sign_is_given_back_all_the_same():
    def event(amount: float) -> dict[str, Any]:
        charge = {
            "ChargeType": "Principal",
            "ChargeAmount": {"CurrencyCode": "USD", "CurrencyAmount": amount},
        }
        part = {"SellerSKU": "S", "OrderAdjustmentItemId": "7", "ItemChargeAdjustmentList": [charge]}
        told = {
            "AmazonOrderId": "1",
            "PostedDate": "2024-01-01T00:00:00Z",
            "ShipmentItemAdjustmentList": [part],
        }
        return {"payload": {"FinancialEvents": {"RefundEventList": [told]}}}

    given_back = [rows("returns", event(amount))[0] for amount in (-25.37, 25.37)]
    assert [f"{row['amount']:.2f}" for row in given_back] == ["25.37", "25.37"]
    assert {row["sku"] for row in given_back} == {"S"}


def test_skus_of_one_asin_on_several_pages_do_not_take_each_others_place():
    def page(sku: str, owners: dict[str, str]) -> bytes:
        listing = {"sku": sku, "summaries": [{"marketplaceId": US, "asin": "B1"}]}
        return msgspec.json.encode({"marketplaceId": US, "listings": {"items": [listing]}, "owners": owners})

    read = merge_normalized(composed_page(page(sku, {"B1": "A-FBA"}), CONTEXT) for sku in ("A-FBA", "A-MFN"))

    assert read.frame("products")["external_id"].to_list() == ["B1", "B1/A-MFN"]
