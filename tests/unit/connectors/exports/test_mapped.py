"""A mapped file in canonical frames."""

from decimal import Decimal
from pathlib import Path

import polars as pl
from pydantic import SecretStr

from connectors.base import Account, Channel, Context
from connectors.canonical import KEYS, SCHEMAS, Normalized
from connectors.exports.mapped import orders_from_file
from tests.order_file_factories import sold, write_csv
from tests.sandbox_factories import NOON

CHANNEL = Channel("shopify-old-shop", "shopify", "old-shop", "EUR", "Europe/Berlin")
CONTEXT = Context(Account("old", "shopify", "", "", {"token": SecretStr("-")}, (CHANNEL,)), NOON)
ROWS = [
    sold("1001", "a-1", 3, "12.90"),
    sold("1001", "B-2", 1, "7.5", Customer="7"),
    sold("1002", "A-1", 1, "12.90", Date="2024-05-02 09:00:00", Customer="ana@example.org", Country="EIRE"),
    sold("1003", "A-1", -2, "12.90", Date="2024-05-09 09:00:00"),
    sold("1004", "A-1", 1, "12.90", Date="never"),
]


def normalized(tmp_path: Path, rows: list[dict[str, object]] = ROWS) -> Normalized:
    return orders_from_file([write_csv(tmp_path / "lines.csv", rows)], None, CONTEXT)


def test_frames_have_their_schema_and_unique_keys(tmp_path: Path):
    result = normalized(tmp_path)

    for name in ("orders", "order_items", "refunds"):
        frame = result.frame(name)
        assert frame.schema == SCHEMAS[name]
        assert frame.height == frame.unique(KEYS[name]).height > 0
        assert set(frame["channel"]) == {"shopify-old-shop"}


def test_an_order_is_what_its_lines_add_up_to(tmp_path: Path):
    orders = normalized(tmp_path).frame("orders").sort("external_id").to_dicts()

    assert [order["external_id"] for order in orders] == ["1001", "1002"]
    first, second = orders
    assert (first["total"], first["refunded"]) == (Decimal("46.2000"), Decimal("25.8000"))
    assert (first["tax"], first["shipping"]) == (None, None)
    assert first["customer_ref"] == "shopify-old-shop:7"
    assert second["customer_ref"] == "email:ana@example.org"
    assert (first["ship_country"], second["ship_country"]) == ("DE", "IE")
    assert first["source_updated_at"] > first["ordered_at"]


def test_a_cancellation_is_a_refund_of_the_sale(tmp_path: Path):
    result = normalized(tmp_path)

    (refund,) = result.frame("refunds").to_dicts()
    item = result.frame("order_items").row(by_predicate=pl.col("refunded_quantity") > 0, named=True)

    assert (refund["order_external_id"], refund["line_id"], refund["quantity"]) == ("1001", "1", 2)
    assert refund["net_amount"] == item["refunded_net_amount"] == Decimal("25.8000")
    assert (item["sku"], item["net_amount"]) == ("A-1", Decimal("38.7000"))


def test_unreadable_lines_are_rejected_without_their_customer(tmp_path: Path):
    result = normalized(tmp_path)

    (rejected,) = result.rejected
    assert (rejected.natural_key, rejected.field, rejected.reason) == (
        "lines.csv:5",
        "date",
        "unreadable date",
    )
    assert '"1004"' in rejected.raw
    assert result.records == 5
    assert result.notes == ("1 lines set aside: unreadable date",)


def test_reading_twice_gives_the_same(tmp_path: Path):
    first, second = normalized(tmp_path), normalized(tmp_path)

    for name, frame in first.frames.items():
        assert frame.equals(second.frames[name])
