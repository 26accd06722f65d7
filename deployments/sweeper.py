"""Runs whose process is gone, told as such: Prefect alone would show them as running for ever.

The warehouse's ledger and leases know the process of every sync. Prefect knows that of what a worker started;
what a command started carries it as a tag.
"""

import os
from collections.abc import Iterable
from typing import Any

import httpx
from sqlalchemy import Engine

from deployments import prefect_client
from warehouse import owners, runs

DIED = "its process ended before it did; the next run goes on from the last one that was complete"
STOPPED = "the stack was stopped while this ran; the next run goes on from the last one that was complete"
_TAG = "process:"
_AT_WORK = ["RUNNING", "CANCELLING"]
_SILENT_SECONDS = 900.0  # of a run on another machine without a lease


def tag() -> str:
    """The tag by which runs of this process can be told from those of a dead one."""
    return f"{_TAG}{owners.current()}"


def sweep(
    engine: Engine, api_url: str, *, auth: str | None = None, message: str = DIED, unstarted: bool = False
) -> int:
    """Mark the runs of dead processes as failed in the ledger and as crashed in Prefect; returns how many in Prefect.

    With `unstarted`, runs that were given to a worker and have no process yet count as dead, too: for a moment
    when no worker is there.
    """
    runs.bury(engine, silent_seconds=_SILENT_SECONDS)
    with prefect_client.api(api_url, auth) as api:
        at_work = _filtered(api, "flow_runs", flow_runs=_in([*_AT_WORK, *(["PENDING"] if unstarted else [])]))
        dead = [run for run in at_work if _is_dead(run, unstarted)]
        found = {run["id"]: run for run in dead}
        while dead:  # and what they had called
            parents = {"any_": [run["id"] for run in dead]}
            children = _filtered(api, "flow_runs", flow_runs={**_in(_AT_WORK), "parent_flow_run_id": parents})
            dead = [run for run in children if run["id"] not in found]
            found |= {run["id"]: run for run in dead}
        if found:
            tasks = _filtered(
                api, "task_runs", flow_runs={"id": {"any_": list(found)}}, task_runs=_in(_AT_WORK)
            )
            _crash(api, "task_runs", tasks, message)
            _crash(api, "flow_runs", found.values(), message)
    return len(found)


def _is_dead(run: dict[str, Any], unstarted: bool) -> bool:
    if number := run.get("infrastructure_pid"):
        return owners.is_gone(number if ":" in number else f"{os.uname().nodename}:{number}")
    if tagged := next((name for name in run["tags"] if name.startswith(_TAG)), None):
        return owners.is_gone(tagged.removeprefix(_TAG))
    return unstarted and run["state_type"] == "PENDING"


def _in(states: list[str]) -> dict[str, Any]:
    return {"state": {"type": {"any_": states}}}


def _filtered(api: httpx.Client, what: str, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.post(f"/{what}/filter", json=filters).raise_for_status().json()
    return found


def _crash(api: httpx.Client, what: str, found: Iterable[dict[str, Any]], message: str) -> None:
    state = {"type": "CRASHED", "name": "Crashed", "message": message}
    for run in found:
        api.post(f"/{what}/{run['id']}/set_state", json={"state": state, "force": True}).raise_for_status()
