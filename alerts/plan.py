"""Transitions and recipients in; messages, and reasons why something is not sent, out. Pure.

A message is planned in the transaction that stores its cause. Its idempotency key names episode, change,
recipient and way: planned twice it is stored once.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.alert import Facts, Severity
from alerts.episodes import ESCALATED, OPENED, RESOLVED, UPDATED, Episode, Transition
from alerts.links import Linker
from alerts.routes import WAYS, WEEKDAYS, Recipient, Routes

SHOWN_IN_DIGEST = 20
ROWS_IN_DIGEST = 10_000
ADVICE = ("restock", "overstock", "slow_mover", "trending")  # said once a day, whatever its severity


@dataclass(frozen=True)
class Message:
    """One thing to send to one address by one way, not before an instant."""

    idempotency_key: str
    fingerprint: str
    way: str
    recipient: str
    severity: str
    payload: dict[str, Any]
    not_before: datetime

    def as_dict(self) -> dict[str, Any]:
        """Exactly the fields; `not_before` stays a datetime."""
        return asdict(self)


@dataclass(frozen=True)
class Unsent:
    """A change one recipient does not hear of now, and why."""

    fingerprint: str
    recipient: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What will be sent, and what will not."""

    messages: tuple[Message, ...] = ()
    unsent: tuple[Unsent, ...] = ()

    def __add__(self, other: "Plan") -> "Plan":
        return Plan(self.messages + other.messages, self.unsent + other.unsent)


@dataclass
class _Draft:
    now: datetime
    linker: Linker | None
    messages: list[Message] = field(default_factory=list)
    unsent: list[Unsent] = field(default_factory=list)


def plan(
    transitions: Sequence[Transition], routes: Routes, now: datetime, linker: Linker | None = None
) -> Plan:
    """Messages for what changed. Many new alerts at once become one digest, worst first."""
    draft = _Draft(now, linker)
    if not routes.recipients:
        draft.unsent = [
            Unsent(change.fingerprint, "nobody", "no recipient is configured; it is in core.alerts")
            for change in transitions
        ]
    for recipient in routes.recipients:
        due: list[Transition] = []
        for change in transitions:
            reason = _why_not(change, recipient, now)
            if reason is None:
                due.append(change)
            else:
                draft.unsent.append(Unsent(change.fingerprint, recipient.name, reason))
        if len(due) > recipient.digest_over:
            _at_once(draft, recipient, due)
        else:
            for change in due:
                kind = "all_clear" if change.change == RESOLVED else "alert"
                _tell(draft, recipient, kind, [change])
    return Plan(tuple(draft.messages), tuple(draft.unsent))


def plan_digests(
    episodes: Sequence[Episode], routes: Routes, now: datetime, linker: Linker | None = None
) -> Plan:
    """The daily digest for every recipient whose hour has come: open episodes of the last day that were not
    told at once. Run it as often as you like; a recipient gets one a day."""
    draft = _Draft(now, linker)
    for recipient in routes.recipients:
        local = now.astimezone(ZoneInfo(recipient.timezone))
        due = datetime.combine(local.date(), recipient.digest_at, local.tzinfo)
        if not due <= local < due + timedelta(hours=6):
            continue
        waiting = [
            _as_transition(episode)
            for episode in episodes
            if episode.resolved_at is None
            and _is_news_of_the_day(episode, recipient, now)
            and _is_for(recipient, episode.alert_type, episode.severity, episode.facts) is None
        ]
        if not waiting:
            draft.unsent.append(Unsent("digest", recipient.name, "nothing new since the last digest"))
            continue
        key = f"digest {local.date().isoformat()}"
        _digest(draft, recipient, waiting, key=key, ways=recipient.ways_for(Severity.INFO)[:1])
    return Plan(tuple(draft.messages), tuple(draft.unsent))


