"""The warehouse of one test beside a sandbox, as the environment's accounts see it."""

import pytest

from tests.sandbox_environment import small_merchant
from warehouse import schema

PACE = 2000.0


@pytest.fixture
def state(database_url, tmp_path):
    schema.upgrade(database_url, None)
    with small_merchant(tmp_path, pace=PACE, DATABASE_URL=database_url) as (state, _):
        yield state
