"""The schemas of both databases: bring them up to date, say where they are, refuse to write to others.

Migrations are applied under one PostgreSQL advisory lock, so two processes that start at once do not race.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from clickhouse_connect.driver.client import Client
from sqlalchemy import Connection, Engine, inspect, text

from warehouse.cluster import SHARD_SUFFIX
from warehouse.engines import clickhouse, postgres
from warehouse.errors import SchemaError
from warehouse.tables.analytics import DATABASE, STAGE_SUFFIX

POSTGRES_VERSION_TABLE = "schema_version"
CLICKHOUSE_VERSION_TABLE = "schema_version"
SCHEMAS = ("core", "ops", "staging")
_UPGRADE_LOCK = 0x57484152_46000001  # one number for everybody who migrates


@dataclass(frozen=True)
class Revisions:
    """Revision of each database; None: empty."""

    postgres: str | None
    clickhouse: str | None


def upgrade(database_url: str, clickhouse_url: str | None, revision: str = "head") -> Revisions:
    """Apply every missing migration to both databases; safe to call from several processes at once.

    `revision`: how far PostgreSQL goes, for a backup that is older than this code.
    """
    lock = postgres(database_url, application="wharf-migrate")
    try:
        with lock.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _UPGRADE_LOCK})
            connection.commit()
            _refuse_newer("postgres", _postgres_revision(connection))
            command.upgrade(_config("postgres", database_url), revision)
            if clickhouse_url is not None:
                _refuse_newer("clickhouse", _clickhouse_revision(clickhouse_url))
                command.upgrade(_config("clickhouse", clickhouse_url), "head")
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _UPGRADE_LOCK})
    finally:
        lock.dispose()
    return current(database_url, clickhouse_url)


def downgrade(database_url: str, clickhouse_url: str | None, revision: str = "base") -> None:
    """Undo migrations down to `revision`; everything in the tables they made is lost."""
    if clickhouse_url is not None:
        command.downgrade(_config("clickhouse", clickhouse_url), revision)
    command.downgrade(_config("postgres", database_url), revision)


def current(database_url: str, clickhouse_url: str | None) -> Revisions:
    """Where both databases are."""
    engine = postgres(database_url, work="ops", application="wharf-migrate")
    try:
        with engine.connect() as connection:
            revision = _postgres_revision(connection)
    finally:
        engine.dispose()
    return Revisions(revision, _clickhouse_revision(clickhouse_url) if clickhouse_url else None)


def check(database_url: str, clickhouse_url: str | None) -> list[str]:
    """Differences between the migrated databases and the tables in code; empty when they match."""
    found = []
    for name, url in (("postgres", database_url), ("clickhouse", clickhouse_url)):
        if url is None:
            continue
        try:
            command.check(_config(name, url))
        except CommandError as error:
            found.append(f"{name}: {error}")
    return found


def head(history: str) -> str:
    """The newest revision this code knows; `history` is postgres or clickhouse."""
    return _heads()[history]


def require(connection: Connection) -> None:
    """Raise SchemaError unless PostgreSQL is at the revision this code was written for."""
    found = _postgres_revision(connection)
    if found != head("postgres"):
        raise SchemaError(_mismatch("PostgreSQL", found, head("postgres"), _knows("postgres", found)))


def require_clickhouse(client: Client) -> None:
    """Raise SchemaError unless ClickHouse is at the revision this code was written for."""
    found = _version_in(client)
    if found != head("clickhouse"):
        raise SchemaError(_mismatch("ClickHouse", found, head("clickhouse"), _knows("clickhouse", found)))


def keep_postgres(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
    """Whether autogenerate should look at it: our schemas only, no staging tables, no version table."""
    if kind == "schema":
        return name in ("core", "ops")
    return not (kind == "table" and name == POSTGRES_VERSION_TABLE)


def keep_clickhouse(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
    """Whether autogenerate should look at it: our database only, no stages or shards, no version table."""
    if kind == "schema":
        return name == DATABASE
    stage = kind == "table" and name is not None and name.endswith((STAGE_SUFFIX, SHARD_SUFFIX))
    return not stage and not (kind == "table" and name == CLICKHOUSE_VERSION_TABLE)


def _config(history: str, url: str | None = None) -> Config:
    config = Config(stdout=io.StringIO())  # it prints what nobody asked for
    config.set_main_option("script_location", f"migrations:{history}")
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


@cache
def _heads() -> dict[str, str]:
    heads = {name: ScriptDirectory.from_config(_config(name)).get_current_head() for name in _HISTORIES}
    return {name: revision or "" for name, revision in heads.items()}


_HISTORIES = ("postgres", "clickhouse")


def _knows(history: str, revision: str | None) -> bool:
    if revision is None:
        return True
    return any(script.revision == revision for script in _scripts(history).walk_revisions())


@cache
def _scripts(history: str) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(history))


def _mismatch(database: str, found: str | None, wanted: str, known: bool) -> str:
    if found is None:
        return f"{database} has no Wharf tables yet; run `wharf migrate`"
    if known:
        return f"{database} is at revision {found}, this code needs {wanted}; run `wharf migrate`"
    return f"{database} is at revision {found}, which is newer than this code ({wanted}); update Wharf"


def _refuse_newer(history: str, found: str | None) -> None:
    if not _knows(history, found):
        raise SchemaError(_mismatch(history, found, head(history), known=False))


def _postgres_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(POSTGRES_VERSION_TABLE, schema="ops"):
        return None
    revision = connection.scalar(text(f"SELECT version_num FROM ops.{POSTGRES_VERSION_TABLE}"))
    return str(revision) if revision is not None else None


def _clickhouse_revision(url: str) -> str | None:
    client = clickhouse(url)
    try:
        return _version_in(client)
    finally:
        client.close()


def _version_in(client: Client) -> str | None:
    if not client.command(f"EXISTS TABLE {DATABASE}.{CLICKHOUSE_VERSION_TABLE}"):
        return None
    rows = client.query(f"SELECT version_num FROM {DATABASE}.{CLICKHOUSE_VERSION_TABLE}").result_rows
    return str(rows[0][0]) if rows else None


__all__ = [
    "Engine",
    "Revisions",
    "check",
    "current",
    "downgrade",
    "head",
    "require",
    "require_clickhouse",
    "upgrade",
]
