"""The CSV files a merchant downloads from the Shopify admin: orders and products → canonical frames.

Orders: a row a line; rows after an order's first leave the order's own columns empty. The file has neither
line ids nor dated refunds nor a line's tax, so:

- An order is known by its "Id", the number the API has too. Which version of it counts is decided by
  `source_updated_at`, and the file's is a second before its latest instant: what the API brought wins, whole
  order by whole order with its lines, so nothing is doubled whichever comes first. Rows without an "Id" (from
  other tools) keep their name as the id, and a note says so: those cannot be told from what the API brings.
- Discounts of the order ("Subtotal" is after them) and taxes are spread over the lines by their price, to the
  cent. Whether prices include tax is told by which sum gives "Total".
- A refund of all that was paid takes every line back; of a partial one the order's `refunded` is known only.

Products: a row a variant, rows of images only are passed over. The file names no variant id: the handle with
the option values stands for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

import msgspec
import polars as pl

from connectors.base import Context, Page
from connectors.canonical import Normalized, Rejected
from connectors.errors import ProtocolError
from connectors.exports.countries import country_code
from connectors.exports.sheet import Row, delimiter, fold, rows
from connectors.exports.shopify_stock import is_stock
from connectors.privacy import scrub
from connectors.shopify.normalize_catalog import ProductBook
from connectors.shopify.normalize_orders import OrderBook
from connectors.shopify.shapes import (
    Address,
    Allocation,
    Connection,
    Fulfillment,
    InventoryItemCost,
    LineItem,
    Money,
    MoneyBag,
    Order,
    ProductOf,
    TaxLine,
    Variant,
)
from connectors.shopify.sheets import BadValueError

_CENT = Decimal("0.01")
_NONE = Decimal(0)
_NO_CENTS = frozenset(["JPY", "KRW", "CLP", "VND", "ISK", "XOF", "XAF", "PYG", "UGX"])
_FIRST_SERIAL, _LAST_SERIAL = 36_526.0, 73_415.0  # 2000 to 2100 as spreadsheets count days
_FULFILLMENT = {"": "UNFULFILLED", "PARTIAL": "PARTIALLY_FULFILLED"}


def resource_of(body: bytes) -> str | None:
    """ "orders", "products" or "inventory" when the first line is that export's; None for any other file."""
    header = body[:8192].decode("utf-8", "replace").partition("\n")[0]
    names = {fold(name) for name in header.split(delimiter(header))}
    if {"name", "lineitemquantity", "lineitemprice"} <= names:
        return "orders"
    if is_stock(names):
        return "inventory"
    return "products" if {"handle", "title", "variantprice"} <= names else None


def orders(page: Page, context: Context) -> Normalized:
    """Orders of an export file. Raises ProtocolError when it is not one."""
    table = rows(page.body, "shopify order export")
    if table and "lineitemquantity" not in table[0]:
        raise ProtocolError("shopify order export: no column Lineitem quantity: is it the order export?")
    whole = OrderBook(context)
    rejected: list[Rejected] = []
    repaid: list[str] = []
    seen = 0
    for lines in _orders(table):
        seen += 1
        try:
            order = _order(lines, context.home.currency)
            alone = OrderBook(context)
            alone.add(order)
            for sheet in alone.sheets():
                sheet.tidy()
            alone.frames()
        except (BadValueError, ArithmeticError, pl.exceptions.PolarsError) as error:
            rejected.append(_rejected(lines, error))
            continue
        whole.add(order)
        if not lines[0].get("id"):
            whole.notes[
                "orders without an Id are kept under their name and cannot be told from the API's"
            ] = None
        if _is_repaid(lines[0]):
            repaid.append(str(order.id))
        elif _amount(lines[0], "refundedamount") and not order.cancelled_at:
            whole.notes["partly refunded orders: the file does not say which lines came back"] = None
    for sheet in whole.sheets():
        sheet.tidy()
    frames = whole.frames()
    frames["order_items"] = _taken_back(frames["order_items"], repaid)
    return Normalized(frames, tuple(rejected), tuple(whole.notes), seen)


def products(page: Page, context: Context) -> Normalized:
    """Products of an export or import file. Raises ProtocolError when it is not one."""
    table = rows(page.body, "shopify product export")
    if table and "handle" not in table[0]:
        raise ProtocolError("shopify product export: no column Handle: is it the product export?")
    whole = ProductBook(context)
    rejected: list[Rejected] = []
    first: Row = {}
    seen = 0
    for row in table:
        if row.get("handle") and (row["handle"] != first.get("handle") or row.get("title")):
            first = row
        if not row.get("variantprice") and not row.get("option1value"):
            continue
        seen += 1
        try:
            variant = _variant(first, row)
            alone = ProductBook(context)
            alone.add(variant)
            for sheet in alone.sheets():
                sheet.tidy()
            alone.frames()
        except (BadValueError, ArithmeticError, pl.exceptions.PolarsError) as error:
            rejected.append(_rejected([row], error))
            continue
        whole.add(variant)
    return Normalized(whole.frames(), tuple(rejected), tuple(whole.notes), seen)


# -- orders ------------------------------------------------------------------------------------------------


