"""Results of runs are kept as JSON, never as pickles, and come back as what they were."""

import io
import json
import logging
from dataclasses import asdict
from datetime import UTC, date, datetime

import httpx
import pytest
from prefect import flow, task
from prefect.settings import (
    PREFECT_CLIENT_RETRY_JITTER_FACTOR,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_RESULTS_DEFAULT_SERIALIZER,
    PREFECT_RESULTS_PERSIST_BY_DEFAULT,
    temporary_settings,
)
from prefect.states import Completed

from deployments import prefect_client
from flows.forecast import Catalogue, Part
from flows.ingest import Ingested
from flows.stopping import StoppedError
from warehouse.batch import Published

pytestmark = pytest.mark.prefect

RESULTS = [
    Ingested("amazon", "orders", None, datetime(2026, 11, 21, tzinfo=UTC), notes=("one", "two")),
    Published(days=3, months=(date(2026, 11, 1),), rows=12),
    Catalogue([Part(1, [4, 5], 3)], ("", "toys"), ("amazon-us",)),
    {"series": 3, "history_until": date(2026, 11, 20), "scores": [{"model": "ets", "wape": 0.4}]},
]


@task
def made(number: int) -> object:
    return RESULTS[number]


@task
def stopped() -> None:
    raise StoppedError("stopped before its end")


@flow
def journey():
    found = [made(number) for number in range(len(RESULTS))]
    stopped(return_state=True)
    return Completed(data=found)


def test_no_pickle_is_written(prefect_api, tmp_path):
    wanted = {
        PREFECT_RESULTS_DEFAULT_SERIALIZER: prefect_client.RESULTS[PREFECT_RESULTS_DEFAULT_SERIALIZER.name],
        PREFECT_RESULTS_PERSIST_BY_DEFAULT: True,
        PREFECT_LOCAL_STORAGE_PATH: str(tmp_path),
    }
    with temporary_settings(wanted):
        back = journey(return_state=True).result()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= len(RESULTS)
    for path in files:
        kept = json.loads(path.read_text())  # a result, or a result with what is known of it
        assert (
            not isinstance(kept, dict)
            or "metadata" not in kept
            or kept["metadata"]["serializer"]["type"] == "json"
        )
    assert asdict(back[0]) == asdict(RESULTS[0])


def test_every_way_to_run_a_flow_says_so(tmp_path):
    assert prefect_client.environment(tmp_path)["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"


def test_what_cannot_be_sent_at_the_very_end_is_not_shown_as_an_error(monkeypatch):
    senders = logging.getLogger("prefect._internal")
    monkeypatch.setattr(logging, "raiseExceptions", True)
    before, shown = list(senders.handlers), io.StringIO()
    senders.handlers[:] = [logging.StreamHandler(shown)]
    try:
        senders.getChild("concurrency").error("Service 'EventsWorker' failed to process item 1")
        prefect_client.finish_sending()
        senders.getChild("concurrency").error("Service 'EventsWorker' failed to process item 2")
    finally:
        senders.handlers[:] = before
    assert "item 1" in shown.getvalue()
    assert "item 2" not in shown.getvalue()


@flow
def told() -> object:
    return Completed(message="all of it", data=RESULTS[1])


def test_a_result_survives_an_answer_that_got_lost(prefect_api, monkeypatch):
    send = httpx.Client.send
    lost: list[str] = []

    def losing(client, request, **named):
        answer = send(client, request, **named)
        if not lost and request.url.path.endswith("/set_state") and b"COMPLETED" in request.content:
            lost.append(request.url.path)
            raise httpx.ReadError("the answer got lost", request=request)
        return answer

    monkeypatch.setattr(httpx.Client, "send", losing)
    with temporary_settings({PREFECT_CLIENT_RETRY_JITTER_FACTOR: 0}):
        assert told(return_state=True).result() == RESULTS[1]
        assert told() == RESULTS[1]
    assert len(lost) == 1
