"""Orders, their lines and their dated refunds, from the GraphQL shapes.

Amounts are the shop's currency (`shopMoney`): the buyer's own is for display. What the columns mean here:

- `subtotal` is the price of all lines before discounts (Σ originalTotalSet). Where prices include tax
  (`taxesIncluded`) it contains that tax, so `subtotal - discount + shipping (+ tax when not included)` is the
  total but for tips, duties and shipping discounts.
- A line's `discount` is the sum of its discount allocations, which hold order-level and code discounts too;
  `totalDiscountSet` leaves those out and is used only where no allocation is given.
- `net_amount` is after discounts and before tax. `refunded_net_amount` likewise.
- `refunded_quantity` is Σ refundLineItems. What an edit took out besides (quantity - currentQuantity -
  refunded) is `cancelled_quantity`; of a cancelled order it is everything not refunded.
- A refund's money beyond its lines (shipping, goodwill) is a `refunds` row with no line. A refund that pays
  back less than its lines are worth (restocking fee, nothing was paid yet) keeps the lines' worth: they are
  what undoes the revenue.

- `shipped_at` is when the last parcel was marked as sent. What Shopify says of its arrival beforehand is the carrier's
  estimate, which moves with every delay: no promise, so `ship_by_at` and `deliver_by_at` are null.

`status`, from the instants first, because Shopify has no single field for it:
  cancelled   cancelledAt is set
  completed   closedAt or closed is set (archived), or everything is fulfilled and the payment is in: nothing is left to
              do, and a shop that never archives would otherwise have open orders only
  pending     the payment is PENDING or EXPIRED: the buyer has promised, no money is secured
  open        the rest; AUTHORIZED is secured money, and VOIDED alone does not cancel an order
"""

import re
from decimal import Decimal

import msgspec
import polars as pl

from connectors.base import Context
from connectors.canonical import MONEY, SCHEMAS
from connectors.shopify import rest, rest_shapes
from connectors.shopify.find import Kind, gid_number, only, ref_number
from connectors.shopify.money import amount, currency, number, total
from connectors.shopify.refunds import (
    Refunded,
    refund_lines,
    refund_total,
    refunded,
    refunds_of,
    tells_refunded_lines,
)
from connectors.shopify.shapes import (
    Connection,
    LineItem,
    Order,
    Refund,
    RefundLineItem,
    ShippingLine,
)
from connectors.shopify.sheets import BadValueError, Sheet
from connectors.shopify.values import country, region, text

_FINANCIAL = frozenset(
    "PENDING AUTHORIZED PARTIALLY_PAID PAID PARTIALLY_REFUNDED REFUNDED VOIDED EXPIRED".split()
)
_FULFILLMENT = frozenset(
    """UNFULFILLED PARTIALLY_FULFILLED FULFILLED RESTOCKED PENDING_FULFILLMENT OPEN IN_PROGRESS ON_HOLD
    SCHEDULED REQUEST_DECLINED FULFILLMENT_NOT_REQUIRED""".split()
)
_MONEY_IN = frozenset(["PAID", "PARTIALLY_REFUNDED", "REFUNDED", None])
_SENT = frozenset(["SUCCESS", None])  # not those cancelled or refused
_NOTHING_TO_SHIP = frozenset(["FULFILLED", "FULFILLMENT_NOT_REQUIRED"])

# A line's columns as the source states them; total and net follow from `gross`.
_STATED = (
    "order_external_id line_id sku external_id title quantity cancelled_quantity refunded_quantity unit_price "
    "discount tax refunded_amount refunded_net_amount tax_included is_gift_card gross"
).split()


