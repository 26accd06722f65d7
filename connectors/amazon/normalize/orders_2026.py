"""Orders 2026-01-01 to frames `orders` and `order_items`. Source: model orders_2026-01-01.

- Money comes as `proceeds` on the order and on each line; none while an order is pending: then null.
- `ITEM` is quantity x unit price. The sign of `DISCOUNT` is nowhere stated: its magnitude counts.
- Whether `TAX` is inside `ITEM` follows from the line's own total where that tells, else from the
  marketplace. Revenue (`net_amount`) is `ITEM` - discounts on the item - tax inside it.
- An order always comes with all its lines; if one cannot be read the whole order is refused.
"""

from typing import Any

import msgspec
import polars as pl

from connectors.amazon.normalize.decoding import Decoded, keyed, page, page_decoder
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
    units,
)
from connectors.base import Context
from connectors.canonical import Normalized

STATUSES = {
    "PENDING_AVAILABILITY": "pending",
    "PENDING": "pending",
    "UNSHIPPED": "open",
    "PARTIALLY_SHIPPED": "open",
    "INVOICE_UNCONFIRMED": "open",
    "SHIPPED": "completed",
    "CANCELLED": "cancelled",
    "CANCELED": "cancelled",
    "UNFULFILLABLE": "cancelled",  # nothing of it will ever be sent
}
FULFILLERS = {
    "AMAZON": "marketplace",
    "AFN": "marketplace",
    "MERCHANT": "merchant",
    "MFN": "merchant",
    "SELLER": "merchant",
}
REPLACEMENTS = {"REPLACEMENT_ORIGINAL_ID", "EXCHANGE_ORIGINAL_ID"}
_KNOWN_PARTS = {"ITEM", "SHIPPING", "GIFT_WRAP", "COD_FEE", "TAX", "DISCOUNT", "DELIVERY_TIP", "OTHER"}
# Parts of a line's TAX or DISCOUNT that do not belong to the goods themselves.
_NOT_GOODS = {"SHIPPING", "GIFT_WRAP", "COD_FEE", "OTHER"}
_CENT = 100


class _Money(msgspec.Struct, gc=False):
    amount: Any = None
    currencyCode: str | None = None


class _Detail(msgspec.Struct, gc=False):
    subtype: str | None = None
    value: _Money | None = None


class _Part(msgspec.Struct, gc=False):
    type: str | None = None
    subtotal: _Money | None = None
    detailedBreakdowns: list[_Detail] | None = None


class _ItemProceeds(msgspec.Struct, gc=False):
    proceedsTotal: _Money | None = None
    breakdowns: list[_Part] | None = None


class _OrderProceeds(msgspec.Struct, gc=False):
    grandTotal: _Money | None = None
    breakdowns: list[_Part] | None = None


class _Price(msgspec.Struct, gc=False):
    unitPrice: _Money | None = None


class _Product(msgspec.Struct, gc=False):
    asin: str | int | None = None
    title: str | None = None
    sellerSku: str | int | None = None
    price: _Price | None = None


class _Cancellation(msgspec.Struct, gc=False):
    cancellationExecution: dict[str, Any] | None = None


class _ItemFulfillment(msgspec.Struct, gc=False):
    quantityFulfilled: Any = None
    quantityUnfulfilled: Any = None


class _Item(msgspec.Struct, gc=False):
    orderItemId: str | int
    quantityOrdered: Any
    product: _Product
    proceeds: _ItemProceeds | None = None
    cancellation: _Cancellation | None = None
    fulfillment: _ItemFulfillment | None = None


class _SalesChannel(msgspec.Struct, gc=False):
    channelName: str
    marketplaceId: str | None = None


class _Buyer(msgspec.Struct, gc=False):
    buyerEmail: str | None = None


class _Address(msgspec.Struct, gc=False):
    countryCode: str | None = None
    stateOrRegion: str | None = None


class _Recipient(msgspec.Struct, gc=False):
    deliveryAddress: _Address | None = None


class _OrderFulfillment(msgspec.Struct, gc=False):
    fulfillmentStatus: str | None = None
    fulfilledBy: str | None = None


