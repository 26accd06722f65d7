"""The all-orders report (tab separated) to frames `orders` and `order_items`, in bulk by Polars.

One line is one item of an order. The report names no order-item ids, so a line's id is its SKU and its number
among the order's lines with that SKU: "MUG-BLUE#1". The API names the same line by its orderItemId: whoever
merges the two replaces an order's lines as a whole and never puts them side by side.
The order report for shipping and the report of Amazon's shipments, which have ids, are read too.
An order is refused as a whole when one of its lines cannot be read.
"""

import polars as pl

from connectors.amazon.normalize.flat_file import read_lines
from connectors.amazon.normalize.values import (
    MAX_AMOUNT,
    MAX_UNITS,
    BadValueError,
    Channels,
    Notes,
    country,
    instant,
    raw,
)
from connectors.base import Context
from connectors.canonical import INSTANT, Normalized, Rejected, conform, empty
from connectors.errors import ProtocolError

_AMOUNTS = (
    "item-price",
    "item-tax",
    "shipping-price",
    "shipping-tax",
    "gift-wrap-price",
    "gift-wrap-tax",
    "item-promotion-discount",
    "ship-promotion-discount",
)
_REQUIRED = ("amazon-order-id", "purchase-date", "last-updated-date", "order-status", "quantity")
_OPTIONAL = (
    "order-item-id",
    "merchant-order-id",
    "fulfillment-channel",
    "sales-channel",
    "product-name",
    "sku",
    "asin",
    "item-status",
    "currency",
    "ship-state",
    "ship-country",
)
_NOT_TOLD = ("cancelled_at", "ship_by_at", "deliver_by_at", "shipped_at", "delivered_at")
_KEPT = {*_AMOUNTS, *_REQUIRED, *_OPTIONAL}  # of a refused line
_MONEY = pl.Decimal(38, 4)
_LINE, _ORDER = "line", "amazon-order-id"
# Columns of the shorter reports → theirs in the all-orders report.
_NAMES = {
    "order-id": "amazon-order-id",
    "quantity-purchased": "quantity",
    "quantity-shipped": "quantity",
    "amazon-order-item-id": "order-item-id",
}


_LATEST = ("reporting-date", "shipment-date", "payments-date", "purchase-date")  # of the shorter reports
_READ = {*_KEPT, *_NAMES, *_LATEST}


def all_orders_report(body: bytes, charset: str, context: Context) -> Normalized:
    """Frames of a whole report or of a part of it that holds whole orders."""
    lines = read_lines(body, charset, "orders report", _READ)
    if not lines.columns:
        return Normalized()
    if "order-status" not in lines.columns and {"order-id", "quantity-shipped"} & {*lines.columns}:
        lines = _as_all_orders(lines)
    if missing := [name for name in _REQUIRED if name not in lines.columns]:
        raise ProtocolError(f"amazon orders report: no column {', '.join(missing)}; its header has changed")
    if lines.is_empty():
        return Normalized({name: empty(name) for name in ("orders", "order_items")})
    notes = Notes()
    given = lines.columns
    absent = [name for name in (*_AMOUNTS, *_OPTIONAL) if name not in given]
    lines = lines.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    lines = lines.with_row_index(_LINE)
    read = _read(lines, context, notes)
    bad, read = _refuse(read, lines.select(given))
    read = _newest(read, notes)
    elsewhere = read.filter(pl.col("elsewhere"))
    if elsewhere.height:
        orders = elsewhere[_ORDER].n_unique()
        notes.add(f"{orders} orders of other shops that Amazon only ships are not sales here: left out")
        read = read.filter(~pl.col("elsewhere"))
    items = _items(read)
    seen = read[_ORDER].n_unique() + len(bad)
    frames = {
        "orders": _orders(read, items),
        "order_items": conform(items.select(_ITEM_COLUMNS), "order_items"),
    }
    return Normalized(frames, bad, notes.all(), seen)