def _is_news_of_the_day(episode: Episode, recipient: Recipient, now: datetime) -> bool:
    """It began, or got worse, since the last digest it would have been in, and was not told at once. Advice is told
    once a week: a reorder point holds for the review period, and what cannot wait for it becomes low stock."""
    days = 1
    if recipient.advice_day is not None and episode.alert_type in ADVICE:
        days = 7
        today = now.astimezone(ZoneInfo(recipient.timezone)).weekday()
        if WEEKDAYS[today] != recipient.advice_day:
            return False
    news = [(episode.opened_at, episode.severity)]
    if told := episode.facts.get("news_at"):
        news.append((datetime.fromisoformat(told), Severity(episode.facts["news_severity"])))
    return any(
        at > now - timedelta(days=days) and _waits_for_digest(recipient, episode.alert_type, severity)
        for at, severity in news
    )


def _waits_for_digest(recipient: Recipient, alert_type: str, severity: Severity) -> bool:
    return severity is not Severity.CRITICAL and (
        severity in recipient.digest_severities
        or (alert_type in ADVICE and bool(recipient.digest_severities))
    )


def plan_escalations(
    episodes: Iterable[Episode], routes: Routes, now: datetime, linker: Linker | None = None
) -> Plan:
    """Critical episodes nobody acknowledged in time, told to the person their recipient names."""
    draft = _Draft(now, linker)
    for episode in episodes:
        if episode.resolved_at or episode.severity is not Severity.CRITICAL:
            continue
        for recipient in routes.recipients:
            other = routes.named(recipient.escalate_to) if recipient.escalate_to else None
            if other is None or _is_for(recipient, episode.alert_type, episode.severity, episode.facts):
                continue
            wait = timedelta(minutes=recipient.escalate_after_minutes)
            if now - episode.opened_at < wait:
                continue
            if episode.acknowledged_at:
                draft.unsent.append(Unsent(episode.fingerprint, other.name, "it was acknowledged"))
            elif episode.snoozed_until and episode.snoozed_until > now:
                draft.unsent.append(Unsent(episode.fingerprint, other.name, "it is snoozed"))
            else:
                change = _as_transition(episode)
                _tell(draft, other, "escalation", [change], note=recipient.name)
    return Plan(tuple(draft.messages), tuple(draft.unsent))


def plan_reminders(
    episodes: Iterable[Episode], routes: Routes, now: datetime, linker: Linker | None = None
) -> tuple[Plan, list[str]]:
    """What was snoozed and is still so, told again once its time is up; and the fingerprints to wake."""
    over = [
        episode
        for episode in episodes
        if episode.resolved_at is None and episode.snoozed_until and episode.snoozed_until <= now
    ]
    changes = [_as_transition(episode, reminded_at=now.isoformat()) for episode in over]
    return plan(changes, routes, now, linker), [episode.fingerprint for episode in over]


def _why_not(change: Transition, recipient: Recipient, now: datetime) -> str | None:
    """The first reason not to tell this recipient of this change; None when there is none."""
    return next(_reasons(change, recipient, now), None)


def _reasons(change: Transition, recipient: Recipient, now: datetime) -> Iterator[str]:
    severity = Severity(change.severity)
    unwanted = _is_for(recipient, change.alert_type, severity, change.facts)
    if unwanted:
        yield unwanted
    if change.change == RESOLVED and change.facts.get("quiet"):
        yield str(change.facts.get("resolution", "it ended quietly"))
    if change.change == RESOLVED and not recipient.all_clear:
        yield "it is resolved and no all-clear was asked for"
    if change.change == UPDATED and not change.facts.get("new_channels"):
        yield "only its figures changed"
    snoozed = change.facts.get("snoozed_until")
    if snoozed and datetime.fromisoformat(snoozed) > now and change.change != ESCALATED:
        yield f"it is snoozed until {snoozed}"
    if change.facts.get("acknowledged_at") and change.change not in {ESCALATED, RESOLVED}:
        yield "it was acknowledged"
    if _waits_for_digest(recipient, change.alert_type, _news(change)):
        weekly = recipient.advice_day if change.alert_type in ADVICE else None
        yield f"it waits for the digest at {recipient.digest_at:%H:%M}{f' on {weekly}' if weekly else ''}"
    if not recipient.ways_for(severity):
        blocked = ", ".join(f"{way}: {why}" for way, why in recipient.blocked.items())
        yield f"no way to reach the recipient for {severity.value}" + (f" ({blocked})" if blocked else "")


