"""A merchant's own history, played back: the lines of the files become orders on three sandbox marketplaces.

Each order goes to one marketplace, always the same (a hash of its id decides). Prices, quantities and
instants are the file's; nothing is added: no tax, no shipping, paid and shipped at the instant of the order.
A cancellation in the file is a refund at its own instant. Set the world's clock within the files' span and
only what had happened by then is visible.

Two things the files do not hold are made up and carry no money: list prices (each SKU's most frequent price)
and stock (some days' worth of the last four weeks' sales, so that stock questions have answers).
"""

import threading
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from connectors.exports.countries import country_code
from connectors.exports.mapping import ColumnMapping
from connectors.exports.order_lines import SALE, Classified, account, classify, mapping_of, read_lines
from connectors.sandbox.orderbook import (
    DAY,
    NEVER,
    Ints,
    LineColumns,
    OrderBook,
    OrderColumns,
    RefundColumns,
    RefundLineColumns,
    instant,
    money,
    ticks,
)
from connectors.sandbox.world import Cart, Market, Order, Product, Stock

# Of 100 orders so many go to Amazon and to Shopify; the rest goes to Walmart.
_AMAZON, _SHOPIFY = 40, 35
# The Amazon marketplace that sells in the file's currency: name, id, country.
_AMAZON_MARKETPLACES = {
    "USD": ("amazon-us", "ATVPDKIKX0DER", "US"),
    "CAD": ("amazon-ca", "A2EUQ1WTGCTBG2", "CA"),
    "MXN": ("amazon-mx", "A1AM78C64UM0Y8", "MX"),
    "GBP": ("amazon-uk", "A1F83G8C2ARO7P", "GB"),
    "EUR": ("amazon-de", "A1PA6795UKMFR9", "DE"),
    "INR": ("amazon-in", "A21TJRUUN4KGV", "IN"),
    "JPY": ("amazon-jp", "A1VC38T7YXB528", "JP"),
}
_STOCK_DAYS = 28


def replay_markets(currency: str, timezone: str, shop: str = "wharf-demo") -> tuple[Market, Market, Market]:
    """The three marketplaces a replay sells on, all in the file's currency and on the merchant's business day."""
    name, marketplace, country = _AMAZON_MARKETPLACES.get(currency, _AMAZON_MARKETPLACES["USD"])
    return (
        Market(name, "amazon", marketplace, currency, timezone, country),
        Market(f"shopify-{shop}", "shopify", shop, currency, timezone, country),
        Market("walmart-us", "walmart", "us", currency, timezone, country),
    )


