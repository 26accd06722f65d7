"""Walmart purchase orders → orders and order_items. One order per purchaseOrderId.

Money is in the charges' currency.

Readings that Walmart does not document, and what makes either answer safe:

- Charges are totals of the line (`order_line.py`). Where `orderSummary` states a total that only a reading per unit
  reaches, that reading is taken and noted.
- `refund` of a line is its whole refunded state, without units and without a date of its own: it stays on the line
  (`refunded_amount`) and makes no row of `refunds`. Those come from `/v3/returns`, with units, money and instant
  (`normalize_returns.py`). What counts is the larger of the two, so nothing is counted twice, and what is given back
  for an order too old to be shown is not lost.
- Cancelled lines come with zero charges: their revenue is zero and their units stand in `cancelled_quantity`.
- There is no updated-at: `source_updated_at` is the newest statusDate, else the order date.
"""

from decimal import Decimal
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.walmart.countries import alpha2
from connectors.walmart.gather import Gathered
from connectors.walmart.order_line import ZERO, LineSums, add_up, last, optional_micros
from connectors.walmart.payload import Raw, find, parse, within
from connectors.walmart.shapes import Order, OrderLine, OrderPage, ShippingInfo
from connectors.walmart.values import FieldError, customer, micros, money, share, text

_FULFILLED_BY = {"WFSFULFILLED": "marketplace", "SELLERFULFILLED": "merchant", "3PLFULFILLED": "merchant"}
_PER_UNIT = "charges of lines with several units were per unit: orderSummary says so"
_NO_SHIPPING = ShippingInfo()
_DECODER = msgspec.json.Decoder(OrderPage)


def orders(page: Page, context: Context) -> Normalized:
    """Orders of one page of `/v3/orders`, of a single order, a webhook event or a bare list; JSON or XML.

    Raises ProtocolError when the page cannot be parsed at all; one bad order is refused alone.
    """
    return _Orders(context).add_page(page.body, _decode, records).normalized()


