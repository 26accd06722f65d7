"""Walmart return orders → returns, and the refunded units of order lines → refunds.

Amounts in a return are per unit: × refundedQty, discounts taken off, charges that are not billable left out. Cents lost
by that are taken from the line's own total where it has one.

A row of `refunds` says what the buyer got back, how many units and when. The order states the same money once more
(`orderLine.refund`, see `normalize_orders.py`), as long as it is visible: 180 days. What is kept for a line is the
larger of what its order states and what its returns add up to, so money is never counted twice and refunds of older
orders are not lost. A REPLACEMENT return gives back no money and refunds no unit.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.walmart.gather import Gathered
from connectors.walmart.payload import Raw, find, parse, within
from connectors.walmart.shapes import CurrencyAmount, ReturnLine, ReturnOrder, ReturnPage
from connectors.walmart.values import FieldError, count, micros, money, text

ZERO = Decimal(0)
_CENTS = Decimal("0.02")  # one for the price, one for its tax
_DECODER = msgspec.json.Decoder(ReturnPage)
_KNOWN_STATUSES = frozenset(
    ["INITIATED", "DELIVERED", "COMPLETED", "CANCELLED", "CANCELED", "RETURN_CANCELLED"]
)


def returns(page: Page, context: Context) -> Normalized:
    """Return lines of one page of `/v3/returns`; one row per (returnOrderId, returnOrderLineNumber).

    Raises ProtocolError when the page cannot be parsed at all; one bad return is refused alone.
    """
    return _Returns(context).add_page(page.body, _decode, records).normalized()


def returns_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Returns of decoded records."""
    return _Returns(context).add_all(raws).normalized()


def _decode(body: bytes) -> list[ReturnOrder]:
    found = _DECODER.decode(body).returnOrders
    if not all(order.returnOrderLines for order in found):
        raise msgspec.ValidationError("a record in an unusual shape")
    return found


def records(body: bytes) -> list[Raw]:
    """The return order objects in a body."""
    return find_returns(parse(body, "walmart returns"))


def find_returns(parsed: Any) -> list[Raw]:
    """The return order objects in decoded JSON or XML, whatever wraps them."""
    listed = within(parsed, "returnOrders")
    if listed is not None:
        return listed
    return list(find(parsed, lambda names: {"returnorderid", "returnorderlines"} <= names)) or list(
        find(parsed, lambda names: "returnorderid" in names)
    )


class _Returns(Gathered):
    frames = ("returns", "refunds")
    shape = ReturnOrder
    shapes = (ReturnOrder,)
    identity = "returnOrderId"

    def add(self, order: ReturnOrder) -> None:
        """Appends the rows of one return order, all or none. Raises FieldError."""
        number = text(order.returnOrderId)
        if number is None:
            raise FieldError("returnOrderId", "missing")
        lines = order.returnOrderLines or []
        if not lines:
            raise FieldError("returnOrderLines", "a return without lines")
        returned_at = micros(order.returnOrderDate, "returnOrderDate")
        is_replacement = (order.returnType or "").strip().upper() == "REPLACEMENT"
        returned, refunded = [], []
        for line in lines:
            row, refund = self._line(number, line, returned_at, is_replacement)
            returned.append(row)
            if refund is not None:
                refunded.append(refund)
        self.rows["returns"] += returned
        self.rows["refunds"] += refunded
        self.records += 1

    def _line(
        self, number: str, line: ReturnLine, returned_at: int | None, is_replacement: bool
    ) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
        line_number = text(line.returnOrderLineNumber)
        if line_number is None:
            raise FieldError("returnOrderLines.returnOrderLineNumber", "missing")
        order_id, order_line = text(line.purchaseOrderId), text(line.purchaseOrderLineNumber)
        quantity = count(
            line.quantity.measurementValue if line.quantity else None, "quantity.measurementValue"
        )
        refunded = count(line.refundedQty, "refundedQty") or 0
        given = _given_back(line, quantity, refunded)
        if is_replacement:
            given = _Given(ZERO, ZERO, given.currency)
        status = text(line.status)
        if status and status.upper() not in _KNOWN_STATUSES:
            self.note("returns.status", status)
        updated = micros(line.statusTime, "statusTime") or returned_at
        row = (
            self.channel,
            number,
            line_number,
            order_id,
            order_line,
            text(line.item.sku, "item.sku") if line.item else None,
            quantity,
            refunded,
            given.amount,
            given.currency,
            text(line.returnReason),
            status,
            returned_at,
            updated,
        )
        if refunded <= 0 or is_replacement or order_id is None or order_line is None or updated is None:
            return row, None
        refund_id = f"return-{number}-{line_number}"
        return row, (
            self.channel,
            order_id,
            refund_id,
            order_line,
            refunded,
            given.amount,
            given.net,
            given.currency,
            updated,
            updated,
        )


@dataclass(frozen=True)
class _Given:
    """What the buyer got back for a line; null where no charge says."""

    amount: Decimal | None  # tax and shipping included
    net: Decimal | None  # its part for the goods, before tax
    currency: str | None


def _given_back(line: ReturnLine, quantity: int | None, refunded: int) -> _Given:
    amount, net, currency, stated = ZERO, ZERO, None, False
    for charge in line.charges or ():
        price = charge.chargePerUnit
        if charge.isBillable is False or price is None or price.currencyAmount is None:
            continue
        stated = True
        currency = currency or text(price.currencyUnit)
        sign = -1 if charge.isDiscount else 1
        unit = _amount(price)
        tax = sum((_amount(tax.taxPerUnit) for tax in charge.tax or ()), ZERO)
        amount += sign * abs(unit + tax) if charge.isDiscount else unit + tax
        if (charge.chargeCategory or "PRODUCT").strip().upper() == "PRODUCT":
            net += sign * abs(unit) if charge.isDiscount else unit
    if not stated:
        return _Given(None, None, None)
    totals = _totals(line) if refunded == quantity else {}
    return _Given(
        _exact(amount * refunded, totals.get("linetotal"), refunded),
        _exact(net * refunded, totals.get("lineunitprice"), refunded),
        currency,
    )


def _totals(line: ReturnLine) -> dict[str, Decimal]:
    return {
        total.name.strip().lower(): _amount(total.value)
        for total in line.chargeTotals or ()
        if total.name and total.value
    }


def _exact(computed: Decimal, stated: Decimal | None, units: int) -> Decimal:
    """The stated total of a line where it differs from units times the price of one by rounding alone."""
    if stated is not None and abs(stated - computed) <= _CENTS * units:
        return stated
    return computed


def _amount(value: CurrencyAmount | None) -> Decimal:
    if value is None or value.currencyAmount is None:
        return ZERO
    return money(value.currencyAmount, "charges.chargePerUnit.currencyAmount")
