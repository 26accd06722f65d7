"""A run keeps its result where Prefect's client had to say its end twice.

When the answer to "this run is completed" gets lost (a 503 of a busy server, a connection that breaks), the client asks
again. The server sees the transition it has already made and answers with its own copy of the state, in which there is
no result, as we persist none: whoever waits for the result gets MissingResult although all went well. Seen with Prefect
3.8.8; `prefect.utilities.engine.propose_state_sync` and the server's rule PreventDuplicateTransitions are the two ends.
"""

from functools import cache
from typing import Any

import prefect.flow_engine
from prefect.client.schemas.objects import State


@cache
def install() -> None:
    """Give such a copy the result of the state it is a copy of. Once is enough."""
    propose = prefect.flow_engine.propose_state_sync

    def proposed(client: Any, state: State[Any], **named: Any) -> State[Any]:
        answer = propose(client, state, **named)
        said = (state.type, state.name, state.message)
        if answer.data is None and (answer.type, answer.name, answer.message) == said:
            answer.data = state.data
        return answer

    prefect.flow_engine.propose_state_sync = proposed
