"""Starts the deployment `delivery` when the outbox has something for it: a message is due, a provider could not
deliver one it had taken, or it is time to ask what became of one.

One small question to the database every few seconds, instead of a process every two minutes that mostly finds
nothing. The deployment's own schedule stays for what the outbox does not know of: nobody has answered, a snooze ends.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from deployments import prefect_client
from warehouse import outbox

logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
_DEPLOYMENT = "delivery/delivery"


def watch(
    engine: Engine, start: Callable[[str], None], stop: threading.Event, *, every: float = EVERY_SECONDS
) -> None:
    """Until `stop`: whenever there is work, `start(what)`; what cannot be asked now is asked again."""
    while not stop.wait(every):
        try:
            if what := outbox.work(engine, datetime.now(UTC)):
                start(what)
        except (SQLAlchemyError, httpx.HTTPError) as error:
            logger.warning("%s while looking after the outbox; looking again", type(error).__name__)


def starter(api_url: str, auth: str | None) -> Callable[[str], None]:
    """Asks Prefect for a run of `delivery`. The same work asked for twice is one run, however long it waits for a
    worker."""

    def start(what: str) -> None:
        with prefect_client.api(api_url, auth) as api:
            found = api.get(f"/deployments/name/{_DEPLOYMENT}").raise_for_status().json()
            body = {"idempotency_key": f"outbox: {what}", "tags": ["outbox"]}
            api.post(f"/deployments/{found['id']}/create_flow_run", json=body).raise_for_status()

    return start
