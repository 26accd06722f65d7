"""The flows of the demo in their order, and the summary a person reads afterwards."""

import contextlib
import time
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from connectors.sandbox.catalogue import DOLLARS_FOR
from deployments import demo_insight
from deployments.sandbox_accounts import Sandbox
from flows import connections
from flows.alerting import stock_alerts
from flows.forecast import forecast
from flows.ingest import Ingested
from flows.rollup import roll_up
from flows.settings import WorkFailedError
from flows.sync import sync
from models import plots
from warehouse import rates, read
from warehouse.rates_file import SCHEMA as RATES

HISTORY_BEFORE = timedelta(hours=30)  # the first load ends here; the second sync brings what happened since
RATE_DAYS = 800
STEP = timedelta(days=60)  # of a replay's clock: Walmart shows the last 180 days and no more
HORIZON_DAYS = 30
REPLAY_MINUTES = (
    10.5  # a replay's forecast begins no further part of the catalogue after this: a demo is no night
)


def run(sandbox: Sandbox, console: Console, output: Path, *, replay: bool) -> None:
    """Every step once; prints as it goes. Raises WorkFailedError with the step's own words when one fails."""
    connections.forget()
    started = time.monotonic()
    step = _stepper(console)
    pulled: list[list[Ingested]] = []
    wishes = list(_replayed(sandbox) if replay else _generated())
    for number, wish in enumerate(wishes, 1):
        now = sandbox.set_clock(wish)
        what = "first load" if number == 1 else "what changed since"
        title = f"Pulling from three marketplaces: {what}, up to {now:%Y-%m-%d %H:%M} UTC"
        # A file of order lines says nothing of carts and fees; and months go by between the steps of a replay, so
        # the stock of those in between is of no use to anyone.
        resources = ["orders", "returns"] if replay else ["all"]
        if replay and number == len(wishes):
            resources += ["products", "inventory"]
        pulled.append(step(title, sync, resources, until=now))
    if not replay:
        _keep_rates(now.date())
    published = step("Rolling changed days up into ClickHouse", roll_up)
    left = max(1.0, REPLAY_MINUTES - (time.monotonic() - started) / 60)
    foreseen = step(
        f"Forecasting {'the best sellers first' if replay else 'every SKU and channel'}, with a backtest",
        forecast,
        now.date(),
        HORIZON_DAYS,
        "quick",
        left if replay else None,
    )
    told = step("Judging stock, opening alerts, sending what is due", stock_alerts, now)
    demo_insight.run(step, now.date())
    pictures = [*_pictures(output, now.date()), *demo_insight.pictures(output)]
    _pulled(console, pulled)
    if replay:
        _accounted(console, sandbox.replayed()["lines"], sandbox.truth()["channels"])
    _figures(console)
    _forecast(console, foreseen)
    _alerts(console, told)
    demo_insight.show(console)
    _where(console, output, pictures, published)


def _generated() -> Iterable[dict[str, Any]]:
    """The clock of a generated world: a little before now on a fresh folder, then now."""
    if not read.has_orders(connections.postgres()):
        yield {"offset_seconds": -HISTORY_BEFORE.total_seconds()}
    yield {"offset_seconds": 0}


def _keep_rates(until: date) -> None:
    """A rate for every day of the generated history, without which costs in another currency are no costs."""
    settings = connections.settings()
    if settings.currency != "USD":
        return
    days = pl.date_range(until - timedelta(days=RATE_DAYS), until, eager=True).to_list()
    foreign = {currency: rate for currency, rate in DOLLARS_FOR.items() if currency != "USD"}
    rows = [(currency, day, rate) for currency, rate in foreign.items() for day in days]
    known = pl.DataFrame(rows, schema=RATES, orient="row")
    reporting = rates.Reporting(settings.currency, settings.rate_days)
    rates.save(connections.postgres(), known, reporting, "invented for the demo")


