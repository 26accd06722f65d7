"""The journey of a day, top to bottom: start reading here.

connector → normalize → staging → merge → rollup → forecast → alert
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.alerting import stock_alerts
from flows.forecast import forecast
from flows.instants import Instant
from flows.rollup import roll_up
from flows.sync import finish, sync
from models.base import Effort


@flow(name="daily", flow_run_name="daily-{effort}")
def daily(accounts: Sequence[str] = (), until: Instant | None = None, effort: Effort = "full") -> State[Any]:
    """Everything once: pull, roll up, forecast, alert. A failed account does not stop the others' day.

    Args:
        accounts: Names of the accounts to read. Empty: all that are configured.
        until: What changed before this instant is read. Empty: now. Without a zone: UTC.
        effort: Of the forecast: "full" for the night, "quick" for an answer in a minute or two.
    """
    until = until or datetime.now(UTC)
    pulled = sync(["all"], accounts, until=until, return_state=True)  # marketplaces → core
    rolled = roll_up(return_state=True)  # core → ClickHouse
    foreseen = forecast(until.date(), effort=effort, return_state=True)  # history → forecasts, reorder points
    told = stock_alerts(until, return_state=True)  # stock and forecasts → messages
    return finish(pulled, rolled, foreseen, told)


@flow(name="sync-orders", flow_run_name="sync-orders")
def sync_orders(accounts: Sequence[str] = ()) -> State[Any]:
    """What sold since the last time, and its days in ClickHouse.

    Args:
        accounts: Names of the accounts to read. Empty: all that are configured.
    """
    return finish(
        sync(["orders", "returns", "carts", "customers"], accounts, return_state=True),
        roll_up(return_state=True),
    )


@flow(name="sync-inventory", flow_run_name="sync-inventory")
def sync_inventory(accounts: Sequence[str] = ()) -> State[Any]:
    """What is in stock now, and what a merchant has to hear about it.

    Args:
        accounts: Names of the accounts to read. Empty: all that are configured.
    """
    return finish(sync(["inventory"], accounts, return_state=True), stock_alerts(return_state=True))


@flow(name="sync-products", flow_run_name="sync-products")
def sync_products(accounts: Sequence[str] = ()) -> State[Any]:
    """What is listed where, at which price.

    Args:
        accounts: Names of the accounts to read. Empty: all that are configured.
    """
    return finish(sync(["products"], accounts, return_state=True))


@flow(name="sync-fees", flow_run_name="sync-fees")
def sync_fees(accounts: Sequence[str] = ()) -> State[Any]:
    """What the channels charged, and what buyers say of it: both come days late and change little.

    Args:
        accounts: Names of the accounts to read. Empty: all that are configured.
    """
    return finish(sync(["fees", "feedback"], accounts, return_state=True), roll_up(return_state=True))