class _Associated(msgspec.Struct, gc=False):
    associationType: str | None = None


class Order(msgspec.Struct, gc=False):
    """The fields of an order that Wharf keeps. Required is what the model requires, and nothing else."""

    orderId: str
    createdTime: Any
    lastUpdatedTime: Any
    salesChannel: _SalesChannel
    orderItems: list[_Item]
    associatedOrders: list[_Associated] | None = None
    buyer: _Buyer | None = None
    recipient: _Recipient | None = None
    proceeds: _OrderProceeds | None = None
    fulfillment: _OrderFulfillment | None = None


class _Page(msgspec.Struct, gc=False):
    orders: list[Order]


_decoder = page_decoder(_Page)
_NOTHING = _ItemProceeds()


def searched_orders(body: bytes, context: Context) -> Normalized:
    """Frames of one answer of searchOrders."""
    return order_frames(
        page(
            body,
            decode=lambda raw: _decoder.decode(raw).orders,
            kind=Order,
            records_of=lambda answer: answer.get("orders") if isinstance(answer, dict) else None,
            key_of=keyed("orderId"),
            what="searchOrders",
        ),
        context,
    )


def order_frames(decoded: Decoded[Order], context: Context) -> Normalized:
    """Frames of typed orders."""
    notes = Notes()
    reader = _Reader(context, notes)
    newest = NewestOrders(notes)
    bad = list(decoded.rejected)
    for position, order in enumerate(decoded.records):
        try:
            newest.add(*reader.read(order))
        except BadValueError as error:
            bad.append(rejected(text(order.orderId) or "(unknown)", error, decoded.original(position)))
    return Normalized(newest.frames(), tuple(bad), notes.all(), decoded.seen)


