"""A merchant for flow tests: a small invented world behind the three APIs, and the settings that lead there."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from alerts.receivers.app import environment
from connectors.sandbox import truth
from connectors.sandbox.state import SandboxState
from deployments.local.stack import free_port, prefect_service, supervise
from tests.integration.alerts.test_receivers import Receivers
from tests.sandbox_environment import small_merchant
from tests.sandbox_factories import NOON
from warehouse import schema

PACE = 300.0


@dataclass
class Merchant:
    """The running sandbox and inbox, with their controls."""

    state: SandboxState
    url: str
    receivers: Any
    now: datetime

    def move_to(self, instant: datetime) -> datetime:
        """Sets the world's clock."""
        self.state.clock.freeze(instant)
        self.now = instant
        return instant

    def received(self) -> int:
        """How many messages the providers took."""
        return sum(len(self.receivers.of(way)) for way in ("email", "sms", "slack", "webhook"))

    def truth(self) -> Any:
        """What every channel, business day and SKU must add up to now."""
        return truth.expected(self.state.world, self.state.now())


@pytest.fixture(scope="session")
def served_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a Prefect server as `wharf up` starts it, with its UI and scheduler: the session's own has neither."""
    port = free_port()
    often = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2"}  # instead of a minute
    with supervise([prefect_service(tmp_path_factory.mktemp("prefect"), port, environment=often)]):
        yield f"http://127.0.0.1:{port}/api"


@pytest.fixture(scope="module")
def merchant(
    database_url: str, clickhouse: str, prefect_api: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Merchant]:
    """Everything a flow needs, on empty databases; the sandbox's clock stands at NOON."""
    home: Path = tmp_path_factory.mktemp("flows")
    schema.upgrade(database_url, clickhouse)
    receivers = Receivers(home / "inbox")
    settings = {
        **environment(receivers.url),
        "DATABASE_URL": database_url,
        "CLICKHOUSE_URL": clickhouse,
        "WHARF_FIRST_LOAD_DAYS": "170",
    }
    with small_merchant(home, pace=PACE, **settings) as (state, sandbox):
        yield Merchant(state, sandbox.url, receivers, NOON)
    receivers.stop()
