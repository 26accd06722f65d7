"""ClickHouse on this machine: one process owns the chdb engine and speaks ClickHouse's HTTP protocol.

    python -m deployments.local.clickhouse_front --home .wharf --port 8123

Every other process, ours or an analyst's, is an ordinary ClickHouse client of it. Two users: `wharf`, with the
password in `clickhouse.json` (0600), may do anything; `default` and `analyst`, without password, may read
`analytics`. Under the data folder: `clickhouse/` (the engine's own), `clickhouse.json`, `logs/clickhouse.log`.

An acknowledged insert survives a SIGKILL of this process. It is not fsynced one by one: after a power cut the last
seconds may be gone, and publishing those days again from PostgreSQL restores them.
"""

import argparse
import base64
import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from deployments.local.errors import LocalServiceError
from deployments.local.files import (
    ensure_home,
    locked,
    open_lock,
    open_log,
    read_state,
    tail,
    try_lock,
    write_state,
)
from deployments.local.ports import LOOPBACK, free_port, require_port

if TYPE_CHECKING:
    from deployments.local.clickhouse_engine import Engine
    from deployments.local.clickhouse_http import ClickHouseServer

USER = "wharf"
DATABASE = "analytics"
_MODULE = "deployments.local.clickhouse_front"
_START_SECONDS = 180.0
_LINGER_SECONDS = 3.0  # a stopped engine's last threads hold its lock a moment longer than it seems to live
_STOP_SECONDS = 40.0
_FINISH_SECONDS = 30.0


