"""The ledger of backfills: which parts of the past were read whole, so that only what is missing is read again."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from sqlalchemy import Engine, text

from warehouse.batch import Span

State = Literal["pending", "running", "done", "failed"]


def plan(
    engine: Engine, account: str, resource: str, asked: Span, step: timedelta, *, again: bool = False
) -> list[Span]:
    """The slices of `asked` to read, newest first, each at most `step` long: what no slice that is done covers,
    or all of it with `again`. They are noted as pending; what an earlier attempt left undone there is replanned."""
    with engine.begin() as connection:
        values = {"account": account, "resource": resource, "since": asked.since, "until": asked.until}
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:account || ' backfill', 0))"), values
        )
        connection.execute(text(_FORGET), values)
        done = [] if again else [Span(*row) for row in connection.execute(text(_DONE), values)]
        slices = [part for gap in _gaps(asked, done) for part in _cut(gap, step)]
        for part in slices:
            connection.execute(text(_NOTE), {**values, "since": part.since, "until": part.until, **_NEW})
    return slices


def mark(
    engine: Engine, account: str, resource: str, part: Span, state: State, message: str | None = None
) -> None:
    """Note how a slice stands now."""
    with engine.begin() as connection:
        connection.execute(
            text(_NOTE),
            {
                "account": account,
                "resource": resource,
                "since": part.since,
                "until": part.until,
                "state": state,
                "message": message,
                "tries": int(state == "running"),
            },
        )


def _gaps(asked: Span, done: list[Span]) -> Iterator[Span]:
    """What of `asked` none of `done` (by their start) covers, newest first."""
    free: list[Span] = []
    at = asked.since
    for part in done:
        if part.since > at:
            free.append(Span(at, min(part.since, asked.until)))
        at = max(at, part.until)
    if at < asked.until:
        free.append(Span(at, asked.until))
    return reversed(free)


def _cut(gap: Span, step: timedelta) -> Iterator[Span]:
    end = gap.until
    while end > gap.since:
        start = max(gap.since, end - step)
        yield Span(start, end)
        end = start


_NEW = {"state": "pending", "message": None, "tries": 0}
_DONE = """
    SELECT since, until FROM ops.backfill_slices
    WHERE account = :account AND resource = :resource AND state = 'done' AND since < :until AND until > :since
    ORDER BY since
"""
_FORGET = """
    DELETE FROM ops.backfill_slices
    WHERE account = :account AND resource = :resource AND state <> 'done' AND since < :until AND until > :since
"""
_NOTE = """
    INSERT INTO ops.backfill_slices AS s (account, resource, since, until, state, attempts, message)
    VALUES (:account, :resource, :since, :until, :state, :tries, :message)
    ON CONFLICT (account, resource, since, until) DO UPDATE SET
        state = EXCLUDED.state, attempts = s.attempts + EXCLUDED.attempts, message = EXCLUDED.message,
        updated_at = clock_timestamp()
"""