class OrderBook:
    """Frames orders, order_items and refunds of one page."""

    def __init__(self, context: Context) -> None:
        channel = context.home.name
        self.notes: dict[str, None] = {}
        self._orders = Sheet("orders", channel)
        self._items = Sheet("order_items", channel, _STATED)
        self._refunds = Sheet("refunds", channel)

    def sheets(self) -> tuple[Sheet, ...]:
        return self._orders, self._items, self._refunds

    def frames(self) -> dict[str, pl.DataFrame]:
        return {
            "orders": self._orders.frame(),
            "order_items": _with_totals(self._items),
            "refunds": self._refunds.frame(),
        }

    def add(self, order: Order) -> None:
        """One order with its lines and refunds. Raises BadValueError when a required instant is missing."""
        key = gid_number(order.legacy_resource_id or order.id)
        ordered_at = order.processed_at or order.created_at
        if not ordered_at:
            raise BadValueError("processedAt", "an order without processedAt and createdAt")
        self._note_unknown(order)
        given_back = self._add_refunds(key, order)
        subtotal = self._add_lines(key, order, given_back)
        place = order.shipping_address
        if country(place) is None:
            place = order.billing_address or place
        self._orders.rows.append(
            (
                key,
                text(order.name),
                ordered_at,
                order.updated_at or order.created_at or ordered_at,
                _customer(order),
                status_of(order),
                order.display_fulfillment_status,
                "merchant",
                _currency(order),
                subtotal,
                _discount(order),
                _shipping(order),
                amount(order.total_tax_set, order.total_tax),
                amount(order.total_price_set, order.total_price),
                refunded(order),
                country(place),
                region(place),
                False,
                bool(order.test),
                order.cancelled_at,
                None,  # Shopify knows no promise
                None,
                *_sent_and_delivered(order),
            )
        )

    def _add_lines(self, key: str, order: Order, given_back: Refunded) -> str | None:
        """Appends the lines; the price of all of them before discounts, null when not all are here."""
        if order.line_items is None:
            return amount(None, order.total_line_items_price)
        gross: list[str | None] = []
        included = bool(order.taxes_included)
        by_line = tells_refunded_lines(order)
        for position, line in enumerate(order.line_items.items(), 1):
            quantity = _quantity(line)
            unit, whole = _prices(line)
            gross.append(whole)
            line_id = gid_number(position if line.id is None else line.id)
            units, money, net = given_back.get(line_id, (0, Decimal(0), Decimal(0)))
            told = by_line or line_id in given_back
            self._items.rows.append(
                (
                    key,
                    line_id,
                    text(line.sku),
                    ref_number(line.variant),
                    _title(line),
                    quantity,
                    _cancelled(line, order, units),
                    units if told else None,
                    unit,
                    _line_discount(line, whole),
                    _line_tax(line),
                    f"{money:f}" if told else None,
                    f"{net:f}" if told else None,
                    included,
                    bool(line.is_gift_card),
                    whole,
                )
            )
        if order.line_items.is_partial:
            self.notes["orders: a stored order holds only the first page of its lines"] = None
            return None
        return None if None in gross else total(gross, "lineItems.originalTotalSet")

    def _add_refunds(self, key: str, order: Order) -> Refunded:
        """Appends dated refunds; what came back a line over all of them."""
        by_line: Refunded = {}
        for refund in refunds_of(order):
            lines = refund_lines(refund, bool(order.taxes_included))
            rows: list[tuple[str | None, int, Decimal, Decimal]] = [
                (line_id, *given) for line_id, given in lines.items()
            ]
            for known_line, given in lines.items():
                so_far = by_line.get(known_line, (0, Decimal(0), Decimal(0)))
                by_line[known_line] = (so_far[0] + given[0], so_far[1] + given[1], so_far[2] + given[2])
            beyond = refund_total(refund, lines) - sum((money for _, money, _ in lines.values()), Decimal(0))
            if beyond > 0:
                rows.append((None, 0, beyond, Decimal(0)))
            at = refund.processed_at or refund.created_at or order.updated_at
            for line_id, units, money, net in rows:
                self._refunds.rows.append(
                    (
                        key,
                        gid_number(refund.id),
                        line_id,
                        units,
                        f"{money:f}",
                        f"{net:f}",
                        _currency(order) or currency(refund.total_refunded_set),
                        at,
                        refund.updated_at or order.updated_at or at,
                    )
                )
        return by_line

    def _note_unknown(self, order: Order) -> None:
        for field, value, known in (
            ("displayFinancialStatus", order.display_financial_status, _FINANCIAL),
            ("displayFulfillmentStatus", order.display_fulfillment_status, _FULFILLMENT),
        ):
            if value is not None and value not in known:
                self.notes[f"unknown value {value} in orders.{field}"] = None


