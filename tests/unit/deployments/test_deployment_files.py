"""Compose file and Kubernetes manifests: valid, and true to the code; `make lint` has what reads files alone."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from dotenv import dotenv_values

from alerts.receivers.app import environment as inbox_environment
from connectors.sandbox.generated import DEMO_MARKETS
from deployments import automations, prefect_client
from deployments.bootstrap import POOL, ROOT
from deployments.queues import QUEUES
from deployments.sandbox_accounts import Sandbox

COMPOSE = ROOT / "docker-compose.yml"
KUBERNETES = ROOT / "deployments" / "kubernetes"


def manifests() -> list[dict[str, Any]]:
    """Every document of deployments/kubernetes that the kustomization lists, and it lists every file."""
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in KUBERNETES.glob("*.yaml")} == {"kustomization.yaml", *listed}
    return [part for name in listed for part in documents(KUBERNETES / name)]


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def pods() -> list[dict[str, Any]]:
    return [d["spec"]["template"]["spec"] for d in manifests() if "template" in d.get("spec", {})]


def test_what_compose_mounts_exists_and_what_it_publishes_stays_on_this_machine():
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), (name, source)
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), (name, port)


def test_no_setting_of_another_machine_reaches_a_container_of_ours():
    """`.env` is copied from the example: what it says of places must not hold inside."""
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    listed = dotenv_values(ROOT / ".env.example")
    places = {name for name in listed if name in ("WHARF_HOME", "WHARF_ACCOUNTS_FILE", "PREFECT_API_URL")}
    assert len(places) == 3
    for name, service in services.items():
        if "env_file" in service:
            assert places <= service["environment"].keys(), name
    for pod in pods():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            if "envFrom" in container:
                assert "WHARF_HOME" in {entry["name"] for entry in container["env"]}, container["name"]


def test_the_manifests_keep_to_the_schema_of_kubernetes():
    for document in manifests():
        kubernetes_validate.validate(document, "1.31", strict=True)


def test_a_job_for_each_run_changes_what_there_is_and_asks_for_rights_over_jobs_alone():
    component = documents(KUBERNETES / "jobs" / "kustomization.yaml")[0]
    ours = {(one["kind"], one["metadata"]["name"]): one for one in manifests()}
    for listed in component["patches"]:
        (patch,) = documents(KUBERNETES / "jobs" / listed["path"])
        changed = ours[patch["kind"], patch["metadata"]["name"]]["spec"]["template"]["spec"]["containers"]
        given = {container["name"] for container in patch["spec"]["template"]["spec"]["containers"]}
        assert given <= {container["name"] for container in changed}
    access = {one["kind"]: one for one in documents(KUBERNETES / "jobs" / "access.yaml")}
    for document in access.values():
        kubernetes_validate.validate(document, "1.31", strict=True)
    assert access["RoleBinding"]["subjects"][0]["name"] == access["ServiceAccount"]["metadata"]["name"]
    writes = {
        resource
        for rule in access["Role"]["rules"]
        for resource in rule["resources"]
        if not {"get", "list", "watch"}.issuperset(rule["verbs"])
    }
    assert writes == {"jobs"}


def test_the_sandbox_settings_are_the_sandboxs_own():
    class Running(Sandbox):
        def markets(self) -> list[dict[str, Any]]:
            return [asdict(market) for market in DEMO_MARKETS]

    sandbox = Running("http://127.0.0.1:8040")
    wanted = {**sandbox.environment(60.0), **inbox_environment("http://127.0.0.1:8025")}
    assert dotenv_values(ROOT / "deployments/docker/sandbox.env") == wanted


def test_every_deployment_names_a_queue_that_there_is():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    for deployment in deployments:
        assert deployment["work_pool"]["name"] == POOL
        assert deployment["work_pool"]["work_queue_name"] in {queue.name for queue in QUEUES}


def test_a_run_anywhere_lives_logs_and_keeps_results_as_runs_of_wharf_up_do():
    ours = prefect_client.environment(ROOT)
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        given = deployment["work_pool"]["job_variables"]["env"]
        assert given == {name: ours[name] for name in given}
        assert {*prefect_client.RESULTS, "PREFECT_LOGGING_EXTRA_LOGGERS"} < given.keys()
        assert given["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(automations.HEARTBEAT_SECONDS)


def test_every_pod_is_locked_down():
    assert len(pods()) == 3
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"], container["name"]
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
