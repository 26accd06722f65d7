"""The same steps over past windows: no second code path, and the live watermark never moves."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from prefect import flow, tags
from prefect.client.schemas.objects import State
from prefect.states import Failed
from pydantic import Field

from connectors import registry
from connectors.errors import ConfigurationError
from flows import connections, report, task_runner
from flows.ingest import Ingested, ingest
from flows.instants import Instant
from flows.sync import completed
from warehouse import backfills
from warehouse.batch import Span
from warehouse.budget import PostgresBudget

Kind = Literal[
    "orders", "refunds", "returns", "carts", "customers", "fees", "feedback", "products", "inventory"
]


@flow(name="backfill", flow_run_name="backfill-{account}-{resource}")
def backfill(
    account: str,
    since: Instant,
    until: Instant,
    resource: Kind = "orders",
    slice_days: Annotated[int, Field(ge=1, le=366)] = 30,
    again: bool = False,
) -> State[Any]:
    """Read what changed in `account` from `since` to `until`, newest slice first: those not read whole yet.

    Rows that are known stay as they are, and the live watermark does not move. What the source no longer keeps is
    left out: it is in the warehouse or nowhere.

    Args:
        account: Which account, by its name: amazon, shopify, walmart, or one of accounts.toml.
        since: What changed at this instant or later is read. Without a zone: UTC.
        until: What changed before this instant is read. Without a zone: UTC.
        resource: What to read; not every channel has everything.
        slice_days: How many days are read and written at a time. A slice that fails is told, the others go on.
        again: Read slices that were read whole before, too.
    """
    _check(account, resource, since, until)
    asked, told = _within_reach(account, resource, since, until)
    length = timedelta(days=slice_days)
    slices = backfills.plan(connections.postgres(), account, resource, asked, length, again=again)
    elsewhere = slices and task_runner.is_remote()
    read = task_runner.side_by_side(read_slices) if elsewhere else read_slices.fn
    done, failures = read(account, resource, slices)
    report.table(
        f"backfill-{account}-{resource}", [result.shown() for result in done], "Slices, newest first"
    )
    if failures:
        return Failed(message="; ".join(failures), data=done)
    if not slices and asked.since < asked.until:
        told.append("all of it was read before; --again reads it anyway")
    return completed(done, f"{len(done)} slices", *told)


@flow(name="backfill-slices", flow_run_name="slices-{account}-{resource}")
def read_slices(account: str, resource: Kind, slices: list[Span]) -> tuple[list[Ingested], list[str]]:
    """What was read, and what failed. One slice after the other, wherever they are read: of one account and resource a
    lease allows one reader, and the marketplace's limit is shared anyway. Several backfills go side by side.
    """
    engine = connections.postgres()
    done: list[Ingested] = []
    failures: list[str] = []
    for part in slices:
        backfills.mark(engine, account, resource, part, "running")
        with tags(f"account:{account}", f"resource:{resource}", "backfill"):
            state = _ingested(account, resource, part)
        if not state.is_completed():
            backfills.mark(engine, account, resource, part, "failed", state.message)
            failures.append(f"{part.since:%Y-%m-%d} to {part.until:%Y-%m-%d}: {state.message}")
            continue
        result = state.result()
        backfills.mark(
            engine, account, resource, part, "done" if result.outcome == "done" else "pending", result.message
        )
        done.append(result)
    return done, failures


def _ingested(account: str, resource: Kind, part: Span) -> State[Any]:
    """How reading a slice ended, here or on a worker of the task runner."""
    if not task_runner.is_remote():
        return ingest(account, resource, part.until, part.since, "backfill", return_state=True)
    future = ingest.submit(account, resource, part.until, part.since, "backfill")
    future.wait()
    return future.state


def _check(account: str, resource: str, since: datetime, until: datetime) -> None:
    """Raises ConfigurationError that says what of the question cannot be meant."""
    if since >= until:
        raise ConfigurationError(
            f"since ({since:%Y-%m-%d %H:%M}) must be before until ({until:%Y-%m-%d %H:%M})"
        )
    known = registry.resources_of(connections.account(account).platform)
    if resource not in known:
        raise ConfigurationError(f"{account} has no {resource}; it has {', '.join(known)}")


def _within_reach(account: str, resource: str, since: datetime, until: datetime) -> tuple[Span, list[str]]:
    """The part of the span that has happened and that the source still keeps; and what was left out."""
    now = datetime.now(UTC)
    until = min(until, now)
    seller = connections.account(account)
    budget = PostgresBudget(connections.postgres())
    with closing(registry.open_client(seller, budget=budget, tokens=connections.tokens())) as client:
        horizon = registry.resources_of(seller.platform)[resource].horizon(client, since, now)
    if horizon is None:
        return Span(min(since, until), until), []
    told = f"{account} {resource}: nothing before {horizon.earliest:%Y-%m-%d} is seen: {horizon.why}"
    return Span(min(max(since, horizon.earliest), until), until), [told]
