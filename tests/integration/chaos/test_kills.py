"""Syncing processes killed at chosen moments leave nothing wrong behind; `make chaos` is the large form of this."""

import random
import signal
from datetime import date, timedelta

import pytest

from bench.chaos.scenarios import MOMENTS, beginning
from bench.chaos.stage import open_stage
from connectors.sandbox.generated import GeneratedWorld

pytestmark = pytest.mark.stack
BY_NAME = {moment.name: moment for moment in MOMENTS}


@pytest.fixture(scope="module")
def stage(database_url, clickhouse):
    world = GeneratedWorld(3, today=date(2026, 3, 10), skus=8, days=30, orders_per_day=12, future_days=60)
    with open_stage(database_url, clickhouse, world, accounts=["shopify"]) as stage:
        beginning(stage)
        yield stage


def test_kills_in_a_row_leave_every_row_as_it_happened(stage):
    for name in (
        "in the middle of COPY",
        "before COMMIT",
        "after COMMIT, unheard",
        "month staged, not swapped",
    ):
        stage.move_to(stage.now + timedelta(hours=random.Random(name).randint(24, 48)))
        ended, came = stage.killed_at(BY_NAME[name])
        assert (came, ended.status) == (True, -signal.SIGKILL), (name, ended)
    stage.run()
    assert stage.wrong() == []


def test_a_watermark_before_its_rows_would_be_noticed(stage):
    stage.move_to(stage.now + timedelta(hours=48))
    # The first commit with a watermark in it is the mutant's own.
    stage.killed_at(BY_NAME["before COMMIT"].again(2), mutant="watermark-first", publish=False)
    stage.run(mutant="watermark-first", publish=False)
    assert any(line.startswith("core line") for line in stage.wrong())
