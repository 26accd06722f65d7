"""The run ledger: what ran, for whom, over which window, and how it ended. Its clock is the database's."""

import json
from collections.abc import Mapping
from typing import Literal

from sqlalchemy import Engine, text

from warehouse import owners
from warehouse.batch import Run, SpanLike

Outcome = Literal["done", "failed", "deferred", "degraded"]


def start(
    engine: Engine,
    kind: str,
    *,
    account: str | None = None,
    resource: str | None = None,
    window: SpanLike | None = None,
    flow_run_id: str | None = None,
) -> Run:
    """Open a run in the ledger."""
    with engine.begin() as connection:
        run_id = connection.scalar(
            text(
                "INSERT INTO ops.runs (kind, account, resource, since, until, flow_run_id, owner, outcome)"
                " VALUES (:kind, :account, :resource, :since, :until, :flow_run_id, :owner, 'running')"
                " RETURNING id"
            ),
            {
                "kind": kind,
                "account": account,
                "resource": resource,
                "since": window.since if window else None,
                "until": window.until if window else None,
                "flow_run_id": flow_run_id,
                "owner": owners.current(),
            },
        )
    assert run_id is not None
    return Run(int(run_id), kind, account, resource)


def finish(
    engine: Engine,
    run: Run,
    outcome: Outcome,
    *,
    message: str | None = None,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Close a run. Row counts of merges are already there; `counts` adds others by name."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE ops.runs SET outcome = :outcome, message = :message, finished_at = clock_timestamp(),"
                " heartbeat_at = clock_timestamp(), counts = counts || CAST(:counts AS jsonb) WHERE id = :id"
            ),
            {
                "id": run.id,
                "outcome": outcome,
                "message": message,
                "counts": json.dumps(dict(counts or {})),
            },
        )


def beat(engine: Engine, run: Run) -> None:
    """A sign of life."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE ops.runs SET heartbeat_at = clock_timestamp() WHERE id = :id"), {"id": run.id}
        )


def bury(engine: Engine, *, silent_seconds: float = 90.0) -> list[Run]:
    """Mark as failed what still counts as running and does not: its process on this machine has ended, or it
    holds no lease and has been silent. Returns these runs."""
    with engine.begin() as connection:
        found = connection.execute(
            text(
                "SELECT id, owner, heartbeat_at < clock_timestamp() - make_interval(secs => :silent)"
                " AND NOT EXISTS (SELECT FROM ops.leases l WHERE l.account = r.account"
                " AND l.resource = r.resource AND l.expires_at > clock_timestamp()) AS is_silent"
                " FROM ops.runs r WHERE outcome = 'running'"
            ),
            {"silent": silent_seconds},
        ).all()
        dead = [row.id for row in found if row.is_silent or owners.is_gone(row.owner)]
        rows = connection.execute(
            text(
                "UPDATE ops.runs SET outcome = 'failed', finished_at = clock_timestamp(),"
                " message = 'the process died; the window is read again by the next run'"
                " WHERE id = ANY(:dead) AND outcome = 'running' RETURNING id, kind, account, resource"
            ),
            {"dead": dead},
        ).all()
    return [Run(row.id, row.kind, row.account, row.resource) for row in rows]
