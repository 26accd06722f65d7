"""Demand rules: counts beside what they should have been, in; anomalies and trends, out. Pure.

Counts frame, one row per subject on a channel and window of finished hours: account, channel, channel_id, sku,
product_id, name, category (null where the count is of something wider), period ("hour" or "day"), start_at,
observed, expected; optional date (the local day), hours (how long), spread (variance over mean, at least 1), score
(0 to 1, then it decides instead of the probability), is_fresh, available (0: out of stock), is_listed, is_quiet (not a
window but the stretch from the last order, at start_at, until now).
`expected` is what those hours of the week should bring; computing it is the forecaster's work (models.order_hours).

A subject is an account, a category of one, or a SKU: what happens on several channels at once is one alert.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import polars as pl

from alerts import wording
from alerts.alert import Alert, Facts, Findings, Severity, Withheld, account_of, fingerprint, seller_page
from alerts.order_gaps import DROP, SPIKE, Gap, Limits, Row, find_gap, hours_of, quiet_limit, spread_of, tail
from alerts.thresholds import Thresholds

# One product (or category) behind so much of the gap of the whole explains it.
_EXPLAINS = 0.7
_DAYS_A_MONTH = 30
_SUBJECT = ("account", "channel", "category", "sku")


def order_anomalies(
    counts: pl.DataFrame,
    now: datetime,
    thresholds: Thresholds | None = None,
    *,
    told: Collection[str] = (),
) -> Findings:
    """Drops and spikes of orders, per account, category or SKU, in windows that have just ended.

    Both must hold: far off in per cent, and improbable (negative binomial tail, shared out over the windows looked
    at). The latest hours must agree, so that a trouble that is over does not go on in the longer windows. An outage
    shows on every SKU: its SKUs are left out; a SKU that is most of a drop is told instead of the drop.
    `told`: fingerprints of hourly episodes of late; the day they fell on is not told again.
    """
    demand_for = cache((thresholds or Thresholds()).demand_for)
    counts = _in_stock(counts)
    orders = _orders_a_month(counts)
    gaps: list[Gap] = []
    judged: dict[str, bool] = {}
    withheld: list[Withheld] = []
    for windows in _by_subject(counts):
        row = windows[0]
        own = demand_for(_account(row), row.get("category"), row.get("sku"))
        if not own.enabled:
            continue
        limits = Limits(own, quiet_limit(own, orders.get(_kind(row), 0.0)))
        stale = row.get("is_fresh") is False
        for direction in (DROP, SPIKE):
            key = _fingerprint(row, direction)
            out = direction == DROP and row.get("sku") and row.get("available") == 0
            judged[key] = judged.get(key, True) and not stale and not out
            gap = None if stale else find_gap(windows, direction, limits)
            if gap is not None and out:
                withheld.append(
                    Withheld(f"{_place(row)} {row['period']}", "it is out of stock: the stock alert says so")
                )
            elif gap is not None:
                gaps.append(gap)
        if stale:
            withheld.append(Withheld(_place(row), "the orders feed is stale"))
    alerts, silenced = _alerts(_explained(gaps), counts, now, told)
    fired = {alert.fingerprint for alert in alerts}
    kept = frozenset({key for key, certain in judged.items() if certain} | fired) - {
        s.subject for s in silenced
    }
    return Findings(tuple(alerts), kept, (*withheld, *silenced))


def _in_stock(counts: pl.DataFrame) -> pl.DataFrame:
    """What accounts and categories should bring with what they have in stock: less what sold-out SKUs lack."""
    if "available" not in counts.columns or counts.is_empty():
        return counts
    if "is_quiet" not in counts.columns:
        counts = counts.with_columns(is_quiet=pl.lit(value=False))
    windows, silences = counts.filter(~pl.col("is_quiet")), counts.filter("is_quiet")
    keys = ["account", "channel", "period", *(["hours"] if "hours" in counts.columns else [])]
    lacking = (pl.col("expected") - pl.col("observed")).clip(lower_bound=0).sum().alias("_lacking")
    out = windows.filter(pl.col("sku").is_not_null() & (pl.col("available") == 0))
    of_channel = out.group_by(keys).agg(lacking).with_columns(category=pl.lit(None, pl.String))
    of_category = out.filter(pl.col("category").is_not_null()).group_by(*keys, "category").agg(lacking)
    both = pl.concat([of_channel, of_category], how="diagonal_relaxed").with_columns(
        sku=pl.lit(None, pl.String)
    )
    joined = windows.join(both, on=[*keys, "category", "sku"], how="left", nulls_equal=True).with_columns(
        _there=1 - pl.col("_lacking").fill_null(0.0) / pl.col("expected")
    )
    if not silences.is_empty():  # a silence lacks the share that the latest hour does
        latest = joined.sort("hours").unique([*_SUBJECT, "period"], keep="first")
        shares = latest.select(*_SUBJECT, "period", "_there")
        silences = silences.join(shares, on=[*_SUBJECT, "period"], how="left", nulls_equal=True)
        joined = pl.concat([joined, silences], how="diagonal")
    there = pl.col("expected") * pl.col("_there").fill_null(1.0)
    return joined.with_columns(expected=there.clip(lower_bound=1e-6)).drop("_lacking", "_there")


def _by_subject(counts: pl.DataFrame) -> Iterator[list[Row]]:
    """The windows of each subject on each channel by period, shortest first."""
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in counts.iter_rows(named=True):
        key = (_account(row), row.get("channel"), row.get("category"), row.get("sku"), row["period"])
        found[key].append(row)
    for windows in found.values():
        yield sorted(windows, key=hours_of)


def _orders_a_month(counts: pl.DataFrame) -> dict[str, float]:
    """Orders expected in a month by kind of subject, from the longest window of each."""
    found: dict[str, float] = defaultdict(float)
    if "is_quiet" not in counts.columns or not counts["is_quiet"].any():
        return found
    windows = counts.filter(~pl.col("is_quiet") & (pl.col("period") == "hour"))
    longest = windows.filter(pl.col("hours") == windows["hours"].max())
    for row in longest.iter_rows(named=True):
        found[_kind(row)] += float(row["expected"]) * 24 * _DAYS_A_MONTH / hours_of(row)
    return found


def _kind(row: Row) -> str:
    return "sku" if row.get("sku") else "category" if row.get("category") else "channel"


def _explained(gaps: list[Gap]) -> list[Gap]:
    """Without those another one explains: a part behind most of the whole, else the parts of a whole."""
    kept = list(gaps)
    for wide in sorted((gap for gap in gaps if not gap.row.get("sku")), key=lambda gap: _is_narrow(gap.row)):
        if wide not in kept:
            continue
        parts = [gap for gap in kept if _is_part(gap, wide)]
        if any(part.hourly >= _EXPLAINS * wide.hourly and part.holding == wide.holding for part in parts):
            kept.remove(wide)
        elif not wide.holding:
            kept = [gap for gap in kept if gap not in parts]
    return kept


def _is_part(gap: Gap, whole: Gap) -> bool:
    one, all_of = gap.row, whole.row
    if gap is whole or gap.direction != whole.direction or one.get("channel") != all_of.get("channel"):
        return False
    if _account(one) != _account(all_of) or one["period"] != all_of["period"]:
        return False
    if _is_narrow(all_of):
        return bool(one.get("sku")) and one.get("category") == all_of.get("category")
    return _is_narrow(one)


def _alerts(
    gaps: list[Gap], counts: pl.DataFrame, now: datetime, told: Collection[str]
) -> tuple[list[Alert], list[Withheld]]:
    """One alert per subject, direction and period; a day whose hours were told is not told again."""
    together: dict[str, list[Gap]] = defaultdict(list)
    for gap in gaps:
        together[_fingerprint(gap.row, gap.direction)].append(gap)
    hourly = {key for key in (*together, *told) if key.endswith(" hour")}
    alerts: list[Alert] = []
    silenced: list[Withheld] = []
    for key, found in together.items():
        if key.endswith(" day") and key.removesuffix(" day") + " hour" in hourly:
            silenced.append(Withheld(key, "the hourly alert said it"))
        else:
            firing = [gap for gap in found if not gap.holding] or found
            alerts.append(_anomaly(key, firing, counts, now))
    return alerts, silenced


def _anomaly(key: str, gaps: list[Gap], counts: pl.DataFrame, now: datetime) -> Alert:
    strongest = min(gaps, key=lambda gap: gap.probability)
    row, limits = strongest.row, strongest.limits
    facts = _facts(row, now) | {
        "direction": strongest.direction,
        "hours": _whole(hours_of(row)),
        "is_quiet": bool(row.get("is_quiet")),
        "probability": float(f"{strongest.probability:.3g}"),
        "is_listed": row.get("is_listed"),
        "channels": sorted({str(gap.row["channel"]) for gap in gaps if gap.row.get("channel")}),
    }
    if len(gaps) > 1:
        facts |= _sums(gaps, row, counts)
    collapsed = facts["observed"] <= facts["expected"] * (1 - limits.own.critical_drop_rate)
    critical = strongest.direction == DROP and collapsed and not _is_narrow(row)
    severity = Severity.CRITICAL if critical else Severity.WARNING
    return _alert("anomaly", severity, key, facts, row, holding=all(gap.holding for gap in gaps))


def _sums(gaps: list[Gap], row: Row, counts: pl.DataFrame) -> Facts:
    """Observed and expected of every channel concerned, over the window of the strongest gap; of silences, over each
    channel's own."""
    if row.get("is_quiet"):
        expected = sum(float(gap.row["expected"]) for gap in gaps if gap.row.get("is_quiet"))
        return {"observed": 0.0, "expected": round(expected, 2)}
    same = counts.filter(
        pl.col("channel").is_in([gap.row["channel"] for gap in gaps]),
        pl.col("sku").eq_missing(pl.lit(row.get("sku"))),
        pl.col("category").eq_missing(pl.lit(row.get("category"))),
        pl.col("period") == row["period"],
    )
    if "hours" in same.columns:
        same = same.filter(pl.col("hours") == row["hours"])
    return {"observed": float(same["observed"].sum()), "expected": round(float(same["expected"].sum()), 2)}


