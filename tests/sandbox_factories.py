"""Small worlds for the sandbox's own tests: one drawn from a seed, one written by hand."""

import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.world import Cart, Line, Market, Order, Product, Stock

TODAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@functools.cache
def small_world(seed: int = 3) -> GeneratedWorld:
    """A hundred and fifty days of a dozen SKUs; the same object for every test, since nothing changes it."""
    return GeneratedWorld(seed, today=TODAY, skus=12, days=150, orders_per_day=25, future_days=70)


def line(number: int, sku: str | None, quantity: int, price: str, **changes: Any) -> Line:
    """An order line without discount and tax unless they are named."""
    values: dict[str, Any] = {
        "title": sku or "?",
        "discount": Decimal(0),
        "tax": Decimal(0),
        "product_number": 1,
    }
    return Line(number=number, sku=sku, quantity=quantity, unit_price=Decimal(price), **{**values, **changes})


def order(number: int, created_at: datetime, *lines: Line, channel: str = "shop", **changes: Any) -> Order:
    """A paid order."""
    values: dict[str, Any] = {
        "external_number": None,
        "updated_at": created_at,
        "customer": 1,
        "country": "US",
        "region": None,
        "currency": "USD",
        "shipping": Decimal(0),
        "shipping_tax": Decimal(0),
        "paid_at": created_at,
        "shipped_at": None,
        "delivered_at": None,
        "cancelled_at": None,
    }
    return Order(number=number, channel=channel, created_at=created_at, lines=lines, **{**values, **changes})


class HandWorld:
    """Exactly the orders given, on one market."""

    def __init__(self, *orders: Order, timezone: str = "UTC", tax_included: bool = False) -> None:
        self.markets = (Market("shop", "shopify", "shop", "USD", timezone, "US", tax_included),)
        self._orders = {order.number: order for order in orders}

    def orders_between(self, channel: str, now: datetime, **_: datetime | None) -> Sequence[int]:
        return [number for number, order in self._orders.items() if order.created_at <= now]

    def orders(self, numbers: Sequence[int], now: datetime) -> list[Order]:
        return [self._orders[number] for number in numbers]

    def products(self, channel: str, now: datetime) -> Sequence[Product]:
        return []

    def stock(self, channel: str, now: datetime) -> Sequence[Stock]:
        return []

    def carts_between(self, channel: str, now: datetime, since: datetime, until: datetime) -> Sequence[Cart]:
        return []


def days(count: float) -> timedelta:
    return timedelta(days=count)
