"""Both histories: they make exactly the tables in code, can be undone, and guard old code."""

import pytest
from sqlalchemy import text

from warehouse import schema
from warehouse.engines import postgres
from warehouse.errors import SchemaError
from warehouse.load import Staging


def test_migrations_match_tables_and_can_be_undone(database_url, clickhouse):
    heads = schema.Revisions(schema.head("postgres"), schema.head("clickhouse"))

    assert schema.upgrade(database_url, clickhouse) == heads
    assert schema.check(database_url, clickhouse) == []
    assert schema.upgrade(database_url, clickhouse) == heads  # again: nothing to do

    schema.downgrade(database_url, clickhouse)
    assert schema.current(database_url, clickhouse) == schema.Revisions(None, None)
    engine = postgres(database_url)
    with engine.connect() as connection:
        left = connection.execute(
            text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('core', 'ops', 'staging')")
        ).all()
    assert [tuple(row) for row in left] == [("ops", "schema_version")]

    assert schema.upgrade(database_url, clickhouse) == heads
    assert schema.check(database_url, clickhouse) == []
    engine.dispose()


def test_a_difference_is_found(database_url, clickhouse):
    schema.upgrade(database_url, clickhouse)
    engine = postgres(database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE core.orders ADD COLUMN surprise text"))
    try:
        (found,) = schema.check(database_url, clickhouse)
        assert "surprise" in found
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE core.orders DROP COLUMN surprise"))
        engine.dispose()


@pytest.mark.parametrize(("revision", "says"), [("9999", "update Wharf"), (None, "wharf migrate")])
def test_code_refuses_a_schema_it_does_not_know(database_url, clickhouse, revision, says):
    schema.upgrade(database_url, None)
    engine = postgres(database_url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE ops.schema_version SET version_num = coalesce(:r, 'x')"), {"r": revision}
        )
        if revision is None:
            connection.execute(text("DELETE FROM ops.schema_version"))
    try:
        with pytest.raises(SchemaError, match=says), Staging(engine, "late"):
            pass
        with engine.connect() as connection:
            staged = connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'"))
        assert staged == 0
    finally:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM ops.schema_version"))
            connection.execute(
                text("INSERT INTO ops.schema_version VALUES (:head)"), {"head": schema.head("postgres")}
            )
        engine.dispose()


def test_everything_is_commented(database_url, clickhouse):
    schema.upgrade(database_url, clickhouse)
    engine = postgres(database_url)
    with engine.connect() as connection:
        bare = connection.execute(
            text(
                "SELECT c.oid::regclass::text, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                " AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relkind = 'r'"
                " AND c.relnamespace IN ('core'::regnamespace, 'ops'::regnamespace) AND c.relname <> 'schema_version'"
                " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
            )
        ).all()
    engine.dispose()
    assert bare == []

    from warehouse.engines import clickhouse as open_clickhouse

    client = open_clickhouse(clickhouse)
    bare = client.query(
        "SELECT table, name FROM system.columns WHERE database = 'analytics' AND comment = ''"
        " AND table <> 'schema_version'"
    ).result_rows
    client.close()
    assert bare == []
