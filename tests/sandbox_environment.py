"""A small merchant behind the three APIs, and the settings under which Wharf reaches him."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.app import serving
from connectors.sandbox.state import SandboxState
from deployments.sandbox_accounts import Sandbox
from flows import connections
from tests.sandbox_factories import NOON, small_world


@contextlib.contextmanager
def small_merchant(home: Path, *, pace: float, **settings: str) -> Iterator[tuple[SandboxState, Sandbox]]:
    """The running sandbox, its clock standing at NOON, seen from inside and from outside."""
    state = SandboxState(small_world(), pace=pace)
    state.clock.freeze(NOON)
    with (
        serving(state) as url,
        contextlib.closing(Sandbox(url)) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        ours = {"WHARF_HOME": str(home), "WHARF_SECRET_KEY": "a key for tests, thirty-two bytes"}
        for name, value in {**sandbox.environment(pace), **ours, **settings}.items():
            patch.setenv(name, value)
        connections.forget()
        yield state, sandbox
        connections.forget()
