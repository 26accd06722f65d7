"""Demand rules: counts beside what they should have been, in; anomalies and trends, out. Pure.

Counts frame, one row per subject and finished period: account, channel, channel_id, sku, product_id, name,
category (null where the count is of something wider), period ("hour" or "day"), start_at, observed,
expected; optional spread (variance over mean, at least 1), score (0 to 1), is_fresh, days (a trend's length).
`expected` is what that hour of that weekday should bring; computing it is the forecaster's work.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import erfc, exp, lgamma, log, sqrt
from typing import Any

import polars as pl

from alerts import wording
from alerts.alert import Alert, Facts, Findings, Severity, Withheld, account_of, fingerprint, seller_page
from alerts.thresholds import DemandThresholds, Thresholds

Row = Mapping[str, Any]


def order_anomalies(counts: pl.DataFrame, now: datetime, thresholds: Thresholds | None = None) -> Findings:
    """Drops and spikes of orders, per account, channel, category or SKU, in the last finished period.

    Both must hold: far off in per cent, and improbable (negative binomial tail, or the frame's own score).
    An outage shows on every SKU: when the channel as a whole has fallen, its SKUs are left out.
    """
    thresholds = thresholds or Thresholds()
    alerts: list[Alert] = []
    judged: set[str] = set()
    withheld: list[Withheld] = []
    for row in counts.iter_rows(named=True):
        limits = thresholds.demand_for(_account(row), row.get("category"), row.get("sku"))
        subject = _subject(row)
        if not limits.enabled:
            continue
        if row.get("is_fresh") is False:
            withheld.append(Withheld(subject, "the orders feed is stale"))
            continue
        judged.add(fingerprint("anomaly", f"{subject} {row['period']}"))
        direction = _direction(row, limits)
        if direction:
            alerts.append(_anomaly(row, subject, direction, limits, now))
    fallen = {alert.channels for alert in alerts if not _is_narrow(alert.facts)}
    kept = (a for a in alerts if not (_is_narrow(a.facts) and a.channels in fallen))
    return Findings(tuple(kept), frozenset(judged), tuple(withheld))


def trending_products(sales: pl.DataFrame, now: datetime, thresholds: Thresholds | None = None) -> Findings:
    """Products that sell well above their forecast over the last `days` days: good news with a task in it."""
    thresholds = thresholds or Thresholds()
    alerts: list[Alert] = []
    judged: set[str] = set()
    for row in sales.iter_rows(named=True):
        limits = thresholds.demand_for(_account(row), row.get("category"), row.get("sku"))
        if not limits.enabled or row.get("is_fresh") is False:
            continue
        subject = _subject(row)
        judged.add(fingerprint("trending", subject))
        expected, observed = float(row["expected"]), float(row["observed"])
        risen = expected > 0 and observed >= expected * (1 + limits.trend_rate)
        chance = tail(observed, max(expected, 1e-9), _spread(row))
        if risen and observed >= limits.trend_min_units and chance <= 0.01:
            facts = _facts(row, now) | {"days": row.get("days") or 7}
            alerts.append(_alert("trending", Severity.INFO, subject, facts, row))
    return Findings(tuple(alerts), frozenset(judged))


def tail(observed: float, expected: float, spread: float = 1.0) -> float:
    """Probability of a count at least this far off in its direction: Poisson, or negative binomial when
    the variance is `spread` times the mean. Exact sums for small counts, a normal tail above 10,000."""
    if expected > 10_000 or observed > 10_000:
        z = abs(observed - expected) / sqrt(expected * spread)
        return 0.5 * erfc(z / sqrt(2))
    low = sum(_mass(count, expected, spread) for count in range(int(observed) + 1))
    if observed < expected:
        return min(1.0, low)
    return max(0.0, min(1.0, 1.0 - low + _mass(int(observed), expected, spread)))


def _mass(count: int, expected: float, spread: float) -> float:
    if spread <= 1.001:
        return exp(count * log(expected) - expected - lgamma(count + 1))
    size = expected / (spread - 1)
    return exp(
        lgamma(count + size)
        - lgamma(size)
        - lgamma(count + 1)
        - size * log(spread)
        + count * log((spread - 1) / spread)
    )


def _direction(row: Row, limits: DemandThresholds) -> str | None:
    observed, expected = float(row["observed"]), float(row["expected"])
    if expected < limits.min_expected:
        return None
    direction = "drop" if observed < expected else "spike"
    far = observed <= expected * (1 - limits.drop_rate)
    if direction == "spike":
        far = observed >= expected * (1 + limits.spike_rate)
    score = row.get("score")
    if score is not None:
        improbable = score >= limits.min_score
    else:
        improbable = tail(observed, expected, _spread(row)) <= limits.max_probability
    return direction if far and improbable else None


def _anomaly(row: Row, subject: str, direction: str, limits: DemandThresholds, now: datetime) -> Alert:
    facts = _facts(row, now) | {
        "direction": direction,
        "probability": float(f"{tail(row['observed'], row['expected'], _spread(row)):.3g}"),
    }
    collapsed = direction == "drop" and row["observed"] <= row["expected"] * (1 - limits.critical_drop_rate)
    severity = Severity.CRITICAL if collapsed and not _is_narrow(facts) else Severity.WARNING
    return _alert("anomaly", severity, f"{subject} {row['period']}", facts, row)


def _alert(alert_type: str, severity: Severity, subject: str, facts: Facts, row: Row) -> Alert:
    return Alert(
        alert_type=alert_type,
        severity=severity,
        fingerprint=fingerprint(alert_type, subject),
        title=wording.title(alert_type, facts),
        message=wording.message(alert_type, facts),
        action_url=seller_page(row["channel"], row["sku"]) if row.get("channel") and row.get("sku") else None,
        product_id=row.get("product_id"),
        channel_id=row.get("channel_id"),
        facts=facts,
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
        "start_at": start.isoformat() if start else None,
        "observed": float(row["observed"]),
        "expected": round(float(row["expected"]), 2),
    }


def _is_narrow(facts: Facts) -> bool:
    return bool(facts.get("sku") or facts.get("category"))


def _subject(row: Row) -> str:
    return " ".join(_parts(row))


def _parts(row: Row) -> Iterator[str]:
    yield str(row.get("channel") or _account(row))
    if row.get("sku"):
        yield str(row["sku"])
    elif row.get("category"):
        yield f"category {row['category']}"


def _spread(row: Row) -> float:
    return max(1.0, float(row.get("spread") or 1.0))


def _account(row: Row) -> str:
    return str(row.get("account") or account_of(str(row["channel"])))
