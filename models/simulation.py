"""Plays an ordering rule against real demand, day by day, all items at once: what would have run out, lain, cost.

Sales that cannot be served are lost. A day goes: deliveries arrive, buyers buy, and on a review day the rule orders
by what is left and on its way. Every rule meets the same demand and the same delays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.base import Floats, Ints


@dataclass(frozen=True)
class Shelf:
    """What a rule may know at the end of `day`: by item units on hand and on order; demand is known up to `day`."""

    day: int
    on_hand: Floats
    on_order: Floats


Rule = Callable[[Shelf], Floats]  # units to order now, by item


@dataclass(frozen=True)
class Terms:
    """By item: unit cost and margin; of all: what an order costs and what a year of keeping costs, as a share."""

    unit_cost: Floats
    unit_margin: Floats
    order_cost: float
    holding_rate: float


@dataclass(frozen=True)
class Played:
    """Totals over items and days; `stockout_rate` is the share of item-days on which a buyer was turned away or the
    shelf ended empty, `fill_rate` the share of the margin wanted that was earned."""

    stockout_days: float
    stockout_rate: float
    fill_rate: float
    average_stock: float
    average_stock_value: float
    orders: float
    holding_cost: float
    order_cost: float
    lost_margin: float

    @property
    def cost(self) -> float:
        """Keeping, ordering and margin lost."""
        return self.holding_cost + self.order_cost + self.lost_margin


def play(
    demand: Floats,
    rule: Rule,
    opening: Floats,
    lead: Ints,
    terms: Terms,
    *,
    review_days: int = 7,
    start: int = 0,
) -> Played:
    """Play `rule` from day `start` to the end of `demand` (items × days). `lead` (items × days): how many days an
    order placed on that day takes. Item-days without any demand in the following month do not count as out."""
    items, days = demand.shape
    on_hand, on_order = opening.astype(np.float64).copy(), np.zeros(items)
    arriving = np.zeros((items, days + int(lead.max()) + 2))
    out = stock = value = lost = orders = 0.0
    for day in range(start, days):
        on_hand += arriving[:, day]
        on_order -= arriving[:, day]
        sold = np.minimum(on_hand, demand[:, day])
        on_hand -= sold
        missed = demand[:, day] - sold
        alive = demand[:, day : day + 30].sum(axis=1) > 0
        out += float((alive & ((on_hand <= 0) | (missed > 0))).sum())
        lost += float((missed * terms.unit_margin).sum())
        stock += float(on_hand.sum())
        value += float((on_hand * terms.unit_cost).sum())
        if (day - start) % review_days == 0:
            bought = np.maximum(rule(Shelf(day, on_hand.copy(), on_order.copy())), 0.0)
            np.add.at(arriving, (np.arange(items), day + 1 + lead[:, day]), bought)
            on_order += bought
            orders += float((bought > 0).sum())
    span = days - start
    unsold = lost / max(float((terms.unit_margin * demand[:, start:].sum(axis=1)).sum()), 1e-9)
    return Played(
        stockout_days=out,
        stockout_rate=out / (items * span),
        fill_rate=1 - unsold,
        average_stock=stock / span,
        average_stock_value=value / span,
        orders=orders,
        holding_cost=value * terms.holding_rate / 365,
        order_cost=orders * terms.order_cost,
        lost_margin=lost,
    )
