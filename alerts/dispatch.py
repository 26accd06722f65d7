"""Claimed messages and senders in; what became of each, out. The only thin code that does I/O.

Decided here: whether to look an earlier attempt up first, how long to wait, when a provider counts as down
and which way takes over. Storing it is the caller's.
"""

import random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts.plan import Message
from alerts.senders import UNKNOWN, Delivery, Outgoing, Sender

Outcome = Literal["accepted", "delivered", "undelivered", "pending", "unknown", "cancelled"]


@dataclass(frozen=True)
class DeliveryPolicy:
    """How patient delivery is, and what it does when nobody can say what became of a message.

    `repeat_unknown`: severities for which a second copy is better than none. They are sent once more, after
    `unknown_wait` in which a provider event may still settle it; others end as `unknown`.
    """

    max_attempts: int = 12
    first_wait: timedelta = timedelta(seconds=20)
    longest_wait: timedelta = timedelta(minutes=30)
    # Another way has taken over five minutes after the first failure, delivery running every two minutes.
    down_after: timedelta = timedelta(minutes=3, seconds=30)
    probe_every: timedelta = timedelta(minutes=1)
    unknown_wait: timedelta = timedelta(minutes=10)
    look_up_wait: timedelta = timedelta(seconds=30)
    repeat_unknown: frozenset[str] = frozenset({"critical"})
    give_up_after: timedelta = timedelta(hours=24)


@dataclass
class Health:
    """What is known about one provider. `failing_since` is kept between runs by the caller."""

    failing_since: datetime | None = None
    last_failure_at: datetime | None = None
    paused_until: datetime | None = None  # it asked for that (429)

    def is_down(self, now: datetime, policy: DeliveryPolicy) -> bool:
        """It has failed every time for so long that another way takes over."""
        return self.failing_since is not None and now - self.failing_since >= policy.down_after

    def as_dict(self) -> dict[str, str | None]:
        """Plain values, for a JSON column."""
        return {name: value.isoformat() if value else None for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, str | None]) -> "Health":
        """The opposite of `as_dict`."""
        return cls(**{name: datetime.fromisoformat(value) for name, value in values.items() if value})


