"""Both databases, empty at the start of each test, and settings that lead there."""

from collections.abc import Iterator

import pytest

from flows import connections
from tests.integration.warehouse.conftest import (  # noqa: F401 fixtures
    client,
    engine,
    loader,
    migrated,
    published,
)

SECRET = "a key for tests, thirty-two bytes"


@pytest.fixture
def settings(database_url, clickhouse, published, engine, client, tmp_path) -> Iterator[pytest.MonkeyPatch]:  # noqa: F811 fixtures
    with pytest.MonkeyPatch.context() as patch:
        values = {
            "DATABASE_URL": database_url,
            "CLICKHOUSE_URL": clickhouse,
            "WHARF_HOME": str(tmp_path / "home"),
            "WHARF_SECRET_KEY": SECRET,
            "SHOPIFY_SHOP_NAME": "ada",
            "SHOPIFY_CLIENT_ID": "id",
            "SHOPIFY_CLIENT_SECRET": "hush hush",
        }
        for name, value in values.items():
            patch.setenv(name, value)
        connections.forget()
        yield patch
        connections.forget()
