"""Frames as the connectors stage them, with just what a test is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy import Engine, text

from warehouse import channels, merge
from warehouse.batch import MergeResult, Run, Span
from warehouse.leases import Lease
from warehouse.load import Staging
from warehouse.tables import staging as tables

KINDS = {
    tables.TEXT: pl.String(),
    tables.COUNT: pl.Int64(),
    tables.FLAG: pl.Boolean(),
    tables.MONEY: pl.Decimal(18, 4),
    tables.INSTANT: pl.Datetime("us", "UTC"),
}
T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Place:
    name: str
    platform: str = "shopify"
    external_id: str = "shop"
    currency: str = "USD"
    timezone: str = "America/New_York"


SHOP = Place("shopify-test")
OTHER = Place("amazon-de", "amazon", "A1PA", "EUR", "Europe/Berlin")


def frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A staging frame; columns a row does not mention are null."""
    columns = tables.COLUMNS[name]
    for row in rows:
        assert row.keys() <= columns.keys(), row.keys() - columns.keys()
    schema = {column: KINDS[kind] for column, kind in columns.items()}
    return pl.DataFrame([{column: row.get(column) for column in columns} for row in rows], schema=schema)


def order(
    external_id: str, *, at: datetime = T0, updated: datetime | None = None, **over: Any
) -> dict[str, Any]:
    return {
        "channel": SHOP.name,
        "external_id": external_id,
        "ordered_at": at,
        "source_updated_at": updated or at,
        "status": "open",
        "currency": "USD",
        **over,
    }


def line(
    order_id: str,
    line_id: str = "1",
    *,
    sku: str | None = "SKU-1",
    quantity: int = 1,
    net: str = "10",
    **over: Any,
) -> dict[str, Any]:
    return {
        "channel": SHOP.name,
        "order_external_id": order_id,
        "line_id": line_id,
        "sku": sku,
        "quantity": quantity,
        "cancelled_quantity": 0,
        "refunded_quantity": 0,
        "unit_price": (Decimal(net) / max(quantity, 1)).quantize(Decimal("0.0001")),
        "discount": Decimal(0),
        "net_amount": Decimal(net),
        **over,
    }


def refund(
    order_id: str, refund_id: str, line_id: str | None = "1", *, at: datetime, **over: Any
) -> dict[str, Any]:
    return {
        "channel": SHOP.name,
        "order_external_id": order_id,
        "refund_id": refund_id,
        "line_id": line_id,
        "quantity": 1,
        "amount": Decimal(10),
        "net_amount": Decimal(10),
        "currency": "USD",
        "refunded_at": at,
        "source_updated_at": at,
        **over,
    }


def stock(sku: str, available: int, *, updated: datetime = T0, **over: Any) -> dict[str, Any]:
    return {
        "channel": SHOP.name,
        "sku": sku,
        "warehouse_location": "main",
        "quantity_available": available,
        "quantity_reserved": 0,
        "quantity_inbound": 0,
        "source_updated_at": updated,
        **over,
    }


class Loader:
    """Loads pages of rows the way a flow does, one attempt per call."""

    def __init__(self, engine: Engine, account: str = "shopify", places: Sequence[Place] = (SHOP,)) -> None:
        self.engine = engine
        self.account = account
        channels.ensure(engine, account, places)
        self._attempt = 0

    def run(self, resource: str = "orders", kind: str = "sync") -> Run:
        from warehouse import runs

        return runs.start(self.engine, kind, account=self.account, resource=resource)

    def load(
        self,
        *pages: Mapping[str, Sequence[Mapping[str, Any]]],
        resource: str = "orders",
        until: datetime = T0,
        lease: Lease | None = None,
        advance: bool = False,
        **options: Any,
    ) -> MergeResult:
        run = self.run(resource)
        with Staging(self.engine, f"t{run.id}", account=self.account, resource=resource) as staging:
            for page in pages:
                staging.add({name: frame(name, rows) for name, rows in page.items()})
            return merge.commit(
                self.engine,
                staging,
                run=run,
                lease=lease,
                window=Span(until - DAY, until),
                advance_watermark=advance,
                **options,
            )

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def one(self, query: str, **values: Any) -> Any:
        (row,) = self.rows(query, **values)
        return row if len(row) > 1 else row[0]
