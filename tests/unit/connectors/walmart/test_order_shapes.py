"""Walmart's orders in whatever wrapping they come: XML, converted XML, notifications, bare lists."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.base import Page
from connectors.errors import ProtocolError
from connectors.walmart.normalize import orders
from tests.walmart_factories import (
    context,
    line,
    only,
    order,
    page,
)

XML = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<{p}list xmlns:ns2="http://walmart.com/mp/orders" xmlns:ns3="http://walmart.com/mp/v3/orders">
 <{p}meta><{p}totalCount>1</{p}totalCount></{p}meta>
 <{p}elements><{p}order>
  <{p}purchaseOrderId>1796330120075</{p}purchaseOrderId>
  <{p}customerOrderId>1568964842632</{p}customerOrderId>
  <{p}orderDate>2019-09-19T13:03:55.000+05:30</{p}orderDate>
  <{p}shippingInfo><{p}postalAddress><{p}state>CA</{p}state><{p}country>USA</{p}country></{p}postalAddress></{p}shippingInfo>
  <{p}orderLines><{p}orderLine>
   <{p}lineNumber>1</{p}lineNumber>
   <{p}item><{p}productName>Ozark
       Trail Tent</{p}productName><{p}sku>00042</{p}sku></{p}item>
   <{p}charges>
    <{p}charge/>
    <{p}charge><{p}chargeType>PRODUCT</{p}chargeType><{p}chargeName>ItemPrice</{p}chargeName>
     <{p}chargeAmount><{p}currency>USD</{p}currency><{p}amount>21.99</{p}amount></{p}chargeAmount>
     <{p}tax><{p}taxName>Tax1</{p}taxName><{p}taxAmount><{p}currency>USD</{p}currency><{p}amount>1.92</{p}amount></{p}taxAmount></{p}tax>
    </{p}charge>
   </{p}charges>
   <{p}orderLineQuantity><{p}unitOfMeasurement>EACH</{p}unitOfMeasurement><{p}amount>1</{p}amount></{p}orderLineQuantity>
   <{p}statusDate>2019-10-01T11:07:00.727+05:30</{p}statusDate>
   <{p}orderLineStatuses><{p}orderLineStatus><{p}status>Acknowledged</{p}status>
    <{p}statusQuantity><{p}amount>1</{p}amount></{p}statusQuantity></{p}orderLineStatus></{p}orderLineStatuses>
   <{p}refund/>
  </{p}orderLine></{p}orderLines>
  <{p}shipNode><{p}type>3PLFulfilled</{p}type></{p}shipNode>
 </{p}order></{p}elements>
</{p}list>"""


@pytest.mark.parametrize("prefix", ["", "ns2:", "ns3:"])
def test_xml_in_any_prefix(prefix):
    got = orders(Page(XML.format(p=prefix).encode(), kind="xml"), context())
    row = only(got, "orders")
    assert (row["external_id"], row["total"], row["currency"]) == ("1796330120075", Decimal("23.91"), "USD")
    assert row["ordered_at"] == datetime(2019, 9, 19, 7, 33, 55, tzinfo=UTC)
    assert row["ship_country"] == "US"
    item = only(got, "order_items")
    assert (item["sku"], item["title"]) == ("00042", "Ozark Trail Tent")


def test_xml_with_entities_is_refused():
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><list><elements><order>&a;</order></elements></list>'
    with pytest.raises(ProtocolError, match="not readable XML"):
        orders(Page(bomb, kind="xml"), context())


def test_xml_turned_into_json_by_a_converter():
    """Prefixes, single objects for lists, text wrappers, strings for everything."""
    converted = {
        "ns3:list": {
            "@xmlns:ns3": "http://walmart.com/mp/v3/orders",
            "ns3:elements": {
                "ns3:order": {
                    "ns3:purchaseOrderId": "77",
                    "ns3:orderDate": "2019-09-19T13:03:55.000Z",
                    "ns3:orderLines": {
                        "ns3:orderLine": {
                            "ns3:lineNumber": {"#text": "1"},
                            "ns3:item": {"ns3:sku": "0042", "ns3:productName": {"_text": "Tent"}},
                            "ns3:charges": {
                                "ns3:charge": {
                                    "ns3:chargeType": "PRODUCT",
                                    "ns3:chargeAmount": {"ns3:currency": "USD", "ns3:amount": "21.99"},
                                    "ns3:tax": {"@xsi:nil": "true"},
                                }
                            },
                            "ns3:orderLineQuantity": {"ns3:amount": "1"},
                            "ns3:orderLineStatuses": {"ns3:orderLineStatus": {"ns3:status": "Shipped"}},
                        }
                    },
                }
            },
        }
    }
    got = orders(page(converted), context())
    assert only(got, "orders")["total"] == Decimal("21.99")
    assert only(got, "orders")["fulfillment_status"] == "SHIPPED"
    assert only(got, "order_items")["sku"] == "0042"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda o: {"order": o},
        lambda o: {"orders": [o]},
        lambda o: {"elements": {"order": [o]}},
        lambda o: [o],
        lambda o: o,
        lambda o: {"source": {"eventType": "ORDER_UPDATES "}, "payload": {"orders": [o]}},
        lambda o: {"payload ": {f"{key} ": value for key, value in o.items()}},
    ],
)
def test_order_in_any_wrapper(wrap):
    assert only(orders(page(wrap(order("9"))), context()), "orders")["external_id"] == "9"


def test_lines_as_a_bare_list():
    assert only(orders(page(order("9", orderLines=[line()])), context()), "order_items")["line_id"] == "1"


def test_what_is_no_page_is_an_error_not_nothing():
    with pytest.raises(ProtocolError, match="neither JSON nor XML"):
        orders(Page(b'{"list": {"elements"'), context())
