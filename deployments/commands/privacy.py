"""Commands about people: `redact` erases one, `disclose` tells what is held, `keys rotate` seals anew."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.commands.output import AsJson, done, emit
from deployments.commands.services import databases

Customers = Annotated[
    list[str],
    typer.Option(
        "--customer",
        help="e-mail address, customer id on a marketplace, or customer_key; repeat it for one person's",
    ),
]
OneAccount = Annotated[str | None, typer.Option("--account", help="in this account only; otherwise in all")]

keys = typer.Typer(help="The keys of what is encrypted at rest.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(redact)
    app.command()(disclose)
    app.add_typer(keys, name="keys")


def redact(customer: Customers, account: OneAccount = None, as_json: AsJson = False) -> None:
    """Erase a person everywhere, and keep him erased through syncs, imports, replays and restores."""
    with databases():
        from flows import redaction

        erased = redaction.redact(redaction.person(customer, account))
    total = sum(erased.rows.values()) + erased.published_rows
    if as_json:
        emit(
            {
                "rows": erased.rows,
                "published_rows": erased.published_rows,
                "seconds": erased.seconds,
                "notes": erased.notes,
            }
        )
        return
    for table, rows in erased.rows.items():
        print(f"{table:<24} {rows:>8} rows")
    if erased.published_rows:
        print(f"{'ClickHouse':<24} {erased.published_rows:>8} rows")
    told = "erased" if total else "nothing was held of this person"
    print(f"{told}; whatever arrives later stays without him ({erased.seconds:.1f} s)")
    for note in erased.notes:
        print(f"note: {note}")


def disclose(
    customer: Customers,
    account: OneAccount = None,
    output: Annotated[Path | None, typer.Option("--output", help="write it to this file")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a person what is held of him: his orders and carts, as JSON one can read."""
    with databases():
        from flows import redaction

        told = redaction.disclose(redaction.person(customer, account))
        written = redaction.as_json(told)
    if output is not None:
        write_private(output, written)
        orders, carts = len(told["orders"]), len(told["carts"])
        line = f"{orders} orders and {carts} carts written to {output}"
        done(as_json, line, orders=orders, carts=carts, output=str(output))
    elif as_json:
        emit(json.loads(written))
    else:
        print(written)


@keys.command()
def rotate(as_json: AsJson = False) -> None:
    """Seal everything encrypted at rest anew with the newest key; older keys of it are then no longer needed."""
    with databases():
        from flows import connections
        from warehouse import redaction

        rows = redaction.reseal(connections.postgres(), connections.vault().renew)
        connections.tokens().reseal()
    result: dict[str, Any] = {"resealed": rows}
    if as_json:
        emit(result)
    else:
        print(
            f"{rows} records sealed with the newest key; keys after the first may now leave WHARF_ENCRYPTION_KEYS"
        )


def write_private(path: Path, content: str) -> None:
    """A file only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content + "\n")
