"""`staging`: the columns of what we were told, as PostgreSQL types; one table per frame and attempt.

They follow the canonical frames of the connectors with `customer_key` in place of `customer_ref`, and add
`seq`: which page of the attempt a row came from, so that an order and its lines stay together. A contract
test fails when the two sides drift. Staging tables are unlogged and live as long as one attempt, so they
are no part of the migrations.
"""

from collections.abc import Mapping

TEXT, COUNT, FLAG, MONEY, INSTANT = "text", "bigint", "boolean", "numeric(18,4)", "timestamptz"

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "orders": {
        "channel": TEXT,
        "external_id": TEXT,
        "order_number": TEXT,
        "ordered_at": INSTANT,
        "source_updated_at": INSTANT,
        "customer_key": TEXT,
        "status": TEXT,
        "fulfillment_status": TEXT,
        "fulfilled_by": TEXT,
        "currency": TEXT,
        "subtotal": MONEY,
        "discount": MONEY,
        "shipping": MONEY,
        "tax": MONEY,
        "total": MONEY,
        "refunded": MONEY,
        "ship_country": TEXT,
        "ship_region": TEXT,
        "is_replacement": FLAG,
        "is_test": FLAG,
        "cancelled_at": INSTANT,
        "ship_by_at": INSTANT,
        "deliver_by_at": INSTANT,
        "shipped_at": INSTANT,
        "delivered_at": INSTANT,
    },
    "order_items": {
        "channel": TEXT,
        "order_external_id": TEXT,
        "line_id": TEXT,
        "sku": TEXT,
        "external_id": TEXT,
        "title": TEXT,
        "quantity": COUNT,
        "cancelled_quantity": COUNT,
        "refunded_quantity": COUNT,
        "unit_price": MONEY,
        "discount": MONEY,
        "tax": MONEY,
        "total": MONEY,
        "refunded_amount": MONEY,
        "net_amount": MONEY,
        "refunded_net_amount": MONEY,
        "tax_included": FLAG,
        "is_gift_card": FLAG,
    },
    "refunds": {
        "channel": TEXT,
        "order_external_id": TEXT,
        "refund_id": TEXT,
        "line_id": TEXT,
        "quantity": COUNT,
        "amount": MONEY,
        "net_amount": MONEY,
        "currency": TEXT,
        "refunded_at": INSTANT,
        "source_updated_at": INSTANT,
    },
    "products": {
        "channel": TEXT,
        "external_id": TEXT,
        "sku": TEXT,
        "title": TEXT,
        "name": TEXT,
        "category": TEXT,
        "brand": TEXT,
        "barcode": TEXT,
        "price": MONEY,
        "currency": TEXT,
        "cost_price": MONEY,
        "is_active": FLAG,
        "source_updated_at": INSTANT,
    },
    "inventory": {
        "channel": TEXT,
        "sku": TEXT,
        "external_id": TEXT,
        "warehouse_location": TEXT,
        "quantity_available": COUNT,
        "quantity_reserved": COUNT,
        "quantity_inbound": COUNT,
        "quantity_on_hand": COUNT,
        "quantity_unavailable": COUNT,
        "source_updated_at": INSTANT,
    },
    "returns": {
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
    },
    "carts": {
        "channel": TEXT,
        "external_id": TEXT,
        "created_at": INSTANT,
        "source_updated_at": INSTANT,
        "completed_at": INSTANT,
        "customer_key": TEXT,
        "currency": TEXT,
        "total": MONEY,
    },
    "cart_items": {
        "channel": TEXT,
        "cart_external_id": TEXT,
        "line_id": TEXT,
        "sku": TEXT,
        "external_id": TEXT,
        "title": TEXT,
        "quantity": COUNT,
        "total": MONEY,
    },
    "customers": {
        "channel": TEXT,
        "customer_key": TEXT,
        "created_at": INSTANT,
        "source_updated_at": INSTANT,
        "orders_count": COUNT,
        "amount_spent": MONEY,
        "currency": TEXT,
        "country": TEXT,
    },
    "fees": {
        "channel": TEXT,
        "fee_id": TEXT,
        "order_external_id": TEXT,
        "line_id": TEXT,
        "sku": TEXT,
        "fee_type": TEXT,
        "amount": MONEY,
        "currency": TEXT,
        "posted_at": INSTANT,
    },
    "feedback": {
        "channel": TEXT,
        "feedback_id": TEXT,
        "order_external_id": TEXT,
        "sku": TEXT,
        "rating": COUNT,
        "text": TEXT,
        "posted_at": INSTANT,
    },
}

# What makes two staged rows the same thing, by frame.
KEYS: Mapping[str, tuple[str, ...]] = {
    "orders": ("channel", "external_id"),
    "order_items": ("channel", "order_external_id", "line_id"),
    "refunds": ("channel", "order_external_id", "refund_id", "line_id"),
    "products": ("channel", "external_id"),
    "inventory": ("channel", "sku", "warehouse_location"),
    "returns": ("channel", "return_id", "return_line_id"),
    "carts": ("channel", "external_id"),
    "cart_items": ("channel", "cart_external_id", "line_id"),
    "customers": ("channel", "customer_key"),
    "fees": ("channel", "fee_id"),
    "feedback": ("channel", "feedback_id"),
}

# Lines without a version clock of their own: they belong to the parent's version on the same page.
PARENTS: Mapping[str, tuple[str, str]] = {
    "order_items": ("orders", "order_external_id"),
    "cart_items": ("carts", "cart_external_id"),
}

REJECTED = {"natural_key": TEXT, "field": TEXT, "reason": TEXT, "raw": TEXT}


def ddl(load_id: str, frame: str) -> str:
    """CREATE TABLE for `frame` of attempt `load_id`."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS[frame].items())
    return f"CREATE UNLOGGED TABLE {table(load_id, frame)} ({columns}, seq bigint NOT NULL)"


def table(load_id: str, frame: str) -> str:
    """Qualified name of the staging table of `frame` in attempt `load_id`."""
    return f'staging."{load_id}__{frame}"'
