"""What automations wait for is what runs and accounts really say."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.events.schemas.events import Event
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent

from deployments import automations
from deployments.bootstrap import ROOT
from flows import report


def served(trigger: object) -> EventTrigger:
    """The trigger as the server keeps it."""
    return EventTrigger.model_validate(trigger.model_dump(mode="json"))  # type: ignore[attr-defined]  # of the client


def happened(name: str, resource: str, *related: str) -> ReceivedEvent:
    ids = [{"prefect.resource.id": one, "prefect.resource.role": "work-pool"} for one in related]
    return ReceivedEvent(
        occurred=datetime.now(UTC),
        received=datetime.now(UTC),
        event=name,
        resource={"prefect.resource.id": resource},
        related=ids,
        id=uuid4(),
    )


RUN = f"prefect.flow-run.{uuid4()}"


def test_every_name_our_flows_end_with_is_an_end():
    """One that is missing has the run acted upon as dead, 90 s after it ended."""
    given = re.compile(r'\bname(?:, \w+)? ?= ?"([A-Z]\w+)"')
    names = {name for path in (ROOT / "flows").glob("*.py") for name in given.findall(path.read_text())}
    assert {"NothingToDo", "CompletedInPart", "Deferred"} <= names
    trigger = served(automations._zombies().trigger)
    assert [name for name in sorted(names) if not trigger.expects(f"prefect.flow-run.{name}")] == []


def test_a_run_is_dead_that_falls_silent_after_a_heartbeat():
    trigger = served(automations._zombies().trigger)
    beat = happened("prefect.flow-run.heartbeat", RUN)
    assert trigger.covers(beat)
    assert trigger.starts_after(beat.event)
    assert trigger.expects(beat.event), "another one puts it off"
    assert not trigger.starts_after("prefect.flow-run.Pending")
    assert trigger.within.total_seconds() == 3 * automations.HEARTBEAT_SECONDS


def test_a_late_run_that_begins_is_none_to_tell_of():
    trigger = served(automations._waiting())
    assert trigger.starts_after("prefect.flow-run.Late")
    assert trigger.covers(happened("prefect.flow-run.Late", RUN))
    assert trigger.expects("prefect.flow-run.Pending")
    assert not trigger.expects("prefect.flow-run.Late")


@pytest.mark.parametrize("state", ["Failed", "Crashed", "TimedOut"])
def test_of_what_a_worker_started_a_failure_is_told(state):
    trigger = served(automations._of_runs({"Failed", "Crashed", "TimedOut"}))
    assert trigger.expects(f"prefect.flow-run.{state}")
    assert trigger.covers(happened(f"prefect.flow-run.{state}", RUN, "prefect.work-pool.wharf"))
    assert not trigger.covers(happened(f"prefect.flow-run.{state}", RUN)), (
        "a command's own run tells on its terminal"
    )


def test_an_account_is_stale_whose_own_reading_is_not_followed_by_another(monkeypatch):
    said: list[Event] = []
    monkeypatch.setattr(report, "emit_event", lambda **given: said.append(Event(**given)))
    report.was_read("amazon-eu", "orders", 12)
    (event,) = said
    trigger = served(automations._stale())
    read = happened(event.event, event.resource.id)
    assert trigger.covers(read)
    assert trigger.starts_after(event.event)
    assert trigger.expects(event.event)
    assert trigger.for_each == {"prefect.resource.id"}, "each account by itself"
    report.was_read("amazon-eu", "inventory", 12)
    assert not trigger.expects(said[1].event)