def _news(change: Transition) -> Severity:
    """How bad what is new of it is: another channel of a stock-out may only have to be reordered."""
    return Severity(
        change.facts.get("news_severity", change.severity) if change.change == UPDATED else change.severity
    )


def _is_for(recipient: Recipient, alert_type: str, severity: Severity, facts: Facts) -> str | None:
    """None when the recipient wants to hear of such an alert, else why not."""
    if severity not in recipient.severities:
        return f"does not want {severity.value}"
    if recipient.alert_types and alert_type not in recipient.alert_types:
        return f"does not want {alert_type}"
    if recipient.accounts and not set(recipient.accounts) & set(facts.get("accounts", ())):
        return "not one of their accounts"
    if recipient.categories and facts.get("category") not in recipient.categories:
        return "not one of their categories"
    return None


def _at_once(draft: _Draft, recipient: Recipient, due: list[Transition]) -> None:
    worst = max((Severity(change.severity) for change in due), key=lambda severity: severity.rank)
    keys = sorted(f"{c.fingerprint} {c.change} {c.severity} {c.facts.get('opened_at')}" for c in due)
    _digest(draft, recipient, due, key=_short("\n".join(keys)), ways=recipient.ways_for(worst))


def _digest(
    draft: _Draft, recipient: Recipient, changes: list[Transition], *, key: str, ways: tuple[str, ...]
) -> None:
    _tell(draft, recipient, "digest", sorted(changes, key=_worst_first), key=key, ways=ways)


def _worst_first(change: Transition) -> tuple[int, int, float, str]:
    """Resolved last; then by severity, stock-outs before low stock, fast sellers first."""
    facts = change.facts
    loss = float(facts.get("mean_daily") or 0.0)
    order = -Severity(change.severity).rank
    return (
        change.change == RESOLVED,
        order * 10 + (change.alert_type != "stockout"),
        -loss,
        change.fingerprint,
    )


def _tell(
    draft: _Draft,
    recipient: Recipient,
    kind: str,
    changes: list[Transition],
    *,
    key: str | None = None,
    ways: tuple[str, ...] | None = None,
    note: str | None = None,
) -> None:
    """One message per way of the recipient, deferred past quiet hours unless it is critical."""
    first = changes[0]
    severity = max((Severity(change.severity) for change in changes), key=lambda item: item.rank)
    chosen = recipient.ways_for(severity) if ways is None else ways
    if kind == "all_clear":  # nobody is woken by good news
        chosen = tuple(way for way in chosen if way != "sms") or chosen
    subject = key or f"{first.fingerprint} {first.change} {first.severity} {first.facts.get('opened_at')}"
    if first.facts.get("reminded_at"):
        subject += f" again {first.facts['reminded_at']}"
    if first.change == UPDATED and key is None:
        subject += " " + ",".join(first.facts.get("new_channels") or ())
    not_before = _not_before(draft, recipient, kind, severity, first)
    for way in chosen:
        message_key = _short(f"{kind}\n{subject}\n{recipient.name}\n{way}")
        payload = _payload(draft, recipient, kind, changes, ways=(way, chosen), key=message_key)
        payload |= {"note": note, "not_before": not_before.isoformat()}
        draft.messages.append(
            Message(
                idempotency_key=message_key,
                fingerprint=first.fingerprint if kind != "digest" else f"digest:{recipient.name}",
                way=way,
                recipient=recipient.address(way) or "",
                severity=severity.value,
                payload=payload,
                not_before=not_before,
            )
        )


