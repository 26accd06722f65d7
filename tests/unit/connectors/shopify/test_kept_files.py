"""Bulk files, webhook bodies and downloads as other tools keep them: nothing is lost or taken for something else."""

import json
from typing import Any

import pytest

Json = dict[str, Any]


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def lines(*records: Json) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def bag(amount: str) -> Json:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}


ORDER = {"id": gid("Order", 1), "createdAt": "2024-05-01T10:00:00Z", "totalPriceSet": bag("10.0")}
REST = {
    "id": 1,
    "created_at": "2024-05-01T10:00:00Z",
    "currency": "USD",
    "total_price": "10.00",
    "line_items": [],
}


def test_escaped_slashes_are_slashes(shown):
    line = {"id": gid("LineItem", 5), "title": "a / b", "quantity": 1, "__parentId": ORDER["id"]}

    found = shown("orders", lines(ORDER, line).replace("/", "\\/"))

    assert [(row["order_id"], row["line_id"], row["title"]) for row in found["order_items"]] == [
        ("1", "5", "a / b")
    ]


def test_lines_without_ids_are_lines_and_other_things_below_an_order_are_not(shown):
    of = {"__parentId": ORDER["id"]}
    line = {"sku": "A", "quantity": 2, "originalUnitPriceSet": bag("5.0"), **of}

    found = shown(
        "orders",
        lines(ORDER, line, {"allocationMethod": "ACROSS", **of}, {"id": gid("Fulfillment", 3), **of}),
    )

    assert [row["sku"] for row in found["order_items"]] == ["A"]
    assert found["orders"][0]["subtotal"] == "10.00"


def test_media_and_metafields_below_a_product_are_no_variants(shown):
    product, variant = gid("Product", 1), gid("ProductVariant", 5)

    found = shown(
        "products",
        lines(
            {"id": product, "title": "P"},
            {"id": gid("MediaImage", 9), "__parentId": product},
            {"id": variant, "sku": "A", "price": "5.00", "__parentId": product},
            {"id": gid("Metafield", 7), "__parentId": variant},
        ),
    )

    assert [(row["external_id"], row["sku"]) for row in found["products"]] == [("5", "A")]


@pytest.mark.parametrize("parent", [gid("ProductVariant", 5), gid("InventoryItem", 6)])
def test_levels_below_a_variant_or_its_item_are_its_stock(shown, parent: str):
    variant = {"id": gid("ProductVariant", 5), "sku": "A", "inventoryItem": {"id": gid("InventoryItem", 6)}}
    level = {"quantities": [{"name": "available", "quantity": 4}], "location": {"id": gid("Location", 3)}}
    of_product = lines(
        {"id": gid("Product", 1)},
        {**variant, "__parentId": gid("Product", 1)},
        {**level, "id": gid("InventoryLevel", 9), "__parentId": gid("ProductVariant", 5)},
    )

    found = shown("inventory", lines(variant, {**level, "__parentId": parent}))

    assert [
        (row["sku"], row["warehouse_location"], row["quantity_available"]) for row in found["inventory"]
    ] == [("A", "3", 4)]
    assert shown("inventory", of_product)["inventory"] == found["inventory"]


def test_levels_in_a_location_lie_there(shown):
    level = {
        "id": gid("InventoryLevel", 9),
        "available": 4,
        "item": {"id": gid("InventoryItem", 6), "sku": "A"},
    }

    found = shown(
        "inventory", {"data": {"location": {"id": gid("Location", 7), "inventoryLevels": {"nodes": [level]}}}}
    )

    assert found["inventory"][0]["warehouse_location"] == "7"


def test_lines_of_returns_are_found_below_the_return_or_its_order(shown):
    returned = {"id": gid("Return", 1), "status": "CLOSED", "order": {"id": gid("Order", 9)}}
    line = {
        "id": gid("ReturnLineItem", 3),
        "quantity": 1,
        "returnReason": "DEFECTIVE",
        "__parentId": gid("Return", 1),
    }
    below = {"id": gid("Return", 1), "status": "CLOSED", "__parentId": gid("Order", 9)}

    for body in (lines(returned, line), lines({"id": gid("Order", 9)}, below, line)):
        (row,) = shown("returns", body)["returns"]
        assert (row["order_id"], row["return_line_id"], row["reason"]) == ("9", "3", "DEFECTIVE")


def test_a_refund_webhook_without_global_ids_is_no_return(shown):
    refunded = {
        "id": 6,
        "line_item_id": 3,
        "quantity": 1,
        "subtotal": 10.0,
        "total_tax": 0.8,
        "restock_type": "return",
    }

    (row,) = shown("returns", {"id": 5, "order_id": 9, "refund_line_items": [refunded]})["returns"]

    assert (row["order_id"], row["line_id"], row["amount"]) == ("9", "3", "10.80")


def test_a_return_webhook_says_its_lines_in_the_words_of_graphql(shown):
    line = {
        "id": 322,
        "quantity": 1,
        "return_reason": "color",
        "refunded_quantity": 0,
        "fulfillment_line_item": {"id": 1, "line_item": {"id": 9}},
    }

    (row,) = shown("returns", {"id": 3, "status": "open", "order": {"id": 8}, "return_line_items": [line]})[
        "returns"
    ]

    assert (row["order_id"], row["line_id"], row["reason"], row["status"]) == ("8", "9", "COLOR", "OPEN")


def test_a_discount_told_by_the_discounted_unit_price_alone(shown):
    line = {"quantity": 2, "originalUnitPriceSet": bag("10.0"), "discountedUnitPriceSet": bag("9.0")}

    found = shown("orders", {"data": {"order": {**ORDER, "lineItems": {"nodes": [line]}}}})

    assert (found["order_items"][0]["discount"], found["order_items"][0]["net_amount"]) == ("2.00", "18.00")


@pytest.mark.parametrize(
    "body",
    [
        [{"json": REST}],
        [{"json": {"headers": {}, "body": REST}}],
        [[REST]],
        {"items": [REST]},
        {"count": 1, "results": [REST]},
        {"detail": {"metadata": {}, "payload": REST}},
        {"data": {"first": ORDER, "shop": {"id": gid("Shop", 1), "name": "x"}}},
        {"data": {"nodes": [ORDER, None]}},
    ],
)
def test_wrappings_of_other_tools_are_looked_into(shown, body: Any):
    found = shown("orders", body)

    assert [row["external_id"] for row in found["orders"]] == ["1"]
    assert not found["quarantined"]


def test_dates_of_the_first_versions(shown):
    (row,) = shown("orders", {**REST, "created_at": "2012/02/15 15:12:21 -0500"})["orders"]

    assert row["ordered_at"] == "2012-02-15T20:12:21Z"


def test_the_inventory_download(shown):
    found = shown(
        "inventory",
        "Handle,Title,SKU,Location,Incoming (not editable),Unavailable (not editable),Committed (not editable),"
        "Available (not editable),On hand (current),On hand (new)\n"
        "mug,Mug,'001,Main,5,1,2,-3,0,\n"
        "mug,Mug,'001,Store,not stocked,not stocked,not stocked,not stocked,not stocked,\n"
        "hat,Hat,H,Main,0,0,0,many,0,\n",
    )

    (row,) = found["inventory"]
    assert (row["sku"], row["warehouse_location"]) == ("001", "Main")
    names = ("available", "reserved", "inbound", "on_hand", "unavailable")
    assert [row[f"quantity_{name}"] for name in names] == [-3, 2, 5, 0, 1]
    assert [refused["field"] for refused in found["quarantined"]] == ["availablenoteditable"]
