"""What a running `wharf up` tells other commands on the same data folder: where its servers are."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from deployments.local.files import read_state, write_state
from deployments.local.supervisor import is_same_process, process_mark


@contextlib.contextmanager
def announced(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """While the block runs, `join` on the same folder finds these settings."""
    path = _file(home)
    write_state(path, {**process_mark(), "environment": dict(environment)})
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def join(home: Path) -> bool:
    """Use what a running `wharf up` offers, where the environment says nothing else; False when none runs."""
    state = read_state(_file(home))
    if state is None or not is_same_process(state.get("pid"), state.get("created")):
        return False
    for name, value in state["environment"].items():
        os.environ.setdefault(name, value)
    return True


def _file(home: Path) -> Path:
    return home / "run" / "up.json"
