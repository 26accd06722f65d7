"""Tells a Prefect server what Wharf needs: the work pool and every deployment of prefect.yaml. Idempotent."""

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
    """Creates or updates the work pool and the deployments on the server of PREFECT_API_URL."""
    _prefect(environment, "work-pool", "create", POOL, "--type", "process", "--overwrite")
    _prefect(environment, "deploy", "--all")


def worker_arguments(limit: int) -> list[str]:
    """Of `python -m prefect`: the worker that runs what is due, at most `limit` runs at a time."""
    return ["worker", "start", "--pool", POOL, "--type", "process", "--limit", str(limit)]


def run_now(deployment: str, environment: dict[str, str], **parameters: str) -> None:
    """Asks for one run of `flow/deployment`; the worker picks it up."""
    given = [
        part for name, value in parameters.items() for part in ("--param", f"{name}={json.dumps(value)}")
    ]
    _prefect(environment, "deployment", "run", deployment, *given)


def _prefect(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 our own interpreter and fixed words
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment, "WHARF_ROOT": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BootstrapError(f"prefect {' '.join(arguments)}: {lines[-1] if lines else 'no output'}")
