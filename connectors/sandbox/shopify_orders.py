"""The world's orders as Shopify's objects: with lines, refunds and returns, each made when it is asked for."""

from datetime import timedelta
from decimal import Decimal

from connectors.sandbox.shopify_data import (
    LINES,
    NONE,
    ORDERS,
    PER_ORDER,
    PRODUCTS,
    REFUNDS,
    RETURNS,
    VARIANTS,
    Money,
    Node,
    customer_ref,
    gid,
    instant,
)
from connectors.sandbox.world import Line, Market, Order, Refund

ON_THE_WAY = timedelta(days=4)  # as the carrier guesses


def order_node(order: Order, market: Market) -> Node:
    """One order with everything below it."""
    money = Money(order.currency)
    included = market.tax_included
    number = ORDERS + order.number
    subtotal = sum((_paid(line, order) for line in order.lines), NONE)
    discount = sum((line.discount for line in order.lines), NONE) if not order.is_replacement else NONE
    tax = (
        sum((line.tax for line in order.lines), NONE) + order.shipping_tax
        if not order.is_replacement
        else NONE
    )
    shipping = NONE if order.is_replacement else order.shipping
    total = subtotal + shipping + (NONE if included else tax)
    refunded = sum((_refund_total(refund, included) for refund in order.refunds), NONE)
    at = instant(order.created_at)
    me = {"id": gid("Order", number)}
    address = {
        "id": gid("MailingAddress", number),
        "countryCodeV2": order.country,
        "country": order.country,
        "provinceCode": order.region,
        "province": order.region,
        "city": None,
        "zip": None,
    }
    customer = None if order.customer is None else customer_ref(order.customer, at)
    node: Node = {
        "__typename": "Order",
        **me,
        "legacyResourceId": str(number),
        "name": f"#{order.external_number or order.number}",
        "number": order.number,
        "createdAt": at,
        "processedAt": at,
        "updatedAt": instant(order.updated_at),
        "cancelledAt": instant(order.cancelled_at),
        "cancelReason": "CUSTOMER" if order.cancelled_at else None,
        "closedAt": instant(order.delivered_at),
        "closed": order.delivered_at is not None,
        "test": False,
        "edited": any(line.cancelled for line in order.lines),
        "currencyCode": order.currency,
        "presentmentCurrencyCode": order.currency,
        "taxesIncluded": included,
        "displayFinancialStatus": _financial(order, refunded, total),
        "displayFulfillmentStatus": "FULFILLED" if order.shipped_at else "UNFULFILLED",
        "sourceName": "web",
        "email": None,
        "tags": [],
        "customer": customer,
        "shippingAddress": address,
        "billingAddress": address,
        "subtotalPriceSet": money.bag(subtotal),
        "currentSubtotalPriceSet": money.bag(max(subtotal - refunded, NONE)),
        "totalShippingPriceSet": money.bag(shipping),
        "totalTaxSet": money.bag(tax),
        "totalDiscountsSet": money.bag(discount),
        "totalPriceSet": money.bag(total),
        "originalTotalPriceSet": money.bag(total),
        "currentTotalPriceSet": money.bag(max(total - refunded, NONE)),
        "totalRefundedSet": money.bag(refunded),
        "totalRefundedShippingSet": money.bag(sum((refund.shipping for refund in order.refunds), NONE)),
        "totalTipReceivedSet": money.bag(NONE),
        "originalTotalDutiesSet": None,
        "totalOutstandingSet": money.bag(NONE if order.paid_at else total),
        "shippingLines": [
            {
                "__typename": "ShippingLine",
                "id": gid("ShippingLine", number),
                "title": "Standard",
                "code": "standard",
                "originalPriceSet": money.bag(shipping),
                "discountedPriceSet": money.bag(shipping),
            }
        ],
    }
    # Made when they are asked for: many queries want one of them only.
    node["lineItems"] = lambda _: [
        _line_node(line, order, money, included, back)
        for back in (_given_back(order),)
        for line in order.lines
    ]
    node["fulfillments"] = lambda _: _fulfillments(order, number)
    node["refunds"] = lambda _: [_refund_node(refund, order, money, included, me) for refund in order.refunds]
    node["returns"] = lambda _: [
        _return_node(refund, order, node, _refund_node(refund, order, money, included, me))
        for refund in order.refunds
        if refund.is_return
    ]
    return node


def _fulfillments(order: Order, number: int) -> list[Node]:
    """Everything in one parcel."""
    if order.shipped_at is None:
        return []
    return [
        {
            "__typename": "Fulfillment",
            "id": gid("Fulfillment", number),
            "legacyResourceId": str(number),
            "name": f"#{order.external_number or order.number}-F1",
            "status": "SUCCESS",
            "requiresShipping": True,
            "totalQuantity": sum(line.quantity - line.cancelled for line in order.lines),
            "createdAt": instant(order.shipped_at),
            "inTransitAt": instant(order.shipped_at),
            "estimatedDeliveryAt": instant(order.shipped_at + ON_THE_WAY),
            "deliveredAt": instant(order.delivered_at),
            "updatedAt": instant(order.delivered_at or order.shipped_at),
        }
    ]


