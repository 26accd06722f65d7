"""Helpers for tests of the local stack: plain HTTP to the ClickHouse front, and programs run as somebody else."""

import http.client
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

from deployments.local.unprivileged import Identity


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> int | None:
        found = self.headers.get("x-clickhouse-exception-code")
        return int(found) if found else None


class Wire:
    """The front without any client library in between."""

    def __init__(self, url: str, *, analyst: bool = False) -> None:
        parts = urlsplit(url)
        self.port = parts.port
        credentials = {"X-ClickHouse-User": parts.username or "", "X-ClickHouse-Key": parts.password or ""}
        self.headers = {} if analyst else credentials

    def send(
        self,
        body: bytes | str | Iterable[bytes] = b"",
        *,
        method: str = "POST",
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        if isinstance(body, str):
            body = body.encode()
        target = f"{path}?{urlencode(fields)}" if fields else path
        try:
            connection.request(method, target, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, answer.read(), names)
        finally:
            connection.close()


def python(code: str, *arguments: object, uid: int | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start `code` in a fresh interpreter, as `uid` if given (who may pass through folders closed to others: the
    interpreter may lie in one); its output is piped."""
    argv = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(
        argv if uid is None else Identity(uid, uid, passes=True).command(argv),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    )


def finished(process: subprocess.Popen[str], seconds: float = 240) -> str:
    """Its output, once it ended well."""
    output, errors = process.communicate(timeout=seconds)
    assert process.returncode == 0, errors
    return output


def eventually(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """The condition's first true value; the limit only keeps a failing test from hanging."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return value


def processes_over(folder: Path) -> list[str]:
    """Command lines of processes that work on `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in command):
                found.append(" ".join(command))
        except psutil.Error:
            continue
    return found
