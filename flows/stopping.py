"""Ctrl-C and SIGTERM end a run at any moment, also while PostgreSQL works on a long statement.

Python acts on a signal only between two steps of its main thread, and a thread that waits for PostgreSQL takes
none. So the interpreter wakes a thread of ours, which cancels the statements under way: they fail, what they
wrote is rolled back, nothing is tried again, and the program ends in its own order.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import FrameType

from flows import connections

PATIENCE_SECONDS = 30.0  # then the process ends as it is; its keeper and its watcher end what it started
_EVERY_SECONDS = 0.25
_stopping = threading.Event()


class StoppedError(Exception):
    """The run was told to stop; nothing of its window was written, and the next run reads it again."""


def is_stopping() -> bool:
    """Whether this process was told to end."""
    return _stopping.is_set()


def check() -> None:
    """Raise StoppedError once the process was told to end; called between pages and chunks."""
    if is_stopping():
        raise StoppedError("stopped before its end; the next run reads the window again")


@contextlib.contextmanager
def promptly() -> Iterator[None]:
    """SIGINT and SIGTERM both interrupt this block, and the SQL statements under way with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    before = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    term = signal.getsignal(signal.SIGTERM)
    if term == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
    watching = threading.Thread(target=_watch, args=(woken,), name="stopping", daemon=True)
    watching.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        waking.close()
        watching.join()
        woken.close()
        if term == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _stopping.clear()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _watch(woken: socket.socket) -> None:
    """Until the block ends: wait for a signal, then end statements, also those begun a moment later."""
    while numbers := woken.recv(64):
        if not {signal.SIGINT, signal.SIGTERM} & set(numbers):
            continue
        _stopping.set()
        woken.settimeout(_EVERY_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            connections.cancel_statements()
            with contextlib.suppress(TimeoutError):
                if not woken.recv(64):
                    return
        os._exit(130)
