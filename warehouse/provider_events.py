"""What providers report about messages they took: stored once, and it only moves a message forward."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text

_KEPT = timedelta(days=30)
_ORDER = "ARRAY['pending', 'sending', 'unknown', 'accepted', 'undelivered', 'delivered']"
# An event for a pending or sending message says that it was taken after all.
_MOVE = f"""
    UPDATE ops.outbox SET
        state = :state, provider_id = coalesce(provider_id, :provider_id), updated_at = :now,
        last_error = CASE WHEN :state = 'undelivered' THEN :reason END
    WHERE way = :way AND state <> 'cancelled'
      AND CASE WHEN CAST(:key AS text) IS NULL THEN provider_id = :provider_id ELSE idempotency_key = :key END
      AND coalesce(array_position({_ORDER}, state), 0) < array_position({_ORDER}, :state)
"""
_REFUSED = """
    INSERT INTO ops.suppressed_recipients (way, recipient, reason, since) VALUES (:way, :recipient, :reason, :now)
    ON CONFLICT (way, recipient) DO NOTHING
"""


def record(engine: Engine, way: str, events: Iterable[Mapping[str, Any]], now: datetime) -> int:
    """Store verified events of one provider in one transaction; returns how many were new.

    An event has event_id, provider_id, message_key, state, reason, recipient and blocked. One that was seen before
    changes nothing, and a late "accepted" never undoes "delivered". Only addresses we wrote to are ever blocked.
    """
    new = 0
    with engine.begin() as connection:
        for event in events:
            if _is_new(connection, way, event, now):
                new += 1
                _apply(connection, way, event, now)
        connection.execute(
            text("DELETE FROM ops.provider_events WHERE received_at < :before"), {"before": now - _KEPT}
        )
    return new


def _is_new(connection: Connection, way: str, event: Mapping[str, Any], now: datetime) -> bool:
    found = connection.execute(
        text(
            "INSERT INTO ops.provider_events (event_id, way, provider_id, state, received_at)"
            " VALUES (:id, :way, :provider_id, :state, :now) ON CONFLICT (event_id) DO NOTHING"
        ),
        {
            "id": f"{way} {event['event_id']}",
            "way": way,
            "provider_id": event["provider_id"],
            "state": event["state"],
            "now": now,
        },
    )
    return found.rowcount > 0


def _apply(connection: Connection, way: str, event: Mapping[str, Any], now: datetime) -> None:
    values = {
        "way": way,
        "state": event["state"],
        "provider_id": event["provider_id"],
        "key": event["message_key"],
        "reason": event["reason"] or event["blocked"],
        "now": now,
    }
    connection.execute(text(_MOVE), values)
    if event["blocked"]:
        written = connection.scalar(
            text(
                "SELECT recipient FROM ops.outbox WHERE way = :way AND (idempotency_key = :key"
                " OR provider_id = :provider_id) LIMIT 1"
            ),
            values,
        )
        if written is not None:
            blocked = {"way": way, "recipient": written, "reason": event["blocked"], "now": now}
            connection.execute(text(_REFUSED), blocked)
