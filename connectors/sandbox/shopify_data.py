"""The world's orders, products, stock and carts as Shopify's objects: plain dicts by official field names.

Connections are plain lists here; paging wraps them. Global ids are made of the world's numbers, so that an id
can be looked up without an index.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from connectors.sandbox.world import Cart, Line, Market, Order, Product, Refund, Stock

Node = dict[str, Any]
_ORDERS, _LINES, _REFUNDS = 5_000_000_000, 12_000_000_000, 9_000_000_000
_PRODUCTS, _VARIANTS, _ITEMS, _LEVELS = 7_000_000, 41_000_000, 43_000_000, 600_000_000
_CUSTOMERS, _CARTS, _PLACES, _RETURNS = 6_000_000, 33_000_000, 64_000_000, 8_000_000_000
_PER_ORDER = 1000  # lines, and refunds, an order can have
_ZERO_DECIMAL = frozenset(["JPY", "KRW", "CLP", "VND", "ISK", "XOF", "XAF", "PYG", "UGX"])
_NONE = Decimal(0)


def gid(kind: str, number: int) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


def order_number(order_id: int) -> int:
    """The world's number of the order with that id."""
    return order_id - _ORDERS


def refund_number(refund_id: int) -> tuple[int, int]:
    """Order and refund number of a refund's id."""
    return divmod(refund_id - _REFUNDS, _PER_ORDER)


def product_number(kind: str, number: int) -> int:
    """The world's number of a product, variant or inventory item."""
    return number - {"Product": _PRODUCTS, "ProductVariant": _VARIANTS, "InventoryItem": _ITEMS}[kind]


def order_id(number: int) -> int:
    return _ORDERS + number


def instant(at: datetime | None) -> str | None:
    """Seconds, UTC, "Z": how GraphQL answers write instants."""
    if at is None:
        return None
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat()[:19] + "Z"


class Bag(NamedTuple):
    """A MoneyBag that is written only when it is asked for."""

    amount: Decimal
    money: "Money"


class Money:
    """Writes amounts of one currency as Shopify does: "12.5", "3.0", and "1200" where there are no cents."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self._whole = currency in _ZERO_DECIMAL

    def text(self, amount: Decimal) -> str:
        plain = str(amount)
        if "E" in plain:
            plain = f"{amount:f}"
        if "." in plain:
            plain = plain.rstrip("0").rstrip(".")
        return plain if self._whole or "." in plain else plain + ".0"

    def one(self, amount: Decimal) -> Node:
        return {"amount": self.text(amount), "currencyCode": self.currency}

    def bag(self, amount: Decimal) -> Bag:
        return Bag(amount, self)


def order_node(order: Order, market: Market) -> Node:
    """One order with everything below it."""
    money = Money(order.currency)
    included = market.tax_included
    number = _ORDERS + order.number
    subtotal = sum((_paid(line, order) for line in order.lines), _NONE)
    discount = sum((line.discount for line in order.lines), _NONE) if not order.is_replacement else _NONE
    tax = (
        sum((line.tax for line in order.lines), _NONE) + order.shipping_tax
        if not order.is_replacement
        else _NONE
    )
    shipping = _NONE if order.is_replacement else order.shipping
    total = subtotal + shipping + (_NONE if included else tax)
    refunded = sum((_refund_total(refund, included) for refund in order.refunds), _NONE)
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
    customer = None if order.customer is None else _customer(order.customer, at)
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
        "currentSubtotalPriceSet": money.bag(max(subtotal - refunded, _NONE)),
        "totalShippingPriceSet": money.bag(shipping),
        "totalTaxSet": money.bag(tax),
        "totalDiscountsSet": money.bag(discount),
        "totalPriceSet": money.bag(total),
        "originalTotalPriceSet": money.bag(total),
        "currentTotalPriceSet": money.bag(max(total - refunded, _NONE)),
        "totalRefundedSet": money.bag(refunded),
        "totalRefundedShippingSet": money.bag(sum((refund.shipping for refund in order.refunds), _NONE)),
        "totalTipReceivedSet": money.bag(_NONE),
        "originalTotalDutiesSet": None,
        "totalOutstandingSet": money.bag(_NONE if order.paid_at else total),
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
    node["refunds"] = lambda _: [_refund_node(refund, order, money, included, me) for refund in order.refunds]
    node["returns"] = lambda _: [
        _return_node(refund, order, node, _refund_node(refund, order, money, included, me))
        for refund in order.refunds
        if refund.is_return
    ]
    return node


def product_node(product: Product, market: Market, stock: list[Stock]) -> Node:
    """A product; each has the one variant the world knows."""
    at = instant(product.updated_at)
    node: Node = {
        "__typename": "Product",
        "id": gid("Product", _PRODUCTS + product.number),
        "legacyResourceId": str(_PRODUCTS + product.number),
        "title": product.title,
        "handle": product.sku.lower(),
        "vendor": product.brand,
        "productType": product.category,
        "category": {
            "__typename": "TaxonomyCategory",
            "id": f"gid://shopify/TaxonomyCategory/{product.number}",
            "name": product.category,
            "fullName": product.category,
        },
        "status": "ACTIVE" if product.is_active else "ARCHIVED",
        "createdAt": at,
        "updatedAt": at,
        "publishedAt": at if product.is_active else None,
        "isGiftCard": False,
    }
    node["variants"] = [variant_node(product, market, stock, node)]
    return node


def variant_node(product: Product, market: Market, stock: list[Stock], of: Node) -> Node:
    """The product's variant."""
    at = instant(product.updated_at)
    node: Node = {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", _VARIANTS + product.number),
        "legacyResourceId": str(_VARIANTS + product.number),
        "sku": product.sku,
        "title": "Default Title",
        "displayName": f"{product.title} - Default Title",
        "barcode": product.barcode,
        "price": Money(market.currency).text(product.price),
        "compareAtPrice": None,
        "createdAt": at,
        "updatedAt": at,
        "position": 1,
        "inventoryQuantity": sum(level.available for level in stock),
        "product": of,
    }
    node["inventoryItem"] = item_node(product, market, stock, node)
    return node


