"""The same steps over past windows: no second code path, and the live watermark never moves."""

from datetime import datetime, timedelta
from typing import Any

from prefect import flow, tags
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import report
from flows.ingest import Ingested, ingest


@flow(name="backfill", flow_run_name="backfill-{account}-{resource}")
def backfill(
    account: str, since: datetime, until: datetime, resource: str = "orders", slice_days: int = 30
) -> State[Any]:
    """Read what changed in `account` from `since` to `until` again, newest slice first."""
    done: list[Ingested] = []
    failures: list[str] = []
    end = until
    while end > since:
        start = max(since, end - timedelta(days=slice_days))
        with tags(f"account:{account}", f"resource:{resource}", "backfill"):
            state = ingest(account, resource, end, start, "backfill", return_state=True)
        if state.is_completed():
            done.append(state.result())
        else:
            failures.append(f"{start:%Y-%m-%d} to {end:%Y-%m-%d}: {state.message}")
        end = start
    report.table(f"backfill-{account}-{resource}", [result.row() for result in done], "Slices, newest first")
    if failures:
        return Failed(message="; ".join(failures), data=done)
    return Completed(message=f"{len(done)} slices", data=done)
