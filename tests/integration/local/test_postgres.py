"""The embedded PostgreSQL: started twice at once, killed, its pid recycled, its folder spoilt; as root and not."""

import contextlib
import json
import os
import pwd
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from deployments.local.errors import LocalServiceError
from deployments.local.files import read_state
from deployments.local.postgres import EmbeddedPostgres
from tests.local_factories import finished, processes_over, python

pytestmark = pytest.mark.stack

START = """
    import sys
    from pathlib import Path
    from deployments.local.postgres import EmbeddedPostgres
    print(EmbeddedPostgres(Path(sys.argv[1])).ensure_running())
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "a home"
    EmbeddedPostgres(tmp_path / "a home").stop()


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For tests that leave the server as they found it."""
    home = tmp_path_factory.mktemp("shared") / "home"
    yield home
    EmbeddedPostgres(home).stop()


def ask(url: str, query: str) -> object:
    with (
        contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(query)
        connection.commit()
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def server_of(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres/data/postmaster.pid").read_text().split()[0]))


def test_committed_rows_survive_a_kill(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.ensure_running()
    ask(url, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    server_of(home).kill()

    assert EmbeddedPostgres(home).ensure_running() == url  # same port, same password
    assert ask(url, "SELECT sum(n) FROM t") == 500_500


def test_a_password_that_no_longer_fits_is_set_anew(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.ensure_running()
    server.stop()
    state = read_state(home / "postgres.json") or {}
    (home / "postgres.json").write_text(json.dumps({**state, "password": "another"}))

    assert ask(server.ensure_running(), "SELECT 1") == 1


def test_it_is_joined_not_started_again(shared_home: Path) -> None:
    url = EmbeddedPostgres(shared_home).ensure_running()
    pid = server_of(shared_home).pid

    assert EmbeddedPostgres(shared_home).ensure_running() == url
    assert server_of(shared_home).pid == pid


def test_processes_that_start_at_once_share_one(home: Path) -> None:
    both = [python(START, home), python(START, home)]

    first, second = (finished(process) for process in both)

    assert first == second
    assert len([command for command in processes_over(home) if "postgres -D" in command]) == 1


def test_stopping_leaves_nothing_and_a_second_stop_is_harmless(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.ensure_running()
    server.stop()
    server.stop()

    assert not server.is_running()
    assert not processes_over(home)
    assert server.ensure_running() == url


def test_it_is_tuned_and_closed(shared_home: Path) -> None:
    url = EmbeddedPostgres(shared_home).ensure_running()
    expected = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "TimeZone": "UTC",
        "fsync": "on",
        "max_connections": "60",
        "password_encryption": "scram-sha-256",
        "data_checksums": "on",
        "server_encoding": "UTF8",
    }
    assert {name: ask(url, f'SHOW "{name}"') for name in expected} == expected
    assert ask(url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    assert ask(url, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    assert stat.S_IMODE((shared_home / "postgres.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((shared_home / "postgres" / "data").stat().st_mode) == 0o700


def test_a_wrong_password_is_refused(shared_home: Path) -> None:
    url = EmbeddedPostgres(shared_home).ensure_running()
    state = read_state(shared_home / "postgres.json") or {}

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(url.replace(state["password"], "wrong"), "SELECT 1")


def test_a_recycled_pid_does_not_stand_in_the_way(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.ensure_running()
    theirs = {"user": server_of(home).uids().real} if os.geteuid() == 0 else {}
    server_of(home).kill()
    with subprocess.Popen(
        ["sleep", "600"], **theirs
    ) as other:  # of the same user: PostgreSQL believes such a pid
        pid_file = home / "postgres/data/postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")

        server.stop()
        assert server.ensure_running() == url
        assert ask(url, "SELECT 1") == 1
        assert other.poll() is None
        other.kill()


def test_a_remembered_port_that_is_taken_is_replaced(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.ensure_running()
    server.stop()
    port = (read_state(home / "postgres.json") or {})["port"]
    with socket.create_server(("127.0.0.1", port)):
        other = server.ensure_running()

    assert other != url
    assert ask(other, "SELECT 1") == 1


def test_a_lost_password_is_set_anew(home: Path) -> None:
    server = EmbeddedPostgres(home)
    url = server.ensure_running()
    ask(url, "CREATE TABLE kept AS SELECT 42 AS n")
    server.stop()
    (home / "postgres.json").unlink()

    again = server.ensure_running()

    assert again != url
    assert ask(again, "SELECT n FROM kept") == 42


def test_a_half_made_cluster_is_made_anew(home: Path) -> None:
    server = EmbeddedPostgres(home)
    unfinished = home / "postgres/data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    assert ask(server.ensure_running(), "SELECT 1") == 1


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("other version", "was made by PostgreSQL 15, and this Wharf runs 18"),
        ("no cluster", "is not a PostgreSQL data folder"),
        ("no control file", "PostgreSQL cannot start"),
        ("damaged catalog", "PostgreSQL cannot start"),
    ],
)
def test_a_spoilt_folder_is_one_clear_error(home: Path, spoil: str, says: str) -> None:
    server = EmbeddedPostgres(home)
    data = home / "postgres/data"
    if spoil == "no cluster":
        data.mkdir(parents=True)
        (data / "something").write_text("else")
    else:
        server.ensure_running()
        server.stop()
    if spoil == "other version":
        (data / "PG_VERSION").write_text("15\n")
    elif spoil == "no control file":
        (data / "global/pg_control").unlink()
    elif spoil == "damaged catalog":
        for path in (data / "global").glob("[0-9]*"):
            path.write_bytes(b"\xff" * path.stat().st_size)

    with pytest.raises(LocalServiceError) as caught:
        server.ensure_running()

    text = str(caught.value)
    assert says in text
    assert f"move {home / 'postgres'} away" in text
    assert "\n" not in text


def test_its_log_holds_no_customers_data(shared_home: Path) -> None:
    url = EmbeddedPostgres(shared_home).ensure_running()
    ask(url, "CREATE TABLE people (email text PRIMARY KEY)")
    ask(url, "INSERT INTO people VALUES ('ada@example.com')")
    with pytest.raises(psycopg2.IntegrityError):
        ask(url, "INSERT INTO people VALUES ('ada@example.com')")

    log = (shared_home / "logs/postgres.log").read_text()
    assert "duplicate key" in log
    assert "ada@example.com" not in log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
class TestAsRoot:
    def test_the_server_is_not_root(self, home: Path) -> None:
        EmbeddedPostgres(home).ensure_running()

        assert server_of(home).uids().real != 0
        assert (home / "postgres").stat().st_uid == server_of(home).uids().real

    def test_folders_closed_to_others_stay_closed(self) -> None:
        closed = Path(tempfile.mkdtemp(dir="/root" if os.access("/root", os.W_OK) else None))
        closed.chmod(0o700)
        server = EmbeddedPostgres(closed / "project/.wharf")
        try:
            assert ask(server.ensure_running(), "SELECT 1") == 1
            assert server_of(closed / "project/.wharf").uids().real != 0
            assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        finally:
            server.stop()
            subprocess.run(["rm", "-rf", closed], check=True)

    def test_a_normal_users_cluster_stays_theirs(self) -> None:
        nobody = pwd.getpwnam("nobody")
        with tempfile.TemporaryDirectory() as folder:
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            home = Path(folder) / "home"
            url = finished(python(START, home, uid=nobody.pw_uid)).strip()
            try:
                assert server_of(home).uids().real == nobody.pw_uid
                assert EmbeddedPostgres(home).ensure_running() == url  # root joins
                EmbeddedPostgres(home).stop()
                assert EmbeddedPostgres(home).ensure_running() == url  # and starts it, as its owner
                assert server_of(home).uids().real == nobody.pw_uid
                assert json.loads((home / "postgres.json").read_text())
            finally:
                EmbeddedPostgres(home).stop()
