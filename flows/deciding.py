"""Findings → episodes → messages, for every flow that judges something; and what each run shows of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prefect import get_run_logger

from alerts import episodes, plan, routes, thresholds
from alerts import settings as alert_settings
from alerts.alert import Findings
from alerts.episodes import Episode
from alerts.links import Linker
from flows import connections, report
from warehouse import alert_settings as kept_settings
from warehouse import alerts as store
from warehouse import outbox


@dataclass
class Decided:
    """What one evaluation came to: rows for a person to read."""

    judged: int = 0
    changes: list[dict[str, str]] = field(default_factory=list)
    unsent: list[dict[str, str]] = field(default_factory=list)
    queued: int = 0

    @property
    def opened(self) -> int:
        """Episodes that began."""
        return sum(change["change"] == "opened" for change in self.changes)

    def show(self, key: str) -> None:
        """The run's artifacts: what changed, and what was not sent to whom and why."""
        report.table(f"{key}-decided", self.changes, "Alerts that opened, worsened, changed or ended")
        report.table(f"{key}-not-sent", self.unsent, "What no message was sent about, and why")


def current_thresholds() -> thresholds.Thresholds:
    """Of the thresholds file, with those set in the database on top."""
    base = alert_settings.load_settings().thresholds()
    return thresholds.with_rows(base, kept_settings.thresholds(connections.postgres()))


def audience() -> tuple[routes.Routes, Linker | None]:
    """Recipients of the file and of the database, without the addresses providers refuse; and who makes links."""
    engine, settings = connections.postgres(), alert_settings.load_settings()
    known = settings.routes().with_rows(kept_settings.recipients(engine))
    return known.without(outbox.suppressed(engine)), settings.linker()


def known_episodes(types: Collection[str] | None = None) -> list[Episode]:
    """Open episodes, and those that ended lately, of these alert types (None: of all)."""
    rows = store.open_episodes(connections.postgres()).iter_rows(named=True)
    return [Episode.from_row(row) for row in rows if types is None or row["alert_type"] in types]


def decide(findings: Findings, types: Collection[str], now: datetime, *, judged: int) -> Decided:
    """Bring the episodes of `types`, the ones these findings are about, in line with the findings; store the changes
    and the messages they call for in one transaction."""
    outcome = episodes.step(known_episodes(types), findings, now)
    recipients, linker = audience()
    planned = plan.plan(outcome.transitions, recipients, now, linker)
    store.apply(
        connections.postgres(),
        [change.as_dict() for change in outcome.transitions],
        [message.as_dict() for message in planned.messages],
        now,
    )
    log = get_run_logger()
    for item in outcome.suppressed:
        log.info("not told: %s: %s", item.fingerprint, item.reason)
    changes = [
        {"change": t.change, "severity": t.severity, "type": t.alert_type, "title": report.inert(t.title)}
        for t in outcome.transitions
    ]
    report.wrote(judged=judged, changes=len(changes), messages=len(planned.messages))
    quiet = [plan.Unsent(item.fingerprint, "", item.reason) for item in outcome.suppressed]
    return Decided(judged, changes, unsent_rows([*planned.unsent, *quiet]), len(planned.messages))


def unsent_rows(unsent: Sequence[plan.Unsent]) -> list[dict[str, str]]:
    """Rows of an artifact; names and keys hold marketplace text."""
    return [
        {
            "alert": report.inert(item.fingerprint),
            "recipient": report.inert(item.recipient),
            "reason": report.inert(item.reason),
        }
        for item in unsent
    ]


def ended(decided: Decided, sent: Sequence[dict[str, Any]]) -> str:
    """What a run says of itself in one line."""
    accepted = sum(message["state"] in {"accepted", "delivered"} for message in sent)
    return f"{decided.judged} judged, {decided.opened} alerts opened, {accepted} of {len(sent)} messages accepted"
