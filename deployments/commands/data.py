"""Commands that work on the warehouse: they start the embedded databases when no URL names others."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.commands.output import emit, shown
from deployments.commands.services import check_accounts, databases, report_run

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]
Accounts = Annotated[list[str] | None, typer.Option("--account", help="only this account; repeatable")]
Since = Annotated[datetime | None, typer.Option("--since", help="UTC, included")]
Until = Annotated[datetime | None, typer.Option("--until", help="UTC, excluded; default now")]

RESOURCES = (
    "orders", "inventory", "products", "returns", "carts", "customers", "refunds", "fees", "feedback", "all",
)  # fmt: skip

alerts = typer.Typer(help="What a merchant should hear about.", no_args_is_help=True)
quarantine = typer.Typer(help="Records that could not be read, and why.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(migrate)
    app.command()(sync)
    app.command()(backfill)
    app.command()(rollup)
    app.add_typer(alerts, name="alerts")
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
    if since >= until:
        raise typer.BadParameter("--since must be before --until")
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
    with databases(flows=True):
        from flows.rollup import roll_up

        state = roll_up(_day(since), _day(until), return_state=True)
        report_run(state, as_json)


@alerts.command("run")
def run_alerts(as_json: AsJson = False) -> None:
    """Look at stock and forecasts now, open and close alerts, send what is due."""
    with databases(flows=True):
        from flows.alerting import stock_alerts

        state = stock_alerts(return_state=True)
        report_run(state, as_json)


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
def acknowledge(alert: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Say that somebody takes care of it: no escalation, no repeat."""
    with databases():
        from flows import connections
        from warehouse import alerts as store

        store.acknowledge(connections.postgres(), alert)
        _done(as_json, f"alert {alert} is acknowledged", alert=alert)


@alerts.command("snooze")
def snooze(
    alert: Annotated[int, typer.Argument(metavar="ID")],
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=24 * 30, help="for how long")] = 24,
    as_json: AsJson = False,
) -> None:
    """Hear nothing of it for some hours."""
    with databases():
        from flows import connections
        from warehouse import alerts as store

        until = store.snooze(connections.postgres(), alert, hours=hours)
        _done(as_json, f"alert {alert} is quiet until {until:%Y-%m-%d %H:%M} UTC", alert=alert, until=until)


@alerts.command("anomalies")
def judge_orders(as_json: AsJson = False) -> None:
    """Look at the last hours' orders against what they usually are, and send what is due."""
    with databases(flows=True):
        from flows.anomalies import anomaly_alerts

        report_run(anomaly_alerts(return_state=True), as_json)


@alerts.command("send")
def send_messages(as_json: AsJson = False) -> None:
    """Send what waits in the outbox, and say why the rest still waits."""
    with databases(flows=True):
        from flows.delivery import delivery

        report_run(delivery(return_state=True), as_json)


@alerts.command("thresholds")
def list_thresholds(as_json: AsJson = False) -> None:
    """The thresholds in force for everything, and those set for one account, category or SKU."""
    with databases():
        import polars as pl

        from alerts import thresholds
        from flows import connections, deciding
        from warehouse import alert_settings as store

        _show(as_json, "thresholds", pl.DataFrame(thresholds.in_force(deciding.current_thresholds())))
        if not as_json:
            set_by_hand = len(store.thresholds(connections.postgres()))
            print(f"{set_by_hand} set in the database: wharf alerts set NAME VALUE, wharf alerts unset NAME")


@alerts.command("set")
def set_threshold(
    setting: Annotated[str, typer.Argument(metavar="NAME", help="such as stock.critical_days")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="a number, true or false")],
    account: Annotated[str | None, typer.Option("--account", help="for one account alone")] = None,
    category: Annotated[str | None, typer.Option("--category", help="for one category alone")] = None,
    sku: Annotated[str | None, typer.Option("--sku", help="for one SKU alone")] = None,
) -> None:
    """Set a threshold, for everything or for one account, category or SKU; it counts at the next run."""
    row = {**_scope(account, category, sku), "setting": setting, "value": _json_value(value)}
    with databases():
        from alerts import settings as alert_settings
        from alerts import thresholds
        from flows import connections
        from warehouse import alert_settings as store

        engine = connections.postgres()
        base = alert_settings.load_settings().thresholds()
        thresholds.with_rows(base, [*store.thresholds(engine), row])  # wrong ones end here
        store.set_threshold(engine, row, datetime.now(UTC))
        print(f"{setting} = {value} for {row['name'] or 'everything'}")


@alerts.command("unset")
def unset_threshold(
    setting: Annotated[str, typer.Argument(metavar="NAME", help="such as stock.critical_days")],
    account: Annotated[str | None, typer.Option("--account")] = None,
    category: Annotated[str | None, typer.Option("--category")] = None,
    sku: Annotated[str | None, typer.Option("--sku")] = None,
) -> None:
    """Forget a threshold that was set; the wider one or the default counts again."""
    with databases():
        from flows import connections
        from warehouse import alert_settings as store

        known = store.unset_threshold(
            connections.postgres(), {**_scope(account, category, sku), "setting": setting}
        )
        print(f"{setting}: {'forgotten' if known else 'it was not set there'}")


@alerts.command("recipients")
def recipients(
    load: Annotated[
        Path | None,
        typer.Option("--load", help="keep the recipients of this TOML file in the database", exists=True),
    ] = None,
    remove: Annotated[str | None, typer.Option("--remove", help="forget the recipient of that name")] = None,
    as_json: AsJson = False,
) -> None:
    """Who hears of alerts, by which way, and which addresses the providers refuse."""
    with databases():
        import polars as pl

        from alerts import routes
        from flows import connections, deciding
        from warehouse import alert_settings as store

        engine = connections.postgres()
        if load is not None:
            for recipient in routes.load_routes(load).recipients:
                kept = recipient.model_dump(mode="json", exclude_defaults=True)
                store.set_recipient(engine, kept, datetime.now(UTC))
        if remove is not None and not store.remove_recipient(engine, remove):
            raise typer.BadParameter(f"there is no recipient {remove!r} in the database")
        everybody, _ = deciding.audience()
        _show(as_json, "recipients", pl.DataFrame([routes.told(one) for one in everybody.recipients]))


def _scope(account: str | None, category: str | None, sku: str | None) -> dict[str, str]:
    """What a threshold is for; raises BadParameter when several are named."""
    named = {"account": account, "category": category, "sku": sku}
    given = {scope: name for scope, name in named.items() if name is not None}
    if len(given) > 1:
        raise typer.BadParameter("name one of --account, --category and --sku")
    scope, name = next(iter(given.items()), ("all", ""))
    return {"scope": scope, "name": name}


def _json_value(value: str) -> float | bool:
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    try:
        return float(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is neither a number nor true or false") from error


@quarantine.command("list")
def list_quarantine(as_json: AsJson = False) -> None:
    """Records that were refused: which, which field, why."""
    with databases():
        from flows import connections
        from warehouse import quarantine as store

        _show(as_json, "quarantine", store.listed(connections.postgres()))


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
        _done(
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


def _done(as_json: bool, line: str, **figures: Any) -> None:
    if as_json:
        emit(figures)
    else:
        print(line)


def _show(as_json: bool, name: str, frame: Any) -> None:
    """A frame for a person, or one JSON object for a program."""
    if as_json:
        emit({name: frame.to_dicts()})
    else:
        print(f"{name}: nothing" if frame.is_empty() else shown(frame))


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
