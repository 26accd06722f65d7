"""The smallest valid position rows, frames, payloads and findings for tests of alerts."""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from alerts.alert import Alert
from alerts.charts import attach
from alerts.episodes import Episode, Transition
from alerts.rules import stock_alerts

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TODAY = NOW.date()

POSITION_SCHEMA: dict[str, Any] = {
    "channel": pl.String,
    "channel_id": pl.Int64,
    "sku": pl.String,
    "product_id": pl.Int64,
    "name": pl.String,
    "category": pl.String,
    "available": pl.Int64,
    "inbound": pl.Int64,
    "observed_at": pl.Datetime("us", "UTC"),
    "is_fresh": pl.Boolean,
    "is_confirmed": pl.Boolean,
    "mean_daily": pl.Float64,
    "reorder_point": pl.Float64,
    "order_quantity": pl.Float64,
    "order_by_date": pl.Date,
    "lead_time_days": pl.Float64,
    "days_of_cover": pl.Float64,
    "stockout_date": pl.Date,
    "p_stockout_lead_time": pl.Float64,
}


def position_row(sku: str = "MUG-01", channel: str = "amazon-us", **known: Any) -> dict[str, Any]:
    """A healthy listing: 300 pieces, four sold a day, nothing to do. Name what differs."""
    row = {
        "channel": channel,
        "channel_id": {"amazon-us": 1, "shopify-harbor": 2, "walmart-us": 3}.get(channel, 9),
        "sku": sku,
        "product_id": 7,
        "name": "Blue stoneware mug",
        "category": "Kitchen",
        "available": 300,
        "inbound": 0,
        "observed_at": NOW - timedelta(minutes=12),
        "is_fresh": True,
        "is_confirmed": True,
        "mean_daily": 4.0,
        "reorder_point": 80.0,
        "order_quantity": 0.0,
        "order_by_date": None,
        "lead_time_days": 14.0,
        "days_of_cover": None,
        "stockout_date": None,
        "p_stockout_lead_time": 0.01,
    }
    return row | known


def position(*rows: dict[str, Any]) -> pl.DataFrame:
    """A position frame of the rows."""
    return pl.DataFrame(list(rows), schema=POSITION_SCHEMA)


def running_low(sku: str = "MUG-01", channel: str = "amazon-us", **known: Any) -> dict[str, Any]:
    """A listing with ten days left that should be reordered tomorrow."""
    row = position_row(sku, channel, available=41, days_of_cover=10.2, p_stockout_lead_time=0.34)
    row |= {"stockout_date": TODAY + timedelta(days=10), "order_quantity": 120.0}
    return row | {"order_by_date": TODAY + timedelta(days=1)} | known


def nearly_out(sku: str = "MUG-01", channel: str = "amazon-us", **known: Any) -> dict[str, Any]:
    """A listing that will be empty before a delivery ordered today can arrive."""
    row = running_low(sku, channel, available=18, days_of_cover=4.4, p_stockout_lead_time=0.97)
    return row | {"stockout_date": TODAY + timedelta(days=4), "order_by_date": TODAY} | known


def sold_out(sku: str = "MUG-01", channel: str = "amazon-us", **known: Any) -> dict[str, Any]:
    """A listing with nothing available that sells four a day."""
    row = nearly_out(sku, channel, available=0, days_of_cover=0.0, p_stockout_lead_time=1.0)
    return row | {"stockout_date": TODAY} | known


def stock_history(sku: str, channel: str, ends_with: int, days: int = 35) -> pl.DataFrame:
    """Stock at the end of each day, falling with sales and refilled once."""
    rows = []
    level = float(ends_with)
    for back in range(days):
        day = TODAY - timedelta(days=back)
        rows.append({"channel": channel, "sku": sku, "date": day, "available": round(level)})
        level += 4 + 2.2 * math.sin(back * 0.9) + (back % 7 in {0, 1}) * 2
        if back == 19:
            level -= 120
            level = max(level, 6)
    return pl.DataFrame(rows, schema_overrides={"date": pl.Date, "available": pl.Int64})


def forecast(sku: str, channel: str, daily: float = 4.0, days: int = 28) -> pl.DataFrame:
    """A forecast with a weekend peak, in the columns the charts read."""
    rows = []
    for ahead in range(days):
        day = TODAY + timedelta(days=ahead)
        mid = daily * (1.35 if day.weekday() >= 5 else 0.9)
        rows.append(
            {"series_id": f"{channel}|{sku}", "date": day, "yhat": mid, "lo80": mid * 0.55, "hi80": mid * 1.5}
        )
    return pl.DataFrame(rows, schema_overrides={"date": pl.Date})


def charted(*rows: dict[str, Any]) -> tuple[Alert, ...]:
    """Stock alerts of the rows, with their charts."""
    histories = [stock_history(row["sku"], row["channel"], row["available"]) for row in rows]
    forecasts = [forecast(row["sku"], row["channel"], row["mean_daily"]) for row in rows]
    found = stock_alerts(position(*rows), NOW)
    return attach(found.alerts, pl.concat(histories), pl.concat(forecasts), TODAY)


def applied(episodes: list[Episode], transitions: tuple[Transition, ...], now: datetime) -> list[Episode]:
    """What a warehouse would hold after storing the transitions."""
    kept = {(e.fingerprint, e.opened_at): e for e in episodes}
    for change in transitions:
        opened_at = datetime.fromisoformat(change.facts["opened_at"])
        row = change.as_dict() | {
            "opened_at": opened_at,
            "resolved_at": now if change.change == "resolved" else None,
        }
        before = kept.get((change.fingerprint, opened_at))
        if before is not None:
            row |= {"acknowledged_at": before.acknowledged_at, "snoozed_until": before.snoozed_until}
        kept[change.fingerprint, opened_at] = Episode.from_row(row)
    return list(kept.values())


def day(offset: int) -> date:
    """A day relative to the tests' today."""
    return TODAY + timedelta(days=offset)
