"""What the server keeps for runs: limits across deployments, and variables a person turns in the UI."""

from flows.limits import FORECASTS, PAUSED_ACCOUNTS

# name: how many at once, whatever deployment or queue they came from
LIMITS = {FORECASTS: 1}


def ensure() -> None:
    """Sets every limit, and makes every variable that is not there; what a person has set in one stays."""
    from prefect.client.orchestration import get_client
    from prefect.variables import Variable

    with get_client(sync_client=True) as client:
        for name, most in LIMITS.items():
            client.upsert_global_concurrency_limit_by_name(name, most)
    if Variable.get(PAUSED_ACCOUNTS) is None:
        Variable.set(PAUSED_ACCOUNTS, [], tags=["wharf"])
