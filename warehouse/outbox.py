"""The outbox: messages to be sent, what became of them, and how the ways of sending are.

A message is a plain mapping of idempotency_key, fingerprint, way, recipient, severity, payload, not_before; it is
queued in the transaction of what it tells of (`warehouse.alerts.apply`). `now` is the caller's.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Connection, Engine, text

from warehouse import frames
from warehouse.frames import INSTANT

_CLAIM_SECONDS = 120
_FOLLOWED_UP = timedelta(days=2)
_QUEUE = """
    INSERT INTO ops.outbox (
        idempotency_key, alert_id, fingerprint, way, recipient, severity, payload, next_attempt_at, not_before,
        created_at, updated_at
    )
    VALUES (
        :idempotency_key,
        coalesce(
            CAST(:alert_id AS bigint),
            (SELECT id FROM core.alerts WHERE fingerprint = :fingerprint ORDER BY id DESC LIMIT 1)
        ),
        :fingerprint, :way, :recipient, :severity, CAST(:payload AS jsonb), coalesce(:not_before, :now),
        :not_before, :now, :now
    )
    ON CONFLICT (idempotency_key) DO NOTHING
"""
_CLAIM = """
    UPDATE ops.outbox o SET
        state = 'sending', attempts = o.attempts + 1, updated_at = :now,
        next_attempt_at = :now + make_interval(secs => :claim)
    FROM (
        SELECT id, state AS previous_state FROM ops.outbox
        WHERE state IN ('pending', 'sending') AND next_attempt_at <= :now
        ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, next_attempt_at, id
        LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ) due
    WHERE o.id = due.id
    RETURNING o.id, o.idempotency_key, o.alert_id, o.fingerprint, o.way, o.recipient, o.severity, o.payload,
              o.attempts, o.provider_id, o.last_error, o.not_before, o.created_at, due.previous_state
"""
_WORK = """
    SELECT coalesce(
        (SELECT 'due since ' || min(next_attempt_at) FROM ops.outbox
         WHERE state IN ('pending', 'sending') AND next_attempt_at <= :due),
        (SELECT 'given up at ' || max(updated_at) FROM ops.outbox
         WHERE state = 'undelivered' AND provider_id IS NOT NULL AND updated_at > :lately),
        (SELECT 'taken at ' || max(updated_at) FROM ops.outbox
         WHERE state = 'accepted' AND provider_id IS NOT NULL AND way = 'sms' AND updated_at BETWEEN :lately AND :ask)
    )
"""
_MARK = """
    UPDATE ops.outbox SET
        state = :state, provider_id = coalesce(:provider_id, provider_id), last_error = :error, updated_at = :now,
        next_attempt_at = coalesce(:next_attempt_at, next_attempt_at),
        attempts = attempts - CASE WHEN :attempted THEN 0 ELSE 1 END
    WHERE {key} = :key
"""


def queue_new(engine: Engine, messages: Iterable[Mapping[str, Any]], now: datetime) -> int:
    """Queue messages; how many were not in the outbox already."""
    with engine.begin() as connection:
        return sum(queue(connection, message, now) for message in messages)


def queue(
    connection: Connection, message: Mapping[str, Any], now: datetime, *, alert_id: int | None = None
) -> bool:
    """Put one message into the outbox, unless it is there already; whether it was new."""
    queued = connection.execute(
        text(_QUEUE),
        {
            **{name: message.get(name) for name in _MESSAGE},
            "payload": as_json(message["payload"]),
            "alert_id": alert_id,
            "now": now,
        },
    )
    return queued.rowcount > 0


def claim_due(engine: Engine, now: datetime, limit: int = 100) -> list[dict[str, Any]]:
    """Take messages whose time has come, worst first; nobody else gets them for two minutes.

    A message whose sender died comes again with previous_state "sending": it may have been sent.
    """
    with engine.begin() as connection:
        rows = connection.execute(text(_CLAIM), {"now": now, "limit": limit, "claim": _CLAIM_SECONDS})
        return [dict(row) for row in rows.mappings()]


def work(engine: Engine, now: datetime) -> str | None:
    """What a delivery run would find to do, in a few words that stay the same until it is done; None: nothing.

    A message due for ten seconds (the run that queued it sends it at once), one that a provider gave up lately, or
    one a provider took two minutes ago and has not reported on.
    """
    with engine.connect() as connection:
        found = connection.execute(
            text(_WORK),
            {
                "due": now - timedelta(seconds=10),
                "ask": now - timedelta(minutes=2),
                "lately": now - timedelta(minutes=10),
            },
        ).scalar()
    return str(found) if found else None


def mark(
    engine: Engine | Connection,
    message: int | str,
    state: str,
    *,
    now: datetime,
    provider_id: str | None = None,
    error: str | None = None,
    next_attempt_at: datetime | None = None,
    attempted: bool = True,
    takeover: Mapping[str, Any] | None = None,
) -> None:
    """Note what became of a message, named by id or idempotency key, and queue the one that takes over.

    `attempted` False: it was not tried, the claim does not count.
    """
    if isinstance(engine, Engine):
        with engine.begin() as connection:
            mark(
                connection,
                message,
                state,
                now=now,
                provider_id=provider_id,
                error=error,
                next_attempt_at=next_attempt_at,
                attempted=attempted,
                takeover=takeover,
            )
        return
    key = "id" if isinstance(message, int) else "idempotency_key"
    engine.execute(
        text(_MARK.replace("{key}", key)),
        {
            "key": message,
            "state": state,
            "provider_id": provider_id,
            "error": error[:2000] if error else None,
            "next_attempt_at": next_attempt_at,
            "attempted": attempted,
            "now": now,
        },
    )
    if takeover is not None:
        queue(engine, takeover, now)


def settle(engine: Engine, results: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Store a round of deliveries in one transaction.

    A result has idempotency_key, state, and optionally provider_id, error, retry_at, suppress, attempted and
    takeover (a message for another way).
    """
    with engine.begin() as connection:
        for result in results:
            mark(
                connection,
                str(result["idempotency_key"]),
                result["state"],
                now=now,
                provider_id=result.get("provider_id"),
                error=result.get("error"),
                next_attempt_at=result.get("retry_at"),
                attempted=result.get("attempted", True),
                takeover=result.get("takeover"),
            )
            if result.get("suppress"):
                connection.execute(
                    text(
                        "INSERT INTO ops.suppressed_recipients (way, recipient, reason, since)"
                        " SELECT way, recipient, :error, :now FROM ops.outbox WHERE idempotency_key = :key"
                        " ON CONFLICT (way, recipient) DO NOTHING"
                    ),
                    {"key": result["idempotency_key"], "error": result.get("error"), "now": now},
                )