class NewestOrders:
    """Orders with their lines; of an order that came twice only the newest state is kept, as a whole."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._orders: dict[tuple[str, str], tuple[dict[str, Any], list[dict[str, Any]]]] = {}

    def add(self, row: dict[str, Any], lines: list[dict[str, Any]]) -> None:
        identity = (row["channel"], row["external_id"])
        known = self._orders.get(identity)
        if known is not None:
            self._notes.once("an order came twice on one page; its newest state counts", row["external_id"])
        if known is None or row["source_updated_at"] >= known[0]["source_updated_at"]:
            self._orders[identity] = (row, lines)

    def frames(self) -> dict[str, pl.DataFrame]:
        rows, items = Rows("orders"), Rows("order_items")
        for row, lines in self._orders.values():
            rows.extend([row])
            items.extend(lines)
        return {"orders": rows.frame(), "order_items": items.frame()}


class _Reader:
    """Reads one order after another; remembers what a page showed that was not expected."""

    def __init__(self, context: Context, notes: Notes) -> None:
        self._channels, self._notes = Channels(context, notes), notes

    def read(self, order: Order) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The order's row and its lines' rows. Raises BadValueError."""
        order_id = key(order.orderId, "orderId")
        marketplace = order.salesChannel.marketplaceId
        channel = self._channels.name(marketplace)
        fulfillment = order.fulfillment or _OrderFulfillment()
        status = self._status(fulfillment.fulfillmentStatus, order)
        included = self._channels.tax_included(marketplace)
        proceeds = order.proceeds or _OrderProceeds()
        grand_total = _amount(proceeds.grandTotal, "proceeds.grandTotal")
        lines = [self._line(item, channel, order_id, status, included) for item in order.orderItems]
        if len({line["row"]["line_id"] for line in lines}) < len(lines):
            raise BadValueError("orderItems.orderItemId", "one id stands on two lines")
        whole = _Parts(proceeds.breakdowns, "proceeds.breakdowns", self._notes)

        def total_of(part: str) -> int | None:
            # Order-level parts are often absent; where both stand the lines are the finer truth.
            of_lines = plus(*(line[part] for line in lines))
            return of_lines if of_lines is not None else getattr(whole, part)

        self._check(order_id, grand_total, lines, whole)
        address = (order.recipient.deliveryAddress if order.recipient else None) or _Address()
        email = text(order.buyer.buyerEmail) if order.buyer else None
        row = {
            "channel": channel,
            "external_id": order_id,
            "order_number": order_id,
            "ordered_at": instant(order.createdTime, "createdTime", required=True),
            "source_updated_at": instant(order.lastUpdatedTime, "lastUpdatedTime", required=True),
            "customer_ref": f"email:{email}" if email else None,
            "status": status,
            "fulfillment_status": text(fulfillment.fulfillmentStatus),
            "fulfilled_by": self._fulfiller(fulfillment.fulfilledBy),
            "currency": _currency(proceeds, order.orderItems),
            "subtotal": total_of("item"),
            "discount": total_of("discount"),
            "shipping": total_of("shipping"),
            "tax": total_of("tax"),
            "total": grand_total,
            "refunded": None,  # orders carry no refunds: finances do
            "ship_country": country(address.countryCode, self._notes),
            "ship_region": text(address.stateOrRegion),
            "is_replacement": any(a.associationType in REPLACEMENTS for a in order.associatedOrders or ()),
            "is_test": False,
            "cancelled_at": None,  # Amazon gives no instant of it
        }
        return row, [line["row"] for line in lines]

    def _line(self, item: _Item, channel: str, order_id: str, status: str, included: bool) -> dict[str, Any]:
        ordered = units(item.quantityOrdered, "orderItems.quantityOrdered", required=True) or 0
        proceeds = item.proceeds or _NOTHING
        parts = _Parts(proceeds.breakdowns, "orderItems.proceeds.breakdowns", self._notes)
        stated = _amount(proceeds.proceedsTotal, "orderItems.proceeds.proceedsTotal")
        price = item.product.price
        unit_price = _amount(price.unitPrice, "orderItems.product.price.unitPrice") if price else None
        cancelled = _cancelled(item, ordered, status)
        included = parts.tax_is_inside(stated, default=included)
        net = parts.net(included)
        kept = ordered - cancelled
        if 0 < kept < ordered and unit_price and parts.item == unit_price * kept:
            # The money already stands for the units that are left; `net_amount` is for all ordered ones.
            net = None if net is None else per_unit(net * ordered, kept)
        row = {
            "channel": channel,
            "order_external_id": order_id,
            "line_id": key(item.orderItemId, "orderItems.orderItemId"),
            "sku": text(item.product.sellerSku),
            "external_id": text(item.product.asin),
            "title": text(item.product.title),
            "quantity": ordered,
            "cancelled_quantity": cancelled,
            "refunded_quantity": None,
            "unit_price": unit_price if unit_price is not None else per_unit(parts.item, ordered),
            "discount": parts.discount,
            "tax": parts.tax,
            "total": stated if stated is not None else parts.total(included),
            "refunded_amount": None,
            "net_amount": net,
            "refunded_net_amount": None,
            "tax_included": included,
            "is_gift_card": False,
        }
        amounts = {name: getattr(parts, name) for name in ("item", "discount", "shipping", "tax")}
        return {"row": row, "sum": stated if stated is not None else parts.total(included), **amounts}

    def _status(self, stated: str | None, order: Order) -> str:
        if stated:
            known = STATUSES.get(stated.upper())
            if known is None:
                self._notes.add(f"unknown value {stated[:40]} in orders.fulfillment_status")
                return "open"
            return known
        # The data set FULFILLMENT was not asked for: cancellation still tells.
        gone = [
            bool(item.cancellation and item.cancellation.cancellationExecution) for item in order.orderItems
        ]
        return "cancelled" if gone and all(gone) else "open"

    def _fulfiller(self, stated: str | None) -> str | None:
        if not stated:
            return None
        known = FULFILLERS.get(stated.upper())
        if known is None:
            self._notes.add(f"unknown value {stated[:40]} in orders.fulfilled_by")
        return known

    def _check(self, order_id: str, total: int | None, lines: list[dict[str, Any]], whole: "_Parts") -> None:
        """A note when the order's total is not the sum of its lines and its tip."""
        sums = [line["sum"] for line in lines]
        if total is None or not lines or any(amount is None for amount in sums):
            return
        off = abs(total - sum(amount for amount in sums if amount is not None) - (whole.tip or 0))
        if off > _CENT * len(lines):
            self._notes.once("orders.total is not the sum of its lines", order_id)


