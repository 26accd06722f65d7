"""The parts of Walmart's payloads we read, as typed shapes, and a patient way into them.

Two ways in. A page in the shape the API documents is decoded by msgspec straight into these structs. Anything
else (XML, XML turned into JSON with its prefixes and single objects, webhooks, one strange record among good
ones) goes record by record through `fit`, which finds the same fields under looser spellings. Only ids are
required: Walmart's own schema is wrong about the rest (highsidelabs/walmart-api-php #13, #17, #18, #19).
`gc=False`: a payload is a tree, and telling the collector so halves the time it takes to look at one.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

Text = str | int | None
TEXT_KEYS = ("#text", "_text", "$t", "_", "value")


class Amount(msgspec.Struct, gc=False):
    amount: Decimal | None = None
    currency: str | None = None


class Tax(msgspec.Struct, gc=False):
    taxAmount: Amount | None = None


class Charge(msgspec.Struct, gc=False):
    chargeType: str | None = None
    chargeName: str | None = None
    chargeAmount: Amount | None = None
    tax: Tax | list[Tax] | None = None


class Charges(msgspec.Struct, gc=False):
    charge: list[Charge | None] | None = None


class Quantity(msgspec.Struct, gc=False):
    amount: Decimal | None = None


class TrackingInfo(msgspec.Struct, gc=False):
    shipDateTime: Text = None


class LineStatus(msgspec.Struct, gc=False):
    status: str | None = None
    statusQuantity: Quantity | None = None
    trackingInfo: TrackingInfo | None = None


class LineStatuses(msgspec.Struct, gc=False):
    orderLineStatus: list[LineStatus] | None = None


class RefundCharge(msgspec.Struct, gc=False):
    charge: Charge | list[Charge] | None = None


class RefundCharges(msgspec.Struct, gc=False):
    refundCharge: list[RefundCharge | None] | None = None


class Refund(msgspec.Struct, gc=False):
    refundCharges: RefundCharges | None = None


class Refunds(msgspec.Struct, gc=False):
    refund: list[Refund] | None = None


class OrderedItem(msgspec.Struct, gc=False):
    productName: str | None = None
    sku: Text = None


class OrderLine(msgspec.Struct, gc=False):
    lineNumber: Text = None
    item: OrderedItem | None = None
    charges: Charges | None = None
    orderLineQuantity: Quantity | None = None
    statusDate: Text = None
    orderLineStatuses: LineStatuses | None = None
    refund: Refund | list[Refund] | None = None
    refunds: Refunds | None = None


class OrderLines(msgspec.Struct, gc=False):
    orderLine: list[OrderLine] | None = None


class PostalAddress(msgspec.Struct, gc=False):
    state: str | None = None
    country: str | None = None


class ShippingInfo(msgspec.Struct, gc=False):
    estimatedShipDate: Text = None
    estimatedDeliveryDate: Text = None
    postalAddress: PostalAddress | None = None


class ShipNode(msgspec.Struct, gc=False):
    type: str | None = None


class CurrencyAmount(msgspec.Struct, gc=False):
    currencyAmount: Decimal | None = None
    currencyUnit: str | None = None


class OrderSummary(msgspec.Struct, gc=False):
    totalAmount: CurrencyAmount | None = None


class Order(msgspec.Struct, gc=False):
    purchaseOrderId: str | int
    customerOrderId: Text = None
    customerEmailId: str | None = None
    orderType: str | None = None
    orderDate: Text = None
    buyerId: Text = None
    shippingInfo: ShippingInfo | None = None
    orderLines: OrderLines | None = None
    orderSummary: OrderSummary | None = None
    shipNode: ShipNode | None = None


class OrderElements(msgspec.Struct, gc=False):
    order: list[Order]


class OrderList(msgspec.Struct, gc=False):
    elements: OrderElements


class OrderPage(msgspec.Struct, gc=False):
    list: OrderList


class ReturnTax(msgspec.Struct, gc=False):
    taxPerUnit: CurrencyAmount | None = None


class ReturnCharge(msgspec.Struct, gc=False):
    chargeCategory: str | None = None
    chargePerUnit: CurrencyAmount | None = None
    isDiscount: bool | None = None
    isBillable: bool | None = None
    tax: list[ReturnTax] | None = None


class ChargeTotal(msgspec.Struct, gc=False):
    name: str | None = None
    value: CurrencyAmount | None = None


class ReturnQuantity(msgspec.Struct, gc=False):
    measurementValue: Decimal | None = None


class ReturnLine(msgspec.Struct, gc=False):
    returnOrderLineNumber: Text = None
    purchaseOrderId: Text = None
    purchaseOrderLineNumber: Text = None
    returnReason: str | None = None
    item: OrderedItem | None = None
    charges: list[ReturnCharge] | None = None
    chargeTotals: list[ChargeTotal] | None = None
    quantity: ReturnQuantity | None = None
    refundedQty: Decimal | None = None
    status: str | None = None
    statusTime: Text = None
    currentRefundStatus: str | None = None


class ReturnOrder(msgspec.Struct, gc=False):
    returnOrderId: str | int
    returnType: str | None = None
    returnOrderDate: Text = None
    returnOrderLines: list[ReturnLine] | None = None


class ReturnPage(msgspec.Struct, gc=False):
    returnOrders: list[ReturnOrder]


class Item(msgspec.Struct, gc=False):
    sku: str | int
    wpid: Text = None
    upc: Text = None
    gtin: Text = None
    productName: str | None = None
    shelf: str | None = None
    productType: str | None = None
    price: Amount | None = None
    publishedStatus: str | None = None
    lifecycleStatus: str | None = None


class ItemPage(msgspec.Struct, gc=False):
    ItemResponse: list[Item]


class Node(msgspec.Struct, gc=False):
    shipNode: Text = None
    inputQty: Quantity | None = None
    availToSellQty: Quantity | None = None
    reservedQty: Quantity | None = None


class NodeStock(msgspec.Struct, gc=False):
    sku: str | int
    nodes: list[Node] | None = None


class NodeElements(msgspec.Struct, gc=False):
    inventories: list[NodeStock]


class NodePage(msgspec.Struct, gc=False):
    elements: NodeElements


class SkuStock(msgspec.Struct, gc=False):
    """`GET /v3/inventory?sku=`: one SKU at the default ship node."""

    sku: str | int
    quantity: Quantity | None = None


class FulfilledItem(msgspec.Struct, gc=False):
    sku: str | int
    itemID: Text = None


class FulfilledData(msgspec.Struct, gc=False):
    availableUnits: Decimal | None = None
    onhandUnits: Decimal | None = None
    reservedUnits: Decimal | None = None
    inboundUnits: Decimal | None = None
    unavailableUnits: Decimal | Mapping[str, Any] | None = None


class FulfilledStock(msgspec.Struct, gc=False):
    """`GET /v3/wfs/inventory`."""

    itemInformation: FulfilledItem
    inventoryData: FulfilledData | None = None


class LegacyNode(msgspec.Struct, gc=False):
    modifiedDate: Text = None
    availToSellQty: Decimal | None = None
    onHandQty: Decimal | None = None
    shipNodeType: str | None = None


class LegacyStock(msgspec.Struct, gc=False):
    """`GET /v3/fulfillment/inventory`, announced to end in 2026."""

    sku: str | int
    shipNodes: list[LegacyNode] | None = None


def fold(name: str) -> str:
    """A field name without namespace prefix, stray space and case: " ns3:orderDate " → "orderdate"."""
    return name.strip().rpartition(":")[2].strip().lower()


@cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    return {name.lower(): (name, hint) for name, hint in get_type_hints(shape).items()}


@cache
def _kinds(hint: Any) -> tuple[type[msgspec.Struct] | None, Any, bool]:
    """What a hint allows: a struct, the element hint of a list, a plain value."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    struct = next((o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)), None)
    element = next((get_args(o)[0] for o in options if get_origin(o) is list), None)
    plain = any(o in (str, int, bool, Decimal) for o in options)
    return struct, element, plain


