"""Long-running children of `wharf up` and `wharf demo`, described."""

import http.client
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deployments.local.files import ensure_home

ANYWHERE = "0.0.0.0"  # noqa: S104 named, not chosen: the default is loopback


@dataclass(frozen=True)
class Service:
    """A program to keep running. `ready` is asked until it says yes; its output goes to `log`, its pid beside it."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[], bool]
    log: Path
    needs: tuple[str, ...] = ()  # started only once these are ready
    patience_seconds: float = 300.0  # some 10 s of work for the slowest, ten times that on a busy machine
    grace_seconds: float = 10.0

    @property
    def pid_file(self) -> Path:
        """Who runs it: `run/` beside `logs/`."""
        return self.log.parent.parent / "run" / f"{self.name}.service.json"


def answers(url: str, *, timeout_seconds: float = 2.0) -> bool:
    """Whether an HTTP server answers `url` with anything but a server error; no proxy between us and loopback."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "127.0.0.1", parts.port, timeout=timeout_seconds
    )
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def python_service(
    name: str,
    module: str,
    arguments: Sequence[str] = (),
    *,
    home: Path,
    ready: Callable[[], bool] | None = None,
    url: str | None = None,
    environment: Mapping[str, str] | None = None,
    needs: tuple[str, ...] = (),
    grace_seconds: float = 10.0,
) -> Service:
    """A module of ours as a service, ready when `ready` says so or `url` answers; with neither, at once."""

    def url_answers() -> bool:
        return url is None or answers(url)

    return Service(
        name=name,
        argv=[sys.executable, "-m", module, *arguments],
        env=dict(environment or {}),
        ready=ready or url_answers,
        log=ensure_home(home) / "logs" / f"{name}.log",
        needs=needs,
        grace_seconds=grace_seconds,
    )


def reached_at(host: str) -> str:
    """Where this machine finds what listens on `host`."""
    return "127.0.0.1" if host == ANYWHERE else host


def prefect_environment(home: Path) -> dict[str, str]:
    """Settings of a server of ours: nothing is reported to anybody, everything lives under `home`."""
    folder = home.expanduser().resolve() / "prefect"
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # relative: with a port of its own, the browser would otherwise ask port 4200
        "PREFECT_UI_API_URL": "/api",
        # the server copies its UI before it serves it, by default into the installed package
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder / "ui"),
        "PREFECT_SERVER_METRICS_ENABLED": "true",
        # SQLite: without batching, bursts of task runs lock the database and stall clients for seconds
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
        # by default only events are cleaned, and the database grows for ever
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }


def prefect_service(
    home: Path,
    port: int,
    *,
    host: str = "127.0.0.1",
    auth: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Service:
    """A Prefect server with its UI on `port` of `host`; its API is at `http://HOST:PORT/api` (`reached_at`).

    With `auth` (name:word) it answers nobody who does not say that.
    """
    home = ensure_home(home)
    (home / "prefect").mkdir(exist_ok=True, mode=0o700)

    def ready() -> bool:
        return answers(f"http://{reached_at(host)}:{port}/api/health")

    return Service(
        name="prefect",
        argv=[sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)],
        # not PREFECT_API_URL: a server that finds it would take itself for a client of that address
        env={
            **prefect_environment(home),
            "PREFECT_UI_URL": f"http://{os.uname().nodename if host == ANYWHERE else host}:{port}",
            **({"PREFECT_SERVER_API_AUTH_STRING": auth} if auth else {}),
            **(environment or {}),
        },
        ready=ready,
        log=home / "logs" / "prefect.log",
        grace_seconds=15.0,
    )
