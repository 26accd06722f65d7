"""`wharf up`: the stack with its schedules, until Ctrl-C."""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from deployments.sandbox_accounts import Sandbox

PREFECT_PORT, CLICKHOUSE_PORT, SANDBOX_PORT, INBOX_PORT = 4200, 8123, 8040, 8025
RUNS_AT_ONCE = 2
PACE = 60.0


def run() -> None:
    """Starts everything on 127.0.0.1, tells Prefect its deployments, and waits for a signal."""
    from rich.console import Console

    from alerts.receivers import app as receivers
    from deployments import bootstrap
    from deployments.demo import prefect_client_environment, sandbox_day
    from deployments.local.stack import (
        data_services,
        prefect_service,
        python_service,
        require_port,
        supervise,
    )
    from deployments.secret_key import ensure_secret_key
    from flows.settings import WharfSettings
    from warehouse import schema

    console = Console(highlight=False)
    settings = WharfSettings()
    home = settings.home.absolute()
    stop = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stop.set())
    require_port(PREFECT_PORT, "the Prefect UI")
    with contextlib.ExitStack() as cleanup:
        console.print(f"Starting Wharf in {home}")
        databases = cleanup.enter_context(
            data_services(
                home,
                **settings.own_databases,
                clickhouse_port=CLICKHOUSE_PORT,
            )
        )
        schema.upgrade(databases.database_url, databases.clickhouse_url)
        environment = {
            "DATABASE_URL": databases.database_url,
            "CLICKHOUSE_URL": databases.clickhouse_url,
            "WHARF_HOME": str(home),
            "WHARF_SECRET_KEY": ensure_secret_key(home),
            "WHARF_ROOT": str(bootstrap.ROOT),
            "PREFECT_API_URL": f"http://127.0.0.1:{PREFECT_PORT}/api",
            **prefect_client_environment(home),
        }
        services = [prefect_service(home, PREFECT_PORT)]
        plays = not _accounts()
        sandbox = Sandbox(f"http://127.0.0.1:{SANDBOX_PORT}")
        if plays:
            require_port(SANDBOX_PORT, "the sandbox marketplaces")
            require_port(INBOX_PORT, "the message inbox")
            inbox = f"http://127.0.0.1:{INBOX_PORT}"
            services += [
                python_service(
                    "sandbox",
                    "connectors.sandbox.app",
                    ["--port", str(SANDBOX_PORT), "--pace", str(PACE), "--today", sandbox_day(home)],
                    home=home,
                    ready=sandbox.is_ready,
                    patience_seconds=120,
                ),
                python_service(
                    "inbox",
                    "alerts.receivers.app",
                    ["--port", str(INBOX_PORT), "--inbox", str(home / "messages")],
                    home=home,
                    url=f"{inbox}/_inbox",
                ),
            ]
        cleanup.enter_context(supervise(services, restart=True, checks=[databases.ensure]))
        if plays:
            environment |= {**sandbox.environment(PACE), **receivers.environment(inbox)}
        os.environ.update(environment)
        console.print("Telling Prefect the deployments and schedules")
        bootstrap.bootstrap(environment)
        worker = python_service(
            "worker", "prefect", bootstrap.worker_arguments(RUNS_AT_ONCE), home=home, environment=environment
        )
        cleanup.enter_context(supervise([worker], restart=True))
        if _is_fresh():
            bootstrap.run_now("daily/daily", environment, effort="quick")
        _say_where(console, home, plays)
        while not stop.wait(1):  # a signal that lands just before one long wait would go unnoticed
            pass
        console.print(f"Stopping; data stays in {home}")


def _accounts() -> dict[str, Any]:
    from flows import connections

    connections.forget()
    return connections.accounts()


def _is_fresh() -> bool:
    """Whether nothing was ever loaded: then the first journey starts at once instead of at its next hour."""
    from flows import connections
    from warehouse import read

    connections.forget()
    return not read.has_orders(connections.postgres())


def _say_where(console: Any, home: Path, plays: bool) -> None:
    console.print(f"\n  Prefect UI   http://127.0.0.1:{PREFECT_PORT}")
    console.print(
        f"  ClickHouse   http://127.0.0.1:{CLICKHOUSE_PORT}  user default, no password, read-only, database analytics"
    )
    if plays:
        console.print(
            f"  Marketplaces http://127.0.0.1:{SANDBOX_PORT}  sandbox: no account is configured (.env.example)"
        )
        console.print(f"  Messages     http://127.0.0.1:{INBOX_PORT}/_inbox")
    console.print(f"  Data, logs   {home}\n\nCtrl-C stops all of it.", highlight=False)
    sys.stdout.flush()