def _orders(table: list[Row]) -> Iterator[list[Row]]:
    """Rows of one order. A row begins a new one when its name changes or it has an order's own columns."""
    group: list[Row] = []
    for row in table:
        begins = row.get("name") != (group[0].get("name") if group else None) or (
            row.get("id") and row.get("id") != group[0].get("id")
        )
        if group and begins and (row.get("name") or row.get("id")):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


@dataclass
class _Line:
    row: Row
    quantity: int
    unit: Decimal
    discount: Decimal
    tax: Decimal = _NONE

    @property
    def gross(self) -> Decimal:
        return self.unit * self.quantity


def _order(group: list[Row], currency: str) -> Order:
    first = group[0]
    code = first.get("currency") or currency
    unit = Decimal(1) if code in _NO_CENTS else _CENT
    lines = [_line(row) for row in group if row.get("lineitemname") or row.get("lineitemquantity")]
    shipping, taxes = _amount(first, "shipping") or _NONE, _amount(first, "taxes") or _NONE
    discount = _spread_discount(first, lines, unit)
    included = _is_tax_included(first, lines, shipping, taxes)
    _spread_tax(lines, shipping, taxes, unit)
    created = _instant(first, "createdat")
    if created is None:
        raise BadValueError("Created at", "an order without the day it was placed")
    cancelled = _instant(first, "cancelledat") or _instant(first, "canceledat")
    sent = _instant(first, "fulfilledat")
    known = [at for at in (created, _instant(first, "paidat"), sent, cancelled) if at]
    fulfillment = first.get("fulfillmentstatus", "").upper()
    return Order(
        id=first.get("id", "").lstrip("'") or first.get("name") or "",
        name=first.get("name"),
        created_at=_text(created),
        updated_at=_text(max(known) - timedelta(seconds=1)),
        cancelled_at=_text(cancelled),
        currency_code=code,
        taxes_included=included,
        display_financial_status=first.get("financialstatus", "").upper() or None,
        display_fulfillment_status=_FULFILLMENT.get(fulfillment, fulfillment),
        shipping_address=_address(first, "shipping"),
        billing_address=_address(first, "billing"),
        total_shipping_price=_plain(_amount(first, "shipping")),
        total_tax=_plain(_amount(first, "taxes")),
        total_discounts=_plain(max(discount, _amount(first, "discountamount") or _NONE)),
        total_price=_plain(_amount(first, "total")),
        total_refunded=_plain(_amount(first, "refundedamount") or _NONE),
        customer_email=first.get("email") or None,
        fulfillments=[Fulfillment(created_at=_text(sent))] if sent else None,
        line_items=Connection(nodes=[_item(number, line, code) for number, line in enumerate(lines, 1)]),
    )


def _line(row: Row) -> _Line:
    quantity = _amount(row, "lineitemquantity")
    unit = _amount(row, "lineitemprice")
    if quantity is None or quantity != int(quantity):
        raise BadValueError(
            "Lineitem quantity", f"{row.get('lineitemquantity', '')[:40]!r} is no number of units"
        )
    if unit is None:
        raise BadValueError("Lineitem price", "a line without a price")
    return _Line(row, int(quantity), unit, _amount(row, "lineitemdiscount") or _NONE)


def _spread_discount(first: Row, lines: list[_Line], unit: Decimal) -> Decimal:
    """All discounts of the lines; the order's own are spread over them."""
    gross, own = sum((line.gross for line in lines), _NONE), sum((line.discount for line in lines), _NONE)
    subtotal = _amount(first, "subtotal")
    whole = own if subtotal is None else gross - subtotal
    if whole <= own:
        # "Subtotal" above the sum of the lines: tips or fees are in it, no discount.
        return own
    weights = [line.gross - line.discount for line in lines]
    for line, part in zip(lines, _shares(whole - own, weights, unit), strict=True):
        line.discount += part
    return whole


def _is_tax_included(first: Row, lines: list[_Line], shipping: Decimal, taxes: Decimal) -> bool:
    total = _amount(first, "total")
    if not taxes or total is None:
        return False
    paid = (
        sum((line.gross - line.discount for line in lines), _NONE)
        + shipping
        + (_amount(first, "duties") or _NONE)
    )
    return abs(total - paid) < abs(total - paid - taxes)


def _spread_tax(lines: list[_Line], shipping: Decimal, taxes: Decimal, unit: Decimal) -> None:
    taxed = [line.row.get("lineitemtaxable", "true").lower() != "false" for line in lines]
    weights = [line.gross - line.discount if due else _NONE for line, due in zip(lines, taxed, strict=True)]
    for line, part in zip(lines, _shares(taxes, [*weights, shipping], unit), strict=False):
        line.tax = part


def _shares(whole: Decimal, weights: list[Decimal], unit: Decimal) -> list[Decimal]:
    """`whole` in parts as the weights are, to the smallest coin; what is left goes to the largest remainders."""
    sum_of = sum(weights, _NONE)
    if sum_of <= 0:
        return [whole if place == 0 else _NONE for place in range(len(weights))]
    exact = [whole * weight / sum_of for weight in weights]
    parts = [part - part % unit for part in exact]
    left = int((whole - sum(parts, _NONE)) / unit)
    for place in sorted(range(len(parts)), key=lambda n: exact[n] - parts[n], reverse=True)[:left]:
        parts[place] += unit
    return parts