def _as_all_orders(lines: pl.DataFrame) -> pl.DataFrame:
    """The order report for shipping, or of Amazon's shipments, in the other's names. Neither says status or last
    change: what stands in the one is paid and to be sent, what stands in the other was sent.
    """
    sent = "quantity-shipped" in lines.columns
    known = [pl.col(name) for name in _LATEST if name in lines.columns]
    return lines.rename({old: new for old, new in _NAMES.items() if old in lines.columns}).with_columns(
        pl.coalesce(*known, pl.lit(None, dtype=pl.String)).alias("last-updated-date"),
        pl.lit("Shipped" if sent else "Unshipped").alias("order-status"),
    )


# -- values ------------------------------------------------------------------------------------------------


def _read(lines: pl.DataFrame, context: Context, notes: Notes) -> pl.DataFrame:
    """Lines with typed columns beside the texts; `problem` names the first field that cannot be read."""
    channels = Channels(context, notes)
    amounts = [
        pl.col(name).str.replace(",", ".").cast(_MONEY, strict=False).alias(f"{name}:") for name in _AMOUNTS
    ]
    read = lines.with_columns(
        *amounts,
        pl.col("quantity").cast(pl.Int64, strict=False).alias("quantity:"),
        _instants(lines["purchase-date"]).alias("ordered_at"),
        _instants(lines["last-updated-date"]).alias("updated_at"),
    )
    problem = pl.coalesce(
        pl.when(pl.col(name).is_null()).then(pl.lit(f"{name}|is missing")) for name in _REQUIRED
    )
    unread = pl.coalesce(
        *(_unread(name, f"{name}:", pl.col(f"{name}:").abs() >= MAX_AMOUNT) for name in _AMOUNTS),
        _unread("quantity", "quantity:", ~pl.col("quantity:").is_between(0, MAX_UNITS)),
        _unread("purchase-date", "ordered_at", pl.lit(False)),
        _unread("last-updated-date", "updated_at", pl.lit(False)),
    )
    domains = {name: channels.by_domain(name) for name in lines["sales-channel"].unique().to_list()}
    for domain, marketplace in domains.items():
        if domain and marketplace is None and not _is_elsewhere(domain):
            notes.add(f"unknown value {domain[:40]} in orders.sales_channel")
    ids = {domain: marketplace or context.home.external_id for domain, marketplace in domains.items()}
    sold_in = lines["sales-channel"].replace_strict(ids, return_dtype=pl.String)
    elsewhere = {name: _is_elsewhere(name) for name in ids}
    names = {marketplace: channels.name(marketplace) for marketplace in set(ids.values())}
    inside = {marketplace: channels.tax_included(marketplace) for marketplace in set(ids.values())}
    countries = {name: country(name, notes) for name in lines["ship-country"].unique().to_list()}
    status = pl.col("order-status").str.to_lowercase()
    item_status = pl.col("item-status").str.to_lowercase()
    states = (
        pl.when(status.str.starts_with("cancel"))
        .then(pl.lit("cancelled"))
        .when(status.str.starts_with("pending"))
        .then(pl.lit("pending"))
        .when(
            status.is_in(
                ["unshipped", "partiallyshipped", "shipping", "invoiceunconfirmed", "partially shipped"]
            )
        )
        .then(pl.lit("open"))
        .when(status.str.starts_with("shipped") | (status == "complete"))
        .then(pl.lit("completed"))
        .when(status == "unfulfillable")
        .then(pl.lit("cancelled"))
    )
    read = read.with_columns(
        problem=pl.coalesce(problem, unread),
        channel=sold_in.replace_strict(names, return_dtype=pl.String),
        tax_included=sold_in.replace_strict(inside, return_dtype=pl.Boolean),
        elsewhere=pl.col("sales-channel").replace_strict(elsewhere, return_dtype=pl.Boolean),
        ship_country=pl.col("ship-country").replace_strict(countries, return_dtype=pl.String),
        status=states,
        is_cancelled=(status.str.starts_with("cancel") | item_status.str.starts_with("cancel")).fill_null(False),
        fulfilled_by=pl.col("fulfillment-channel")
        .str.to_lowercase()
        .replace_strict(
            {"amazon": "marketplace", "afn": "marketplace", "merchant": "merchant", "mfn": "merchant",
             "seller": "merchant"},
            default=None,
            return_dtype=pl.String,
        ),
        token=pl.coalesce("sku", pl.concat_str(pl.lit("asin:"), "asin"), pl.lit("?")),
    )  # fmt: skip
    for value in read.filter(pl.col("status").is_null())["order-status"].drop_nulls().unique():
        notes.add(f"unknown value {value[:40]} in orders.fulfillment_status")
    return read.with_columns(pl.col("status").fill_null("open"))


