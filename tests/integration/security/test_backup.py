"""What was backed up comes back, in both databases; who was erased since does not."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from flows import connections, keeping, redaction
from tests.integration.security.test_redaction import ADA, BOB, in_clickhouse, page, publish, sold
from tests.warehouse_factories import line, order
from warehouse import backup
from warehouse.tables import metadata


def contents(engine):
    """Every row of every table but the run ledger, as text."""
    with engine.connect() as connection:
        return {
            str(table): sorted(connection.scalars(text(f"SELECT t::text FROM {table.schema}.{table.name} t")))
            for table in metadata.sorted_tables
            if table.name not in {"dirty_days", "published_days", "tombstones"}
        }


def sales():
    with closing(connections.clickhouse()) as client:
        query = "SELECT date, product_id, total_units, total_revenue FROM analytics.daily_sales_summary ORDER BY ALL"
        return client.query(query).result_rows


def silent(_):
    return None


def test_both_databases_come_back_and_the_erased_do_not(settings, loader, tmp_path, database_url, clickhouse):
    loader.load(page(sold("1", ADA), sold("2", BOB), sold("3", None)))
    publish()
    before, sold_before = contents(loader.engine), sales()
    rows = keeping.make_backup(tmp_path / "backup", silent)
    assert rows["core.orders"] == 3

    redaction.redact(redaction.person([ADA]))
    loader.load({"orders": [order("9")], "order_items": [line("9")]})
    publish()
    keeping.restore_backup(tmp_path / "backup", database_url, clickhouse, silent)

    after = contents(loader.engine)
    assert sales() == sold_before
    assert loader.rows("SELECT external_id, customer_key FROM core.orders ORDER BY 1") == [
        ("1", None), ("2", BOB), ("3", None),
    ]  # fmt: skip
    assert in_clickhouse() == {BOB}
    assert {name for name in after if after[name] != before[name]} == {"core.orders"}
    # New rows get new numbers.
    loader.load({"orders": [order("10")], "order_items": [line("10")]})
    assert loader.one("SELECT count(DISTINCT id) FROM core.orders") == 4


def test_a_backup_that_is_not_whole_touches_nothing(settings, loader, tmp_path):
    loader.load(page(sold("1", ADA)))
    folder = tmp_path / "backup"
    keeping.make_backup(folder, silent)
    with pytest.raises(backup.BackupError, match="not empty"):
        backup.dump(loader.engine, folder, now=datetime.now(UTC), on_table=silent)
    (folder / "core.orders.csv.zst").write_bytes(b"changed")
    with pytest.raises(backup.BackupError, match=r"core\.orders"):
        keeping.restore_backup(folder, "", "", silent)
    assert loader.one("SELECT customer_key FROM core.orders") == ADA
