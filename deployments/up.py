"""`wharf up`: the stack with its schedules, until Ctrl-C."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

from alerts.settings import load_settings
from deployments import prefect_client, sweeper
from deployments.sandbox_accounts import Sandbox
from flows import connections
from flows.settings import WharfSettings

RUNS_AT_ONCE = 2
PACE = 60.0
WORKER_GRACE_SECONDS = 3.0  # it would wait for its runs to end; they are ended, and told as such

logger = logging.getLogger(__name__)


def run() -> None:
    """Starts everything here (Prefect on WHARF_PREFECT_HOST), tells it its deployments, and waits for a signal."""
    from rich.console import Console

    from alerts.receivers import app as receivers
    from deployments import bootstrap
    from deployments.local.stack import (
        data_services,
        prefect_service,
        python_service,
        reached_at,
        require_port,
        supervise,
    )
    from deployments.running import announced
    from deployments.secret_key import ensure_prefect_auth, ensure_secret_key
    from warehouse import schema

    console = Console(highlight=False, soft_wrap=True)  # a log that it is redirected to has no width
    settings = WharfSettings()
    home = settings.home.absolute()
    plays = not _accounts()
    stop = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stop.set())
    require_port(settings.prefect_port, "the Prefect UI", setting="WHARF_PREFECT_PORT")
    if plays:
        require_port(settings.sandbox_port, "the sandbox marketplaces", setting="WHARF_SANDBOX_PORT")
        require_port(settings.inbox_port, "the message inbox", setting="WHARF_INBOX_PORT")
    prefect_url = f"http://{reached_at(settings.prefect_host)}:{settings.prefect_port}/api"
    with contextlib.ExitStack() as cleanup:
        console.print(f"Starting Wharf in {home}")
        databases = cleanup.enter_context(
            data_services(
                home,
                **settings.own_databases,
                clickhouse_port=settings.clickhouse_port,
            )
        )
        schema.upgrade(databases.database_url, databases.clickhouse_url)
        auth = ensure_prefect_auth(home, settings.prefect_host, settings.prefect_auth)
        environment = {
            "DATABASE_URL": databases.database_url,
            "CLICKHOUSE_URL": databases.clickhouse_url,
            "WHARF_HOME": str(home),
            "WHARF_SECRET_KEY": ensure_secret_key(home, settings),
            "WHARF_PUBLIC_URL": _links_lead_to(settings),
            **_prefect(home, prefect_url, auth),
        }
        services = [prefect_service(home, settings.prefect_port, host=settings.prefect_host, auth=auth)]
        sandbox = Sandbox(f"http://127.0.0.1:{settings.sandbox_port}")
        inbox = f"http://127.0.0.1:{settings.inbox_port}"
        if plays:
            services += _played(home, settings, sandbox, inbox)

        def sweep() -> None:
            _sweep(prefect_url, auth, sweeper.DIED)

        # The worker ends first, then its runs are told as ended, then Prefect and the rest go.
        cleanup.enter_context(supervise(services, restart=True, checks=[databases.ensure, sweep]))
        played = {**sandbox.environment(PACE), **receivers.environment(inbox)} if plays else {}
        os.environ.update(environment | played)
        connections.forget()
        _sweep(prefect_url, auth, sweeper.DIED, unstarted=True)
        console.print("Telling Prefect the deployments and schedules")
        bootstrap.bootstrap(environment)
        cleanup.callback(_sweep, prefect_url, auth, sweeper.STOPPED, unstarted=True)
        worker = python_service(
            "worker",
            "prefect",
            bootstrap.worker_arguments(RUNS_AT_ONCE),
            home=home,
            environment=environment | played | {"PATH": _our_python_first(), "TMPDIR": _own_folder(home)},
            grace_seconds=WORKER_GRACE_SECONDS,
        )
        callbacks = _callbacks(home, settings, environment | played)
        cleanup.enter_context(supervise([worker, callbacks], restart=True))
        cleanup.enter_context(announced(home, _prefect(home, prefect_url, auth) | played))
        if _is_fresh() and not stop.is_set():
            bootstrap.run_now("daily/daily", environment, effort="quick")
        _say_where(console, home, settings, plays, asks=auth is not None)
        while not stop.wait(1):  # a signal that lands just before one long wait would go unnoticed
            pass
        console.print(f"Stopping; data stays in {home}")


def _prefect(home: Path, url: str, auth: str | None) -> dict[str, str]:
    """What a process needs to talk to our Prefect server."""
    return {
        "PREFECT_API_URL": url,
        **({"PREFECT_API_AUTH_STRING": auth} if auth else {}),
        **prefect_client.environment(home),
    }


def _played(home: Path, settings: WharfSettings, sandbox: Sandbox, inbox: str) -> list[Any]:
    """Sandbox marketplaces and an inbox, as long as no account is configured."""
    from deployments.demo import sandbox_day
    from deployments.local.stack import python_service

    world = ["--port", str(settings.sandbox_port), "--pace", str(PACE), "--today", sandbox_day(home)]
    receiver = ["--port", str(settings.inbox_port), "--inbox", str(home / "messages")]
    return [
        python_service(
            "sandbox",
            "connectors.sandbox.app",
            world,
            home=home,
            ready=sandbox.is_ready,
        ),
        python_service("inbox", "alerts.receivers.app", receiver, home=home, url=f"{inbox}/_inbox"),
    ]


def _links_lead_to(settings: WharfSettings) -> str:
    """The public address of WHARF_CALLBACKS_PORT, or this machine."""
    return load_settings().wharf_public_url or f"http://127.0.0.1:{settings.callbacks_port}"


def _callbacks(home: Path, settings: WharfSettings, environment: Mapping[str, str]) -> Any:
    """What answers to the links in messages and to the providers."""
    from deployments.local.stack import python_service, require_port

    port = str(settings.callbacks_port)
    require_port(settings.callbacks_port, "answers to messages", setting="WHARF_CALLBACKS_PORT")
    return python_service(
        "callbacks",
        "deployments.callbacks",
        ["--port", port],
        home=home,
        url=f"http://127.0.0.1:{port}/health",
        environment=environment,
    )


def _sweep(prefect_url: str, auth: str | None, message: str, *, unstarted: bool = False) -> None:
    """Tell dead runs as such; a server that does not answer now is asked again next time."""
    try:
        sweeper.sweep(connections.postgres(), prefect_url, auth=auth, message=message, unstarted=unstarted)
    except (httpx.HTTPError, SQLAlchemyError) as error:
        logger.warning("%s while looking for dead runs; they are looked for again", type(error).__name__)


def _accounts() -> Mapping[str, Any]:
    connections.forget()
    return connections.accounts()


def _is_fresh() -> bool:
    """Whether the first journey never came to its end: it then starts at once instead of at its next hour."""
    from warehouse import forecasts, read

    engine = connections.postgres()
    return not (read.has_orders(engine) and forecasts.has_any(engine))


def _own_folder(home: Path) -> str:
    """Where runs keep what is temporary: Prefect uses one fixed name in it, which on /tmp may be somebody else's."""
    folder = home / "run" / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return str(folder)


def _our_python_first() -> str:
    """The search path by which `python` is the one we run on."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _say_where(console: Any, home: Path, settings: WharfSettings, plays: bool, *, asks: bool) -> None:
    local = "http://127.0.0.1"
    console.print(f"\n  Prefect UI   http://{settings.prefect_host}:{settings.prefect_port}")
    if asks:
        made = "" if settings.prefect_auth else f": wharf:, then what is in {home / 'prefect.password'}"
        console.print(f"               asks who is there; answer PREFECT_API_AUTH_STRING{made}")
    console.print(
        f"  ClickHouse   {local}:{settings.clickhouse_port}  user default, no password, read-only, database analytics"
    )
    if plays:
        console.print(
            f"  Marketplaces {local}:{settings.sandbox_port}  sandbox: no account is configured (.env.example)"
        )
        console.print(f"  Messages     {local}:{settings.inbox_port}/_inbox")
    console.print(f"  Data, logs   {home}\n\nCtrl-C stops all of it.")
    sys.stdout.flush()
