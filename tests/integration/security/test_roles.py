"""A writer can load and no more; a reader sees figures and nobody's pseudonym."""

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError

from tests.warehouse_factories import Loader, line, order
from warehouse import load, roles
from warehouse.engines import postgres

LOGINS = {"test_writer": roles.WRITER, "test_reader": roles.READER}


@pytest.fixture
def as_login(engine, loader, database_url):
    """Engines of a writer and a reader, as people of their own."""
    loader.load({"orders": [order("1", customer_key="k")], "order_items": [line("1")]})
    roles.grant(engine)
    roles.grant(engine)
    engines = {}
    with engine.begin() as connection:
        for login, role in LOGINS.items():
            connection.execute(text(f"CREATE ROLE {login} LOGIN PASSWORD 'x' IN ROLE {role}"))
    for login in LOGINS:
        url = make_url(database_url).set(username=login, password="x").render_as_string(hide_password=False)
        engines[login] = postgres(url)
    yield engines
    for found in engines.values():
        found.dispose()
    with engine.begin() as connection:
        for role in (*LOGINS, roles.MIGRATOR, *LOGINS.values()):
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))


def may(engine, statement):
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    except ProgrammingError as error:
        return not any(word in str(error) for word in ("permission denied", "must be owner"))
    return True


def test_a_writer_loads_and_changes_no_table(as_login, loader):
    writer = as_login["test_writer"]
    theirs = Loader.__new__(Loader)  # without its set-up: the channels are there
    theirs.engine, theirs.account, theirs._attempt = writer, loader.account, 0
    theirs.load({"orders": [order("2")], "order_items": [line("2")]})
    load.reap(writer)
    assert loader.one("SELECT count(*) FROM core.orders") == 2
    forbidden = [
        "DROP TABLE core.orders",
        "ALTER TABLE core.orders ADD COLUMN x int",
        "CREATE TABLE core.mine (x int)",
        "CREATE ROLE mine",
        "TRUNCATE core.orders",
        "COPY core.orders TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "DELETE FROM ops.schema_version",
    ]
    assert [statement for statement in forbidden if may(writer, statement)] == []


def test_a_reader_sees_figures_and_no_customers(as_login):
    reader = as_login["test_reader"]
    assert may(reader, "SELECT external_id, total FROM core.orders")
    assert may(reader, "SELECT * FROM core.sales_events, core.inventory, ops.runs")
    assert may(reader, "SELECT reason, count(*) FROM ops.quarantine GROUP BY 1")
    assert may(reader, "SELECT way, state, count(*) FROM ops.outbox GROUP BY 1, 2")
    forbidden = [
        "SELECT customer_key FROM core.orders",
        "SELECT * FROM core.orders",
        "SELECT o FROM core.orders o",
        "SELECT customer_key FROM core.carts",
        "SELECT raw FROM ops.quarantine",
        "SELECT natural_key FROM ops.quarantine",
        "SELECT recipient FROM ops.outbox",
        "SELECT payload FROM ops.outbox",
        "SELECT digest FROM ops.tombstones",
        "UPDATE core.products SET name = 'x'",
        "CREATE TABLE staging.mine (x int)",
    ]
    assert [statement for statement in forbidden if may(reader, statement)] == []
