"""Stock rules: a position frame in, alerts out. Pure; the same SKU on several channels is one alert.

Position frame, one row per channel and SKU: channel, channel_id, sku, product_id, name, category, available,
inbound, observed_at, is_fresh, is_confirmed, mean_daily, reorder_point, order_quantity, order_by_date,
lead_time_days, days_of_cover, stockout_date, p_stockout_lead_time; optional account (else the channel's
prefix), p_stockout_7d, p_stockout_14d, p_stockout_30d, and of what is on its way: deliveries (in how many `days` how
many `units`), overdue_days. Units are pieces, rates pieces a day. Cover and chances count what is on its way only if
it is there before the shelf is empty.

Nothing is concluded from a row that is stale, unconfirmed or without a stock figure: it is withheld, with
its reason, and the episodes about that SKU stay as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from math import ceil, isfinite
from typing import Any

import polars as pl

from alerts import wording
from alerts.alert import (
    Alert,
    Facts,
    Findings,
    Severity,
    Withheld,
    account_of,
    accounts_of,
    fingerprint,
    seller_page,
)
from alerts.thresholds import StockThresholds, Thresholds

Row = Mapping[str, Any]

POSITION_COLUMNS = (
    "channel channel_id sku product_id name category available inbound observed_at is_fresh is_confirmed "
    "mean_daily reorder_point order_quantity order_by_date lead_time_days days_of_cover stockout_date "
    "p_stockout_lead_time"
).split()
URGENT_TYPES = ("stockout", "low_stock", "restock")  # judged at every run
WEEKLY_TYPES = ("overstock", "slow_mover")
_WORST_FIRST = ("stockout", "critical", "warning", "restock")
# What an alert of each kind is called, and how soon it matters.
_KINDS = {
    "stockout": ("stockout", Severity.CRITICAL),
    "critical": ("low_stock", Severity.CRITICAL),
    "warning": ("low_stock", Severity.WARNING),
    "restock": ("restock", Severity.INFO),
    "overstock": ("overstock", Severity.INFO),
    "slow_mover": ("slow_mover", Severity.INFO),
}


def stock_alerts(
    position: pl.DataFrame, now: datetime, thresholds: Thresholds | None = None, *, weekly: bool = False
) -> Findings:
    """Stock-outs, low stock and reorders of a position frame, worst per SKU; weekly also what lies too long.

    One alert per SKU and type. The worst state of the SKU decides which of stock-out, low stock and
    restock is said; the milder ones are part of the same message. Raises ValueError on a missing column.
    """
    missing = set(POSITION_COLUMNS) - set(position.columns)
    if missing:
        raise ValueError(f"the position frame lacks {', '.join(sorted(missing))}")
    thresholds = thresholds or Thresholds()
    alerts: list[Alert] = []
    judged: set[str] = set()
    withheld: list[Withheld] = []
    types = URGENT_TYPES + WEEKLY_TYPES if weekly else URGENT_TYPES
    for sku, rows in groupby(position.sort("sku", "channel").iter_rows(named=True), key=lambda r: r["sku"]):
        certain: list[Row] = []
        uncertain: list[Withheld] = []
        for row in rows:
            reason = _why_uncertain(row)
            if reason is None:
                certain.append(row)
            else:
                uncertain.append(Withheld(f"{row['channel']} {sku}", reason))
        alerts.extend(_of_sku(certain, now, thresholds, weekly=weekly))
        withheld.extend(uncertain)
        if not uncertain:
            judged.update(fingerprint(kind, sku) for kind in types)
    judged.update(alert.fingerprint for alert in alerts)
    return Findings(tuple(alerts), frozenset(judged), tuple(withheld))


def _why_uncertain(row: Row) -> str | None:
    if not row["is_fresh"]:
        return "the inventory feed is stale"
    if not row["is_confirmed"]:
        return "the stock figure is not confirmed by a second read"
    if row["available"] is None:
        return "the channel did not say how much is available"
    return None


def _of_sku(rows: list[Row], now: datetime, thresholds: Thresholds, *, weekly: bool) -> Iterator[Alert]:
    own: dict[str, str] = {}  # the worst state of each channel
    lying: dict[str, list[Row]] = {}
    holding: dict[str, list[Row]] = {}
    for row in rows:
        limits = thresholds.stock_for(_account(row), row["category"], row["sku"])
        if not limits.enabled:
            continue
        found = set(_states(row, now.date(), limits, slack=1.0, weekly=weekly))
        urgent = next((kind for kind in _WORST_FIRST if kind in found), None)
        if urgent:
            own[row["channel"]] = urgent
        for kind in found.intersection(WEEKLY_TYPES):
            lying.setdefault(kind, []).append(row)
        for kind in _states(row, now.date(), limits, slack=limits.clear_ratio, weekly=weekly):
            holding.setdefault(kind, []).append(row)
    said = set()
    worst = next((kind for kind in _WORST_FIRST if kind in own.values()), None)
    if worst is not None:
        said.add(_KINDS[worst][0])
        concerned = [row for row in rows if own.get(row["channel"]) == worst]
        within = {row["channel"] for kind in _WORST_FIRST for row in holding.get(kind, ())}
        yield _alert(worst, concerned, rows, now, states=own, held=sorted(within - set(own)))
    for kind, those in lying.items():
        said.add(kind)
        yield _alert(kind, those, rows, now)
    for kind, band in holding.items():
        if _KINDS[kind][0] not in said:
            said.add(_KINDS[kind][0])
            yield _alert(kind, band, rows, now, holding=True)


def _states(row: Row, today: date, limits: StockThresholds, *, slack: float, weekly: bool) -> Iterator[str]:
    """The states a row is in. `slack` above 1 widens each to its clearing level (hysteresis)."""
    daily = row["mean_daily"] or 0.0
    available = max(0, row["available"])  # a negative stock means none can be sold
    sells = daily >= limits.min_daily_units
    cover = _cover(row)
    if available == 0:
        if sells:
            yield "stockout"
        return
    if sells and cover is not None:
        if _gone_within(row, cover, limits.critical_days, limits, slack) or _runs_out_first(
            row, today, limits, slack
        ):
            yield "critical"
        elif _gone_within(row, cover, limits.warning_days, limits, slack):
            yield "warning"
    if _reorder_reached(row, available, slack):
        yield "restock"
    if weekly:
        if daily < limits.slow_daily_units and available >= limits.slow_min_units:
            yield "slow_mover"
        elif cover is not None and cover > limits.overstock_days / slack:
            yield "overstock"


def _gone_within(row: Row, cover: float, days: float, limits: StockThresholds, slack: float) -> bool:
    """It lasts fewer than `days`, and that is likely enough where the forecast tells chances: stock whose middle
    course ends at 13.9 days is as likely to last a fortnight as not, which is no news."""
    chance = _chance_within(row, days)
    if chance is None:
        return cover < days * slack
    if slack > 1:  # an open alarm goes by the chance alone: cover leaps when a delivery may just be in time
        return chance >= limits.likely / 2
    return cover < days and chance >= limits.likely


def _chance_within(row: Row, days: float) -> float | None:
    """Chance to be out within `days`, between those the forecast tells; None where it tells none."""
    told = [(0.0, 0.0), *((span, row.get(f"p_stockout_{span:.0f}d")) for span in (7.0, 14.0, 30.0))]
    known = [(span, float(chance)) for span, chance in told if chance is not None and isfinite(chance)]
    if len(known) < len(told):
        return None
    for (left, low), (right, high) in pairwise(known):
        if days <= right:
            return low + (high - low) * (days - left) / (right - left)
    return known[-1][1]


def _reorder_reached(row: Row, available: int, slack: float) -> bool:
    """Stock and what is on its way are down to the reorder point, and there is something to order."""
    point, many = row["reorder_point"], row["order_quantity"]
    if point is None or not many or many <= 0:
        return False
    return bool(available + max(0, row["inbound"] or 0) <= point * slack)


def _runs_out_first(row: Row, today: date, limits: StockThresholds, slack: float) -> bool:
    """It will be gone before a delivery ordered today can arrive, by the forecast's distribution if known."""
    chance, lead = row["p_stockout_lead_time"], row["lead_time_days"]
    if chance is not None and isfinite(chance):
        return bool(chance >= (limits.lead_time_chance if slack == 1 else limits.lead_time_chance / 2))
    if lead is None or row["stockout_date"] is None:
        return False
    return bool(row["stockout_date"] < today + timedelta(days=float(lead)))


