"""Automations as code: a run that died is shown as crashed, and the operator hears of failed runs, late runs and
accounts nothing was read from for long.

Correctness needs none of them: leases and watermarks live in PostgreSQL. They are for people.
"""

from datetime import timedelta
from typing import Any

from pydantic import SecretStr

# A flow process says every 30 s that it lives (PREFECT_FLOWS_HEARTBEAT_FREQUENCY); three missed are one too many.
HEARTBEAT_SECONDS = 30
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
# Orders are read every quarter of an hour; `/fresh` (deployments/monitoring.py) calls them late after as long.
STALE = timedelta(hours=2)
# A run that waits its turn behind another is late after 15 s already; nobody wants to hear of that.
PATIENCE = timedelta(minutes=10)
# An event is named after its state: Prefect's own names, and those our flows give to what is complete
_ENDS = {
    *("Completed", "Failed", "Cancelled", "Crashed", "TimedOut"),
    *("NothingToDo", "Deferred", "CompletedInPart", "CompletedWithRefused"),
    *("HeldBack", "PublishedByAnother", "Repaired", "TimeWasUp"),
}
_BLOCK = "wharf-operator"

# Prefect fills in these names when it sends
_ABOUT_A_RUN = (
    "{{ flow_run.name }} of {{ flow.name }}: {{ flow_run.state.name }}. {{ flow_run.state.message or '' }}"
    "{% if flow_run|ui_url %}\n{{ flow_run|ui_url }}{% endif %}"
)
_ABOUT_AN_ACCOUNT = (
    "{{ labels.prefect.resource.id }}: no orders were read for two hours. `wharf status` and the last runs of the"
    " deployment `orders` say why."
)


def ensure(operator_webhook: SecretStr | None) -> None:
    """Creates or updates every automation on the server of this process; notices only with a webhook.

    A notice of ours that is not wanted any more is taken away.
    """
    from prefect.client.orchestration import get_client

    wanted = [_zombies()]
    if operator_webhook:
        block = _webhook(operator_webhook)
        wanted += [
            _notice("Wharf: tell of failed runs", _of_runs({"Failed", "Crashed", "TimedOut"}), block),
            _notice("Wharf: tell of late runs", _waiting(), block),
            _notice("Wharf: tell of stale accounts", _stale(), block, _ABOUT_AN_ACCOUNT),
        ]
    names = {automation.name for automation in wanted}
    with get_client(sync_client=True) as client:
        known = {one.name: one for one in client.read_automations() if one.name.startswith("Wharf: ")}
        for automation in wanted:
            if one := known.get(automation.name):
                client.update_automation(one.id, automation)
            else:
                client.create_automation(automation)
        for name in known.keys() - names:
            client.delete_automation(known[name].id)


def _webhook(address: SecretStr) -> Any:
    """The block that posts `{"text": …}`, as Slack, Mattermost and others take it; its address is kept encrypted."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    from prefect.types import SecretDict

    return CustomWebhookNotificationBlock(
        name="Wharf's operator",
        url="{{address}}",
        json_data={"text": "{{subject}}\n{{body}}"},
        secrets=SecretDict({"address": address.get_secret_value()}),
    ).save(_BLOCK, overwrite=True)


def _zombies() -> Any:
    """After a heartbeat neither another nor an end: the process is gone, whatever the state says.

    Source: docs.prefect.io, "How to detect zombie flow runs".
    """
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    return AutomationCore(
        name="Wharf: show dead runs as crashed",
        description="Three heartbeats missed. The next run takes the window again.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{end}" for end in _ENDS)},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message="The process ended without a word; the next run goes on."
            )
        ],
    )


def _of_runs(states: set[str]) -> Any:
    """A run that a worker started reached one of these states."""
    from prefect.events.schemas.automations import EventTrigger, Posture

    return EventTrigger(
        expect={f"prefect.flow-run.{state}" for state in states},
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        match_related={"prefect.resource.id": ["prefect.work-pool.*"]},
        posture=Posture.Reactive,
        threshold=1,
    )


def _waiting() -> Any:
    """A late run that has neither begun nor ended after a while: no worker takes it."""
    from prefect.events.schemas.automations import EventTrigger, Posture

    return EventTrigger(
        after={"prefect.flow-run.Late"},
        expect={f"prefect.flow-run.{state}" for state in ("Pending", "Running", *_ENDS)},
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=PATIENCE,
    )


def _stale() -> Any:
    """An account whose orders were read once and then not for long (`flows.report.was_read`), each by itself."""
    from prefect.events.schemas.automations import EventTrigger, Posture

    return EventTrigger(
        after={"wharf.orders.read"},
        expect={"wharf.orders.read"},
        match={"prefect.resource.id": ["wharf.account.*"]},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=STALE,
    )


def _notice(name: str, trigger: Any, block: Any, body: str = _ABOUT_A_RUN) -> Any:
    from prefect.events.actions import SendNotification
    from prefect.events.schemas.automations import AutomationCore

    action = SendNotification(block_document_id=block, subject=name, body=body)
    return AutomationCore(name=name, trigger=trigger, actions=[action])