def fit(value: Any, hint: Any) -> Any:
    """`value` rearranged into what `hint` expects: names, lists of one, text wrappers, empty elements."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, Mapping):
        return _fit_mapping(value, hint)
    if isinstance(value, list):
        return _fit_sequence(value, hint)
    return _fit_plain(value, hint) if _kinds(hint)[2] else value


def _fit_mapping(value: Mapping[Any, Any], hint: Any) -> Any:
    struct, element, plain = _kinds(hint)
    known = {fold(str(key)): inner for key, inner in value.items()}
    if known.get("@nil") == "true" or known.get("nil") == "true":
        return None
    if struct is not None:
        return _fit_struct(known, struct)
    if element is not None:
        return _fit_list(known, element)
    if plain and not any(get_origin(option) is Mapping for option in get_args(hint)):
        return fit(_unwrap(value), hint)
    return value


def _fit_sequence(value: list[Any], hint: Any) -> Any:
    struct, element, _ = _kinds(hint)
    if not value and struct is not None and element is None:
        return None  # PHP's empty object, in Walmart's own examples too: "shipNode": []
    if element is not None:
        return [fit(entry, element) for entry in value]
    if struct is not None and len(_fields(struct)) == 1:
        # {"orderLine": […]} came as […]
        name, inner = next(iter(_fields(struct).values()))
        if _kinds(inner)[1] is not None:
            return {name: fit(value, inner)}
    return fit(value[0], hint) if len(value) == 1 else value


def _fit_struct(known: Mapping[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    fitted = {}
    for folded, (name, hint) in _fields(struct).items():
        if folded in known:
            inner = fit(known[folded], hint)
            if inner is not None:
                fitted[name] = inner
    return fitted


def _fit_list(known: Mapping[str, Any], element: Any) -> list[Any]:
    """A list that came as one object, or as an object whose only entry is the list."""
    struct = _kinds(element)[0]
    if struct is not None and len(known) == 1 and not known.keys() & _fields(struct).keys():
        inner = next(iter(known.values()))
        if isinstance(inner, list | Mapping):
            return [fit(entry, element) for entry in (inner if isinstance(inner, list) else [inner])]
    fitted = fit(known, element) if known else None
    return [] if fitted is None else [fitted]


def _unwrap(value: Mapping[str, Any]) -> Any:
    """The text of an element that a converter wrapped for the sake of its attributes."""
    return next((value[key] for key in TEXT_KEYS if key in value), None)


def _fit_plain(value: Any, hint: Any) -> Any:
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if isinstance(value, bool):
        return value if bool in options else str(value).lower()
    if isinstance(value, str):
        stripped = " ".join(value.split()) if "\n" in value else value.strip()
        if bool in options:
            return {"true": True, "false": False}.get(stripped.lower(), stripped)
        return stripped
    if isinstance(value, Decimal | int) and str in options and int not in options:
        return str(value)
    if isinstance(value, Decimal) and int in options:
        return int(value) if value == value.to_integral_value() else str(value)
    return value


def convert(value: Any, shape: type[msgspec.Struct]) -> Any:
    """One loosely shaped record as `shape`. Raises msgspec.ValidationError, which names the field."""
    try:
        return msgspec.convert(fit(value, shape), type=shape, strict=False)
    except (UnicodeEncodeError, RecursionError, OverflowError) as error:
        raise msgspec.ValidationError(f"not readable: {type(error).__name__}") from None
