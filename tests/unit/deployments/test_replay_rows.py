"""Rows the warehouse refused become frames again, exactly; a source's own record is left to its reader."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from connectors.base import Page
from connectors.canonical import SCHEMAS
from connectors.exports import shopify_orders
from flows import replay
from flows.replay import _staged_row
from tests.shopify_factories import context
from warehouse.tables import staging


def row(name: str, **values: object) -> dict[str, object]:
    """What the quarantine keeps of a staged row: PostgreSQL's JSON without the customer."""
    kept = dict.fromkeys(column for column in staging.COLUMNS[name] if column not in ("customer_key", "seq"))
    return json.loads(json.dumps({**kept, **values}, default=str), parse_float=Decimal)


def test_a_refused_row_keeps_its_money_and_its_instants():
    frame = _staged_row(
        "orders",
        row(
            "orders",
            channel="shop",
            external_id="1",
            ordered_at="2026-02-01T10:00:00+00:00",
            total=12345678901234.5678,
            is_test=False,
        ),
    )
    assert frame is not None
    assert dict(frame.schema) == dict(SCHEMAS["orders"])
    assert frame["ordered_at"][0] == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert frame["customer_ref"][0] is None


def test_every_frame_is_recognised_by_its_columns():
    for name in SCHEMAS:
        assert _staged_row(name, row(name)) is not None, name


def test_a_row_kept_before_there_was_a_column_is_read_without_it():
    former = row("orders", external_id="1", delivered_at="2026-02-01T10:00:00+00:00")
    del former["delivered_at"]
    frame = _staged_row("orders", former)
    assert frame is not None
    assert frame.select("external_id", "delivered_at").row(0) == ("1", None)


def test_cents_are_not_read_as_floats():
    raw = json.loads('{"total": 0.1}', parse_float=Decimal)
    frame = _staged_row("orders", {**row("orders"), **raw})
    assert frame is not None
    assert frame["total"][0] == Decimal("0.1000")


def test_a_record_of_a_source_is_none():
    assert _staged_row("orders", {"id": "gid://shopify/Order/1", "name": "#1"}) is None
    assert _staged_row("settlements", {}) is None


def test_an_order_of_an_export_is_left_to_its_file(monkeypatch: pytest.MonkeyPatch):
    export = (
        b"Name,Id,Created at,Lineitem quantity,Lineitem name,Lineitem price\n#1,5,,1,Tee,10\n#1,,,1,Cap,5\n"
    )
    (refused,) = shopify_orders.orders(Page(export, "csv"), context()).rejected
    monkeypatch.setattr(replay.connections, "vault", lambda: SimpleNamespace(open_text=lambda raw: raw))
    monkeypatch.setattr(replay, "_of_a_file", lambda record: "mend the file")
    record = replay.Refused(
        1, "shop", "shop", "orders", "5", refused.raw, datetime(2026, 2, 1, tzinfo=UTC), None
    )

    assert replay._read(record, context().account) == "mend the file"
