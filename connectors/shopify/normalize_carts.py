"""Abandoned checkouts and returns, from the GraphQL shapes."""

import msgspec
import polars as pl

from connectors.base import Context
from connectors.shopify import rest, rest_shapes
from connectors.shopify.find import Kind, gid_number, no_children, only, ref_number
from connectors.shopify.money import amount, currency
from connectors.shopify.refunds import money_back, refunds_of
from connectors.shopify.shapes import (
    CartLine,
    Checkout,
    Connection,
    OrderReturns,
    Refund,
    Return,
    ReturnLine,
)
from connectors.shopify.sheets import BadValueError, Sheet
from connectors.shopify.values import text

_RETURN_STATUS = frozenset("CANCELED CLOSED DECLINED OPEN REQUESTED".split())


class CartBook:
    """Frames carts and cart_items of one page. A recovered checkout has a `completed_at`."""

    def __init__(self, context: Context) -> None:
        self.notes: dict[str, None] = {}
        self._carts = Sheet("carts", context.home.name)
        self._items = Sheet("cart_items", context.home.name)

    def sheets(self) -> tuple[Sheet, ...]:
        return self._carts, self._items

    def frames(self) -> dict[str, pl.DataFrame]:
        return {"carts": self._carts.frame(), "cart_items": self._items.frame()}

    def add(self, checkout: Checkout) -> None:
        """One checkout with its lines. Raises BadValueError when it does not say when it began."""
        if not checkout.created_at:
            raise BadValueError("createdAt", "a checkout without createdAt")
        key = gid_number(checkout.id)
        self._carts.rows.append(
            (
                key,
                checkout.created_at,
                checkout.updated_at or checkout.created_at,
                checkout.completed_at,
                f"shopify:{customer}" if (customer := ref_number(checkout.customer)) else None,
                currency(checkout.total_price_set),
                amount(checkout.total_price_set),
            )
        )
        for position, line in enumerate(checkout.line_items.items() if checkout.line_items else (), 1):
            self._items.rows.append(
                (
                    key,
                    gid_number(position if line.id is None else line.id),
                    text(line.sku),
                    ref_number(line.variant),
                    text(line.title),
                    line.quantity,
                    amount(line.discounted_total_price_set) or amount(line.original_total_price_set),
                )
            )


class ReturnBook:
    """Frame returns of one page: one row a returned line, or one a return that does not say its lines.

    Money is not a return's but a refund's: `amount` is the worth of the refunded lines, where it is said. Of an
    order that says its refunds only, and of a refund that came alone, each refunded line is a row; its `reason` is
    what became of the goods (return, cancel, no_restock), for Shopify keeps no other.
    """

    def __init__(self, context: Context) -> None:
        self.notes: dict[str, None] = {}
        self._returns = Sheet("returns", context.home.name)

    def sheets(self) -> tuple[Sheet, ...]:
        return (self._returns,)

    def frames(self) -> dict[str, pl.DataFrame]:
        return {"returns": self._returns.frame()}

    def add(self, record: OrderReturns | Return | Refund) -> None:
        """The returns of an order, or one return or refund that names its order."""
        if isinstance(record, Refund):
            if record.order is None or record.order.id is None:
                raise BadValueError("order", "a refund that does not say of which order")
            self._add_refund(OrderReturns(record.order.id), record)
            return
        if isinstance(record, Return):
            if record.order is None or record.order.id is None:
                raise BadValueError("order", "a return that does not say of which order")
            self._add(OrderReturns(record.order.id), record)
            return
        for entry in record.returns.items() if record.returns else ():
            self._add(record, entry)
        for refund in refunds_of(record) if record.returns is None else ():
            self._add_refund(record, refund)

    def _add_refund(self, order: OrderReturns, refund: Refund) -> None:
        whole, by_line = money_back(refund, order.taxes_included)
        at = refund.processed_at or refund.created_at
        lines = refund.refund_line_items.items() if refund.refund_line_items else []
        rows: list[tuple[str, str | None, str | None, int | None, str | None, str | None]] = [
            (
                gid_number(position if line.id is None else line.id),
                ref_number(line.line_item),
                text(line.line_item.sku) if line.line_item else None,
                line.quantity,
                f"{worth:f}",
                text(line.restock_type),
            )
            for position, (line, worth) in enumerate(zip(lines, by_line, strict=True), 1)
        ]
        if not rows:
            rows.append(("0", None, None, None, f"{whole:f}", None))
        for line_key, line_id, sku, quantity, worth, reason in rows:
            self._returns.rows.append(
                (
                    gid_number(refund.id),
                    line_key,
                    gid_number(order.id),
                    line_id,
                    sku,
                    quantity,
                    quantity,
                    worth,
                    order.currency_code or currency(refund.total_refunded_set),
                    reason,
                    "refunded",
                    at,
                    order.updated_at or refund.updated_at or at,
                )
            )

    def _add(self, order: OrderReturns, entry: Return) -> None:
        if entry.status is not None and entry.status not in _RETURN_STATUS:
            self.notes[f"unknown value {entry.status} in returns.status"] = None
        refunded = _refunded_units(entry)
        lines: list[tuple[str, str | None, str | None, int | None, int | None, str | None, str | None]] = []
        for line in entry.return_line_items.items() if entry.return_line_items else ():
            of = line.fulfillment_line_item.line_item if line.fulfillment_line_item else None
            lines.append(
                (
                    gid_number(line.id),
                    gid_number(of.id) if of else None,
                    text(of.sku) if of else None,
                    line.quantity,
                    line.refunded_quantity,
                    amount(line.with_code_discounted_total_price_set),
                    text(line.return_reason),
                )
            )
        if not lines:
            lines.append(("0", None, None, entry.total_quantity, refunded, _refunded_amount(entry), None))
        for line_key, line_id, sku, quantity, units, worth, reason in lines:
            self._returns.rows.append(
                (
                    gid_number(entry.id),
                    line_key,
                    gid_number(order.id),
                    line_id,
                    sku,
                    quantity,
                    units,
                    worth,
                    order.currency_code,
                    reason,
                    entry.status,
                    entry.created_at,
                    order.updated_at or entry.closed_at or entry.created_at,
                )
            )


