"""Reports and answers of Amazon that sellers keep beside the usual ones."""

import json
from typing import Any

import pytest

from connectors.amazon.stored import normalize_stored, stored_context
from connectors.canonical import Normalized
from connectors.errors import ConfigurationError
from tests.amazon_factories import FETCHED, US

CONTEXT = stored_context(FETCHED)
PLACED = {
    "AmazonOrderId": "1-1",
    "PurchaseDate": "2024-03-01T00:00:00Z",
    "LastUpdateDate": "2024-03-02T00:00:00Z",
    "OrderStatus": "Shipped",
    "MarketplaceId": US,
}


def usd(amount: str) -> dict[str, str]:
    return {"CurrencyCode": "USD", "Amount": amount}


LINE = {"OrderItemId": "5", "SellerSKU": "A", "QuantityOrdered": 1, "ItemPrice": usd("5.00")}


def read(resource: str, *bodies: Any) -> Normalized:
    files = [(f"{n}", b if isinstance(b, bytes) else json.dumps(b).encode()) for n, b in enumerate(bodies)]
    return normalize_stored(resource, files, CONTEXT)


def rows(resource: str, *bodies: Any) -> list[dict[str, Any]]:
    found = read(resource, *bodies)
    assert not found.rejected
    return found.frame(resource).to_dicts()


def report(*lines: dict[str, str]) -> bytes:
    head = "\t".join(lines[0])
    return "\n".join([head, *("\t".join(line.values()) for line in lines)]).encode()


def test_open_listings_are_products_and_the_merchants_stock():
    body = report(
        {"sku": "A", "asin": "B01", "price": "12,99", "quantity": "5"},
        {
            "sku": "F",
            "asin": "B02",
            "price": "9.99",
            "quantity": "",
        },  # Amazon ships it: no stock of the merchant's
    )

    products, stock = rows("products", body), rows("inventory", body)

    assert [(row["sku"], row["external_id"], str(row["price"])) for row in products] == [
        ("A", "B01", "12.9900"),
        ("F", "B02", "9.9900"),
    ]
    assert [(row["sku"], row["warehouse_location"], row["quantity_available"]) for row in stock] == [
        ("A", "MFN", 5)
    ]


@pytest.mark.parametrize("resource", ["products", "inventory"])
def test_a_report_with_other_columns_is_no_listing_and_no_stock(resource: str):
    with pytest.raises(ConfigurationError, match="its header has changed"):
        read(resource, report({"sku-number": "A", "price": "1"}))


def test_amazons_shipments_are_orders_that_were_sent():
    body = report(
        {
            "amazon-order-id": "1-1",
            "amazon-order-item-id": "99",
            "purchase-date": "2024-03-01T10:00:00+00:00",
            "reporting-date": "2024-03-03T00:00:00+00:00",
            "sku": "A",
            "quantity-shipped": "2",
            "currency": "USD",
            "item-price": "20.00",
            "item-tax": "1.60",
            "shipping-price": "5.00",
            "item-promotion-discount": "-2.00",
            "ship-promotion-discount": "-5.00",
            "ship-country": "US",
            "fulfillment-channel": "AFN",
            "sales-channel": "amazon.com",
        }
    )

    found = read("orders", body)

    (order,), (line,) = found.frame("orders").to_dicts(), found.frame("order_items").to_dicts()
    assert (order["status"], order["fulfilled_by"], str(order["total"])) == (
        "completed",
        "marketplace",
        "19.6000",
    )
    assert (line["line_id"], line["quantity"], str(line["net_amount"])) == ("99", 2, "18.0000")


def test_a_report_that_quotes_every_field():
    body = (
        '"return-date"\t"order-id"\t"sku"\t"product-name"\t"quantity"\t"license-plate-number"\n'
        '"2024-01-05T10:00:00+00:00"\t"1-1"\t"A"\t"24"" shelf"\t"1"\t"LPN1"\n'
    )

    (row,) = rows("returns", body.encode())

    assert (row["return_id"], row["order_external_id"], row["quantity"]) == ("LPN1", "1-1", 1)


def test_german_dates_and_prices_of_listings():
    body = report(
        {
            "seller-sku": "A",
            "asin1": "B01",
            "price": "12,50",
            "item-name": "Tasse",
            "open-date": "05/01/2020 10:00:00 MEZ",
            "status": "Inactive",
        }
    )

    (row,) = rows("products", body)

    assert str(row["price"]) == "12.5000"
    assert row["source_updated_at"].isoformat() == "2020-01-05T09:00:00+00:00"


def test_gift_wrapping_told_apart_from_the_line_is_part_of_the_total():
    found = read(
        "orders",
        {"payload": {"Orders": [{**PLACED, "OrderTotal": usd("6.00")}]}},
        {"payload": {"AmazonOrderId": "1-1", "OrderItems": [LINE]}},
        {
            "payload": {
                "AmazonOrderId": "1-1",
                "OrderItems": [{"OrderItemId": "5", "GiftWrapPrice": usd("1.00")}],
            }
        },
    )

    assert [str(row["total"]) for row in found.frame("order_items").to_dicts()] == ["6.0000"]
    assert not found.rejected
    assert not found.notes


def test_an_order_change_notification_says_state_and_units_and_no_money():
    summary = {
        "MarketplaceId": US,
        "OrderStatus": "Unshipped",
        "PurchaseDate": "2024-01-01T00:00:00Z",
        "FulfillmentType": "MFN",
        "OrderItems": [{"OrderItemId": "11", "SellerSKU": "A", "Quantity": 2, "QuantityShipped": 0}],
    }
    change = {
        "AmazonOrderId": "9-1",
        "OrderChangeTrigger": {"TimeOfOrderChange": "2024-01-02T01:00:00Z"},
        "Summary": summary,
    }

    found = read(
        "orders", {"NotificationType": "ORDER_CHANGE", "Payload": {"OrderChangeNotification": change}}
    )

    (order,), (line,) = found.frame("orders").to_dicts(), found.frame("order_items").to_dicts()
    assert (order["status"], order["fulfilled_by"], order["total"]) == ("open", "merchant", None)
    assert order["source_updated_at"].isoformat() == "2024-01-02T01:00:00+00:00"
    assert (line["quantity"], line["unit_price"]) == (2, None)


@pytest.mark.parametrize(
    "body",
    [
        {"get_orders": {"status": 200, "json": {"payload": {"Orders": [{**PLACED, "OrderItems": [LINE]}]}}}},
        {"Order": PLACED, "OrderItems": [LINE]},
        [PLACED, {"AmazonOrderId": "1-1", **LINE}],
    ],
)
def test_an_order_and_its_lines_however_they_were_put_together(body: Any):
    found = read("orders", body)

    assert [row["external_id"] for row in found.frame("orders").to_dicts()] == ["1-1"]
    assert [row["order_external_id"] for row in found.frame("order_items").to_dicts()] == ["1-1"]


@pytest.mark.parametrize(
    ("resource", "line"),
    [
        ("returns", {"return-date": "never", "order-id": "1-1", "quantity": "1"}),
        ("inventory", {"sku": "A", "afn-fulfillable-quantity": "many"}),
        ("products", {"seller-sku": "A", "price": "much"}),
    ],
)
def test_of_a_refused_line_only_columns_that_are_read_are_kept(resource: str, line: dict[str, str]):
    [refused] = read(resource, report({**line, "gift-note-of-tomorrow": "Happy birthday, Ann"})).rejected

    assert json.loads(refused.raw).items() >= line.items()
    assert "Ann" not in refused.raw
