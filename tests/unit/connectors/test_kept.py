"""A refused record is kept by an allow-list: what nobody reads is not kept, whatever it is called."""

import json

from connectors.kept import kept
from connectors.walmart.normalize import orders as walmart_orders
from connectors.walmart.shapes import Order, fold
from tests.shopify_factories import line, order, orders
from tests.walmart_factories import context, orders_page
from tests.walmart_factories import line as walmart_line
from tests.walmart_factories import order as walmart_order

SECRET = "Jane Canary, 1 Canary Row"


def test_a_field_of_tomorrow_is_not_kept_at_any_depth():
    broken = order(
        1,
        line(quantity="many", engraving=SECRET),
        loyalty={"member": SECRET},
        shippingAddress={"countryCodeV2": "DE", "landmark": SECRET},
    )
    told = walmart_order("1", walmart_line(quantity="x", recipientHint=SECRET), deliveryWish=SECRET)

    [shopify] = orders(broken).rejected
    [walmart] = walmart_orders(orders_page(told), context()).rejected

    assert "Canary" not in shopify.raw + walmart.raw
    assert json.loads(shopify.raw)["lineItems"]["nodes"][0]["quantity"] == "many"
    assert json.loads(walmart.raw)["orderLines"]["orderLine"][0]["orderLineQuantity"]["amount"] == "x"


def test_looser_shapes_are_kept_by_the_same_names():
    record = {
        "ns3:purchaseOrderId": "1",
        "ns3:orderLines": {"ns3:orderLine": {"ns3:lineNumber": {"#text": "1"}, "ns3:giftNote": SECRET}},
    }

    assert kept(record, Order, fold=fold) == {
        "ns3:purchaseOrderId": "1",
        "ns3:orderLines": {"ns3:orderLine": {"ns3:lineNumber": {"#text": "1"}}},
    }
