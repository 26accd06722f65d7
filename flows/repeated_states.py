"""A run keeps its result where Prefect's client had to say its end twice.

When the answer to "this run is completed" gets lost (a 503 of a busy server, a connection that breaks), the client asks
again. The server sees the transition it has already made and answers with its own copy of the state, in which there is
no result, as we persist none: whoever waits for the result gets MissingResult although all went well. Seen with Prefect
3.8.8; `prefect.utilities.engine.propose_state_sync` and the server's rule PreventDuplicateTransitions are the two ends.
"""

from functools import cache
from typing import Any
from uuid import UUID

from prefect import flow_engine
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.utilities.engine import propose_state_sync


@cache
def install() -> None:
    """Give such a copy the result of the state it is a copy of. Once is enough."""

    def proposed(
        client: SyncPrefectClient, state: State[Any], flow_run_id: UUID, force: bool = False
    ) -> State[Any]:
        answer = propose_state_sync(client, state, flow_run_id, force)
        said = (state.type, state.name, state.message)
        if answer.data is None and (answer.type, answer.name, answer.message) == said:
            answer.data = state.data
        return answer

    flow_engine.propose_state_sync = proposed  # type: ignore[attr-defined]  # the engine's own name for it
