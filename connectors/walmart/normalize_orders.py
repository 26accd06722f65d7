"""Walmart purchase orders → orders, order_items, refunds. One order per purchaseOrderId.

Money is in the charges' currency.

Readings that Walmart does not document, and what makes either answer safe:

- A line's charges are taken as totals of the line, not per unit. Where `orderSummary` states a total that only the
  per-unit reading reaches, that reading is taken and noted.
- `refund` of a line is its whole refunded state. It is dated by the line's `statusDate`, the only date there is,
  and becomes one row of `refunds` per refundId (or one for the line): written again, it replaces itself.
  It carries money and no quantity. Quantities come from `/v3/returns`, whose rows of `refunds` carry units and
  no money (`normalize_returns.py`), so the two never count the same dollar or unit twice.
- Cancelled lines come with zero charges: their revenue is zero and their units stand in `cancelled_quantity`.
- There is no updated-at: `source_updated_at` is the newest statusDate, else the order date.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import SCHEMAS, Normalized, Rejected, from_columns
from connectors.walmart.countries import alpha2
from connectors.walmart.payload import Raw, blame, find, member, parse, refuse, within
from connectors.walmart.shapes import Charge, Order, OrderLine, OrderPage, Refund, Tax, convert
from connectors.walmart.values import FieldError, count, customer, micros, money, share, text

ZERO = Decimal(0)
_RANKS = {"CREATED": 1, "ACKNOWLEDGED": 2, "SHIPPED": 3, "DELIVERED": 4, "REFUND": 4, "REFUNDED": 4}
_CANCELLED = frozenset(["CANCELLED", "CANCELED"])
_REFUNDED = frozenset(["REFUND", "REFUNDED"])
_FULFILLED_BY = {"WFSFULFILLED": "marketplace", "SELLERFULFILLED": "merchant", "3PLFULFILLED": "merchant"}
_CHARGE_TYPES = frozenset(["PRODUCT", "SHIPPING", "FEE", "TAX"])
_PER_UNIT = "charges of lines with several units were per unit: orderSummary says so"
_DECODER = msgspec.json.Decoder(OrderPage)


def orders(page: Page, context: Context) -> Normalized:
    """Orders of one page of `/v3/orders`, of a single order, a webhook event or a bare list; JSON or XML.

    Raises ProtocolError when the page cannot be parsed at all; one bad order is refused alone.
    """
    rows = _Rows(context.home.name)
    raws: list[Raw] | None = None
    try:
        found = _DECODER.decode(page.body).list.elements.order
        if not all(order.orderDate and order.orderLines for order in found):
            raise msgspec.ValidationError("a record in an unusual shape")
    except (msgspec.DecodeError, UnicodeDecodeError):
        raws = records(page.body)
        rows.add_raw(raws)
    else:
        for index, order in enumerate(found):
            try:
                rows.add(order)
            except FieldError as error:
                raws = raws or records(page.body)
                rows.refuse(raws[index], error.field, error.reason)
    return rows.normalized()


def orders_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Orders of decoded records in any of the shapes `orders` accepts."""
    rows = _Rows(context.home.name)
    rows.add_raw(raws)
    return rows.normalized()


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


@dataclass
class _Line:
    """What the charges and statuses of one line add up to."""

    quantity: int
    cancelled: int = 0
    refunded_units: int | None = None
    rank: int | None = None  # least advanced of the units that are not cancelled
    best: int | None = None  # most advanced
    currency: str | None = None
    stated: bool = False  # the source names any amount
    priced: bool = False  # … and one for the product
    gross: Decimal = ZERO
    discount: Decimal = ZERO
    shipping: Decimal = ZERO
    shipping_discount: Decimal = ZERO
    other: Decimal = ZERO
    tax: Decimal = ZERO
    refunds: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)  # id, amount, net part
    updated: int | None = None

    @property
    def total(self) -> Decimal:
        return self.gross - self.discount + self.shipping - self.shipping_discount + self.other + self.tax

    def times(self, factor: int) -> None:
        """Read the charges as per unit."""
        for name in ("gross", "discount", "shipping", "shipping_discount", "other", "tax"):
            setattr(self, name, getattr(self, name) * factor)


