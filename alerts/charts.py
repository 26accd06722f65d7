"""Figures for the one picture of an e-mail: stock so far, and the stock the forecast leaves, day by day. Pure.

- stock history frame: channel, sku, date, available (end of day)
- forecast frame: series_id (`<channel>|<sku>`), date, yhat, lo80, hi80 (demand a day, in pieces)
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from alerts.alert import Alert, Facts
from alerts.rules import URGENT_TYPES

_DAYS_BACK, _DAYS_AHEAD = 35, 42


def attach(
    alerts: Iterable[Alert], history: pl.DataFrame, forecast: pl.DataFrame, today: date
) -> tuple[Alert, ...]:
    """The alerts, stock alerts among them with `facts["chart"]` where both frames know their channels."""
    stock = _by_listing(history.with_columns(series=pl.format("{}|{}", "channel", "sku")), "series")
    demand = _by_listing(forecast, "series_id")
    return tuple(
        replace(alert, facts={**alert.facts, "chart": chart})
        if alert.alert_type in URGENT_TYPES and (chart := _chart(alert, stock, demand, today))
        else alert
        for alert in alerts
    )


def chart(
    history: Iterable[tuple[date, float]],
    demand: Iterable[tuple[date, float, float, float]],
    available: float,
    today: date,
    reorder_point: float | None = None,
) -> Facts:
    """Chart facts of one listing: `observed` [day, units], `expected` [day, middle, low, high] of the stock left.

    The band is where the stock goes if every day's demand comes in at the end of its 80 % interval, so it is
    wider than an 80 % interval of the sum: a promise not to be surprised, not a probability.
    """
    middle = low = high = float(available)
    expected: list[list[object]] = [[today.isoformat(), middle, low, high]]
    runs_out: str | None = None
    for day, mid, lo, hi in sorted(demand):
        if day <= today or len(expected) > _DAYS_AHEAD:  # today's sales have left their mark already
            continue
        middle, low, high = max(0.0, middle - mid), max(0.0, low - hi), max(0.0, high - lo)
        if middle < 0.5 and runs_out is None:
            runs_out = day.isoformat()
        expected.append([day.isoformat(), round(middle, 1), round(low, 1), round(high, 1)])
        if high <= 0.5:  # gone even in the best case: nothing to show beyond
            break
    observed = [[day.isoformat(), float(units)] for day, units in sorted(history) if day <= today]
    return {
        "observed": observed[-_DAYS_BACK:],
        "expected": expected,
        "runs_out": runs_out,
        "reorder_point": reorder_point,
    }


def _chart(
    alert: Alert,
    stock: dict[str, list[dict[str, Any]]],
    demand: dict[str, list[dict[str, Any]]],
    today: date,
) -> Facts | None:
    """Sum of the alert's channels: a merchant sees one SKU, not three curves."""
    keys = [f"{channel}|{alert.sku}" for channel in alert.channels]
    if not keys or not all(key in demand for key in keys):
        return None
    days: dict[date, float] = {}
    for row in _rows(stock, keys):
        days[row["date"]] = days.get(row["date"], 0.0) + float(row["available"] or 0)
    sold: dict[date, list[float]] = {}
    for row in _rows(demand, keys):
        total = sold.setdefault(row["date"], [0.0, 0.0, 0.0])
        for place, name in enumerate(("yhat", "lo80", "hi80")):
            total[place] += float(row[name])
    figures = [(day, mid, lo, hi) for day, (mid, lo, hi) in sold.items()]
    facts = alert.facts
    drawn = chart(days.items(), figures, facts["available"], today, facts.get("reorder_point"))
    # The date the message states, so that text and picture never disagree.
    return {**drawn, "runs_out": facts.get("stockout_date") or drawn["runs_out"]}


def _rows(frames: dict[str, list[dict[str, Any]]], keys: list[str]) -> Iterable[dict[str, Any]]:
    return (row for key in keys for row in frames.get(key, []))


def _by_listing(frame: pl.DataFrame, column: str) -> dict[str, list[dict[str, Any]]]:
    return {str(key[0]): part.to_dicts() for key, part in frame.partition_by(column, as_dict=True).items()}
