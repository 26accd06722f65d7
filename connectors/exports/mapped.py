"""Any CSV or parquet of order lines, read into canonical frames with the help of a mapping.

What a line's price says is all that is known: discount, tax and shipping stay null, the total is what the
lines add up to. Cancellations become refunds of the sale they take back. Lines that could not be read are
rejected one by one; lines set aside for another reason are counted in the notes.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from connectors.base import Context
from connectors.canonical import INSTANT, MONEY, Normalized, Rejected, conform
from connectors.exports.countries import country_code
from connectors.exports.mapping import ColumnMapping
from connectors.exports.order_lines import (
    CANCELLATION,
    SALE,
    UNREADABLE,
    Classified,
    account,
    classify,
    mapping_of,
    read_lines,
)

_MAX_REJECTED = 1_000  # a file in the wrong format has a million bad lines: the first thousand say it all


def orders_from_file(paths: Sequence[Path], mapping: ColumnMapping | None, context: Context) -> Normalized:
    """Orders, items and refunds of the files, all on the account's first channel.

    An order's external id is the file's own, so reading the same or a longer file again changes nothing.
    Raises MappingError when a file cannot be used at all.
    """
    used = mapping or mapping_of(paths[0])
    found = classify(read_lines(paths, mapping), used)
    channel = context.home.name
    sales = _sales(found)
    refunds = _refunds(found, sales, channel)
    return Normalized(
        frames={
            "orders": _orders(sales, refunds, channel),
            "order_items": _items(sales, refunds, channel),
            "refunds": refunds,
        },
        rejected=_rejected(found.lines, paths),
        notes=_notes(found.lines),
        records=len(found.lines),
    )


def _amount(cents: pl.Expr) -> pl.Expr:
    """Ten-thousandths as money."""
    return (cents.cast(pl.Decimal(38, 4)) / pl.lit(10_000)).cast(MONEY)


def _sales(found: Classified) -> pl.DataFrame:
    lines = found.lines.with_row_index("id").filter(reason=SALE).sort("file", "row")
    return lines.with_columns(
        pl.col("id").cast(pl.Int64),
        line_id=(pl.int_range(pl.len()).over("order_id") + 1).cast(pl.String),
        net=_amount(pl.col("quantity") * pl.col("price")),
    )


def _refunds(found: Classified, sales: pl.DataFrame, channel: str) -> pl.DataFrame:
    when = found.lines.with_row_index("id").select(
        pl.col("id").cast(pl.Int64).alias("cancellation"),
        pl.col("order_id").alias("cancelled_by"),
        pl.col("at").alias("refunded_at"),
    )
    of_sale = sales.select(pl.col("id").alias("sale"), "order_id", "line_id", "currency")
    parts = found.cancelled.join(of_sale, on="sale").join(when, on="cancellation")
    grouped = parts.group_by(
        "order_id", "cancelled_by", "refunded_at", "line_id", "currency", maintain_order=True
    )
    summed = grouped.agg(pl.col("units", "amount").sum())
    # One invoice may cancel at two instants; the refund's id tells them apart and never changes.
    refund_id = pl.concat_str(
        "cancelled_by", pl.col("refunded_at").dt.epoch("s").cast(pl.String), separator="@"
    )
    return conform(
        summed.select(
            channel=pl.lit(channel),
            order_external_id="order_id",
            refund_id=refund_id,
            line_id="line_id",
            quantity="units",
            amount=_amount(pl.col("amount")),
            net_amount=_amount(pl.col("amount")),
            currency="currency",
            refunded_at="refunded_at",
            source_updated_at="refunded_at",
        ),
        "refunds",
    )


def _orders(sales: pl.DataFrame, refunds: pl.DataFrame, channel: str) -> pl.DataFrame:
    given_back = refunds.group_by(pl.col("order_external_id").alias("order_id")).agg(
        refunded=pl.col("amount").sum(), last_refund=pl.col("refunded_at").max()
    )
    names = sales["country"].drop_nulls().unique()
    codes = pl.DataFrame(
        {"country": names, "ship_country": [country_code(name) for name in names]},
        schema={"country": pl.String, "ship_country": pl.String},
    )
    grouped = sales.group_by("order_id", maintain_order=True).agg(
        pl.col("at").min(),
        pl.col("net").sum(),
        pl.col("currency").first(),
        pl.col("customer", "country").drop_nulls().first(),
    )
    customer = pl.col("customer")
    reference = pl.when(customer.str.contains("@", literal=True)).then("email:" + customer)
    none = pl.lit(None, dtype=MONEY)
    return conform(
        grouped.join(given_back, on="order_id", how="left", maintain_order="left")
        .join(codes, on="country", how="left", maintain_order="left")
        .select(
            channel=pl.lit(channel),
            external_id="order_id",
            order_number="order_id",
            ordered_at="at",
            source_updated_at=pl.max_horizontal("at", "last_refund").cast(INSTANT),
            customer_ref=reference.otherwise(f"{channel}:" + customer),
            status=pl.lit("completed"),
            fulfillment_status=pl.lit(None, dtype=pl.String),
            fulfilled_by=pl.lit(None, dtype=pl.String),
            currency="currency",
            subtotal="net",
            discount=none,
            shipping=none,
            tax=none,
            total="net",
            refunded=pl.col("refunded").fill_null(0),
            ship_country="ship_country",
            ship_region=pl.lit(None, dtype=pl.String),
            is_replacement=pl.lit(False),
            is_test=pl.lit(False),
            cancelled_at=pl.lit(None, dtype=INSTANT),
            ship_by_at=pl.lit(None, dtype=INSTANT),
            deliver_by_at=pl.lit(None, dtype=INSTANT),
            shipped_at=pl.lit(None, dtype=INSTANT),
            delivered_at=pl.lit(None, dtype=INSTANT),
        ),
        "orders",
    )


def _items(sales: pl.DataFrame, refunds: pl.DataFrame, channel: str) -> pl.DataFrame:
    given_back = refunds.group_by(pl.col("order_external_id").alias("order_id"), "line_id").agg(
        refunded_quantity=pl.col("quantity").sum(), refunded_amount=pl.col("amount").sum()
    )
    back = pl.col("refunded_amount").fill_null(0)
    none = pl.lit(None, dtype=MONEY)
    return conform(
        sales.join(given_back, on=["order_id", "line_id"], how="left", maintain_order="left").select(
            channel=pl.lit(channel),
            order_external_id="order_id",
            line_id="line_id",
            sku="sku",
            external_id=pl.lit(None, dtype=pl.String),
            title="title",
            quantity="quantity",
            cancelled_quantity=pl.lit(0, dtype=pl.Int64),
            refunded_quantity=pl.col("refunded_quantity").fill_null(0),
            unit_price=_amount(pl.col("price")),
            discount=none,
            tax=none,
            total="net",
            refunded_amount=back,
            net_amount="net",
            refunded_net_amount=back,
            tax_included=pl.lit(False),
            is_gift_card=pl.lit(False),
        ),
        "order_items",
    )


def _rejected(lines: pl.DataFrame, paths: Sequence[Path]) -> tuple[Rejected, ...]:
    """The lines that could not be read. Their customer stays out: it is personal data."""
    bad = lines.filter(pl.col("reason").is_in(sorted(UNREADABLE))).head(_MAX_REJECTED)
    return tuple(
        Rejected(
            natural_key=f"{paths[row['file']].name}:{row['row'] + 1}",
            field=row["reason"].removeprefix("unreadable ").removeprefix("missing "),
            reason=row["reason"],
            raw=json.dumps({"order": row["order_id"], "sku": row["sku"]}),
        )
        for row in bad.iter_rows(named=True)
    )


def _notes(lines: pl.DataFrame) -> tuple[str, ...]:
    """How many lines were set aside, by reason."""
    aside = account(lines).filter(~pl.col("reason").is_in([SALE, CANCELLATION]))
    return tuple(f"{row['lines']} lines set aside: {row['reason']}" for row in aside.iter_rows(named=True))