def _not_before(
    draft: _Draft, recipient: Recipient, kind: str, severity: Severity, first: Transition
) -> datetime:
    """Now, or the end of the recipient's quiet hours."""
    quiet_until = recipient.quiet_until(draft.now)
    breaks = severity is Severity.CRITICAL and recipient.critical_breaks_quiet and kind != "all_clear"
    if quiet_until is None or breaks:
        return draft.now
    not_before = quiet_until.astimezone(UTC)
    reason = f"quiet hours: waits until {not_before.isoformat()}"
    draft.unsent.append(Unsent(first.fingerprint, recipient.name, reason))
    return not_before


def _payload(
    draft: _Draft,
    recipient: Recipient,
    kind: str,
    changes: list[Transition],
    *,
    ways: tuple[str, tuple[str, ...]],
    key: str,
) -> dict[str, Any]:
    """Everything the renderer and the dispatcher need, JSON-able: no message is worded from anything else."""
    way, chosen = ways
    shown = changes[:SHOWN_IN_DIGEST]
    payload: dict[str, Any] = {
        "kind": kind,
        "name": recipient.name,
        "locale": recipient.locale,
        "timezone": recipient.timezone,
        "composed_at": draft.now.isoformat(),
        "ref": key[:6].upper(),
        "alerts": [_lean(change, with_chart=len(changes) == 1) for change in shown],
        "counts": _counts(changes),
        "kinds": _kinds(changes),
        "links": _links(draft.linker, shown, recipient.name, draft.now),
        # Should this way's provider be down: the ways that carry it anyway, and those to hand over to.
        "also": [other for other in chosen if other != way],
        "fallbacks": _other_ways(recipient, chosen),
    }
    if kind == "digest" and way in {"email", "webhook"}:
        payload["rows"] = [_row(change) for change in changes[:ROWS_IN_DIGEST]]
    return payload


def _other_ways(recipient: Recipient, chosen: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"way": way, "recipient": address}
        for way in WAYS
        if way not in chosen and way not in recipient.blocked and (address := recipient.address(way))
    ]


def _lean(change: Transition, *, with_chart: bool) -> dict[str, Any]:
    facts = {key: value for key, value in change.facts.items() if with_chart or key != "chart"}
    return {**change.as_dict(), "facts": facts}


def _row(change: Transition) -> list[Any]:
    facts = change.facts
    return [
        change.severity,
        change.alert_type,
        facts.get("sku"),
        facts.get("name"),
        " ".join(facts.get("channels", ())),
        facts.get("available"),
        facts.get("days_of_cover"),
        facts.get("order_quantity"),
        facts.get("order_by_date"),
    ]


ROW_COLUMNS = "severity type sku name channels available days_of_cover order_quantity order_by".split()


def _counts(changes: list[Transition]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for change in changes:
        name = "resolved" if change.change == RESOLVED else change.severity
        counts[name] = counts.get(name, 0) + 1
    return counts


def _kinds(changes: list[Transition]) -> dict[str, int]:
    """How many of each alert type, worst first as the changes are."""
    kinds: dict[str, int] = {}
    for change in changes:
        if change.change != RESOLVED:
            kinds[change.alert_type] = kinds.get(change.alert_type, 0) + 1
    return kinds


def _links(
    linker: Linker | None, changes: list[Transition], recipient: str, now: datetime
) -> Mapping[str, Mapping[str, str]]:
    if linker is None:
        return {}
    return {
        change.fingerprint: linker.links(change.fingerprint, recipient, now)
        for change in changes
        if change.change != RESOLVED
    }


def _as_transition(episode: Episode, **more: str) -> Transition:
    return Transition(
        fingerprint=episode.fingerprint,
        change=OPENED,
        alert_type=episode.alert_type,
        severity=episode.severity.value,
        product_id=episode.product_id,
        channel_id=episode.channel_id,
        title=episode.title,
        message=episode.message,
        action_url=episode.action_url,
        facts={**episode.facts, "opened_at": episode.opened_at.isoformat(), **more},
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
