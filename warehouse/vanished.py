"""Orders that their source deleted: which could be, and how they are kept.

Such an order is kept as cancelled from the instant it was missed, with the fulfillment status DELETED: the ledger shows
the fall on that day, the day of the sale is restated, and what the source can no longer tell stays known.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl
from sqlalchemy import Engine, text

from warehouse import frames, sql
from warehouse.frames import INSTANT, MONEY

_TEXT, _COUNT, _FLAG = pl.String(), pl.Int64(), pl.Boolean()
_ORDERS = {
    "channel": _TEXT, "external_id": _TEXT, "order_number": _TEXT, "ordered_at": INSTANT, "source_updated_at": INSTANT,
    "customer_key": _TEXT, "status": _TEXT, "fulfillment_status": _TEXT, "fulfilled_by": _TEXT, "currency": _TEXT,
    "subtotal": MONEY, "discount": MONEY, "shipping": MONEY, "tax": MONEY, "total": MONEY, "refunded": MONEY,
    "ship_country": _TEXT, "ship_region": _TEXT, "is_replacement": _FLAG, "is_test": _FLAG, "cancelled_at": INSTANT,
    "ship_by_at": INSTANT, "deliver_by_at": INSTANT, "shipped_at": INSTANT, "delivered_at": INSTANT,
}  # fmt: skip
_ITEMS = {
    "channel": _TEXT, "order_external_id": _TEXT, "line_id": _TEXT, "sku": _TEXT, "external_id": _TEXT, "title": _TEXT,
    "quantity": _COUNT, "cancelled_quantity": _COUNT, "refunded_quantity": _COUNT, "unit_price": MONEY,
    "discount": MONEY, "tax": MONEY, "total": MONEY, "refunded_amount": MONEY, "net_amount": MONEY,
    "refunded_net_amount": MONEY, "tax_included": _FLAG, "is_gift_card": _FLAG,
}  # fmt: skip


def candidates(engine: Engine, channel: str, since: datetime, until: datetime) -> list[str]:
    """Ids of orders placed in the span that still count, oldest first; names of files without ids are none."""
    with engine.connect() as connection:
        found = connection.scalars(
            text(sql.read("orders_that_count")), {"channel": channel, "since": since, "until": until}
        )
        return [str(number) for number in found]


def as_deleted(engine: Engine, channel: str, ids: Sequence[str], at: datetime) -> dict[str, pl.DataFrame]:
    """Frames orders and order_items of those orders as they are from `at` on: nothing of them was sold."""
    values = {"channel": channel, "ids": list(ids), "at": at}
    return {
        "orders": frames.query(engine, sql.read("deleted_orders"), _ORDERS, **values),
        "order_items": frames.query(engine, sql.read("deleted_order_items"), _ITEMS, **values),
    }