def _refunded_units(entry: Return) -> int | None:
    if entry.refunds is None:
        return None
    return sum(
        line.quantity
        for refund in entry.refunds.items()
        for line in (refund.refund_line_items.items() if refund.refund_line_items else ())
    )


def _refunded_amount(entry: Return) -> str | None:
    stated = [amount(refund.total_refunded_set) for refund in entry.refunds.items()] if entry.refunds else []
    known = [text for text in stated if text is not None]
    return known[0] if len(known) == 1 else None


_cart_lines = msgspec.json.Decoder(list[CartLine])
_return_lines = msgspec.json.Decoder(list[ReturnLine])
_return_list = msgspec.json.Decoder(list[Return])


def _attach_lines(checkout: Checkout, children: list[bytes]) -> None:
    checkout.line_items = Connection(
        nodes=_cart_lines.decode(only(children, "AbandonedCheckoutLineItem", b'"quantity"'))
    )


def _attach_returns(order: OrderReturns, children: list[bytes]) -> None:
    returns = _return_list.decode(only(children, "Return"))
    order.returns = Connection(nodes=returns)
    if len(returns) < len(children):
        for entry in returns:
            _attach_return_lines(entry, [child for child in children if f'"{entry.id}"'.encode() in child])


def _attach_return_lines(entry: Return, children: list[bytes]) -> None:
    lines = _return_lines.decode(only(children, "ReturnLineItem"))
    if lines:
        entry.return_line_items = Connection(nodes=lines)


# What only refunds and orders have; a return without a global id has none of it.
_OF_REFUNDS = frozenset(["refund_line_items", "refundLineItems"])
_OF_ORDERS = frozenset(["line_items", "lineItems"])


CHECKOUTS: Kind[Checkout] = Kind(
    gid="AbandonedCheckout",
    plural=("abandonedCheckouts", "checkouts"),
    singular=("abandonedCheckout", "checkout"),
    shape=Checkout,
    attach=_attach_lines,
    from_rest=rest.checkout,
    rest_shape=rest_shapes.RestCheckout,
)
ORDER_RETURNS: Kind[OrderReturns] = Kind(
    gid="Order",
    plural=("orders",),
    singular=("order",),
    shape=OrderReturns,
    attach=_attach_returns,
    from_rest=rest.order_returns,
    rest_shape=rest_shapes.RestOrder,
    never=_OF_REFUNDS,
)
REFUNDS: Kind[Refund] = Kind(
    gid="Refund",
    plural=("refunds",),
    singular=("refund",),
    shape=Refund,
    attach=no_children,
    from_rest=rest.refund,
    rest_shape=rest_shapes.RestRefund,
)
RETURNS: Kind[Return] = Kind(
    gid="Return",
    plural=("returns",),
    singular=("return",),
    shape=Return,
    attach=_attach_return_lines,
    from_rest=rest.returned,
    rest_shape=rest_shapes.RestReturn,
    never=_OF_REFUNDS | _OF_ORDERS,
)
