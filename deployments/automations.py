"""Automations as code: a run that died is shown as crashed, and the operator hears of failed and late runs.

Correctness needs none of them: leases and watermarks live in PostgreSQL. They are for people.
"""

from datetime import timedelta
from typing import Any

from pydantic import SecretStr

# A flow process says every 30 s that it lives (PREFECT_FLOWS_HEARTBEAT_FREQUENCY); three missed are one too many.
HEARTBEAT_SECONDS = 30
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
_ENDS = {"Completed", "Failed", "Cancelled", "Crashed"}
_BLOCK = "wharf-operator"

# Prefect fills in these names when it sends
_ABOUT = (
    "{{ flow_run.name }} of {{ flow.name }}: {{ flow_run.state.name }}. "
    "{{ flow_run.state.message }}\n{{ flow_run|ui_url }}"
)


def ensure(operator_webhook: SecretStr | None) -> None:
    """Creates or updates every automation on the server of this process; notices only with a webhook."""
    wanted = [_zombies()]
    if operator_webhook:
        from prefect.blocks.notifications import SlackWebhook

        block = SlackWebhook(url=operator_webhook).save(_BLOCK, overwrite=True)
        wanted += [
            _notice("Wharf: tell of failed runs", {"Failed", "Crashed", "TimedOut"}, block),
            _notice("Wharf: tell of late runs", {"Late"}, block),
        ]
    for automation in wanted:
        _save(automation)


def _save(automation: Any) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        known = client.read_automations_by_name(automation.name)
        if known:
            client.update_automation(known[0].id, automation)
        else:
            client.create_automation(automation)


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


def _notice(name: str, states: set[str], block: Any) -> Any:
    from prefect.events.actions import SendNotification
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    return AutomationCore(
        name=name,
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}" for state in states},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            match_related={"prefect.resource.id": ["prefect.work-pool.*"]},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[SendNotification(block_document_id=block, subject=name, body=_ABOUT)],
    )