def orders_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Orders of decoded records in any of the shapes `orders` accepts."""
    return _Orders(context).add_all(raws).normalized()


def _decode(body: bytes) -> list[Order]:
    found = _DECODER.decode(body).list.elements.order
    if not all(order.orderDate and order.orderLines for order in found):
        raise msgspec.ValidationError("a record in an unusual shape")
    return found


def records(body: bytes) -> list[Raw]:
    """The order objects in a body."""
    return find_orders(parse(body, "walmart orders"))


def find_orders(parsed: Any) -> list[Raw]:
    """The order objects in decoded JSON or XML, whatever wraps them."""
    for path in (("list", "elements", "order"), ("elements", "order")):
        listed = within(parsed, *path)
        if listed is not None:
            return listed
    whole = list(find(parsed, lambda names: {"purchaseorderid", "orderlines"} <= names))
    return whole or list(find(parsed, lambda names: "purchaseorderid" in names))


class _Orders(Gathered):
    frames = ("orders", "order_items")
    shape = Order
    shapes = (Order,)
    identity = "purchaseOrderId"

    def add(self, order: Order) -> None:
        """Appends the rows of one order, all or none. Raises FieldError."""
        number = text(order.purchaseOrderId)
        ordered_at = micros(order.orderDate, "orderDate")
        source_lines = (order.orderLines.orderLine if order.orderLines else None) or []
        if number is None:
            raise FieldError("purchaseOrderId", "missing")
        if ordered_at is None:
            raise FieldError("orderDate", "missing")
        if not source_lines:
            raise FieldError("orderLines", "an order without lines")
        lines = [add_up(line, self.note) for line in source_lines]
        self._settle_per_unit(order, lines)
        numbers = _line_numbers(source_lines)
        currencies = {line.currency for line in lines if line.currency}
        if len(currencies) > 1:
            raise FieldError("charge.chargeAmount.currency", f"several currencies: {sorted(currencies)}")
        currency = next(iter(currencies), None) or _summary_currency(order)
        updated = max((line.updated for line in lines if line.updated), default=ordered_at)
        row = self._order(order, number, (ordered_at, updated), currency, lines)
        items = [self._item(number, *parts) for parts in zip(numbers, source_lines, lines, strict=True)]
        self.rows["orders"].append(row)
        self.rows["order_items"] += items
        self.records += 1

    def _order(
        self, order: Order, number: str, at: tuple[int, int], currency: str | None, lines: list[LineSums]
    ) -> tuple[Any, ...]:
        ordered_at, updated = at
        status, fulfillment = _status(lines)
        node = ((order.shipNode and order.shipNode.type) or "").strip()
        if node and node.upper() not in _FULFILLED_BY:
            self.note("orders.shipNode.type", node)
        kind = (order.orderType or "REGULAR").strip().upper()
        if kind not in ("REGULAR", "REPLACEMENT", "PREORDER"):
            self.note("orders.orderType", kind)
        shipping = order.shippingInfo or _NO_SHIPPING
        address = shipping.postalAddress
        return (
            self.channel,
            number,
            text(order.customerOrderId),
            ordered_at,
            updated,
            customer(order.buyerId, order.customerEmailId),
            status,
            fulfillment,
            _FULFILLED_BY.get(node.upper()),
            currency,
            *_amounts(lines),
            alpha2(address.country) if address else None,
            text(address.state) if address else None,
            kind == "REPLACEMENT",
            False,
            updated if status == "cancelled" else None,
            optional_micros(shipping.estimatedShipDate, "estimatedShipDate", self.note),
            optional_micros(shipping.estimatedDeliveryDate, "estimatedDeliveryDate", self.note),
            last([line.sent for line in lines if line.rank is not None]) if status == "completed" else None,
            last([line.arrived for line in lines if line.rank is not None]),
        )

    def _item(self, number: str, line_id: str, source: OrderLine, line: LineSums) -> tuple[Any, ...]:
        item = source.item
        return (
            self.channel,
            number,
            line_id,
            text(item.sku, "item.sku") if item else None,
            None,
            text(item.productName, "item.productName") if item else None,
            line.quantity,
            line.cancelled,
            line.refunded_units if line.refunded_units is not None or line.refunded else 0,
            share(line.gross, line.quantity) if line.priced and line.quantity else None,
            line.discount + line.shipping_discount if line.stated else None,
            line.tax if line.stated else None,
            line.total if line.stated else None,
            line.refunded,
            line.gross - line.discount if line.priced else None,
            line.refunded_net,
            False,
            False,
        )

    def _settle_per_unit(self, order: Order, lines: list[LineSums]) -> None:
        stated = order.orderSummary.totalAmount if order.orderSummary else None
        if stated is None or not stated.currencyAmount or all(line.quantity < 2 for line in lines):
            return
        said = stated.currencyAmount
        whole = sum((line.total for line in lines), ZERO)
        each = sum((line.total * max(line.quantity, 1) for line in lines), ZERO)
        tax = sum((line.tax for line in lines), ZERO)
        tax_each = sum((line.tax * max(line.quantity, 1) for line in lines), ZERO)
        if said in (each, each - tax_each) and said not in (whole, whole - tax):
            for line in lines:
                line.times(max(line.quantity, 1))
            self.notes[_PER_UNIT] = None


def _amounts(lines: list[LineSums]) -> tuple[Decimal | None, ...]:
    """subtotal, discount, shipping, tax, total and refunded of an order; null where no line says."""
    subtotal = discount = shipping = tax = total = refunded = ZERO
    stated = priced = False
    for line in lines:
        stated = stated or line.stated
        priced = priced or line.priced
        subtotal += line.gross
        discount += line.discount + line.shipping_discount
        shipping += line.shipping
        tax += line.tax
        total += line.total
        refunded += line.refunded
    if not stated:
        return None, None, None, None, None, refunded
    return subtotal if priced else None, discount, shipping, tax, money(total, "charges"), refunded


def _line_numbers(lines: list[OrderLine]) -> list[str]:
    numbers = [text(line.lineNumber) for line in lines]
    if None in numbers:
        raise FieldError("orderLines.orderLine.lineNumber", "missing")
    if len(set(numbers)) != len(numbers):
        raise FieldError("orderLines.orderLine.lineNumber", "two lines have the same number")
    return [number for number in numbers if number is not None]


def _status(lines: list[LineSums]) -> tuple[str, str | None]:
    """(canonical status, fulfillment status) of an order by its least advanced line that is not cancelled."""
    alive = [line for line in lines if line.rank is not None]
    if not alive:
        return "cancelled", "CANCELLED"
    least, most = min(line.rank or 0 for line in alive), max(line.best or 0 for line in alive)
    if least >= 3:
        return "completed", "SHIPPED" if least == 3 else "DELIVERED"
    if most >= 3:
        return "open", "PARTIALLY_SHIPPED"
    return "open", {0: None, 1: "CREATED", 2: "ACKNOWLEDGED"}[least]


def _summary_currency(order: Order) -> str | None:
    total = order.orderSummary.totalAmount if order.orderSummary else None
    return text(total.currencyUnit) if total else None
