"""Tells a Prefect server what Wharf needs: pool, queues, deployments, automations. Idempotent.

`python -m deployments.bootstrap` does it for the server of PREFECT_API_URL; `wharf up` for its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
    """Everything in order: deployments need the pool and its queues."""
    from pydantic import ValidationError

    from deployments import automations, queues
    from deployments.settings import DeploymentSettings

    try:
        settings = DeploymentSettings()
        _prefect({}, "work-pool", "create", POOL, "--type", settings.work_pool_type, "--overwrite")
        queues.ensure(POOL)
        _prefect({}, "deploy", "--all")
    except (BootstrapError, ValidationError) as error:
        sys.exit(" ".join(str(error).split()))
    automations.ensure(settings.operator_webhook)


def _prefect(environment: dict[str, str], *arguments: str) -> None:
    _run(environment, "prefect", "--no-prompt", *arguments)


def _run(environment: dict[str, str], module: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 our own interpreter and fixed words
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment, "WHARF_ROOT": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BootstrapError(f"{module} {' '.join(arguments)}: {lines[-1] if lines else 'no output'}")


if __name__ == "__main__":
    main()
