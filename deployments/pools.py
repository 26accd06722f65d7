"""The work pool: where runs are started, and what a container of ours needs to be one.

`process` starts them beside the worker and needs nothing. A container knows no environment of the worker's: with
`docker` its settings stand in the pool, the secret ones as references to Secret blocks; with `kubernetes` they come
from the Secret `wharf` the manifests use, and Prefect never sees them.
"""

from collections.abc import Mapping
from typing import Any

from deployments.credentials import block_name
from deployments.settings import DeploymentSettings

HOME = "/var/lib/wharf"
FILES = "/etc/wharf"
_MEMORY = "6g"  # a part of a forecast needs under 1.4 GB in each of WHARF_WORKERS processes
_LOCKED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def ensure(
    name: str, settings: DeploymentSettings, plain: Mapping[str, str], secret: Mapping[str, str]
) -> None:
    """Creates or updates pool `name`; `plain` and `secret` are the settings a container is given."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    kind = settings.work_pool_type
    with get_client(sync_client=True) as client:
        known = {k: v for part in client.read_worker_metadata().values() for k, v in part.items()}
        template = known[kind]["default_base_job_configuration"]
        if kind == "docker":
            _docker(template, settings, plain, secret)
        elif kind == "kubernetes":
            _kubernetes(template, settings)
        description = "Where Wharf's runs are started; made by python -m deployments.bootstrap."
        client.create_work_pool(
            WorkPoolCreate(name=name, type=kind, description=description, base_job_template=template),
            overwrite=True,
        )


def _docker(
    template: dict[str, Any],
    settings: DeploymentSettings,
    plain: Mapping[str, str],
    secret: Mapping[str, str],
) -> None:
    references = {name: f"{{{{ prefect.blocks.secret.{block_name(name)} }}}}" for name in secret}
    _default(
        template,
        image=settings.image,
        image_pull_policy="IfNotPresent",
        networks=[settings.docker_network],
        volumes=[f"{settings.docker_volume}:{HOME}"],
        mem_limit=_MEMORY,
        auto_remove=True,
        env={**plain, **references},
    )


def _kubernetes(template: dict[str, Any], settings: DeploymentSettings) -> None:
    own = {"WHARF_HOME": HOME, "WHARF_ACCOUNTS_FILE": f"{FILES}/accounts.toml"}
    _default(template, image=settings.image, namespace="wharf", finished_job_ttl=3600, env=own)
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    pod["automountServiceAccountToken"] = False
    pod["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["volumes"] = [
        {"name": "home", "persistentVolumeClaim": {"claimName": "wharf-home"}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "files", "configMap": {"name": "wharf-files", "optional": True}},
    ]
    (container,) = pod["containers"]
    container["envFrom"] = [{"secretRef": {"name": "wharf"}}]
    container["securityContext"] = _LOCKED
    mounts = {"home": HOME, "tmp": "/tmp", "files": FILES}  # noqa: S108 a volume of its own
    container["volumeMounts"] = [{"name": name, "mountPath": path} for name, path in mounts.items()]


def _default(template: dict[str, Any], **values: Any) -> None:
    for name, value in values.items():
        template["variables"]["properties"][name]["default"] = value
