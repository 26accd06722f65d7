"""The session's Prefect server really runs flows, and without the second that each heartbeat would cost."""

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY

pytestmark = pytest.mark.prefect


@task
def double(number: int) -> int:
    return number * 2


@flow(flow_run_name="the-fixtures-own-run")
def doubled_sum(numbers: list[int]) -> int:
    return sum(double(number) for number in numbers)


def test_a_flow_runs_and_its_run_is_recorded(prefect_api: str) -> None:
    assert doubled_sum([1, 2, 3]) == 12

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)

    assert str(client.api_url).startswith(prefect_api)
    # Other tests of the session share the server.
    assert [run.state_name for run in runs if run.name == "the-fixtures-own-run"] == ["Completed"]
    assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None
