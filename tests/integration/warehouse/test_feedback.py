"""What buyers say: told again, changed, taken back into silence with the person."""

from typing import Any

from sqlalchemy import text

from tests.warehouse_factories import SHOP, T0, line, order
from warehouse import tombstones
from warehouse.tombstones import ORDER, Tombstone


def said(
    order_id: str | None, words: str | None = "late", rating: int | None = 2, **over: Any
) -> dict[str, Any]:
    return {
        "channel": SHOP.name,
        "feedback_id": order_id or "f",
        "order_external_id": order_id,
        "rating": rating,
        "text": words,
        "posted_at": T0,
        **over,
    }


def kept(engine: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT feedback_id, f.sku, p.sku, rating, text, posted_date::text FROM core.feedback f"
                " LEFT JOIN core.products p ON p.id = f.product_id ORDER BY 1"
            )
        )
        return [tuple(row) for row in rows]


def test_feedback_is_about_the_only_product_of_its_order_and_told_again_writes_nothing(loader):
    loader.load(
        {
            "orders": [order("A"), order("B")],
            "order_items": [line("A"), line("A", "2"), line("B"), line("B", "2", sku="SKU-2")],
        }
    )
    first = [said("A"), said("B", None), said(None, rating=None), said("X", rating=6)]
    loaded = loader.load({"feedback": first}, resource="feedback")

    assert (loaded.inserted, loaded.quarantined) == (3, 1)  # six stars are none
    assert kept(loader.engine) == [
        ("A", "SKU-1", "SKU-1", 2, "late", "2026-03-02"),
        ("B", None, None, 2, None, "2026-03-02"),
        ("f", None, None, None, "late", "2026-03-02"),
    ]
    assert loader.load({"feedback": first[:3]}, resource="feedback").changed == 0
    changed = loader.load({"feedback": [said("A", "arrived after all", 4)]}, resource="feedback")
    assert changed.updated == 1
    assert kept(loader.engine)[0][3:5] == (4, "arrived after all")


def test_what_an_erased_person_said_goes_and_does_not_come_back(loader):
    loader.load({"feedback": [said("A"), said("B")]}, resource="feedback")
    with loader.engine.begin() as connection:
        tombstones.bury(connection, [Tombstone(ORDER, tombstones.digest("A"))])
        assert tombstones.forget_stored(connection) == {"core.feedback": 1}
    loader.load({"feedback": [said("A"), said("B", "still late")]}, resource="feedback")

    assert [row[0] for row in kept(loader.engine)] == ["B"]