class ReplayWorld:
    """World of the files; see the module. Raises MappingError when they cannot be used."""

    def __init__(
        self,
        paths: Sequence[Path],
        mapping: ColumnMapping | None = None,
        *,
        markets: tuple[Market, ...] | None = None,
    ) -> None:
        used = mapping or mapping_of(paths[0])
        found = classify(read_lines(paths, mapping), used, one_currency=True)
        self.accounted = account(found.lines)
        sales = _sales(found)
        if sales.is_empty():
            raise ValueError("there is no sale in the files: check the mapping's columns and cancellations")
        self.markets = markets or replay_markets(sales["currency"][0], used.timezone)
        self.first_instant: datetime = sales["created"].min()  # type: ignore[assignment]  # never empty here
        refunds = _refunds(found, sales)
        self.last_instant: datetime = max(sales["created"].max(), refunds["at"].max() or self.first_instant)  # type: ignore[assignment, type-var]  # never empty here
        products = _products(sales)
        self._prices: list[int] = products["price"].to_list()
        self.book = _book(self.markets, sales, refunds, products)
        self._sold = _SoldIndex(self.book, len(self.markets), len(products))
        self._lock = threading.Lock()
        # Listings are paged through twenty at a time while the clock stands still.
        self._products_at: dict[str, tuple[datetime, list[Product]]] = {}
        self._stock_of_day: dict[tuple[str, int], list[Stock]] = {}

    def orders_between(self, channel: str, now: datetime, **spans: datetime | None) -> Sequence[int]:
        return self.book.between(channel, now, **spans)

    def orders(self, numbers: Sequence[int], now: datetime) -> list[Order]:
        return self.book.materialize(numbers, now)

    def products(self, channel: str, now: datetime) -> Sequence[Product]:
        """What has been sold on the channel so far, by SKU (products are numbered in that order)."""
        with self._lock:
            known = self._products_at.get(channel)
        if known is None or known[0] != now:
            known = (now, self._products(channel, now))
            with self._lock:
                self._products_at[channel] = known
        return known[1]

    def _products(self, channel: str, now: datetime) -> list[Product]:
        first = self._sold.first[self._position(channel)]
        return [
            Product(
                number=product + 1,
                sku=self.book.skus[product],
                title=self.book.titles[product],
                brand="",
                category="",
                cost=None,
                price=money(self._prices[product]),
                barcode="",
                is_active=True,
                updated_at=instant(int(first[product])),
            )
            for product in np.flatnonzero(first <= ticks(now)).tolist()
        ]

    def stock(self, channel: str, now: datetime) -> Sequence[Stock]:
        """Plausible levels, new once a day: 0.1 to 2 times what the channel sold in the four weeks before."""
        market = self._position(channel)
        zone = ZoneInfo(self.markets[market].timezone)
        midnight = ticks(now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0))
        with self._lock:
            known = self._stock_of_day.get((channel, midnight))
        if known is None:
            known = self._levels(market, midnight)
            with self._lock:
                self._stock_of_day = {key: v for key, v in self._stock_of_day.items() if key[0] != channel}
                self._stock_of_day[channel, midnight] = known
        return known

    def carts_between(self, channel: str, now: datetime, since: datetime, until: datetime) -> Sequence[Cart]:
        """None: files of orders hold no carts."""
        return []

    def _levels(self, market: int, midnight: int) -> list[Stock]:
        recent = self._sold.units(market, midnight - _STOCK_DAYS * DAY, midnight)
        location = {"amazon": "FBA", "shopify": "main", "walmart": "main"}[self.markets[market].platform]
        found = []
        for product in np.flatnonzero(self._sold.first[market] < midnight).tolist():
            sku = self.book.skus[product]
            cover = 0.1 + (zlib.crc32(sku.encode()) % 191) / 100
            units = round(int(recent[product]) * cover)
            found.append(Stock(product + 1, sku, location, units, 0, 0, instant(midnight)))
        return found

    def _position(self, channel: str) -> int:
        return next(i for i, market in enumerate(self.markets) if market.channel == channel)


class _SoldIndex:
    """Units sold by market, product and instant, for questions about a span."""

    def __init__(self, book: OrderBook, markets: int, products: int) -> None:
        orders, lines = book.orders, book.lines
        self._products = products
        market = orders.channel[lines.order]
        at = orders.created[lines.order]
        self._lines = [
            tuple(column[market == position] for column in (at, lines.product, lines.quantity))
            for position in range(markets)
        ]
        self.first = np.full((markets, products), NEVER)
        for position, (when, product, _) in enumerate(self._lines):
            # Backwards, so that the earliest is written last.
            self.first[position, product[::-1]] = when[::-1]

    def units(self, market: int, since: int, until: int) -> Ints:
        at, product, quantity = self._lines[market]
        span = slice(*np.searchsorted(at, [since, until]))
        return np.bincount(product[span], weights=quantity[span], minlength=self._products).astype(np.int64)


def _sales(found: Classified) -> pl.DataFrame:
    """The sold lines with `order` (row of the order, by instant), `created`, `line` and `product` (by SKU)."""
    lines = found.lines.with_row_index("id").filter(reason=SALE).sort("file", "row")
    lines = lines.with_columns(
        created=pl.col("at").min().over("order_id"),
        product=pl.col("sku").rank("dense").cast(pl.Int64) - 1,
        line=pl.int_range(pl.len(), dtype=pl.Int64).over("order_id") + 1,
    )
    numbers = (
        lines.select("order_id", "created").unique().sort("created", "order_id").with_row_index("order")
    ).select("order_id", pl.col("order").cast(pl.Int64))
    return lines.join(numbers, on="order_id", how="left").sort("order", "line")


