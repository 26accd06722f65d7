"""Data rules: when the data itself is the news. Pure.

- freshness frame, one row per account and resource: account, resource, last_sync_at (null: never),
  every_minutes (the schedule's interval)
- refused frame, one row per account and resource of a run or day: account, resource, refused, rows
- drift frame, one row per measure of the forecasts that is clearly worse than promised: measure, found, promised,
  since
- difference frame, one row per channel, day and measure: channel, channel_id, date, measure, expected (the
  warehouse's figure), observed (the published one)
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from alerts import wording
from alerts.alert import Alert, Facts, Findings, Severity, account_of, fingerprint
from alerts.thresholds import Thresholds

Row = Mapping[str, Any]


def stale_feeds(freshness: pl.DataFrame, now: datetime, thresholds: Thresholds | None = None) -> Findings:
    """Accounts and resources whose last successful sync is several intervals ago."""
    thresholds = thresholds or Thresholds()
    alerts: list[Alert] = []
    judged: set[str] = set()
    for row in freshness.iter_rows(named=True):
        limits = thresholds.data_for(row["account"])
        if not limits.enabled:
            continue
        subject = f"{row['account']} {row['resource']}"
        judged.add(fingerprint("data_stale", subject))
        last, every = row["last_sync_at"], float(row["every_minutes"])
        late = (now - last).total_seconds() / 60 / every if last else None
        if late is not None and late < limits.stale_factor:
            continue
        gone = late is not None and late >= limits.stale_critical_factor
        facts: Facts = {
            "accounts": [row["account"]],
            "resource": row["resource"],
            "channels": [],
            "last_sync_at": last.isoformat() if last else None,
            "every_minutes": every,
        }
        severity = Severity.CRITICAL if gone else Severity.WARNING
        alerts.append(_alert("data_stale", severity, subject, facts))
    return Findings(tuple(alerts), frozenset(judged))


def refused_rows(refused: pl.DataFrame, thresholds: Thresholds | None = None) -> Findings:
    """Resources of which more records were refused than is normal, in number and in rate."""
    thresholds = thresholds or Thresholds()
    alerts: list[Alert] = []
    judged: set[str] = set()
    for row in refused.iter_rows(named=True):
        limits = thresholds.data_for(row["account"])
        if not limits.enabled or not row["rows"]:
            continue
        subject = f"{row['account']} {row['resource']}"
        judged.add(fingerprint("refused_rows", subject))
        if row["refused"] < limits.refused_rows or row["refused"] / row["rows"] < limits.refused_rate:
            continue
        facts: Facts = {
            "accounts": [row["account"]],
            "resource": row["resource"],
            "channels": [],
            "refused": int(row["refused"]),
            "rows": int(row["rows"]),
        }
        alerts.append(_alert("refused_rows", Severity.WARNING, subject, facts))
    return Findings(tuple(alerts), frozenset(judged))


def forecast_drift(drifted: pl.DataFrame, measured: Collection[str]) -> Findings:
    """What is clearly worse about the forecasts than their backtest promised; `measured` is all that was looked at."""
    alerts = []
    for row in drifted.iter_rows(named=True):
        facts: Facts = {
            "accounts": [],
            "channels": [],
            "measure": row["measure"],
            "found": float(row["found"]),
            "promised": float(row["promised"]),
            "since": row["since"].isoformat(),
        }
        alerts.append(_alert("forecast_drift", Severity.WARNING, row["measure"], facts))
    return Findings(tuple(alerts), frozenset(fingerprint("forecast_drift", name) for name in measured))


def reconciliation_differences(differences: pl.DataFrame, thresholds: Thresholds | None = None) -> Findings:
    """Days on which the published summary is not what the warehouse holds; the largest gap of a channel."""
    thresholds = thresholds or Thresholds()
    alerts: dict[str, Alert] = {}
    judged: set[str] = set()
    for row in sorted(differences.iter_rows(named=True), key=_gap, reverse=True):
        account = row.get("account") or account_of(row["channel"])
        limits = thresholds.data_for(account)
        if not limits.enabled:
            continue
        subject = f"{row['channel']} {row['measure']}"
        key = fingerprint("reconciliation", subject)
        judged.add(key)
        if _gap(row) <= limits.difference_amount or key in alerts:
            continue
        facts: Facts = {
            "accounts": [account],
            "channels": [row["channel"]],
            "measure": row["measure"],
            "date": row["date"].isoformat(),
            "expected": float(row["expected"]),
            "observed": float(row["observed"]),
        }
        alerts[key] = _alert("reconciliation", Severity.WARNING, subject, facts, row.get("channel_id"))
    return Findings(tuple(alerts.values()), frozenset(judged))


def _gap(row: Row) -> float:
    return abs(float(row["expected"]) - float(row["observed"]))


def _alert(
    alert_type: str, severity: Severity, subject: str, facts: Facts, channel_id: int | None = None
) -> Alert:
    return Alert(
        alert_type=alert_type,
        severity=severity,
        fingerprint=fingerprint(alert_type, subject),
        title=wording.title(alert_type, facts),
        message=wording.message(alert_type, facts),
        channel_id=channel_id,
        facts=facts,
    )
