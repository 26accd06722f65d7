"""`wharf rates`: exchange rates to the reporting currency."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.output import AsJson, emit
from deployments.commands.services import databases

rates = typer.Typer(help="Exchange rates to the reporting currency (WHARF_CURRENCY).", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.add_typer(rates, name="rates")


@rates.command("import")
def import_rates(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="the ECB's eurofxref CSV, XML or zip, or date,currency,rate"
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Load a file of rates; `wharf rollup` then publishes the days they touch."""
    with databases():
        from flows.rates import import_file

        done = import_file(file)
        if as_json:
            emit(asdict(done))
        else:
            print(
                f"{done.rates} rates of {done.currencies} currencies, {done.first} to {done.last}: {done.changed}"
                f" new or changed; {done.days_to_publish} days wait to be published again"
            )


@rates.command("missing")
def missing_rates(as_json: AsJson = False) -> None:
    """Days whose amounts are held because no rate is known for them."""
    with databases():
        from contextlib import closing

        from flows import connections
        from warehouse import rates as store

        with closing(connections.clickhouse()) as client:
            days = store.held_days(client)
        if as_json:
            emit({"held": [{"currency": currency, "date": day} for currency, day in days]})
        else:
            print("\n".join(store.spans(days)) or "every published day has a rate")
