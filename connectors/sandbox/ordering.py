"""Generated demand becomes orders: lines put together, priced, and given a buyer and a place."""

from dataclasses import dataclass, field

import numpy as np

from connectors.sandbox import afterlife
from connectors.sandbox.catalogue import Catalogue, Floats
from connectors.sandbox.orderbook import DAY, NEVER, SECOND, Flags, Ints, LineColumns, OrderColumns
from connectors.sandbox.places import COUNTRIES, PLACES, REGIONS
from connectors.sandbox.stockroom import Wanted
from connectors.sandbox.world import Market

LINES_PER_ORDER = 1.2
_BEGINS_AN_ORDER = 0.77  # chance of a line; days without a second line make it more orders than that
_QUANTITIES = ((1, 0.80), (2, 0.12), (3, 0.04), (4, 0.025), (6, 0.015))
MEAN_QUANTITY = sum(units * share for units, share in _QUANTITIES)


@dataclass
class Drawn:
    """Wanted lines, sorted by order, and the orders they would make, sorted by instant."""

    market: Ints  # per order
    day: Ints
    created: Ints
    by_marketplace: Flags
    fates: afterlife.Fates
    order: Ints  # per line
    product: Ints
    quantity: Ints
    taken_out: Ints
    _by_day: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def units_by_cell(self, markets: int, skus: int, days: int) -> Ints:
        """Units wanted by market, product and day."""
        cell = (self.market[self.order] * skus + self.product) * days + self.day[self.order]
        units = np.bincount(cell, weights=self.quantity, minlength=markets * skus * days)
        return units.astype(np.int64).reshape(markets, skus, days)

    def wanted(self, skus: int) -> Wanted:
        """The lines as the stock room sees them. Cancelled units can be sold again two days later."""
        whole = self.fates.cancelled[self.order] != NEVER
        released = np.where(whole, self.quantity, self.taken_out)
        at = np.where(whole, self.fates.cancelled[self.order], self.fates.line_cancel_at[self.order])
        day = self.day[self.order]
        waited = (at - self.created[self.order]) // DAY
        by_day = np.argsort(day, kind="stable")
        self._by_day = by_day
        columns = (
            self.market[self.order] * skus + self.product,
            day,
            self.quantity,
            released,
            day + waited + 2,
        )
        return Wanted(*(column[by_day] for column in columns))

    def orders_and_lines(
        self,
        rng: np.random.Generator,
        markets: tuple[Market, ...],
        catalogue: Catalogue,
        sold_by_day: Flags,
    ) -> tuple[OrderColumns, LineColumns]:
        """What was really bought: orders without a line left do not exist."""
        sold = np.empty(len(sold_by_day), dtype=bool)
        sold[self._by_day] = sold_by_day
        rows, order = np.unique(self.order[sold], return_inverse=True)
        product, quantity, taken_out = self.product[sold], self.quantity[sold], self.taken_out[sold]
        market, day = self.market[rows], self.day[rows]
        fates = self.fates
        start = np.searchsorted(order, np.arange(len(rows) + 1))
        # When every unit of an order is taken out one by one, the order itself is cancelled.
        emptied = np.add.reduceat(quantity - taken_out, start[:-1]) == 0
        cancelled = np.where(
            (fates.cancelled[rows] == NEVER) & emptied, fates.line_cancel_at[rows], fates.cancelled[rows]
        )
        gone = cancelled != NEVER
        paid = np.where(fates.paid[rows] < cancelled, fates.paid[rows], NEVER)
        country, region, rate = _places(rng, markets, market)
        included = np.array([m.tax_included for m in markets])[market]
        price = catalogue.price[market[order], product, day[order]]
        shop = np.array([m.platform == "shopify" for m in markets])[market]
        editable = shop[order] & (quantity > 1) & ~gone[order]
        edited_at, added = _edits(rng, editable, self.created[rows][order], fates.shipped[rows][order])
        discount = _coupons(rng, price * quantity, order, len(rows))
        tax = afterlife.tax_of(price * quantity - discount, rate[order], included[order])
        # Where units come or go, a unit's part of the line is a whole number of cents.
        parts = np.where((taken_out > 0) | (added > 0), quantity, 1) * afterlife.CENT
        discount, tax = discount // parts * parts, tax // parts * parts
        shipping = np.where(
            rng.random(len(rows)) < 0.55, 0, rng.choice([3_90, 4_90, 5_99, 7_99], len(rows)) * 100
        )
        lines = LineColumns(
            order=order,
            product=product,
            has_sku=rng.random(len(order)) >= 0.002,
            quantity=quantity,
            unit_price=price,
            discount=discount,
            tax=tax,
            cancelled=np.where(gone[order], quantity, taken_out),
            cancelled_at=np.where(
                gone[order],
                cancelled[order],
                np.where(taken_out > 0, fates.line_cancel_at[rows][order], NEVER),
            ),
            edited_at=edited_at,
            added=added,
        )
        orders = OrderColumns(
            channel=market,
            created=self.created[rows],
            customer=_customers(rng, markets, market),
            country=country,
            region=region,
            shipping=shipping,
            shipping_tax=afterlife.tax_of(shipping, rate * (included | (rate > 0.07)), included),
            paid=paid,
            shipped=np.where(gone, NEVER, fates.shipped[rows]),
            delivered=np.where(gone, NEVER, fates.delivered[rows]),
            cancelled=cancelled,
            by_marketplace=self.by_marketplace[rows],
            replaces=np.zeros(len(rows), dtype=np.int64),
        )
        return orders, lines


