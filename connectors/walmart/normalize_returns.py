"""Walmart return orders → returns, and the refunded units of order lines → refunds.

Amounts in a return are per unit: × refundedQty, discounts taken off, charges that are not billable left out.
The order payload already states what a line's buyer got back (`orderLine.refund`, see `normalize_orders.py`), so
rows of `refunds` made here carry units with an amount of zero: the money is counted once, the units are dated.
A REPLACEMENT return gives back no money and refunds no unit.
"""

from decimal import Decimal
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import Normalized, Rejected
from connectors.walmart.normalize_orders import frame
from connectors.walmart.payload import UNUSUAL, Raw, blame, find, member, parse, refuse, within
from connectors.walmart.shapes import CurrencyAmount, ReturnLine, ReturnOrder, ReturnPage, convert
from connectors.walmart.values import FieldError, count, micros, money, shown, text

ZERO = Decimal(0)
_DECODER = msgspec.json.Decoder(ReturnPage)
_KNOWN_STATUSES = frozenset(
    ["INITIATED", "DELIVERED", "COMPLETED", "CANCELLED", "CANCELED", "RETURN_CANCELLED"]
)


def returns(page: Page, context: Context) -> Normalized:
    """Return lines of one page of `/v3/returns`; one row per (returnOrderId, returnOrderLineNumber).

    Raises ProtocolError when the page cannot be parsed at all; one bad return is refused alone.
    """
    rows = _Rows(context.home.name)
    raws: list[Raw] | None = None
    try:
        found = _DECODER.decode(page.body).returnOrders
        if not all(order.returnOrderLines for order in found):
            raise msgspec.ValidationError("a record in an unusual shape")
    except UNUSUAL:
        rows.add_raw(records(page.body))
    else:
        for index, order in enumerate(found):
            try:
                rows.add(order)
            except FieldError as error:
                raws = raws or records(page.body)
                rows.refuse(raws[index], error.field, error.reason)
    return rows.normalized()


def returns_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Returns of decoded records."""
    rows = _Rows(context.home.name)
    rows.add_raw(raws)
    return rows.normalized()


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


class _Rows:
    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.returns: list[tuple[Any, ...]] = []
        self.refunds: list[tuple[Any, ...]] = []
        self.rejected: list[Rejected] = []
        self.notes: dict[str, None] = {}
        self.records = 0

    def add_raw(self, raws: list[Raw]) -> None:
        for raw in raws:
            try:
                self.add(convert(raw, ReturnOrder))
            except msgspec.ValidationError as error:
                self.refuse(raw, *blame(error))
            except FieldError as error:
                self.refuse(raw, error.field, error.reason)

    def refuse(self, raw: Raw, field_name: str, reason: str) -> None:
        self.records += 1
        self.rejected.append(refuse(raw, member(raw, "returnOrderId"), field_name, reason))

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
        self.returns += returned
        self.refunds += refunded
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
        per_unit, currency = _per_unit(line)
        amount = ZERO if is_replacement else None if per_unit is None else per_unit * refunded
        status = text(line.status)
        if status and status.upper() not in _KNOWN_STATUSES:
            self.notes[f"unknown value {shown(status)} in returns.status"] = None
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
            amount,
            currency,
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
            ZERO,
            ZERO,
            currency,
            updated,
            updated,
        )

    def normalized(self) -> Normalized:
        return Normalized(
            frames={"returns": frame("returns", self.returns), "refunds": frame("refunds", self.refunds)},
            rejected=tuple(self.rejected),
            notes=tuple(self.notes),
            records=self.records,
        )


def _per_unit(line: ReturnLine) -> tuple[Decimal | None, str | None]:
    """What is given back for one unit, tax included, and its currency; (None, None) when no charge says."""
    total, currency, stated = ZERO, None, False
    for charge in line.charges or ():
        price = charge.chargePerUnit
        if charge.isBillable is False or price is None or price.currencyAmount is None:
            continue
        stated = True
        currency = currency or text(price.currencyUnit)
        part = _amount(price) + sum((_amount(tax.taxPerUnit) for tax in charge.tax or ()), ZERO)
        total += -abs(part) if charge.isDiscount else part
    return (total, currency) if stated else (None, None)


def _amount(value: CurrencyAmount | None) -> Decimal:
    if value is None or value.currencyAmount is None:
        return ZERO
    return money(value.currencyAmount, "charges.chargePerUnit.currencyAmount")
