"""The session's Prefect server really runs flows, and without the second that each heartbeat would cost."""

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY

pytestmark = pytest.mark.prefect


@task
def double(number: int) -> int:
    return number * 2


@flow
def doubled_sum(numbers: list[int]) -> int:
    return sum(double(number) for number in numbers)


def test_a_flow_runs_and_its_run_is_recorded(prefect_api: str) -> None:
    assert doubled_sum([1, 2, 3]) == 12

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs()

    assert str(client.api_url).startswith(prefect_api)
    assert [run.state_name for run in runs if run.name] == ["Completed"] * len(runs)
    assert runs
    assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None
