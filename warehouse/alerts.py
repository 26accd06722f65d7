"""Alert episodes: what is wrong, since when, and who has seen it.

Rows go in and out as plain mappings: a transition has fingerprint, change (opened, escalated, updated, resolved),
alert_type, severity, product_id, channel_id, title, message, action_url, facts; messages are `warehouse.outbox`'s.
What was decided and what is to be sent are stored in one transaction. `now` is the caller's.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Connection, Engine, text

from warehouse import frames
from warehouse.errors import WarehouseError
from warehouse.frames import INSTANT
from warehouse.outbox import as_json, queue

_FIELDS = "id, fingerprint, alert_type, severity, state, product_id, channel_id, title, message, action_url"
_OPEN = """
    INSERT INTO core.alerts (
        fingerprint, alert_type, severity, product_id, channel_id, title, message, action_url, facts, state,
        opened_at, updated_at
    )
    VALUES (
        :fingerprint, :alert_type, :severity, :product_id, :channel_id, :title, :message, :action_url,
        CAST(:facts AS jsonb), 'open', :now, :now
    )
    ON CONFLICT (fingerprint) WHERE resolved_at IS NULL DO UPDATE SET
        severity = EXCLUDED.severity, title = EXCLUDED.title, message = EXCLUDED.message,
        action_url = EXCLUDED.action_url, facts = EXCLUDED.facts, updated_at = EXCLUDED.updated_at
    RETURNING id
"""
# An escalation is heard even by those who took or silenced the milder episode.
_CHANGE = """
    UPDATE core.alerts SET
        severity = :severity, title = :title, message = :message, action_url = :action_url,
        facts = CAST(:facts AS jsonb), updated_at = :now,
        is_read = is_read AND :change <> 'escalated',
        state = CASE WHEN :change = 'escalated' THEN 'open' ELSE state END,
        snoozed_until = CASE WHEN :change = 'escalated' THEN NULL ELSE snoozed_until END
    WHERE fingerprint = :fingerprint AND resolved_at IS NULL
    RETURNING id
"""
_RESOLVE = """
    UPDATE core.alerts SET
        state = 'resolved', resolved_at = :now, updated_at = :now, message = :message, facts = CAST(:facts AS jsonb)
    WHERE fingerprint = :fingerprint AND resolved_at IS NULL
    RETURNING id
