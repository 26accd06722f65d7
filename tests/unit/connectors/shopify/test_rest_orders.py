"""The REST Admin API's orders, as webhooks and older stored payloads have them."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.base import Page
from connectors.canonical import Normalized
from connectors.shopify import normalize
from tests.shopify_factories import context, only

Json = dict[str, Any]


def rest_line(**changes: Any) -> Json:
    return {
        "id": 466157049,
        "quantity": 1,
        "current_quantity": 1,
        "price": "199.00",
        "sku": "IPOD2008GREEN",
        "title": "IPod Nano - 8gb",
        "variant_id": 39072856,
        "gift_card": False,
        "total_discount": "0.00",
        "discount_allocations": [{"amount": "3.34", "discount_application_index": 0}],
        "tax_lines": [{"price": "3.98", "rate": 0.06, "title": "State Tax"}],
        **changes,
    }


def rest_order(**changes: Any) -> Json:
    return {
        "id": 450789469,
        "admin_graphql_api_id": "gid://shopify/Order/450789469",
        "name": "#1001",
        "created_at": "2008-01-10T11:00:00-05:00",
        "updated_at": "2008-01-11T11:00:00-05:00",
        "processed_at": "2008-01-10T11:00:00-05:00",
        "currency": "USD",
        "total_price": "206.47",
        "total_tax": "3.98",
        "total_discounts": "3.34",
        "taxes_included": False,
        "financial_status": "partially_refunded",
        "fulfillment_status": None,
        "customer": {"id": 207119551, "email": "bob.norman@mail.example.com"},
        "shipping_address": {"country_code": "US", "province_code": "KY", "address1": "Chestnut Street 92"},
        "line_items": [rest_line()],
        "shipping_lines": [{"price": "5.00"}],
        "refunds": [],
        **changes,
    }


def read(body: Any) -> Normalized:
    return normalize.orders(Page(json.dumps(body).encode()), context("USD"))


def test_a_webhook_body_reads_like_the_graphql_order():
    normalized = read(rest_order())

    row = only(normalized.frame("orders"))
    assert (row["external_id"], row["order_number"], row["customer_ref"]) == (
        "450789469",
        "#1001",
        "shopify:207119551",
    )
    assert row["ordered_at"] == datetime(2008, 1, 10, 16, tzinfo=UTC)
    assert (row["status"], row["fulfillment_status"]) == ("open", "UNFULFILLED")
    assert (row["subtotal"], row["shipping"], row["total"]) == (
        Decimal("199.0000"),
        Decimal("5.0000"),
        Decimal("206.4700"),
    )
    item = only(normalized.frame("order_items"))
    assert (item["line_id"], item["external_id"]) == ("466157049", "39072856")
    assert (item["discount"], item["tax"], item["net_amount"]) == tuple(
        map(Decimal, ("3.3400", "3.9800", "195.6600"))
    )


def test_a_page_and_a_single_order_are_the_same():
    page, single = read({"orders": [rest_order()]}), read({"order": rest_order()})

    assert page.frame("order_items").equals(single.frame("order_items"))
    assert page.frame("orders").equals(single.frame("orders"))


def test_a_refund_counts_its_successful_transactions_and_keeps_shipping_apart():
    refund = {
        "id": 509562969,
        "created_at": "2008-01-12T11:00:00-05:00",
        "refund_line_items": [
            {
                "line_item_id": 466157049,
                "quantity": 1,
                "subtotal": 195.66,
                "total_tax": 3.98,
                "restock_type": "return",
            }
        ],
        "order_adjustments": [{"amount": "-5.00", "tax_amount": "0.00", "kind": "shipping_refund"}],
        "transactions": [
            {"kind": "refund", "status": "failure", "amount": "204.64", "currency": "USD"},
            {"kind": "refund", "status": "success", "amount": "204.64", "currency": "USD"},
        ],
    }

    normalized = read(rest_order(refunds=[refund]))

    rows = normalized.frame("refunds").to_dicts()
    assert [(r["line_id"], r["amount"]) for r in rows] == [
        ("466157049", Decimal("199.6400")),
        (None, Decimal("5.0000")),
    ]
    assert only(normalized.frame("orders"))["refunded"] == Decimal("204.6400")
    assert only(normalized.frame("order_items"))["refunded_quantity"] == 1


def test_without_transactions_in_the_shops_currency_lines_and_adjustments_say_the_refund():
    refund = {
        "id": 1,
        "created_at": "2008-01-12T11:00:00-05:00",
        "refund_line_items": [
            {"line_item_id": 466157049, "quantity": 1, "subtotal": "195.66", "total_tax": "3.98"}
        ],
        "order_adjustments": [{"amount": "-5.00", "tax_amount": "-0.50"}],
        "transactions": [{"kind": "refund", "status": "success", "amount": "180.00", "currency": "EUR"}],
    }

    assert only(read(rest_order(refunds=[refund])).frame("orders"))["refunded"] == Decimal("205.1400")


def test_the_plain_amount_wins_over_a_pair_in_another_currency():
    told = rest_order(total_price_set={"shop_money": {"amount": "164.86", "currency_code": "CAD"}})

    assert only(read(told).frame("orders"))["total"] == Decimal("206.4700")


def test_only_a_pair_is_read_too():
    told = rest_order(
        total_price=None, total_price_set={"shop_money": {"amount": "9.5", "currency_code": "USD"}}
    )

    assert only(read(told).frame("orders"))["total"] == Decimal("9.5000")


def test_a_fully_shipped_paid_order_is_completed_in_the_words_of_graphql():
    row = only(read(rest_order(fulfillment_status="fulfilled", financial_status="paid")).frame("orders"))

    assert (row["status"], row["fulfillment_status"]) == ("completed", "FULFILLED")


def test_a_cancelled_order_and_an_edited_line():
    cancelled = read(rest_order(cancelled_at="2008-01-11T00:00:00-05:00"))
    edited = read(rest_order(line_items=[rest_line(quantity=3, current_quantity=1)]))

    assert only(cancelled.frame("order_items"))["cancelled_quantity"] == 1
    assert only(edited.frame("order_items"))["cancelled_quantity"] == 2


def test_older_versions_have_no_allocations_and_say_the_lines_discount():
    told = rest_line(total_discount="7.50")
    del told["discount_allocations"]

    assert only(read(rest_order(line_items=[told])).frame("order_items"))["discount"] == Decimal("7.5000")


def test_a_bad_order_of_a_page_is_refused_by_its_field():
    normalized = read({"orders": [rest_order(), rest_order(id=2, total_price="lots")]})

    assert normalized.frame("orders")["external_id"].to_list() == ["450789469"]
    assert [(r.natural_key, r.field) for r in normalized.rejected] == [("2", "orders.total")]
    assert "bob.norman" not in normalized.rejected[0].raw
    assert "Chestnut" not in normalized.rejected[0].raw