def _replayed(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
    """The clock of a replayed file: in steps over its span, each synced before the next."""
    span = sandbox.replayed()
    first, last = (datetime.fromisoformat(span[end]) for end in ("first", "last"))
    at = first + STEP
    while at < last:
        yield {"freeze": at.isoformat()}
        at += STEP
    yield {"freeze": (last + timedelta(hours=1)).isoformat()}


def _stepper(console: Console) -> Callable[..., Any]:
    """Runs one flow, shows its name and its time, and gives its result."""

    def step(title: str, flow: Any, *arguments: Any, **named: Any) -> Any:
        started = time.monotonic()
        with console.status(title) if console.is_terminal else contextlib.nullcontext():
            state = flow(*arguments, **named, return_state=True)
        took = f"[dim]{time.monotonic() - started:.0f} s[/]"
        if not state.is_completed():
            console.print(f"[red]✗[/] {title}  {took}")
            raise WorkFailedError(f"{title}: {state.message}")
        console.print(f"[green]✓[/] {title}  {took}  [dim]{state.message or state.name}[/]")
        return state.result(raise_on_failure=False)

    return step


def _pulled(console: Console, pulled: list[list[Ingested]]) -> None:
    table = _table(
        "What was pulled", "account", "resource", "records", "new", "changed", "unchanged", "refused"
    )
    seen: dict[tuple[str, str], list[int]] = {}
    for results in pulled:
        for r in results:
            counts = seen.setdefault((r.account, r.resource), [0] * 5)
            for place, value in enumerate((r.records, r.inserted, r.updated, r.unchanged, r.refused)):
                counts[place] += value
    for (account, resource), counts in sorted(seen.items()):
        table.add_row(account, resource, *(f"{count:,}" for count in counts))
    console.print(table)
    later = [r for results in pulled[1:] for r in results if r.resource == "orders"]
    if later:
        changed = sum(r.updated for r in later)
        console.print(
            f"The syncs after the first changed {changed:,} rows of orders: edits, cancellations, refunds."
        )


def _accounted(console: Console, lines: list[dict[str, Any]], truth: dict[str, Any]) -> None:
    """What became of the file's lines, and whether ClickHouse holds the sold ones to the unit and the cent."""
    table = _table("What the lines of the files are", "reason", "lines", "units", "amount")
    for row in lines:
        money = Decimal(str(row["amount"]))
        table.add_row(row["reason"], f"{row['lines']:,}", f"{row['units']:,}", f"{money:,.2f}")
    console.print(table)
    client = connections.clickhouse()
    try:
        rows = client.query(
            "SELECT c.name, sum(s.total_units), sum(s.gross_revenue), sum(s.total_revenue)"
            " FROM analytics.daily_sales_summary s JOIN analytics.channels c ON c.channel_id = s.channel_id"
            " GROUP BY c.name"
        ).result_rows
    finally:
        client.close()
    for channel, units, gross, revenue in rows:
        totals = truth[channel]["totals"]
        if (units, gross, revenue) != (totals["units"], Decimal(totals["gross"]), Decimal(totals["revenue"])):
            raise WorkFailedError(
                f"{channel}: the files hold {totals['units']:,} units for {totals['gross']} and {totals['revenue']} "
                f"after refunds, daily_sales_summary {units:,} for {gross} and {revenue}"
            )
    sold = next(row for row in lines if row["reason"] == "sale")
    units, gross = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if (units, gross) != (sold["units"], Decimal(str(sold["amount"]))):
        raise WorkFailedError(
            f"the files hold {sold['units']:,} units for {sold['amount']}, we {units:,} for {gross}"
        )
    console.print(
        f"[green]✓[/] daily_sales_summary holds exactly the {units:,} units sold for {gross:,.2f} of the files."
    )
    revenue = sum(row[3] for row in rows)
    console.print(f"  After refunds that is {revenue:,.2f}, exactly what the files say.")


def _figures(console: Console) -> None:
    client = connections.clickhouse()
    try:
        rows = client.query(
            "SELECT c.name, s.currency, sum(s.num_orders), sum(s.total_units), sum(s.total_revenue),"
            " sum(s.refunded_amount), min(s.date), max(s.date)"
            " FROM analytics.daily_sales_summary s JOIN analytics.channels c ON c.channel_id = s.channel_id"
            " GROUP BY c.name, s.currency ORDER BY c.name"
        ).result_rows
    finally:
        client.close()
    title = "analytics.daily_sales_summary in ClickHouse"
    table = _table(title, "channel", "first day", "last day", "orders", "units", "revenue", "refunded")
    for name, currency, orders, units, revenue, refunded, first, last in rows:
        money = (f"{revenue:,.2f} {currency}", f"{refunded:,.2f} {currency}")
        table.add_row(name, str(first), str(last), f"{orders:,}", f"{units:,}", *money)
    console.print(table)


def _forecast(console: Console, foreseen: dict[str, Any]) -> None:
    title = "Backtest of the forecast: the newest past month, which the models had not seen"
    table = _table(title, "model", "WAPE", "RMSSE", "bias", "error beside naive")
    scores = {score["model"]: score for score in foreseen["scores"]}
    order = ["ensemble", "fixed", "prophet", "lstm", "arima", "gradient_boosted", "seasonal_naive"]
    for model in (name for name in order if name in scores):
        score = scores[model]
        style = "bold" if model == "ensemble" else None
        gain = "the bar" if model == "seasonal_naive" else f"{-score['fva']:+.0%}"
        table.add_row(
            model, f"{score['wape']:.3f}", f"{score['rmsse']:.3f}", f"{score['bias']:+.1%}", gain, style=style
        )
    console.print(table)
    if foreseen["is_cut_short"]:
        console.print(
            f"{foreseen['series']:,} of {foreseen['of_series']:,} series were forecast, best sellers first: a demo has "
            f"{REPLAY_MINUTES:.0f} minutes until here; a night has time for all."
        )


def _alerts(console: Console, told: dict[str, Any]) -> None:
    table = _table("Alerts", "severity", "change", "what")
    worst = {"critical": 0, "warning": 1, "info": 2}
    for change in sorted(told["changes"], key=lambda c: worst.get(c["severity"], 3))[:12]:
        table.add_row(change["severity"], change["change"], change["title"].replace("\\", ""))
    console.print(table)
    if len(told["changes"]) > 12:
        console.print(f"  and {len(told['changes']) - 12} more: wharf alerts list")
    ways: dict[str, int] = {}
    for message in told["sent"]:
        if message["state"] in {"accepted", "delivered"}:
            ways[message["way"]] = ways.get(message["way"], 0) + 1
    sent = ", ".join(f"{count} by {way}" for way, count in sorted(ways.items())) or "none"
    console.print(f"Messages accepted by the providers: {sent}.")


def _pictures(output: Path, today: date) -> list[Path]:
    """The two best-selling series with their forecasts, as pictures on disk."""
    engine = connections.postgres()
    sellers = read.demand_products(engine, today).head(20)
    history = read.daily_demand(engine, products=sellers["product_id"].to_list())
    ahead = read.latest_forecasts(engine, ["ensemble"])
    known = history.filter(pl.col("series_id").is_in(ahead["series_id"].unique().to_list()))
    best = (
        known.group_by("series_id")
        .agg(pl.col("y").sum())
        .sort("y", "series_id", descending=True)["series_id"]
    )
    made = []
    for name, series_id in zip(("forecast-best-seller.png", "forecast-second.png"), best, strict=False):
        picture = plots.forecast_plot(
            known.filter(pl.col("series_id") == series_id),
            ahead.filter(pl.col("series_id") == series_id),
            title=series_id.replace("|", "  "),
        )
        (output / name).write_bytes(picture)
        made.append(output / name)
    return made


def _where(console: Console, output: Path, pictures: list[Path], published: Any) -> None:
    mails = sorted((output / "messages").rglob("*.html"))
    console.print("\n[bold]Where to look[/]")
    console.print(f"  published   {published.days:,} days, {published.rows:,} rows")
    for picture in pictures:
        console.print(f"  plot        {picture}")
    if mails:
        console.print(f"  e-mail      {mails[0]}")
    console.print(f"  messages    {output / 'messages'}")
    console.print(
        "  next        make up: the same stack with its schedules, the Prefect UI on http://127.0.0.1:4200"
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        figures = place >= (2 if columns[0] == "account" else 1) and columns[0] != "severity"
        table.add_column(column, justify="right" if figures else "left", no_wrap=columns[0] != "severity")
    return table
