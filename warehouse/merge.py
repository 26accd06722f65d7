"""Staging into core: rows, ledger, quarantine, watermark, days to republish and run counts, in ONE transaction.

The newest version of a thing wins, whatever the order of arrival, and what is already known writes nothing.
Merges into one channel wait for each other (an advisory lock until the end of the transaction), so what is
compared cannot change before it is written; the version guard stands in the upserts all the same.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from warehouse import leases, merge_steps, schema, sql, tombstones
from warehouse.batch import MergeResult, Run, SpanLike
from warehouse.load import Staging
from warehouse.refusals import refuse_staged, store_refusals

# Staged rows are analyzed for their number and a few common values; ten times the sample was a sixth of a load.
_SETTINGS = (
    "SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL synchronous_commit = on;"
    " SET LOCAL default_statistics_target = 10"
)


@dataclass
class Tally:
    """Row counts by frame and outcome, filled while a merge goes on."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, frame: str, outcome: str, rows: int) -> None:
        if rows:
            key = f"{frame}.{outcome}"
            self.counts[key] = self.counts.get(key, 0) + rows

    def of(self, outcome: str) -> int:
        return sum(rows for key, rows in self.counts.items() if key.endswith(f".{outcome}"))


def commit(
    engine: Engine,
    staging: Staging,
    *,
    run: Run,
    lease: leases.Lease | None,
    window: SpanLike,
    advance_watermark: bool,
    snapshot: bool = False,
    first_answer: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    unread: Collection[str] = (),
) -> MergeResult:
    """Merge what was staged; all of it or nothing.

    `window.until` is how far the source has been read: the new watermark when `advance_watermark`, and the
    instant of observation of stock. `snapshot` says that products and stock were staged completely for every
    active channel of the run's account: what is absent is gone. A snapshot that would empty a channel is held
    back; what it said is in the result's `answers`. Given to a second reading as `first_answer`, an answer that says
    the same again is believed; one that says something else and is suspect itself is held as well.
    `unread` are the names of channels that could not be read: they keep what they have, and are as old as before
    (`watermarks.behind` finds them).

    Raises LeaseLostError when the lease is no longer ours, StagingLostError when the server lost staged rows,
    SchemaError when the tables are not the ones this code knows. Then nothing was written.
    """
    tally = Tally()
    with engine.begin() as connection:
        connection.execute(text(_SETTINGS))
        schema.require(connection)
        if lease is not None:
            leases.fence(connection, lease)
        staging.verify(connection)
        own = _lock_channels(connection, staging, run)
        channels = {channel_id: name for channel_id, name in own.items() if name not in unread}
        tombstones.forget_staged(connection, staging)
        refused = refuse_staged(connection, staging)
        quarantined = store_refusals(connection, staging, run, refused)
        step = merge_steps.Steps(connection, staging, run.id, window.until, tally.add)
        held, answers = _merge_frames(
            step, staging, channels if snapshot else None, run.resource, first_answer or {}
        )
        dirty, restated = merge_steps.close_ledger(connection, run.id)
        _note_progress(connection, run, channels, _Progress(window.until, advance_watermark, held))
        new_notes = store_notes(connection, run, notes)
        result = MergeResult(
            read=sum(staging.rows.values()) + len(staging.rejected),
            inserted=tally.of("inserted"),
            updated=tally.of("updated"),
            unchanged=max(sum(staging.rows.values()) - len(refused) - tally.of("written"), 0),
            quarantined=quarantined,
            dirty_days=dirty,
            restated_days=restated,
            held=tuple(held.values()),
            answers=answers,
            new_notes=new_notes,
            counts={key: rows for key, rows in tally.counts.items() if not key.endswith(".written")},
        )
        _count(connection, run, result)
        if lease is not None:
            leases.extend(connection, lease)
    return result


def _lock_channels(connection: Connection, staging: Staging, run: Run) -> dict[int, str]:
    """Lock every channel this merge may touch, in one order for everybody; returns the account's channels."""
    account = connection.execute(
        text("SELECT id, name FROM core.channels WHERE account = :account AND is_active ORDER BY id"),
        {"account": run.account},
    )
    own = {int(row.id): str(row.name) for row in account}
    named = {int(row.id) for row in merge_steps.staged_channels(connection, staging)}
    for channel_id in sorted(own.keys() | named):
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('merge', :id))"), {"id": channel_id}
        )
    return own


def _merge_frames(
    step: merge_steps.Steps,
    staging: Staging,
    whole: dict[int, str] | None,
    resource: str | None,
    first_answer: Mapping[str, str],
) -> tuple[dict[int, str], dict[str, str]]:
    """Every staged frame into core; returns the channels whose stock was held back, by id, and what they said.

    `whole`: the channels a complete snapshot covers, None when this is none.
    """
    step.resolve_products()
    if staging.has("products"):
        step.products()
    if staging.has("orders") or staging.has("refunds"):
        step.orders()
    if staging.has("returns"):
        step.returns()
    if staging.has("carts"):
        step.carts()
    if staging.has("customers"):
        step.customers()
    if staging.has("fees"):
        step.fees()
    if staging.has("feedback"):
        step.feedback()
    if whole is not None and resource == "products" and staging.has("products"):
        step.retire_listings(sorted(whole))
    if staging.has("inventory") or (whole is not None and resource == "inventory"):
        return step.inventory(whole or {}, first_answer)
    return {}, {}


@dataclass(frozen=True)
class _Progress:
    """How far the source has been read, and what of it was not believed."""

    until: datetime
    advance_watermark: bool
    held: dict[int, str]


def _note_progress(connection: Connection, run: Run, channels: Iterable[int], progress: _Progress) -> None:
    """How far we have read, for the account and for each of its channels."""
    if run.account is None or run.resource is None:
        return
    values = {
        "account": run.account,
        "resource": run.resource,
        "until": progress.until.astimezone(UTC),
        "run_id": run.id,
    }
    if progress.advance_watermark:
        connection.execute(text(sql.read("watermark")), values)
    for channel_id in channels if progress.advance_watermark else ():
        name = "observation_held" if channel_id in progress.held else "observation"
        connection.execute(text(sql.read(name)), {**values, "channel_id": channel_id})


def store_notes(connection: Connection, run: Run, notes: Sequence[str]) -> tuple[str, ...]:
    """Keep drift notes, one row a kind; returns those never seen before."""
    return tuple(
        note
        for note in dict.fromkeys(notes)
        if connection.scalar(
            text(sql.read("schema_note")),
            {"account": run.account or "", "resource": run.resource or "", "note": note[:2000]},
        )
    )


def _count(connection: Connection, run: Run, result: MergeResult) -> None:
    connection.execute(
        text(sql.read("run_counts")),
        {
            "run_id": run.id,
            "read": result.read,
            "inserted": result.inserted,
            "updated": result.updated,
            "unchanged": result.unchanged,
            "quarantined": result.quarantined,
        },
    )
