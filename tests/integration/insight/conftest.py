"""Both databases, empty at the start of each test, settings that lead there, and a Prefect server."""

from tests.integration.security.conftest import (  # noqa: F401 fixtures
    client,
    engine,
    loader,
    migrated,
    published,
    settings,
)
