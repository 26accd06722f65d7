"""Alert episodes and the outbox. What was decided and what is to be sent are stored in one transaction.

Rows go in and out as plain mappings: a transition has fingerprint, change (opened, escalated, updated, resolved),
alert_type, severity, product_id, channel_id, title, message, action_url, facts; a message has
idempotency_key, fingerprint, way, recipient, severity, payload, not_before. `now` is the caller's.
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

_CLAIM_SECONDS = 120
_FOLLOWED_UP = timedelta(days=2)
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
_MARK = """
    UPDATE ops.outbox SET
        state = :state, provider_id = coalesce(:provider_id, provider_id), last_error = :error, updated_at = :now,
        next_attempt_at = coalesce(:next_attempt_at, next_attempt_at),
        attempts = attempts - CASE WHEN :attempted THEN 0 ELSE 1 END
    WHERE {key} = :key
"""


class UnknownAlertError(WarehouseError):
    """There is no such alert, or it has ended."""


def open_episodes(engine: Engine, *, ended_within: timedelta = timedelta(days=7)) -> pl.DataFrame:
    """Open episodes, and those that ended lately (what came back is judged by them); `facts` holds mappings."""
    frame = frames.query(
        engine,
        f"SELECT {_FIELDS}, opened_at, resolved_at, acknowledged_at, snoozed_until, updated_at, facts"  # noqa: S608
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
            "facts": _json(transition.get("facts") or {}),
            "now": now,
        }
        alert_id = target.scalar(text(statement), values)
        if alert_id is not None:
            ids[transition["fingerprint"]] = int(alert_id)
    for message in messages:
        queue(target, message, now, alert_id=ids.get(message["fingerprint"]))
    return ids


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
            "payload": _json(message["payload"]),
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


def outbox(engine: Engine, limit: int = 200) -> pl.DataFrame:
    """The newest messages and what became of them."""
    return frames.query(
        engine,
        "SELECT id, way, recipient, severity, state, attempts, created_at, updated_at, last_error"
        " FROM ops.outbox ORDER BY id DESC LIMIT %(limit)s",
        {
            "id": pl.Int64,
            "way": pl.String,
            "recipient": pl.String,
            "severity": pl.String,
            "state": pl.String,
            "attempts": pl.Int64,
            "created_at": INSTANT,
            "updated_at": INSTANT,
            "last_error": pl.String,
        },
        limit=limit,
    )


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
                {"way": way, "health": _json(dict(values)), "now": now},
            )


def suppressed(engine: Engine) -> set[tuple[str, str]]:
    """(way, recipient) pairs a provider refuses to deliver to."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT way, recipient FROM ops.suppressed_recipients"))
        return {(row.way, row.recipient) for row in rows}


def _touch(engine: Engine, statement: str, alert_id: int, **values: Any) -> datetime:
    with engine.begin() as connection:
        found = connection.scalar(text(statement), {"id": alert_id, **values})
    if found is None:
        raise UnknownAlertError(
            f"there is no open alert {alert_id}; `wharf alerts list` shows those there are"
        )
    assert isinstance(found, datetime)
    return found


def _json(value: Any) -> str:
    return json.dumps(value, default=str)


_TRANSITION = "fingerprint change alert_type severity product_id channel_id title message action_url".split()
_MESSAGE = "idempotency_key fingerprint way recipient severity not_before".split()
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
