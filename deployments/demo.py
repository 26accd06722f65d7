"""`wharf demo`: the whole journey once, shown step by step, with nothing left running."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployments import prefect_client
from deployments.sandbox_accounts import Sandbox

PACE = 500.0  # the sandbox's limits and queues run this many times faster than the real ones
HISTORY_DAYS = 720  # of the generated merchant: what Amazon would still give


def run(data: Sequence[Path], mapping: Path | None, output: Path) -> None:
    """Starts everything, runs the flows, prints what they did. Raises when any step failed."""
    from rich.console import Console

    _check(data, mapping)
    console = Console(highlight=False, width=120 if not sys.stdout.isatty() else None)
    started = time.monotonic()
    with stack(data, mapping, output, console) as sandbox:
        from deployments import demo_steps  # only now: the flows read their settings at import of Prefect

        demo_steps.run(sandbox, console, output, replay=bool(data))
    console.print(f"\nAll of it took {time.monotonic() - started:.0f} s; nothing is left running.")


def _check(data: Sequence[Path], mapping: Path | None) -> None:
    """Raises ConfigurationError or MappingError for files that cannot be used, before anything is started."""
    from connectors.errors import ConfigurationError
    from connectors.exports.mapping import read_mapping
    from connectors.exports.order_lines import mapping_of

    for path in data:
        if not path.is_file():
            raise ConfigurationError(f"{path}: there is no such file")
        if mapping is None:
            mapping_of(path)
    if mapping is not None:
        read_mapping(mapping)


@contextlib.contextmanager
def stack(data: Sequence[Path], mapping: Path | None, output: Path, console: Any) -> Iterator[Sandbox]:
    """The local services for a demo, and the environment that points the flows at them."""
    from alerts.receivers import app as receivers
    from deployments.local.stack import data_services, free_port, prefect_service, python_service, supervise
    from deployments.secret_key import ensure_secret_key
    from flows import stopping
    from flows.settings import WharfSettings

    settings = WharfSettings()
    home = settings.home.absolute() / ("demo-data" if data else "demo")
    output.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(
        output / "messages", ignore_errors=True
    )  # of the demo before; the folder may hold other things
    ports = {name: free_port() for name in ("sandbox", "prefect", "inbox")}
    world = ["--pace", str(PACE)]
    if data:
        world += ["--replay", *(str(path.absolute()) for path in data)]
        if mapping:
            world += ["--mapping", str(mapping.absolute())]
    else:
        world += ["--today", sandbox_day(home), "--days", str(HISTORY_DAYS)]
    sandbox = Sandbox(f"http://127.0.0.1:{ports['sandbox']}")
    inbox_url = f"http://127.0.0.1:{ports['inbox']}"
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(stopping.promptly())
        console.print(
            "[bold]Starting[/] PostgreSQL, ClickHouse, Prefect, three sandbox marketplaces, a message inbox"
        )
        services = [
            python_service(
                "sandbox",
                "connectors.sandbox.app",
                ["--port", str(ports["sandbox"]), *world],
                home=home,
                ready=sandbox.is_ready,
            ),
            python_service(
                "inbox",
                "alerts.receivers.app",
                ["--port", str(ports["inbox"]), "--inbox", str(output.absolute() / "messages")],
                home=home,
                url=f"{inbox_url}/_inbox",
            ),
            prefect_service(home, ports["prefect"]),
        ]
        # Prefect makes its database while we make ours.
        supervisor = cleanup.enter_context(supervise(services, wait=False))
        databases = cleanup.enter_context(
            data_services(
                home,
                **settings.own_databases,
            )
        )
        from warehouse import schema

        schema.upgrade(databases.database_url, databases.clickhouse_url)
        supervisor.await_ready()
        os.environ.update(
            {
                **sandbox.environment(PACE),
                **receivers.environment(inbox_url),
                "DATABASE_URL": databases.database_url,
                "CLICKHOUSE_URL": databases.clickhouse_url,
                "WHARF_HOME": str(home),
                "WHARF_SECRET_KEY": ensure_secret_key(home, settings),
                "PREFECT_API_URL": f"http://127.0.0.1:{ports['prefect']}/api",
                **prefect_client.environment(home),
            }
        )
        cleanup.callback(sandbox.close)
        cleanup.callback(prefect_client.finish_sending)  # before the server it sends to is stopped
        yield sandbox


def sandbox_day(home: Path) -> str:
    """The day the generated merchant's history leads up to; kept, so that a second demo goes on from the first."""
    kept = home / "world-day"
    if not kept.exists():
        home.mkdir(parents=True, exist_ok=True)
        kept.write_text(datetime.now(UTC).date().isoformat())
    return kept.read_text().strip()
