"""Payloads with one thing wrong, thousands of ways: every record becomes rows or a refusal, nothing else happens."""

import copy
import json
import random

import pytest

from connectors.base import Page
from connectors.errors import ProtocolError
from connectors.walmart import normalize
from tests.walmart_factories import charge, context, line, order, refund, statuses

POISON = [
    None, "", " ", "x", "\u0000", "\ud800", "☕" * 50, "NaN", "Infinity", "-0", "1e400", "99999999999999999999", 0, -1,
    1.5, 1e308, -1e308, 10**30, True, False, [], {}, [None], [[]], {"": ""}, {"#text": "7"}, [{"amount": 1}], "0001",
    "2026-13-45", "9999-12-31T00:00:00Z", -62135596800000, 253402300800000, "$t",
]  # fmt: skip

ORDER = order(
    "1",
    line(
        "1",
        "2",
        charges={
            "charge": [charge(20, 1.6), charge(-1, name="Discount"), charge(3, 0.2, "SHIPPING", "Shipping")]
        },
        refund=refund(charge(-4, -0.3), refund_id="R"),
        orderLineStatuses=statuses(("Shipped", "1"), ("Cancelled", "1")),
    ),
    line("2"),
    buyerId="b",
    orderSummary={"totalAmount": {"currencyAmount": 23.8, "currencyUnit": "USD"}},
)
RETURN = {
    "returnOrderId": "1",
    "returnOrderDate": "2026-01-01T00:00:00Z",
    "returnType": "REFUND",
    "returnOrderLines": [
        {
            "returnOrderLineNumber": 1,
            "purchaseOrderId": "9",
            "purchaseOrderLineNumber": 1,
            "item": {"sku": "s"},
            "charges": [
                {
                    "chargePerUnit": {"currencyAmount": 5, "currencyUnit": "USD"},
                    "tax": [{"taxPerUnit": {"currencyAmount": 0.4, "currencyUnit": "USD"}}],
                    "isDiscount": False,
                    "isBillable": True,
                }
            ],
            "quantity": {"measurementValue": 1},
            "refundedQty": 1,
            "status": "COMPLETED",
            "statusTime": "2026-01-02T00:00:00Z",
        }
    ],
}
ITEM = {
    "sku": "s",
    "wpid": "w",
    "upc": "1",
    "productName": "n",
    "shelf": '["a"]',
    "price": {"currency": "USD", "amount": 2.5},
    "publishedStatus": "PUBLISHED",
    "lifecycleStatus": "ACTIVE",
}
STOCK = {"sku": "s", "nodes": [{"shipNode": "1", "availToSellQty": {"amount": 3}, "inputQty": {"amount": 4}}]}
WFS = {
    "itemInformation": {"sku": "s", "itemID": "1"},
    "inventoryData": {"availableUnits": 1, "unavailableUnits": {"d": 1}},
}
LEGACY = {
    "sku": "s",
    "shipNodes": [{"shipNodeType": "WFSFulfilled", "availToSellQty": 1, "modifiedDate": "2026-01-01"}],
}

KINDS = {
    "orders": (
        ORDER,
        normalize.orders,
        lambda r: {"list": {"elements": {"order": r}}},
        "orders",
        "external_id",
    ),
    "returns": (RETURN, normalize.returns, lambda r: {"returnOrders": r}, "returns", "return_id"),
    "products": (ITEM, normalize.products, lambda r: {"ItemResponse": r}, "products", "sku"),
    "inventory": (STOCK, normalize.inventory, lambda r: {"elements": {"inventories": r}}, "inventory", "sku"),
    "wfs": (WFS, normalize.inventory, lambda r: {"payload": {"inventory": r}}, "inventory", "sku"),
    "legacy": (LEGACY, normalize.inventory, lambda r: {"payload": {"inventory": r}}, "inventory", "sku"),
}


def places(value, path=()):
    """Every place in a payload, as a path."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, (*path, key))


def changed(payload, path, value, *, drop=False):
    made = copy.deepcopy(payload)
    if not path:
        return value
    at = made
    for key in path[:-1]:
        at = at[key]
    if drop and isinstance(at, dict):
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_record_becomes_rows_or_a_refusal_beside_its_neighbours(kind):
    payload, read, wrap, frame, key = KINDS[kind]
    chance = random.Random(20260301)
    spots = list(places(payload))
    cases = [(path, value, False) for path in spots for value in chance.sample(POISON, 6)]
    cases += [(path, None, True) for path in spots if path]
    good = read(Page(json.dumps(wrap([payload])).encode()), context())
    rows = good.frame(frame).height
    assert rows > 0
    for path, value, drop in cases:
        broken = changed(payload, path, value, drop=drop)
        body = json.dumps(wrap([payload, broken, payload])).encode()
        got = read(Page(body), context())
        assert got.records == 3, (path, value)
        assert len(got.rejected) <= 1, (path, value)
        neighbours = got.frame(frame).filter(got.frame(frame)[key] == good.frame(frame)[key][0]).height
        assert neighbours >= 2 * rows, (path, value, got.rejected)
        for refused in got.rejected:
            assert refused.field, (path, value)
            assert refused.reason, (path, value)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_and_spoilt_bytes_are_told_not_guessed(kind):
    payload, read, wrap, _, _ = KINDS[kind]
    body = json.dumps(wrap([payload])).encode()
    for size in range(1, len(body), 7):
        with pytest.raises(ProtocolError):
            read(Page(body[:size]), context())
    for spoilt in (b"", b"<html>", b"\xff\xfe" + body, b"[" * 5000):
        with pytest.raises(ProtocolError):
            read(Page(spoilt), context())


def test_damaged_bytes_spoil_a_sku_but_not_an_order():
    body = json.dumps({"list": {"elements": {"order": [order("1"), order("2")]}}}).encode()
    title = normalize.orders(Page(body.replace(b"Mug", b"M\xfcg", 1)), context())
    assert title.frame("order_items")["title"].to_list() == ["M\ufffdg", "Mug"]
    sku = normalize.orders(Page(body.replace(b"SKU-1", b"SK\xdc-1", 1)), context())
    assert sku.frame("orders")["external_id"].to_list() == ["2"]
    assert sku.rejected[0].reason.startswith("damaged on the way")
