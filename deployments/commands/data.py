"""Commands that work on the warehouse: they start the embedded databases when no URL names others."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.commands.output import AsJson, done, emit, show
from deployments.commands.services import check_accounts, databases, report_run

Accounts = Annotated[list[str] | None, typer.Option("--account", help="only this account; repeatable")]
Since = Annotated[datetime | None, typer.Option("--since", help="UTC, included")]
Until = Annotated[datetime | None, typer.Option("--until", help="UTC, excluded; default now")]

RESOURCES = (
    "orders", "inventory", "products", "returns", "carts", "customers", "refunds", "fees", "feedback", "all",
)  # fmt: skip

quarantine = typer.Typer(help="Records that could not be read, and why.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(migrate)
    app.command()(sync)
    app.command()(backfill)
    app.command()(rollup)
    app.add_typer(quarantine, name="quarantine")


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="only compare migrations with the tables in code")
    ] = False,
    with_roles: Annotated[
        bool, typer.Option("--roles", help="also make PostgreSQL's roles of least rights (docs/roles.md)")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring both databases to the newest schema."""
    from warehouse import schema

    if check:
        import tempfile

        from deployments.local.stack import data_services

        # Empty databases of their own: a check must neither need nor touch anybody's data.
        with (
            tempfile.TemporaryDirectory() as home,
            data_services(Path(home), database_url=None, clickhouse_url=None) as services,
        ):
            schema.upgrade(services.database_url, services.clickhouse_url)
            found = schema.check(services.database_url, services.clickhouse_url)
        if as_json:
            emit({"differences": found})
        else:
            print("\n".join(found) or "both histories match the tables in code")
        if found:
            raise typer.Exit(1)
        return
    with databases() as (database_url, clickhouse_url):
        from contextlib import closing

        from warehouse import analyst, engines

        with closing(engines.clickhouse(clickhouse_url)) as client:
            missing = analyst.ensure(client)
        if with_roles:
            from flows import connections
            from warehouse import roles

            roles.grant(connections.postgres())
        if as_json:
            emit({**asdict(schema.current(database_url, clickhouse_url)), "analyst": missing or "there"})
        else:
            print("both databases are at the newest schema", *([missing] if missing else []), sep="\n")


def sync(
    resource: Annotated[
        str,
        typer.Argument(help="orders, inventory, products, returns, carts, customers, fees, feedback or all"),
    ] = "all",
    account: Accounts = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Pull what changed from the marketplaces into PostgreSQL."""
    check_accounts(account or [])
    _check_span(since, until)
    _check_resource(resource, RESOURCES)
    with databases(flows=True):
        from flows.sync import sync as flow

        state = flow([resource], account or [], since, until, return_state=True)
        report_run(state, as_json)


def backfill(
    account: Annotated[str, typer.Option("--account", help="which account")],
    since: Annotated[datetime, typer.Option("--since", help="UTC, included")],
    until: Annotated[datetime, typer.Option("--until", help="UTC, excluded")],
    resource: Annotated[str, typer.Argument(help="one of the account's resources")] = "orders",
    again: Annotated[bool, typer.Option("--again", help="slices that were read whole before, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a past span, newest slice first: what is missing of it. The live watermark does not move."""
    check_accounts([account])
    _check_span(since, until)
    _check_resource(resource, _resources_of(account))
    with databases(flows=True):
        from flows.backfill import backfill as flow

        state = flow(account, since, until, resource, again=again, return_state=True)
        report_run(state, as_json)


def rollup(
    since: Annotated[datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="first day")] = None,
    until: Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="last day")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish changed days, or the days named, to ClickHouse."""
    if since and until and since > until:
        raise typer.BadParameter("--since must not be after --until")
    with databases(flows=True):
        from flows.rollup import roll_up

        state = roll_up(_day(since), _day(until), return_state=True)
        report_run(state, as_json)


@quarantine.command("list")
def list_quarantine(as_json: AsJson = False) -> None:
    """Records that were refused: which, which field, why."""
    with databases():
        from flows import connections
        from warehouse import quarantine as store

        show(as_json, "quarantine", store.listed(connections.postgres()))


@quarantine.command("replay")
def replay_quarantine(
    records: Annotated[list[int] | None, typer.Argument(metavar="ID")] = None,
    account: Annotated[str | None, typer.Option("--account", help="only this account")] = None,
    as_json: AsJson = False,
) -> None:
    """Try refused records again, all that wait or those named: what can be read now is loaded."""
    with databases(flows=True):
        from flows.replay import replay as flow

        state = flow(records or [], account, return_state=True)
        results: Any = state.result(raise_on_failure=False)
        if isinstance(results, Exception):
            raise results
        if as_json:
            emit(
                {
                    "state": state.name,
                    "message": state.message,
                    "records": [asdict(found) for found in results],
                }
            )
            return
        for found in results:
            told = "loaded" if found.loaded else f"still refused: {found.reason}"
            print(f"{found.id:>6} {found.account} {found.resource} {found.natural_key}: {told}")
        print(state.message)


@quarantine.command("accept")
def accept_quarantine(
    records: Annotated[list[int] | None, typer.Argument(metavar="ID")] = None,
    account: Annotated[str | None, typer.Option("--account", help="everything of this account")] = None,
    as_json: AsJson = False,
) -> None:
    """Go on without refused records: they hold the account's published figures back no longer."""
    if not records and not account:
        raise typer.BadParameter("name records, or an account with --account")
    with databases():
        from flows import connections
        from warehouse import quarantine as store

        accepted = store.accept(connections.postgres(), records or [], account=account)
        done(
            as_json,
            f"{accepted} records accepted as lost; `wharf rollup` publishes what they held back",
            accepted=accepted,
        )


@quarantine.command("show")
def show_quarantine(record: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """One refused record in full, personal data already taken out."""
    with databases():
        from flows import connections
        from warehouse import quarantine as store

        found = store.show(connections.postgres(), record)
        found["raw"] = connections.vault().open(found["raw"])
        if as_json:
            emit(found)
        else:
            print(json.dumps(found, indent=2, default=str, ensure_ascii=False))


def _check_span(since: datetime | None, until: datetime | None) -> None:
    """Raises BadParameter for a span with nothing in it, before a marketplace is asked for it."""
    if since and until and since >= until:
        raise typer.BadParameter("--since must be before --until")


def _check_resource(name: str, known: Iterable[str]) -> None:
    """Raises BadParameter for a resource that is none, before anything is started for it."""
    if name not in known:
        raise typer.BadParameter(f"there is no resource {name!r}; there are {', '.join(known)}")


def _resources_of(account: str) -> list[str]:
    from connectors import registry
    from flows import connections

    return list(registry.resources_of(connections.account(account).platform))


def _day(instant: datetime | None) -> date | None:
    return instant.date() if instant else None
