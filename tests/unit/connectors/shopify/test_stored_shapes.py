"""Shapes that sellers keep and no query of ours gives: what is not said stays null, and nothing melts together."""

import json
from typing import Any

import pytest

from connectors.shopify.normalize import payload
from tests.shopify_factories import context, order

Json = dict[str, Any]


def money(amount: str, currency: str = "CAD") -> Json:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


def gql_order(**fields: Any) -> Json:
    told = {"id": "gid://shopify/Order/7", "name": "#7", "createdAt": "2026-01-02T03:04:05Z", **fields}
    return {"data": {"order": told}}


LEVELS = [
    {"inventory_item_id": 1, "location_id": 10, "available": 9, "updated_at": "2018-05-07T15:33:38-04:00"},
    {"inventory_item_id": 2, "location_id": 10, "available": 27, "updated_at": "2018-05-07T15:33:38-04:00"},
    {"inventory_item_id": 1, "location_id": 11, "available": None, "updated_at": "2018-05-07T15:33:38-04:00"},
]


def test_rest_levels_of_several_items_at_one_place_stay_apart(shown):
    rows = shown("inventory", {"inventory_levels": LEVELS})["inventory"]

    assert [(row["external_id"], row["warehouse_location"], row["quantity_available"]) for row in rows] == [
        ("1", "10", 9),
        ("2", "10", 27),
        ("1", "11", None),
    ]
    assert {row["sku"] for row in rows} == {None}


@pytest.mark.parametrize("wrap", [lambda level: level, lambda level: {"inventory_level": level}])
def test_one_rest_level_is_found(shown, wrap):
    level = {**LEVELS[0], "admin_graphql_api_id": "gid://shopify/InventoryLevel/3?inventory_item_id=1"}

    assert [row["quantity_available"] for row in shown("inventory", wrap(level))["inventory"]] == [9]


def test_stock_is_found_below_variants(shown):
    level = {
        "id": "gid://shopify/InventoryLevel/9?inventory_item_id=5",
        "location": {"id": "gid://shopify/Location/3"},
        "quantities": [{"name": "available", "quantity": 4}, {"name": "on_hand", "quantity": 6}],
    }
    counted = {"id": "gid://shopify/InventoryItem/5", "inventoryLevels": {"nodes": [level]}}
    variants = [
        {"id": "gid://shopify/ProductVariant/1", "sku": "A", "inventoryItem": counted},
        {"id": "gid://shopify/ProductVariant/2", "sku": "B", "inventoryQuantity": 7},
    ]
    product = {"id": "gid://shopify/Product/1", "variants": {"nodes": variants}}

    got = shown("inventory", {"data": {"products": {"nodes": [product]}}})

    rows = [(r["sku"], r["warehouse_location"], r["quantity_available"]) for r in got["inventory"]]
    assert rows == [("A", "3", 4), ("B", None, 7)]
    assert any("location is null" in note for note in got["notes"])


def test_what_a_query_did_not_ask_for_is_null_and_not_zero(shown):
    line = {"id": "gid://shopify/LineItem/1", "title": "Tee", "quantity": 2}
    got = shown("orders", gql_order(currentTotalPriceSet=money("38.25"), lineItems={"nodes": [line]}))

    (order,), (item,) = got["orders"], got["order_items"]
    assert (order["subtotal"], order["discount"], order["total"], order["refunded"]) == (
        None,
        None,
        None,
        None,
    )
    assert order["currency"] == "CAD"
    assert (item["unit_price"], item["discount"], item["refunded_quantity"], item["refunded_amount"]) == (
        None,
        None,
        None,
        None,
    )


def test_a_refund_without_its_lines_leaves_open_which_line_it_was(shown):
    line = {"id": "gid://shopify/LineItem/1", "quantity": 2, "originalUnitPriceSet": money("10.0")}
    refund = {
        "id": "gid://shopify/Refund/1",
        "createdAt": "2026-01-03T00:00:00Z",
        "totalRefundedSet": money("5.0"),
    }
    got = shown("orders", gql_order(lineItems={"nodes": [line]}, refunds=[refund], closed=True))

    assert (got["orders"][0]["refunded"], got["orders"][0]["status"]) == ("5.00", "completed")
    assert got["order_items"][0]["refunded_quantity"] is None
    assert [(row["line_id"], row["amount"]) for row in got["refunds"]] == [(None, "5.00")]


def test_orders_inside_a_customer_are_found(shown):
    node = gql_order(totalPriceSet=money("3.0"))["data"]["order"]
    customer = {"id": "gid://shopify/Customer/1", "orders": {"edges": [{"node": node}]}}

    assert [row["total"] for row in shown("orders", {"data": {"customer": customer}})["orders"]] == ["3.00"]


