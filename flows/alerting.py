"""Stock, forecasts and the state of the data → rules → episodes → messages; what was decided and why not sent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from prefect import flow
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from alerts import charts, data_rules, rules
from alerts.alert import Findings
from flows import connections, deciding, reordering, report
from flows.delivery import deliver
from flows.instants import Instant
from warehouse import demand_sums, read

# How often each resource is meant to be synced, in minutes (prefect.yaml); staleness is counted in these.
EVERY_MINUTES = {"orders": 15, "inventory": 30, "products": 360}
DATA_TYPES = ("data_stale", "refused_rows")  # what the sources count is judged by flows.reconcile


@flow(name="stock-alerts", flow_run_name="stock-alerts")
def stock_alerts(now: Instant | None = None) -> State[Any]:
    """Judge stock against the forecast and the data itself, open and close alerts, and send what is due.

    Args:
        now: The instant to judge by. Empty: now. Without a zone: UTC.
    """
    now = now or datetime.now(UTC)
    decided = decide(now)
    sent = deliver(now)
    decided.show("stock-alerts")
    report.table("stock-alerts-sent", sent, "Messages handled in this run")
    return Completed(
        message=deciding.ended(decided, sent),
        data={"judged": decided.judged, "changes": decided.changes, "unsent": decided.unsent, "sent": sent},
    )


@materialize(report.ALERTS, asset_deps=[report.FORECASTS, report.CORE], name="decide", cache_policy=NO_CACHE)
def decide(now: datetime) -> deciding.Decided:
    """Rules over fresh figures; what lies too long is looked at on Mondays."""
    engine = connections.postgres()
    thresholds = deciding.current_thresholds()
    weekly = now.weekday() == 0
    judged = position(now, thresholds.data_for("").stale_factor)
    findings = (
        rules.stock_alerts(judged, now, thresholds, weekly=weekly)
        + data_rules.stale_feeds(freshness(), now, thresholds)
        + data_rules.refused_rows(read.refused(engine, now - timedelta(days=1)), thresholds)
    )
    types = (*rules.URGENT_TYPES, *DATA_TYPES, *(rules.WEEKLY_TYPES if weekly else ()))
    return deciding.decide(with_pictures(findings, now), types, now, judged=judged.height)


def freshness() -> pl.DataFrame:
    """account, resource, last_sync_at and every_minutes of each resource that has a schedule."""
    known = read.freshness(connections.postgres())
    every = pl.DataFrame({"resource": list(EVERY_MINUTES), "every_minutes": list(EVERY_MINUTES.values())})
    return known.select("account", "resource", "last_sync_at").join(every, on="resource")


def position(now: datetime, stale_factor: float) -> pl.DataFrame:
    """Stock per channel and SKU as it is now, judged by the latest forecast: the frame the stock rules read.

    A SKU without a forecast is left out: nothing is known about what it will sell.
    """
    engine = connections.postgres()
    planned = reordering.plan(
        engine,
        connections.settings(),
        now.date(),
        read.latest_forecasts(engine, ["ensemble"]),
        demand_sums.latest(engine),
    )
    limit = timedelta(minutes=EVERY_MINUTES["inventory"] * stale_factor)
    return planned.with_columns(is_fresh=pl.col("observed_at") >= now - limit)


def with_pictures(findings: Findings, now: datetime) -> Findings:
    """The findings with the figures of their pictures: stock so far, and the stock the forecast leaves."""
    engine = connections.postgres()
    history = read.stock_history(engine, since=now - timedelta(days=35))
    attached = charts.attach(
        findings.alerts, history, read.latest_forecasts(engine, ["ensemble"]), now.date()
    )
    return replace(findings, alerts=attached)