def draw(rng: np.random.Generator, catalogue: Catalogue, wanted: Floats, midnights: Ints) -> Drawn:
    """Lines from their means, put together into orders with an instant each."""
    counts = rng.poisson(wanted)
    market, product, day = (axis.repeat(counts[counts > 0]) for axis in np.nonzero(counts))
    units, shares = zip(*_QUANTITIES, strict=True)
    quantity = rng.choice(units, len(market), p=shares)
    by_marketplace = catalogue.by_marketplace[market, product]
    together = np.lexsort((rng.random(len(market)), by_marketplace, market, day))
    market, product, day = market[together], product[together], day[together]
    quantity, by_marketplace = quantity[together], by_marketplace[together]
    begins = rng.random(len(market)) < _BEGINS_AN_ORDER
    begins[:1] = True
    # An order stays within one market, day and warehouse, and names a product once.
    for column in (market, day, by_marketplace):
        begins[1:] |= column[1:] != column[:-1]
    begins[1:] |= product[1:] == product[:-1]
    order = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)
    evening, noon = rng.normal(19.5, 2.4, len(first)), rng.normal(12.5, 3.5, len(first))
    hour = np.clip(np.where(rng.random(len(first)) < 0.45, evening, noon), 0, 23.99)
    start = midnights[market[first], day[first]]
    after = day[first] + 1
    end = np.where(
        after < midnights.shape[1],
        midnights[market[first], np.minimum(after, midnights.shape[1] - 1)],
        start + DAY,
    )
    created = start + ((end - start) * hour / 24).astype(np.int64) // SECOND * SECOND
    in_time = np.argsort(created, kind="stable")
    rank = np.empty(len(first), dtype=np.int64)
    rank[in_time] = np.arange(len(first))
    order = rank[order]
    by_order = np.argsort(order, kind="stable")
    first = first[in_time]
    return Drawn(
        market=market[first],
        day=day[first],
        created=created[in_time],
        by_marketplace=by_marketplace[first],
        fates=afterlife.draw_fates(rng, created[in_time], by_marketplace[first]),
        order=order[by_order],
        product=product[by_order],
        quantity=quantity[by_order],
        taken_out=afterlife.cancel_lines(rng, quantity[by_order]),
    )


def _places(rng: np.random.Generator, markets: tuple[Market, ...], market: Ints) -> tuple[Ints, Ints, Floats]:
    """Country, region and tax rate of each order."""
    country, region = np.zeros(len(market), dtype=np.int64), np.full(len(market), -1)
    rate = np.zeros(len(market))
    for position, of in enumerate(markets):
        rows = np.flatnonzero(market == position)
        places = PLACES.get(of.country, PLACES["US"])
        weights = np.array([place.weight for place in places])
        chosen = rng.choice(len(places), len(rows), p=weights / weights.sum())
        country[rows] = np.array([COUNTRIES.index(place.country) for place in places])[chosen]
        codes = [REGIONS.index(place.region) if place.region else -1 for place in places]
        region[rows] = np.array(codes)[chosen]
        rate[rows] = np.array([place.tax for place in places])[chosen]
    return country, region, rate