class _Parts:
    """The breakdown of one `proceeds`, by kind, in ten-thousandths; None for kinds that are absent."""

    def __init__(self, parts: list[_Part] | None, field: str, notes: Notes) -> None:
        self.item = self.shipping = self.tax = self.discount = self.tip = self.other = None
        self._goods_tax = self._goods_discount = 0
        for part in parts or ():
            amount = _amount(part.subtotal, f"{field}.subtotal")
            match part.type:
                case "ITEM":
                    self.item = plus(self.item, amount)
                case "SHIPPING":
                    self.shipping = plus(self.shipping, amount)
                case "TAX":
                    self.tax = plus(self.tax, amount)
                    self._goods_tax += (amount or 0) - _elsewhere(part, field)
                case "DISCOUNT":
                    self.discount = plus(self.discount, magnitude(amount))
                    self._goods_discount += abs(amount or 0) - abs(_elsewhere(part, field))
                case "DELIVERY_TIP":
                    self.tip = plus(self.tip, amount)
                case _:
                    self.other = plus(self.other, amount)
                    if part.type not in _KNOWN_PARTS:
                        notes.add(f"unknown value {str(part.type)[:40]} in orders.proceeds.breakdowns.type")

    def net(self, tax_inside: bool) -> int | None:
        """Revenue of the goods: after discounts, before tax and shipping."""
        if self.item is None:
            return None
        return self.item - self._goods_discount - (self._goods_tax if tax_inside else 0)

    def total(self, tax_inside: bool) -> int | None:
        """What the buyer pays for the line; None when its price is not told."""
        if self.item is None:
            return None
        without_tax = self.item + (self.shipping or 0) + (self.other or 0) - (self.discount or 0)
        return without_tax + (0 if tax_inside else self.tax or 0)

    def tax_is_inside(self, stated: int | None, *, default: bool) -> bool:
        """Whether prices contain the tax: the stated total tells, where adding tax makes a difference."""
        if self.item is None or stated is None or not self.tax or abs(self.tax) <= 2 * _CENT:
            return default
        on_top, inside = self.total(False), self.total(True)
        if on_top is not None and abs(on_top - stated) <= _CENT:
            return False
        if inside is not None and abs(inside - stated) <= _CENT:
            return True
        return default


def _elsewhere(part: _Part, field: str) -> int:
    """The share of a TAX or DISCOUNT that belongs to shipping, wrapping and the like."""
    found = 0
    for detail in part.detailedBreakdowns or ():
        if detail.subtype in _NOT_GOODS:
            found += _amount(detail.value, f"{field}.detailedBreakdowns.value") or 0
    return found


def _amount(value: _Money | None, field: str) -> int | None:
    return money(value.amount, f"{field}.amount") if value is not None else None


def _currency(proceeds: _OrderProceeds, items: list[_Item]) -> str | None:
    if proceeds.grandTotal is not None and proceeds.grandTotal.currencyCode:
        return proceeds.grandTotal.currencyCode
    for item in items:
        price = item.product.price.unitPrice if item.product.price else None
        total = item.proceeds.proceedsTotal if item.proceeds else None
        for amount in (price, total):
            if amount is not None and amount.currencyCode:
                return amount.currencyCode
    return None


def _cancelled(item: _Item, ordered: int, status: str) -> int:
    """Units that were cancelled. What was sent was not cancelled, whatever the line says of a request."""
    fulfillment = item.fulfillment or _ItemFulfillment()
    sent = units(fulfillment.quantityFulfilled, "orderItems.fulfillment.quantityFulfilled") or 0
    waiting = units(fulfillment.quantityUnfulfilled, "orderItems.fulfillment.quantityUnfulfilled") or 0
    if status == "cancelled":
        return max(ordered - sent, 0)
    if not (item.cancellation and item.cancellation.cancellationExecution):
        return 0
    gap = ordered - sent - waiting
    return gap if gap > 0 else max(ordered - sent, 0)
