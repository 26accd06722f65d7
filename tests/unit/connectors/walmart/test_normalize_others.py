"""Returns, items and stock as canonical frames."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.walmart.normalize import inventory, orders, products, returns
from tests.walmart_factories import (
    FETCHED,
    charge,
    context,
    line,
    only,
    order,
    orders_page,
    page,
    refund,
    rows,
)


def per_unit(amount, tax=None, *, discount=False, billable=True, category="PRODUCT"):
    made = {
        "chargeCategory": category,
        "chargePerUnit": {"currencyAmount": amount, "currencyUnit": "USD"},
        "isDiscount": discount,
        "isBillable": billable,
    }
    if tax is not None:
        made["tax"] = [{"taxName": "t", "taxPerUnit": {"currencyAmount": tax, "currencyUnit": "USD"}}]
    return made


def return_line(**changes):
    return {
        "returnOrderLineNumber": 1,
        "purchaseOrderId": "3000001",
        "purchaseOrderLineNumber": 1,
        "returnReason": "DAMAGED",
        "item": {"sku": "0012"},
        "charges": [per_unit(10, 0.8), per_unit(1, discount=True), per_unit(99, billable=False)],
        "quantity": {"unitOfMeasure": "EACH", "measurementValue": 3},
        "refundedQty": 2,
        "status": "COMPLETED",
        "statusTime": "2026-02-03T04:05:06.000Z",
        **changes,
    }


def return_order(*lines, **changes):
    return {
        "returnOrderId": "9001",
        "returnOrderDate": "2026-02-01T00:00:00.000Z",
        "returnType": "REFUND",
        "returnOrderLines": list(lines) or [return_line()],
        **changes,
    }


def returned(*orders_):
    return returns(page({"meta": {"totalCount": 1}, "returnOrders": list(orders_)}), context())


def test_a_return_is_per_unit_times_what_was_refunded():
    got = returned(return_order())
    row = only(got, "returns")
    assert (row["return_id"], row["return_line_id"], row["order_external_id"], row["line_id"]) == (
        "9001",
        "1",
        "3000001",
        "1",
    )
    assert (row["quantity"], row["refunded_quantity"], row["sku"]) == (3, 2, "0012")
    assert (row["amount"], row["currency"]) == (Decimal("19.6"), "USD")
    assert row["source_updated_at"] == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_order_and_return_state_the_same_money_in_different_places():
    """The order on its line, the return with units and instant: what counts is the larger, so nothing doubles."""
    stated = orders(
        orders_page(order("3000001", line(refund=refund(charge(-18), charge(0, -1.6))))), context()
    )
    dated = only(returned(return_order()), "refunds")
    item = only(stated, "order_items")
    assert rows(stated, "refunds") == []
    assert (item["refunded_amount"], item["refunded_net_amount"]) == (dated["amount"], dated["net_amount"])
    assert (dated["amount"], dated["net_amount"], dated["quantity"]) == (Decimal("19.6"), 18, 2)
    assert (dated["order_external_id"], dated["line_id"]) == ("3000001", "1")
    assert dated["refunded_at"] == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def total(name, amount):
    return {"name": name, "value": {"currencyAmount": amount, "currencyUnit": "USD"}}


@pytest.mark.parametrize(
    ("stated", "amount", "net"),
    [
        ([total("lineUnitPrice", 10), total("lineTotal", 10.75)], "10.75", "10"),  # a third of it is 3.33
        ([total("lineTotal", 99)], "10.74", "9.99"),  # something else is in it: not believed
        (None, "10.74", "9.99"),
    ],
)
def test_cents_lost_per_unit_are_taken_from_the_lines_total(stated, amount, net):
    thirds = return_line(charges=[per_unit(3.33, 0.25)], chargeTotals=stated, refundedQty=3)
    row = only(returned(return_order(thirds)), "refunds")
    assert (row["amount"], row["net_amount"]) == (Decimal(amount), Decimal(net))


def test_shipping_given_back_is_no_revenue_given_back():
    line_ = return_line(charges=[per_unit(10), per_unit(2, category="SHIPPING")], refundedQty=1)
    row = only(returned(return_order(line_)), "refunds")
    assert (row["amount"], row["net_amount"]) == (12, 10)


@pytest.mark.parametrize(
    "changes", [{"returnOrderLines": [return_line(refundedQty=0)]}, {"returnType": "REPLACEMENT"}]
)
def test_nothing_refunded_yet_or_replaced(changes):
    got = returned(return_order(**changes))
    assert rows(got, "refunds") == []
    assert only(got, "returns")["amount"] == 0


def test_return_without_charges_has_no_amount():
    assert only(returned(return_order(return_line(charges=None))), "returns")["amount"] is None


def test_bad_return_is_refused_alone():
    got = returned(
        return_order(),
        return_order(return_line(returnOrderLineNumber=None), returnOrderId="2"),
        {"returnOrderId": "3"},
    )
    assert len(rows(got, "returns")) == 1
    assert {(refused.natural_key, refused.field) for refused in got.rejected} == {
        ("2", "returnOrderLines.returnOrderLineNumber"),
        ("3", "returnOrderLines"),
    }


def item(**changes):
    return {
        "sku": "0012",
        "wpid": "0RE1TWYTKBKH",
        "upc": "",
        "gtin": "00889296686590",
        "productName": "Mug",
        "shelf": '["Home Page","Kitchen","Mugs"]',
        "productType": "Mugs & Cups",
        "price": {"currency": "USD", "amount": 7.5},
        "publishedStatus": "PUBLISHED",
        "lifecycleStatus": "ACTIVE",
        **changes,
    }


def listed(*items):
    return products(page({"ItemResponse": list(items), "totalItems": len(items)}), context())


def test_an_item():
    row = only(listed(item()), "products")
    assert (row["sku"], row["external_id"], row["title"], row["name"]) == (
        "0012",
        "0RE1TWYTKBKH",
        "Mug",
        "Mug",
    )
    assert (row["category"], row["barcode"]) == ("Mugs & Cups", "00889296686590")
    assert (row["price"], row["currency"], row["is_active"]) == (Decimal("7.5"), "USD", True)
    assert (row["brand"], row["cost_price"]) == (None, None)
    assert row["source_updated_at"] == FETCHED


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({"publishedStatus": "UNPUBLISHED"}, False),
        ({"lifecycleStatus": "RETIRED"}, False),
        ({"publishedStatus": "SYSTEM_PROBLEM"}, False),
        ({"publishedStatus": None}, False),
        ({"lifecycleStatus": None}, True),
    ],
)
def test_active_items(changes, active):
    assert only(listed(item(**changes)), "products")["is_active"] is active


@pytest.mark.parametrize(
    ("changes", "column", "value"),
    [
        ({"productType": None}, "category", "Mugs"),
        ({"productType": "", "shelf": "Kitchen"}, "category", "Kitchen"),
        ({"productType": None, "shelf": "[broken"}, "category", "[broken"),
        ({"price": None}, "price", None),
        ({"wpid": None}, "external_id", "0012"),
        ({"productName": None}, "title", None),
    ],
)
def test_items_with_less(changes, column, value):
    assert only(listed(item(**changes)), "products")[column] == value


def test_bad_item_is_refused_alone():
    got = listed(item(), {"productName": "no sku"}, item(sku="x", price={"amount": "cheap"}))
    assert len(rows(got, "products")) == 1
    assert [refused.natural_key for refused in got.rejected] == ["unknown", "x"]


def each(amount):
    return {"unit": "EACH", "amount": amount}


def test_stock_of_all_ship_nodes():
    body = {
        "elements": {
            "inventories": [
                {
                    "sku": "0012",
                    "nodes": [
                        {
                            "shipNode": "901",
                            "inputQty": each(12),
                            "availToSellQty": each(9),
                            "reservedQty": each(3),
                        },
                        {"shipNode": "902", "availToSellQty": each(-1)},
                    ],
                }
            ]
        }
    }
    first, second = rows(inventory(page(body), context()), "inventory")
    assert (first["warehouse_location"], first["quantity_available"], first["quantity_reserved"]) == (
        "901",
        9,
        3,
    )
    assert (first["quantity_on_hand"], first["quantity_inbound"]) == (12, None)
    assert (second["warehouse_location"], second["quantity_available"], second["quantity_on_hand"]) == (
        "902",
        -1,
        None,
    )
    assert first["source_updated_at"] == FETCHED


def test_stock_in_walmarts_warehouses_new_and_legacy_are_one_place():
    new = {
        "headers": {"totalCount": 1},
        "payload": {
            "inventory": [
                {
                    "itemInformation": {"sku": "0012", "itemID": 55},
                    "inventoryData": {
                        "availableUnits": 4,
                        "onhandUnits": 6,
                        "reservedUnits": 2,
                        "inboundUnits": 10,
                        "unavailableUnits": {"damagedUnits": 1, "lostUnits": 2},
                    },
                }
            ]
        },
    }
    legacy = {
        "payload": {
            "inventory": [
                {
                    "sku": "0012",
                    "shipNodes": [
                        {
                            "shipNodeType": "WFSFulfilled",
                            "availToSellQty": 4,
                            "onHandQty": 6,
                            "modifiedDate": "2026-02-01T00:00:00Z",
                        }
                    ],
                }
            ]
        }
    }
    row, old = (
        only(inventory(page(new), context()), "inventory"),
        only(inventory(page(legacy), context()), "inventory"),
    )
    assert (row["warehouse_location"], old["warehouse_location"]) == ("WFS", "WFS")
    assert (row["quantity_available"], old["quantity_available"]) == (4, 4)
    assert (row["quantity_on_hand"], old["quantity_on_hand"]) == (6, 6)
    assert (row["quantity_inbound"], row["quantity_unavailable"], row["quantity_reserved"]) == (10, 3, 2)
    assert old["source_updated_at"] == datetime(2026, 2, 1, tzinfo=UTC)


def test_stock_of_one_sku():
    row = only(inventory(page({"sku": "0012", "quantity": each(7)}), context()), "inventory")
    assert (row["warehouse_location"], row["quantity_available"]) == ("default", 7)


def test_bad_stock_is_refused_alone():
    body = {
        "elements": {
            "inventories": [
                {"sku": "a", "nodes": [{"shipNode": "1", "availToSellQty": each(1.5)}]},
                {"sku": "b", "nodes": [{"shipNode": "1", "availToSellQty": each(2)}]},
                {"nodes": [], "sku": None},
            ]
        }
    }
    got = inventory(page(body), context())
    assert only(got, "inventory")["sku"] == "b"
    assert {(refused.natural_key, refused.field) for refused in got.rejected} == {
        ("a", "availToSellQty"),
        ("unknown", "record"),
    }
