"""Raw pages of Shopify to canonical frames. Pure: no clock, no settings, no network.

What the columns mean stands in `normalize_orders.py`, `normalize_catalog.py` and `normalize_carts.py`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.shopify.decode import Book
from connectors.shopify.decode import normalize as _normalize
from connectors.shopify.find import Kind, find
from connectors.shopify.normalize_carts import (
    CHECKOUTS,
    ORDER_RETURNS,
    REFUNDS,
    RETURNS,
    CartBook,
    ReturnBook,
)
from connectors.shopify.normalize_catalog import ITEMS, LEVELS, PRODUCTS, VARIANTS, InventoryBook, ProductBook
from connectors.shopify.normalize_customers import CUSTOMERS, CustomerBook
from connectors.shopify.normalize_orders import KIND, OrderBook

# Several kinds of record give one resource; the first whose records a body holds is meant.
_KINDS: dict[str, tuple[tuple[Kind[Any], ...], Callable[[Context], Book[Any]]]] = {
    "orders": ((KIND,), OrderBook),
    "products": ((PRODUCTS, VARIANTS), ProductBook),
    "inventory": ((ITEMS, LEVELS, PRODUCTS, VARIANTS), InventoryBook),
    "carts": ((CHECKOUTS,), CartBook),
    "customers": ((CUSTOMERS,), CustomerBook),
    "returns": ((RETURNS, ORDER_RETURNS, REFUNDS), ReturnBook),
}
RESOURCES = tuple(_KINDS)
_SHOP = re.compile(rb'"shop"\s*:\s*\{[^{}]*"currencyCode"\s*:\s*"([A-Z]{3})"')


def payload(resource: str, body: bytes, context: Context) -> Normalized:
    """The records of `resource` in any body Shopify gives: an answer, a webhook, a bulk file.

    Raises ValueError when the body is unreadable as a whole or holds no such record.
    """
    kinds, book = _KINDS[resource]
    told = _with_currency(context, body) if resource == "products" else context
    return _normalize(_kind_of(kinds, body), body, lambda: book(told))


def _with_currency(context: Context, body: bytes) -> Context:
    """`context` in the currency that an answer states beside its products: their prices name none."""
    found = _SHOP.search(body)
    if found is None or context.home.currency:
        return context
    home = replace(context.home, currency=found[1].decode())
    return replace(context, account=replace(context.account, channels=(home, *context.account.channels[1:])))


def _kind_of(kinds: tuple[Kind[Any], ...], body: bytes) -> Kind[Any]:
    """The first kind of which the body holds a record; the first of all when there is none."""
    if len(kinds) == 1:
        return kinds[0]
    found = (kind for deep in (False, True) for kind in kinds if _holds(kind, body, deep=deep))
    return next(found, kinds[0])


def _holds(kind: Kind[Any], body: bytes, *, deep: bool) -> bool:
    try:
        return bool(find(kind, body, deep=deep))
    except ValueError:
        return False


def orders(page: Page, context: Context) -> Normalized:
    """Frames orders, order_items and refunds."""
    return payload("orders", page.body, context)


def products(page: Page, context: Context) -> Normalized:
    """Frame products: one row a variant."""
    return payload("products", page.body, context)


def inventory(page: Page, context: Context) -> Normalized:
    """Frame inventory: one row an item and place."""
    return payload("inventory", page.body, context)


def carts(page: Page, context: Context) -> Normalized:
    """Frames carts and cart_items."""
    return payload("carts", page.body, context)


def customers(page: Page, context: Context) -> Normalized:
    """Frame customers: one row a registered customer."""
    return payload("customers", page.body, context)


def returns(page: Page, context: Context) -> Normalized:
    """Frame returns."""
    return payload("returns", page.body, context)