def _customers(rng: np.random.Generator, markets: tuple[Market, ...], market: Ints) -> Ints:
    """Customer numbers: a third of the orders are by someone who bought before, regulars most of all."""
    guests = np.array([{"amazon": 0.04, "shopify": 0.15, "walmart": 0.3}[m.platform] for m in markets])
    customer = np.full(len(market), -1)
    for position in range(len(markets)):
        rows = np.flatnonzero(market == position)
        returns = rng.random(len(rows)) < 0.35
        earlier = (np.arange(len(rows)) * rng.random(len(rows)) ** 0.6).astype(np.int64)
        who = np.where(returns, earlier, np.arange(len(rows)))
        while not np.array_equal(who, who[who]):  # whoever copies a copy is the same person
            who = who[who]
        customer[rows] = (position + 1) * 10_000_000 + who
    customer[rng.random(len(market)) < guests[market]] = -1
    return customer


def _coupons(rng: np.random.Generator, amount: Ints, order: Ints, orders: int) -> Ints:
    """Discounts by line: one order in eleven has a coupon for all of it."""
    percent = np.where(rng.random(orders) < 0.09, rng.choice([5, 10, 15, 20], orders), 0)
    return np.rint(amount * percent[order] / 100 / afterlife.CENT).astype(np.int64) * afterlife.CENT


def _edits(rng: np.random.Generator, editable: Flags, created: Ints, shipped: Ints) -> tuple[Ints, Ints]:
    """Some lines of a web shop grow by a unit before they are shipped: (when, by how many units)."""
    grows = editable & (shipped != NEVER) & (rng.random(len(editable)) < 0.06)
    span = np.where(grows, shipped - created, 0)
    at = created + (span * rng.uniform(0.05, 0.6, len(editable))).astype(np.int64) // SECOND * SECOND
    return np.where(grows, at, NEVER), np.where(grows, 1, 0)


def with_replacements(
    rng: np.random.Generator, orders: OrderColumns, lines: LineColumns, markets: tuple[Market, ...]
) -> tuple[OrderColumns, LineColumns]:
    """The orders with free replacements of some between them, renumbered in time order."""
    able = np.array([market.platform != "shopify" for market in markets])
    rows, created = afterlife.replacements(rng, orders, able)
    extra = {name: column[rows] for name, column in vars(orders).items()}
    none = np.zeros(len(rows), dtype=np.int64)
    extra |= {"created": created, "paid": created, "shipping": none, "shipping_tax": none}
    extra |= {"shipped": created + 20 * afterlife.HOUR, "delivered": created + 4 * DAY}
    first_lines = np.searchsorted(lines.order, rows)
    extra_lines = {name: column[first_lines] for name, column in vars(lines).items()}
    for name in ("unit_price", "discount", "tax", "cancelled", "added"):
        extra_lines[name] = none
    extra_lines |= {"quantity": none + 1, "cancelled_at": none + NEVER, "edited_at": none + NEVER}
    extra_lines["order"] = np.arange(len(rows)) + len(orders)

    every = np.concatenate([orders.created, created])
    in_time = np.argsort(every, kind="stable")
    rank = np.empty(len(every), dtype=np.int64)
    rank[in_time] = np.arange(len(every))
    extra["replaces"] = rank[rows] + 1
    joined = {name: np.concatenate([column, extra[name]])[in_time] for name, column in vars(orders).items()}
    line_order = rank[np.concatenate([lines.order, extra_lines["order"]])]
    by_order = np.argsort(line_order, kind="stable")
    joined_lines = {
        name: np.concatenate([column, extra_lines[name]])[by_order] for name, column in vars(lines).items()
    }
    joined_lines["order"] = line_order[by_order]
    return OrderColumns(**joined), LineColumns(**joined_lines)
