"""Commands that work on the warehouse: they start the embedded databases when no URL names others."""

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]
Accounts = Annotated[list[str] | None, typer.Option("--account", help="only this account; repeatable")]
Since = Annotated[datetime | None, typer.Option("--since", help="UTC, included")]
Until = Annotated[datetime | None, typer.Option("--until", help="UTC, excluded; default now")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]

alerts = typer.Typer(help="What a merchant should hear about.", no_args_is_help=True)
quarantine = typer.Typer(help="Records that could not be read, and why.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(migrate)
    app.command()(sync)
    app.command()(backfill)
    app.command()(rollup)
    app.command()(status)
    app.add_typer(alerts, name="alerts")
    app.add_typer(quarantine, name="quarantine")


@contextlib.contextmanager
def databases(*, flows: bool = False) -> Iterator[tuple[str, str]]:
    """The URLs of both databases, embedded ones started, schemas brought up to date.

    With `flows`, Prefect's client is pointed at PREFECT_API_URL, or at a server of its own for this command.
    """
    from deployments.local.stack import data_services
    from deployments.secret_key import ensure_secret_key
    from flows import connections
    from warehouse import schema

    settings = connections.settings()
    home = settings.home.absolute()
    with data_services(
        home,
        **settings.own_databases,
    ) as services:
        os.environ["DATABASE_URL"] = services.database_url
        os.environ["CLICKHOUSE_URL"] = services.clickhouse_url
        os.environ["WHARF_SECRET_KEY"] = ensure_secret_key(home)
        schema.upgrade(services.database_url, services.clickhouse_url)
        connections.forget()
        if flows:
            _prefect_environment(home)
        try:
            yield services.database_url, services.clickhouse_url
        finally:
            connections.forget()


def _prefect_environment(home: Any) -> None:
    from deployments.demo import prefect_client_environment

    for name, value in prefect_client_environment(home).items():
        os.environ.setdefault(name, value)


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="only compare migrations with the tables in code")
    ] = False,
) -> None:
    """Bring both databases to the newest schema."""
    if check:
        import tempfile

        from deployments.local.stack import data_services
        from warehouse import schema

        # Empty databases of their own: a check must neither need nor touch anybody's data.
        with (
            tempfile.TemporaryDirectory() as home,
            data_services(Path(home), database_url=None, clickhouse_url=None) as services,
        ):
            schema.upgrade(services.database_url, services.clickhouse_url)
            found = schema.check(services.database_url, services.clickhouse_url)
        for line in found:
            print(line)
        if found:
            raise typer.Exit(1)
        print("both histories match the tables in code")
        return
    with databases():
        print("both databases are at the newest schema")


def sync(
    resource: Annotated[
        str, typer.Argument(help="orders, inventory, products, returns, carts or all")
    ] = "all",
    account: Accounts = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Pull what changed from the marketplaces into PostgreSQL."""
    with databases(flows=True):
        from flows.sync import sync as flow

        state = flow([resource], account or [], _aware(since), _aware(until), return_state=True)
        _report(state, as_json, _rows(state))


def backfill(
    account: Annotated[str, typer.Option("--account")],
    since: Annotated[datetime, typer.Option("--since", help="UTC, included")],
    until: Annotated[datetime, typer.Option("--until", help="UTC, excluded")],
    resource: Annotated[str, typer.Argument()] = "orders",
    as_json: AsJson = False,
) -> None:
    """Read a past span again, newest slice first; the live watermark does not move."""
    with databases(flows=True):
        from flows.backfill import backfill as flow

        state = flow(account, _aware(since), _aware(until), resource, return_state=True)
        _report(state, as_json, _rows(state))


def rollup(
    since: Annotated[datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="first day")] = None,
    until: Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="last day")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish changed days, or the days named, to ClickHouse."""
    with databases(flows=True):
        from flows.rollup import roll_up

        state = roll_up(_day(since), _day(until), return_state=True)
        _report(state, as_json, [])


def status(as_json: AsJson = False) -> None:
    """How fresh each account and resource is, and how its last run ended."""
    with databases():
        from flows import connections
        from warehouse import read

        _show(as_json, "status", read.freshness(connections.postgres()))


@alerts.command("run")
def run_alerts(as_json: AsJson = False) -> None:
    """Look at stock and forecasts now, open and close alerts, send what is due."""
    with databases(flows=True):
        from flows.alerting import stock_alerts

        state = stock_alerts(return_state=True)
        _report(state, as_json, [])


@alerts.command("list")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="those that have ended, too")] = False,
    as_json: AsJson = False,
) -> None:
    """The open alerts, worst first."""
    with databases():
        from flows import connections
        from warehouse import alerts as store

        _show(as_json, "alerts", store.listed(connections.postgres(), everything=everything))


@alerts.command("ack")
def acknowledge(alert: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Say that somebody takes care of it: no escalation, no repeat."""
    with databases():
        from flows import connections
        from warehouse import alerts as store

        store.acknowledge(connections.postgres(), alert)
        print(f"alert {alert} is acknowledged")


@alerts.command("snooze")
def snooze(
    alert: Annotated[int, typer.Argument(metavar="ID")],
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 30)] = 24,
) -> None:
    """Hear nothing of it for some hours."""
    with databases():
        from flows import connections
        from warehouse import alerts as store

        until = store.snooze(connections.postgres(), alert, hours=hours)
        print(f"alert {alert} is quiet until {until:%Y-%m-%d %H:%M} UTC")


@quarantine.command("list")
def list_quarantine(as_json: AsJson = False) -> None:
    """Records that were refused: which, which field, why."""
    with databases():
        from flows import connections
        from warehouse import quarantine as store

        _show(as_json, "quarantine", store.listed(connections.postgres()))


@quarantine.command("show")
def show_quarantine(record: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """One refused record in full, personal data already taken out."""
    with databases():
        from flows import connections
        from warehouse import quarantine as store

        print(
            json.dumps(store.show(connections.postgres(), record), indent=2, default=str, ensure_ascii=False)
        )


def _report(state: Any, as_json: bool, rows: list[dict[str, Any]]) -> None:
    """What a flow run ended as; status 1 when it failed."""
    if as_json:
        print(json.dumps({"state": state.name, "message": state.message, "rows": rows}, default=str))
    else:
        for row in rows:
            print(
                f"{row['account']:<10} {row['resource']:<10} {row['records']:>8} records  {row['inserted']:>8} new  "
                f"{row['updated']:>8} changed  {row['unchanged']:>8} unchanged  {row['refused']:>5} refused"
            )
        if state.is_completed():
            print(state.message or state.name)
    if not state.is_completed():
        from flows.settings import WorkFailedError

        raise WorkFailedError(state.message or state.name)


def _rows(state: Any) -> list[dict[str, Any]]:
    """What each account and resource brought, of a sync's or a backfill's state."""
    results = state.result(raise_on_failure=False)
    return [result.row() for result in results] if isinstance(results, list) else []


def _show(as_json: bool, name: str, frame: Any) -> None:
    """A frame for a person, or one JSON object for a program."""
    if as_json:
        print(json.dumps({name: frame.to_dicts()}, default=str))
        return
    import polars as pl

    if frame.is_empty():
        print(f"{name}: nothing")
        return
    with pl.Config(
        tbl_rows=200,
        tbl_cols=30,
        tbl_width_chars=200,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        fmt_str_lengths=70,
    ):
        print(frame)


def _aware(instant: datetime | None) -> datetime | None:
    return instant.replace(tzinfo=UTC) if instant and instant.tzinfo is None else instant


def _day(instant: datetime | None) -> date | None:
    return instant.date() if instant else None
