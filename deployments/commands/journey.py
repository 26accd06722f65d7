"""Commands that bring up the whole stack: `up`, `demo`, `sandbox serve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

sandbox = typer.Typer(help="The three marketplaces, played over HTTP.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(demo)
    app.command()(up)
    app.add_typer(sandbox, name="sandbox")


def demo(
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="your own order lines (CSV or parquet), repeatable")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", help="TOML that names their columns", exists=True, dir_okay=False),
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="where pictures and messages are put")] = Path(
        "demo-output"
    ),
) -> None:
    """The whole journey once, on local services and sandbox marketplaces; leaves nothing running."""
    from deployments.demo import run

    run(data or [], mapping, output)


def up(
    host: Annotated[
        str | None,
        typer.Option("--host", help="where Prefect listens; beyond this machine it asks for a password"),
    ] = None,
) -> None:
    """The stack with its schedules until Ctrl-C: Prefect UI on 4200, ClickHouse HTTP on 8123."""
    from deployments.up import run

    if host:
        os.environ["WHARF_PREFECT_HOST"] = host
    run()


@sandbox.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8040,
    seed: Annotated[int, typer.Option(help="which merchant's world")] = 7,
    pace: Annotated[
        float, typer.Option(min=1, help="how many times faster than published its limits run")
    ] = 1.0,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="replay these order lines instead")
    ] = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", exists=True, dir_okay=False)] = None,
) -> None:
    """Serve the sandbox marketplaces on 127.0.0.1 until Ctrl-C."""
    from connectors.sandbox.app import main
    from deployments.local.stack import require_port

    require_port(port, "the sandbox marketplaces", setting="--port")
    arguments = ["--port", str(port), "--pace", str(pace), "--seed", str(seed)]
    for path in data or []:
        arguments += ["--replay", str(path)]
    if mapping:
        arguments += ["--mapping", str(mapping)]
    raise typer.Exit(main(arguments))
