"""Orders of the last hours against what these hours usually bring → rules → episodes → messages."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from prefect import flow
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from alerts import demand_rules
from alerts.alert import Findings, Withheld
from flows import connections, deciding, order_drops, report
from flows.alerting import EVERY_MINUTES
from flows.delivery import deliver
from flows.instants import Instant
from models import order_hours, special_days
from models.order_hours import Special
from warehouse import order_counts, read

TYPES = ("anomaly", "trending")
SHOWN = 40
_NAMES = ("channel_id", "product_id", "category")


@flow(name="anomaly-alerts", flow_run_name="anomaly-alerts")
def anomaly_alerts(now: Instant | None = None) -> State[Any]:
    """Judge orders per account, category and SKU up to what has been read, and send what is due.

    Args:
        now: The instant to judge by. Empty: now. Without a zone: UTC.
    """
    now = now or datetime.now(UTC)
    decided = decide(now)
    sent = deliver(now)
    decided.show("anomaly-alerts")
    report.table("anomaly-alerts-sent", sent, "Messages handled in this run")
    return Completed(
        message=deciding.ended(decided, sent),
        data={"judged": decided.judged, "changes": decided.changes, "unsent": decided.unsent, "sent": sent},
    )


@materialize(report.ALERTS, asset_deps=[report.CORE], name="judge-orders", cache_policy=NO_CACHE)
def decide(now: datetime) -> deciding.Decided:
    """Rules over the hours that are provably read; a channel whose orders are not read up to now is left out."""
    thresholds = deciding.current_thresholds()
    counts, withheld = expectations(now, thresholds.data_for("").stale_factor)
    lately = now - timedelta(days=2)
    known = deciding.known_episodes(TYPES)
    told = {one.fingerprint for one in known if one.resolved_at is None or one.resolved_at > lately}
    findings = (
        demand_rules.order_anomalies(counts, now, thresholds, told=told)
        + demand_rules.trending_products(trends(counts), now, thresholds)
        + Findings(withheld=tuple(withheld))
    )
    report.table("anomaly-alerts-usual", _shown(counts), "Orders of whole channels beside what is usual")
    findings = order_drops.with_reasons(findings, now)
    return deciding.decide(findings, TYPES, now, judged=counts["subject"].n_unique())


def expectations(now: datetime, stale_factor: float) -> tuple[pl.DataFrame, list[Withheld]]:
    """The frame the demand rules read, and the channels that could not be judged, with the reason."""
    engine = connections.postgres()
    since = now - timedelta(weeks=order_hours.WEEKS, hours=2)
    channels = order_counts.channels(engine, since)
    hourly = order_counts.hourly(engine, since, now).with_columns(subject=_subject())
    names = _names(engine)
    limit = now - timedelta(minutes=EVERY_MINUTES["orders"] * stale_factor)
    frames: list[pl.DataFrame] = []
    withheld: list[Withheld] = []
    for channel in channels.iter_rows(named=True):
        read_until = channel["read_until"]
        is_fresh = read_until is not None and read_until >= limit
        read_until = min(read_until, now) if is_fresh else None
        own = hourly.filter(pl.col("channel_id") == channel["channel_id"])
        if read_until is None or own.is_empty():
            reason = "its orders are not read up to now" if read_until is None else "no orders in nine weeks"
            withheld.append(Withheld(channel["channel"], reason))
            continue
        until = _whole_hour(read_until)
        judged = order_hours.judge_windows(
            own, _subjects(own, channel), until, _specials(channel, until), read_until=read_until
        )
        if judged.is_empty():
            withheld.append(Withheld(channel["channel"], "less than two weeks of history"))
            continue
        parts = own.select("subject", *_NAMES).unique("subject")
        frames.append(
            judged.join(parts, on="subject").with_columns(
                channel=pl.lit(channel["channel"]), account=pl.lit(channel["account"])
            )
        )
    if not frames:
        return _nothing(names), withheld
    return _named(pl.concat(frames), names), withheld


def trends(counts: pl.DataFrame) -> pl.DataFrame:
    """The last seven days of each SKU, as the trend rule reads them."""
    week = (pl.col("period") == "hour") & (pl.col("hours") == 168) & ~pl.col("is_quiet")
    return counts.filter(week & pl.col("sku").is_not_null()).with_columns(days=pl.lit(7))


def _subject() -> pl.Expr:
    """One key per channel, category on it and product on it."""
    return pl.format(
        "{}/{}/{}",
        "channel_id",
        pl.col("product_id").cast(pl.String).fill_null(""),
        pl.col("category").fill_null(""),
    )


def _subjects(own: pl.DataFrame, channel: dict[str, Any]) -> pl.DataFrame:
    """Every subject of a channel, in the weekly shape of the channel as a whole."""
    return own.select("subject").unique(maintain_order=True).with_columns(
        shape=pl.lit(f"{channel['channel_id']}//"), timezone=pl.lit(channel["timezone"])
    )  # fmt: skip


def _specials(channel: dict[str, Any], until: datetime) -> dict[tuple[str, date], Special]:
    """Holidays among the days looked at; a year back is read only where one is near."""
    first, last = (
        (until - timedelta(weeks=order_hours.WEEKS, days=1)).date(),
        (until + timedelta(days=1)).date(),
    )
    country = channel["country"]
    days = [d for d in special_days.special_days(country, (first.year, last.year)) if first <= d <= last]
    totals: dict[date, float] = {}
    if any(day >= last - timedelta(days=9) for day in days):  # one that is judged, not only left out
        known = order_counts.daily(
            connections.postgres(), last - timedelta(days=430), last - timedelta(days=330)
        ).filter(pl.col("channel_id") == channel["channel_id"])
        totals = dict(zip(known["date"], known["orders"].cast(pl.Float64), strict=True))
    shape = f"{channel['channel_id']}//"
    return {
        (shape, day): each
        for day, each in special_days.effects(country, first, last, totals).items()
    }  # fmt: skip


def _names(engine: Any) -> pl.DataFrame:
    """SKU, name and category of each product on each channel, whether it is listed, and what is available."""
    products = order_counts.listed_products(engine)
    stock = read.stock_position(engine).select("channel_id", "product_id", "available")
    return products.join(stock, on=["channel_id", "product_id"], how="left")


def _named(judged: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """With the product's names; a product the catalogue does not know any more is left out."""
    keys = ["channel_id", "product_id"]
    found = judged.join(names.rename({"category": "own_category"}), on=keys, how="left")
    return found.with_columns(
        category=pl.coalesce("category", "own_category"), is_fresh=pl.lit(value=True)
    ).filter(pl.col("product_id").is_null() | pl.col("sku").is_not_null()).drop("own_category")  # fmt: skip


def _nothing(names: pl.DataFrame) -> pl.DataFrame:
    keys: dict[str, type[pl.DataType]] = {
        "channel_id": pl.Int64,
        "product_id": pl.Int64,
        "category": pl.String,
        "channel": pl.String,
    }
    empty = pl.DataFrame(schema={**order_hours.RESULT, **keys, "account": pl.String})
    return _named(empty, names)


def _whole_hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _shown(counts: pl.DataFrame) -> list[dict[str, Any]]:
    whole = counts.filter(pl.col("product_id").is_null() & pl.col("category").is_null())
    rows = whole.select(
        "channel",
        "period",
        pl.col("hours").round(1),
        since=pl.col("start_at").dt.to_string("%Y-%m-%d %H:%M"),
        observed=pl.col("observed"),
        usual=pl.col("expected").round(1),
    )
    return rows.head(SHOWN).to_dicts()
