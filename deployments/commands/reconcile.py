"""`wharf reconcile`: what the sources count against what is here."""

from datetime import datetime
from typing import Annotated

import typer

from deployments.commands.data import Accounts
from deployments.commands.output import AsJson, emit, shown
from deployments.commands.services import check_accounts, databases


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(reconcile)


def reconcile(
    account: Accounts = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], help="first day; default a week before --until"),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="last day; default yesterday")
    ] = None,
    repair: Annotated[bool, typer.Option(help="read days that differ again before telling of them")] = True,
    as_json: AsJson = False,
) -> None:
    """Compare orders and totals at the source, in PostgreSQL and in ClickHouse; ends with 1 when they differ."""
    if since and until and since > until:
        raise typer.BadParameter("--since must not be after --until")
    check_accounts(account or [])
    with databases(flows=True):
        from flows.reconcile import Reconciled
        from flows.reconcile import reconcile as flow
        from flows.settings import WorkFailedError

        state = flow(
            account or [],
            since.date() if since else None,
            until.date() if until else None,
            repair,
            return_state=True,
        )
        found = state.result(raise_on_failure=False)
        if not isinstance(found, Reconciled):
            raise found if isinstance(found, Exception) else WorkFailedError(state.message or state.name)
        rows = [figure.row() for figure in found.figures]
        if as_json:
            emit({"state": state.name, "message": state.message, "failures": found.failures, "figures": rows})
        else:
            _print(rows)
            print(state.message or state.name)
        if not state.is_completed():
            raise WorkFailedError(state.message or state.name)


def _print(rows: list[dict[str, object]]) -> None:
    """What does not simply agree, as a table."""
    import polars as pl

    columns = ("channel", "day", "measure", "theirs", "ours", "published", "delta", "state", "explanation")
    told = [{name: row[name] for name in columns} for row in rows if row["state"] != "agrees"]
    if told:
        plain = [{name: "" if value is None else str(value) for name, value in row.items()} for row in told]
        print(shown(pl.DataFrame(plain)))