def resolved(engine: Engine) -> set[str]:
    """Fingerprints of waiting messages whose episode has ended: nothing about them is sent late."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT DISTINCT a.fingerprint FROM ops.outbox o JOIN core.alerts a ON a.fingerprint = o.fingerprint"
                " WHERE o.state IN ('pending', 'sending') AND NOT EXISTS (SELECT FROM core.alerts b"
                " WHERE b.fingerprint = o.fingerprint AND b.resolved_at IS NULL)"
            )
        ).scalars()
        return set(rows)


def accepted(engine: Engine, ways: Collection[str], now: datetime, limit: int = 100) -> list[dict[str, Any]]:
    """Messages of these ways a provider took in the last two days and has not reported on, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT id, idempotency_key, way, recipient, provider_id, updated_at FROM ops.outbox"
                " WHERE state = 'accepted' AND provider_id IS NOT NULL AND way = ANY(:ways)"
                " AND updated_at > :since ORDER BY updated_at LIMIT :limit"
            ),
            {"ways": list(ways), "since": now - _FOLLOWED_UP, "limit": limit},
        )
        return [dict(row) for row in rows.mappings()]


def undelivered(engine: Engine, now: datetime) -> list[dict[str, Any]]:
    """Messages that a provider took and then could not deliver, in the last day, that no other way took over."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT o.idempotency_key, o.fingerprint, o.way, o.recipient, o.severity, o.payload, o.last_error"
                " FROM ops.outbox o WHERE o.state = 'undelivered' AND o.provider_id IS NOT NULL"
                " AND o.updated_at > :since AND NOT EXISTS (SELECT FROM ops.outbox t"
                " WHERE starts_with(t.idempotency_key, split_part(o.idempotency_key, ':', 1) || ':')"
                " AND t.id > o.id) ORDER BY o.id LIMIT 500"
            ),
            {"since": now - timedelta(days=1)},
        )
        return [dict(row) for row in rows.mappings()]


def waiting(engine: Engine, limit: int = 200) -> pl.DataFrame:
    """Messages not sent yet, soonest first: until when they wait, and why the last attempt did not end it."""
    return frames.query(
        engine,
        "SELECT way, severity, state, fingerprint, next_attempt_at, not_before, attempts, last_error FROM ops.outbox"
        " WHERE state IN ('pending', 'sending') ORDER BY next_attempt_at, id LIMIT %(limit)s",
        {
            "way": pl.String,
            "severity": pl.String,
            "state": pl.String,
            "fingerprint": pl.String,
            "next_attempt_at": INSTANT,
            "not_before": INSTANT,
            "attempts": pl.Int64,
            "last_error": pl.String,
        },
        limit=limit,
    )


def health(engine: Engine) -> dict[str, dict[str, Any]]:
    """What was kept about each way of notifying."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT way, health FROM ops.provider_health"))
        return {row.way: dict(row.health) for row in rows}


def save_health(engine: Engine, ways: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
    """Keep what is known about each way for the next run."""
    with engine.begin() as connection:
        for way, values in ways.items():
            connection.execute(
                text(
                    "INSERT INTO ops.provider_health (way, health, updated_at) VALUES (:way, CAST(:health AS jsonb),"
                    " :now) ON CONFLICT (way) DO UPDATE SET health = EXCLUDED.health, updated_at = EXCLUDED.updated_at"
                ),
                {"way": way, "health": as_json(dict(values)), "now": now},
            )


def suppressed(engine: Engine) -> set[tuple[str, str]]:
    """(way, recipient) pairs a provider refuses to deliver to."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT way, recipient FROM ops.suppressed_recipients"))
        return {(row.way, row.recipient) for row in rows}


def as_json(value: Any) -> str:
    return json.dumps(value, default=str)


_MESSAGE = "idempotency_key fingerprint way recipient severity not_before".split()
