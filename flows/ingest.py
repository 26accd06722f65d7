"""One resource of one account: window → pages → staging → merge, under a lease, in one transaction.

Nothing here decides correctness: the watermark moves in the transaction that writes the rows, and a run
that lost its lease cannot write. Prefect retries what may pass and shows what happened.
"""

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from prefect import runtime
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE

from connectors import extract, registry
from connectors.base import Account, Resource, Window
from connectors.budget import Background
from connectors.client import ChannelClient
from connectors.errors import ConnectorError, DeferredError
from flows import connections, logs, report, stopping, tracing
from flows.retry import DELAYS, RETRIES, is_transient
from warehouse import channels, leases, load, merge, owners, runs, watermarks
from warehouse.batch import Run
from warehouse.budget import PostgresBudget
from warehouse.errors import LeaseHeldError
from warehouse.leases import Lease

log = logging.getLogger(__name__)

Kind = Literal["sync", "backfill"]


@dataclass(frozen=True)
class Ingested:
    """What one run read and wrote. Rows count every table of the resource."""

    account: str
    resource: str
    since: datetime | None
    until: datetime
    outcome: Literal["done", "deferred"] = "done"
    message: str = ""
    pages: int = 0
    records: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    dirty_days: int = 0
    requests: int = 0
    waited_seconds: float = 0.0
    notes: tuple[str, ...] = ()  # drift told for the first time; `wharf status` lists all of it
    held: tuple[
        str, ...
    ] = ()  # channels whose stock two readings told differently: nothing of it was believed
    unseen: str = ""  # what of the window the source does not show this account, and why
    warnings: tuple[str, ...] = ()  # what a person should know of the source's answers
    unread: tuple[str, ...] = ()  # channels that could not be read, each with the reason; the others were

    @property
    def told(self) -> list[str]:
        """What a person should know of it."""
        return [*self.unread, *self.warnings, *self.notes, *filter(None, [self.unseen])]

    def shown(self) -> dict[str, Any]:
        """One line of the run's artifact, what matters most first; empty columns are left out by `report.table`."""
        return {
            "account": self.account,
            "resource": self.resource,
            "outcome": self.outcome,
            "records": f"{self.records:,}",
            "new": f"{self.inserted:,}",
            "changed": f"{self.updated:,}",
            "unchanged": f"{self.unchanged:,}",
            "refused": f"{self.refused:,}",
            "changed since": f"{self.since:%Y-%m-%d %H:%M}" if self.since else "ever",
            "until": f"{self.until:%Y-%m-%d %H:%M}",
            "requests": self.requests,
            "waited": f"{self.waited_seconds:.1f} s",
            "notes": "; ".join([*self.told, self.message]).strip("; "),
        }

    def row(self) -> dict[str, Any]:
        """One line for a program."""
        shown = asdict(self)
        shown["since"] = f"{self.since:%Y-%m-%d %H:%M}" if self.since else "the beginning"
        shown["until"] = f"{self.until:%Y-%m-%d %H:%M}"
        shown["waited_seconds"] = round(self.waited_seconds, 1)
        shown["notes"] = "; ".join(self.told)
        del shown["warnings"], shown["unread"]  # told in the notes
        shown["held"] = ", ".join(self.held)
        return shown


