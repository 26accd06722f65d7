"""The front's life: killed, stopped in mid-insert, started twice, its port taken, its folder spoilt."""

import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.local.clickhouse_front import EmbeddedClickHouse
from deployments.local.errors import LocalServiceError
from deployments.local.files import read_state
from deployments.local.ports import free_port
from tests.local_factories import Wire, eventually, finished, processes_over, python

pytestmark = pytest.mark.stack


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home {with} odd*signs"
    EmbeddedClickHouse(tmp_path / "home {with} odd*signs").stop()


def front_of(home: Path) -> psutil.Process:
    state = read_state(home / "clickhouse.json")
    assert state is not None
    return psutil.Process(state["pid"])


def test_acknowledged_rows_survive_a_kill(home: Path) -> None:
    server = EmbeddedClickHouse(home)
    url = server.ensure_running()
    wire = Wire(url)
    wire.send("CREATE TABLE analytics.t (n Int64) ENGINE = MergeTree ORDER BY n")
    for number in range(30):
        assert wire.send(f"{number}\n", query="INSERT INTO analytics.t FORMAT TSV").status == 200
    front_of(home).kill()

    assert server.ensure_running() == url  # same port, same password
    assert wire.send("SELECT count(), sum(n) FROM analytics.t").text == "30\t435\n"


def test_a_stop_lets_a_running_insert_finish(home: Path) -> None:
    server = EmbeddedClickHouse(home)
    wire = Wire(server.ensure_running())
    wire.send("CREATE TABLE analytics.t (n Int64) ENGINE = MergeTree ORDER BY n")
    replies = []
    slow = "INSERT INTO analytics.t SELECT number + sleepEachRow(0.02) FROM numbers(60)"
    sender = threading.Thread(target=lambda: replies.append(wire.send(slow)))
    sender.start()
    running = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT%'"
    eventually(lambda: wire.send(running).text == "1\n")

    server.stop()
    sender.join()
    server.ensure_running()

    assert replies[0].status == 200
    assert wire.send("SELECT count() FROM analytics.t").text == "60\n"


def test_processes_that_start_at_once_share_one(home: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from deployments.local.clickhouse_front import EmbeddedClickHouse
        print(EmbeddedClickHouse(Path(sys.argv[1])).ensure_running())
    """
    both = [python(code, home), python(code, home)]

    first, second = (finished(process) for process in both)

    assert first == second
    assert len([command for command in processes_over(home) if "clickhouse_front" in command]) == 1


def test_its_password_is_private(home: Path) -> None:
    EmbeddedClickHouse(home).ensure_running()

    assert stat.S_IMODE((home / "clickhouse.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "clickhouse").stat().st_mode) == 0o700


def test_a_running_one_answers_on_another_port_too(home: Path) -> None:
    server = EmbeddedClickHouse(home)
    first = server.ensure_running()
    port = free_port()

    second = server.ensure_running(port)

    assert f":{port}/" in second
    assert Wire(first).send("SELECT 1").text == Wire(second).send("SELECT 1").text == "1\n"
    assert server.ensure_running() == first


def test_a_port_in_use_is_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalServiceError, match=f"port {port} for ClickHouse is in use"):
            EmbeddedClickHouse(home).ensure_running(port)


def test_a_remembered_port_that_is_taken_is_replaced(home: Path) -> None:
    server = EmbeddedClickHouse(home)
    url = server.ensure_running()
    server.stop()
    with socket.create_server(("127.0.0.1", Wire(url).port or 0)):
        other = server.ensure_running()

    assert other != url
    assert Wire(other).send("SELECT 1").text == "1\n"


def test_a_recycled_pid_is_not_taken_for_the_front(home: Path) -> None:
    server = EmbeddedClickHouse(home)
    server.ensure_running()
    state = read_state(home / "clickhouse.json") or {}
    front_of(home).kill()
    (home / "clickhouse.json").write_text(
        f'{{"pid": {os.getpid()}, "ports": {state["ports"]}, "password": "x"}}'
    )

    server.stop()  # must not end us
    assert Wire(server.ensure_running()).send("SELECT 1").text == "1\n"


def test_a_frozen_front_is_ended_by_stop(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.local.clickhouse_front._STOP_SECONDS", 0.2)
    server = EmbeddedClickHouse(home)
    server.ensure_running()
    os.kill(front_of(home).pid, signal.SIGSTOP)

    server.stop()

    assert not [command for command in processes_over(home) if "clickhouse_front" in command]


@pytest.mark.parametrize("spoil", ["a file", "broken metadata"])
def test_a_spoilt_folder_is_one_clear_error(home: Path, spoil: str) -> None:
    server = EmbeddedClickHouse(home)
    if spoil == "a file":
        (home / "clickhouse").write_text("not a folder")
    else:
        wire = Wire(server.ensure_running())
        wire.send("CREATE TABLE analytics.t (n Int64) ENGINE = MergeTree ORDER BY n")
        server.stop()
        for path in (home / "clickhouse").rglob("t.sql"):
            path.write_text("CREATE TABLE nonsense")

    with pytest.raises(LocalServiceError) as caught:
        server.ensure_running()

    text = str(caught.value)
    assert text.startswith("ClickHouse cannot start")
    assert f"{home / 'clickhouse'} is damaged, move it away" in text
    assert "\n" not in text
    assert "Traceback" not in text
