"""The outbox → providers: what is due now, what became of what they took, who else must hear, and the digests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from alerts import dispatch, plan
from alerts import settings as alert_settings
from alerts.senders import senders_for
from flows import connections, deciding, report
from flows.instants import Instant
from warehouse import alerts as store
from warehouse import outbox

AT_ONCE = 200  # messages claimed for sending at a time
ASKED = ("sms",)  # ways whose provider can be asked what became of a message


@flow(name="delivery", flow_run_name="delivery")
def delivery(now: Instant | None = None) -> State[Any]:
    """Send what is due, follow up what was taken, call the next person where nobody answered.

    Cheap when there is nothing to do: a few questions to the database and no artifact.

    Args:
        now: The instant to judge by. Empty: now. Without a zone: UTC.
    """
    now = now or datetime.now(UTC)
    unsent = overdue(now)
    sent = deliver(now)
    waits = waiting(now)
    if not sent and not unsent:
        return Completed(name="NothingToDo", message=_waits(waits), data={"sent": [], "waiting": waits})
    report.table("delivery-sent", sent, "Messages handled in this run")
    report.table("delivery-waiting", waits, "Messages not sent yet, until when they wait, and why")
    report.table("delivery-not-sent", unsent, "What no message was sent about, and why")
    accepted = sum(message["state"] in {"accepted", "delivered"} for message in sent)
    message = f"{accepted} of {len(sent)} messages accepted; {_waits(waits)}"
    return Completed(message=message, data={"sent": sent, "waiting": waits, "unsent": unsent})


@flow(name="digest", flow_run_name="digest")
def digest(now: Instant | None = None) -> State[Any]:
    """The daily digest of every recipient whose hour has come, once a day; and why somebody gets none.

    Args:
        now: The instant to judge by. Empty: now. Without a zone: UTC.
    """
    now = now or datetime.now(UTC)
    planned = plan_digests(now)
    sent = deliver(now) if planned["digests"] else []
    if not planned["digests"] and not planned["unsent"]:
        return Completed(name="NothingToDo", message="it is nobody's hour", data={**planned, "sent": sent})
    report.table("digest-sent", sent, "Digests handled in this run")
    report.table("digest-not-sent", planned["unsent"], "Who gets no digest now, and why")
    return Completed(message=f"{planned['digests']} digests", data={**planned, "sent": sent})


@task(name="plan-digests", cache_policy=NO_CACHE)
def plan_digests(now: datetime) -> dict[str, Any]:
    """Queue the digests that are due; a recipient's digest of a day is queued once however often this runs."""
    routes, linker = deciding.audience()
    planned = plan.plan_digests(deciding.known_episodes(), routes, now, linker)
    new = outbox.queue_new(connections.postgres(), [m.as_dict() for m in planned.messages], now)
    return {"digests": new, "unsent": deciding.unsent_rows(planned.unsent)}


@task(name="overdue", cache_policy=NO_CACHE)
def overdue(now: datetime) -> list[dict[str, str]]:
    """Queue what nobody acknowledged in time for the next person, and what was snoozed and is still so."""
    episodes = deciding.known_episodes()
    routes, linker = deciding.audience()
    escalated = plan.plan_escalations(episodes, routes, now, linker)
    reminded, awake = plan.plan_reminders(episodes, routes, now, linker)
    engine = connections.postgres()
    with engine.begin() as connection:
        store.apply(connection, [], [m.as_dict() for m in (escalated + reminded).messages], now)
        store.wake(connection, awake, now)
    return deciding.unsent_rows(reminded.unsent)


@task(name="deliver", cache_policy=NO_CACHE)
def deliver(now: datetime) -> list[dict[str, Any]]:
    """Send what is due until nothing is; each round is stored before the next is claimed."""
    engine = connections.postgres()
    senders = senders_for(alert_settings.load_settings(), lambda: datetime.now(UTC))
    health = {way: dispatch.Health.from_dict(kept) for way, kept in outbox.health(engine).items()}
    followed = dispatch.follow_up(outbox.accepted(engine, ASKED, now), senders)
    outbox.settle(engine, [result.as_dict() for result in followed], now)
    failed = outbox.undelivered(engine, now)
    passed = dispatch.pass_on(failed, senders, now, resolved=outbox.resolved(engine), health=health)
    outbox.settle(engine, [result.as_dict() for result in passed], now)
    sent: list[dict[str, Any]] = []
    while claimed := outbox.claim_due(engine, now, AT_ONCE):
        results = dispatch.deliver(claimed, senders, now, resolved=outbox.resolved(engine), health=health)
        outbox.settle(engine, [result.as_dict() for result in results], now)
        rows = {row["idempotency_key"]: row for row in claimed}
        sent += [_shown(rows[result.idempotency_key], result) for result in results]
    if sent:
        outbox.save_health(engine, {way: kept.as_dict() for way, kept in health.items()}, now)
    return sent


def waiting(now: datetime) -> list[dict[str, Any]]:
    """Messages not sent yet and why, as rows of an artifact: no address, no text."""
    rows = outbox.waiting(connections.postgres())
    return [
        {
            "way": row["way"],
            "severity": row["severity"],
            "alert": report.inert(row["fingerprint"] or ""),
            "until": row["next_attempt_at"].isoformat(timespec="seconds"),
            "why": report.inert(_why_waiting(row, now)),
        }
        for row in rows.iter_rows(named=True)
    ]


def _why_waiting(row: Mapping[str, Any], now: datetime) -> str:
    if row["state"] == "sending":
        return "it is being sent"
    if row["last_error"]:
        return f"attempt {row['attempts']}: {row['last_error']}"
    return "quiet hours" if row["not_before"] and row["not_before"] > now else "it is due"


def _waits(waits: list[dict[str, Any]]) -> str:
    return f"{len(waits)} wait, the next until {waits[0]['until']}" if waits else "nothing waits"


def _shown(row: Mapping[str, Any], result: dispatch.Result) -> dict[str, Any]:
    """A line of the run's artifact: no address, no text of the message."""
    return {
        "way": row["way"],
        "severity": row["severity"],
        "state": result.state,
        "why": report.inert(result.error or ""),
        "alert": report.inert(row["fingerprint"] or ""),
    }