def explained(alert: Alert, reasons: Mapping[str, list[Facts]]) -> Alert:
    """The alert with what explains it: per channel what is missing, which parts carry that, and causes."""
    if not reasons.get(alert.fingerprint):
        return alert
    facts = alert.facts | {"why": reasons[alert.fingerprint]}
    return replace(alert, facts=facts, message=wording.message(alert.alert_type, facts))


def trending_products(sales: pl.DataFrame, now: datetime, thresholds: Thresholds | None = None) -> Findings:
    """Products ordered well above what is usual over the last `days` days: good news with a task in it.

    Same columns; a SKU on several channels is one alert with the sums of those where it is fresh.
    """
    limits_of = cache((thresholds or Thresholds()).demand_for)
    alerts: list[Alert] = []
    judged: set[str] = set()
    by_sku: dict[str, list[Row]] = defaultdict(list)
    for row in sales.iter_rows(named=True):
        limits = limits_of(_account(row), row.get("category"), row.get("sku"))
        if limits.enabled and row.get("is_fresh") is not False:
            by_sku[row["sku"]].append(row)
    for sku, rows in by_sku.items():
        limits = limits_of(_account(rows[0]), rows[0].get("category"), sku)
        judged.add(fingerprint("trending", sku))
        observed = sum(float(row["observed"]) for row in rows)
        expected = sum(float(row["expected"]) for row in rows)
        risen = expected > 0 and observed >= expected * (1 + limits.trend_rate)
        chance = tail(observed, max(expected, 1e-9), max(spread_of(row) for row in rows))
        if risen and observed >= limits.trend_min_units and chance <= limits.trend_max_probability:
            first = max(rows, key=lambda row: float(row["observed"]))
            facts = _facts(first, now) | {
                "days": first.get("days") or 7,
                "observed": observed,
                "expected": round(expected, 2),
                "channels": sorted({str(row["channel"]) for row in rows}),
                "accounts": sorted({_account(row) for row in rows}),
            }
            alerts.append(_alert("trending", Severity.INFO, fingerprint("trending", sku), facts, first))
    return Findings(tuple(alerts), frozenset(judged))


