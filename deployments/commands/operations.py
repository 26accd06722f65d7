"""Commands for whoever looks after Wharf: `doctor`, `status`, `import`."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.commands.output import AsJson, age, emit, inert, shown
from deployments.commands.services import databases, report_run


class Format(Enum):
    """Whose files they are."""

    amazon = "amazon"
    shopify = "shopify"
    walmart = "walmart"
    mapped = "mapped"
    feedback = "feedback"


class Platform(Enum):
    """Where a channel is."""

    amazon = "amazon"
    shopify = "shopify"
    walmart = "walmart"


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(doctor)
    app.command()(status)
    app.command("import")(import_files)


def doctor(
    account: Annotated[
        list[str] | None, typer.Option("--account", help="only this account; repeatable")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at credentials, servers, clock, disk and migrations: what is wrong and what to do."""
    failed = 0
    found: list[dict[str, str]] = []
    for name, finding in _findings(account or []):
        failed += finding.level == "fail"
        subject = f"{name} {finding.subject}" if name else finding.subject
        if as_json:
            found.append(
                {
                    "level": finding.level,
                    "account": name,
                    "subject": finding.subject,
                    "text": finding.text,
                    "advice": finding.advice,
                }
            )
        else:
            advice = f" -> {finding.advice}" if finding.advice and not finding.ok else ""
            print(inert(f"{finding.level:<5} {subject}: {finding.text}{advice}"), flush=True)
    if as_json:
        emit({"findings": found, "failed": failed})
    if failed:
        raise typer.Exit(1)


def _findings(names: list[str]) -> Iterator[tuple[str, Any]]:
    """(account or "", finding), in the order they are looked at."""
    from connectors.errors import ConfigurationError
    from connectors.finding import Finding
    from deployments import doctor as look
    from deployments.secret_key import is_shared
    from flows import connections

    settings = connections.settings()
    home = settings.home.absolute()
    sellers, wrong = [], None
    try:
        known = connections.accounts()
        for name in names:  # mistyped: wrong usage, not a finding
            if name not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise typer.BadParameter(f"there is no account {name!r}; configured: {listed}")
        sellers = [known[name] for name in names or sorted(known)]
    except ConfigurationError as error:
        wrong = Finding("accounts", False, str(error), "see .env.example and accounts.toml")
    for check in (
        look.machine(),
        look.disk(home),
        look.secret_files(home, shared=is_shared(settings)),
        look.clocks(sellers),
        look.databases(home, **settings.own_databases),
        look.prefect(
            settings.prefect_api_url,
            settings.prefect_auth.get_secret_value() if settings.prefect_auth else None,
        ),
        look.providers(),
    ):
        yield from (("", finding) for finding in check)
    if wrong is not None:
        yield "", wrong
    elif not sellers:
        advice = "copy .env.example to .env and fill in a platform's credentials"
        yield "", Finding("accounts", False, "none is configured: nothing is synced", advice, grave=False)
    for seller in sellers:
        yield from ((seller.name, finding) for finding in look.account(seller, datetime.now(UTC)))


def status(as_json: AsJson = False) -> None:
    """How fresh each account and resource is, how its last run ended, and what the warehouse holds."""
    with databases():
        from flows import connections
        from warehouse import health, read

        engine = connections.postgres()
        fresh = read.freshness(engine)
        seen = health.look(engine, datetime.now(UTC))
        drift = read.schema_notes(engine)
    totals = seen.totals
    if as_json:
        emit({"status": fresh.to_dicts(), **asdict(seen), "schema_notes": drift.to_dicts()})
        return
    print(_fresh_table(fresh, datetime.now(UTC)) if len(fresh) else "nothing was synced yet: wharf sync")
    outbox = f"{totals['messages_waiting']:,} messages waiting to be sent"
    print(
        f"{totals['orders']:,} orders, {totals['products']:,} products, {totals['days_published']:,} days "
        f"published to ClickHouse ({totals['days_waiting']:,} waiting), {totals['open_alerts']:,} open alerts, "
        f"{outbox}, {totals['refused_records']:,} refused records"
    )
    for line in _worth_a_look(seen):
        print(line)
    for row in drift.iter_rows(named=True):
        print(
            f"{row['account']} {row['resource']}: {row['note']} ({row['times']} runs, "
            f"{row['first_seen_at']:%Y-%m-%d} to {row['last_seen_at']:%Y-%m-%d})"
        )


def _worth_a_look(seen: Any) -> Iterator[str]:
    """Lines about what waits too long or was used up; nothing when all is well."""
    if seen.oldest_unpublished_seconds > 3600:
        yield f"changed days wait to be published since {seen.oldest_unpublished_seconds / 3600:.1f} h: wharf rollup"
    for row in seen.outbox:
        if row["oldest_seconds"] > 900 or row["state"] in {"failed", "unknown"}:
            yield f"{row['messages']} messages by {row['way']} are {row['state']}, the oldest since " + (
                f"{row['oldest_seconds'] / 60:.0f} minutes: wharf doctor"
            )
    for row in seen.budgets:
        if row["is_blocked"] or row["tokens_left"] < 1:
            why = "the marketplace asked us to wait" if row["is_blocked"] else "used up, it refills"
            yield f"request budget {row['key']}: {row['tokens_left']:.0f} of {row['burst']:.0f} left ({why})"


def _fresh_table(fresh: Any, now: datetime) -> str:
    """One line an account and resource; ages in words."""
    import polars as pl

    rows = [
        {
            "account": row["account"],
            "resource": row["resource"],
            "last good run": age(row["last_sync_at"], now),
            "read until": age(row["read_until"], now) if row["read_until"] else "",
            "last run": row["last_outcome"],
            "refused": row["refused"],
            "message": row["last_message"] or "",
        }
        for row in fresh.iter_rows(named=True)
    ]
    return shown(pl.DataFrame(rows))


def import_files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, readable=True)
    ],
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            help="whose export it is; mapped: any CSV or parquet of order lines; feedback: of reviews",
        ),
    ],
    account: Annotated[str, typer.Option("--account", help="the account or channel the orders belong to")],
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping", help="TOML that names a mapped file's columns", exists=True, dir_okay=False
        ),
    ] = None,
    platform: Annotated[
        Platform | None, typer.Option("--platform", help="of an account that is not configured")
    ] = None,
    currency: Annotated[str | None, typer.Option("--currency", help="its currency, such as EUR")] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="its business day, such as Europe/Berlin")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load order history or reviews from downloaded files; safe to repeat, and never doubles what the API brought."""
    from deployments.progress import steps

    with databases(flows=True):
        from flows import importing

        place = importing.place_of(platform.value if platform else None, currency, timezone)
        importing.resolve(account, kind.value, place)  # wrong usage ends here, before a run begins
        with steps() as show, importing.watched(show):
            state = importing.import_files(
                [str(path.absolute()) for path in paths],
                kind.value,
                account,
                str(mapping.absolute()) if mapping else None,
                place,
                return_state=True,
            )
        report_run(state, as_json)