def _is_elsewhere(sales_channel: str | None) -> bool:
    return (sales_channel or "").lower().startswith("non-amazon")


def _unread(name: str, typed: str, impossible: pl.Expr) -> pl.Expr:
    """The problem of a field whose text is there and whose value is not, or is impossible."""
    lost = pl.col(name).is_not_null() & (pl.col(typed).is_null() | impossible.fill_null(False))
    reason = pl.concat_str(pl.lit(f"{name}|"), pl.col(name).str.slice(0, 40), pl.lit(" cannot be read"))
    return pl.when(lost).then(reason)


def _instants(texts: pl.Series) -> pl.Series:
    """UTC instants: the report's usual form in one step, all others one by one; null where unreadable."""
    usual = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us", time_zone="UTC", strict=False)
    left = texts.is_not_null() & usual.is_null()
    if not left.any():
        return usual.cast(INSTANT)
    slow = {text: _slow_instant(text) for text in texts.filter(left).unique().to_list()}
    values = pl.Series([slow.get(text) if text else None for text in texts], dtype=pl.Int64).cast(INSTANT)
    return pl.select(pl.coalesce(usual.cast(INSTANT), values)).to_series()


def _slow_instant(text: str) -> int | None:
    try:
        return instant(text, "date")
    except BadValueError:
        return None


# -- orders ------------------------------------------------------------------------------------------------


def _refuse(read: pl.DataFrame, given: pl.DataFrame) -> tuple[tuple[Rejected, ...], pl.DataFrame]:
    """Refusals, one per order with an unreadable line, and the lines of all other orders."""
    broken = read.filter(pl.col("problem").is_not_null()).unique(_ORDER, keep="first", maintain_order=True)
    if not broken.height:
        return (), read
    kept = [name for name in given.columns if name in _KEPT]
    refused = []
    for line in broken.iter_rows(named=True):
        field, _, reason = line["problem"].partition("|")
        record = given[line[_LINE]].select(kept).row(0, named=True)
        refused.append(Rejected(line[_ORDER] or "(unknown)", field, reason, raw(record)))
    bad_orders = broken[_ORDER]
    good = read.filter(
        pl.col(_ORDER).is_not_null() & ~pl.col(_ORDER).is_in(bad_orders.drop_nulls().implode())
    )
    return tuple(refused), good


