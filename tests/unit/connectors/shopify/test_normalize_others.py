"""Products, stock, abandoned checkouts and returns."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.canonical import Normalized
from connectors.shopify.normalize import payload
from tests.shopify_factories import bag, context, only

Json = dict[str, Any]


def read(resource: str, body: Any, currency: str = "EUR") -> Normalized:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return payload(resource, raw, context(currency))


def variant(number: int = 1, **changes: Any) -> Json:
    return {
        "id": f"gid://shopify/ProductVariant/{number}",
        "sku": f"SKU-{number}",
        "title": "Default Title",
        "barcode": "400000",
        "price": "19.90",
        "updatedAt": "2026-02-02T00:00:00Z",
        "inventoryItem": {
            "id": "gid://shopify/InventoryItem/5",
            "unitCost": {"amount": "7.5", "currencyCode": "EUR"},
        },
        **changes,
    }


def product(*variants: Json, **changes: Any) -> Json:
    return {
        "id": "gid://shopify/Product/9",
        "title": "Mug",
        "vendor": "Acme",
        "productType": "Kitchen",
        "category": {"fullName": "Home & Garden > Kitchen > Mugs"},
        "status": "ACTIVE",
        "updatedAt": "2026-02-03T00:00:00Z",
        "variants": {"nodes": list(variants or (variant(),))},
        **changes,
    }


def test_a_product_is_a_row_a_variant():
    told = product(variant(1), variant(2, title="Blue / L", sku="", updatedAt="2026-02-09T00:00:00Z"))

    rows = read("products", {"data": {"products": {"nodes": [told]}}}).frame("products").to_dicts()

    assert [(row["external_id"], row["sku"], row["title"]) for row in rows] == [
        ("1", "SKU-1", "Mug"),
        ("2", None, "Mug - Blue / L"),
    ]
    first = rows[0]
    assert (first["price"], first["currency"], first["cost_price"]) == (
        Decimal("19.9000"),
        "EUR",
        Decimal("7.5000"),
    )
    assert (first["category"], first["brand"], first["is_active"]) == (
        "Home & Garden > Kitchen > Mugs",
        "Acme",
        True,
    )
    assert first["source_updated_at"] == datetime(2026, 2, 3, tzinfo=UTC)
    assert rows[1]["source_updated_at"] == datetime(2026, 2, 9, tzinfo=UTC)


def test_an_archived_product_without_category_and_cost():
    told = product(
        variant(inventoryItem={"id": "gid://shopify/InventoryItem/5", "unitCost": None}),
        status="ARCHIVED",
        category=None,
    )

    row = only(read("products", told).frame("products"))

    assert (row["is_active"], row["category"], row["cost_price"]) == (False, "Kitchen", None)


def test_variants_asked_for_by_themselves_name_their_product():
    told = variant(product={"id": "gid://shopify/Product/9", "title": "Mug", "status": "DRAFT"})

    row = only(read("products", {"data": {"productVariants": {"nodes": [told]}}}).frame("products"))

    assert (row["name"], row["is_active"]) == ("Mug", False)


def test_rest_products():
    told = {
        "id": 632910392,
        "title": "IPod Nano",
        "vendor": "Apple",
        "product_type": "Cult Products",
        "status": "active",
        "updated_at": "2024-01-02T08:59:11-05:00",
        "variants": [
            {
                "id": 808950810,
                "product_id": 632910392,
                "title": "Pink",
                "price": "199.00",
                "sku": "IPOD2008PINK",
            }
        ],
    }

    row = only(read("products", {"products": [told]}, "USD").frame("products"))

    assert (row["external_id"], row["title"], row["currency"]) == ("808950810", "IPod Nano - Pink", "USD")
    assert (row["price"], row["is_active"]) == (Decimal("199.0000"), True)


def test_products_of_a_bulk_file():
    parent = {name: value for name, value in product().items() if name != "variants"}
    lines = [{**variant(n), "__parentId": parent["id"]} for n in (1, 2)]

    body = b"\n".join(json.dumps(entry).encode() for entry in [parent, *lines])

    assert read("products", body).frame("products")["external_id"].to_list() == ["1", "2"]


def level(*amounts: tuple[str, int], **changes: Any) -> Json:
    return {
        "id": "gid://shopify/InventoryLevel/1?inventory_item_id=5",
        "location": {"id": "gid://shopify/Location/44", "name": "Berlin"},
        "quantities": [
            {"name": name, "quantity": quantity, "updatedAt": "2026-02-05T00:00:00Z"}
            for name, quantity in amounts
        ],
        **changes,
    }


def item(*levels: Json, **changes: Any) -> Json:
    return {
        "id": "gid://shopify/InventoryItem/5",
        "sku": "SKU-1",
        "tracked": True,
        "variant": {"id": "gid://shopify/ProductVariant/1"},
        "inventoryLevels": {"nodes": list(levels)},
        **changes,
    }


def stock(told: Json) -> Normalized:
    return read("inventory", {"data": {"inventoryItems": {"nodes": [told]}}})


def test_stock_is_added_up_from_its_named_quantities():
    amounts = [("available", -2), ("committed", 5), ("reserved", 1), ("safety_stock", 2), ("incoming", 40)]
    amounts += [("on_hand", 8), ("damaged", 1), ("quality_control", 1)]

    row = only(stock(item(level(*amounts))).frame("inventory"))

    assert (row["sku"], row["external_id"], row["warehouse_location"]) == ("SKU-1", "1", "44")
    assert (row["quantity_available"], row["quantity_reserved"], row["quantity_inbound"]) == (-2, 8, 40)
    assert (row["quantity_on_hand"], row["quantity_unavailable"]) == (8, 2)
    assert row["source_updated_at"] == datetime(2026, 2, 5, tzinfo=UTC)


def test_quantities_that_were_not_asked_for_are_null():
    row = only(stock(item(level(("available", 3)))).frame("inventory"))

    assert (row["quantity_available"], row["quantity_reserved"], row["quantity_on_hand"]) == (3, None, None)


def test_an_item_shopify_does_not_track_has_no_stock():
    normalized = stock(item(level(("available", 0)), tracked=False))

    assert normalized.frame("inventory").height == 0
    assert len(normalized.notes) == 1


def test_an_item_without_sku_goes_by_its_variant():
    assert only(stock(item(level(("available", 3)), sku="")).frame("inventory"))["sku"] == "1"


def test_rest_levels_do_not_say_their_sku():
    told = {
        "inventory_levels": [
            {
                "inventory_item_id": 808950810,
                "location_id": 655441491,
                "available": 2,
                "updated_at": "2024-01-02T08:59:11-05:00",
            }
        ]
    }

    row = only(read("inventory", told).frame("inventory"))

    assert (row["warehouse_location"], row["quantity_available"]) == ("655441491", 2)


def checkout(**changes: Any) -> Json:
    return {
        "id": "gid://shopify/AbandonedCheckout/3",
        "createdAt": "2026-02-01T10:00:00Z",
        "updatedAt": "2026-02-01T10:05:00Z",
        "completedAt": None,
        "customer": None,
        "totalPriceSet": bag("30.0"),
        "lineItems": {
            "nodes": [
                {
                    "id": "gid://shopify/AbandonedCheckoutLineItem/abc?checkout=3",
                    "sku": "A",
                    "title": "Mug",
                    "quantity": 2,
                    "variant": None,
                    "discountedTotalPriceSet": bag("28.0"),
                }
            ]
        },
        **changes,
    }


def test_an_abandoned_checkout_and_a_recovered_one():
    recovered = checkout(
        id="gid://shopify/AbandonedCheckout/4",
        completedAt="2026-02-02T00:00:00Z",
        customer={"id": "gid://shopify/Customer/8"},
    )

    frames = read("carts", {"data": {"abandonedCheckouts": {"nodes": [checkout(), recovered]}}})

    rows = frames.frame("carts").to_dicts()
    assert [(row["external_id"], row["completed_at"] is None, row["customer_ref"]) for row in rows] == [
        ("3", True, None),
        ("4", False, "shopify:8"),
    ]
    assert frames.frame("cart_items")["total"].to_list() == [Decimal("28.0000")] * 2
    assert frames.frame("cart_items")["line_id"].to_list() == ["abc"] * 2


def test_rest_checkouts():
    told = {
        "checkouts": [
            {
                "id": 450789469,
                "created_at": "2012-10-12T07:05:27-04:00",
                "currency": "USD",
                "total_price": "409.94",
                "completed_at": None,
                "line_items": [
                    {
                        "id": None,
                        "sku": "IPOD",
                        "title": "IPod",
                        "quantity": 2,
                        "price": "199.00",
                        "variant_id": 9,
                    }
                ],
            }
        ]
    }

    frames = read("carts", told, "USD")

    assert only(frames.frame("carts"))["total"] == Decimal("409.9400")
    assert only(frames.frame("cart_items"))["total"] == Decimal("398.0000")


def test_returns_below_their_order():
    told = {
        "id": "gid://shopify/Order/1",
        "updatedAt": "2026-02-09T00:00:00Z",
        "currencyCode": "EUR",
        "returns": {
            "nodes": [
                {
                    "id": "gid://shopify/Return/6",
                    "status": "CLOSED",
                    "totalQuantity": 2,
                    "createdAt": "2026-02-08T00:00:00Z",
                    "refunds": {
                        "nodes": [
                            {
                                "id": "gid://shopify/Refund/3",
                                "totalRefundedSet": bag("20.0"),
                                "refundLineItems": {"nodes": [{"quantity": 2}]},
                            }
                        ]
                    },
                }
            ]
        },
    }

    row = only(read("returns", {"data": {"orders": {"nodes": [told]}}}).frame("returns"))

    assert (row["return_id"], row["order_external_id"], row["status"]) == ("6", "1", "CLOSED")
    assert (row["quantity"], row["refunded_quantity"], row["amount"]) == (2, 2, Decimal("20.0000"))


def test_a_return_with_its_lines():
    told = {
        "id": "gid://shopify/Return/6",
        "status": "OPEN",
        "createdAt": "2026-02-08T00:00:00Z",
        "order": {"id": "gid://shopify/Order/1"},
        "returnLineItems": {
            "nodes": [
                {
                    "id": "gid://shopify/ReturnLineItem/61",
                    "quantity": 1,
                    "refundedQuantity": 0,
                    "returnReason": "DEFECTIVE",
                    "fulfillmentLineItem": {"lineItem": {"id": "gid://shopify/LineItem/11", "sku": "A"}},
                }
            ]
        },
    }

    row = only(read("returns", {"data": {"return": told}}).frame("returns"))

    assert (row["return_line_id"], row["line_id"], row["sku"], row["reason"]) == (
        "61",
        "11",
        "A",
        "DEFECTIVE",
    )


def test_a_customer_is_counts_under_a_reference_and_nothing_that_says_who():
    told = {
        "id": "gid://shopify/Customer/77",
        "createdAt": "2019-04-02T10:00:00Z",
        "updatedAt": "2026-02-03T00:00:00Z",
        "firstName": "Ada",
        "email": "ada@example.com",
        "numberOfOrders": "12",
        "amountSpent": {"amount": "480.5", "currencyCode": "EUR"},
        "defaultAddress": {"countryCodeV2": "DE", "address1": "Street 1"},
    }
    broken = {**told, "id": "gid://shopify/Customer/78", "numberOfOrders": "many"}
    rest = {"id": 79, "orders_count": 3, "total_spent": "9.00", "currency": "EUR", "created_at": None}

    page = read("customers", {"data": {"customers": {"nodes": [told, broken]}}})
    stored = read("customers", {"customers": [rest]})

    assert page.frame("customers").to_dicts() == [
        {
            "channel": "shopify-wharf-demo",
            "customer_ref": "shopify:77",
            "created_at": datetime(2019, 4, 2, 10, tzinfo=UTC),
            "source_updated_at": datetime(2026, 2, 3, tzinfo=UTC),
            "orders_count": 12,
            "amount_spent": Decimal("480.5000"),
            "currency": "EUR",
            "country": "DE",
        }
    ]
    assert [(r.natural_key, r.field) for r in page.rejected] == [("78", "numberOfOrders")]
    assert not any(word in page.rejected[0].raw for word in ("Ada", "ada@", "Street"))
    assert stored.frame("customers").row(0)[1:6] == ("shopify:79", None, None, 3, Decimal("9.0000"))


def test_a_shop_that_states_its_currency_beside_the_products_gives_their_prices_one():
    cost_free = variant(inventoryItem={"id": "gid://shopify/InventoryItem/5", "unitCost": None})
    data = {"shop": {"name": "a", "currencyCode": "CAD"}, "products": {"nodes": [product(cost_free)]}}

    assert only(read("products", {"data": data}, currency="").frame("products"))["currency"] == "CAD"
    assert only(read("products", {"data": data}, currency="EUR").frame("products"))["currency"] == "EUR"
