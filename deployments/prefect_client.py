"""How this process talks to a Prefect server: its REST API without Prefect's own client, which takes seconds to
import; for flows, settings before its first import, and an orderly end."""

import logging
import time
from pathlib import Path

import httpx

# Results are kept as JSON: whoever can write to a store of pickles can run code wherever they are read.
RESULTS = {"PREFECT_RESULTS_DEFAULT_SERIALIZER": "json"}

_WAITS = (0.5, 1.0, 2.0, 4.0)


class _Patient(httpx.HTTPTransport):
    """Asks again while the server answers 503: its SQLite was locked, nothing was done, and it means to be asked."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for seconds in _WAITS:
            answer = super().handle_request(request)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
            answer.close()
            time.sleep(seconds)
        return super().handle_request(request)


def api(url: str, auth: str | None) -> httpx.Client:
    """The REST API at `url` (it ends with /api), for who says `auth` (name:word)."""
    who = httpx.BasicAuth(*auth.split(":", 1)) if auth else None
    return httpx.Client(base_url=url, auth=who, timeout=30, transport=_Patient())


def environment(home: Path) -> dict[str, str]:
    """What a run logs goes to the UI, only errors to the terminal; nothing is reported to anybody."""
    return {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "connectors,warehouse,models,alerts,flows",
        "DO_NOT_TRACK": "1",
        # three missed and an automation shows the run as crashed (deployments/automations.py)
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **RESULTS,
    }


def finish_sending(timeout_seconds: float = 10.0) -> None:
    """Send what is left of logs and events; call it while the server still answers.

    Left to the interpreter's exit, they would be sent to a server that has gone, and say so on the terminal.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    from flows import stopping

    senders = logging.getLogger("prefect._internal")  # it minds no level and writes to the terminal
    if stopping.is_stopping():
        senders.handlers[:] = [logging.NullHandler()]  # the server may be going, too
    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=timeout_seconds)
    # What an interrupted thread still says has nowhere to go; that is no error to show.
    senders.handlers[:] = [logging.NullHandler()]
    logging.raiseExceptions = False
