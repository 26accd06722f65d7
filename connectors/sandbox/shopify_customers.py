"""The shop's registered customers: whoever placed an order, with what the shop counts of him.

The world knows customers as numbers on orders. They are gathered once and then only from orders that changed since,
because the whole list is asked for page by page.
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from connectors.sandbox.shopify_data import CUSTOMERS, Bag, Money, Node, customer_ref, gid, instant
from connectors.sandbox.shopify_orders import order_node
from connectors.sandbox.world import Market, World


@dataclass
class _Known:
    created_at: datetime
    updated_at: datetime
    country: str
    spent: dict[int, Decimal] = field(default_factory=dict)  # by order; zero: cancelled before it was paid


class Customers:
    """The customers of one market, kept between requests."""

    def __init__(self, world: World, market: Market) -> None:
        self._world, self._market = world, market
        self._known: dict[int, _Known] = {}
        self._seen: datetime | None = None
        self._lock = threading.Lock()

    def nodes(self, now: datetime) -> list[tuple[datetime, Node]]:
        """Last change and object of everybody who is a customer at `now`, oldest change first."""
        with self._lock:
            if self._seen is not None and now < self._seen:  # the clock was put back
                self._known.clear()
                self._seen = None
            self._gather(now)
            found = sorted((known.updated_at, number) for number, known in self._known.items())
            return [(at, self._node(number)) for at, number in found]

    def _gather(self, now: datetime) -> None:
        channel = self._market.channel
        changed = self._world.orders_between(channel, now, updated_since=self._seen)
        for order in self._world.orders(changed, now):
            if order.customer is None:
                continue
            known = self._known.setdefault(
                order.customer, _Known(order.created_at, order.updated_at, order.country)
            )
            known.created_at = min(known.created_at, order.created_at)
            known.updated_at = max(known.updated_at, order.updated_at)
            known.spent[order.number] = (
                _spent(order_node(order, self._market)) if order.paid_at else Decimal(0)
            )
        self._seen = now

    def _node(self, number: int) -> Node:
        known = self._known[number]
        money = Money(self._market.currency)
        return {
            **customer_ref(number, instant(known.created_at)),
            "updatedAt": instant(known.updated_at),
            "numberOfOrders": str(len(known.spent)),
            "amountSpent": money.one(sum(known.spent.values(), Decimal(0))),
            "defaultAddress": {
                "__typename": "MailingAddress",
                "id": gid("MailingAddress", CUSTOMERS + number),
                "countryCodeV2": known.country,
                "country": known.country,
                "provinceCode": None,
                "province": None,
                "city": None,
                "zip": None,
            },
        }


def _spent(order: Node) -> Decimal:
    total: Bag = order["totalPriceSet"]
    refunded: Bag = order["totalRefundedSet"]
    return total.amount - refunded.amount
