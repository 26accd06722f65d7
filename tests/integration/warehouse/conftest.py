"""A migrated warehouse, empty at the start of each test."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from tests.warehouse_factories import Loader
from warehouse import schema
from warehouse.engines import clickhouse as open_clickhouse
from warehouse.engines import postgres
from warehouse.tables import metadata
from warehouse.tables.analytics import DATABASE
from warehouse.tables.analytics import metadata as analytics


@pytest.fixture(scope="module")
def migrated(database_url: str) -> Iterator[Engine]:
    schema.upgrade(database_url, None)
    engine = postgres(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(migrated: Engine) -> Engine:
    names = ", ".join(f"{table.schema}.{table.name}" for table in metadata.sorted_tables)
    with migrated.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    return migrated


@pytest.fixture
def loader(engine: Engine) -> Loader:
    return Loader(engine)


@pytest.fixture(scope="module")
def published(clickhouse: str, database_url: str) -> Iterator[Client]:
    schema.upgrade(database_url, clickhouse)
    client = open_clickhouse(clickhouse)
    yield client
    client.close()


@pytest.fixture
def client(published: Client) -> Client:
    for table in analytics.tables.values():
        published.command(f"TRUNCATE TABLE {DATABASE}.{table.name}")
    return published
