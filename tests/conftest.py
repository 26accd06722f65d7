"""Servers for tests: started once a session, only when a test asks; a database or schema of its own per module."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, create_engine, make_url, text

from deployments.local.clickhouse_front import EmbeddedClickHouse
from deployments.local.data import using
from deployments.local.postgres import EmbeddedPostgres

# The same examples every time, however slow the machine; `--hypothesis-profile=search` looks for new ones.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("wharf", settings.get_profile("search"), derandomize=True)
settings.load_profile("wharf")

# Whoever asks a server here waits for its answer: httpx gives up after 5 s unless told otherwise.
for _part in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, _part, 240.0)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def stack_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of this session's servers, which end with the session even if it is killed."""
    home = tmp_path_factory.mktemp("wharf")
    with using(home):
        yield home


@pytest.fixture(scope="session")
def postgres_url(stack_home: Path) -> str:
    """An embedded PostgreSQL, as its owner sees it. Tests want `database_url`."""
    return EmbeddedPostgres(stack_home).ensure_running()


@pytest.fixture(scope="module")
def database_url(postgres_url: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database for this module."""
    with _fresh_database(make_url(postgres_url)) as url:
        yield url.render_as_string(hide_password=False)


@contextlib.contextmanager
def _fresh_database(server: URL) -> Iterator[URL]:
    name = f"test_{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # strategy WAL_LOG (the default) copies 7 MB; FILE_COPY would force two checkpoints
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield server.set(database=name)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


@pytest.fixture(scope="session")
def clickhouse_url(stack_home: Path) -> str:
    """An embedded ClickHouse, `http://owner:…@127.0.0.1:…/analytics`. Tests want `clickhouse`."""
    return EmbeddedClickHouse(stack_home).ensure_running()


@pytest.fixture(scope="module")
def clickhouse(clickhouse_url: str) -> str:
    """The same, with an empty database `analytics` for this module."""
    import clickhouse_connect

    with contextlib.closing(clickhouse_connect.get_client(dsn=clickhouse_url, database="default")) as client:
        client.command("DROP DATABASE IF EXISTS analytics")
        client.command("CREATE DATABASE analytics")
    return clickhouse_url


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[str]:
    """The API address of a temporary Prefect server, in force for this session's flows.

    Without heartbeats, which production wants: each costs a flow run a second at its end.
    """
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_SERVER_ANALYTICS_ENABLED,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    quiet = temporary_settings(
        {
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            PREFECT_SERVER_ANALYTICS_ENABLED: False,
        }
    )
    with quiet, prefect_test_harness(server_startup_timeout=240):
        yield PREFECT_API_URL.value()
