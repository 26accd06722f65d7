"""Which errors are worth a second run of the same task."""

from typing import Any

from sqlalchemy.exc import OperationalError

from connectors.errors import ChannelUnavailableError, CursorExpiredError
from flows import stopping

RETRIES = 2
DELAYS: list[float] = [15, 60]  # seconds; short waits are the client's, these are for outages


def is_transient(task: Any, run: Any, state: Any) -> bool:
    """True when the state's error may pass by itself: a channel or a database that is away, a cursor that died."""
    if stopping.is_stopping():
        return False
    try:
        state.result()
    except (ChannelUnavailableError, CursorExpiredError, OperationalError, ConnectionError):
        return True
    except Exception:  # noqa: BLE001 any other error is not worth a repeat
        return False
    return False