def _item(number: int, line: _Line, code: str) -> LineItem:
    def bag(amount: Decimal) -> MoneyBag:
        return MoneyBag(shop_money=Money(f"{amount:f}", code))

    return LineItem(
        id=str(number),
        quantity=line.quantity,
        sku=line.row.get("lineitemsku"),
        title=line.row.get("lineitemname"),
        original_unit_price_set=bag(line.unit),
        original_total_set=bag(line.gross),
        discount_allocations=[Allocation(bag(line.discount))] if line.discount else [],
        tax_lines=[TaxLine(bag(line.tax))] if line.tax else [],
    )


def _is_repaid(first: Row) -> bool:
    """Whether all that was paid went back, of an order that was not cancelled besides."""
    total, refunded = _amount(first, "total"), _amount(first, "refundedamount")
    cancelled = first.get("cancelledat") or first.get("canceledat")
    return bool(total and refunded and refunded >= total and not cancelled)


def _taken_back(items: pl.DataFrame, repaid: list[str]) -> pl.DataFrame:
    back = pl.col("order_external_id").is_in(repaid)
    pairs = (
        ("refunded_quantity", "quantity"),
        ("refunded_amount", "total"),
        ("refunded_net_amount", "net_amount"),
    )
    return items.with_columns(
        pl.when(back).then(pl.col(source)).otherwise(pl.col(target)).alias(target) for target, source in pairs
    )


def _address(row: Row, kind: str) -> Address | None:
    country = country_code(row.get(f"{kind}country") or None)
    if country is None:
        return None
    return Address(country_code=country, province_code=row.get(f"{kind}province", "").lstrip("'") or None)


# -- products ----------------------------------------------------------------------------------------------


def _variant(first: Row, row: Row) -> Variant:
    options = [row[f"option{n}value"] for n in (1, 2, 3) if row.get(f"option{n}value")]
    named = [option for option in options if option != "Default Title"]
    handle = row.get("handle") or first.get("handle") or ""
    if not handle:
        raise BadValueError("Handle", "a row of no product")
    status = first.get("status", "").upper() or {"true": "ACTIVE", "false": "DRAFT"}.get(
        first.get("published", "").lower()
    )
    cost = _amount(row, "costperitem")
    return Variant(
        id="/".join([handle, *named]).replace("gid://", ""),
        sku=row.get("variantsku", "").lstrip("'"),
        title=" / ".join(named) or None,
        barcode=row.get("variantbarcode", "").lstrip("'"),
        price=_plain(_amount(row, "variantprice")),
        inventory_item=InventoryItemCost(unit_cost=None if cost is None else Money(f"{cost:f}")),
        product=ProductOf(
            id=handle,
            title=first.get("title"),
            vendor=first.get("vendor"),
            product_type=first.get("productcategory") or first.get("type"),
            status=status,
        ),
    )


# -- cells -------------------------------------------------------------------------------------------------


def _amount(row: Row, name: str) -> Decimal | None:
    """A number such as "1,234.50"; null for an empty cell. Raises BadValueError for anything else."""
    text = row.get(name, "").replace(",", "").replace(" ", "")
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadValueError(name, f"{text[:40]!r} is not a number") from None
    if not value.is_finite():
        raise BadValueError(name, f"{text[:40]!r} is not a number")
    return value


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _instant(row: Row, name: str) -> datetime | None:
    """ "2024-05-01 09:58:12 +0200", ISO 8601, or a spreadsheet's day number; without an offset it is UTC."""
    text = row.get(name, "")
    if not text:
        return None
    try:
        serial = float(text)
    except ValueError:
        serial = 0.0
    if _FIRST_SERIAL <= serial < _LAST_SERIAL:
        return datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=serial)
    try:
        at = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" +", "+").replace(" -", "-"))
    except ValueError:
        raise BadValueError(name, f"{text[:40]!r} is not an instant") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


# What is kept of a refused order or product: the columns that are read, less whom it was for.
_KEPT = frozenset(
    """
    id name handle currency financialstatus fulfillmentstatus createdat paidat fulfilledat cancelledat canceledat
    subtotal shipping taxes total duties discountamount refundedamount lineitemname lineitemsku lineitemquantity
    lineitemprice lineitemdiscount lineitemtaxable shippingcountry shippingprovince billingcountry billingprovince
    title vendor type productcategory status published variantsku variantbarcode variantprice costperitem
    option1value option2value option3value
    """.split()
)


def _rejected(group: list[Row], error: Exception) -> Rejected:
    first = group[0]
    kept = [{name: value for name, value in row.items() if value and name in _KEPT} for row in group]
    field, reason = (
        (error.field, error.reason) if isinstance(error, BadValueError) else ("record", str(error))
    )
    key = first.get("id") or first.get("name") or first.get("handle") or "unknown"
    return Rejected(key, field, reason, msgspec.json.encode(scrub(kept)).decode())
