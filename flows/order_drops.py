"""Why fewer orders came than usual: what carries the fall, what the records say about it, what is at stake."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import polars as pl
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from alerts import demand_rules
from alerts.alert import Findings
from flows import connections, report
from models import drop
from warehouse import order_counts, read, shipping

USUAL_WEEKS = 4  # before a fall that show what is usual
HANDLING = timedelta(weeks=1)  # before a fall: how fast orders left then is what buyers were told and felt
EXPLAINED = 10  # falls explained in one run, the largest


@flow(name="explain-drop", flow_run_name="explain-drop-{channel}-{since}-to-{until}")
def explain_drop(
    channel: str,
    since: date,
    until: date,
    usual_weeks: Annotated[int, Field(ge=1, le=26)] = USUAL_WEEKS,
) -> State[Any]:
    """Compare the orders of some days with the weeks before them, part by part.

    Args:
        channel: The channel, such as amazon-us: its amounts are of one currency.
        since: First day of the fall, a business day of the channel.
        until: The day after its last one.
        usual_weeks: How many weeks before it show what is usual.
    """
    found = explain(channel, since, until, usual_weeks)
    return Completed(message=found["sentence"], data=found)


@task(name="explain", cache_policy=NO_CACHE)
def explain(channel: str, since: date, until: date, usual_weeks: int) -> dict[str, Any]:
    """The sentence, the parts and the causes; the same as tables of the run."""
    if until <= since:
        raise ValueError(f"until ({until}) must be after since ({since})")
    engine = connections.postgres()
    if channel not in (known := read.selling_channels(engine)):
        raise ValueError(f"there is no channel {channel!r}; there are {', '.join(known) or 'none yet'}")
    zone = order_counts.channels(engine, datetime.now(UTC)).filter(pl.col("channel") == channel)["timezone"]
    begin, end = (
        datetime.combine(day, time(), ZoneInfo(zone[0] if len(zone) else "UTC")) for day in (since, until)
    )
    found = compared(channel, begin, end, usual_weeks)
    parts, causes = found.parts.to_dicts(), found.causes.to_dicts()
    report.table("order-drop-parts", parts, f"What carries the fall. {found.sentence()}")
    report.table(
        "order-drop-causes",
        causes,
        f"What the records say; {found.unexplained:.0%} of it is not explained by them",
    )
    return {
        "sentence": found.sentence(),
        "missing_orders": found.missing_orders,
        "missing_revenue": found.missing_revenue,
        "unexplained": found.unexplained,
        "parts": parts,
        "causes": causes,
    }


def compared(
    channel: str,
    since: datetime,
    until: datetime,
    usual_weeks: int = USUAL_WEEKS,
    *,
    expected: float | None = None,
    **only: str | None,
) -> drop.Explanation:
    """Orders of a channel in `since <= t < until` against the same hours of the weeks before, or against as many as are
    `expected`. `only` one `category` or `sku` where one is named."""
    engine = connections.postgres()
    # Whole weeks, and the same weekdays of each: three days from a Friday on are compared with such three days.
    weeks_apart = -(-(until - since) // timedelta(weeks=1))
    before = pl.concat(
        order_counts.parts(engine, since - shift, until - shift, channel)
        for shift in (timedelta(weeks=weeks_apart * number) for number in range(1, usual_weeks + 1))
    )
    during = order_counts.parts(engine, since, until, channel)
    chosen = [pl.col(name) == value for name, value in only.items() if value]
    before, during = before.filter(*chosen), during.filter(*chosen)
    facts = _facts(before, during, since.date(), (until - timedelta(seconds=1)).date() + timedelta(days=1))
    sent = shipping.delays(engine, channel, since - HANDLING, until, timedelta(weeks=usual_weeks))
    facts = drop.with_delays(facts, sent)
    return drop.explain(before, during, facts, scale=1 / usual_weeks, expected_orders=expected)


def with_reasons(findings: Findings, now: datetime) -> Findings:
    """The findings with what carries each fall of orders, what the records say of it, and what is at stake, channel by
    channel: the largest falls of a run, as a message holds no more."""
    falls = [
        alert for alert in findings.alerts if not alert.holding and alert.facts.get("direction") == "drop"
    ]
    falls = sorted(falls, key=lambda alert: alert.facts["observed"] - alert.facts["expected"])[:EXPLAINED]
    if not falls:
        return findings
    known = order_counts.channels(connections.postgres(), now - timedelta(days=1))
    currency = dict(known.select("channel", "currency").iter_rows())
    reasons = {}
    for alert in falls:
        since = datetime.fromisoformat(alert.facts["start_at"])
        until = since + timedelta(hours=alert.facts["hours"])
        channels = alert.facts["channels"]
        narrow = {"category": alert.facts["category"], "sku": alert.facts["sku"]}
        expected = alert.facts["expected"] if len(channels) == 1 else None
        told = [
            _told(compared(channel, since, until, expected=expected, **narrow))
            | {"channel": channel, "currency": currency.get(channel)}
            for channel in channels
        ]
        reasons[alert.fingerprint] = [one for one in told if one["missing_orders"] > 0]
    return replace(
        findings, alerts=tuple(demand_rules.explained(alert, reasons) for alert in findings.alerts)
    )


def _told(found: drop.Explanation) -> dict[str, Any]:
    """An explanation as a message and `core.alerts` keep it."""
    return {
        "missing_orders": round(found.missing_orders, 1),
        "missing_revenue": round(found.missing_revenue, 2),
        "parts": [
            {
                "dimension": row["dimension"],
                "value": row["value"],
                "contribution": round(row["contribution"], 3),
            }
            for row in found.parts.filter(pl.col("dimension") != "channel").head(3).iter_rows(named=True)
        ],
        "causes": [
            {
                "sku": row["sku"],
                "cause": row["cause"],
                "detail": row["detail"],
                "orders": round(row["orders_at_stake"], 1),
            }
            for row in found.causes.head(3).iter_rows(named=True)
        ],
    }


def _facts(before: pl.DataFrame, during: pl.DataFrame, since: date, until: date) -> pl.DataFrame:
    """What happened to each SKU that sold before: days without stock, listing, price paid."""
    engine = connections.postgres()
    keys = ["channel", "sku"]

    def price(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        paid = pl.when(pl.col("units").sum() > 0).then(pl.col("revenue").sum() / pl.col("units").sum())
        return frame.group_by(keys).agg(paid.alias(name))

    listed = order_counts.listed_products(engine)
    began = datetime.combine(since, time.min, UTC)
    listed = listed.join(order_counts.channels(engine, began), on="channel_id")
    out = (
        read.out_of_stock_days(engine)
        .filter(pl.col("is_out") & (pl.col("date") >= since) & (pl.col("date") < until))
        .group_by("product_id", "channel_id")
        .agg(out_share=pl.len() / (until - since).days)
    )
    states = listed.join(out, on=["product_id", "channel_id"], how="left").select(
        *keys, "is_listed", "out_share"
    )
    return (
        price(before, "price_before")
        .join(price(during, "price_during"), on=keys, how="left")
        .join(states.unique(keys), on=keys, how="left")
    )