@pytest.mark.parametrize(
    "draft",
    [
        {"draft_order": {"id": 1, "status": "open", "currency": "USD", "total_price": "9.00"}},
        {
            "id": 1,
            "admin_graphql_api_id": "gid://shopify/DraftOrder/1",
            "total_price": "9.00",
            "created_at": "2024-01-01",
        },
        {"data": {"draftOrder": {"id": "gid://shopify/DraftOrder/1", "createdAt": "2024-01-01T00:00:00Z"}}},
    ],
)
def test_a_draft_is_no_sale(shown, draft: Json):
    got = shown("orders", draft)

    assert got["orders"] == []
    assert any("draft" in note for note in got["notes"])


REFUND = {
    "id": 509,
    "admin_graphql_api_id": "gid://shopify/Refund/509",
    "order_id": 450,
    "created_at": "2024-04-01T23:00:00-04:00",
    "note": "it broke",
    "refund_line_items": [
        {
            "id": 1,
            "line_item_id": 11,
            "quantity": 2,
            "restock_type": "return",
            "subtotal": 40.0,
            "total_tax": 3.2,
            "line_item": {"id": 11, "sku": "A"},
        }
    ],
    "order_adjustments": [{"amount": "-5.00", "tax_amount": "0.00", "kind": "shipping_refund"}],
    "transactions": [{"kind": "refund", "status": "success", "amount": "48.20", "currency": "USD"}],
}


def test_a_refund_webhook_is_what_came_back(shown):
    (row,) = shown("returns", REFUND)["returns"]

    assert (row["return_id"], row["order_id"], row["line_id"], row["sku"]) == ("509", "450", "11", "A")
    assert (row["quantity"], row["refunded_quantity"], row["amount"], row["currency"]) == (
        2,
        2,
        "43.20",
        "USD",
    )
    assert (row["reason"], row["returned_at"]) == ("return", "2024-04-02T03:00:00Z")
    assert "broke" not in json.dumps(row)


def test_a_refund_of_prices_with_tax_does_not_count_the_tax_twice(shown):
    paid = [{"kind": "refund", "status": "success", "amount": "40.00", "currency": "EUR"}]
    (row,) = shown("returns", {**REFUND, "transactions": paid, "order_adjustments": []})["returns"]

    assert row["amount"] == "40.00"


def test_a_rest_orders_refunds_are_its_returns(shown):
    order = {
        "id": 450,
        "created_at": "2024-03-01T00:00:00Z",
        "currency": "USD",
        "refunds": [REFUND],
        "line_items": [],
    }

    assert [row["amount"] for row in shown("returns", {"order": order})["returns"]] == ["43.20"]


def test_checkout_lines_without_ids_go_by_their_position(shown):
    line = {"variant_id": 4, "quantity": 2, "price": "5.00", "line_price": "10.00", "sku": "S"}
    cart = {
        "id": 5,
        "created_at": "2024-01-01T00:00:00Z",
        "currency": "USD",
        "total_price": "20.00",
        "line_items": [line] * 2,
    }

    assert [row["line_id"] for row in shown("carts", {"checkouts": [cart]})["cart_items"]] == ["1", "2"]


def test_a_price_without_a_currency_has_none_and_a_cost_tells_it(shown):
    variants = [
        {"id": "gid://shopify/ProductVariant/1", "price": "10.00"},
        {
            "id": "gid://shopify/ProductVariant/2",
            "price": "10.00",
            "inventoryItem": {"unitCost": {"amount": "4.5", "currencyCode": "EUR"}},
        },
    ]
    product = {
        "id": "gid://shopify/Product/1",
        "title": "T",
        "status": "DRAFT",
        "variants": {"nodes": variants},
    }
    rows = shown("products", {"data": {"product": product}})["products"]

    assert [(row["currency"], row["is_active"]) for row in rows] == [(None, False), ("EUR", False)]


def test_a_product_without_its_variants_is_shown_all_the_same(shown):
    got = shown(
        "products", {"data": {"products": {"nodes": [{"id": "gid://shopify/Product/1", "title": "T"}]}}}
    )

    assert [(row["external_id"], row["sku"], row["name"]) for row in got["products"]] == [("1", None, "T")]


def test_shipping_lines_of_a_bulk_file_are_the_orders_shipping(shown):
    lines = [
        {"id": "gid://shopify/Order/1", "createdAt": "2024-01-01T00:00:00Z", "totalPriceSet": money("13.0")},
        {
            "id": "gid://shopify/ShippingLine/2",
            "originalPriceSet": money("3.0"),
            "__parentId": "gid://shopify/Order/1",
        },
    ]
    got = shown("orders", "\n".join(map(json.dumps, lines)))

    assert got["orders"][0]["shipping"] == "3.00"


@pytest.mark.parametrize(("poison", "field"), [("NaN", "quantity"), (r'"\ud83d"', "quantity")])
def test_a_line_of_a_bulk_file_that_is_no_json_costs_its_order_alone(poison: str, field: str):
    lines = [json.dumps(order(number)) for number in (1, 2, 3)]
    lines[0] = lines[0].replace('"quantity": 1', f'"quantity": {poison}', 1)

    read = payload("orders", "\n".join(lines).encode(), context())

    assert read.frame("orders")["external_id"].to_list() == ["2", "3"]
    assert [(r.natural_key, r.field.rpartition(".")[2]) for r in read.rejected] == [("1", field)]
