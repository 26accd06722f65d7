"""What commands on the warehouse share: its databases for as long as they run, and how a flow's end is told."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from deployments.commands.output import emit


@contextlib.contextmanager
def databases(*, flows: bool = False) -> Iterator[tuple[str, str]]:
    """The URLs of both databases, embedded ones started, schemas brought up to date.

    With `flows`, Prefect's client is pointed at PREFECT_API_URL, or at a server of its own for this command.
    """
    from deployments.local.stack import data_services
    from deployments.secret_key import ensure_secret_key
    from flows import connections, stopping
    from warehouse import schema

    settings = _settings()
    home = settings.home.absolute()
    key = ensure_secret_key(home, settings)
    with stopping.promptly(), data_services(home, **settings.own_databases) as services:
        os.environ["DATABASE_URL"] = services.database_url
        os.environ["CLICKHOUSE_URL"] = services.clickhouse_url
        os.environ["WHARF_SECRET_KEY"] = key
        schema.upgrade(services.database_url, services.clickhouse_url)
        connections.forget()
        try:
            with _prefect(settings) if flows else contextlib.nullcontext():
                yield services.database_url, services.clickhouse_url
        finally:
            connections.forget()


def _settings() -> Any:
    """The settings, with what a running `wharf up` on the same folder offers: its Prefect, its sandboxes."""
    from deployments.running import join
    from flows import connections

    if join(connections.settings().home.absolute()):
        connections.forget()
    return connections.settings()


@contextlib.contextmanager
def _prefect(settings: Any) -> Iterator[None]:
    """Prefect's client set up for flows of this command, whose runs name this process."""
    from deployments import prefect_client, sweeper

    wanted = prefect_client.environment(settings.home.absolute())
    # A server of this command's own makes its database first; on a busy machine the default 20 s are not enough.
    wanted["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "180"
    if settings.prefect_api_url:  # it may stand in .env, where Prefect would not look under another folder
        wanted["PREFECT_API_URL"] = settings.prefect_api_url
        if settings.prefect_auth:
            wanted["PREFECT_API_AUTH_STRING"] = settings.prefect_auth.get_secret_value()
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    from prefect import tags  # only now: it reads its settings when it is imported

    try:
        with tags(sweeper.tag()):
            yield
    finally:
        prefect_client.finish_sending()


def check_accounts(names: Sequence[str]) -> None:
    """Raises ConfigurationError where there is no account at all, or none of a name, before anything starts."""
    from connectors.errors import ConfigurationError
    from flows import connections

    _settings()
    known = sorted(connections.accounts())
    if not known:
        raise ConfigurationError(
            "no account is configured: copy .env.example to .env and fill in a platform's credentials"
        )
    for name in names:
        if name not in known:
            raise ConfigurationError(f"there is no account {name!r}; configured: {', '.join(known)}")


def report_run(state: Any, as_json: bool) -> None:
    """What a flow run ended as: its rows by account and resource, its message. Raises when it failed."""
    result = state.result(raise_on_failure=False)
    if not state.is_completed() and isinstance(result, Exception):
        raise result
    rows = [part.row() for part in result if hasattr(part, "row")] if isinstance(result, list) else []
    if as_json:
        emit({"state": state.name, "message": state.message, "rows": rows})
    else:
        for row in rows:
            print(
                f"{row['account']:<10} {row['resource']:<10} {row['records']:>8} records  {row['inserted']:>8} new  "
                f"{row['updated']:>8} changed  {row['unchanged']:>8} unchanged  {row['refused']:>5} refused"
            )
        if state.is_completed():
            print(state.message or state.name)
    if not state.is_completed():
        from flows.settings import WorkFailedError

        raise WorkFailedError(state.message or state.name)
