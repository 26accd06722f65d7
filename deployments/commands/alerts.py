"""Commands about alerts: what is open, who hears of it, from when on something is worth a message."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.output import AsJson, done, show
from deployments.commands.services import databases, report_run

alerts = typer.Typer(help="What a merchant should hear about.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.add_typer(alerts, name="alerts")


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

        show(as_json, "alerts", store.listed(connections.postgres(), everything=everything))


@alerts.command("ack")
def acknowledge(alert: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Say that somebody takes care of it: no escalation, no repeat."""
    with databases():
        from flows import connections
        from warehouse import alerts as store

        store.acknowledge(connections.postgres(), alert)
        done(as_json, f"alert {alert} is acknowledged", alert=alert)


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
        done(as_json, f"alert {alert} is quiet until {until:%Y-%m-%d %H:%M} UTC", alert=alert, until=until)


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

        show(as_json, "thresholds", pl.DataFrame(thresholds.in_force(deciding.current_thresholds())))
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
    as_json: AsJson = False,
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
        done(as_json, f"{setting} = {value} for {row['name'] or 'everything'}", **row)


@alerts.command("unset")
def unset_threshold(
    setting: Annotated[str, typer.Argument(metavar="NAME", help="such as stock.critical_days")],
    account: Annotated[str | None, typer.Option("--account")] = None,
    category: Annotated[str | None, typer.Option("--category")] = None,
    sku: Annotated[str | None, typer.Option("--sku")] = None,
    as_json: AsJson = False,
) -> None:
    """Forget a threshold that was set; the wider one or the default counts again."""
    with databases():
        from flows import connections
        from warehouse import alert_settings as store

        row = {**_scope(account, category, sku), "setting": setting}
        known = store.unset_threshold(connections.postgres(), row)
        done(
            as_json, f"{setting}: {'forgotten' if known else 'it was not set there'}", **row, forgotten=known
        )


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
        show(as_json, "recipients", pl.DataFrame([routes.told(one) for one in everybody.recipients]))


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
