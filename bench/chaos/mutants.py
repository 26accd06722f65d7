"""Ways to be wrong on purpose: each patches the process it is called in, and the harness must notice."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from flows import connections
from warehouse import leases, load, merge, rollup, rollup_tables, sql
from warehouse.tables import analytics as tables


def watermark_first() -> None:
    """The watermark, and how far each channel was read, are committed before the rows they speak of."""
    merged = merge._merge_frames

    def early(step: Any, staging: Any, whole: Any, resource: Any, first_answer: Any) -> Any:
        values = step._values
        with connections.postgres().begin() as apart:
            apart.execute(
                text(
                    "INSERT INTO ops.watermarks AS w (account, resource, read_until, run_id, updated_at)"
                    " SELECT account, resource, :until, id, clock_timestamp() FROM ops.runs WHERE id = :run_id"
                    " ON CONFLICT (account, resource) DO UPDATE SET read_until = EXCLUDED.read_until"
                ),
                values,
            )
            apart.execute(
                text(
                    "INSERT INTO ops.observations (channel_id, resource, observed_at, run_id)"
                    " SELECT c.id, r.resource, :until, r.id FROM ops.runs r"
                    " JOIN core.channels c ON c.account = r.account WHERE r.id = :run_id"
                    " ON CONFLICT (channel_id, resource) DO UPDATE SET observed_at = EXCLUDED.observed_at"
                ),
                values,
            )
        return merged(step, staging, whole, resource, first_answer)

    merge._merge_frames = early


def no_version_guard() -> None:
    """What arrives last wins."""
    read = sql.read

    def unguarded(name: str) -> str:
        statement = read(name)
        if name == "orders_collect":
            return statement.replace("WHEN n.source_updated_at < o.source_updated_at THEN 'older'", "")
        if name == "orders_upsert":
            return statement.replace(" AND EXCLUDED.source_updated_at >= o.source_updated_at", "")
        return statement

    sql.read = unguarded  # type: ignore[assignment]  # it stands in for the cached one


def no_fence() -> None:
    """Whoever lost the lease writes all the same."""
    leases.fence = lambda connection, lease: None
    setattr(leases, "end_sessions", lambda *_, **__: 0)  # noqa: B010 it is theirs by import


def clear_first() -> None:
    """Days are forgotten before they were published."""
    publish = rollup.publish

    def forgetful(engine: Any, *rest: Any, **options: Any) -> Any:
        dirty = rollup._dirty_days(engine)
        rollup._dirty_days = lambda engine: dirty
        rollup._clear(engine, dirty, [], frozenset())
        return publish(engine, *rest, **options)

    rollup.publish = forgetful


def append_to_live() -> None:
    """Rows are added to what analysts see, in the hope that each month is published once."""

    def append(client: Any, table: str, partition: str, fill: Callable[[str], int], fence: Any) -> int:
        if partition == "tuple()":
            client.command(f"TRUNCATE TABLE {tables.DATABASE}.{table}")
        return fill(table)

    rollup_tables._replace = append


def drop_the_page() -> None:
    """A page with one bad record is thrown away."""
    add = load.Staging.add

    def picky(self: Any, frames: Any, rejected: Any = ()) -> None:
        add(self, {} if rejected else frames, rejected)

    load.Staging.add = picky  # type: ignore[method-assign]  # that is what a mutant is


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__.replace("_", "-"): mutant
    for mutant in (
        watermark_first,
        no_version_guard,
        no_fence,
        clear_first,
        append_to_live,
        drop_the_page,
    )
}
