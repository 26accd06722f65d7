"""Rows the warehouse itself must refuse, and the quarantine they go to with those the connectors refused.

A refused row never stops the others. Its record is kept without the customer's pseudonym.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from warehouse import sql
from warehouse.batch import Run
from warehouse.load import Staging
from warehouse.tables import staging as tables


@dataclass(frozen=True)
class Refusal:
    """One staged row taken out of the merge."""

    channel: str
    resource: str
    natural_key: str
    field: str
    reason: str
    raw: Any


def _missing(*fields: str) -> tuple[tuple[str, str, str], ...]:
    return tuple((name, f"s.{name} IS NULL", "missing") for name in fields)


_BIG = 10**15
_NEGATIVE_LINE = (
    "quantity",
    f"s.quantity NOT BETWEEN 0 AND {_BIG} OR s.cancelled_quantity NOT BETWEEN 0 AND {_BIG}"
    f" OR s.refunded_quantity NOT BETWEEN 0 AND {_BIG}",
    "negative or absurd quantity",
)
_UNKNOWN_CHANNEL = (
    "channel",
    "NOT EXISTS (SELECT FROM core.channels c WHERE c.name = s.channel)",
    "unknown channel",
)

# By frame: field, condition under which the row is refused, reason. First match counts.
_RULES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "orders": (
        _UNKNOWN_CHANNEL,
        *_missing("external_id", "ordered_at", "source_updated_at", "status"),
        (
            "status",
            "s.status NOT IN ('pending', 'open', 'completed', 'cancelled')",
            "not a canonical status",
        ),
        (
            "ordered_at",
            "s.ordered_at NOT BETWEEN '1990-01-01' AND clock_timestamp() + interval '400 days'",
            "instant out of range",
        ),
    ),
    "order_items": (
        _UNKNOWN_CHANNEL,
        *_missing("order_external_id", "line_id", "quantity"),
        _NEGATIVE_LINE,
    ),
    "refunds": (_UNKNOWN_CHANNEL, *_missing("order_external_id", "refund_id")),
    "products": (_UNKNOWN_CHANNEL, *_missing("external_id")),
    "inventory": (
        _UNKNOWN_CHANNEL,
        *_missing("quantity_available"),
        ("sku", "coalesce(s.sku, s.external_id, '') = ''", "neither SKU nor id"),
        ("quantity_available", f"abs(s.quantity_available) > {_BIG}", "absurd quantity"),
    ),
    "returns": (_UNKNOWN_CHANNEL, *_missing("return_id")),
    "carts": (_UNKNOWN_CHANNEL, *_missing("external_id", "created_at")),
    "cart_items": (_UNKNOWN_CHANNEL, *_missing("cart_external_id", "line_id")),
    "customers": (
        _UNKNOWN_CHANNEL,
        ("orders_count", f"s.orders_count NOT BETWEEN 0 AND {_BIG}", "absurd number of orders"),
    ),
    "fees": (_UNKNOWN_CHANNEL, *_missing("fee_id", "fee_type", "amount", "posted_at")),
    "feedback": (
        _UNKNOWN_CHANNEL,
        *_missing("feedback_id", "posted_at"),
        ("rating", "s.rating NOT BETWEEN 1 AND 5", "not 1 to 5 stars"),
    ),
}


def refuse_staged(connection: Connection, staging: Staging) -> list[Refusal]:
    """Take rows core could not hold out of the staging tables; returns them."""
    refused: list[Refusal] = []
    for frame in staging.rows:
        if frame in _RULES:
            refused += _refuse(connection, staging, frame, _RULES[frame])
    # Lines that came with their orders still have them, unless one was just refused.
    if staging.has("order_items") and (refused or staging.is_tangled):
        refused += _refuse(connection, staging, "order_items", (_orphan(staging, "orders"),))
    if staging.has("cart_items") and (refused or staging.is_tangled):
        refused += _refuse(connection, staging, "cart_items", (_orphan(staging, "carts"),))
    return refused


def store_refusals(connection: Connection, staging: Staging, run: Run, refused: Sequence[Refusal]) -> int:
    """Keep everything refused, once per record, field and reason; returns how many there were."""
    own = _channels(connection, run) if staging.rejected else {}
    rows = [
        Refusal(
            _channel_of(record.raw, own),
            run.resource or "",
            record.natural_key,
            record.field,
            record.reason,
            _json(record.raw),
        )
        for record in staging.rejected
    ] + list(refused)
    if not rows:
        return 0
    connection.execute(
        text(sql.read("quarantine_insert")),
        {
            "account": run.account or "",
            "run_id": run.id,
            "rows": json.dumps(
                [
                    {
                        "channel": _clean(row.channel),
                        "resource": row.resource,
                        "natural_key": _clean(row.natural_key)[:1000],
                        "field": _clean(row.field)[:200],
                        "reason": _clean(row.reason)[:1000],
                        "raw": _kept(staging, row.raw),
                    }
                    for row in rows
                ]
            ),
        },
    )
    return len(rows)


def _refuse(
    connection: Connection, staging: Staging, frame: str, rules: Sequence[tuple[str, str, str]]
) -> list[Refusal]:
    table = tables.table(staging.load_id, frame)
    any_rule = " OR ".join(f"coalesce({condition}, false)" for _, condition, _ in rules)
    first = " ".join(
        f"WHEN coalesce({condition}, false) THEN {n}" for n, (_, condition, _) in enumerate(rules)
    )
    key = " || '/' || ".join(f"coalesce(s.{column}, '')" for column in tables.KEYS[frame][1:])
    rows = connection.execute(
        text(
            f"DELETE FROM {table} s WHERE {any_rule} RETURNING coalesce(s.channel, '') AS channel,"
            f" {key} AS key, CASE {first} END AS rule, to_jsonb(s) - 'customer_key' - 'seq' AS raw"
        )
    )
    return [
        Refusal(row.channel, frame, row.key, rules[row.rule][0], rules[row.rule][2], row.raw) for row in rows
    ]


def _orphan(staging: Staging, parent: str) -> tuple[str, str, str]:
    """The rule for lines whose order is not staged with them."""
    child_key = "order_external_id" if parent == "orders" else "cart_external_id"
    if not staging.has(parent):
        return (child_key, "true", f"line without its {parent} row")
    table = tables.table(staging.load_id, parent)
    condition = (
        f"NOT EXISTS (SELECT FROM {table} p WHERE p.channel = s.channel AND p.external_id = s.{child_key})"
    )
    return (child_key, condition, f"line without its {parent} row")


def _channels(connection: Connection, run: Run) -> dict[str, str]:
    """The account's channels: the source's id of each → its name."""
    rows = connection.execute(
        text("SELECT external_id, name FROM core.channels WHERE account = :account AND is_active"),
        {"account": run.account},
    )
    return {str(row.external_id): str(row.name) for row in rows}


def _channel_of(raw: str, own: Mapping[str, str]) -> str:
    """The channel a refused record belongs to: the account's only one, else the one whose id stands in the record;
    empty where it cannot be told."""
    if len(own) == 1:
        return next(iter(own.values()))
    named = [name for external_id, name in own.items() if f'"{external_id}"' in raw]
    return named[0] if len(named) == 1 else ""


def _kept(staging: Staging, raw: Any) -> Any:
    clean = _clean_json(raw)
    return clean if staging.seal is None else json.loads(staging.seal(json.dumps(clean, ensure_ascii=False)))


def _json(raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return {"text": raw}


def _clean(value: str) -> str:
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _clean_json(value: Any) -> Any:
    """What jsonb can hold: no NUL, no lone surrogates, at every depth."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_clean_json(item) for item in value]
    if isinstance(value, dict):
        return {_clean(str(name)): _clean_json(item) for name, item in value.items()}
    if isinstance(value, float) and value != value:  # noqa: PLR0124 (NaN)
        return "NaN"
    return value
