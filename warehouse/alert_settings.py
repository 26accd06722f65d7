"""Thresholds and recipients of alerts that are kept in the database, where people set them without code."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text


def thresholds(engine: Engine) -> list[dict[str, Any]]:
    """Rows of scope (all, account, category, sku), name, setting ("stock.critical_days") and value."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT scope, name, setting, value FROM ops.alert_thresholds ORDER BY scope, name, setting")
        )
        return [dict(row) for row in rows.mappings()]


def set_threshold(engine: Engine, row: Mapping[str, Any], now: datetime) -> None:
    """Set one threshold; `row` has scope, name, setting and value, already checked."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.alert_thresholds (scope, name, setting, value, updated_at)"
                " VALUES (:scope, :name, :setting, CAST(:value AS jsonb), :now)"
                " ON CONFLICT (scope, name, setting) DO UPDATE"
                " SET value = EXCLUDED.value, updated_at = EXCLUDED.updated_at"
            ),
            {**row, "value": json.dumps(row["value"]), "now": now},
        )


def unset_threshold(engine: Engine, row: Mapping[str, Any]) -> bool:
    """Forget one threshold; whether there was one."""
    statement = (
        "DELETE FROM ops.alert_thresholds WHERE scope = :scope AND name = :name AND setting = :setting"
    )
    with engine.begin() as connection:
        values = {key: row[key] for key in ("scope", "name", "setting")}
        return connection.execute(text(statement), values).rowcount > 0


def recipients(engine: Engine) -> list[dict[str, Any]]:
    """Each recipient as in the routes file: name and what else is set."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, settings FROM ops.alert_recipients ORDER BY name"))
        return [{**row.settings, "name": row.name} for row in rows]


def set_recipient(engine: Engine, recipient: Mapping[str, Any], now: datetime) -> None:
    """Keep a recipient, replacing the one of the same name; `recipient` is already checked."""
    settings = {key: value for key, value in recipient.items() if key != "name"}
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.alert_recipients (name, settings, updated_at) VALUES (:name, CAST(:settings AS jsonb),"
                " :now) ON CONFLICT (name) DO UPDATE SET settings = EXCLUDED.settings, updated_at = EXCLUDED.updated_at"
            ),
            {"name": recipient["name"], "settings": json.dumps(settings, default=str), "now": now},
        )


def remove_recipient(engine: Engine, name: str) -> bool:
    """Forget a recipient; whether there was one."""
    with engine.begin() as connection:
        found = connection.execute(
            text("DELETE FROM ops.alert_recipients WHERE name = :name"), {"name": name}
        )
        return found.rowcount > 0