class EmbeddedClickHouse:
    """The ClickHouse of one data folder; any number of processes may ask for it."""

    def __init__(self, home: Path) -> None:
        self._home = ensure_home(home)
        self._state_file = self._home / "clickhouse.json"
        self._lock_file = self._home / "clickhouse.lock"
        self._log = self._home / "logs" / "clickhouse.log"
        self._child: subprocess.Popen[bytes] | None = None

    def ensure_running(self, port: int | None = None) -> str:
        """The owner's URL, `http://wharf:…@127.0.0.1:PORT/analytics`, the same form a real server's CLICKHOUSE_URL has:
        `clickhouse_connect.get_client(dsn=url)` takes it, and SQLAlchemy does with `http` replaced by `clickhousedb`.

        With a `port`, the server answers on it (also); LocalServiceError when that is taken or it cannot start.
        """
        with locked(self._lock_file, what="starting ClickHouse"):
            state = read_state(self._state_file) or {}
            if self._runs(state):
                if port is not None and port not in state["ports"]:
                    self._listen_also(state, port)
            else:
                self._start(state, port)
            state = read_state(self._state_file) or {}
        return f"http://{USER}:{state['password']}@{LOOPBACK}:{port or state['ports'][0]}/{DATABASE}"

    def stop(self) -> None:
        """Stop it, if it runs, after the requests in progress; what was acknowledged is kept."""
        with locked(self._lock_file, what="stopping ClickHouse"):
            process = self._process(read_state(self._state_file) or {})
            if process is None:
                return
            for how, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 5.0)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(how)
                if self._gone(process, seconds):
                    return
        raise LocalServiceError(f"ClickHouse (process {process.pid}) does not stop: see {self._log}")

    def is_running(self) -> bool:
        """Whether it answers now; starts nothing."""
        return _answers(read_state(self._state_file) or {})

    def _runs(self, state: dict[str, Any]) -> bool:
        """Whether it answers; one that lives but is busy or still starting is given time."""
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(state):
            process = self._process(state)
            if process is None:
                return False
            if time.monotonic() > deadline:
                raise LocalServiceError(
                    f"ClickHouse (process {process.pid}) lives but does not answer: end it (kill {process.pid}), then "
                    f"try again; its log is {self._log}"
                )
            time.sleep(0.1)
        return True

    def _start(self, state: dict[str, Any], port: int | None) -> None:
        if port is None:
            port = free_port(state["ports"][0] if state.get("ports") else None)
        else:
            require_port(port, "ClickHouse", setting="WHARF_CLICKHOUSE_PORT")
        log = open_log(self._log)
        log_start = os.fstat(log).st_size
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", _MODULE, "--home", str(self._home), "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in our terminal is not for it
                env={**os.environ, "TZ": "UTC"},
            )
        finally:
            os.close(log)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            state = read_state(self._state_file) or {}
            if state.get("pid") == self._child.pid and _answers(state):
                return
            if self._child.poll() is not None:
                lines = [line for line in tail(self._log, start=log_start) if line.strip()]
                reason = lines[-1].strip() if lines else f"it ended with status {self._child.returncode}"
                raise LocalServiceError(
                    f"ClickHouse cannot start: {reason}. If {self._home / 'clickhouse'} is damaged, move it away: "
                    f"`wharf rollup` fills an empty one from PostgreSQL; the log is {self._log}"
                )
            time.sleep(0.03)
        self._child.kill()
        raise LocalServiceError(
            f"ClickHouse has not answered within {_START_SECONDS:.0f} s of its start: see {self._log}"
        )

    def _listen_also(self, state: dict[str, Any], port: int) -> None:
        require_port(port, "ClickHouse", setting="WHARF_CLICKHOUSE_PORT")
        status, answer = _request(state, "POST", f"/_wharf/listen?port={port}")
        if status != 200:
            raise LocalServiceError(f"ClickHouse runs but cannot answer on port {port}: {answer.strip()}")

    def _process(self, state: dict[str, Any]) -> psutil.Process | None:
        """The front's process, if it lives: a pid alone may be anybody's by now."""
        try:
            process = psutil.Process(state["pid"])
            command = process.cmdline()
            ours = (
                process.status() != psutil.STATUS_ZOMBIE and _MODULE in command and str(self._home) in command
            )
        except (KeyError, psutil.Error):
            return None
        return process if ours else None

    def _gone(self, process: psutil.Process, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()
            try:
                if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                    return True
            except psutil.NoSuchProcess:
                return True
            time.sleep(0.02)
        return False


def _request(state: dict[str, Any], method: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(LOOPBACK, state["ports"][0], timeout=5)
    with contextlib.closing(connection):
        token = base64.b64encode(f"{USER}:{state['password']}".encode()).decode()
        connection.request(method, path, headers={"Authorization": f"Basic {token}"})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")


def _answers(state: dict[str, Any]) -> bool:
    """A query under our password is the only proof that it is ours and works."""
    if not {"ports", "password"} <= state.keys():
        return False
    try:
        return _request(state, "GET", "/?query=SELECT+1") == (200, "1\n")
    except (OSError, http.client.HTTPException):
        return False


class _Front:
    """The process's servers: one a port, all over one engine."""

    def __init__(self, home: Path, engine: "Engine") -> None:
        self._state_file = home / "clickhouse.json"
        self._engine = engine
        self._password = (read_state(self._state_file) or {}).get("password") or secrets.token_urlsafe(24)
        self._servers: list[ClickHouseServer] = []

    def listen(self, port: int) -> None:
        """Answer on `port` too, and say so in the state file."""
        from deployments.local.clickhouse_http import ClickHouseServer

        server = ClickHouseServer((LOOPBACK, port), self._engine, self._password, self.listen)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
        ports = [each.server_address[1] for each in self._servers]
        write_state(self._state_file, {"pid": os.getpid(), "ports": ports, "password": self._password})

    def finish(self) -> bool:
        """Stop listening, answer what is in progress; whether all of it ended in time."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        finished = [server.finish(_FINISH_SECONDS) for server in self._servers]
        return all(finished)


def serve(home: Path, port: int) -> int:
    """Own the engine and answer until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    home = ensure_home(home)
    owner = open_lock(home / "clickhouse.owner.lock")
    deadline = time.monotonic() + _LINGER_SECONDS
    while not try_lock(owner):
        if time.monotonic() > deadline:
            raise LocalServiceError(
                f"another process owns {home / 'clickhouse'} already: use that one, or stop it first"
            )
        time.sleep(0.05)
    os.environ["TZ"] = "UTC"
    time.tzset()
    from deployments.local.clickhouse_engine import Engine
    from deployments.local.clickhouse_http import enter_scratch_folder

    scratch = enter_scratch_folder(home)
    try:
        engine = Engine(home / "clickhouse", home / "run" / "clickhouse-settings")
    except RuntimeError as error:
        raise LocalServiceError(
            f"the engine cannot open {home / 'clickhouse'}: {' '.join(str(error).split())}"
        ) from None
    front = _Front(home, engine)
    try:
        front.listen(port)
    except OSError as error:
        raise LocalServiceError(f"ClickHouse cannot listen on {LOOPBACK}:{port}: {error.strerror}") from None
    ended.wait()
    if front.finish():
        engine.close()
    shutil.rmtree(scratch, ignore_errors=True)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The process: status 0 after a clean stop, 1 with one line when it cannot run."""
    parser = argparse.ArgumentParser(
        prog=_MODULE, description="ClickHouse's HTTP protocol over an embedded engine."
    )
    parser.add_argument("--home", type=Path, required=True, help="Wharf's data folder")
    parser.add_argument("--port", type=int, default=8123, help="port on 127.0.0.1")
    arguments = parser.parse_args(argv)
    try:
        status = serve(arguments.home, arguments.port)
    except LocalServiceError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.flush()
    os._exit(status)  # the engine's threads would otherwise hold a clean exit up


if __name__ == "__main__":
    sys.exit(main())