def _alert(
    alert_type: str, severity: Severity, key: str, facts: Facts, row: Row, *, holding: bool = False
) -> Alert:
    return Alert(
        alert_type=alert_type,
        severity=severity,
        fingerprint=key,
        title=wording.title(alert_type, facts),
        message=wording.message(alert_type, facts),
        action_url=seller_page(row["channel"], row["sku"]) if row.get("channel") and row.get("sku") else None,
        product_id=row.get("product_id"),
        channel_id=row.get("channel_id") if len(facts["channels"]) == 1 else None,
        facts=facts,
        holding=holding,
    )


def _facts(row: Row, now: datetime) -> Facts:
    start = row.get("start_at")
    return {
        "sku": row.get("sku"),
        "name": row.get("name"),
        "category": row.get("category"),
        "channels": [row["channel"]] if row.get("channel") else [],
        "accounts": [_account(row)],
        "today": now.date().isoformat(),
        "period": row.get("period"),
        "date": row["date"].isoformat() if row.get("date") else None,
        "start_at": start.isoformat() if start else None,
        "observed": float(row["observed"]),
        "expected": round(float(row["expected"]), 2),
    }


def _fingerprint(row: Row, direction: str) -> str:
    return fingerprint("anomaly", f"{_subject(row)} {direction} {row['period']}")


def _subject(row: Row) -> str:
    """What an alert is about, whatever the channel: the SKU, the account's category, or the account."""
    if row.get("sku"):
        return str(row["sku"])
    if row.get("category"):
        return f"{_account(row)} category {row['category']}"
    return _account(row)


def _place(row: Row) -> str:
    return " ".join(str(part) for part in (row.get("channel"), _subject(row)) if part)


def _is_narrow(row: Row) -> bool:
    return bool(row.get("sku") or row.get("category"))


def _whole(hours: float) -> float:
    return int(hours) if hours.is_integer() else round(hours, 2)


def _account(row: Row) -> str:
    return str(row.get("account") or account_of(str(row["channel"])))