def item_node(product: Product, market: Market, stock: list[Stock], variant: Node) -> Node:
    """The variant's inventory item with its levels."""
    number = _ITEMS + product.number
    at = instant(product.updated_at)
    node: Node = {
        "__typename": "InventoryItem",
        "id": gid("InventoryItem", number),
        "legacyResourceId": str(number),
        "sku": product.sku,
        "tracked": True,
        "requiresShipping": True,
        "createdAt": at,
        "updatedAt": at,
        "unitCost": None if product.cost is None else Money(market.currency).one(product.cost),
        "variant": variant,
    }
    node["inventoryLevels"] = [_level_node(level, node) for level in stock]
    return node


def place_node(location: str, at: datetime) -> Node:
    """A location, known by its name."""
    number = _PLACES + sum(ord(letter) * 31**place for place, letter in enumerate(location[:5]))
    return {
        "__typename": "Location",
        "id": gid("Location", number),
        "legacyResourceId": str(number),
        "name": location,
        "isActive": True,
        "createdAt": instant(at),
        "updatedAt": instant(at),
    }


def cart_node(cart: Cart, market: Market) -> Node:
    """An abandoned or recovered checkout."""
    money = Money(cart.currency)
    whole = sum((line.unit_price * line.quantity for line in cart.lines), _NONE)
    discount = sum((line.discount for line in cart.lines), _NONE)
    tax = sum((line.tax for line in cart.lines), _NONE)
    total = whole - discount + (_NONE if market.tax_included else tax)
    at = instant(cart.created_at)
    number = _CARTS + cart.number
    return {
        "__typename": "AbandonedCheckout",
        "id": gid("AbandonedCheckout", number),
        "name": f"#{number}",
        "abandonedCheckoutUrl": f"https://example.invalid/checkouts/{number}",
        "createdAt": at,
        "updatedAt": instant(cart.updated_at),
        "completedAt": instant(cart.completed_at),
        "customer": None if cart.customer is None else _customer(cart.customer, at),
        "taxesIncluded": market.tax_included,
        "discountCodes": [],
        "totalPriceSet": money.bag(total),
        "subtotalPriceSet": money.bag(whole - discount),
        "totalTaxSet": money.bag(tax),
        "totalDiscountSet": money.bag(discount),
        "totalLineItemsPriceSet": money.bag(whole),
        "lineItems": [
            {
                "__typename": "AbandonedCheckoutLineItem",
                "id": gid("AbandonedCheckoutLineItem", number * _PER_ORDER + line.number),
                "sku": line.sku,
                "title": line.title,
                "variantTitle": None,
                "quantity": line.quantity,
                "variant": {
                    "__typename": "ProductVariant",
                    "id": gid("ProductVariant", _VARIANTS + line.product_number),
                },
                "product": {"__typename": "Product", "id": gid("Product", _PRODUCTS + line.product_number)},
                "originalUnitPriceSet": money.bag(line.unit_price),
                "originalTotalPriceSet": money.bag(line.unit_price * line.quantity),
                "discountedUnitPriceSet": money.bag(line.unit_price),
                "discountedTotalPriceSet": money.bag(line.unit_price * line.quantity - line.discount),
            }
            for line in cart.lines
        ],
    }