def status_of(order: Order) -> str:
    """pending, open, completed or cancelled; the rule is at the top of this module."""
    if order.cancelled_at:
        return "cancelled"
    if order.closed_at or order.closed:
        return "completed"
    paid = order.display_financial_status
    if order.display_fulfillment_status in _NOTHING_TO_SHIP and paid in _MONEY_IN:
        return "completed"
    return "pending" if paid in {"PENDING", "EXPIRED"} else "open"


def _currency(order: Order) -> str | None:
    """The shop's currency: as stated, else that of the first amount there is."""
    if order.currency_code:
        return order.currency_code
    bags = [
        order.total_price_set,
        order.current_total_price_set,
        order.total_tax_set,
        order.total_refunded_set,
        *(line.original_unit_price_set for line in (order.line_items.items() if order.line_items else ())),
    ]
    return next((code for bag in bags if (code := currency(bag))), None)


def _discount(order: Order) -> str | None:
    stated = amount(order.total_discounts_set, order.total_discounts)
    if stated is not None or order.line_items is None or order.line_items.is_partial:
        return stated
    of_lines = [_line_discount(line, _prices(line)[1]) for line in order.line_items.items()]
    return None if None in of_lines else total(of_lines, "discountAllocations")


def _shipping(order: Order) -> str | None:
    stated = amount(order.total_shipping_price_set, order.total_shipping_price)
    if stated is not None or order.shipping_lines is None:
        return stated
    return total((amount(line.original_price_set) for line in order.shipping_lines.items()), "shippingLines")


def _prices(line: LineItem) -> tuple[str | None, str | None]:
    """Price of a unit and of the whole line, before discounts."""
    unit = amount(line.original_unit_price_set, line.original_unit_price)
    whole = amount(line.original_total_set, line.original_total)
    if whole is None:
        whole = _times(unit, line, "originalUnitPriceSet")
    if unit is None and whole is not None and line.quantity:
        unit = f"{round(number(whole, 'originalTotalSet') / line.quantity, 4):f}"
    return unit, whole


def _times(unit: str | None, line: LineItem, field: str) -> str | None:
    """The price of all units of a line."""
    units = _quantity(line)
    return unit if unit is None or units == 1 else f"{number(unit, field) * units:f}"


def _sent_and_delivered(order: Order) -> tuple[str | None, str | None]:
    """When the last parcel was marked as sent, and when the last one arrived: of orders that were sent whole, and each
    only where every parcel says so."""
    if order.display_fulfillment_status != "FULFILLED" or order.fulfillments is None:
        return None, None
    listed = order.fulfillments if isinstance(order.fulfillments, list) else order.fulfillments.items()
    parcels = [one for one in listed if one.status in _SENT]
    sent, delivered = [one.created_at for one in parcels], [one.delivered_at for one in parcels]
    return _last(sent), _last(delivered)


def _last(instants: list[str | None]) -> str | None:
    known = [at for at in instants if at]  # of one order all in one zone, so that their text sorts like them
    return max(known) if known and len(known) == len(instants) else None


def _line_discount(line: LineItem, whole: str | None) -> str | None:
    allocated = [
        amount(each.allocated_amount_set, each.allocated_amount.amount if each.allocated_amount else None)
        for each in line.discount_allocations or ()
    ]
    if any(text is not None for text in allocated):
        return total(allocated, "discountAllocations")
    stated = amount(line.total_discount_set)
    after = amount(line.discounted_total_set, line.discounted_total)
    if after is None:
        unit = amount(line.discounted_unit_price_set, line.discounted_unit_price)
        after = _times(unit, line, "discountedUnitPriceSet")
    if stated is None and after is not None and whole is not None and line.discount_allocations is None:
        return f"{number(whole, 'originalTotalSet') - number(after, 'discountedTotalSet'):f}"
    return "0" if stated is None and line.discount_allocations is not None else stated


