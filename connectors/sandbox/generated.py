"""A merchant invented from a seed: two years of orders behind it, and months ahead that arrive as time passes.

The same seed, `today` and sizes give the same merchant whenever and wherever it is started; `today` only says
where history ends and the future begins, the world's clock decides what is visible. Everything is drawn at
once in columns (a second or two) and then only looked at.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from connectors.sandbox import afterlife
from connectors.sandbox.catalogue import CATEGORIES, DOLLARS_FOR, make_catalogue
from connectors.sandbox.demand import expected_lines
from connectors.sandbox.orderbook import (
    DAY,
    Ints,
    OrderBook,
    instant,
    money,
    ticks,
)
from connectors.sandbox.ordering import LINES_PER_ORDER, MEAN_QUANTITY, Drawn, draw, with_replacements
from connectors.sandbox.places import COUNTRIES, REGIONS
from connectors.sandbox.stockroom import Ledger, Outcome, simulate
from connectors.sandbox.world import Cart, Line, Market, Order, Product, Stock

DEMO_MARKETS = (
    Market("amazon-us", "amazon", "ATVPDKIKX0DER", "USD", "America/Los_Angeles", "US"),
    Market("amazon-ca", "amazon", "A2EUQ1WTGCTBG2", "CAD", "America/Los_Angeles", "CA"),
    Market("shopify-wharf-demo", "shopify", "wharf-demo", "EUR", "Europe/Berlin", "DE", tax_included=True),
    Market("walmart-us", "walmart", "us", "USD", "America/Los_Angeles", "US"),
)
FUTURE_DAYS = 120
CENT = Decimal("0.01")


class GeneratedWorld:
    """World of an invented merchant; see the module."""

    def __init__(
        self,
        seed: int = 7,
        *,
        today: date,
        skus: int = 45,
        days: int = 790,
        orders_per_day: float = 40.0,
        markets: tuple[Market, ...] = DEMO_MARKETS,
        future_days: int = FUTURE_DAYS,
    ) -> None:
        if skus < 1 or days < 30 or orders_per_day <= 0:
            raise ValueError("a world needs at least 1 SKU, 30 days and some orders")
        rng = np.random.default_rng(seed)
        self.markets = markets
        self.today = today
        self.first_day = today - timedelta(days=days)
        self.last_day = today + timedelta(days=future_days)
        span = days + future_days
        self._midnights = np.array([_midnights(market, self.first_day, span) for market in markets])
        self.catalogue = make_catalogue(rng, markets, skus, first_day=self.first_day, history=days, days=span)
        wanted = expected_lines(
            rng,
            markets,
            self.catalogue,
            first_day=self.first_day,
            history=days,
            lines_per_day=orders_per_day * LINES_PER_ORDER,
        )
        self._wanted_lines = wanted
        drawn = draw(rng, self.catalogue, wanted, self._midnights)
        self._demand = drawn.units_by_cell(len(markets), skus, span)
        outcome = simulate(
            rng,
            drawn.wanted(skus),
            (wanted * MEAN_QUANTITY).reshape(-1, span),
            self.catalogue,
            days,
        )
        self._in_stock = outcome.in_stock.reshape(wanted.shape)
        self.book = self._write_book(rng, drawn, outcome)
        self._ledger = self._write_ledger(outcome)
        self._carts = self._draw_carts(rng)
        self._levels: tuple[int, tuple[Ints, ...]] | None = None
        self._lock = threading.Lock()

    # The World protocol

    def orders_between(self, channel: str, now: datetime, **spans: datetime | None) -> Sequence[int]:
        return self.book.between(channel, now, **spans)

    def orders(self, numbers: Sequence[int], now: datetime) -> list[Order]:
        return self.book.materialize(numbers, now)

    def products(self, channel: str, now: datetime) -> Sequence[Product]:
        """Listed and already launched products, ended ones as inactive."""
        market = self._position(channel)
        goods = self.catalogue
        day = self._day(market, now)
        exists = goods.listed[market] & (goods.launched <= day)
        changes = self._listing_changes(market, day)
        # Bought in dollars; a channel states costs in its own currency.
        dollars = DOLLARS_FOR.get(self.markets[market].currency, Decimal(1))
        found = [
            Product(
                number=product + 1,
                sku=goods.skus[product],
                title=goods.titles[product],
                brand=CATEGORIES[goods.category[product]].brand,
                category=CATEGORIES[goods.category[product]].name,
                cost=(money(int(goods.cost[product])) / dollars).quantize(CENT),
                price=money(int(goods.price[market, product, day])),
                barcode=goods.barcodes[product],
                is_active=bool(day < goods.ended[product]),
                updated_at=instant(int(self._midnights[market, changes[product]])),
            )
            for product in np.flatnonzero(exists).tolist()
        ]
        return sorted(found, key=lambda product: product.sku)

    def stock(self, channel: str, now: datetime) -> Sequence[Stock]:
        """Levels at this instant: what is on hand includes what is reserved for open orders."""
        market = self._position(channel)
        platform = self.markets[market].platform
        skus = len(self.catalogue.skus)
        on_hand, reserved, inbound, last = self._all_levels(ticks(now))
        found = []
        for product in np.flatnonzero(self.catalogue.listed[market]).tolist():
            cell = market * skus + product
            if last[cell] == 0:
                continue
            sku, at = self.catalogue.skus[product], instant(int(last[cell]))
            levels = (int(on_hand[cell]), int(reserved[cell]), int(inbound[cell]))
            if platform == "shopify" and product % 3 == 0:
                # A third of the goods lie partly in the shop in town, which ships nothing.
                in_town = max(levels[0] - levels[1], 0) // 5
                found.append(Stock(product + 1, sku, "main", levels[0] - in_town, levels[1], levels[2], at))
                found.append(Stock(product + 1, sku, "store", in_town, 0, 0, at))
                continue
            marketplace = bool(self.catalogue.by_marketplace[market, product])
            found.append(Stock(product + 1, sku, _LOCATIONS[platform][marketplace], *levels, at))
        return sorted(found, key=lambda level: (level.sku, level.location))

    def carts_between(self, channel: str, now: datetime, since: datetime, until: datetime) -> Sequence[Cart]:
        found = []
        for cart in self._carts.get(channel, []):
            if cart.created_at > now:
                break
            seen = cart
            if cart.completed_at is not None and cart.completed_at > now:
                seen = Cart(
                    cart.number,
                    cart.created_at,
                    cart.created_at,
                    None,
                    cart.customer,
                    cart.currency,
                    cart.lines,
                )
            if since <= seen.updated_at < until and seen.updated_at <= now:
                found.append(seen)
        return found

    # What tests may know

    def true_demand(self, channel: str) -> pl.DataFrame:
        """Units wanted (stock or not) by `sku` and local `date`, with `in_stock`, `price` and `promotion` percent.

        Covers every listed SKU and every day of the span, the future too; cancelled units count.
        """
        market = self._position(channel)
        listed = np.flatnonzero(self.catalogue.listed[market])
        days = self._demand.shape[2]
        dates = pl.date_range(self.first_day, self.last_day, closed="left", eager=True)
        return pl.DataFrame(
            {
                "sku": np.repeat(np.array(self.catalogue.skus)[listed], days),
                "date": pl.concat([dates] * len(listed)),
                "units": self._demand[market, listed].ravel(),
                "in_stock": self._in_stock[market, listed].ravel(),
                "price": self.catalogue.price[market, listed].ravel() / 10_000,
                "promotion": self.catalogue.promotion[market, listed].ravel(),
            }
        )

    def true_stock(self, channel: str) -> pl.DataFrame:
        """Units bought on, sellable and on their way at the end of each local day before today, by `sku` and `date`.

        A listed SKU's days begin with the first goods for it.
        """
        market, skus = self._position(channel), len(self.catalogue.skus)
        days = (self.today - self.first_day).days
        midnights = self._midnights[market, : days + 1]
        listed = np.flatnonzero(self.catalogue.listed[market])

        def summed(cell: Ints, at: Ints, units: Ints) -> Ints:
            day = np.maximum(np.searchsorted(midnights, at, side="right") - 1, 0)
            mine = (cell // skus == market) & (at < midnights[-1])
            table = np.zeros((skus, days), dtype=np.int64)
            np.add.at(table, (cell[mine] % skus, day[mine]), units[mine])
            return table[listed]

        cell, at, on_hand, reserved, inbound = self._ledger.movements()
        available = summed(cell, at, on_hand - reserved).cumsum(axis=1)
        coming = summed(cell, at, inbound).cumsum(axis=1)
        orders, lines = self.book.orders, self.book.lines
        real = orders.replaces[lines.order] == 0
        row = lines.order[real]
        kept = (lines.quantity - lines.cancelled)[real]
        sold = summed(orders.channel[row] * skus + lines.product[real], orders.created[row], kept)
        known = ((available > 0) | (coming > 0)).cumsum(axis=1) > 0
        dates = pl.date_range(self.first_day, self.today, closed="left", eager=True)
        return pl.DataFrame(
            {
                "sku": np.repeat(np.array(self.catalogue.skus)[listed], days),
                "date": pl.concat([dates] * len(listed)),
                "units": sold.ravel(),
                "available": available.ravel(),
                "inbound": coming.ravel(),
            }
        ).filter(pl.Series(known.ravel()))

    # How it is made

    def _write_book(self, rng: np.random.Generator, drawn: Drawn, outcome: Outcome) -> OrderBook:
        orders, lines = drawn.orders_and_lines(rng, self.markets, self.catalogue, outcome.sold)
        orders, lines = with_replacements(rng, orders, lines, self.markets)
        refunds, refund_lines = afterlife.draw_refunds(
            rng,
            orders,
            lines,
            self.catalogue.category,
            tax_included=np.array([market.tax_included for market in self.markets]),
            by_line=np.array([market.platform != "shopify" for market in self.markets]),
        )
        return OrderBook(
            self.markets,
            orders,
            lines,
            refunds,
            refund_lines,
            skus=self.catalogue.skus,
            titles=self.catalogue.titles,
            countries=COUNTRIES,
            regions=REGIONS,
        )

    def _write_ledger(self, outcome: Outcome) -> Ledger:
        skus = len(self.catalogue.skus)
        cells = len(self.markets) * skus
        ledger = Ledger(cells)
        every = np.arange(cells)
        before = np.full(cells, int(self._midnights.min()) - DAY)
        stocked = outcome.opening > 0
        ledger.add(every[stocked], before[stocked], on_hand=outcome.opening[stocked])
        orders, lines = self.book.orders, self.book.lines
        # Replacements are sent from goods set aside: they touch no level.
        real = orders.replaces[lines.order] == 0
        row = lines.order[real]
        cell = orders.channel[row] * skus + lines.product[real]
        kept = lines.quantity[real] - lines.cancelled[real]
        ledger.add(cell, orders.created[row], reserved=lines.quantity[real])
        ledger.add(cell, lines.cancelled_at[real], reserved=-lines.cancelled[real])
        ledger.add(cell, orders.shipped[row], on_hand=-kept, reserved=-kept)
        bought = outcome.purchases
        cell = np.array(bought.cell, dtype=np.int64)
        units = np.array(bought.units, dtype=np.int64)
        market = cell // skus
        ordered = self._midnight(market, np.array(bought.ordered_day, dtype=np.int64)) + DAY // 2
        arrived = self._midnight(market, np.array(bought.arrival_day, dtype=np.int64))
        ledger.add(cell, ordered, inbound=units)
        ledger.add(cell, arrived, on_hand=units, inbound=-units)
        counted = np.array(list(bought.counted), dtype=np.int64)
        at = self._midnight(counted // skus, np.full(len(counted), bought.counted_day, dtype=np.int64))
        ledger.add(counted, at, on_hand=np.array(list(bought.counted.values()), dtype=np.int64))
        ledger.close()
        return ledger

    def _draw_carts(self, rng: np.random.Generator) -> dict[str, list[Cart]]:
        """Checkouts of the web shops: most are left for good, some became one of the orders hours later."""
        carts: dict[str, list[Cart]] = {}
        end = ticks(datetime.combine(self.last_day, datetime.min.time(), UTC))
        for market in self.markets:
            if market.platform != "shopify":
                continue
            distant = instant(end + 400 * DAY)
            numbers = np.array(self.book.between(market.channel, distant), dtype=np.int64)
            left = rng.choice(numbers, len(numbers) // 3)
            recovered = rng.choice(numbers, len(numbers) // 16, replace=False)
            made: list[dict[str, Any]] = []
            for is_recovered, chosen in ((False, left), (True, recovered)):
                for order in self.book.materialize(chosen.tolist(), distant):
                    begun = order.created_at - timedelta(seconds=int(rng.integers(1, 30 * 3600)))
                    stay = timedelta(seconds=int(rng.integers(60, 3600)))
                    touched = order.created_at if is_recovered else begun + stay
                    made.append(
                        {
                            "created_at": begun,
                            "updated_at": touched,
                            "completed_at": order.created_at if is_recovered else None,
                            "customer": order.customer if rng.random() < 0.7 or is_recovered else None,
                            "lines": _as_begun(order.lines),
                        }
                    )
            made.sort(key=lambda cart: (cart["created_at"], cart["updated_at"]))
            carts[market.channel] = [
                Cart(number=number, currency=market.currency, **cart)
                for number, cart in enumerate(made, start=1)
            ]
        return carts

    def _position(self, channel: str) -> int:
        return next(i for i, market in enumerate(self.markets) if market.channel == channel)

    def _day(self, market: int, now: datetime) -> int:
        """Number of the market's business day at `now`, kept inside the world's span."""
        day = int(np.searchsorted(self._midnights[market], ticks(now), side="right")) - 1
        return int(min(max(day, 0), self._demand.shape[2] - 1))

    def _midnight(self, market: Ints, day: Ints) -> Ints:
        """Begin of local days; days past the span follow in steps of 24 hours."""
        last = self._demand.shape[2] - 1
        midnight: Ints = self._midnights[market, np.minimum(day, last)] + np.maximum(day - last, 0) * DAY
        return midnight

    def _listing_changes(self, market: int, day: int) -> Ints:
        """Day of each product's last change of price or state, up to `day`."""
        price = self.catalogue.price[market, :, : day + 1]
        moved = np.zeros(price.shape, dtype=bool)
        moved[:, 1:] = price[:, 1:] != price[:, :-1]
        last = np.where(moved.any(axis=1), day - np.argmax(moved[:, ::-1], axis=1), 0)
        last = np.maximum(last, np.where(self.catalogue.launched <= day, self.catalogue.launched, 0))
        return np.maximum(last, np.where(self.catalogue.ended <= day, self.catalogue.ended, 0))

    def _all_levels(self, now: int) -> tuple[Ints, ...]:
        with self._lock:
            if self._levels is not None and self._levels[0] == now:
                return self._levels[1]
        levels = self._ledger.levels(now)
        with self._lock:
            self._levels = (now, levels)
        return levels


_LOCATIONS = {
    "amazon": {True: "FBA", False: "MFN"},
    "shopify": {True: "main", False: "main"},
    "walmart": {True: "WFS", False: "main"},
}


def _midnights(market: Market, first_day: date, days: int) -> list[int]:
    """Begin of each local day."""
    zone = ZoneInfo(market.timezone)
    begin = datetime.combine(first_day, datetime.min.time())
    return [ticks((begin + timedelta(days=day)).replace(tzinfo=zone)) for day in range(days)]


def _as_begun(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Lines of an order as they stood in the cart."""
    return tuple(replace(line, cancelled=0, cancelled_at=None) for line in lines)