class _Rows:
    """Rows of the three frames, gathered order by order."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.orders: list[tuple[Any, ...]] = []
        self.items: list[tuple[Any, ...]] = []
        self.refunds: list[tuple[Any, ...]] = []
        self.rejected: list[Rejected] = []
        self.notes: dict[str, None] = {}
        self.records = 0

    def add_raw(self, raws: Iterable[Raw]) -> None:
        for raw in raws:
            try:
                self.add(convert(raw, Order))
            except msgspec.ValidationError as error:
                self.refuse(raw, *blame(error))
            except FieldError as error:
                self.refuse(raw, error.field, error.reason)

    def refuse(self, raw: Raw, field_name: str, reason: str) -> None:
        self.records += 1
        key = text(str(member(raw, "purchaseOrderId") or "")) or "unknown"
        self.rejected.append(refuse(raw, key, field_name, reason))

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
        lines = [self._line(line) for line in source_lines]
        self._settle_per_unit(order, lines)
        numbers = _line_numbers(source_lines)
        currencies = {line.currency for line in lines if line.currency}
        if len(currencies) > 1:
            raise FieldError("charge.chargeAmount.currency", f"several currencies: {sorted(currencies)}")
        currency = next(iter(currencies), None) or _summary_currency(order)
        updated = max((line.updated for line in lines if line.updated), default=ordered_at)
        row = self._order(order, number, (ordered_at, updated), currency, lines)
        items = [self._item(number, *parts) for parts in zip(numbers, source_lines, lines, strict=True)]
        self.orders.append(row)
        self.items += items
        for line_id, line in zip(numbers, lines, strict=True):
            at = line.updated or updated
            self.refunds += [
                (
                    self.channel,
                    number,
                    refund_id or f"line-{line_id}",
                    line_id,
                    None,
                    amount,
                    net,
                    currency,
                    at,
                    at,
                )
                for refund_id, amount, net in line.refunds
            ]
        self.records += 1

    def _order(
        self, order: Order, number: str, at: tuple[int, int], currency: str | None, lines: list[_Line]
    ) -> tuple[Any, ...]:
        ordered_at, updated = at
        status, fulfillment = _status(lines)
        stated = any(line.stated for line in lines)
        node = ((order.shipNode and order.shipNode.type) or "").strip()
        if node and node.upper() not in _FULFILLED_BY:
            self.note("orders.shipNode.type", node)
        kind = (order.orderType or "REGULAR").strip().upper()
        if kind not in ("REGULAR", "REPLACEMENT", "PREORDER"):
            self.note("orders.orderType", kind)
        address = order.shippingInfo.postalAddress if order.shippingInfo else None
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
            sum((line.gross for line in lines), ZERO) if any(line.priced for line in lines) else None,
            sum((line.discount + line.shipping_discount for line in lines), ZERO) if stated else None,
            sum((line.shipping for line in lines), ZERO) if stated else None,
            sum((line.tax for line in lines), ZERO) if stated else None,
            money(sum((line.total for line in lines), ZERO), "charges") if stated else None,
            sum((amount for line in lines for _, amount, _ in line.refunds), ZERO),
            alpha2(address.country) if address else None,
            text(address.state) if address else None,
            kind == "REPLACEMENT",
            False,
            updated if status == "cancelled" else None,
        )

    def _item(self, number: str, line_id: str, source: OrderLine, line: _Line) -> tuple[Any, ...]:
        item = source.item
        discount = line.discount + line.shipping_discount
        refunded = sum((amount for _, amount, _ in line.refunds), ZERO)
        return (
            self.channel,
            number,
            line_id,
            text(item.sku, "item.sku") if item else None,
            None,
            text(item.productName, "item.productName") if item else None,
            line.quantity,
            line.cancelled,
            line.refunded_units if line.refunded_units is not None or line.refunds else 0,
            share(line.gross, line.quantity) if line.priced and line.quantity else None,
            discount if line.stated else None,
            line.tax if line.stated else None,
            line.total if line.stated else None,
            refunded,
            line.gross - line.discount if line.priced else None,
            sum((net for _, _, net in line.refunds), ZERO),
            False,
            False,
        )

    def _line(self, source: OrderLine) -> _Line:
        statuses = _statuses(source)
        quantity = count(
            source.orderLineQuantity.amount if source.orderLineQuantity else None, "orderLineQuantity"
        )
        if quantity is None:
            known = [units for _, units in statuses if units is not None]
            if not known:
                raise FieldError("orderLineQuantity", "missing")
            quantity = sum(known)
        if quantity < 0:
            raise FieldError("orderLineQuantity", f"negative: {quantity}")
        line = _Line(quantity, updated=micros(source.statusDate, "statusDate"))
        self._read_statuses(line, statuses)
        for charge in (source.charges.charge if source.charges else None) or ():
            if charge is not None:
                self._read_charge(line, charge)
        given = source.refund if isinstance(source.refund, list) else [source.refund] if source.refund else []
        for index, refund in enumerate([*given, *((source.refunds and source.refunds.refund) or ())]):
            self._read_refund(line, refund, index)
        return line

    def _read_statuses(self, line: _Line, statuses: list[tuple[str, int | None]]) -> None:
        ranks = []
        for name, units in statuses:
            # A single status without a quantity speaks for the whole line; zero units speak for nothing.
            amount = units if units is not None else line.quantity if len(statuses) == 1 else 0
            folded = name.upper()
            if folded in _CANCELLED:
                line.cancelled += amount
                continue
            if folded in _REFUNDED:
                line.refunded_units = (line.refunded_units or 0) + amount
            elif folded not in _RANKS:
                self.note("orders.orderLineStatus.status", name)
            if amount or len(statuses) == 1:
                ranks.append(_RANKS.get(folded, 2))
        cancelled_whole = line.cancelled >= line.quantity and any(
            name.upper() in _CANCELLED for name, _ in statuses
        )
        line.cancelled = min(line.cancelled, line.quantity)
        if ranks and not cancelled_whole:
            line.rank, line.best = min(ranks), max(ranks)
        elif not cancelled_whole:
            line.rank = line.best = 0  # no status at all

    def _read_charge(self, line: _Line, charge: Charge) -> None:
        amount = charge.chargeAmount.amount if charge.chargeAmount else None
        if amount is None:
            return
        amount = money(amount, "charge.chargeAmount.amount")
        line.stated = True
        line.currency = line.currency or _currency(charge)
        line.tax += _tax(charge)
        kind = (charge.chargeType or "").strip().upper()
        is_discount = amount < 0 or "discount" in (charge.chargeName or "").lower()
        if kind == "PRODUCT" and is_discount:
            line.discount += abs(amount)
        elif kind == "PRODUCT":
            line.gross += amount
            line.priced = True
        elif kind == "SHIPPING" and is_discount:
            line.shipping_discount += abs(amount)
        elif kind == "SHIPPING":
            line.shipping += amount
        elif kind == "TAX":
            line.tax += amount
        else:
            line.other += amount
            if kind not in _CHARGE_TYPES:
                self.note("orders.charge.chargeType", charge.chargeType or "")

    def _read_refund(self, line: _Line, refund: Refund, index: int) -> None:
        """Adds a refund's positive amount and the part of it that undoes the product's price."""
        amount = net = ZERO
        for entry in (refund.refundCharges.refundCharge if refund.refundCharges else None) or ():
            charges = entry.charge if entry is not None else None
            for charge in charges if isinstance(charges, list) else [charges] if charges else []:
                given = charge.chargeAmount.amount if charge.chargeAmount else None
                # Usually negative, sometimes positive; what the buyer got back has one sign here.
                part = abs(money(given or ZERO, "refundCharge.charge.chargeAmount.amount"))
                amount += part + abs(_tax(charge))
                if (charge.chargeType or "PRODUCT").strip().upper() == "PRODUCT":
                    net += part
                line.currency = line.currency or _currency(charge)
        if amount:
            line.refunds.append(
                (text(refund.refundId) or ("" if index == 0 else f"refund-{index + 1}"), amount, net)
            )

    def _settle_per_unit(self, order: Order, lines: list[_Line]) -> None:
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

    def note(self, where: str, value: str) -> None:
        self.notes[f"unknown value {value} in {where}"] = None

    def normalized(self) -> Normalized:
        return Normalized(
            frames={
                "orders": frame("orders", self.orders),
                "order_items": frame("order_items", self.items),
                "refunds": frame("refunds", self.refunds),
            },
            rejected=tuple(self.rejected),
            notes=tuple(self.notes),
            records=self.records,
        )


def frame(name: str, rows: list[tuple[Any, ...]]) -> Any:
    """A canonical frame of row tuples in the schema's column order."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in SCHEMAS[name])
    return from_columns(dict(zip(SCHEMAS[name], map(list, columns), strict=True)), name)


