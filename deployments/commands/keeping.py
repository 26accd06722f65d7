"""Commands that keep what there is: `backup` and `restore`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.output import AsJson, emit
from deployments.commands.services import databases


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Annotated[
        Path | None, typer.Argument(help="a new folder; default: WHARF_HOME/backups/<instant>")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy what is in PostgreSQL, as of one instant, while work goes on. ClickHouse can be published from it."""
    with databases():
        from flows import connections, keeping

        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        folder = (folder or connections.settings().home / "backups" / name).absolute()
        rows = keeping.make_backup(folder, _quiet)
    if as_json:
        emit({"folder": str(folder), "rows": rows})
    else:
        print(f"{sum(rows.values()):,} rows of {len(rows)} tables in {folder}")
        print("keep WHARF_SECRET_KEY (WHARF_HOME/secret.key) elsewhere: without it, customers start anew")


def restore(
    folder: Annotated[
        Path, typer.Argument(help="a folder `wharf backup` wrote", exists=True, file_okay=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace both databases by a backup. Stop `wharf up` and workers first. Erased people stay erased."""
    if not yes:
        typer.confirm("Everything in both databases will be replaced. Go on?", abort=True)
    with databases() as (database_url, clickhouse_url):
        from flows import keeping

        told = _quiet if as_json else _line
        rows = keeping.restore_backup(folder.absolute(), database_url, clickhouse_url, told)
    if as_json:
        emit({"folder": str(folder), "rows": rows})
    else:
        print(f"{sum(rows.values()):,} rows restored; ClickHouse shows the same figures")


def _quiet(_: str) -> None:
    """Says nothing."""


def _line(step: str) -> None:
    print(step, flush=True)