def _refunds(found: Classified, sales: pl.DataFrame) -> pl.DataFrame:
    """Refunded lines, by order and instant: `refund` numbers the cancellations of one order at one instant."""
    of_sale = sales.select(pl.col("id").cast(pl.Int64).alias("sale"), "order", "line")
    when = found.lines.with_row_index("id").select(
        pl.col("id").cast(pl.Int64).alias("cancellation"), "at", "order_id"
    )
    parts = (
        found.cancelled.join(of_sale, on="sale")
        .join(when, on="cancellation")
        .group_by("order", "at", "order_id", "line")
        .agg(pl.col("units", "amount").sum())
        .sort("order", "at", "order_id", "line")
    )
    return parts.with_columns(refund=pl.struct("order", "at", "order_id").rle_id().cast(pl.Int64))


def _products(sales: pl.DataFrame) -> pl.DataFrame:
    """One row per SKU, sorted: its most frequent title and price (of equals the smallest)."""

    def usual(column: str) -> pl.Expr:
        return pl.col(column).drop_nulls().mode().sort().first()

    return (
        sales.group_by("sku")
        .agg(title=usual("title"), price=usual("price"))
        .with_columns(pl.col("title").fill_null(pl.col("sku")))
        .sort("sku")
    )


def _book(
    markets: tuple[Market, ...], sales: pl.DataFrame, refunds: pl.DataFrame, products: pl.DataFrame
) -> OrderBook:
    orders = sales.group_by("order", maintain_order=True).agg(
        pl.col("order_id", "created").first(), pl.col("customer", "country").drop_nulls().first()
    )
    count = len(orders)
    created = orders["created"].dt.epoch("us").to_numpy()
    codes = [country_code(name) or markets[0].country for name in orders["country"]]
    countries = sorted(set(codes))
    where = {code: position for position, code in enumerate(countries)}
    none, never = np.zeros(len(sales), dtype=np.int64), np.full(len(sales), NEVER)
    first_of_refund = refunds.unique("refund", keep="first", maintain_order=True)
    channel = np.array([_market_of(order) for order in orders["order_id"]], dtype=np.int64)
    return OrderBook(
        markets,
        OrderColumns(
            channel=channel,
            created=created,
            customer=np.array([_customer_number(name) for name in orders["customer"]], dtype=np.int64),
            country=np.array([where[code] for code in codes], dtype=np.int64),
            region=np.full(count, -1),
            shipping=none[:count],
            shipping_tax=none[:count],
            paid=created,
            shipped=created,
            delivered=never[:count],
            cancelled=never[:count],
            # Amazon's warehouse ships what Amazon sold, so that its stock is the stock `stock` speaks of.
            by_marketplace=channel == 0,
            replaces=none[:count],
        ),
        LineColumns(
            order=sales["order"].to_numpy(),
            product=sales["product"].to_numpy(),
            has_sku=np.ones(len(sales), dtype=bool),
            quantity=sales["quantity"].to_numpy(),
            unit_price=sales["price"].to_numpy(),
            discount=none,
            tax=none,
            cancelled=none,
            cancelled_at=never,
            edited_at=never,
            added=none,
        ),
        RefundColumns(
            order=first_of_refund["order"].to_numpy(),
            at=first_of_refund["at"].dt.epoch("us").to_numpy(),
            shipping=np.zeros(len(first_of_refund), dtype=np.int64),
            is_return=np.ones(len(first_of_refund), dtype=bool),
        ),
        RefundLineColumns(
            refund=refunds["refund"].to_numpy(),
            line_number=refunds["line"].to_numpy(),
            quantity=refunds["units"].to_numpy(),
            amount=refunds["amount"].to_numpy(),
            tax=np.zeros(len(refunds), dtype=np.int64),
        ),
        skus=products["sku"].to_list(),
        titles=products["title"].to_list(),
        countries=countries,
        external_numbers=orders["order_id"].to_list(),
    )


def _market_of(order_id: str) -> int:
    """Position of the market an order belongs to: its id alone decides."""
    share = zlib.crc32(order_id.encode()) % 100
    return 0 if share < _AMAZON else 1 if share < _AMAZON + _SHOPIFY else 2


def _customer_number(name: str | None) -> int:
    """The customer's own number, or a stable one for a name; -1 for a guest."""
    if name is None:
        return -1
    return int(name) if name.isdecimal() and len(name) < 16 else zlib.crc32(name.encode())