def _cover(row: Row) -> float | None:
    """Days of cover from the forecast; from the mean where the forecast has none."""
    stated = row["days_of_cover"]
    if stated is not None and isfinite(stated):
        return float(stated)
    daily = row["mean_daily"] or 0.0
    return max(0, row["available"]) / daily if daily > 0 else None


def _alert(
    kind: str,
    rows: list[Row],
    everywhere: list[Row],
    now: datetime,
    *,
    states: Mapping[str, str] | None = None,
    held: Sequence[str] = (),
    holding: bool = False,
) -> Alert:
    """`held`: channels that are in no state, but within the band in which what was told of them still holds."""
    alert_type, severity = _KINDS[kind]
    facts = _facts(kind, rows, everywhere, now.date())
    if states:
        facts["states"] = dict(states)
        facts["held"] = list(held)
        facts["also"] = [
            {**_listing(row), "state": states[row["channel"]]}
            for row in everywhere
            if row["channel"] in states and row not in rows
        ]
    if kind == "restock" and facts["order_by_date"] is not None and facts["order_by_date"] <= facts["today"]:
        severity = Severity.WARNING
    first = rows[0]
    return Alert(
        alert_type=alert_type,
        severity=severity,
        fingerprint=fingerprint(alert_type, first["sku"]),
        title=wording.title(alert_type, facts),
        message=wording.message(alert_type, facts),
        action_url=seller_page(first["channel"], first["sku"]),
        product_id=first["product_id"],
        channel_id=first["channel_id"] if len(rows) == 1 else None,
        facts=facts,
        holding=holding,
    )


