"""What a forecast run shows in the Prefect UI: what was learned of each model, how it did, series as pictures."""

import polars as pl

from flows import report
from models import plots
from models.forecast import BacktestResult, ForecastResult

LEAST_SOLD = 14  # units in the scored days, below which an error in per cent says nothing of a forecast


def show(history: pl.DataFrame, result: ForecastResult) -> None:
    """Errors by class and model, the newest past origin, the largest series ahead."""
    report.table("forecast-errors", result.error_table.to_dicts(), "Past error by demand class and model")
    if result.backtest:
        scores = result.backtest.scores.to_dicts()
        report.table("forecast-backtest", scores, "Newest past origin, scored; seasonal_naive is the bar")
        show_backtest(history, result.backtest)
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


def show_backtest(history: pl.DataFrame, result: BacktestResult) -> None:
    """Forecast against what came, for the best, the middle and the worst series."""
    pictures = [
        report.picture(
            plots.backtest_plot(
                result.frame.filter(pl.col("series_id") == series_id),
                title=f"{place}: {series_id.replace('|', '  ')}",
                history=history.filter(pl.col("series_id") == series_id),
            ),
            f"{place} {series_id}",
        )
        for place, series_id in best_middle_worst(result.frame)
    ]
    if pictures:
        page = "\n\n".join(pictures)
        report.page(
            "forecast-best-and-worst", page, "The best, the middle and the worst series of the backtest"
        )


def best_middle_worst(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """(place, series_id) by WAPE of the ensemble, of series that sold enough; one series takes one place."""
    known = rows.filter(pl.col("model") == "ensemble", pl.col("y").is_not_null())
    ranked = (
        known.group_by("series_id")
        .agg(sold=pl.col("y").sum(), wrong=(pl.col("y") - pl.col("yhat")).abs().sum())
        .filter(pl.col("sold") >= LEAST_SOLD)
        .sort(pl.col("wrong") / pl.col("sold"), "series_id")["series_id"]
        .to_list()
    )
    last = len(ranked) - 1
    places = {0: "Best", last // 2: "Middle", last: "Worst"} if ranked else {}
    return [(place, ranked[at]) for at, place in places.items()]
