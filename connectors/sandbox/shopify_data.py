"""The world's products, stock, carts and customers as Shopify's objects: plain dicts by official field names.

Connections are plain lists here; paging wraps them. Global ids are made of the world's numbers, so that an id
can be looked up without an index.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from connectors.sandbox.world import Cart, Market, Product, Stock

Node = dict[str, Any]
ORDERS, LINES, REFUNDS = 5_000_000_000, 12_000_000_000, 9_000_000_000
PRODUCTS, VARIANTS, _ITEMS, _LEVELS = 7_000_000, 41_000_000, 43_000_000, 600_000_000
CUSTOMERS, _CARTS, _PLACES, RETURNS = 6_000_000, 33_000_000, 64_000_000, 8_000_000_000
PER_ORDER = 1000  # lines, and refunds, an order can have
_ZERO_DECIMAL = frozenset(["JPY", "KRW", "CLP", "VND", "ISK", "XOF", "XAF", "PYG", "UGX"])
NONE = Decimal(0)


def gid(kind: str, number: int) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


def order_number(order_id: int) -> int:
    """The world's number of the order with that id."""
    return order_id - ORDERS


def refund_number(refund_id: int) -> tuple[int, int]:
    """Order and refund number of a refund's id."""
    return divmod(refund_id - REFUNDS, PER_ORDER)


def product_number(kind: str, number: int) -> int:
    """The world's number of a product, variant or inventory item."""
    return number - {"Product": PRODUCTS, "ProductVariant": VARIANTS, "InventoryItem": _ITEMS}[kind]


def order_id(number: int) -> int:
    return ORDERS + number


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


def product_node(product: Product, market: Market, stock: list[Stock]) -> Node:
    """A product; each has the one variant the world knows."""
    at = instant(product.updated_at)
    node: Node = {
        "__typename": "Product",
        "id": gid("Product", PRODUCTS + product.number),
        "legacyResourceId": str(PRODUCTS + product.number),
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
        "id": gid("ProductVariant", VARIANTS + product.number),
        "legacyResourceId": str(VARIANTS + product.number),
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
    whole = sum((line.unit_price * line.quantity for line in cart.lines), NONE)
    discount = sum((line.discount for line in cart.lines), NONE)
    tax = sum((line.tax for line in cart.lines), NONE)
    total = whole - discount + (NONE if market.tax_included else tax)
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
        "customer": None if cart.customer is None else customer_ref(cart.customer, at),
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
                "id": gid("AbandonedCheckoutLineItem", number * PER_ORDER + line.number),
                "sku": line.sku,
                "title": line.title,
                "variantTitle": None,
                "quantity": line.quantity,
                "variant": {
                    "__typename": "ProductVariant",
                    "id": gid("ProductVariant", VARIANTS + line.product_number),
                },
                "product": {"__typename": "Product", "id": gid("Product", PRODUCTS + line.product_number)},
                "originalUnitPriceSet": money.bag(line.unit_price),
                "originalTotalPriceSet": money.bag(line.unit_price * line.quantity),
                "discountedUnitPriceSet": money.bag(line.unit_price),
                "discountedTotalPriceSet": money.bag(line.unit_price * line.quantity - line.discount),
            }
            for line in cart.lines
        ],
    }


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


def customer_ref(number: int, at: str | None) -> Node:
    """A customer as orders and checkouts name him."""
    return {
        "__typename": "Customer",
        "id": gid("Customer", CUSTOMERS + number),
        "legacyResourceId": str(CUSTOMERS + number),
        "createdAt": at,
        "updatedAt": at,
    }