def _customer(number: int, at: str | None) -> Node:
    return {
        "__typename": "Customer",
        "id": gid("Customer", _CUSTOMERS + number),
        "legacyResourceId": str(_CUSTOMERS + number),
        "createdAt": at,
        "updatedAt": at,
    }


def _price(line: Line, order: Order) -> Decimal:
    """Replacements are sent for nothing."""
    return _NONE if order.is_replacement else line.unit_price


def _paid(line: Line, order: Order) -> Decimal:
    return _NONE if order.is_replacement else line.unit_price * line.quantity - line.discount


def _line_id(order: Order, number: int) -> str:
    return gid("LineItem", _LINES + order.number * _PER_ORDER + number)


def _given_back(order: Order) -> dict[int, int]:
    back: dict[int, int] = {}
    for refund in order.refunds:
        for part in refund.lines:
            back[part.line_number] = back.get(part.line_number, 0) + part.quantity
    return back


def _line_node(line: Line, order: Order, money: Money, included: bool, back: dict[int, int]) -> Node:
    whole = _price(line, order) * line.quantity
    discount = _NONE if order.is_replacement else line.discount
    tax = _NONE if order.is_replacement else line.tax
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
            "id": gid("ProductVariant", _VARIANTS + line.product_number),
        },
        "product": {"__typename": "Product", "id": gid("Product", _PRODUCTS + line.product_number)},
        "originalUnitPriceSet": money.bag(_price(line, order)),
        "originalTotalSet": money.bag(whole),
        "discountedTotalSet": money.bag(whole - discount),
        "discountedUnitPriceSet": money.bag(_price(line, order)),
        "totalDiscountSet": money.bag(discount),
        "priceAfterAllDiscountsBeforeTaxesSet": money.bag(whole - discount - (tax if included else _NONE)),
        "discountAllocations": [{"allocatedAmountSet": money.bag(discount)}] if discount else [],
        "taxLines": [{"title": "Tax", "rate": None, "priceSet": money.bag(tax)}] if tax else [],
    }


def _refund_total(refund: Refund, included: bool) -> Decimal:
    return sum((part.amount + part.tax for part in refund.lines), _NONE) + refund.shipping


def _refund_node(refund: Refund, order: Order, money: Money, included: bool, of: Node) -> Node:
    number = _REFUNDS + order.number * _PER_ORDER + refund.number % _PER_ORDER
    adjustments = []
    if refund.shipping:
        adjustments.append(
            {
                "__typename": "OrderAdjustment",
                "id": gid("OrderAdjustment", number),
                "reason": None,
                "amountSet": money.bag(-refund.shipping),
                "taxAmountSet": money.bag(_NONE),
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
                "subtotalSet": money.bag(part.amount + (part.tax if included else _NONE)),
                "totalTaxSet": money.bag(part.tax),
            }
            for place, part in enumerate(refund.lines)
        ],
    }


def _return_node(refund: Refund, order: Order, of: Node, refund_node: Node) -> Node:
    return {
        "__typename": "Return",
        "id": gid("Return", _RETURNS + order.number * _PER_ORDER + refund.number % _PER_ORDER),
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


def _level_node(level: Stock, item: Node) -> Node:
    at = instant(level.updated_at)
    number = _LEVELS + level.product_number
    place = place_node(level.location, level.updated_at)
    amounts = {
        "available": level.available,
        "committed": level.reserved,
        "incoming": level.inbound,
        "on_hand": level.on_hand,
    }

    def quantities(args: dict[str, Any]) -> list[Node]:
        return [
            {
                "__typename": "InventoryQuantity",
                "id": f"gid://shopify/InventoryQuantity/{number}?inventory_item_id={item['legacyResourceId']}&name={name}",
                "name": name,
                "quantity": amounts.get(name, 0),
                "updatedAt": at,
            }
            for name in args["names"]
        ]

    answer: Callable[[dict[str, Any]], list[Node]] = quantities
    return {
        "__typename": "InventoryLevel",
        "id": f"gid://shopify/InventoryLevel/{number}?inventory_item_id={item['legacyResourceId']}",
        "createdAt": at,
        "updatedAt": at,
        "isActive": True,
        "location": place,
        "item": item,
        "quantities": answer,
    }