def _statuses(source: OrderLine) -> list[tuple[str, int | None]]:
    given = (source.orderLineStatuses.orderLineStatus if source.orderLineStatuses else None) or []
    return [
        (
            (entry.status or "").strip(),
            count(entry.statusQuantity.amount if entry.statusQuantity else None, "statusQuantity"),
        )
        for entry in given
        if entry.status
    ]


def _line_numbers(lines: list[OrderLine]) -> list[str]:
    numbers = [text(line.lineNumber) for line in lines]
    if None in numbers:
        raise FieldError("orderLines.orderLine.lineNumber", "missing")
    if len(set(numbers)) != len(numbers):
        raise FieldError("orderLines.orderLine.lineNumber", "two lines have the same number")
    return [number for number in numbers if number is not None]


def _status(lines: list[_Line]) -> tuple[str, str | None]:
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


def _currency(charge: Charge) -> str | None:
    return text(charge.chargeAmount.currency) if charge.chargeAmount else None


def _tax(charge: Charge) -> Decimal:
    taxes: list[Tax] = charge.tax if isinstance(charge.tax, list) else [charge.tax] if charge.tax else []
    amounts = [tax.taxAmount.amount for tax in taxes if tax.taxAmount and tax.taxAmount.amount is not None]
    return sum((money(amount, "tax.taxAmount.amount") for amount in amounts), ZERO)


def _summary_currency(order: Order) -> str | None:
    total = order.orderSummary.totalAmount if order.orderSummary else None
    return text(total.currencyUnit) if total else None
