"""Pull what changed in every account: one task per account and resource, each failing alone.

After orders the changed days are rolled up; after inventory the stock alerts are looked at.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect import flow, get_run_logger, runtime, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from connectors import registry
from flows import connections, limits, report
from flows.ingest import Ingested, ingest
from flows.instants import Instant
from flows.retry import DELAYS, RETRIES, is_transient
from warehouse import checks

# Products first, so that an order's lines find their product; money that comes back last.
ORDER = ("products", "inventory", "orders", "refunds", "returns", "carts", "customers", "fees", "feedback")


def _name() -> str:
    """sync-orders-of-amazon, from the run's parameters."""
    asked = runtime.flow_run.parameters
    whose = "-of-" + "-".join(asked["accounts"]) if asked.get("accounts") else ""
    return f"sync-{'-'.join(asked['resources'])}{whose}"


@flow(name="sync", flow_run_name=_name, task_runner=ThreadPoolTaskRunner(max_workers=3))  # type: ignore[arg-type]  # Prefect's types want a coroutine's
def sync(
    resources: Sequence[str] = ("all",),
    accounts: Sequence[str] = (),
    since: Instant | None = None,
    until: Instant | None = None,
) -> State[Any]:
    """Read changes of `resources` ("orders", "inventory", …, "fees" or "all") up to `until`.

    `accounts` empty means all that are configured. Ends as Failed when any account failed; what the others
    brought is in the warehouse all the same; or when a check of what is there now failed.
    """
    until = until or datetime.now(UTC)
    log = get_run_logger()
    names = list(accounts) or sorted(connections.accounts())
    if not names:
        return Completed(name="NothingToDo", message="no account is configured; see .env.example")
    if not accounts and (paused := limits.paused_accounts() & set(names)):
        told = f"paused by the variable {limits.PAUSED_ACCOUNTS}: {', '.join(sorted(paused))}"
        log.warning(told)
        names = [name for name in names if name not in paused]
        if not names:
            return Completed(name="NothingToDo", message=told)
    futures = {}
    # By resource first: the accounts then run side by side, each seldom in two places at once.
    for resource in ORDER:
        for name in names:
            if resource in chosen(resources, connections.account(name).platform):
                with tags(f"account:{name}", f"resource:{resource}"):
                    futures[name, resource] = ingest.submit(name, resource, until, since)
    done: list[Ingested] = []
    failures: list[str] = []
    for (name, resource), future in futures.items():
        try:
            result = future.result()
        except Exception as error:  # noqa: BLE001 one account's failure is reported, the rest goes on
            failures.append(f"{name} {resource}: {error}")
            log.error("%s %s: %s", name, resource, error)  # noqa: TRY400 the task's own log has the traceback
        else:
            done.append(result)
            _log(log, result)
            if result.outcome == "done":
                report.was_read(name, resource, result.records)
    key = f"sync-{'-'.join(resources)}"
    report.table(
        key, [result.shown() for result in done], "What was read and written, by account and resource"
    )
    results = check() if any(result.inserted or result.updated for result in done) else []
    if results:
        report.table(f"{key}-checks", [result.row() for result in results], "What must hold after every load")
    broken = [
        f"{result.name}: {result.detail}" for result in results if not result.ok and result.severity == "fail"
    ]
    if failures or broken:
        report.page(f"{key}-failures", report.bullet_list([*failures, *broken]), "What failed and why")
        return Failed(message="; ".join([*failures, *broken]), data=done)
    return completed(done)


@task(
    name="check",
    retries=RETRIES,
    retry_delay_seconds=DELAYS,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def check() -> list[checks.CheckResult]:
    """Assertions on the business days that changed and are not published yet, each marked fail or warn."""
    results = checks.after_load(connections.postgres(), changed_days=True)
    for result in results:
        if not result.ok:
            get_run_logger().warning("%s: %s", result.name, result.detail)
    return results


def chosen(resources: Sequence[str], platform: str) -> list[str]:
    """The platform's resources among `resources`, in the order they are read.

    Refunds of a channel that tells them apart from its orders are part of "orders".
    """
    wanted = set(resources)
    if "all" in wanted:
        wanted = set(ORDER)
    if "orders" in wanted:
        wanted.add("refunds")
    return [name for name in ORDER if name in wanted and name in registry.resources_of(platform)]


def completed(done: Sequence[Ingested], *told: str) -> State[Any]:
    """How a run ends none of whose parts failed; `told` stands at the end of its message."""
    refused = sum(result.refused for result in done)
    if deferred := [result.message for result in done if result.outcome == "deferred"]:
        name, message = "Deferred", "; ".join(dict.fromkeys(deferred))
    elif unread := [f"{result.resource}: {told}" for result in done for told in result.unread]:
        name, message = "CompletedInPart", "; ".join(dict.fromkeys(unread))
    elif refused:
        name = "CompletedWithRefused"
        message = f"{refused} records were refused and kept: wharf quarantine list"
    else:
        name, rows = "Completed", sum(result.inserted + result.updated for result in done)
        message = f"{rows} rows written from {sum(result.records for result in done)} records"
    return Completed(name=name, message="; ".join([message, *told]), data=done)


def _log(log: Any, result: Ingested) -> None:
    log.info(
        "%s %s: %s records in %s pages, %s inserted, %s updated, %s unchanged, %s refused, %s requests, waited %.1f s",
        result.account,
        result.resource,
        result.records,
        result.pages,
        result.inserted,
        result.updated,
        result.unchanged,
        result.refused,
        result.requests,
        result.waited_seconds,
    )
    for note in result.told:
        log.warning("%s %s: %s", result.account, result.resource, note)


def finish(*states: State[Any]) -> State[Any]:
    """One state for several steps: the first that failed, else the first that has something to say."""
    for state in states:
        if not state.is_completed():
            return Failed(message=state.message)
    told = [state for state in states if state.name not in {"Completed", "NothingToDo"}]
    if told:
        return Completed(name=told[0].name, message=told[0].message)
    return Completed(message="; ".join(state.message for state in states if state.message))
