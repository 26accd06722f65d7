"""What the sources count, against core and ClickHouse: per account and day, repaired where it can be, told where not.

A difference that nothing explains makes the run read the differing days again (through the backfill's own task, so
the live watermark stays), publish, and compare once more. Only what differs then opens an alert.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from prefect import flow, get_run_logger, runtime, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from alerts import data_rules
from connectors import registry
from flows import connections, deciding, report
from flows.delivery import deliver
from flows.ingest import ingest
from flows.instants import Instant
from flows.retry import DELAYS, RETRIES, is_transient
from flows.rollup import roll_up
from warehouse import channels, reconcile_edits, reconcile_posted, runs, watermarks
from warehouse import reconcile as figures
from warehouse.budget import PostgresBudget
from warehouse.reconcile import Figure

ALERT_TYPES = ("reconciliation",)
_AFTER = timedelta(days=1)  # a day's orders have mostly stopped changing by then


@dataclass(frozen=True)
class Reconciled:
    """What one reconciliation found: figures compared, and accounts whose control could not be read."""

    figures: tuple[Figure, ...]
    failures: tuple[str, ...] = ()

    def of(self, state: str) -> list[Figure]:
        """Figures in this state."""
        return [figure for figure in self.figures if figure.state == state]


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile(
    accounts: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    repair: bool = True,
    now: Instant | None = None,
) -> State[Any]:
    """Compare orders and totals at the source, in PostgreSQL and in ClickHouse, by account and day.

    Ends as Failed when a difference stays that nothing explains, as Repaired when reading again made it go.

    Args:
        accounts: Which accounts; empty: all that are configured.
        since: First business day; empty: a week, up to `until`.
        until: Last business day; empty: yesterday.
        repair: Read days that differ again before telling of them.
        now: The instant to judge by; empty: now. Without a zone: UTC.
    """
    now = now or datetime.now(UTC)
    last = until or (now - timedelta(days=1)).date()
    first = since or last - timedelta(days=6)
    names = list(accounts) or sorted(connections.accounts())
    found = look(names, first, last, now)
    differing = found.of("differs")
    if repair and differing:
        # Most of what is missing changed on its own day. What changed later comes with everything since that day.
        for whole in (False, True):
            if not found.of("differs"):
                break
            get_run_logger().warning("%s figures differ; reading their days again", len(found.of("differs")))
            read_again(found.of("differs"), now, whole=whole)
            again = look(names, first, last, now)
            found = Reconciled(tuple(figures.repaired(differing, again.figures)), again.failures)
    keep(found)
    _show(found)
    _tell(first, now)
    return _ended(found)


def look(names: Sequence[str], first: date, last: date, now: datetime) -> Reconciled:
    """The figures of every account; one whose control cannot be read fails alone."""
    found: list[Figure] = []
    failures: list[str] = []
    for name in names:
        with tags(f"account:{name}"):
            state = compare(name, first, last, now, return_state=True)
        if state.is_completed():
            found += state.result()
        else:
            failures.append(f"{name}: {state.message}")
    return Reconciled(tuple(found), tuple(failures))


@task(
    name="compare-with-source",
    task_run_name="compare-{account}",
    retries=RETRIES,
    retry_delay_seconds=DELAYS,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def compare(account: str, first: date, last: date, now: datetime) -> list[Figure]:
    """Every figure of the account's channels from `first` to `last`, in three places."""
    engine, seller = connections.postgres(), connections.account(account)
    orders = registry.resources_of(seller.platform)["orders"]
    channels.ensure(engine, seller.name, seller.channels)
    read_until = watermarks.read_until(engine, account, "orders")
    found: list[Figure] = []
    with (
        closing(connections.clickhouse()) as clickhouse,
        closing(
            registry.open_client(seller, budget=PostgresBudget(engine), tokens=connections.tokens())
        ) as client,
    ):
        horizon = orders.horizon(client, None, now)
        sight = figures.Sight(
            read_until and read_until - orders.delay,
            figures.asked_since(engine, account),
            horizon and horizon.earliest,
        )
        for place in figures.places(engine, account):
            channel = next((c for c in seller.channels if c.name == place.name), None)
            if channel is None:
                continue  # sold there once; the account is not set up for it any more
            control = registry.control_totals(client, channel, first, last)
            settled = reconcile_posted.in_core(engine, place, first, last)
            found += reconcile_posted.compare(place, (first, last), control, settled)
            found += figures.compare(
                place,
                (first, last),
                control,
                figures.in_core(engine, place, first, last),
                figures.in_clickhouse(clickhouse, place, first, last),
                sight,
                figures.waiting_days(engine, place),
                reconcile_edits.in_core(engine, place.id, place.timezone, first, last),
            )
    return found


