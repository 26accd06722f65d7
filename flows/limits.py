"""What a person turns in Prefect's UI while Wharf runs. No figure depends on it; `deployments.limits` makes both."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import runtime
from prefect.concurrency.sync import concurrency
from prefect.variables import Variable

# A global concurrency limit: how many forecasts a server's workers make at once, scheduled or as a part of `daily`
FORECASTS = "wharf-forecasts"
# A variable: a JSON list of accounts that are not read by themselves, only where a run names them
PAUSED_ACCOUNTS = "wharf_paused_accounts"


@contextmanager
def turn_to_forecast() -> Iterator[None]:
    """Waits until another run's forecast is done, where a worker started this run; a command waits for nobody."""
    if runtime.deployment.id is None:
        yield
        return
    with concurrency(FORECASTS):
        yield


def paused_accounts() -> set[str]:
    """The accounts somebody has paused; none where the variable is not there."""
    value: Any = Variable.get(PAUSED_ACCOUNTS, default=[])
    return {str(name) for name in value} if isinstance(value, list) else {str(value)}
