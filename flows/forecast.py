"""History → backtest → forecast → reorder points."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from prefect import flow, get_run_logger
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import connections, reordering, report
from models import forecast as forecasting
from models import plots
from models.base import Effort, ForecastSettings
from models.forecast import ForecastResult
from warehouse import demand_sums, forecasts, plans, read


@flow(name="forecast", flow_run_name="forecast-{day}")
def forecast(
    day: date | None = None,
    horizon_days: int | None = None,
    effort: Effort = "full",
    best_sellers: int | None = None,
) -> State[Any]:
    """Forecast every SKU x channel from `day` (default: today) on, and plan reorders, with the stored models.

    `best_sellers`: only so many series, those that sold most in the last 90 days.
    """
    day = day or datetime.now(UTC).date()
    return _state(predict(day, horizon_days or _horizon(), effort, retrain=None, best_sellers=best_sellers))


@flow(name="train", flow_run_name="train-{day}")
def train(day: date | None = None, horizon_days: int | None = None, effort: Effort = "full") -> State[Any]:
    """Fit every model anew, measure it against what came, and keep it for the nights of the week."""
    return _state(predict(day or datetime.now(UTC).date(), horizon_days or _horizon(), effort, retrain=True))


@flow(name="backtest", flow_run_name="backtest-{folds}x{horizon_days}-days")
def backtest(
    horizon_days: int = 28, folds: int = 2, effort: Effort = "full", day: date | None = None
) -> State[Any]:
    """Score every model against what came, from origins the models had not seen past."""
    scores = score(day or datetime.now(UTC).date(), horizon_days, folds, effort)
    return Completed(message=f"{folds} origins x {horizon_days} days", data=scores)


@materialize(report.FORECASTS, asset_deps=[report.CORE], name="predict", cache_policy=NO_CACHE)
def predict(
    day: date, horizon: int, effort: Effort, *, retrain: bool | None, best_sellers: int | None = None
) -> dict[str, Any]:
    """Fit where needed, forecast, plan, store; the frames stay in here."""
    log = get_run_logger()
    engine = connections.postgres()
    settings = connections.settings()
    history = read.daily_demand(engine, until=day, best_sellers=best_sellers)
    if history.is_empty():
        return {"series": 0, "horizon_days": horizon}
    last_day = history["date"].max()
    assert isinstance(last_day, date)
    result = forecasting.run(
        history,
        horizon,
        settings=ForecastSettings(effort=effort, workers=settings.workers, retrain=retrain, origin=last_day),
        registry=model_registry(),
        progress=lambda step, done, total: log.info("%s: %s of %s", step, done, total),
    )
    for note in result.notes:
        log.warning("%s", note)
    generated_at = datetime.now(UTC)
    # Stored models were measured when they were trained; those scores still stand.
    scores = result.backtest.scores.to_dicts() if result.backtest else forecasts.latest_scores(engine)
    rows = forecasts.save(
        engine,
        result.frame,
        generated_at,
        scores={score["model"]: score for score in scores},
        history_until=last_day,
    )
    demand_sums.save(engine, result.cumulative, generated_at=generated_at)
    planned = reordering.plan(engine, settings, day, result.frame, result.cumulative)
    plans.save(engine, planned, generated_at)
    _show(history, result)
    return {
        "series": result.frame["series_id"].n_unique(),
        "horizon_days": horizon,
        "rows": rows,
        "plans": planned.height,
        "notes": result.notes,
        "scores": scores,
    }


@materialize(
    "postgres://wharf/core/forecast_accuracy", asset_deps=[report.CORE], name="score", cache_policy=NO_CACHE
)
def score(day: date, horizon: int, folds: int, effort: Effort) -> list[dict[str, Any]]:
    """Rolling-origin backtest; only scores leave it."""
    log = get_run_logger()
    result = forecasting.backtest(
        read.daily_demand(connections.postgres(), until=day),
        horizon,
        folds,
        settings=ForecastSettings(effort=effort, workers=connections.settings().workers),
        progress=lambda step, done, total: log.info("%s: %s of %s", step, done, total),
    )
    rows: list[dict[str, Any]] = result.scores.to_dicts()
    report.table("backtest-scores", rows, "Errors by model; seasonal_naive is the bar")
    return rows


def model_registry() -> Path:
    """Where fitted models are kept between nights."""
    return connections.settings().home / "models"


def _horizon() -> int:
    return connections.settings().forecast_days


def _state(summary: dict[str, Any]) -> State[Any]:
    if summary["series"] == 0:
        return Completed(name="NothingToDo", message="no sales yet", data=summary)
    return Completed(message=f"{summary['series']} series x {summary['horizon_days']} days", data=summary)


def _show(history: pl.DataFrame, result: ForecastResult) -> None:
    """The run's artifacts: what was learned of each model, how it did, and the largest series as pictures."""
    report.table("forecast-errors", result.error_table.to_dicts(), "Past error by demand class and model")
    if result.backtest:
        scores = result.backtest.scores.to_dicts()
        report.table("forecast-backtest", scores, "Newest past origin, scored; seasonal_naive is the bar")
    largest = (
        history.group_by("series_id").agg(pl.col("y").sum()).sort("y", "series_id", descending=True).head(3)
    )
    blend = result.frame.filter(pl.col("model") == "ensemble")
    pictures = [
        report.picture(
            plots.forecast_plot(
                history.filter(pl.col("series_id") == series_id),
                blend.filter(pl.col("series_id") == series_id),
                title=series_id.replace("|", "  "),
            ),
            series_id,
        )
        for series_id in largest["series_id"]
    ]
    report.page("forecast-largest", "\n\n".join(pictures), "The largest series with 80 % and 95 % bounds")
