"""The databases a command works on: the user's own by URL, or the embedded ones for as long as anybody uses them."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from deployments.local.clickhouse_front import EmbeddedClickHouse
from deployments.local.errors import LocalServiceError
from deployments.local.files import ensure_home, open_lock, open_log, read_state, try_lock, write_state
from deployments.local.postgres import EmbeddedPostgres

_WAIT_SECONDS = 90.0
_KEEPER = "deployments.local.keeper"


@dataclass(frozen=True)
class DataServices:
    """Where both databases answer. `ensure()` starts an embedded one again that died; it keeps its address
    unless another program took the port meanwhile."""

    database_url: str
    clickhouse_url: str
    ensure: Callable[[], None]


@contextlib.contextmanager
def data_services(
    home: Path, *, database_url: str | None, clickhouse_url: str | None, clickhouse_port: int | None = None
) -> Iterator[DataServices]:
    """Both databases: those given by URL as they are, the others embedded under `home`, started or joined.

    The last user to leave stops the embedded ones, and a keeper does when the last user crashed.
    LocalServiceError when one cannot run.
    """
    if database_url and clickhouse_url:
        yield DataServices(database_url, clickhouse_url, lambda: None)
        return
    with using(home):

        def start() -> tuple[str, str]:
            with ThreadPoolExecutor(2) as pool:  # together: each takes about a second
                postgres = pool.submit(lambda: database_url or EmbeddedPostgres(home).ensure_running())
                clickhouse = pool.submit(
                    lambda: clickhouse_url or EmbeddedClickHouse(home).ensure_running(clickhouse_port)
                )
                return postgres.result(), clickhouse.result()

        def ensure() -> None:
            start()

        yield DataServices(*start(), ensure)


@contextlib.contextmanager
def using(home: Path) -> Iterator[None]:
    """Count as a user of the embedded databases under `home`; the last to leave, or to die, ends them."""
    home = ensure_home(home)
    users = open_lock(home / "users.lock")
    try:
        _enter(users, home)
        _ensure_keeper(home)
        yield
    finally:
        try:
            _leave(users, home)
        finally:
            os.close(users)


def stop_embedded(home: Path) -> None:
    """Stop both embedded databases, if they run; the caller holds `users.lock` alone."""
    try:
        EmbeddedClickHouse(home).stop()
    finally:
        EmbeddedPostgres(home).stop()


def _enter(users: int, home: Path) -> None:
    """Count as a user; waits for one who is just stopping the databases."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not try_lock(users, shared=True):
        if time.monotonic() > deadline:
            raise LocalServiceError(
                f"another process has been stopping the databases under {home} for {_WAIT_SECONDS:.0f} s: "
                f"see {home / 'logs'}, end it, and try again"
            )
        time.sleep(0.05)


def _leave(users: int, home: Path) -> None:
    """Count no longer; the last one stops the databases before going, so that nothing is left running."""
    if try_lock(users):
        stop_embedded(home)
        _end_keeper(home)
        _release(users)
    elif try_lock(users, shared=True):
        _release(users)  # others are there
    else:
        _enter(users, home)  # the keeper is stopping them: go when it has
        _release(users)


def _release(users: int) -> None:
    fcntl.flock(users, fcntl.LOCK_UN)


def _ensure_keeper(home: Path) -> None:
    """Start a keeper unless one waits. It inherits the lock that says so: no moment without."""
    ours = open_lock(home / "keeper.lock")
    try:
        if not try_lock(ours):
            return
        log = open_log(home / "logs" / "keeper.log")
        try:
            keeper = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", _KEEPER, str(home), str(ours)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(ours,),
            )
            write_state(home / "keeper.json", {"pid": keeper.pid})
        finally:
            os.close(log)
    finally:
        os.close(ours)


def _end_keeper(home: Path) -> None:
    """End the keeper, who waits for the lock that we hold: there is nothing left for it to do."""
    state = read_state(home / "keeper.json") or {}
    try:
        keeper = psutil.Process(state["pid"])
        if _KEEPER in keeper.cmdline() and str(home) in keeper.cmdline():
            keeper.kill()
            # not keeper.wait(): where nobody reaps, a dead one stays in the list of processes
            while keeper.is_running() and keeper.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
    except (KeyError, psutil.Error):
        return  # gone, or its starter was killed before it could note the pid: it ends once we let go
