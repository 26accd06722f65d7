"""Yesterday's truth against the forecasts of it: measured, and told when they are worse than they were."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from prefect import get_run_logger
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE

from alerts import data_rules
from flows import connections, deciding, report
from models import drift
from warehouse import forecast_accuracy, forecasts

TYPES = ("forecast_drift",)
LEAST_BETWEEN = timedelta(days=6)  # trainings for drift: a new one needs days to show what it is worth
_DRIFTS = {
    "measure": pl.String,
    "found": pl.Float64,
    "promised": pl.Float64,
    "error": pl.Float64,
    "since": pl.Date,
}


@materialize(report.ACCURACY, asset_deps=[report.CORE], name="measure-accuracy", cache_policy=NO_CACHE)
def measure(now: datetime) -> bool:
    """Compare past forecasts with what was sold, open or close the drift alerts; whether to train anew tonight."""
    log = get_run_logger()
    engine = connections.postgres()
    rows = forecast_accuracy.measure(engine, now, most_days=2 * drift.WINDOW_DAYS)
    daily = forecast_accuracy.by_day(engine, now.date() - timedelta(days=drift.WINDOW_DAYS))
    promised = promises(forecasts.latest_scores(engine))
    found = drift.drifts(daily, promised, today=now.date())
    log.info("%s days measured (%s rows), %s measures have drifted", daily.height, rows, len(found))
    report.wrote(days=daily.height, rows=rows, drifted=len(found))
    report.table("forecast-accuracy", _shown(daily), "Forecasts of past days against what was sold")
    findings = data_rules.forecast_drift(
        pl.DataFrame([asdict(one) for one in found], schema=_DRIFTS),
        promised if daily.height >= drift.LEAST_DAYS else (),
    )
    deciding.decide(findings, TYPES, now, judged=len(promised))
    trained = forecasts.trained_at(engine)
    return bool(found) and (trained is None or now - trained >= LEAST_BETWEEN)


def promises(scores: list[dict[str, Any]]) -> dict[str, float]:
    """What the backtest of the models in use said of the ensemble; empty before there was one."""
    mine = next((score for score in scores if score.get("model") == "ensemble"), {})
    return {name: float(mine[name]) for name in drift.MEASURES if mine.get(name) is not None}


def _shown(daily: pl.DataFrame) -> list[dict[str, Any]]:
    return daily.select(
        pl.col("date").cast(pl.String),
        units=pl.col("units").round(0),
        wape=(pl.col("absolute") / pl.col("units")).round(3),
        bias=(pl.col("signed") / pl.col("units")).round(3),
        within_80=(pl.col("inside") / pl.col("days")).round(3),
    ).to_dicts()
