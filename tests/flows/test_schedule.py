"""A real Prefect server takes prefect.yaml as it is, and its schedules really produce runs.

With SQLAlchemy 2.1 everything here works except that no scheduled run ever appears (docs/decisions/0001).
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import yaml
from prefect.client.base import PrefectHttpxSyncClient
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.base import BaseJobConfiguration

from deployments import bootstrap, credentials, outbox_watch, pools, schedules
from deployments.settings import DeploymentSettings
from flows import secret_blocks
from flows.limits import FORECASTS, PAUSED_ACCOUNTS

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

DECLARED = yaml.safe_load((bootstrap.ROOT / "prefect.yaml").read_text())["deployments"]


class Hook(BaseHTTPRequestHandler):
    """An operator's incoming webhook."""

    told: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def api(served_api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that was told everything twice, as two starts of `wharf up` would."""
    home: Path = tmp_path_factory.mktemp("bootstrap")
    accounts = home / "accounts.toml"
    accounts.write_text(
        '[accounts.shop-eu]\nplatform = "shopify"\nshop_name = "x"\n'
        'access_token = { block = "shop-eu-token" }\nclient_secret = { block = "shop-eu-secret" }\n'
    )
    hook = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    environment = {
        "PREFECT_API_URL": served_api,
        "PREFECT_HOME": str(home / "client"),
        "DO_NOT_TRACK": "1",
        "WHARF_OPERATOR_WEBHOOK": f"http://127.0.0.1:{hook.server_port}/services/T/B/secret",
        "WHARF_ACCOUNTS_FILE": str(accounts),
        "SHOP_EU_TOKEN": "shpat_of_the_block",
    }
    settings = DeploymentSettings.model_validate(environment)
    ours = temporary_settings({PREFECT_API_URL: served_api})
    # Prefect's own client asks again when its SQLite is busy with the services and answers 503.
    prefect_client = PrefectHttpxSyncClient(base_url=served_api, timeout=120)
    with prefect_client as client, pytest.MonkeyPatch.context() as patch, ours:
        patch.setenv("SHOP_EU_TOKEN", "shpat_of_before")
        bootstrap.prepare(settings)
        paused = client.get(f"/variables/name/{PAUSED_ACCOUNTS}").raise_for_status().json()
        assert paused["value"] == []
        client.patch(f"/variables/{paused['id']}", json={"value": ["shop-eu"]}).raise_for_status()
        bootstrap.bootstrap(environment)
        yield client
    hook.shutdown()


def asked(api: httpx.Client, what: str, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.post(f"/{what}/filter", json=body).raise_for_status().json()
    return found


def test_waiting_messages_start_one_delivery_however_often_they_are_found(api):
    start = outbox_watch.starter(str(api.base_url), None)
    for what in ("due since noon", "due since noon", "due since one"):
        start(what)

    runs = [run for run in asked(api, "flow_runs") if "outbox" in run["tags"]]
    assert sorted(run["idempotency_key"] for run in runs) == [
        "outbox: due since noon",
        "outbox: due since one",
    ]


def test_every_deployment_is_there_once_with_its_schedule(api):
    known = {deployment["name"]: deployment for deployment in asked(api, "deployments")}
    assert sorted(known) == sorted(declared["name"] for declared in DECLARED)
    for declared in DECLARED:
        schedules = [schedule["schedule"]["cron"] for schedule in known[declared["name"]]["schedules"]]
        assert schedules == [schedule["cron"] for schedule in declared.get("schedules", [])]
        assert known[declared["name"]]["description"] == declared["description"]
        assert known[declared["name"]]["work_pool_name"] == bootstrap.POOL


def test_a_schedule_of_a_former_version_goes_and_a_persons_own_stays(api):
    (delivery,) = [one for one in asked(api, "deployments") if one["name"] == "delivery"]
    cron = {"cron": "*/2 * * * *", "timezone": "UTC"}
    mine = {"cron": "1 1 * * *", "timezone": "UTC"}
    added = [{"schedule": cron, "active": True, "slug": "former"}, {"schedule": mine, "active": True}]
    api.post(f"/deployments/{delivery['id']}/schedules", json=added).raise_for_status()
    schedules.tidy()
    left = api.get(f"/deployments/{delivery['id']}").json()["schedules"]
    declared = next(one["schedules"] for one in DECLARED if one["name"] == "delivery")
    assert {one["slug"] for one in left} == {None, *(one["slug"] for one in declared)}
    (own,) = [one for one in left if one["slug"] is None]
    api.delete(f"/deployments/{delivery['id']}/schedules/{own['id']}").raise_for_status()


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
        "Wharf: tell of stale accounts",
    ]


def test_limits_are_set_and_what_a_person_put_into_a_variable_stays(api):
    limits = {limit["name"]: limit["limit"] for limit in asked(api, "v2/concurrency_limits")}
    assert limits[FORECASTS] == 1
    assert api.get(f"/variables/name/{PAUSED_ACCOUNTS}").json()["value"] == ["shop-eu"]


def test_every_field_of_every_form_explains_itself(api):
    fields = {
        (deployment["name"], name): field.get("description", "")
        for deployment in asked(api, "deployments")
        for name, field in deployment["parameter_openapi_schema"]["properties"].items()
    }
    assert ("backfill", "since") in fields
    assert [key for key, said in fields.items() if len(said) < 10] == []


def test_a_block_accounts_toml_names_is_filled_and_a_container_is_given_secrets_as_references(api):
    settings = DeploymentSettings.model_validate({"WHARF_WORK_POOL_TYPE": "docker", "WHARF_IMAGE": "wharf:7"})
    assert credentials.missing(["shop-eu-token", "shop-eu-secret"]) == ["shop-eu-secret"]
    assert secret_blocks.value_of("shop-eu-token") == "shpat_of_the_block"
    credentials.ensure({"wharf-database-url": "postgresql://wharf:hunter2@db/wharf"})
    pools.ensure("try-docker", settings, {"WHARF_CURRENCY": "EUR"}, {"DATABASE_URL": "postgresql://…"})
    template = api.get("/work_pools/try-docker").json()["base_job_template"]
    made = asyncio.run(_resolved(template))
    assert "hunter2" not in json.dumps(template)
    assert template["variables"]["properties"]["image"]["default"] == "wharf:7"
    assert made == {"WHARF_CURRENCY": "EUR", "DATABASE_URL": "postgresql://wharf:hunter2@db/wharf"}


async def _resolved(template: dict[str, Any]) -> dict[str, str | None]:
    """The environment a worker would start a run with."""
    async with get_client() as client:
        made = await BaseJobConfiguration.from_template_and_values(template, {}, client=client)
    return made.env


def test_a_job_in_kubernetes_is_as_locked_down_as_the_worker(api):
    settings = DeploymentSettings.model_validate({"WHARF_WORK_POOL_TYPE": "kubernetes"})
    pools.ensure("try-kubernetes", settings, {}, {"DATABASE_URL": "postgresql://wharf:hunter2@db/wharf"})
    template = api.get("/work_pools/try-kubernetes").json()["base_job_template"]
    assert "hunter2" not in json.dumps(template)
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    manifests = bootstrap.ROOT / "deployments/kubernetes/wharf.yaml"
    worker = next(part for part in yaml.safe_load_all(manifests.read_text()) if part["kind"] == "Deployment")
    wanted = worker["spec"]["template"]["spec"]
    assert pod["securityContext"] == wanted["securityContext"]
    assert pod["volumes"] == wanted["volumes"]
    for what in ("securityContext", "volumeMounts", "envFrom"):
        assert pod["containers"][0][what] == wanted["containers"][0][what], what


def test_the_operator_hears_of_a_failed_run(api):
    (rates,) = [one for one in asked(api, "deployments") if one["name"] == "rates"]
    run = api.post(f"/deployments/{rates['id']}/create_flow_run", json={"name": "a-try"}).json()
    state = {"type": "FAILED", "message": "the file is older than a week"}
    api.post(f"/flow_runs/{run['id']}/set_state", json={"state": state, "force": True}).raise_for_status()
    deadline = time.monotonic() + 240
    while not Hook.told and time.monotonic() < deadline:
        time.sleep(0.2)
    title, said, link = Hook.told[0].splitlines()
    assert (title, said) == (
        "Wharf: tell of failed runs",
        "a-try of rates: Failed. the file is older than a week",
    )
    assert link.startswith(str(api.base_url).removesuffix("/api/"))
    assert run["id"] in link


def test_the_schedules_produce_runs(api):
    names = {deployment["id"]: deployment["name"] for deployment in asked(api, "deployments")}
    wanted = {declared["name"] for declared in DECLARED if declared.get("schedules")}
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        scheduled = asked(api, "flow_runs", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})
        if {names[run["deployment_id"]] for run in scheduled} >= wanted:
            break
        time.sleep(2)
    assert {names[run["deployment_id"]] for run in scheduled} >= wanted
