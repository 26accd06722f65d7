"""The warehouse of one test beside a sandbox, as the environment's accounts see it."""

import pytest

from connectors.sandbox.app import serving
from connectors.sandbox.state import SandboxState
from deployments.sandbox_accounts import Sandbox
from flows import connections
from tests.sandbox_factories import NOON, small_world
from warehouse import schema

PACE = 2000.0


@pytest.fixture
def state(database_url, tmp_path):
    state = SandboxState(small_world(), pace=PACE)
    state.clock.freeze(NOON)
    schema.upgrade(database_url, None)
    with serving(state) as url, pytest.MonkeyPatch.context() as patch:
        sandbox = Sandbox(url)
        values = {
            **sandbox.environment(PACE),
            "DATABASE_URL": database_url,
            "WHARF_HOME": str(tmp_path),
            "WHARF_SECRET_KEY": "a key for tests, thirty-two bytes",
        }
        for name, value in values.items():
            patch.setenv(name, value)
        connections.forget()
        yield state
        connections.forget()
        sandbox.close()
