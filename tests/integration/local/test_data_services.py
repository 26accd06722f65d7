"""Who uses the embedded databases, and that they end with the last user however that one ends."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.local.clickhouse_front import EmbeddedClickHouse
from deployments.local.errors import LocalServiceError
from deployments.local.postgres import EmbeddedPostgres
from deployments.local.stack import data_services
from tests.local_factories import eventually, finished, processes_over, python

pytestmark = pytest.mark.stack

# PostgreSQL alone is enough to count users of: starting two databases would only take longer.
ELSEWHERE = "http://127.0.0.1:9/default"
USER = """
    import sys, time
    from pathlib import Path
    from deployments.local.stack import data_services
    with data_services(Path(sys.argv[1]), database_url=None, clickhouse_url=sys.argv[2]) as services:
        print(services.database_url, flush=True)
        while True:  # short sleeps: a signal just before one long wait would go unnoticed
            time.sleep(0.1)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    EmbeddedPostgres(tmp_path / "home").stop()


def is_up(home: Path) -> bool:
    return EmbeddedPostgres(home).is_running()


def test_given_databases_are_used_as_they_are(tmp_path: Path) -> None:
    with data_services(
        tmp_path / "home", database_url="postgresql://x", clickhouse_url=ELSEWHERE
    ) as services:
        assert (services.database_url, services.clickhouse_url) == ("postgresql://x", ELSEWHERE)
        services.ensure()

    assert not (tmp_path / "home").exists()


def test_both_run_for_their_user_and_end_with_it(home: Path) -> None:
    with data_services(home, database_url=None, clickhouse_url=None) as services:
        assert services.database_url.startswith("postgresql+psycopg2://wharf:")
        assert services.clickhouse_url.startswith("http://wharf:")
        assert is_up(home)
        assert EmbeddedClickHouse(home).is_running()
        EmbeddedClickHouse(home).stop()
        services.ensure()
        assert EmbeddedClickHouse(home).is_running()

    assert processes_over(home) == []


def test_they_stay_for_the_other_user(home: Path) -> None:
    with data_services(home, database_url=None, clickhouse_url=ELSEWHERE) as first:
        with data_services(home, database_url=None, clickhouse_url=ELSEWHERE) as second:
            assert second.database_url == first.database_url
        assert is_up(home)

    assert processes_over(home) == []


def test_a_killed_user_does_not_keep_them_alive(home: Path) -> None:
    user = python(USER, home, ELSEWHERE)
    assert user.stdout is not None
    user.stdout.readline()
    assert is_up(home)

    user.kill()
    user.wait()

    eventually(lambda: processes_over(home) == [])


def test_a_killed_user_does_not_take_them_from_another(home: Path) -> None:
    user = python(USER, home, ELSEWHERE)
    assert user.stdout is not None
    url = user.stdout.readline().strip()
    with data_services(home, database_url=None, clickhouse_url=ELSEWHERE) as services:
        user.kill()
        user.wait()
        with data_services(home, database_url=None, clickhouse_url=ELSEWHERE):
            assert is_up(home)
        assert services.database_url == url
        assert is_up(home)

    assert processes_over(home) == []


def test_one_who_comes_while_they_stop_has_them_again(home: Path) -> None:
    """Users coming and going at the same time never find a database that is just being stopped."""
    code = """
        import sys
        from pathlib import Path
        import psycopg2
        from deployments.local.stack import data_services
        for _ in range(4):
            with data_services(Path(sys.argv[1]), database_url=None, clickhouse_url=sys.argv[2]) as services:
                psycopg2.connect(services.database_url.replace("+psycopg2", "")).close()
    """
    for user in [python(code, home, ELSEWHERE) for _ in range(2)]:
        finished(user)

    eventually(lambda: processes_over(home) == [])


def test_an_interrupt_stops_them(home: Path) -> None:
    user = python(USER, home, ELSEWHERE)
    assert user.stdout is not None
    user.stdout.readline()

    os.kill(user.pid, signal.SIGINT)
    user.wait(240)

    assert processes_over(home) == []


def test_a_failed_start_leaves_nothing(home: Path) -> None:
    (home / "postgres/data").mkdir(parents=True)
    with (
        pytest.raises(LocalServiceError, match="is not a PostgreSQL data folder"),
        data_services(home, database_url=None, clickhouse_url=None),
    ):
        pytest.fail("it started")

    assert processes_over(home) == []


def test_a_home_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with contextlib.ExitStack() as stack, pytest.raises(LocalServiceError, match="set WHARF_HOME"):
        stack.enter_context(data_services(tmp_path / "file", database_url=None, clickhouse_url=None))