def _price(line: Line, order: Order) -> Decimal:
    """Replacements are sent for nothing."""
    return NONE if order.is_replacement else line.unit_price


def _paid(line: Line, order: Order) -> Decimal:
    return NONE if order.is_replacement else line.unit_price * line.quantity - line.discount


def _line_id(order: Order, number: int) -> str:
    return gid("LineItem", LINES + order.number * PER_ORDER + number)


def _given_back(order: Order) -> dict[int, int]:
    back: dict[int, int] = {}
    for refund in order.refunds:
        for part in refund.lines:
            back[part.line_number] = back.get(part.line_number, 0) + part.quantity
    return back


def _line_node(line: Line, order: Order, money: Money, included: bool, back: dict[int, int]) -> Node:
    whole = _price(line, order) * line.quantity
    discount = NONE if order.is_replacement else line.discount
    tax = NONE if order.is_replacement else line.tax
    gone = line.quantity if order.cancelled_at else line.cancelled
    left = max(line.quantity - gone - back.get(line.number, 0), 0)
    return {
        "__typename": "LineItem",
        "id": _line_id(order, line.number),
        "sku": line.sku,
        "title": line.title,
        "name": line.title,
        "variantTitle": None,
        "vendor": None,
        "quantity": line.quantity,
        "currentQuantity": left,
        "refundableQuantity": left,
        "unfulfilledQuantity": 0 if order.shipped_at else left,
        "isGiftCard": False,
        "requiresShipping": True,
        "taxable": True,
        "variant": {
            "__typename": "ProductVariant",
            "id": gid("ProductVariant", VARIANTS + line.product_number),
        },
        "product": {"__typename": "Product", "id": gid("Product", PRODUCTS + line.product_number)},
        "originalUnitPriceSet": money.bag(_price(line, order)),
        "originalTotalSet": money.bag(whole),
        "discountedTotalSet": money.bag(whole - discount),
        "discountedUnitPriceSet": money.bag(_price(line, order)),
        "totalDiscountSet": money.bag(discount),
        "priceAfterAllDiscountsBeforeTaxesSet": money.bag(whole - discount - (tax if included else NONE)),
        "discountAllocations": [{"allocatedAmountSet": money.bag(discount)}] if discount else [],
        "taxLines": [{"title": "Tax", "rate": None, "priceSet": money.bag(tax)}] if tax else [],
    }


def _refund_total(refund: Refund, included: bool) -> Decimal:
    return sum((part.amount + part.tax for part in refund.lines), NONE) + refund.shipping


def _refund_node(refund: Refund, order: Order, money: Money, included: bool, of: Node) -> Node:
    number = REFUNDS + order.number * PER_ORDER + refund.number % PER_ORDER
    adjustments = []
    if refund.shipping:
        adjustments.append(
            {
                "__typename": "OrderAdjustment",
                "id": gid("OrderAdjustment", number),
                "reason": None,
                "amountSet": money.bag(-refund.shipping),
                "taxAmountSet": money.bag(NONE),
            }
        )
    return {
        "__typename": "Refund",
        "id": gid("Refund", number),
        "legacyResourceId": str(number),
        "createdAt": instant(refund.at),
        "processedAt": instant(refund.at),
        "updatedAt": instant(refund.at),
        "note": None,
        "order": of,
        "totalRefundedSet": money.bag(_refund_total(refund, included)),
        "orderAdjustments": adjustments,
        "refundLineItems": [
            {
                "id": gid("RefundLineItem", number * 10 + place),
                "lineItem": {"__typename": "LineItem", "id": _line_id(order, part.line_number)},
                "quantity": part.quantity,
                "restockType": "RETURN" if refund.is_return else "NO_RESTOCK",
                "restocked": refund.is_return,
                "priceSet": money.bag(part.amount),
                "subtotalSet": money.bag(part.amount + (part.tax if included else NONE)),
                "totalTaxSet": money.bag(part.tax),
            }
            for place, part in enumerate(refund.lines)
        ],
    }


def _return_node(refund: Refund, order: Order, of: Node, refund_node: Node) -> Node:
    return {
        "__typename": "Return",
        "id": gid("Return", RETURNS + order.number * PER_ORDER + refund.number % PER_ORDER),
        "name": f"{of['name']}-R{refund.number}",
        "status": "CLOSED",
        "createdAt": instant(refund.at),
        "closedAt": instant(refund.at),
        "totalQuantity": sum(part.quantity for part in refund.lines),
        "order": of,
        "refunds": [refund_node],
    }


def _financial(order: Order, refunded: Decimal, total: Decimal) -> str:
    if order.paid_at is None:
        return "VOIDED" if order.cancelled_at else "PENDING"
    if refunded >= total > 0:
        return "REFUNDED"
    if refunded > 0:
        return "PARTIALLY_REFUNDED"
    return "VOIDED" if order.cancelled_at else "PAID"
