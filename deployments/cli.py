"""`wharf`: everything a person or a program asks of the platform, in one command.

Exit status: 0 done; 1 the work failed; 2 wrong usage or configuration. A failure is one line that says what
is wrong and what to do; `--debug` shows where it came from.
"""

import os
import sys
import traceback
from typing import Annotated

import typer

from deployments.commands import data, files, journey

app = typer.Typer(
    name="wharf",
    help="What sold, what it earned, what will sell, and what will run out: Amazon, Shopify and Walmart in one place.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (journey, data, files):
    module.register(app)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="show where an error came from")] = False,
) -> None:
    """Options of every command."""
    if debug:
        os.environ["WHARF_DEBUG"] = "1"


def main() -> None:
    """The entry point: runs a command and turns what went wrong into one line and an exit status."""
    try:
        status = app(standalone_mode=False)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 the outermost edge: whatever it is becomes one line
        if os.environ.get("WHARF_DEBUG"):
            traceback.print_exc()
        text, code = _explain(error)
        print(f"wharf: {text}", file=sys.stderr)
        sys.exit(code)
    sys.exit(status or 0)


def _explain(error: Exception) -> tuple[str, int]:
    """What to print for an error, and the exit status."""
    import click
    from pydantic import ValidationError

    if isinstance(error, click.exceptions.Exit):
        return "", error.exit_code
    if isinstance(error, click.ClickException):
        return error.format_message(), 2
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        return f"{field}: {first['msg'].removeprefix('Value error, ')}", 2
    text = " ".join(str(error).split()) or type(error).__name__
    if type(error).__name__ in {"ConfigurationError", "LocalServiceError"}:
        return text, 2
    if type(error).__module__.split(".")[0] in {
        "connectors",
        "warehouse",
        "models",
        "alerts",
        "flows",
        "deployments",
    }:
        return text, 1
    if isinstance(error, OSError):
        return text, 1
    return f"{type(error).__name__}: {text[:500]} (run with --debug to see where)", 1


if __name__ == "__main__":
    main()
