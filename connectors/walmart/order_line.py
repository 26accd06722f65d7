"""One line of a Walmart order, added up: what its charges, statuses and refunds say.

- A line's charges are taken as totals of the line, not per unit: Walmart does not say which.
- Discounts are the charges that are negative or called so; every amount kept here is positive.
- Refunds are usually negative and sometimes positive: what the buyer got back has one sign here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from connectors.walmart.shapes import Charge, OrderLine, Refund, Tax
from connectors.walmart.values import FieldError, count, micros, money, text

ZERO = Decimal(0)
# How far a line has come; what is not known counts as acknowledged.
RANKS = {"CREATED": 1, "ACKNOWLEDGED": 2, "SHIPPED": 3, "DELIVERED": 4, "REFUND": 4, "REFUNDED": 4}
_UNKNOWN_RANK = 2
_CANCELLED = frozenset(["CANCELLED", "CANCELED"])
_REFUNDED = frozenset(["REFUND", "REFUNDED"])

Note = Callable[[str, str], None]  # (where, unknown value)


@dataclass(slots=True)
class LineSums:
    """What one line adds up to; money of the whole line in `currency`."""

    quantity: int
    updated: int | None = None
    sent: int | None = None  # when the last of it was handed to a carrier, where each part of it says so
    cancelled: int = 0
    refunded_units: int | None = None
    rank: int | None = (
        0  # of the least advanced unit that is not cancelled; None when all are, 0 without a status
    )
    best: int = 0  # of the most advanced one
    currency: str | None = None
    stated: bool = False  # the source names any amount
    priced: bool = False  # … and one for the product
    gross: Decimal = ZERO
    discount: Decimal = ZERO
    shipping: Decimal = ZERO
    shipping_discount: Decimal = ZERO
    other: Decimal = ZERO  # fees and what we cannot name: part of what the buyer paid
    tax: Decimal = ZERO
    refunded: Decimal = ZERO  # what the buyer got back
    refunded_net: Decimal = ZERO  # the part of it that undoes the product's price

    @property
    def arrived(self) -> int | None:
        """When the last of it was delivered. A line with a refund says when that was: its status has one date."""
        is_delivered = self.rank == RANKS["DELIVERED"] and not self.refunded_units and not self.refunded
        return self.updated if is_delivered else None

    @property
    def total(self) -> Decimal:
        """What the buyer paid for the line."""
        return self.gross - self.discount + self.shipping - self.shipping_discount + self.other + self.tax

    def times(self, factor: int) -> None:
        """Read the charges as per unit."""
        for name in ("gross", "discount", "shipping", "shipping_discount", "other", "tax"):
            setattr(self, name, getattr(self, name) * factor)


def add_up(source: OrderLine, note: Note) -> LineSums:
    """The sums of one line. Raises FieldError for a value that cannot be read."""
    statuses = _statuses(source)
    quantity = (
        count(source.orderLineQuantity.amount, "orderLineQuantity") if source.orderLineQuantity else None
    )
    if quantity is None:
        known = [units for _, units in statuses if units is not None]
        if not known:
            raise FieldError("orderLineQuantity", "missing")
        quantity = sum(known)
    if quantity < 0:
        raise FieldError("orderLineQuantity", f"negative: {quantity}")
    line = LineSums(quantity, micros(source.statusDate, "statusDate"), _sent(source, note))
    _add_statuses(line, statuses, note)
    if source.charges and source.charges.charge:
        for charge in source.charges.charge:
            if charge is not None and charge.chargeAmount and charge.chargeAmount.amount is not None:
                _add_charge(line, charge, charge.chargeAmount.amount, note)
    refunds = source.refund if isinstance(source.refund, list) else [source.refund] if source.refund else []
    for refund in (*refunds, *((source.refunds and source.refunds.refund) or ())):
        _add_refund(line, refund)
    return line


def optional_micros(value: str | int | None, field: str, note: Note) -> int | None:
    """`micros` of a value that nothing depends on: None, and a note, where it cannot be read."""
    try:
        return micros(value, field)
    except FieldError:
        note(f"orders.{field}", str(value))
        return None


def _sent(source: OrderLine, note: Note) -> int | None:
    given = source.orderLineStatuses.orderLineStatus if source.orderLineStatuses else None
    sent = [
        optional_micros(entry.trackingInfo.shipDateTime, "shipDateTime", note) if entry.trackingInfo else None
        for entry in given or ()
        if (entry.status or "").strip().upper() not in _CANCELLED
    ]
    return last(sent)


def last(instants: list[int | None]) -> int | None:
    """The newest; None unless all are known."""
    known = [at for at in instants if at is not None]
    return max(known) if known and len(known) == len(instants) else None


def _statuses(source: OrderLine) -> list[tuple[str, int | None]]:
    given = source.orderLineStatuses.orderLineStatus if source.orderLineStatuses else None
    return [
        (
            entry.status.strip(),
            count(entry.statusQuantity.amount, "statusQuantity") if entry.statusQuantity else None,
        )
        for entry in given or ()
        if entry.status
    ]


def _add_statuses(line: LineSums, statuses: list[tuple[str, int | None]], note: Note) -> None:
    ranks = []
    is_cancelled = False
    for name, units in statuses:
        # A single status without a quantity speaks for the whole line; zero units among several for nothing.
        amount = units if units is not None else line.quantity if len(statuses) == 1 else 0
        folded = name.upper()
        if folded in _CANCELLED:
            line.cancelled += amount
            is_cancelled = True
            continue
        if folded in _REFUNDED:
            line.refunded_units = (line.refunded_units or 0) + amount
        elif folded not in RANKS:
            note("orders.orderLineStatus.status", name)
        if amount or len(statuses) == 1:
            ranks.append(RANKS.get(folded, _UNKNOWN_RANK))
    if is_cancelled and line.cancelled >= line.quantity:
        line.cancelled, line.rank = line.quantity, None
    elif ranks:
        line.rank, line.best = min(ranks), max(ranks)


def _add_charge(line: LineSums, charge: Charge, amount: Decimal, note: Note) -> None:
    amount = money(amount, "charge.chargeAmount.amount")
    line.stated = True
    if line.currency is None:
        line.currency = _currency(charge)
    if charge.tax is not None:
        line.tax += _tax(charge)
    kind = (charge.chargeType or "").strip().upper()
    name = (charge.chargeName or "").lower()
    is_discount = amount < 0 or "discount" in name
    if kind == "DISCOUNT":  # other countries' Walmarts name discounts by type
        kind, is_discount = "SHIPPING" if name.startswith("ship") else "PRODUCT", True
    if kind == "PRODUCT":
        if is_discount:
            line.discount += abs(amount)
        else:
            line.gross += amount
            line.priced = True
    elif kind == "SHIPPING":
        if is_discount:
            line.shipping_discount += abs(amount)
        else:
            line.shipping += amount
    elif kind == "TAX":
        line.tax += amount
    else:
        line.other += amount
        if kind != "FEE":
            note("orders.charge.chargeType", charge.chargeType or "(none)")


def _add_refund(line: LineSums, refund: Refund) -> None:
    for entry in (refund.refundCharges.refundCharge if refund.refundCharges else None) or ():
        charges = entry.charge if entry is not None else None
        for charge in charges if isinstance(charges, list) else [charges] if charges else []:
            given = charge.chargeAmount.amount if charge.chargeAmount else None
            part = abs(money(given or ZERO, "refundCharge.charge.chargeAmount.amount"))
            line.refunded += part + abs(_tax(charge))
            if (charge.chargeType or "PRODUCT").strip().upper() == "PRODUCT":
                line.refunded_net += part
            line.currency = line.currency or _currency(charge)


def _currency(charge: Charge) -> str | None:
    return text(charge.chargeAmount.currency) if charge.chargeAmount else None


def _tax(charge: Charge) -> Decimal:
    taxes: list[Tax] = charge.tax if isinstance(charge.tax, list) else [charge.tax] if charge.tax else []
    total = ZERO
    for tax in taxes:
        if tax.taxAmount and tax.taxAmount.amount is not None:
            total += money(tax.taxAmount.amount, "tax.taxAmount.amount")
    return total
