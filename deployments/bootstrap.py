"""Tells a Prefect server what Wharf needs: credential blocks, work pool, queues, limits, variables, deployments,
automations. Idempotent.

`python -m deployments.bootstrap` does it for the server of PREFECT_API_URL; `wharf up` for its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from deployments import credentials, schedules
from deployments.pull import ROOT

if TYPE_CHECKING:
    from deployments.settings import DeploymentSettings

POOL = "wharf"


class BootstrapError(Exception):
    """The server did not take what it was told."""


def bootstrap(environment: dict[str, str]) -> None:
    """Creates or updates all of it on the server of PREFECT_API_URL.

    In a process of its own: Prefect reads its settings at the first import, which here may be long ago.
    """
    _run(environment, "deployments.bootstrap")


def worker_arguments(limit: int) -> list[str]:
    """Of `python -m prefect`: the worker that runs what is due, at most `limit` runs at a time."""
    return ["worker", "start", "--pool", POOL, "--type", "process", "--limit", str(limit)]


def run_now(deployment: str, environment: dict[str, str], **parameters: str) -> None:
    """Asks for one run of `flow/deployment`; the worker picks it up."""
    given = [
        part for name, value in parameters.items() for part in ("--param", f"{name}={json.dumps(value)}")
    ]
    _prefect(environment, "deployment", "run", deployment, *given)


def main() -> None:
    """All of it, or one line that says what the server did not take."""
    import httpx
    from prefect.settings import PREFECT_API_URL
    from pydantic import ValidationError

    from deployments.settings import DeploymentSettings

    try:
        settings = DeploymentSettings()
        prepare(settings)
        _prefect({}, "deploy", "--all")
        schedules.tidy()
    except (BootstrapError, ValidationError) as error:
        sys.exit(" ".join(str(error).split()))
    except httpx.HTTPError as error:
        told = " ".join(str(error).split()) or type(error).__name__
        sys.exit(f"Prefect's server at {PREFECT_API_URL.value()} (PREFECT_API_URL): {told}")


def prepare(settings: "DeploymentSettings") -> None:
    """What deployments stand on, in order: the pool refers to blocks, queues are the pool's."""
    from deployments import automations, limits, pools, queues

    plain, secret = credentials.configured()
    _blocks(settings, secret)
    pools.ensure(POOL, settings, plain, secret)
    queues.ensure(POOL)
    limits.ensure()
    automations.ensure(settings.operator_webhook)


def _blocks(settings: "DeploymentSettings", secret: Mapping[str, str]) -> None:
    """The Secret blocks accounts.toml names, from the environment where it has them; a Docker pool's own."""
    environment = credentials.known_environment()
    named = list(credentials.of_accounts(settings.accounts_file))
    given = {block: environment.get(credentials.setting_name(block)) for block in named}
    credentials.ensure({block: value for block, value in given.items() if value})
    if settings.work_pool_type == "docker":
        credentials.ensure({credentials.block_name(name): value for name, value in secret.items()})
    for block in credentials.missing(named):
        print(
            f"accounts.toml names the Secret block {block!r}, and there is none: make it in Prefect's UI under"
            f" Blocks, or set {credentials.setting_name(block)} and run this again",
            file=sys.stderr,
        )


def _prefect(environment: dict[str, str], *arguments: str) -> None:
    _run(environment, "prefect", "--no-prompt", *arguments)


def _run(environment: dict[str, str], module: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 our own interpreter and fixed words
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BootstrapError(f"{module} {' '.join(arguments)}: {lines[-1] if lines else 'no output'}")


if __name__ == "__main__":
    main()