def read_again(differing: Sequence[Figure], now: datetime, *, whole: bool) -> None:
    """The differing days once more from their sources, and published: what changed on each day, or with `whole`
    everything that changed since the earliest of them."""
    engine = connections.postgres()
    for account in sorted({figure.account for figure in differing}):
        zones = {place.id: place for place in figures.places(engine, account)}
        spans = sorted(
            {figures.day_span(zones[f.channel_id], f.day) for f in differing if f.account == account}
        )
        windows = [(spans[0][0], now)] if whole else [(start, min(end + _AFTER, now)) for start, end in spans]
        platform = connections.account(account).platform
        for resource in (
            ("orders", "refunds") if "refunds" in registry.resources_of(platform) else ("orders",)
        ):
            for start, end in reversed(windows):
                with tags(f"account:{account}", f"resource:{resource}", "reconcile"):
                    ingest(account, resource, end, start, "backfill", return_state=True)
    days = sorted({figure.day for figure in differing})
    roll_up(days[0], days[-1], return_state=True)


@task(name="keep", cache_policy=NO_CACHE)
def keep(found: Reconciled) -> None:
    """The ledger of reconciliations, and this run in the ledger of runs: degraded where something differed."""
    engine = connections.postgres()
    run = runs.start(engine, "reconcile", flow_run_id=runtime.flow_run.id)
    figures.store(engine, run, found.figures)
    counts = {state: len(found.of(state)) for state in ("agrees", "explained", "repaired", "differs")}
    troubled = counts["repaired"] or counts["differs"] or found.failures
    runs.finish(
        engine,
        run,
        "degraded" if troubled else "done",
        message="; ".join(found.failures) or None,
        counts=counts,
    )


def _show(found: Reconciled) -> None:
    order = {"differs": 0, "repaired": 1, "explained": 2, "agrees": 3}
    rows = sorted(found.figures, key=lambda f: (order[f.state], f.channel, -f.day.toordinal(), f.measure))
    report.table(
        "reconciliation",
        [
            {
                "state": f.state,
                "channel": f.channel,
                "day": f"{f.day}",
                "measure": f.measure,
                "theirs": _plain(f.theirs),
                "ours": _plain(f.ours),
                "published": _plain(f.published),
                "delta": _plain(f.delta),
                "currency": f.currency or "",
                "explanation": f.explanation or "",
            }
            for f in rows
        ],
        "What the sources count, against PostgreSQL and ClickHouse",
    )


def _tell(first: date, now: datetime) -> None:
    """Open alerts of what still differs, end those of what agrees now, and send what is due."""
    judged = figures.differences(connections.postgres(), first)
    findings = data_rules.reconciliation_differences(judged, deciding.current_thresholds())
    deciding.decide(findings, ALERT_TYPES, now, judged=judged.height)
    deliver(now)


def _ended(found: Reconciled) -> State[Any]:
    differing, mended = found.of("differs"), found.of("repaired")
    told = f"{len(found.figures)} figures: {len(found.of('agrees'))} agree, {len(found.of('explained'))} explained"
    if differing or found.failures:
        first = [
            f"{f.channel} {f.day} {f.measure}: source {_plain(f.theirs)}, here {_plain(f.ours)},"
            f" published {_plain(f.published)}"
            for f in differing[:5]
        ]
        more = [f"and {len(differing) - 5} more"] if len(differing) > 5 else []
        return Failed(message="; ".join([*found.failures, *first, *more]), data=found)
    if mended:
        return Completed(
            name="Repaired", message=f"{told}, {len(mended)} repaired by reading again", data=found
        )
    return Completed(message=told, data=found)


def _plain(value: Any) -> str:
    return "" if value is None else f"{value.normalize():f}"
