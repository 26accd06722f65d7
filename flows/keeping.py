"""Backup and restore of what Wharf knows. Plain functions: a restore must not need Prefect."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from flows import connections, redaction
from warehouse import backup, checks, rollup, schema, tombstones
from warehouse.errors import WarehouseError

Told = Callable[[str], None]


def make_backup(folder: Path, told: Told) -> dict[str, int]:
    """PostgreSQL into `folder`; rows by table."""
    return backup.dump(connections.postgres(), folder, now=datetime.now(UTC), on_table=told)


def restore_backup(folder: Path, database_url: str, clickhouse_url: str, told: Told) -> dict[str, int]:
    """Replace everything by what `folder` holds; people erased since stay erased. Rows by table.

    Raises BackupError before anything is touched when the backup is not whole.
    """
    manifest = backup.read_manifest(folder)
    engine = connections.postgres()
    with engine.connect() as connection:
        stones = tombstones.known(connection)
    told("emptying PostgreSQL")
    backup.clear(engine)
    schema.upgrade(database_url, None, manifest["revision"])
    rows = backup.restore(engine, folder, on_table=told)
    schema.upgrade(database_url, clickhouse_url)
    told("holding erased people erased")
    redaction.reapply(stones)
    with closing(connections.clickhouse()) as client:
        told("publishing to ClickHouse")
        rollup.publish_all(engine, client)
        broken = [
            found
            for found in checks.after_publish(engine, client)
            if not found.ok and found.severity == "fail"
        ]
    if broken:
        raise WarehouseError("; ".join(f"{found.name}: {found.detail}" for found in broken))
    return rows
