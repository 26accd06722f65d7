"""`wharf products`: SKUs that differ between channels."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.output import AsJson, emit, shown
from deployments.commands.services import databases

products = typer.Typer(help="Products sold under different SKUs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.add_typer(products, name="products")


@products.command("map")
def map_products(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="CSV with the columns channel, channel_sku, sku"),
    ],
    as_json: AsJson = False,
) -> None:
    """Say which SKU of a channel is which of yours; past sales move along."""
    from warehouse import products as store

    mappings = store.read_file(file)
    with databases():
        from flows import connections
        from warehouse import runs

        engine = connections.postgres()
        run = runs.start(engine, "map")
        try:
            done = store.map_skus(engine, mappings, run, datetime.now(UTC))
        except Exception as error:
            runs.finish(engine, run, "failed", message=str(error))
            raise
        runs.finish(engine, run, "done")
        if as_json:
            emit(asdict(done))
        else:
            print(
                f"{done.mappings} mappings, {done.changed} of them new: {done.listings} listings and {done.order_lines}"
                f" order lines moved; {done.days_to_publish} days wait to be published again"
            )


@products.command("unmapped")
def unmapped_products(as_json: AsJson = False) -> None:
    """Listings whose SKU no other channel knows: sold on one channel only, or in need of a mapping."""
    with databases():
        from flows import connections
        from warehouse import products as store

        found = store.unmapped(connections.postgres())
        if as_json:
            emit({"unmapped": found.to_dicts()})
        else:
            print("every listing has another side" if found.is_empty() else shown(found))
