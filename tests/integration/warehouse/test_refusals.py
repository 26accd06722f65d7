"""A bad row never stops the others, is kept with its reason, and leaves no customer behind."""

from dataclasses import dataclass

import pytest

from tests.warehouse_factories import DAY, OTHER, SHOP, T0, Loader, Place, frame, line, order, refund, stock
from warehouse import merge, quarantine
from warehouse.batch import Span
from warehouse.load import Staging


@dataclass(frozen=True)
class Refused:
    natural_key: str
    field: str
    reason: str
    raw: str


BAD = [
    ("orders", order("bad", status="shipped"), "status", "not a canonical status"),
    ("orders", order("bad", ordered_at=None), "ordered_at", "missing"),
    ("orders", order("bad", source_updated_at=None), "source_updated_at", "missing"),
    ("orders", order("bad", channel="ebay"), "channel", "unknown channel"),
    ("orders", order("bad", at=T0 + 10_000 * DAY), "ordered_at", "instant out of range"),
    ("order_items", line("good", "bad", quantity=-1), "quantity", "negative or absurd quantity"),
    (
        "order_items",
        line("good", "bad", quantity=2**62, unit_price=None),
        "quantity",
        "negative or absurd quantity",
    ),
    ("order_items", line("nobody", "bad"), "order_external_id", "line without its orders row"),
    ("refunds", refund("good", None, at=T0), "refund_id", "missing"),
    ("inventory", stock(None, 5), "sku", "neither SKU nor id"),
    ("inventory", stock("S", None), "quantity_available", "missing"),
]


@pytest.mark.parametrize(("name", "row", "field", "reason"), BAD)
def test_a_bad_row_is_kept_with_its_reason_and_the_rest_is_loaded(loader, name, row, field, reason):
    page = {"orders": [order("good")], "order_items": [line("good")], "inventory": [stock("S2", 1)]}
    page[name] = [*page.get(name, []), row]

    result = loader.load(page)

    assert result.quarantined == 1
    assert loader.rows("SELECT resource, field, reason FROM ops.quarantine") == [(name, field, reason)]
    assert loader.rows("SELECT external_id FROM core.orders") == [("good",)]
    assert loader.rows("SELECT line_id FROM core.order_items") == [("1",)]
    assert loader.one("SELECT count(*) FROM core.inventory") == 1


def test_a_refused_record_is_counted_once_a_run_and_can_be_replayed(loader):
    page = {
        "orders": [order("bad", status="shipped", customer_key="pseudonym")],
        "order_items": [line("bad")],
    }
    loader.load(page)
    loader.load(page)

    listed = quarantine.listed(loader.engine)
    assert sorted(zip(listed["natural_key"], listed["times"], strict=True)) == [("bad", 2), ("bad/1", 2)]
    shown = quarantine.show(loader.engine, listed.filter(field="status")["id"][0])
    assert shown["raw"]["status"] == "shipped"
    assert "pseudonym" not in str(shown)

    waiting = quarantine.waiting(loader.engine, account="shopify", resource="orders")
    assert [row["natural_key"] for row in waiting] == ["bad"]
    assert quarantine.mark_replayed(loader.engine, [row["id"] for row in waiting]) == 1
    assert quarantine.listed(loader.engine)["natural_key"].to_list() == ["bad/1"]
    with pytest.raises(quarantine.UnknownRecordError, match="99"):
        quarantine.show(loader.engine, 99)


def test_what_the_connectors_refused_is_kept_whatever_is_in_it(loader):
    refused = [
        Refused("7", "total", "not a number", '{"total": "N/A", "nul": "\\u0000", "half": "\\ud800"}'),
        Refused("8\x00", "row", "cannot be decoded", "\udcff not JSON"),
        Refused("7", "total", "not a number", '{"total": "N/A"}'),
    ]
    with Staging(loader.engine, "refused") as staging:
        staging.add({"orders": frame("orders", [order("A")])}, refused)
        result = merge.commit(
            loader.engine,
            staging,
            run=loader.run(),
            lease=None,
            window=Span(T0, T0),
            advance_watermark=True,
            notes=["new field `x`", "new field `x`"],
        )
    assert result.quarantined == 3
    assert loader.rows("SELECT natural_key, channel FROM ops.quarantine ORDER BY 1")[0] == (
        "7",
        SHOP.name,
    )
    assert result.new_notes == ("new field `x`",)
    again = loader.load({"orders": [order("A")]}, notes=["new field `x`", "new field `y`"])
    assert again.new_notes == ("new field `y`",)  # told once a kind
    noted = loader.rows("SELECT note, times FROM ops.schema_notes ORDER BY 1")
    assert noted == [("new field `x`", 2), ("new field `y`", 1)]
    assert loader.one("SELECT max(rows_quarantined) FROM ops.runs") == 3


def test_a_refused_record_names_its_channel_where_that_can_be_told(engine):
    loader = Loader(
        engine, "amazon", places=(OTHER, Place("amazon-fr", "amazon", "A13V", "EUR", "Europe/Paris"))
    )
    refused = [
        Refused("1", "total", "bad", '{"MarketplaceId": "A13V"}'),
        Refused("2", "total", "bad", '{"MarketplaceId": "A1PA"}'),
        Refused("3", "total", "bad", "{}"),
    ]
    with Staging(engine, "refused") as staging:
        staging.add({}, refused)
        merge.commit(
            engine, staging, run=loader.run(), lease=None, window=Span(T0, T0), advance_watermark=False
        )
    assert loader.rows("SELECT natural_key, channel FROM ops.quarantine ORDER BY 1") == [
        ("1", "amazon-fr"),
        ("2", "amazon-de"),
        ("3", ""),
    ]
