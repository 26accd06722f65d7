"""Forecasts of past days against what was sold, in `core`; ClickHouse has the same per product."""

from datetime import date, datetime, timedelta

import polars as pl
from sqlalchemy import Engine, text

from warehouse import frames, sql

SAMPLED_BY = "seasonal_naive"  # a model whose forecasts are kept only of the series the others learn from
LOOK_BACK = timedelta(days=3)  # days measured again: orders arrive late
_DAYS = {
    "date": pl.Date,
    "units": pl.Float64,
    "absolute": pl.Float64,
    "signed": pl.Float64,
    "inside": pl.Float64,
    "days": pl.Float64,
}


def measure(engine: Engine, now: datetime, *, most_days: int) -> int:
    """Measure the days since the last time, and the few before them again; returns rows written.

    At most `most_days` days back. A day counts on a channel whose orders were read past its end.
    """
    with engine.begin() as connection:
        newest = connection.scalar(text("SELECT max(date) FROM core.forecast_accuracy"))
        first = now.date() - timedelta(days=most_days)
        if newest is not None:
            first = max(first, newest + timedelta(days=1) - LOOK_BACK)
        values = {
            "first": first,
            "after": now.date() + timedelta(days=1),
            "now": now,
            "sampled_by": SAMPLED_BY,
        }
        return connection.execute(text(sql.read("forecast_accuracy")), values).rowcount


def by_day(engine: Engine, since: date, model: str = "ensemble") -> pl.DataFrame:
    """What a model's forecasts of each day came to, over the series that backtests measure too.

    Columns: date, units, absolute and signed error, inside (forecasts within their 80 % bounds), days (forecasts).
    """
    return frames.query(
        engine,
        "SELECT date, sum(units) AS units, sum(absolute_error) AS absolute, sum(signed_error) AS signed,"
        " sum(in_80) AS inside, sum(forecasts) AS days FROM core.forecast_accuracy"
        " WHERE is_sample AND model_type = %(model)s AND date >= %(since)s GROUP BY date ORDER BY date",
        _DAYS,
        model=model,
        since=since,
    )
