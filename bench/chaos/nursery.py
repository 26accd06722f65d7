"""Starts syncing processes at once: a program that has everything imported and forks itself for each.

    python -m bench.chaos.nursery SOCKET

A request is one line of JSON on the socket (see `work`); the answers are {"pid": …} and, when the process has ended,
{"status": …, "told": …}. Each process leads a process group of its own, so that all of it can be killed.
"""

import contextlib
import functools
import json
import os
import signal
import socket
import sys
import time
import traceback
from datetime import datetime
from typing import Any

import pyarrow  # noqa: F401 what publishing imports on its way

from bench.chaos.mutants import MUTANTS
from connectors import registry
from connectors.https import open_http
from flows import connections, ingest, sync
from warehouse import rollup
from warehouse.breaker import Limits
from warehouse.errors import LeaseHeldError, PublishBusyError

_PATIENCE_SECONDS = 60.0


def main() -> None:
    """Serves until its standard input ends, with whoever started it."""
    for platform in registry.PLATFORMS:  # what is imported and read here is there after a fork
        registry.resources_of(platform)
    open_http().close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        listener.settimeout(1)
        parent = os.getppid()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                caller, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    _mind(caller)
                caller.close()


def _mind(caller: socket.socket) -> None:
    """Fork the process asked for, tell who it is, wait for it, tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    caller.settimeout(None)
    stream = caller.makefile("rw")
    request = json.loads(stream.readline())
    told, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(told)
        caller.close()
        os._exit(_run(request, telling))
    os.close(telling)
    stream.write(json.dumps({"pid": pid}) + "\n")
    stream.flush()
    said = b""
    while part := os.read(told, 1 << 16):
        said += part
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        stream.write(
            json.dumps({"status": os.waitstatus_to_exitcode(status), "told": said.decode() or None}) + "\n"
        )
        stream.flush()
    os._exit(0)


def _run(request: dict[str, Any], telling: int) -> int:
    """0: done, and what was done is told; 1: it failed, and why is told."""
    try:
        done = work(request)
    except BaseException as error:  # noqa: BLE001 told to whoever asked
        where = traceback.format_exc(limit=-4)
        os.write(telling, f"{type(error).__name__}: {error}\n{where}"[:20_000].encode())
        return 1
    os.write(telling, json.dumps(done).encode())
    return 0


def work(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Sync `resources` of `accounts` up to `until` and publish, by the code flows run.

    `windows`: (since, until) to read as a backfill instead of going on from the watermark. `publish` False: not.
    `mutant`: what to do wrong. `host`: which machine to be on, for whoever asks later who held a lease.
    """
    os.environ.update(request["environment"])
    if request.get("mutant"):
        MUTANTS[request["mutant"]]()
    if request.get("host"):
        socket.gethostname = lambda: str(request["host"])
    done = []
    windows: list[Any] = [
        tuple(datetime.fromisoformat(end) for end in window) for window in request.get("windows") or ()
    ]
    until = datetime.fromisoformat(request["until"])
    for name in request["accounts"]:
        account = connections.account(name)
        for resource in sync.chosen(request["resources"], account.platform):
            described = registry.resources_of(account.platform)[resource]
            for since, end in windows or [(None, until)]:
                kind: ingest.Kind = "backfill" if windows else "sync"
                result = _patiently(
                    functools.partial(ingest.read_and_merge, account, described, end, since, kind)
                )
                done.append({"account": name, "resource": resource, "rows": result.inserted + result.updated,
                             "refused": result.refused, "outcome": result.outcome})  # fmt: skip
    if request.get("publish", True):
        client = connections.clickhouse()
        with contextlib.closing(client):
            _patiently(
                lambda: rollup.publish(connections.postgres(), client, limits=Limits(rate=1.0, rows=10**6))
            )
    return done


def _patiently(work: Any) -> Any:
    """Again, while another run is at it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return work()
        except (LeaseHeldError, PublishBusyError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