@materialize(
    report.CORE,
    asset_deps=[report.STAGING],
    name="ingest",
    task_run_name="ingest-{account}-{resource}",
    retries=RETRIES,
    retry_delay_seconds=DELAYS,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def ingest(
    account: str, resource: str, until: datetime, since: datetime | None = None, kind: Kind = "sync"
) -> Ingested:
    """Read, stage and merge what changed before `until`; the frames stay in here, only counts go on.

    Where another run is at the same work already, that one will have done it: "deferred".
    """
    seller = connections.account(account)
    try:
        result = read_and_merge(seller, registry.resources_of(seller.platform)[resource], until, since, kind)
    except LeaseHeldError as busy:
        return Ingested(account, resource, since, until, outcome="deferred", message=str(busy))
    report.wrote(
        account=account,
        resource=resource,
        records=result.records,
        inserted=result.inserted,
        updated=result.updated,
        refused=result.refused,
    )
    return result


def read_and_merge(
    account: Account, resource: Resource, until: datetime, since: datetime | None, kind: Kind
) -> Ingested:
    """The ingest without Prefect.

    `since` None continues from the watermark. A run whose rate budget is spent comes back as "deferred":
    what it read is dropped, the watermark stays. Raises ConnectorError or a database error otherwise.
    """
    engine = connections.postgres()
    channels.ensure(engine, account.name, account.channels)
    with leases.hold(engine, account.name, resource.name, owners.current()) as lease:
        window = _window(account, resource, until, since)
        run = runs.start(
            engine,
            kind,
            account=account.name,
            resource=resource.name,
            window=window,
            flow_run_id=runtime.flow_run.id,
        )
        try:
            about = {"account": account.name, "resource": resource.name, "window": _shown(window)}
            with logs.about(run=run.id, **about), tracing.span("window", run=run.id, **about):
                result = _read_all(account, resource, window, run, lease, kind, follows=since is None)
        except DeferredError as deferred:
            runs.finish(engine, run, "deferred", message=str(deferred))
            return Ingested(
                account.name,
                resource.name,
                window.since,
                window.until,
                outcome="deferred",
                message=str(deferred),
            )
        except BaseException as error:
            runs.finish(engine, run, "failed", message=logs.told(error))
            raise
        told = [*result.told, *(f"{name}: stock held back, two readings differ" for name in result.held)]
        lacking = result.refused or result.held or result.unseen or result.unread
        outcome: runs.Outcome = "degraded" if lacking else "done"
        runs.finish(engine, run, outcome, message="; ".join(told) or None)
        return result


def _shown(window: Window) -> str:
    """An ISO 8601 interval; an open start is `..`."""
    return f"{window.since.isoformat() if window.since else '..'}/{window.until.isoformat()}"


def _window(account: Account, resource: Resource, until: datetime, since: datetime | None) -> Window:
    """The span to read: from the watermark, less the look-back, to `until`, less what is not visible yet."""
    end = until - resource.delay
    if resource.kind == "snapshot":
        return Window(None, end)
    if since is not None:
        return Window(since, end)
    span = watermarks.next_window(
        connections.postgres(),
        account.name,
        resource.name,
        until=end,
        lookback=resource.lookback,
        earliest=_earliest(resource, end),
    )
    return Window(span.since, span.until)


def _earliest(resource: Resource, end: datetime) -> datetime:
    """Where a first reading begins."""
    days = timedelta(days=connections.settings().first_load_days)
    # Where the account decides how far back it sees, asking for more than it shows costs nothing.
    return end - (days if resource.limited else min(days, resource.retention or days))


def _read_all(
    account: Account, resource: Resource, window: Window, run: Run, lease: Lease, kind: Kind, *, follows: bool
) -> Ingested:
    """Read the window, and what was missed of channels that could not be read before and can be now.

    `follows`: the window begins at the watermark.
    """
    late: dict[str, datetime] = {}
    if kind == "sync" and follows and resource.kind == "window":
        late = watermarks.behind(
            connections.postgres(), account.name, resource.name, earliest=_earliest(resource, window.until)
        )
    result = _read_and_merge(
        account, resource, window, run, lease, advance=kind == "sync", late=frozenset(late)
    )
    back = {
        name: at
        for name, at in late.items()
        if not any(told.startswith(f"{name} ") for told in result.unread)
    }
    if not back:
        return result
    since = min(back.values()) - resource.lookback
    log.info("%s can be read again: %s from %s on", ", ".join(back), resource.name, since)
    missed = _read_and_merge(
        account,
        resource,
        Window(since, window.until),
        run,
        lease,
        advance=True,
        late=frozenset(late.keys() - back),
    )
    counts = ("pages", "records", "inserted", "updated", "unchanged", "refused", "dirty_days", "requests")
    added = {name: getattr(result, name) + getattr(missed, name) for name in counts}
    return replace(missed, **added, waited_seconds=result.waited_seconds + missed.waited_seconds)


def _read_and_merge(
    account: Account,
    resource: Resource,
    window: Window,
    run: Run,
    lease: Lease,
    *,
    advance: bool,
    late: frozenset[str] = frozenset(),
) -> Ingested:
    """Read the window and merge it. An answer that would empty a channel's stock is read a second time.

    `late` channels were read less far than the window begins: they stay so, even if they answer.
    """
    engine = connections.postgres()
    shared = PostgresBudget(engine)
    budget = Background(shared) if run.kind == "backfill" else shared  # the live sync goes first
    with closing(registry.open_client(account, budget=budget, tokens=connections.tokens())) as client:
        horizon = resource.horizon(client, window.since, window.until) if resource.kind == "window" else None
        first_answer: Mapping[str, str] = {}
        for attempt in (1, 2):
            tally = extract.Tally()
            with load.Staging(
                engine,
                f"r{run.id}_{attempt}",
                account=account.name,
                resource=resource.name,
                seal=connections.vault().seal,
            ) as staging:
                _stage(client, resource, window, staging, tally)
                with tracing.span("merge", run=run.id, records=tally.records):
                    merged = merge.commit(
                        engine,
                        staging,
                        run=run,
                        lease=lease,
                        window=Window(window.since, tally.watermark or window.until),
                        advance_watermark=advance,
                        snapshot=resource.kind == "snapshot",
                        first_answer=first_answer,
                        notes=tally.notes,
                        unread=late | client.refused.keys(),
                    )
            if not merged.held:
                break
            first_answer = merged.answers
            log.warning("%s: an answer (almost) without stock, not believed", ", ".join(merged.held))
        return Ingested(
            account=account.name,
            resource=resource.name,
            since=window.since,
            until=window.until,
            pages=tally.pages,
            records=tally.records,
            inserted=merged.inserted,
            updated=merged.updated,
            unchanged=merged.unchanged,
            refused=merged.quarantined,
            dirty_days=merged.dirty_days,
            requests=client.requests,
            waited_seconds=client.waited,
            notes=merged.new_notes,
            held=merged.held,
            warnings=tuple(client.warnings),
            unread=tuple(f"{name} cannot be read: {why}" for name, why in client.refused.items()),
            unseen=""
            if horizon is None
            else f"nothing before {horizon.earliest:%Y-%m-%d} is seen: {horizon.why}",
        )


def _stage(
    client: ChannelClient, resource: Resource, window: Window, staging: load.Staging, tally: extract.Tally
) -> None:
    """Every page of the window into staging tables. Raises ConnectorError when the source gave fewer records
    than it announced: a green run that dropped a slice is the commonest silent loss there is."""
    batches = extract.fetch(
        client,
        resource,
        window,
        key=connections.settings().pseudonym_key,
        fetched_at=datetime.now(UTC),
        tally=tally,
    )
    for batch in batches:
        stopping.check()
        staging.add(batch.frames, batch.rejected)
    if tally.expected is not None and tally.records < tally.expected:
        raise ConnectorError(
            f"{client.account.name} {resource.name}: the source announced {tally.expected} records and gave "
            f"{tally.records}; nothing was written and the window will be read again"
        )