@dataclass(frozen=True)
class Result:
    """What to store about one message.

    `retry_at` goes with `pending`. An outcome that is still to be looked up is `pending` with an error that
    begins with "outcome unknown"; `unknown` is final.
    `takeover` is a message for another way, to be stored in the same transaction.
    """

    idempotency_key: str
    state: Outcome
    provider_id: str | None = None
    error: str | None = None
    retry_at: datetime | None = None
    suppress: bool = False
    attempted: bool = True
    takeover: Message | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, the takeover too."""
        return {**vars(self), "takeover": self.takeover.as_dict() if self.takeover else None}


@dataclass
class _Run:
    senders: Mapping[str, Sender]
    now: datetime
    policy: DeliveryPolicy
    health: dict[str, Health]
    results: list[Result] = field(default_factory=list)


def deliver(
    messages: Iterable[Mapping[str, Any] | Outgoing],
    senders: Mapping[str, Sender],
    now: datetime,
    *,
    resolved: Collection[str] = (),
    health: dict[str, Health] | None = None,
    policy: DeliveryPolicy | None = None,
) -> list[Result]:
    """One attempt for each message, worst first. `resolved` holds fingerprints that ended meanwhile: they
    are cancelled, except for the all-clear itself. `health` is updated in place."""
    run = _Run(senders, now, policy or DeliveryPolicy(), health if health is not None else {})
    claimed = [item if isinstance(item, Outgoing) else Outgoing.from_row(item) for item in messages]
    order = {"critical": 0, "warning": 1}
    for message in sorted(claimed, key=lambda item: (order.get(item.severity, 2), item.idempotency_key)):
        gone = message.fingerprint in resolved and message.payload.get("kind") not in {"all_clear", "digest"}
        if gone and not message.maybe_sent:
            run.results.append(
                Result(
                    message.idempotency_key, "cancelled", error="resolved before it was sent", attempted=False
                )
            )
        else:
            run.results.append(_one(run, message, resend=not gone))
    return run.results


def follow_up(
    accepted: Iterable[Mapping[str, Any]], senders: Mapping[str, Sender], limit: int = 200
) -> list[Result]:
    """Asks providers about accepted messages where they can be asked: delivered, undelivered, or no news yet.

    A row has way, idempotency_key and provider_id. Rows without news give no result.
    """
    results: list[Result] = []
    for row in list(accepted)[:limit]:
        sender, provider_id = senders.get(row["way"]), row.get("provider_id")
        told = sender.status(provider_id) if sender and provider_id else None
        if told is None or told.state not in {"delivered", "rejected"}:
            continue
        state: Outcome = "delivered" if told.state == "delivered" else "undelivered"
        results.append(
            Result(row["idempotency_key"], state, told.provider_id, told.error, suppress=told.suppress)
        )
    return results


def pass_on(
    failed: Iterable[Mapping[str, Any]],
    senders: Mapping[str, Sender],
    now: datetime,
    *,
    resolved: Collection[str] = (),
    health: dict[str, Health] | None = None,
    policy: DeliveryPolicy | None = None,
) -> list[Result]:
    """Messages that were taken and then could not be delivered, on the next way that works. Those no way is left
    for, or that ended meanwhile, give no result."""
    run = _Run(senders, now, policy or DeliveryPolicy(), health if health is not None else {})
    passed = []
    for row in failed:
        message = Outgoing.from_row(row)
        if message.fingerprint in resolved:
            continue
        taken = _hand_over(run, message, row.get("last_error") or "it could not be delivered")
        if taken is not None:
            passed.append(replace(taken, attempted=True))
    return passed


def backoff(attempts: int, policy: DeliveryPolicy, asked_seconds: float | None, key: str) -> timedelta:
    """How long to wait after so many attempts: doubling with jitter, never less than the provider asked.

    The jitter comes from the message's key, so the same message gets the same wait.
    """
    ceiling: timedelta = min(policy.longest_wait, policy.first_wait * float(2 ** min(attempts - 1, 16)))
    jittered = ceiling * (0.5 + random.Random(f"{key}{attempts}").random() / 2)  # noqa: S311 spreads retries, guards nothing
    return max(jittered, timedelta(seconds=asked_seconds or 0))


def _one(run: _Run, message: Outgoing, *, resend: bool) -> Result:
    sender = run.senders.get(message.way)
    if sender is None:
        return _hand_over(run, message, f"{message.way} is not configured") or Result(
            message.idempotency_key, "undelivered", error=f"{message.way} is not configured", attempted=False
        )
    health = run.health.setdefault(message.way, Health())
    waiting = _paused(run, health)
    if waiting is not None:
        taken = (
            _hand_over(run, message, "the provider is down") if health.is_down(run.now, run.policy) else None
        )
        return taken or Result(
            message.idempotency_key,
            "pending",
            error="waiting for the provider",
            retry_at=waiting,
            attempted=False,
        )
    # Asking costs nothing where it is possible, so a repeated SMS is always looked up first.
    unclear = message.maybe_sent or (message.attempts > 1 and sender.way == "sms")
    if unclear and not sender.repeatable:
        settled = _settle(run, message, sender, resend=resend)
        if settled is not None:
            return settled
    delivery = sender.send(message, run.now)
    if delivery.state == "unknown" and not sender.repeatable:
        delivery = _after_silence(run, message, sender, delivery)
    return _judge(run, message, sender, delivery)


def _paused(run: _Run, health: Health) -> datetime | None:
    """Until when this provider is left alone, if it is."""
    if health.paused_until is not None and run.now < health.paused_until:
        return health.paused_until
    if health.is_down(run.now, run.policy) and health.last_failure_at is not None:
        probe = health.last_failure_at + run.policy.probe_every
        return probe if run.now < probe else None
    return None


def _settle(run: _Run, message: Outgoing, sender: Sender, *, resend: bool) -> Result | None:
    """An earlier attempt had no answer: find out, or decide by the policy. None means send it."""
    found = sender.look_up(message, run.now)
    if found is not None and found.state != "retry":
        return _judge(run, message, sender, found)
    if not resend:
        return Result(
            message.idempotency_key, "cancelled", error="resolved before it was sent", attempted=False
        )
    if found is not None:
        return None
    repeated = message.attempts > 2
    if message.severity in run.policy.repeat_unknown and not repeated and sender.way != "sms":
        return None
    if sender.way == "sms" and message.attempts <= run.policy.max_attempts:
        wait = backoff(message.attempts, run.policy, None, message.idempotency_key)
        error = f"{UNKNOWN}; the provider cannot be asked right now"
        return Result(
            message.idempotency_key, "pending", error=error, retry_at=run.now + wait, attempted=False
        )
    error = f"{UNKNOWN}; not sent again: a second copy would be worse than none"
    return Result(message.idempotency_key, "unknown", error=error, attempted=False)


def _after_silence(run: _Run, message: Outgoing, sender: Sender, delivery: Delivery) -> Delivery:
    """No answer came. Ask at once; a provider that has it not yet may still be storing it, so that stays
    unknown and is asked again."""
    found = sender.look_up(message, run.now)
    return found if found is not None and found.state in {"accepted", "delivered", "rejected"} else delivery


def _judge(run: _Run, message: Outgoing, sender: Sender, delivery: Delivery) -> Result:
    """What an attempt that ended this way means for the message and for its provider."""
    _note(run, run.health.setdefault(message.way, Health()), delivery)
    key = message.idempotency_key
    if delivery.state in ("accepted", "delivered"):
        return Result(key, delivery.state, delivery.provider_id)
    if delivery.state == "rejected":
        return _refused(run, message, delivery)
    if delivery.state == "unknown" and not sender.repeatable:
        wait = run.policy.look_up_wait if sender.way == "sms" else run.policy.unknown_wait
        again = sender.way == "sms" or (
            message.severity in run.policy.repeat_unknown and message.attempts < 2
        )
        error = f"{UNKNOWN}: {delivery.error}"
        if again:
            return Result(key, "pending", error=error, retry_at=run.now + wait)
        return Result(key, "unknown", error=error)
    return _later(run, message, delivery)


def _refused(run: _Run, message: Outgoing, delivery: Delivery) -> Result:
    taken = _hand_over(run, message, delivery.error or "rejected")
    if taken is not None:
        return replace(taken, suppress=delivery.suppress, provider_id=delivery.provider_id)
    return Result(
        message.idempotency_key,
        "undelivered",
        delivery.provider_id,
        delivery.error,
        suppress=delivery.suppress,
    )


def _later(run: _Run, message: Outgoing, delivery: Delivery) -> Result:
    """It was certainly not taken: by another way if this one is down, else again after a wait."""
    if run.health[message.way].is_down(run.now, run.policy):
        taken = _hand_over(run, message, delivery.error or "the provider is down")
        if taken is not None:
            return taken
    tried_for = run.now - (message.since or run.now)
    often = message.attempts >= run.policy.max_attempts and tried_for >= run.policy.down_after
    if often or tried_for >= run.policy.give_up_after:
        return _gave_up(run, message, delivery)
    wait = backoff(message.attempts, run.policy, delivery.retry_after_seconds, message.idempotency_key)
    return Result(message.idempotency_key, "pending", error=delivery.error, retry_at=run.now + wait)


def _gave_up(run: _Run, message: Outgoing, delivery: Delivery) -> Result:
    error = f"gave up: {delivery.error}"
    taken = _hand_over(run, message, error)
    return taken or Result(message.idempotency_key, "undelivered", error=error)


def _note(run: _Run, health: Health, delivery: Delivery) -> None:
    if delivery.provider_down:
        health.failing_since = health.failing_since or run.now
        health.last_failure_at = run.now
    elif delivery.state != "retry":
        health.failing_since = health.last_failure_at = None
    if delivery.state == "retry" and not delivery.provider_down and delivery.retry_after_seconds:
        health.paused_until = run.now + timedelta(seconds=delivery.retry_after_seconds)


def _hand_over(run: _Run, message: Outgoing, reason: str) -> Result | None:
    """The message on the next way that works; None when another way carries it anyway, or none is left."""
    carried = [way for way in message.payload.get("also", ()) if _works(run, way)]
    if carried:
        return None
    fallbacks = list(message.payload.get("fallbacks", ()))
    for place, target in enumerate(fallbacks):
        if not _works(run, target["way"]):
            continue
        payload = {**message.payload, "fallbacks": fallbacks[place + 1 :], "also": []}
        takeover = Message(
            idempotency_key=f"{message.idempotency_key.split(':')[0]}:{target['way']}",
            fingerprint=message.fingerprint,
            way=target["way"],
            recipient=target["recipient"],
            severity=message.severity,
            payload=payload,
            not_before=run.now,
        )
        error = f"handed over to {target['way']}: {reason}"
        return Result(message.idempotency_key, "undelivered", error=error, takeover=takeover)
    return None


def _works(run: _Run, way: str) -> bool:
    health = run.health.get(way)
    return way in run.senders and not (health is not None and health.is_down(run.now, run.policy))
