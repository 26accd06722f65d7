"""A real Prefect server takes prefect.yaml as it is, and its schedules really produce runs.

With SQLAlchemy 2.1 everything here works except that no scheduled run ever appears (docs/decisions/0001).
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deployments import bootstrap
from deployments.local.stack import free_port, prefect_service, supervise

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

DECLARED = yaml.safe_load((bootstrap.ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server of its own that was told everything twice, as two starts of `wharf up` would."""
    home: Path = tmp_path_factory.mktemp("prefect")
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {"PREFECT_API_URL": url, "PREFECT_HOME": str(home / "client"), "DO_NOT_TRACK": "1"}
    environment["WHARF_OPERATOR_WEBHOOK"] = "https://hooks.example.com/services/T/B/secret"
    often = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2"}  # instead of a minute
    with (
        supervise([prefect_service(home, port, environment=often)]),
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        bootstrap.bootstrap(environment)
        bootstrap.bootstrap(environment)
        yield client


def asked(api: httpx.Client, what: str, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.post(f"/{what}/filter", json=body).raise_for_status().json()
    return found


def test_every_deployment_is_there_once_with_its_schedule(api):
    known = {deployment["name"]: deployment for deployment in asked(api, "deployments")}
    assert sorted(known) == sorted(declared["name"] for declared in DECLARED)
    for declared in DECLARED:
        schedules = [schedule["schedule"]["cron"] for schedule in known[declared["name"]]["schedules"]]
        assert schedules == [schedule["cron"] for schedule in declared.get("schedules", [])]
        assert known[declared["name"]]["description"] == declared["description"]
        assert known[declared["name"]]["work_pool_name"] == bootstrap.POOL


def test_queues_and_automations_are_there_once(api):
    queues = {queue["name"]: queue for queue in asked(api, f"work_pools/{bootstrap.POOL}/queues")}
    assert {name: queues[name]["concurrency_limit"] for name in ("live", "heavy")} == {
        "live": None,
        "heavy": 1,
    }
    assert queues["live"]["priority"] < queues["heavy"]["priority"]
    names = [automation["name"] for automation in asked(api, "automations")]
    assert sorted(names) == [
        "Wharf: show dead runs as crashed",
        "Wharf: tell of failed runs",
        "Wharf: tell of late runs",
    ]


def test_the_schedules_produce_runs(api):
    names = {deployment["id"]: deployment["name"] for deployment in asked(api, "deployments")}
    wanted = {declared["name"] for declared in DECLARED if declared.get("schedules")}
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        scheduled = asked(api, "flow_runs", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})
        if {names[run["deployment_id"]] for run in scheduled} >= wanted:
            break
        time.sleep(2)
    assert {names[run["deployment_id"]] for run in scheduled} >= wanted
