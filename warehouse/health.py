"""How the platform is doing, in a handful of small queries: what `wharf status` and the metrics show."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

_TOTALS = """
SELECT (SELECT count(*) FROM core.orders) AS orders,
       (SELECT count(*) FROM core.products) AS products,
       (SELECT count(*) FROM ops.published_days) AS days_published,
       (SELECT count(*) FROM ops.dirty_days) AS days_waiting,
       (SELECT count(*) FROM core.alerts WHERE resolved_at IS NULL) AS open_alerts,
       (SELECT count(*) FROM ops.outbox WHERE state IN ('pending', 'sending')) AS messages_waiting,
       (SELECT count(*) FROM ops.quarantine WHERE replayed_at IS NULL) AS refused_records
"""
# Rows of the last day, by what became of them.
_ROWS = """
SELECT account, resource, sum(rows_read)::bigint AS read, sum(rows_inserted)::bigint AS inserted,
       sum(rows_updated)::bigint AS updated, sum(rows_unchanged)::bigint AS unchanged,
       sum(rows_quarantined)::bigint AS refused
FROM ops.runs WHERE account IS NOT NULL AND resource IS NOT NULL AND started_at > :now - interval '1 day'
GROUP BY 1, 2 ORDER BY 1, 2
"""
_RUNS = """
SELECT kind, outcome, count(*) AS runs FROM ops.runs WHERE started_at > :now - interval '1 day'
GROUP BY 1, 2 ORDER BY 1, 2
"""
# A budget is kept as the instant at which it would be full again.
_BUDGETS = """
SELECT key, greatest(0, least(burst, burst - extract(epoch FROM full_at - :now) * per_second))::float8 AS tokens_left,
       burst, coalesce(blocked_until > :now, false) AS is_blocked
FROM ops.rate_buckets ORDER BY key
"""
_OUTBOX = """
SELECT way, state, count(*) AS messages,
       extract(epoch FROM :now - min(coalesce(not_before, created_at)))::float8 AS oldest_seconds
FROM ops.outbox WHERE state IN ('pending', 'sending', 'failed', 'unknown') GROUP BY 1, 2 ORDER BY 1, 2
"""
_DIRTY = "SELECT extract(epoch FROM :now - min(marked_at))::float8 FROM ops.dirty_days"


@dataclass(frozen=True)
class Health:
    """Counts and ages at one instant. Ages in seconds."""

    totals: dict[str, int]
    rows: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    budgets: list[dict[str, Any]]
    outbox: list[dict[str, Any]]
    oldest_unpublished_seconds: float


def look(engine: Engine, now: datetime) -> Health:
    """The health of the warehouse at `now`."""
    with engine.connect() as connection:
        return Health(
            totals=_rows(connection, _TOTALS)[0],
            rows=_rows(connection, _ROWS, now=now),
            runs=_rows(connection, _RUNS, now=now),
            budgets=_rows(connection, _BUDGETS, now=now),
            outbox=_rows(connection, _OUTBOX, now=now),
            oldest_unpublished_seconds=float(connection.scalar(text(_DIRTY), {"now": now}) or 0),
        )


def _rows(connection: Connection, query: str, **values: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text(query), values).mappings()]
