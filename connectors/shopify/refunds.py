"""What the refunds of an order gave back: units and money of its lines, and money beyond them.

- A refund's money beyond its lines (shipping, goodwill) belongs to no line. One that pays back less than its lines are
  worth (restocking fee, nothing was paid yet) keeps the lines' worth: they are what undoes the revenue.
- A line's subtotal is its price after discounts, so it has the tax in it where prices do.
"""

from decimal import Decimal

from connectors.shopify.find import ref_number
from connectors.shopify.money import amount, number
from connectors.shopify.shapes import Connection, Order, OrderReturns, Refund, RefundLineItem

Refunded = dict[str, tuple[int, Decimal, Decimal]]  # line id: units, money, money without tax


def refunds_of(order: Order | OrderReturns) -> list[Refund]:
    """An order's refunds: a plain list in the API, a connection in some stored payloads."""
    if order.refunds is None:
        return []
    return order.refunds.items() if isinstance(order.refunds, Connection) else order.refunds


def money_back(refund: Refund, tax_included: bool | None) -> tuple[Decimal, list[Decimal]]:
    """What a refund gave back, tax included: in all, and for each of its lines in their order.

    Where nobody says whether prices include tax, the refund's own total tells.
    """
    lines = refund.refund_line_items.items() if refund.refund_line_items else []
    parts = [_refunded_amounts(line) for line in lines]
    goods, tax = sum((part[0] for part in parts), Decimal(0)), sum((part[1] for part in parts), Decimal(0))
    stated = amount(refund.total_refunded_set)
    if tax_included is None:
        tax_included = bool(tax) and stated is not None and number(stated, "totalRefundedSet") == goods
    by_line = [part[0] + (Decimal(0) if tax_included else part[1]) for part in parts]
    return refund_total(refund, refund_lines(refund, tax_included)), by_line


def tells_refunded_lines(order: Order) -> bool:
    """Whether the order says of each line what was refunded of it; else that is not known, rather than zero."""
    return order.refunds is not None and all(
        refund.refund_line_items is not None and not refund.refund_line_items.is_partial
        for refund in refunds_of(order)
    )


def refund_lines(refund: Refund, tax_included: bool) -> Refunded:
    """One entry a line: the same line can stand in a refund several times, restocked or not."""
    lines: Refunded = {}
    if refund.refund_line_items is None:
        return lines
    for item in refund.refund_line_items.items():
        line_id = ref_number(item.line_item)
        if line_id is None:
            continue
        subtotal, tax = _refunded_amounts(item)
        # The subtotal is the lines' price after discounts, so it has the tax in it where prices do.
        money, net = (subtotal, subtotal - tax) if tax_included else (subtotal + tax, subtotal)
        units, so_far, so_far_net = lines.get(line_id, (0, Decimal(0), Decimal(0)))
        lines[line_id] = (units + item.quantity, so_far + money, so_far_net + net)
    return lines


def _refunded_amounts(item: RefundLineItem) -> tuple[Decimal, Decimal]:
    """A refunded line's price after discounts, and its tax."""
    subtotal = number(amount(item.subtotal_set, item.subtotal), "refundLineItems.subtotalSet")
    return subtotal, number(amount(item.total_tax_set, item.total_tax), "refundLineItems.totalTaxSet")


def refund_total(refund: Refund, lines: Refunded) -> Decimal:
    stated = amount(refund.total_refunded_set)
    if stated is not None:
        return number(stated, "refunds.totalRefundedSet")
    # What the lines are worth, less adjustments: a refunded shipping fee is a negative one.
    adjusted = refund.order_adjustments.items() if refund.order_adjustments else []
    return sum((money for _, money, _ in lines.values()), Decimal(0)) - sum(
        (
            number(amount(bag), "refunds.orderAdjustments")
            for adjustment in adjusted
            for bag in (adjustment.amount_set, adjustment.tax_amount_set)
        ),
        Decimal(0),
    )


def refunded(order: Order) -> str | None:
    stated = amount(order.total_refunded_set, order.total_refunded)
    if stated is not None or order.refunds is None:
        return stated
    included = bool(order.taxes_included)
    return f"{sum((refund_total(r, refund_lines(r, included)) for r in refunds_of(order)), Decimal(0)):f}"