"""


class UnknownAlertError(WarehouseError):
    """There is no such alert, or it has ended."""


def open_episodes(engine: Engine, *, ended_within: timedelta = timedelta(days=7)) -> pl.DataFrame:
    """Open episodes, and those that ended lately (what came back is judged by them); `facts` holds mappings."""
    frame = frames.query(
        engine,
        f"SELECT {_FIELDS}, opened_at, resolved_at, acknowledged_at, snoozed_until, updated_at, facts"
        " FROM core.alerts WHERE resolved_at IS NULL"
        " OR resolved_at >= clock_timestamp() - make_interval(secs => %(seconds)s) ORDER BY id",
        _SCHEMA,
        seconds=ended_within.total_seconds(),
    )
    facts = pl.Series("facts", [json.loads(text) for text in frame["facts"]], dtype=pl.Object)
    return frame.with_columns(facts)


def listed(engine: Engine, *, everything: bool = False) -> pl.DataFrame:
    """Episodes as a person wants them, worst and newest first; only open ones unless `everything`."""
    return frames.query(
        engine,
        "SELECT a.id, a.severity, a.alert_type, a.state, c.name AS channel, p.sku, a.title, a.opened_at,"
        " a.resolved_at, a.snoozed_until FROM core.alerts a LEFT JOIN core.channels c ON c.id = a.channel_id"
        " LEFT JOIN core.products p ON p.id = a.product_id WHERE a.resolved_at IS NULL OR %(everything)s"
        " ORDER BY a.resolved_at IS NOT NULL, CASE a.severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1"
        " ELSE 2 END, a.id DESC",
        {
            "id": pl.Int64,
            "severity": pl.String,
            "alert_type": pl.String,
            "state": pl.String,
            "channel": pl.String,
            "sku": pl.String,
            "title": pl.String,
            "opened_at": INSTANT,
            "resolved_at": INSTANT,
            "snoozed_until": INSTANT,
        },
        everything=everything,
    )


def apply(
    target: Engine | Connection,
    transitions: Iterable[Mapping[str, Any]],
    messages: Iterable[Mapping[str, Any]],
    now: datetime,
) -> dict[str, int]:
    """Store what changed and queue what is to be sent, together; returns alert ids by fingerprint.

    Given a connection, everything happens in its transaction. Applying the same again changes nothing but
    the episodes' text: an episode is open once, a message is queued once.
    """
    if isinstance(target, Engine):
        with target.begin() as connection:
            return apply(connection, transitions, messages, now)
    ids: dict[str, int] = {}
    for transition in transitions:
        change = transition["change"]
        statement = _OPEN if change == "opened" else _RESOLVE if change == "resolved" else _CHANGE
        values = {
            **{name: transition.get(name) for name in _TRANSITION},
            "facts": as_json(transition.get("facts") or {}),
            "now": now,
        }
        alert_id = target.scalar(text(statement), values)
        if alert_id is not None:
            ids[transition["fingerprint"]] = int(alert_id)
    for message in messages:
        queue(target, message, now, alert_id=ids.get(message["fingerprint"]))
    return ids


def acknowledge(engine: Engine, alert_id: int) -> None:
    """Somebody takes care of it. Raises UnknownAlertError when it is not open."""
    _touch(
        engine,
        "UPDATE core.alerts SET state = 'acknowledged', acknowledged_at = clock_timestamp(), is_read = true,"
        " updated_at = clock_timestamp() WHERE id = :id AND resolved_at IS NULL RETURNING clock_timestamp()",
        alert_id,
    )


def snooze(engine: Engine, alert_id: int, *, hours: float) -> datetime:
    """Quiet for some hours; returns until when. Raises UnknownAlertError when it is not open."""
    return _touch(
        engine,
        "UPDATE core.alerts SET state = 'snoozed', is_read = true, updated_at = clock_timestamp(),"
        " snoozed_until = clock_timestamp() + make_interval(secs => :seconds)"
        " WHERE id = :id AND resolved_at IS NULL RETURNING snoozed_until",
        alert_id,
        seconds=timedelta(hours=hours).total_seconds(),
    )


def acknowledge_episode(engine: Engine, fingerprint: str) -> str | None:
    """Acknowledge what is open under a fingerprint; its title, None when nothing is."""
    with engine.begin() as connection:
        found = connection.scalar(
            text(
                "UPDATE core.alerts SET state = 'acknowledged', acknowledged_at = clock_timestamp(), is_read = true,"
                " updated_at = clock_timestamp() WHERE fingerprint = :key AND resolved_at IS NULL RETURNING title"
            ),
            {"key": fingerprint},
        )
    return None if found is None else str(found)


def snooze_episode(engine: Engine, fingerprint: str, until: datetime) -> str | None:
    """Quiet what is open under a fingerprint; its title, None when nothing is."""
    with engine.begin() as connection:
        found = connection.scalar(
            text(
                "UPDATE core.alerts SET state = 'snoozed', is_read = true, updated_at = clock_timestamp(),"
                " snoozed_until = :until WHERE fingerprint = :key AND resolved_at IS NULL RETURNING title"
            ),
            {"key": fingerprint, "until": until},
        )
    return None if found is None else str(found)


def wake(connection: Connection, fingerprints: Collection[str], now: datetime) -> None:
    """Open again what was snoozed and is still so; in the transaction that queues the reminder."""
    connection.execute(
        text(
            "UPDATE core.alerts SET state = 'open', snoozed_until = NULL, updated_at = :now"
            " WHERE fingerprint = ANY(:keys) AND resolved_at IS NULL"
        ),
        {"keys": list(fingerprints), "now": now},
    )


def _touch(engine: Engine, statement: str, alert_id: int, **values: Any) -> datetime:
    with engine.begin() as connection:
        found = connection.scalar(text(statement), {"id": alert_id, **values})
    if found is None:
        raise UnknownAlertError(
            f"there is no open alert {alert_id}; `wharf alerts list` shows those there are"
        )
    assert isinstance(found, datetime)
    return found


_TRANSITION = "fingerprint change alert_type severity product_id channel_id title message action_url".split()
_SCHEMA = {
    "id": pl.Int64,
    "fingerprint": pl.String,
    "alert_type": pl.String,
    "severity": pl.String,
    "state": pl.String,
    "product_id": pl.Int64,
    "channel_id": pl.Int64,
    "title": pl.String,
    "message": pl.String,
    "action_url": pl.String,
    "opened_at": INSTANT,
    "resolved_at": INSTANT,
    "acknowledged_at": INSTANT,
    "snoozed_until": INSTANT,
    "updated_at": INSTANT,
    "facts": pl.String,
}
