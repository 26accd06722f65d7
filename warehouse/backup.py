"""PostgreSQL into a folder and back, over an ordinary connection: no client tools of a matching version needed.

All tables are read in one snapshot while work goes on. ClickHouse holds nothing of its own: it is published anew
from what was restored. What is sealed in the database is sealed in the copy.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import zstandard
from sqlalchemy import Connection, Engine, text

from warehouse import schema
from warehouse.errors import WarehouseError
from warehouse.tables import metadata

MANIFEST = "manifest.json"
_FORMAT = 1
_TABLES = (
    "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
)


class BackupError(WarehouseError):
    """The folder holds no whole backup, or none this code can restore."""


class _Hashing:
    """Writes to a file and keeps the digest of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)


def dump(engine: Engine, folder: Path, *, now: datetime, on_table: Callable[[str], None]) -> dict[str, int]:
    """Every table of `core` and `ops` into `folder`, which must not hold anything yet; returns rows by table.

    The manifest is written last: a folder without one is no backup.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty; name a new folder for each backup")
    tables: dict[str, dict[str, Any]] = {}
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = 0"))
        schema.require(connection)
        for table in metadata.sorted_tables:
            name = f"{table.schema}.{table.name}"
            on_table(name)
            columns = [f'"{column.name}"' for column in table.columns if column.computed is None]
            tables[name] = {"columns": columns, **_copy_out(connection, name, columns, _file(folder, name))}
        sequences = connection.execute(
            text(
                "SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences"
                " WHERE schemaname IN ('core', 'ops') AND last_value IS NOT NULL"
            )
        )
        manifest = {
            "format": _FORMAT,
            "made_at": now.isoformat(),
            "revision": schema.head("postgres"),
            "tables": tables,
            "sequences": dict(row._tuple() for row in sequences),
        }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return {name: found["rows"] for name, found in tables.items()}


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a backup says of itself, its files checked. Raises BackupError when one is missing or was changed."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise BackupError(f"{folder} holds no whole backup: {MANIFEST} is missing or unreadable") from None
    if manifest.get("format") != _FORMAT:
        raise BackupError(f"{folder} is of format {manifest.get('format')}, which this version does not know")
    for name, table in manifest["tables"].items():
        path = _file(folder, name)
        if not path.exists() or _digest(path) != table["sha256"]:
            raise BackupError(f"{path} is missing or not what was written; use another backup")
    return manifest


def restore(engine: Engine, folder: Path, *, on_table: Callable[[str], None]) -> dict[str, int]:
    """Fill empty tables, of the backup's own revision, from `folder`; all or nothing. Returns rows by table."""
    manifest = read_manifest(folder)
    rows: dict[str, int] = {}
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        there = set(connection.scalars(text(_TABLES)))
        known = sorted(there & set(manifest["tables"]))
        connection.execute(text(f"TRUNCATE {', '.join(known)} CASCADE"))  # rows a migration brought
        for name, table in manifest["tables"].items():
            if name not in there:
                raise BackupError(f"{folder} has {name}, which revision {manifest['revision']} does not make")
            on_table(name)
            rows[name] = _copy_in(connection, name, table["columns"], _file(folder, name))
            if rows[name] != table["rows"]:
                raise BackupError(f"{name}: {rows[name]} rows restored of {table['rows']}")
        for name, value in manifest["sequences"].items():
            connection.execute(
                text("SELECT setval(CAST(:name AS regclass), :value)"), {"name": name, "value": value}
            )
    return rows


def clear(engine: Engine) -> None:
    """Drop everything Wharf keeps in PostgreSQL."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for name in schema.SCHEMAS:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.csv.zst"


def _copy_out(connection: Connection, table: str, columns: list[str], path: Path) -> dict[str, Any]:
    with path.open("wb") as file:
        hashing = _Hashing(file)
        with zstandard.ZstdCompressor(level=3).stream_writer(hashing, closefd=False) as writer:  # type: ignore[arg-type]  # anything that writes
            cursor = _cursor(connection)
            cursor.copy_expert(
                f"COPY (SELECT {', '.join(columns)} FROM {table}) TO STDOUT (FORMAT csv)",
                writer,
            )
    return {"rows": cursor.rowcount, "sha256": hashing.digest.hexdigest()}


def _copy_in(connection: Connection, table: str, columns: list[str], path: Path) -> int:
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        cursor = _cursor(connection)
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)", reader)
        return int(cursor.rowcount)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cursor(connection: Connection) -> Any:
    dbapi = connection.connection.dbapi_connection
    assert dbapi is not None
    return dbapi.cursor()
