"""The frames every channel ends in: the contract between connectors and the warehouse.

Each frame has one schema, one natural key and one grain, stated here and nowhere else. The warehouse's
staging tables follow the same columns; `tests/contract` fails when the two drift.

Money is `Decimal(18, 4)` in the currency named beside it, null where the source does not say.
Instants are aware UTC with microseconds. A *channel* is a place we sell, such as `amazon-us`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import polars as pl

MONEY = pl.Decimal(18, 4)
_WIDE = pl.Decimal(38, 4)
INSTANT = pl.Datetime("us", "UTC")
TEXT, COUNT, FLAG = pl.String(), pl.Int64(), pl.Boolean()

ORDERS = pl.Schema(
    {
        "channel": TEXT,
        "external_id": TEXT,
        "order_number": TEXT,
        "ordered_at": INSTANT,
        "source_updated_at": INSTANT,
        # Who bought, as the source names them: "email:…", "shopify:<id>", "key:<pseudonym>" or null.
        # `connectors.privacy.pseudonymize` turns it into `customer_key` before a frame leaves the connectors.
        "customer_ref": TEXT,
        "status": TEXT,  # pending, open, completed, cancelled
        "fulfillment_status": TEXT,
        "fulfilled_by": TEXT,  # marketplace, merchant or null
        "currency": TEXT,
        "subtotal": MONEY,  # before discounts, tax and shipping
        "discount": MONEY,  # positive
        "shipping": MONEY,
        "tax": MONEY,
        "total": MONEY,  # what the buyer paid
        "refunded": MONEY,  # positive
        "ship_country": TEXT,  # ISO 3166 alpha-2
        "ship_region": TEXT,
        "is_replacement": FLAG,
        "is_test": FLAG,
        "cancelled_at": INSTANT,  # null when not cancelled or when the source gives no instant
        # Of the whole order; null where the source does not say. What was promised to the buyer:
        "ship_by_at": INSTANT,
        "deliver_by_at": INSTANT,
        # … and when the last of it left, and arrived.
        "shipped_at": INSTANT,
        "delivered_at": INSTANT,
    }
)

ORDER_ITEMS = pl.Schema(
    {
        "channel": TEXT,
        "order_external_id": TEXT,
        "line_id": TEXT,
        "sku": TEXT,
        "external_id": TEXT,  # ASIN, variant id, …
        "title": TEXT,
        "quantity": COUNT,  # ordered, cancelled and refunded units included
        "cancelled_quantity": COUNT,
        "refunded_quantity": COUNT,
        "unit_price": MONEY,  # before discounts; tax inside it only where `tax_included`
        "discount": MONEY,
        "tax": MONEY,
        "total": MONEY,  # quantity x unit price - discount + tax
        "refunded_amount": MONEY,  # positive; what the buyer got back for this line, tax included
        # For `quantity` units: after discounts, before tax and shipping. The revenue of the line as sold.
        "net_amount": MONEY,
        "refunded_net_amount": MONEY,  # the part of refunded_amount that undoes net_amount
        "tax_included": FLAG,
        "is_gift_card": FLAG,  # a liability, not revenue
    }
)

# One row per refunded line of one refund, with the instant it happened. `line_id` is null for money given
# back for the whole order (shipping, goodwill).
REFUNDS = pl.Schema(
    {
        "channel": TEXT,
        "order_external_id": TEXT,
        "refund_id": TEXT,
        "line_id": TEXT,
        "quantity": COUNT,
        "amount": MONEY,  # positive, tax and shipping included
        "net_amount": MONEY,  # the part that undoes item revenue (before tax and shipping)
        "currency": TEXT,
        "refunded_at": INSTANT,
        "source_updated_at": INSTANT,
    }
)

PRODUCTS = pl.Schema(
    {
        "channel": TEXT,
        "external_id": TEXT,
        "sku": TEXT,
        "title": TEXT,  # the listing's
        "name": TEXT,  # the product's
        "category": TEXT,
        "brand": TEXT,
        "barcode": TEXT,
        "price": MONEY,
        "currency": TEXT,
        "cost_price": MONEY,
        "is_active": FLAG,
        "source_updated_at": INSTANT,
    }
)

INVENTORY = pl.Schema(
    {
        "channel": TEXT,
        "sku": TEXT,
        "external_id": TEXT,
        "warehouse_location": TEXT,
        "quantity_available": COUNT,  # sellable now; negative is legal input and means 0 sellable
        "quantity_reserved": COUNT,
        "quantity_inbound": COUNT,
        "quantity_on_hand": COUNT,
        "quantity_unavailable": COUNT,
        "source_updated_at": INSTANT,
    }
)

RETURNS = pl.Schema(
    {
        "channel": TEXT,
        "return_id": TEXT,
        "return_line_id": TEXT,
        "order_external_id": TEXT,
        "line_id": TEXT,
        "sku": TEXT,
        "quantity": COUNT,
        "refunded_quantity": COUNT,
        "amount": MONEY,
        "currency": TEXT,
        "reason": TEXT,
        "status": TEXT,
        "returned_at": INSTANT,
        "source_updated_at": INSTANT,
    }
)

CARTS = pl.Schema(
    {
        "channel": TEXT,
        "external_id": TEXT,
        "created_at": INSTANT,
        "source_updated_at": INSTANT,
        "completed_at": INSTANT,  # null: abandoned; not null: recovered
        "customer_ref": TEXT,
        "currency": TEXT,
        "total": MONEY,
    }
)

CART_ITEMS = pl.Schema(
    {
        "channel": TEXT,
        "cart_external_id": TEXT,
        "line_id": TEXT,
        "sku": TEXT,
        "external_id": TEXT,
        "title": TEXT,
        "quantity": COUNT,
        "total": MONEY,
    }
)

# A registered customer as the channel counts him; the past it counts may lie before anything it still shows. Nothing
# says who: `customer_ref` becomes `customer_key`, as in orders, before a frame leaves the connectors.
CUSTOMERS = pl.Schema(
    {
        "channel": TEXT,
        "customer_ref": TEXT,
        "created_at": INSTANT,
        "source_updated_at": INSTANT,
        "orders_count": COUNT,  # in his lifetime
        "amount_spent": MONEY,  # in his lifetime, in the shop's currency
        "currency": TEXT,
        "country": TEXT,  # of his default address, ISO 3166 alpha-2
    }
)

# What the channel itself takes, one row per charge: commission, fulfilment, storage, subscription. A charge given
# back (after a refund) is a row of its own with a negative amount.
FEES = pl.Schema(
    {
        "channel": TEXT,
        "fee_id": TEXT,  # unique and stable within the channel
        "order_external_id": TEXT,  # null: not for an order (storage, subscription)
        "line_id": TEXT,
        "sku": TEXT,
        "fee_type": TEXT,  # the channel's own name of it
        "amount": MONEY,  # positive: a cost; negative: given back
        "currency": TEXT,
        "posted_at": INSTANT,
    }
)

# What a buyer said of an order, one row per statement. Nothing says who: not a name, not a pseudonym.
FEEDBACK = pl.Schema(
    {
        "channel": TEXT,
        "feedback_id": TEXT,  # unique and stable within the channel
        "order_external_id": TEXT,  # null where the source names no order
        "sku": TEXT,  # null where the source speaks of the order or the seller
        "rating": COUNT,  # 1 (worst) to 5 stars; null: text alone
        "text": TEXT,  # the buyer's words without addresses and numbers to reach him; null: stars alone
        "posted_at": INSTANT,
    }
)

SCHEMAS: Mapping[str, pl.Schema] = {
    "orders": ORDERS,
    "order_items": ORDER_ITEMS,
    "refunds": REFUNDS,
    "products": PRODUCTS,
    "inventory": INVENTORY,
    "returns": RETURNS,
    "carts": CARTS,
    "cart_items": CART_ITEMS,
    "customers": CUSTOMERS,
    "fees": FEES,
    "feedback": FEEDBACK,
}

# What makes two rows of a frame the same thing.
KEYS: Mapping[str, tuple[str, ...]] = {
    "orders": ("channel", "external_id"),
    "order_items": ("channel", "order_external_id", "line_id"),
    "refunds": ("channel", "order_external_id", "refund_id", "line_id"),
    "products": ("channel", "external_id"),
    "inventory": ("channel", "sku", "warehouse_location"),
    "returns": ("channel", "return_id", "return_line_id"),
    "carts": ("channel", "external_id"),
    "cart_items": ("channel", "cart_external_id", "line_id"),
    "customers": ("channel", "customer_key"),  # as frames leave the connectors
    "fees": ("channel", "fee_id"),
    "feedback": ("channel", "feedback_id"),
}

ORDER_STATUSES = ("pending", "open", "completed", "cancelled")


class CanonicalError(ValueError):
    """A frame does not have exactly the columns and types of its schema: a bug in a normalizer."""


def empty(name: str) -> pl.DataFrame:
    """No rows, in the schema of frame `name`."""
    return pl.DataFrame(schema=SCHEMAS[name])


def conform(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """`frame` with the columns of schema `name` in order and in type.

    Raises CanonicalError when a column is missing, unknown, or cannot be cast without losing a value.
    """
    schema = SCHEMAS[name]
    missing, extra = schema.keys() - set(frame.columns), set(frame.columns) - schema.keys()
    if missing or extra:
        raise CanonicalError(f"{name}: missing columns {sorted(missing)}, unknown columns {sorted(extra)}")
    try:
        return frame.select(pl.col(column).cast(kind, strict=True) for column, kind in schema.items())
    except pl.exceptions.PolarsError as error:
        raise CanonicalError(f"{name}: {error}") from error


def from_columns(columns: Mapping[str, Sequence[Any]], name: str, *, scaled: bool = False) -> pl.DataFrame:
    """A frame of schema `name` from one Python list per column; the fastest way in from decoded JSON.

    Instants are integers of microseconds since 1970. Money is a Decimal, a whole number or text, or, where `scaled`, an
    integer of ten-thousandths; it is cast in bulk, four to five times as fast as Decimals one by one.

    Raises CanonicalError for a value its column cannot hold, such as a Decimal NaN.
    """
    loose, typed = _way_in(name, scaled)
    try:
        given = {
            column: columns[column]
            if scaled or SCHEMAS[name][column] != MONEY
            else [None if value is None else str(value) for value in columns[column]]
            for column in loose
        }
        return pl.DataFrame(given, schema=loose, strict=True).select(typed)
    except (pl.exceptions.PolarsError, TypeError, KeyError, OverflowError) as error:
        raise CanonicalError(f"{name}: {error}") from error


@cache
def _way_in(name: str, scaled: bool) -> tuple[pl.Schema, list[pl.Expr]]:
    """Types that Python values go into as they are, and the expressions that make schema `name` of them."""
    loose: dict[str, pl.DataType] = {}
    typed: list[pl.Expr] = []
    for column, kind in SCHEMAS[name].items():
        value = pl.col(column)
        if kind == MONEY and scaled:
            loose[column] = COUNT
            typed.append((value.cast(_WIDE) / pl.lit(10_000).cast(_WIDE)).cast(MONEY, strict=True))
        elif kind in (MONEY, INSTANT):
            loose[column] = TEXT if kind == MONEY else COUNT
            typed.append(value.cast(kind, strict=True))
        else:
            loose[column] = kind
            typed.append(value)
    return pl.Schema(loose), typed


@dataclass(frozen=True)
class Rejected:
    """One record that could not be read: what it is, which field, why, and the record itself."""

    natural_key: str
    field: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Normalized:
    """What one page became: canonical frames by name, refused records, and notes about drift."""

    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()  # "unknown value FOO in orders.status": reported once a run, never fatal
    records: int = 0  # records seen on the page, refused ones included

    def frame(self, name: str) -> pl.DataFrame:
        """The frame called `name`, or its empty twin."""
        return self.frames.get(name, empty(name))


def merge_normalized(parts: Iterable[Normalized]) -> Normalized:
    """Several pages as one; frames are appended, notes are kept once."""
    parts = list(parts)
    names = {name for part in parts for name in part.frames}
    return Normalized(
        frames={name: pl.concat([part.frame(name) for part in parts]) for name in sorted(names)},
        rejected=tuple(rejected for part in parts for rejected in part.rejected),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        records=sum(part.records for part in parts),
    )