def _line_tax(line: LineItem) -> str | None:
    if line.tax_lines is None:
        return None
    return total((amount(tax.price_set, tax.price) for tax in line.tax_lines), "taxLines")


def _cancelled(line: LineItem, order: Order, refunded: int) -> int:
    quantity = _quantity(line)
    if order.cancelled_at:
        return max(quantity - refunded, 0)
    if line.current_quantity is None:
        return 0
    return max(quantity - line.current_quantity - refunded, 0)


def _quantity(line: LineItem) -> int:
    """Units ordered; those still there where only they are said."""
    quantity = line.current_quantity if line.quantity is None else line.quantity
    if quantity is None:
        raise BadValueError("lineItems.quantity", "a line without quantity")
    return quantity


def _title(line: LineItem) -> str | None:
    """The product's title when it was ordered, else the line's own name."""
    return text(line.title) or text(line.name)


def _customer(order: Order) -> str | None:
    """The customer's id; the CSV export knows the address only. Null for guests."""
    customer = ref_number(order.customer)
    if customer is not None:
        return f"shopify:{customer}"
    return f"email:{order.customer_email}" if order.customer_email else None


def _with_totals(items: Sheet) -> pl.DataFrame:
    """Line totals and net amounts, for all lines at once."""
    tax, included = pl.col("tax").fill_null(0), pl.col("tax_included")
    after_discount = pl.col("gross") - pl.col("discount").fill_null(0)
    computed = items.parsed().with_columns(
        total=(after_discount + pl.when(included).then(0).otherwise(tax)).cast(MONEY),
        net_amount=(after_discount - pl.when(included).then(tax).otherwise(0)).cast(MONEY),
    )
    return computed.select(SCHEMAS["order_items"].names()).collect()


def attach(order: Order, children: list[bytes]) -> None:
    """Lines and refunds of a bulk file into their order; other things below an order are not read."""
    below_refunds = [child for child in children if _BELOW_A_REFUND.search(child)]
    own = [child for child in children if not _BELOW_A_REFUND.search(child)] if below_refunds else children
    lines = _lines_decoder.decode(only(own, "LineItem", b'"quantity"'))
    if lines or order.line_items is None:
        order.line_items = Connection(nodes=lines)
    if shipping := _shipping_decoder.decode(only(own, "ShippingLine")):
        order.shipping_lines = Connection(nodes=shipping)
    if refunds := _refunds_decoder.decode(only(own, "Refund")):
        order.refunds = refunds
    for part in _refunded_decoder.decode(only(below_refunds, "RefundLineItem", b'"quantity"')):
        for refund in refunds_of(order):
            if refund.id == part.parent_id:
                refund.refund_line_items = Connection(
                    nodes=[*(refund.refund_line_items.items() if refund.refund_line_items else ()), part]
                )


_BELOW_A_REFUND = re.compile(rb'"__parentId"\s*:\s*"gid://shopify/Refund/')
_lines_decoder = msgspec.json.Decoder(list[LineItem])
_shipping_decoder = msgspec.json.Decoder(list[ShippingLine])
_refunds_decoder = msgspec.json.Decoder(list[Refund])
_refunded_decoder = msgspec.json.Decoder(list[RefundLineItem])

KIND: Kind[Order] = Kind(
    gid="Order",
    plural=("orders",),
    singular=("order",),
    shape=Order,
    attach=attach,
    from_rest=rest.order,
    rest_shape=rest_shapes.RestOrder,
    spare=frozenset(
        ["fulfillments", "shippingAddress", "shipping_address", "billingAddress", "billing_address"]
    ),
)
