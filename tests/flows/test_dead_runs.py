"""A run that was killed is told as such, in the ledger and in Prefect, and the next one takes its place at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from sqlalchemy import create_engine, text

from deployments import sweeper
from warehouse import leases, owners, runs, schema

pytestmark = [pytest.mark.prefect, pytest.mark.stack]
ROOT = Path(__file__).parents[2]

# A sync, up to the moment it is killed: a flow with a flow in it, a lease, an open run in the ledger.
SYNCS = """
import sys, time
from prefect import flow, runtime, tags, task
from deployments import sweeper
from warehouse import engines, leases, owners, runs

@task
def ingest():
    engine = engines.postgres(sys.argv[1])
    with leases.hold(engine, "shopify", "orders", owners.current()):
        runs.start(engine, "sync", account="shopify", resource="orders", flow_run_id=runtime.flow_run.id)
        print(runtime.flow_run.id, runtime.flow_run.parent_flow_run_id, flush=True)
        time.sleep(120)

@flow(name="inner")
def inner():
    ingest()

@flow(name="outer")
def outer():
    inner()

with tags(sweeper.tag()):
    outer()
"""


@pytest.fixture
def killed(database_url, prefect_api, tmp_path):
    """Ids of the flow runs that a process killed in the middle had begun."""
    schema.upgrade(database_url, None)
    program = subprocess.Popen(
        [sys.executable, "-c", SYNCS, database_url],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PREFECT_API_URL": prefect_api,
            "PREFECT_HOME": str(tmp_path),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    ids = program.stdout.readline().split()
    program.send_signal(signal.SIGKILL)
    program.wait()
    return ids


def test_a_killed_sync_is_told_and_followed_at_once(killed, database_url, prefect_api):
    engine = create_engine(database_url)
    with leases.hold(engine, "shopify", "orders", owners.current()):
        sweeper.sweep(engine, prefect_api)
        with engine.connect() as connection:
            outcome, message = connection.execute(text("SELECT outcome, message FROM ops.runs")).one()
    assert (outcome, "died" in message) == ("failed", True)
    with get_client(sync_client=True) as client:
        told = [client.read_flow_run(run_id).state for run_id in killed]
    assert [state.name for state in told] == ["Crashed", "Crashed"]
    assert told[0].message == sweeper.DIED
    engine.dispose()


def test_a_live_run_is_left_alone(database_url, prefect_api):
    from prefect import flow, runtime, tags

    schema.upgrade(database_url, None)
    engine = create_engine(database_url)

    @flow
    def alive():
        runs.start(engine, "sync", account="amazon", resource="orders", flow_run_id=runtime.flow_run.id)
        return sweeper.sweep(engine, prefect_api)

    with tags(sweeper.tag()):
        assert alive() == 0
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT outcome FROM ops.runs WHERE account = 'amazon'")) == "running"
    engine.dispose()
