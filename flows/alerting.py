"""Stock and forecasts → rules → episodes → messages; what was decided, and why a message was not sent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from prefect import flow, get_run_logger, task
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from alerts import charts, data_rules, dispatch, episodes, plan, rules
from alerts import settings as alert_settings
from alerts.alert import Findings
from alerts.episodes import Episode
from alerts.senders import senders_for
from flows import connections, reordering, report
from warehouse import alerts as store
from warehouse import demand_sums, read

# How often each resource is meant to be synced, in minutes (prefect.yaml); staleness is counted in these.
EVERY_MINUTES = {"orders": 15, "inventory": 30, "products": 360}
AT_ONCE = 200  # messages claimed for sending at a time


@flow(name="stock-alerts", flow_run_name="stock-alerts")
def stock_alerts(now: datetime | None = None) -> State[Any]:
    """Judge stock against the forecast, open and close alerts, and send what is due."""
    now = now or datetime.now(UTC)
    decided = decide(now)
    sent = deliver(now)
    report.table("alerts-decided", decided["changes"], "Alerts that opened, worsened, changed or ended")
    report.table("alerts-not-sent", decided["unsent"], "What was not sent to whom, and why")
    report.table("alerts-sent", sent, "Messages handled in this run")
    opened = sum(change["change"] == "opened" for change in decided["changes"])
    accepted = sum(message["state"] in {"accepted", "delivered"} for message in sent)
    return Completed(
        message=f"{opened} alerts opened, {accepted} of {len(sent)} messages accepted",
        data={**decided, "sent": sent},
    )


@materialize(report.ALERTS, asset_deps=[report.FORECASTS, report.CORE], name="decide", cache_policy=NO_CACHE)
def decide(now: datetime) -> dict[str, Any]:
    """Rules over fresh figures; episodes and their messages are stored in one transaction."""
    log = get_run_logger()
    engine = connections.postgres()
    settings = alert_settings.load_settings()
    thresholds = settings.thresholds()
    feeds = freshness()
    judged = position(now, thresholds.data_for("").stale_factor)
    findings = (
        rules.stock_alerts(judged, now, thresholds, weekly=now.weekday() == 0)
        + data_rules.stale_feeds(feeds, now, thresholds)
        + data_rules.refused_rows(read.refused(engine, now - timedelta(days=1)), thresholds)
    )
    findings = with_pictures(findings, now)
    known = [Episode.from_row(row) for row in store.open_episodes(engine).iter_rows(named=True)]
    outcome = episodes.step(known, findings, now)
    routes, linker = settings.routes().without(store.suppressed(engine)), settings.linker()
    planned = (
        plan.plan(outcome.transitions, routes, now, linker)
        + plan.plan_escalations(known, routes, now, linker)
        + plan.plan_digests(known, routes, now, linker)
    )
    store.apply(
        engine,
        [change.as_dict() for change in outcome.transitions],
        [message.as_dict() for message in planned.messages],
        now,
    )
    for item in outcome.suppressed:
        log.info("not told: %s: %s", item.fingerprint, item.reason)
    return {
        "judged": judged.height,
        "changes": [
            {"change": t.change, "severity": t.severity, "type": t.alert_type, "title": report.inert(t.title)}
            for t in outcome.transitions
        ],
        "unsent": [
            {"alert": item.fingerprint, "recipient": item.recipient, "reason": item.reason}
            for item in planned.unsent
        ]
        + [{"alert": s.fingerprint, "recipient": "", "reason": s.reason} for s in outcome.suppressed],
    }


@task(name="deliver", cache_policy=NO_CACHE)
def deliver(now: datetime) -> list[dict[str, Any]]:
    """Send what is due until nothing is; each round is stored before the next is claimed."""
    engine = connections.postgres()
    senders = senders_for(alert_settings.load_settings())
    health = {way: dispatch.Health.from_dict(kept) for way, kept in store.health(engine).items()}
    sent: list[dict[str, Any]] = []
    store.settle(engine, [r.as_dict() for r in dispatch.follow_up(store.accepted(engine), senders)], now)
    while claimed := store.claim_due(engine, now, AT_ONCE):
        results = dispatch.deliver(claimed, senders, now, resolved=store.resolved(engine), health=health)
        store.settle(
            engine, [{**vars(r), "takeover": r.takeover and r.takeover.as_dict()} for r in results], now
        )
        rows = {row["idempotency_key"]: row for row in claimed}
        sent += [_shown(rows[result.idempotency_key], result) for result in results]
    store.save_health(engine, {way: kept.as_dict() for way, kept in health.items()}, now)
    return sent


def _shown(row: Mapping[str, Any], result: dispatch.Result) -> dict[str, Any]:
    """A line of the run's artifact: no address, no text of the message."""
    return {
        "way": row["way"],
        "severity": row["severity"],
        "state": result.state,
        "error": result.error or "",
        "alert": report.inert(row["fingerprint"]),
    }


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
