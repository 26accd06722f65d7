"""Orders v0 to frames `orders` and `order_items`, for stored payloads. Source: model ordersV0.

v0 tells an order and its lines in two answers: getOrders and, per order, getOrderItems. They are put
together by AmazonOrderId; an order without its lines has a row and no lines, and the other way round.
"""

from typing import Any, NamedTuple

import msgspec

from connectors.amazon.normalize.decoding import Decoded, keyed
from connectors.amazon.normalize.orders_2026 import FULFILLERS, NewestOrders
from connectors.amazon.normalize.values import (
    BadValueError,
    Channels,
    Notes,
    Rows,
    country,
    instant,
    key,
    magnitude,
    money,
    per_unit,
    plus,
    rejected,
    text,
    truth,
    units,
)
from connectors.base import Context
from connectors.canonical import Normalized

STATUSES = {
    "pendingavailability": "pending",
    "pending": "pending",
    "unshipped": "open",
    "partiallyshipped": "open",
    "invoiceunconfirmed": "open",
    "shipped": "completed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "unfulfillable": "cancelled",
}
_CENT = 100


class _Money(msgspec.Struct):
    CurrencyCode: str | None = None
    Amount: Any = None


class _Gift(msgspec.Struct):
    GiftWrapPrice: _Money | None = None
    GiftWrapTax: _Money | None = None


class Item(msgspec.Struct):
    """A line as getOrderItems tells it."""

    OrderItemId: str | int
    QuantityOrdered: Any
    ASIN: str | None = None
    SellerSKU: str | int | None = None
    Title: str | None = None
    QuantityShipped: Any = None
    ItemPrice: _Money | None = None
    ItemTax: _Money | None = None
    ShippingPrice: _Money | None = None
    ShippingTax: _Money | None = None
    GiftWrapPrice: _Money | None = None
    GiftWrapTax: _Money | None = None
    PromotionDiscount: _Money | None = None
    ShippingDiscount: _Money | None = None
    CODFee: _Money | None = None
    CODFeeDiscount: _Money | None = None
    BuyerInfo: _Gift | None = None


class _Buyer(msgspec.Struct):
    BuyerEmail: str | None = None


class _Address(msgspec.Struct):
    CountryCode: str | None = None
    StateOrRegion: str | None = None


class Order(msgspec.Struct):
    """An order as getOrders tells it. Required is what the model requires, and nothing else."""

    AmazonOrderId: str
    LastUpdateDate: Any
    OrderStatus: str
    PurchaseDate: Any
    LatestShipDate: Any = None
    LatestDeliveryDate: Any = None
    FulfillmentChannel: str | None = None
    SalesChannel: str | None = None
    MarketplaceId: str | None = None
    OrderTotal: _Money | None = None
    IsReplacementOrder: Any = None
    ReplacedOrderId: str | None = None
    ShippingAddress: _Address | None = None
    BuyerInfo: _Buyer | None = None
    BuyerEmail: str | None = None  # where older clients kept it
    OrderItems: list[Item] | None = None  # where stored payloads were put together already


order_key = keyed("AmazonOrderId")
item_key = keyed("OrderItemId")


def orders_v0(orders: Decoded[Order], items: dict[str, Decoded[Item]], context: Context) -> Normalized:
    """Frames of orders and of the lines known for them, by order id."""
    notes = Notes()
    reader = _Reader(context, notes)
    newest = NewestOrders(notes)
    bad = list(orders.rejected)
    broken = {order_id for order_id, lines in items.items() if lines.rejected}
    for order_id, decoded in items.items():
        bad.extend(decoded.rejected)
        if order_id in broken:
            notes.add("an order is refused because one of its lines could not be read")
    placed: set[str] = set()
    for position, order in enumerate(orders.records):
        order_id = text(order.AmazonOrderId) or ""
        placed.add(order_id)
        if order_id in broken:
            continue
        lines = order.OrderItems or (items[order_id].records if order_id in items else [])
        try:
            newest.add(*reader.read(order, lines))
        except BadValueError as error:
            bad.append(rejected(order_id or "(unknown)", error, orders.original(position)))
    frames = newest.frames()
    orphans = Rows("order_items")
    for order_id, decoded in items.items():
        if order_id in placed or order_id in broken:
            continue
        for position, item in enumerate(decoded.records):
            try:
                orphans.extend([reader.line(item, context.home.name, order_id, "open", included=None).row])
            except BadValueError as error:
                bad.append(rejected(f"{order_id}/{item.OrderItemId}", error, decoded.original(position)))
    if len(orphans):
        notes.add("lines came without their orders: channel and tax are those of the account's first channel")
        frames["order_items"] = frames["order_items"].vstack(orphans.frame())
    seen = orders.seen + sum(decoded.seen for order_id, decoded in items.items() if order_id not in placed)
    return Normalized(frames, tuple(bad), notes.all(), seen)