def _facts(kind: str, rows: list[Row], everywhere: list[Row], today: date) -> Facts:
    """Figures of the channels concerned: sums of pieces, the earliest date, the worst cover and chance."""
    first = rows[0]
    order_by = min((row["order_by_date"] for row in rows if row["order_by_date"]), default=None)
    runs_out = min((row["stockout_date"] for row in rows if row["stockout_date"]), default=None)
    covers = [cover for row in rows if (cover := _cover(row)) is not None]
    return {
        "state": kind,
        "sku": first["sku"],
        "name": first["name"],
        "category": first["category"],
        "channels": [row["channel"] for row in rows],
        "channel_ids": [row["channel_id"] for row in rows],
        "accounts": accounts_of(rows),
        "today": today.isoformat(),
        "available": sum(max(0, row["available"]) for row in rows),
        "inbound": sum(max(0, row["inbound"] or 0) for row in rows),
        "mean_daily": round(sum(row["mean_daily"] or 0.0 for row in rows), 3),
        "days_of_cover": round(min(covers), 1) if covers else None,
        "stockout_date": runs_out.isoformat() if runs_out else None,
        "p_stockout_lead_time": _worst(rows, "p_stockout_lead_time"),
        "reorder_point": _total(rows, "reorder_point"),
        "order_quantity": _total(rows, "order_quantity"),
        "order_by_date": order_by.isoformat() if order_by else None,
        "lead_time_days": _worst(rows, "lead_time_days"),
        "observed_at": min(row["observed_at"] for row in rows).isoformat(),
        **_delivery(rows, today),
        "listings": [_listing(row) for row in everywhere],
    }


def _listing(row: Row) -> Facts:
    cover, runs_out = _cover(row), row["stockout_date"]
    return {
        "channel": row["channel"],
        "available": max(0, row["available"]),
        "inbound": max(0, row["inbound"] or 0),
        "mean_daily": round(row["mean_daily"] or 0.0, 3),
        "days_of_cover": round(cover, 1) if cover is not None else None,
        "stockout_date": runs_out.isoformat() if runs_out else None,
        "order_quantity": _total([row], "order_quantity"),
        "order_by_date": row["order_by_date"].isoformat() if row["order_by_date"] else None,
    }


def _delivery(rows: list[Row], today: date) -> Facts:
    """The first delivery still on its way to these channels, and by how many days the oldest is overdue."""
    coming = [each for row in rows for each in row.get("deliveries") or ()]
    first = min((each["days"] for each in coming), default=None)
    late = _worst([row for row in rows if row.get("overdue_days") is not None], "overdue_days")
    return {
        "delivery_date": (today + timedelta(days=ceil(first))).isoformat() if first is not None else None,
        "overdue_days": round(late) if late else 0,
    }


def _total(rows: list[Row], column: str) -> int | None:
    figures = [row[column] for row in rows if row[column] is not None and isfinite(row[column])]
    return round(sum(figures)) if figures else None


def _worst(rows: list[Row], column: str) -> float | None:
    figures = [float(row[column]) for row in rows if row[column] is not None and isfinite(row[column])]
    return round(max(figures), 4) if figures else None


def _account(row: Row) -> str:
    return str(row.get("account") or account_of(row["channel"]))