def _newest(read: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Of an order that stands in the report in two states, or twice, the lines of its newest state.

    Lines of one order stand together; a second block with the same lines is the same order again, not more
    of it. Equal lines inside one block are two items of the order and stay.
    """
    newest = read.filter(pl.col("updated_at") == pl.col("updated_at").max().over(_ORDER))
    blocks = newest.with_columns(block=(pl.col(_ORDER) != pl.col(_ORDER).shift(1, fill_value="")).cum_sum())
    counted = blocks.group_by(_ORDER, "block").agg(
        pl.struct("token", "quantity", "item-price", "item-status").hash().sort().alias("content")
    )
    repeats = (
        counted.sort("block")
        .with_columns(again=pl.struct(_ORDER, "content").is_first_distinct().not_())
        .filter("again")["block"]
    )
    if repeats.len():
        notes.add("an order stands twice in the report with the same lines; once counts")
        blocks = blocks.filter(~pl.col("block").is_in(repeats.implode()))
    return blocks.drop("block")


def _items(read: pl.DataFrame) -> pl.DataFrame:
    """Rows of order_items, with what the order's row needs of them."""
    item, quantity = pl.col("item-price:"), pl.col("quantity:")
    discount, ship_discount = (
        pl.col("item-promotion-discount:").abs(),
        pl.col("ship-promotion-discount:").abs(),
    )
    taxes = ["item-tax:", "shipping-tax:", "gift-wrap-tax:"]
    tax = _sum(*(pl.col(name) for name in taxes))
    zero = pl.lit(0, dtype=_MONEY)
    without_tax = (
        item
        + pl.col("shipping-price:").fill_null(zero)
        + pl.col("gift-wrap-price:").fill_null(zero)
        - discount.fill_null(zero)
        - ship_discount.fill_null(zero)
    )
    occurrence = pl.int_range(pl.len()).over(_ORDER, "channel", "token") + 1
    return read.with_columns(
        order_external_id=pl.col(_ORDER),
        line_id=pl.coalesce("order-item-id", pl.concat_str("token", pl.lit("#"), occurrence)),
        external_id=pl.col("asin"),
        title=pl.col("product-name"),
        cancelled_quantity=pl.when("is_cancelled").then(quantity).otherwise(0),
        refunded_quantity=pl.lit(None, dtype=pl.Int64),
        unit_price=pl.when(quantity > 0).then(item / quantity),
        discount=discount,
        order_discount=_sum(discount, ship_discount),
        tax=tax,
        total=without_tax + pl.when("tax_included").then(zero).otherwise(tax.fill_null(zero)),
        refunded_amount=pl.lit(None, dtype=_MONEY),
        net_amount=item
        - discount.fill_null(zero)
        - pl.when("tax_included").then(pl.col("item-tax:").fill_null(zero)).otherwise(zero),
        refunded_net_amount=pl.lit(None, dtype=_MONEY),
        is_gift_card=pl.lit(False),
    ).with_columns(pl.col("quantity:").alias("quantity"))


_ITEM_COLUMNS = [
    "channel", "order_external_id", "line_id", "sku", "external_id", "title", "quantity", "cancelled_quantity",
    "refunded_quantity", "unit_price", "discount", "tax", "total", "refunded_amount", "net_amount",
    "refunded_net_amount", "tax_included", "is_gift_card",
]  # fmt: skip


def _sum(*amounts: pl.Expr) -> pl.Expr:
    """Sum of what is there; null when nothing is."""
    total = pl.sum_horizontal(*amounts)
    return pl.when(pl.any_horizontal(amount.is_not_null() for amount in amounts)).then(total)


def _orders(read: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    def of_lines(name: str) -> pl.Expr:
        return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum())

    # A total of an order with an unpriced line would be too small: then it is not known. A cancelled line has no price.
    priced = (pl.col("total").is_not_null() | (pl.col("quantity") == 0) | pl.col("is_cancelled")).all()
    orders = items.group_by("channel", _ORDER, maintain_order=True).agg(
        pl.col("ordered_at").min(),
        pl.col("updated_at").max().alias("source_updated_at"),
        pl.col("status", "order-status", "fulfilled_by", "ship_country", "ship-state").first(),
        pl.col("currency").drop_nulls().first(),
        of_lines("item-price:").alias("subtotal"),
        of_lines("order_discount").alias("discount"),
        of_lines("shipping-price:").alias("shipping"),
        of_lines("tax").alias("tax"),
        pl.when(priced).then(of_lines("total")).alias("total"),
    )
    return conform(
        orders.select(
            "channel",
            pl.col(_ORDER).alias("external_id"),
            pl.col(_ORDER).alias("order_number"),
            "ordered_at",
            "source_updated_at",
            pl.lit(None, dtype=pl.String).alias("customer_ref"),
            "status",
            pl.col("order-status").alias("fulfillment_status"),
            "fulfilled_by",
            "currency",
            "subtotal",
            "discount",
            "shipping",
            "tax",
            "total",
            pl.lit(None, dtype=_MONEY).alias("refunded"),
            "ship_country",
            pl.col("ship-state").alias("ship_region"),
            pl.lit(False).alias("is_replacement"),
            pl.lit(False).alias("is_test"),
            *(pl.lit(None, dtype=INSTANT).alias(name) for name in _NOT_TOLD),
        ),
        "orders",
    )