class _Line(NamedTuple):
    """A line's row, and the amounts the order's sums need."""

    row: dict[str, Any]
    parts: "_Parts"


class _Reader:
    def __init__(self, context: Context, notes: Notes) -> None:
        self._channels, self._notes = Channels(context, notes), notes

    def read(self, order: Order, items: list[Item]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The order's row and its lines' rows. Raises BadValueError."""
        order_id = key(order.AmazonOrderId, "AmazonOrderId")
        marketplace = order.MarketplaceId or self._channels.by_domain(order.SalesChannel)
        channel = self._channels.name(marketplace)
        status = STATUSES.get(order.OrderStatus.replace(" ", "").lower())
        if status is None:
            self._notes.add(f"unknown value {order.OrderStatus[:40]} in orders.fulfillment_status")
            status = "open"
        fulfilled_by = FULFILLERS.get((order.FulfillmentChannel or "").upper())
        if order.FulfillmentChannel and fulfilled_by is None:
            self._notes.add(f"unknown value {order.FulfillmentChannel[:40]} in orders.fulfilled_by")
        total = _amount(order.OrderTotal, "OrderTotal")
        included = self._tax_included(marketplace, total, items)
        lines = [self.line(item, channel, order_id, status, included=included) for item in items]
        if len({line.row["line_id"] for line in lines}) < len(lines):
            raise BadValueError("OrderItems.OrderItemId", "one id stands on two lines")
        sums = [line.row["total"] for line in lines]
        if total is not None and lines and None not in sums and abs(total - sum(sums)) > _CENT * len(lines):
            self._notes.once("orders.total is not the sum of its lines", order_id)
        address = order.ShippingAddress or _Address()
        email = text((order.BuyerInfo.BuyerEmail if order.BuyerInfo else None) or order.BuyerEmail)
        row = {
            "channel": channel,
            "external_id": order_id,
            "order_number": order_id,
            "ordered_at": instant(order.PurchaseDate, "PurchaseDate", required=True),
            "source_updated_at": instant(order.LastUpdateDate, "LastUpdateDate", required=True),
            "customer_ref": f"email:{email}" if email else None,
            "status": status,
            "fulfillment_status": text(order.OrderStatus),
            "fulfilled_by": fulfilled_by,
            "currency": _currency(order, items),
            "subtotal": plus(*(line.parts.item for line in lines)),
            "discount": plus(
                *(line.parts.discount for line in lines), *(line.parts.shipping_discount for line in lines)
            ),
            "shipping": plus(*(line.parts.shipping for line in lines)),
            "tax": plus(*(line.parts.tax for line in lines)),
            "total": total,
            "refunded": None,
            "ship_country": country(address.CountryCode, self._notes),
            "ship_region": text(address.StateOrRegion),
            "is_replacement": truth(order.IsReplacementOrder) or bool(text(order.ReplacedOrderId)),
            "is_test": False,
            "cancelled_at": None,
            "ship_by_at": self._notes.optional_instant(order.LatestShipDate, "LatestShipDate"),
            "deliver_by_at": self._notes.optional_instant(order.LatestDeliveryDate, "LatestDeliveryDate"),
            "shipped_at": None,  # v0 does not say
            "delivered_at": None,
        }
        return row, [line.row for line in lines]

    def _tax_included(self, marketplace: str | None, total: int | None, items: list[Item]) -> bool:
        """The order's total tells whether tax is on top, where there is tax; else the marketplace does."""
        default = self._channels.tax_included(marketplace)
        read = [_Parts(item) for item in items]
        tax = plus(*(parts.tax for parts in read))
        if total is None or not tax or tax <= 2 * _CENT or any(parts.item is None for parts in read):
            return default
        inside = sum(parts.total(True) or 0 for parts in read)
        if abs(total - inside) <= _CENT:
            return True
        return False if abs(total - inside - tax) <= _CENT else default

    def line(self, item: Item, channel: str, order_id: str, status: str, *, included: bool | None) -> "_Line":
        """A line's row, and its amounts for the order's sums."""
        ordered = units(item.QuantityOrdered, "OrderItems.QuantityOrdered", required=True) or 0
        sent = units(item.QuantityShipped, "OrderItems.QuantityShipped") or 0
        parts = _Parts(item)
        inside = self._channels.tax_included(None) if included is None else included
        row = {
            "channel": channel,
            "order_external_id": order_id,
            "line_id": key(item.OrderItemId, "OrderItems.OrderItemId"),
            "sku": text(item.SellerSKU),
            "external_id": text(item.ASIN),
            "title": text(item.Title),
            "quantity": ordered,
            # Amazon counts cancelled units out of QuantityOrdered: 0 for a line that is cancelled as a whole.
            "cancelled_quantity": max(ordered - sent, 0) if status == "cancelled" else 0,
            "refunded_quantity": None,
            "unit_price": per_unit(parts.item, ordered),
            "discount": parts.discount,
            "tax": parts.tax,
            "total": parts.total(inside),
            "refunded_amount": None,
            "net_amount": parts.net(inside),
            "refunded_net_amount": None,
            "tax_included": inside,
            "is_gift_card": False,
        }
        return _Line(row, parts)


class _Parts:
    """Amounts of a line in ten-thousandths; None where absent."""

    def __init__(self, item: Item) -> None:
        gift = item.BuyerInfo or _Gift()
        self.item = _amount(item.ItemPrice, "OrderItems.ItemPrice")
        self.shipping = _amount(item.ShippingPrice, "OrderItems.ShippingPrice")
        self.discount = magnitude(_amount(item.PromotionDiscount, "OrderItems.PromotionDiscount"))
        self.shipping_discount = magnitude(_amount(item.ShippingDiscount, "OrderItems.ShippingDiscount"))
        self._item_tax = _amount(item.ItemTax, "OrderItems.ItemTax")
        self.tax = plus(
            self._item_tax,
            _amount(item.ShippingTax, "OrderItems.ShippingTax"),
            _amount(item.GiftWrapTax or gift.GiftWrapTax, "OrderItems.GiftWrapTax"),
        )
        wrap = _amount(item.GiftWrapPrice or gift.GiftWrapPrice, "OrderItems.GiftWrapPrice")
        fee = _amount(item.CODFee, "OrderItems.CODFee")
        fee_discount = magnitude(_amount(item.CODFeeDiscount, "OrderItems.CODFeeDiscount"))
        self._other = (wrap or 0) + (fee or 0) - (fee_discount or 0)

    def net(self, tax_inside: bool) -> int | None:
        """Revenue of the goods: after discounts, before tax and shipping."""
        if self.item is None:
            return None
        return self.item - (self.discount or 0) - ((self._item_tax or 0) if tax_inside else 0)

    def total(self, tax_inside: bool) -> int | None:
        """What the buyer pays for the line; None while its price is not told."""
        if self.item is None:
            return None
        without_tax = self.item + (self.shipping or 0) + self._other
        without_tax -= (self.discount or 0) + (self.shipping_discount or 0)
        return without_tax + (0 if tax_inside else self.tax or 0)


def _amount(value: _Money | None, field: str) -> int | None:
    return money(value.Amount, f"{field}.Amount") if value is not None else None


def _currency(order: Order, items: list[Item]) -> str | None:
    if order.OrderTotal is not None and order.OrderTotal.CurrencyCode:
        return order.OrderTotal.CurrencyCode
    prices = (item.ItemPrice for item in items)
    return next((price.CurrencyCode for price in prices if price is not None and price.CurrencyCode), None)
