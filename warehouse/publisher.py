"""Who may publish into ClickHouse now: one process at a time, and none that has fallen silent."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg2
from sqlalchemy import Connection, Engine, text

from warehouse.errors import PublishBusyError
from warehouse.rollup_tables import Fence

_LOCK = 0x57484152_46000002
_NAME = "wharf:publish"
_BEAT_SECONDS, _SILENT_SECONDS = 5.0, 30.0
# Who publishes says so every few seconds (see `_beating`): silence means a client that is stopped or gone.
_END_SILENT = """
    SELECT pg_terminate_backend(a.pid)
    FROM pg_locks l
    JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) = :key
      AND a.datname = current_database() AND a.application_name = :name AND a.state = 'idle'
      AND a.state_change < clock_timestamp() - make_interval(secs => :silence)
"""


class Lock:
    """The publisher's advisory lock and the session that has it."""

    def __init__(self, connection: Connection, on_step: Callable[[str], None]) -> None:
        self.connection = connection
        self.on_step = on_step

    def still_held(self) -> None:
        """Raise when the session, and with it the lock, is gone: somebody newer may be publishing."""
        self.connection.execute(text("SELECT 1"))

    def before_swap(self, table: str, month: date) -> Fence:
        """What is called between staging a month of `table` and swapping it in."""

        def fence() -> None:
            self.on_step(f"swap {table} {month:%Y-%m}")
            self.still_held()

        return fence


@contextmanager
def only_publisher(
    engine: Engine, on_step: Callable[[str], None] = lambda step: None, *, patience_seconds: float = 0
) -> Iterator[Lock]:
    """Nobody else publishes within. Raises PublishBusyError when somebody still does after `patience_seconds`.

    A publisher that has been silent for half a minute is taken for stopped, and its session ended.
    """
    deadline = time.monotonic() + patience_seconds
    names = {"key": _LOCK, "name": _NAME, "silence": _SILENT_SECONDS}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), names):
            if connection.execute(text(_END_SILENT), names).all():
                continue
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise PublishBusyError(
                "another process is publishing; its run or the next takes these days along"
            )
        try:
            connection.execute(text("SELECT set_config('application_name', :name, false)"), names)
            with _beating(connection):
                yield Lock(connection, on_step)
        finally:
            connection.invalidate()  # the lock ends with the session, whatever state it is in


@contextmanager
def _beating(connection: Connection) -> Iterator[None]:
    """The session of `connection` asks for something every few seconds, from a thread."""
    stop = threading.Event()
    session: Any = connection.connection.dbapi_connection

    def beat() -> None:
        while not stop.wait(_BEAT_SECONDS):
            try:
                with (
                    session.cursor() as cursor
                ):  # psycopg2 lets threads share a connection, one statement at a time
                    cursor.execute("SELECT 1")
            except psycopg2.Error:
                return  # the session is gone; the next swap tells

    thread = threading.Thread(target=beat, daemon=True, name="publisher")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=_BEAT_SECONDS)
