"""Orders 2026-01-01 to frames `orders` and `order_items`. Source: model orders_2026-01-01.

- Money comes as `proceeds` on the order and on each line; none while an order is pending: then null.
- `ITEM` is quantity x unit price. The sign of `DISCOUNT` is nowhere stated: its magnitude counts.
- Whether `TAX` is inside `ITEM` follows from the line's own total where that tells, else from the
  marketplace. Revenue (`net_amount`) is `ITEM` - discounts on the item - tax inside it.
- An order always comes with all its lines; if one cannot be read the whole order is refused.
- When an order left is told by its packages, which only orders that the merchant sends have; when one arrived, nowhere.
"""

from typing import Any, NamedTuple

import polars as pl

from connectors.amazon.normalize.decoding import Decoded, keyed, page, page_decoder
from connectors.amazon.normalize.orders_2026_shapes import (
    Address,
    Item,
    ItemFulfillment,
    ItemProceeds,
    Order,
    OrderFulfillment,
    OrderProceeds,
    Package,
    Page,
    TimeWindow,
)
from connectors.amazon.normalize.proceeds import CENT, Parts, amount_of
from connectors.amazon.normalize.values import (
    BadValueError,
    Channels,
    Notes,
    Rows,
    country,
    instant,
    key,
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
_decoder = page_decoder(Page)
_NO_MONEY, _UNPAID = OrderProceeds(), ItemProceeds()
_UNKNOWN, _UNSENT, _NOWHERE = OrderFulfillment(), ItemFulfillment(), Address()


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


class _Line(NamedTuple):
    """A line's row, and what the order's sums need of it."""

    row: dict[str, Any]
    parts: Parts
    total: int | None


class _Reader:
    """Reads one order after another; remembers what a page showed that was not expected."""

    def __init__(self, context: Context, notes: Notes) -> None:
        self._channels, self._notes = Channels(context, notes), notes

    def read(self, order: Order) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The order's row and its lines' rows. Raises BadValueError."""
        order_id = key(order.orderId, "orderId")
        marketplace = order.salesChannel.marketplaceId
        channel = self._channels.name(marketplace)
        fulfillment = order.fulfillment or _UNKNOWN
        status = self._status(fulfillment.fulfillmentStatus, order)
        included = self._channels.tax_included(marketplace)
        proceeds = order.proceeds or _NO_MONEY
        grand_total = amount_of(proceeds.grandTotal, "proceeds.grandTotal.amount")
        lines = [self._line(item, channel, order_id, status, included) for item in order.orderItems]
        if len(lines) > 1 and len({line.row["line_id"] for line in lines}) < len(lines):
            raise BadValueError("orderItems.orderItemId", "one id stands on two lines")
        whole = Parts(proceeds.breakdowns, "proceeds.breakdowns", self._notes)
        self._check(order_id, grand_total, lines, whole)
        of_lines = [line.parts for line in lines]
        address = (order.recipient.deliveryAddress if order.recipient else None) or _NOWHERE
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
            "subtotal": _either([parts.item for parts in of_lines], whole.item),
            "discount": _either([parts.discount for parts in of_lines], whole.discount),
            "shipping": _either([parts.shipping for parts in of_lines], whole.shipping),
            "tax": _either([parts.tax for parts in of_lines], whole.tax),
            "total": grand_total,
            "refunded": None,  # orders carry no refunds: finances do
            "ship_country": country(address.countryCode, self._notes),
            "ship_region": text(address.stateOrRegion),
            "is_replacement": any(a.associationType in REPLACEMENTS for a in order.associatedOrders or ()),
            "is_test": False,
            "cancelled_at": None,  # Amazon gives no instant of it
            "ship_by_at": self._end(fulfillment.shipByWindow, "fulfillment.shipByWindow"),
            "deliver_by_at": self._end(fulfillment.deliverByWindow, "fulfillment.deliverByWindow"),
            "shipped_at": self._left(order.packages) if status == "completed" else None,
            "delivered_at": None,
        }
        return row, [line.row for line in lines]

    def _end(self, window: TimeWindow | None, field: str) -> int | None:
        return self._notes.optional_instant(window.latestDateTime, field) if window is not None else None

    def _left(self, packages: list[Package] | None) -> int | None:
        """When the last package was handed to its carrier; None unless each that counts says so."""
        sent = [
            self._notes.optional_instant(package.shipTime, "packages.shipTime")
            for package in packages or ()
            if package.packageStatus is None or package.packageStatus.status != "CANCELLED"
        ]
        known = [at for at in sent if at is not None]
        return max(known) if known and len(known) == len(sent) else None

    def _line(self, item: Item, channel: str, order_id: str, status: str, included: bool) -> "_Line":
        ordered = units(item.quantityOrdered, "orderItems.quantityOrdered", required=True) or 0
        proceeds = item.proceeds or _UNPAID
        parts = Parts(proceeds.breakdowns, "orderItems.proceeds.breakdowns", self._notes)
        stated = amount_of(proceeds.proceedsTotal, "orderItems.proceeds.proceedsTotal.amount")
        price = item.product.price
        unit_price = (
            amount_of(price.unitPrice, "orderItems.product.price.unitPrice.amount") if price else None
        )
        cancelled = _cancelled(item, ordered, status)
        included = parts.tax_is_inside(stated, default=included)
        net = parts.net(included)
        kept = ordered - cancelled
        if 0 < kept < ordered and unit_price and parts.item == unit_price * kept:
            # The money already stands for the units that are left; `net_amount` is for all ordered ones.
            net = None if net is None else per_unit(net * ordered, kept)
        total = stated if stated is not None else parts.total(included)
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
            "total": total,
            "refunded_amount": None,
            "net_amount": net,
            "refunded_net_amount": None,
            "tax_included": included,
            "is_gift_card": False,
        }
        return _Line(row, parts, total)

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

    def _check(self, order_id: str, total: int | None, lines: list["_Line"], whole: Parts) -> None:
        """A note when the order's total is not the sum of its lines and its tip."""
        sums = [line.total for line in lines]
        if total is None or not lines or any(amount is None for amount in sums):
            return
        off = abs(total - sum(amount for amount in sums if amount is not None) - (whole.tip or 0))
        if off > CENT * len(lines):
            self._notes.once("orders.total is not the sum of its lines", order_id)


def _either(of_lines: list[int | None], whole: int | None) -> int | None:
    """The sum of the lines. Order-level parts are often absent; where both stand the lines are the finer truth."""
    summed = of_lines[0] if len(of_lines) == 1 else plus(*of_lines)
    return whole if summed is None else summed


def _currency(proceeds: OrderProceeds, items: list[Item]) -> str | None:
    if proceeds.grandTotal is not None and proceeds.grandTotal.currencyCode:
        return proceeds.grandTotal.currencyCode
    for item in items:
        price = item.product.price.unitPrice if item.product.price else None
        total = item.proceeds.proceedsTotal if item.proceeds else None
        for amount in (price, total):
            if amount is not None and amount.currencyCode:
                return amount.currencyCode
    return None


def _cancelled(item: Item, ordered: int, status: str) -> int:
    """Units that were cancelled. What was sent was not cancelled, whatever the line says of a request."""
    fulfillment = item.fulfillment or _UNSENT
    sent = units(fulfillment.quantityFulfilled, "orderItems.fulfillment.quantityFulfilled") or 0
    waiting = units(fulfillment.quantityUnfulfilled, "orderItems.fulfillment.quantityUnfulfilled") or 0
    if status == "cancelled":
        return max(ordered - sent, 0)
    if not (item.cancellation and item.cancellation.cancellationExecution):
        return 0
    gap = ordered - sent - waiting
    return gap if gap > 0 else max(ordered - sent, 0)
