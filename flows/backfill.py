"""The same steps over past windows: no second code path, and the live watermark never moves."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from prefect import flow, tags
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows import report
from flows.ingest import Ingested, ingest


@flow(name="backfill", flow_run_name="backfill-{account}-{resource}")
def backfill(
    account: Annotated[
        str,
        Field(description="Which account, by its name: amazon, shopify, walmart, or one of accounts.toml."),
    ],
    since: Annotated[datetime, Field(description="What changed at this instant (UTC) or later is read.")],
    until: Annotated[datetime, Field(description="What changed before this instant (UTC) is read.")],
    resource: Annotated[
        str,
        Field(description="orders, refunds, returns, carts, products or inventory, as the channel has it."),
    ] = "orders",
    slice_days: Annotated[
        int, Field(ge=1, description="How many days one slice spans; a slice that fails is told and skipped.")
    ] = 30,
) -> State[Any]:
    """Read what changed in `account` from `since` to `until` again, newest slice first.

    Rows that are known stay as they are, and the live watermark does not move.
    """
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
    if deferred := [result.message for result in done if result.outcome == "deferred"]:
        return Completed(name="Deferred", message="; ".join(dict.fromkeys(deferred)), data=done)
    return Completed(message=f"{len(done)} slices", data=done)
