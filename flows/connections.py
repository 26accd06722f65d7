"""Opens what a flow works with: the two databases and the seller accounts, from the settings.

Flows exchange names; each task asks here for what a name stands for, in its own process.
"""

import threading
import weakref
from functools import cache
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE
from sqlalchemy import Engine, event

from connectors.base import Account
from connectors.errors import ConfigurationError, ConnectorError
from flows import logs, tracing
from flows.sealing import Vault
from flows.settings import WharfSettings
from flows.tokens import SealedTokens

_opening = threading.Lock()  # tasks of one run start side by side; one engine a process is enough
_sessions: "weakref.WeakSet[Any]" = weakref.WeakSet()  # every open psycopg2 connection of this process


@cache
def settings() -> WharfSettings:
    """The platform's settings, read once a process."""
    return WharfSettings()


def postgres() -> Engine:
    """The warehouse's PostgreSQL, with a schema this code can write to."""
    with _opening:
        return _engine()


@cache
def _engine() -> Engine:
    from warehouse import engines

    url = settings().database_url
    if url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set; run through `wharf …`, which starts the embedded one, or set it"
        )
    engine = engines.postgres(url.get_secret_value())
    event.listen(engine, "connect", lambda session, _: _sessions.add(session))
    tracing.watch(engine)
    return engine


def cancel_statements() -> None:
    """End the statements this process waits for in PostgreSQL; each fails with QueryCanceled. From any thread."""
    for session in list(_sessions):
        try:
            if not session.closed and session.info.transaction_status == TRANSACTION_STATUS_ACTIVE:
                session.cancel()
        except psycopg2.Error:
            continue  # closed meanwhile


def clickhouse() -> Any:
    """A client of the analysts' ClickHouse; close it after use."""
    from warehouse import engines

    url = settings().clickhouse_url
    if url is None:
        raise ConfigurationError(
            "CLICKHOUSE_URL is not set; run through `wharf …`, which starts the embedded one, or set it"
        )
    return engines.clickhouse(url.get_secret_value())


@cache
def vault() -> Vault:
    """Seals what is kept of refused records, and opens it."""
    return Vault(settings().sealing_secrets)


def tokens() -> SealedTokens:
    """Keeps the tokens of accounts whose tokens change with each use."""
    return SealedTokens(postgres(), vault())


@cache
def accounts() -> dict[str, Account]:
    """Every configured seller account by name."""
    from connectors.settings import accounts as configured
    from flows.secret_blocks import value_of

    known = {account.name: account for account in configured(resolver=value_of)}
    logs.forget()  # what blocks hold must not be logged either
    return known


def account(name: str) -> Account:
    """The account called `name`. Raises ConnectorError that lists the ones there are."""
    known = accounts()
    if name not in known:
        raise ConnectorError(
            f"there is no account {name!r}; configured: {', '.join(sorted(known)) or 'none'}"
        )
    return known[name]


def forget() -> None:
    """Reads settings anew next time; for a process whose environment has changed."""
    if _engine.cache_info().currsize:
        _engine().dispose()
    for cached in (settings, _engine, vault, accounts):
        cached.cache_clear()
    logs.forget()
