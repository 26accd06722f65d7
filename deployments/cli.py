"""`wharf`: everything a person or a program asks of the platform, in one command.

Exit status: 0 done; 1 the work failed; 2 wrong usage or configuration. A failure is one line that says what
is wrong and what to do; `--debug` shows where it came from.
"""

import os
import re
import sys
import traceback
from typing import Annotated

import typer

from deployments.commands import (
    alerts,
    data,
    files,
    journey,
    keeping,
    money,
    operations,
    privacy,
    products,
    reconcile,
    whatif,
)
from deployments.commands.output import inert

app = typer.Typer(
    name="wharf",
    help="What sold, what it earned, what will sell, and what will run out: Amazon, Shopify and Walmart in one place.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    journey,
    operations,
    data,
    alerts,
    files,
    privacy,
    keeping,
    reconcile,
    products,
    money,
    whatif,
):
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
        text, code = explain(error)
        if text:
            print(f"wharf: {text}", file=sys.stderr)
        sys.exit(code)
    sys.exit(status or 0)


def explain(error: BaseException) -> tuple[str, int]:
    """What to print for an error, on one line, and the exit status."""
    text, code = _explain(error)
    return " ".join(inert(text.replace("Value error, ", "")).split()), code


def _explain(error: BaseException) -> tuple[str, int]:
    from pydantic import ValidationError

    kind, home = type(error).__name__, type(error).__module__.split(".")[0]
    text = re.sub(r"//[^/@\s]+@", "//…@", str(error)) or kind
    if isinstance(error, typer.Exit):
        return "", error.exit_code
    if isinstance(error, typer.Abort):
        return "stopped", 130
    if (said := getattr(error, "format_message", None)) is not None:  # click's own, whoever ships it
        context = getattr(error, "ctx", None)
        if kind == "NoArgsIsHelpError":
            print(said())
            return "", 2
        return said() + (f" (see {context.command_path} --help)" if context else ""), 2
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        name = field.upper() if field.islower() else field
        return f"{name}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": "), 2
    if kind in {"ConfigurationError", "LocalServiceError", "AlertConfigError", "MappingError"}:
        return text, 2
    if home in _OURS or isinstance(error, OSError):
        return text, 1
    if home in _DATABASES:
        told = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return f"{_DATABASES[home]}: {re.sub(r'//[^/@]+@', '//…@', told)[:400]}; `wharf doctor` tells more", 1
    return f"{kind}: {text[:500]} (run `wharf --debug …` to see where)", 1


_OURS = frozenset(["connectors", "warehouse", "models", "alerts", "flows", "deployments"])
_DATABASES = {
    "sqlalchemy": "PostgreSQL (DATABASE_URL)",
    "psycopg2": "PostgreSQL (DATABASE_URL)",
    "clickhouse_connect": "ClickHouse (CLICKHOUSE_URL)",
}


if __name__ == "__main__":
    main()
