"""One alert is one episode. Open episodes and fired alerts in; what changes, out. Pure.

Against noise, in this order: inhibition (a stale feed silences what was computed from it, a stock-out
silences low stock of the same SKU), hysteresis in value (the rules mark the band) and in time (an episode
ends only after it was clear for a while, twice as long for each time it came back of late), cool-down after it
ended, and a severity that only rises.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from alerts.alert import Alert, Facts, Findings, Severity, fingerprint

OPENED, ESCALATED, UPDATED, RESOLVED = "opened", "escalated", "updated", "resolved"

# A fired alert of the first type silences the others about the same SKU.
SILENCES = {
    "stockout": ("low_stock", "restock"),
    "low_stock": ("restock",),
}
COMPUTED = frozenset("stockout low_stock restock overstock slow_mover anomaly trending".split())
# Which feed an alert is computed from: when that feed is stale, the alert says nothing.
FEEDS = {"anomaly": "orders", "trending": "orders"}
# How bad the state of a SKU on one channel is; a channel that gets into a worse one is news of an open episode.
_STATES = {
    "restock": Severity.INFO,
    "warning": Severity.WARNING,
    "critical": Severity.CRITICAL,
    "stockout": Severity.CRITICAL,
}
_RANKS = {state: rank for rank, state in enumerate(_STATES)}
_FORGOTTEN = timedelta(days=7)
_WAITS = ("clear_since", "unjudged_since")  # facts that say since when an episode waits for its end
_VOLATILE = frozenset(
    {
        "chart",
        "opened_at",
        "clear_since",
        "unjudged_since",
        "new_channels",
        "news_at",
        "news_severity",
        "told_states",
        "snoozed_until",
        "acknowledged_at",
    }
)


@dataclass(frozen=True)
class Policy:
    """How patient to be. Times are per alert type where one is named, else the default."""

    clear_for: Mapping[str, timedelta] = field(
        default_factory=lambda: {
            "stockout": timedelta(minutes=45),
            "low_stock": timedelta(hours=2),
            "restock": timedelta(hours=2),
        }
    )
    default_clear_for: timedelta = timedelta(0)
    cool_down: Mapping[Severity, timedelta] = field(
        default_factory=lambda: {
            Severity.CRITICAL: timedelta(hours=2),
            Severity.WARNING: timedelta(hours=12),
            Severity.INFO: timedelta(hours=24),
        }
    )
    forget_after: timedelta = timedelta(days=14)  # an episode nobody could judge any more
    most_doublings: int = 5

    def clear_time(self, alert_type: str, came_back: int = 0) -> timedelta:
        """How long an episode of this type has to be clear before it ends; longer each time it came back."""
        least: timedelta = self.clear_for.get(alert_type, self.default_clear_for)
        return least * (1 << min(came_back, self.most_doublings))


@dataclass(frozen=True)
class Episode:
    """An open episode, or one that ended recently, as the warehouse keeps it."""

    fingerprint: str
    alert_type: str
    severity: Severity
    opened_at: datetime
    title: str = ""
    message: str = ""
    action_url: str | None = None
    product_id: int | None = None
    channel_id: int | None = None
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    facts: Facts = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Episode":
        """An episode from a row that has at least these columns; others are left alone. `facts` may be JSON."""
        known = {name: row[name] for name in cls.__dataclass_fields__ if row.get(name) is not None}
        facts = known.get("facts", {})
        known["facts"] = json.loads(facts) if isinstance(facts, str) else dict(facts)
        return cls(**{**known, "severity": Severity(known["severity"])})


@dataclass(frozen=True)
class Transition:
    """A change of one episode, to be stored and perhaps told."""

    fingerprint: str
    change: str  # opened | escalated | resolved | updated
    alert_type: str
    severity: str
    product_id: int | None
    channel_id: int | None
    title: str
    message: str
    action_url: str | None
    facts: Facts

    def as_dict(self) -> dict[str, Any]:
        """Exactly the fields, as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Suppressed:
    """An alert that fired and changed nothing, and why."""

    fingerprint: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What one evaluation changes, and what it left out."""

    transitions: tuple[Transition, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()


def step(
    episodes: Iterable[Episode], findings: Findings, now: datetime, policy: Policy | None = None
) -> Outcome:
    """Transitions that bring the episodes in line with what fired. `episodes` are the open ones and, for
    the cool-down, those that ended lately; the same call again with the result applied changes nothing."""
    policy = policy or Policy()
    known = list(episodes)
    open_now = {episode.fingerprint: episode for episode in known if episode.resolved_at is None}
    ended = _latest_ended(known)
    came_back = Counter(episode.fingerprint for episode in known if episode.resolved_at is not None)
    fired = {alert.fingerprint: alert for alert in findings.alerts if not alert.holding}
    stale = _stale_feeds(fired.values(), open_now.values(), findings.judged)
    scene = _Scene(
        fired=fired,
        holding=frozenset(alert.fingerprint for alert in findings.alerts if alert.holding),
        judged=findings.judged,
        stale=stale,
        came_back=came_back,
        now=now,
        policy=policy,
    )
    transitions: list[Transition] = []
    suppressed = [Suppressed(item.subject, item.reason) for item in findings.withheld]
    silenced: dict[str, str] = {}

    for alert in sorted(fired.values(), key=lambda a: (-a.severity.rank, a.fingerprint)):
        reason = _inhibited(alert, fired, stale)
        if reason:
            silenced[alert.fingerprint] = reason
            suppressed.append(Suppressed(alert.fingerprint, reason))
            continue
        episode = open_now.get(alert.fingerprint)
        if episode is None:
            cooling = _cooling(alert, ended.get(alert.fingerprint), now, policy)
            if cooling:
                suppressed.append(Suppressed(alert.fingerprint, cooling))
            else:
                transitions.append(_opened(alert, now))
        else:
            change = _continued(episode, alert, now)
            transitions.append(change) if change else suppressed.append(
                Suppressed(alert.fingerprint, f"already open since {episode.opened_at.isoformat()}")
            )

    for key, episode in open_now.items():
        if key in fired and key not in silenced:
            continue
        over = _ended(episode, scene)
        if over:
            transitions.append(over)
    return Outcome(tuple(transitions), tuple(suppressed))


@dataclass(frozen=True)
class _Scene:
    """What one evaluation knows about everything else than the episode in hand."""

    fired: Mapping[str, Alert]
    holding: frozenset[str]
    judged: frozenset[str]
    stale: set[tuple[str, str]]
    came_back: Mapping[str, int]  # how often it ended of late
    now: datetime
    policy: Policy


def _latest_ended(episodes: list[Episode]) -> dict[str, Episode]:
    ended = [(episode.resolved_at, episode) for episode in episodes if episode.resolved_at]
    return {episode.fingerprint: episode for _, episode in sorted(ended, key=itemgetter(0))}


def _stale_feeds(
    fired: Iterable[Alert], open_now: Iterable[Episode], judged: frozenset[str]
) -> set[tuple[str, str]]:
    """(account, resource) of feeds known to be stale: found now, or open and not judged now."""
    feeds = {(a.facts["accounts"][0], a.facts["resource"]) for a in fired if a.alert_type == "data_stale"}
    for episode in open_now:
        if episode.alert_type == "data_stale" and episode.fingerprint not in judged and episode.facts:
            feeds.add((episode.facts["accounts"][0], episode.facts["resource"]))
    return feeds


def _inhibited(alert: Alert, fired: Mapping[str, Alert], stale: set[tuple[str, str]]) -> str | None:
    if alert.alert_type in COMPUTED:
        feed = FEEDS.get(alert.alert_type, "inventory")
        accounts = alert.facts.get("accounts", [])
        behind = [account for account in accounts if (account, feed) in stale]
        if behind and len(behind) == len(accounts):
            return f"the {feed} feed of {', '.join(behind)} is stale"
    return _superseded(alert.alert_type, alert.sku, fired)


def _superseded(alert_type: str, sku: str | None, fired: Mapping[str, Alert]) -> str | None:
    """What silences it: the fired alert of a type that says more about the same SKU."""
    for louder, silenced in SILENCES.items():
        if sku is not None and alert_type in silenced and fingerprint(louder, sku) in fired:
            return f"the {louder} alert of {sku} says it already"
    return None


def _cooling(alert: Alert, before: Episode | None, now: datetime, policy: Policy) -> str | None:
    if before is None or before.resolved_at is None or alert.severity.rank > before.severity.rank:
        return None
    until = before.resolved_at + policy.cool_down[alert.severity]
    return (
        f"ended at {before.resolved_at.isoformat()}, quiet until {until.isoformat()}" if now < until else None
    )


def _opened(alert: Alert, now: datetime) -> Transition:
    return _transition(alert, OPENED, alert.severity, {"opened_at": now.isoformat()})


def _continued(episode: Episode, alert: Alert, now: datetime) -> Transition | None:
    """A worse severity escalates; new channels or figures update; the same again is nothing new."""
    kept: Facts = {"opened_at": episode.opened_at.isoformat()}
    if episode.acknowledged_at:
        kept["acknowledged_at"] = episode.acknowledged_at.isoformat()
    if episode.snoozed_until and episode.snoozed_until > now:
        kept["snoozed_until"] = episode.snoozed_until.isoformat()
    told, worse = _channel_news(episode.facts, alert, now)
    kept |= {"told_states": told} if told else {}
    if alert.severity.rank > episode.severity.rank:
        return _transition(alert, ESCALATED, alert.severity, kept | _news(now, alert.severity))
    if worse and episode.facts:
        worst = max(worse.values(), key=lambda severity: severity.rank)
        return _transition(
            alert, UPDATED, episode.severity, kept | _news(now, worst) | {"new_channels": sorted(worse)}
        )
    kept |= {name: episode.facts[name] for name in ("news_at", "news_severity") if name in episode.facts}
    if _told(episode.facts) != _told(alert.facts) or _is_waiting(episode):
        return _transition(alert, UPDATED, episode.severity, kept)
    return None


def _news(now: datetime, severity: Severity) -> Facts:
    """When an episode last got worse, and how bad that was: what a digest asks for."""
    return {"news_at": now.isoformat(), "news_severity": severity.value}


def _channel_news(before: Facts, alert: Alert, now: datetime) -> tuple[Facts, dict[str, Severity]]:
    """What was told of each channel up to now; and the channels that are news, and how bad each is: those the alert
    newly concerns, and those in a worse state than ever told. One that was well for a week is news again."""
    states = alert.facts.get("states")
    if states is None:
        return {}, dict.fromkeys(set(alert.channels) - set(before.get("channels", ())), alert.severity)
    first = before.get("states") or dict.fromkeys(before.get("channels", ()), before.get("state", ""))
    told: Facts = dict(before.get("told_states") or {name: [state, None] for name, state in first.items()})
    held = alert.facts.get("held", ())
    worse = {}
    for channel, (state, left) in list(told.items()):
        if channel in held:
            told[channel] = [state, None]
        elif channel not in states:
            told[channel] = [state, left or now.isoformat()]
        elif left and now - datetime.fromisoformat(left) > _FORGOTTEN:
            del told[channel]
    for channel, state in states.items():
        known = told.get(channel, ["", None])[0]
        if _RANKS[state] > _RANKS.get(known, -1):
            worse[channel] = _STATES[state]
        told[channel] = [max(state, known, key=lambda each: _RANKS.get(each, -1)), None]
    return told, worse


def _told(facts: Facts) -> Facts:
    return {key: value for key, value in facts.items() if key not in _VOLATILE}


def _transition(alert: Alert, change: str, severity: Severity, extra: Facts) -> Transition:
    return Transition(
        fingerprint=alert.fingerprint,
        change=change,
        alert_type=alert.alert_type,
        severity=severity.value,
        product_id=alert.product_id,
        channel_id=alert.channel_id,
        title=alert.title,
        message=alert.message,
        action_url=alert.action_url,
        facts={**alert.facts, **extra},
    )


def _ended(episode: Episode, scene: _Scene) -> Transition | None:
    """How an episode that did not fire goes on: ends, waits until it was clear long enough, or stays."""
    if _feed_is_stale(episode, scene.stale):
        return None
    silencer = _superseded(episode.alert_type, episode.facts.get("sku"), scene.fired)
    if silencer:
        return _closing(episode, RESOLVED, {"resolution": silencer, "quiet": True})
    if episode.fingerprint in scene.holding:
        return _closing(episode, UPDATED, {}) if _is_waiting(episode) else None
    if episode.fingerprint not in scene.judged:
        over = {"resolution": "it could not be judged any more", "quiet": True}
        return _waiting(episode, scene, "unjudged_since", scene.policy.forget_after, over)
    over = {"resolution": "it is no longer so", "resolved_at": scene.now.isoformat()}
    patience = scene.policy.clear_time(episode.alert_type, scene.came_back.get(episode.fingerprint, 0))
    return _waiting(episode, scene, "clear_since", patience, over)


def _waiting(
    episode: Episode, scene: _Scene, mark: str, patience: timedelta, over: Facts
) -> Transition | None:
    """Ends the episode once this has gone on long enough; until then notes since when it does."""
    since = episode.facts.get(mark)
    if scene.now - (datetime.fromisoformat(since) if since else scene.now) >= patience:
        return _closing(episode, RESOLVED, over)
    return None if since else _closing(episode, UPDATED, {mark: scene.now.isoformat()})


def _is_waiting(episode: Episode) -> bool:
    return any(episode.facts.get(mark) for mark in _WAITS)


def _feed_is_stale(episode: Episode, stale: set[tuple[str, str]]) -> bool:
    feed = FEEDS.get(episode.alert_type, "inventory")
    accounts = episode.facts.get("accounts", [])
    return episode.alert_type in COMPUTED and any((account, feed) in stale for account in accounts)


def _closing(episode: Episode, change: str, extra: Facts) -> Transition:
    kept = {name: value for name, value in episode.facts.items() if name not in _WAITS}
    return Transition(
        fingerprint=episode.fingerprint,
        change=change,
        alert_type=episode.alert_type,
        severity=episode.severity.value,
        product_id=episode.product_id,
        channel_id=episode.channel_id,
        title=episode.title,
        message=episode.message,
        action_url=episode.action_url,
        facts={**kept, "opened_at": episode.opened_at.isoformat(), **extra},
    )
