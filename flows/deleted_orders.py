"""Orders that a shop deleted: it tells nobody, so the orders kept are asked for by their ids, once a week.

Only within what the account can see: an order beyond that is invisible, not deleted. Nothing is removed; a deleted
order counts as cancelled from now on (`warehouse/vanished.py`).
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow, get_run_logger, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from connectors import registry
from connectors.base import Account, Resource, Window
from connectors.budget import Background
from connectors.errors import ConnectorError, ProtocolError
from flows import connections, logs, report
from flows.instants import Instant
from warehouse import leases, load, merge, owners, runs, vanished
from warehouse.batch import Run
from warehouse.budget import PostgresBudget
from warehouse.errors import LeaseHeldError

EDGE = timedelta(
    days=1
)  # kept from the end of sight, and from orders so new that the shop may still be at them
BELIEVED = (
    0.1  # the share of orders that may be gone; more is a wrong shop or a fault, not a merchant's tidying
)
ALWAYS = 20  # orders that may be gone whatever their share


@flow(name="deleted-orders", flow_run_name="deleted-orders")
def deleted_orders(days: int = 60, accounts: Sequence[str] = (), now: Instant | None = None) -> State[Any]:
    """Ask shops for the orders of the last days that are kept, and mark those that are gone.

    Args:
        days: How far back to look; no further than the account can see.
        accounts: Empty: all whose marketplace deletes orders without telling.
        now: The instant to look from. Empty: now. Without a zone: UTC.
    """
    now = now or datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    failures: list[str] = []
    for name in accounts or sorted(connections.accounts()):
        seller = connections.account(name)
        orders = registry.resources_of(seller.platform).get("orders")
        if orders is None or orders.gone is None:
            continue
        try:
            rows.append(compare(seller, orders, days, now))
        except (ConnectorError, LeaseHeldError) as error:
            failures.append(f"{name}: {error}")
            get_run_logger().error("%s: %s", name, error)
    report.table("deleted-orders", rows, "Orders asked for by their ids, and those the shop has no more")
    if failures:
        return Failed(message="; ".join(failures), data=rows)
    if not rows:
        return Completed(name="NothingToDo", message="no account deletes orders without telling", data=rows)
    return Completed(
        message=f"{sum(row['deleted'] for row in rows)} orders were deleted at their shops", data=rows
    )


def compare(seller: Account, orders: Resource, days: int, now: datetime) -> dict[str, Any]:
    """Ask for the orders kept of one account and mark what is gone; how many of each, and from when on.

    Raises ConnectorError, also when more is gone than can be believed; then nothing is marked.
    """
    engine = connections.postgres()
    window = Window(now - timedelta(days=days), now - EDGE)
    with leases.hold(engine, seller.name, orders.name, owners.current()) as lease:
        run = runs.start(
            engine,
            "compare",
            account=seller.name,
            resource=orders.name,
            window=window,
            flow_run_id=runtime.flow_run.id,
        )
        try:
            since, asked, gone = _gone(seller, orders, window, now)
            if gone:
                _mark(seller, gone, now, run, lease)
        except BaseException as error:
            runs.finish(engine, run, "failed", message=logs.told(error))
            raise
        runs.finish(
            engine, run, "done", message=f"{len(gone)} of {asked} orders were deleted" if gone else None
        )
    return {"account": seller.name, "since": f"{since:%Y-%m-%d}", "asked": asked, "deleted": len(gone)}


def _gone(
    seller: Account, orders: Resource, window: Window, now: datetime
) -> tuple[datetime, int, list[str]]:
    """From when on orders were asked for, how many, and those that are gone. Raises ConnectorError."""
    engine, since = connections.postgres(), window.since
    assert since is not None
    assert orders.gone is not None
    budget = Background(PostgresBudget(engine))
    with closing(registry.open_client(seller, budget=budget, tokens=connections.tokens())) as client:
        if (horizon := orders.horizon(client, since, now)) is not None:
            since = horizon.earliest + EDGE
        ids = vanished.candidates(engine, seller.channels[0].name, since, window.until)
        gone = sorted(orders.gone(client, ids))
    if len(gone) > max(ALWAYS, BELIEVED * len(ids)):
        raise ProtocolError(
            f"{len(gone)} of {len(ids)} orders are gone, the shop says: too many to be believed; is it the right "
            "shop? Nothing was marked"
        )
    return since, len(ids), gone


def _mark(seller: Account, gone: list[str], now: datetime, run: Run, lease: leases.Lease) -> None:
    engine = connections.postgres()
    with load.Staging(
        engine, f"d{run.id}", account=seller.name, resource="orders", seal=connections.vault().seal
    ) as staging:
        staging.add(vanished.as_deleted(engine, seller.channels[0].name, gone, now))
        merge.commit(engine, staging, run=run, lease=lease, window=Window(None, now), advance_watermark=False)
