"""A merchant's world as the sandbox's three APIs see it: what is sold, ordered, changed and in stock.

The world knows nothing of any API: amounts are Decimal in the channel's currency, instants are aware UTC.
`generated.py` makes one from a seed, `replay.py` from a merchant's own file. Every question takes `now`, the
world's clock, so the same world can be looked at earlier and later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

Platform = Literal["amazon", "shopify", "walmart"]


@dataclass(frozen=True)
class Market:
    """One channel of the merchant: a marketplace on one platform."""

    channel: str  # "amazon-us", "shopify-<shop>", "walmart-us"
    platform: Platform
    external_id: str  # Amazon marketplace id, Shopify shop name, "us"
    currency: str
    timezone: str
    country: str  # where buyers live, ISO alpha-2
    tax_included: bool = False


@dataclass(frozen=True)
class Product:
    """One SKU of the merchant and how it is listed on one market."""

    number: int  # small stable number: APIs derive their ids (ASIN, GIDs, wpid) from it
    sku: str
    title: str
    brand: str
    category: str
    cost: Decimal | None
    price: Decimal  # list price on this market now
    barcode: str
    is_active: bool
    updated_at: datetime


@dataclass(frozen=True)
class Line:
    """One line of an order. Amounts are for the whole line; tax on top unless the market includes it."""

    number: int  # 1, 2, … within the order
    product_number: int
    sku: str | None
    title: str
    quantity: int
    unit_price: Decimal
    discount: Decimal  # positive
    tax: Decimal  # positive
    cancelled: int = 0  # units taken out before shipping
    cancelled_at: datetime | None = None


@dataclass(frozen=True)
class RefundLine:
    line_number: int
    quantity: int
    amount: Decimal  # positive, before tax
    tax: Decimal


@dataclass(frozen=True)
class Refund:
    """Money given back at one instant; `shipping` belongs to no line."""

    number: int
    at: datetime
    lines: tuple[RefundLine, ...]
    shipping: Decimal = Decimal(0)
    is_return: bool = True  # goods came back


@dataclass(frozen=True)
class Order:
    """An order as it stands at the instant it was asked for."""

    number: int  # unique in the world: APIs derive their ids from it
    external_number: str | None  # the file's own order id in a replay
    channel: str
    created_at: datetime
    updated_at: datetime  # last change up to the instant asked for
    customer: int | None  # stable customer number; None for guests
    country: str
    region: str | None
    currency: str
    lines: tuple[Line, ...]
    shipping: Decimal
    shipping_tax: Decimal
    paid_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    cancelled_at: datetime | None  # the whole order
    refunds: tuple[Refund, ...] = ()
    fulfilled_by: Literal["marketplace", "merchant"] = "merchant"
    is_replacement: bool = False
    replaces: int | None = None  # number of the order it replaces


@dataclass(frozen=True)
class Stock:
    """Units of one SKU at one place of one market."""

    product_number: int
    sku: str
    location: str  # "FBA", "MFN", "main", "WFS", …
    on_hand: int
    reserved: int
    inbound: int
    updated_at: datetime

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


@dataclass(frozen=True)
class Cart:
    """A checkout that was begun; `completed_at` is set when it became an order later."""

    number: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    customer: int | None
    currency: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Selection:
    """Numbers of orders that fit a question, sorted by (updated_at, number) or (created_at, number)."""

    numbers: Sequence[int] = field(default_factory=tuple)


class World(Protocol):
    """What the three APIs ask of the world. All methods are cheap enough to call per request."""

    markets: tuple[Market, ...]

    def orders_between(
        self,
        channel: str,
        now: datetime,
        *,
        updated_since: datetime | None = None,
        updated_until: datetime | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
    ) -> Sequence[int]:
        """Numbers of orders that exist at `now`, with clocks in the half-open spans, by (updated_at, number)."""

    def orders(self, numbers: Sequence[int], now: datetime) -> list[Order]:
        """Those orders as they stand at `now`, in the order asked for.

        Raises KeyError for a number that does not exist, or not yet at `now`.
        """

    def products(self, channel: str, now: datetime) -> Sequence[Product]:
        """Every product listed on the channel, by SKU."""

    def stock(self, channel: str, now: datetime) -> Sequence[Stock]:
        """Every stock level of the channel, by (SKU, location)."""

    def carts_between(self, channel: str, now: datetime, since: datetime, until: datetime) -> Sequence[Cart]:
        """Checkouts last changed in the half-open span, by (created_at, number)."""
