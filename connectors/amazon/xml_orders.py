"""Orders in Amazon's XML as records of Orders v0: the XML orders report and MWS answers, from before the JSON.

The report (GET_XML_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL) has other names than v0; MWS has the same.
"""

from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connectors.errors import ProtocolError

_LISTS = {"Orders", "OrderItems", "PromotionIds"}
_PRICES = {
    "Principal": "ItemPrice",
    "Tax": "ItemTax",
    "Shipping": "ShippingPrice",
    "ShippingTax": "ShippingTax",
    "GiftWrap": "GiftWrapPrice",
    "GiftWrapTax": "GiftWrapTax",
}


def records_of_xml(body: bytes) -> list[dict[str, Any]]:
    """Orders, and pages of order lines, in v0's shape. Raises ProtocolError when it is not safe, sound XML."""
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ProtocolError(f"not readable as XML: {type(error).__name__}") from error
    records = [_of_report(order) for order in root.iter() if _is_report_order(order)]
    if records:
        return records
    found: list[dict[str, Any]] = []
    for element in root.iter():
        if _name(element) == "Orders":
            found.append({"Orders": [_value(child) for child in element]})
        elif _name(element) == "ListOrderItemsResult":
            value = _value(element)
            if isinstance(value, dict):
                found.append(value)
    return found


def _is_report_order(element: Element) -> bool:
    return _name(element) == "Order" and any(_name(child) == "AmazonOrderID" for child in element)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _value(element: Element) -> Any:
    """An element as text, list or dict."""
    children = list(element)
    if _name(element) in _LISTS:
        return [_value(child) for child in children]
    if not children:
        return (element.text or "").strip() or None
    return {_name(child): _value(child) for child in children}


def _of_report(order: Element) -> dict[str, Any]:
    found = {_name(child): child for child in order}
    fulfillment = found.get("FulfillmentData")
    parts = {_name(child): child for child in fulfillment} if fulfillment is not None else {}
    address = _value(parts["Address"]) if "Address" in parts else None
    return {
        "AmazonOrderId": _text(found.get("AmazonOrderID")),
        "PurchaseDate": _text(found.get("PurchaseDate")),
        "LastUpdateDate": _text(found.get("LastUpdatedDate")),
        "OrderStatus": _text(found.get("OrderStatus")),
        "SalesChannel": _text(found.get("SalesChannel")),
        "FulfillmentChannel": {"Amazon": "AFN", "Merchant": "MFN"}.get(
            _text(parts.get("FulfillmentChannel")) or ""
        ),
        "ShippingAddress": {"CountryCode": address.get("Country"), "StateOrRegion": address.get("State")}
        if isinstance(address, dict)
        else None,
        "OrderItems": [_item(child) for child in order if _name(child) == "OrderItem"],
    }


def _item(element: Element) -> dict[str, Any]:
    found = {_name(child): child for child in element}
    item: dict[str, Any] = {
        "OrderItemId": _text(found.get("AmazonOrderItemCode")),
        "ASIN": _text(found.get("ASIN")),
        "SellerSKU": _text(found.get("SKU")),
        "Title": _text(found.get("ProductName")),
        "QuantityOrdered": _text(found.get("Quantity")),
    }
    for component in found.get("ItemPrice", ()):
        parts = {_name(child): child for child in component}
        name = _PRICES.get(_text(parts.get("Type")) or "")
        amount = parts.get("Amount")
        if name is not None and amount is not None:
            item[name] = {"Amount": _text(amount), "CurrencyCode": amount.get("currency")}
    for promotion in (child for child in element if _name(child) == "Promotion"):
        for child in promotion:
            name = {
                "ItemPromotionDiscount": "PromotionDiscount",
                "ShipPromotionDiscount": "ShippingDiscount",
            }.get(_name(child))
            if name is not None:
                item[name] = {"Amount": _text(child), "CurrencyCode": child.get("currency")}
    return item


def _text(element: Element | None) -> str | None:
    return None if element is None else (element.text or "").strip() or None
