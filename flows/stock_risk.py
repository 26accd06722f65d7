"""The risk of running out for the whole catalogue: learned from a sample of its past, told of every part in turn."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from prefect import get_run_logger
from sqlalchemy import Engine

from models import stock_history, stockout
from models.base import SeriesError
from models.implied_risk import implied
from models.stock_history import StockHistory
from models.stockout import StockoutModel
from warehouse import planning, read

SAMPLE = 800  # products the trees learn from
LOOK_BACK_DAYS = 460  # of sales and stock a prediction reads: a year and the quarter before it


def learn(engine: Engine, products: Sequence[int], day: date) -> StockoutModel | None:
    """What stock before `day` teaches, scored beside the forecast; None while there is too little of it."""
    chosen = (
        np.random.default_rng(7).permutation(np.array(sorted(products), dtype=np.int64))[:SAMPLE].tolist()
    )
    demand = read.daily_demand(engine, until=day, products=chosen)
    past = _history(engine, demand, chosen, day)
    if past is None:
        return None
    try:
        return stockout.train(past, implied(past, demand, stockout.test_days(past)))
    except SeriesError as short:
        get_run_logger().info("risk comes from the forecast alone: %s", short)
        return None


def chances(
    engine: Engine, model: StockoutModel | None, demand: pl.DataFrame, products: Sequence[int], day: date
) -> pl.DataFrame:
    """`series_id, horizon_days, learned_probability` of `products`, whose `demand` of LOOK_BACK_DAYS is given."""
    past = _history(engine, demand, products, day) if model is not None else None
    if model is None or past is None:
        return pl.DataFrame(schema=_TOLD)
    return pl.concat([
        pl.DataFrame({"series_id": past.ids, "horizon_days": horizon, "learned_probability": chance}, schema=_TOLD)
        for horizon, chance in stockout.predict(model, past).items()
    ])  # fmt: skip


def rated(ordered: pl.DataFrame, told: pl.DataFrame, model: StockoutModel | None) -> pl.DataFrame:
    """One row per SKU, channel and horizon of `ordered` (a plan): probability and level by the better method."""
    parts = []
    for horizon in stock_history.HORIZONS:
        both = ordered.select(
            "series_id", "product_id", "channel_id", horizon_days=pl.lit(horizon, pl.Int64),
            forecast_probability=pl.col(f"p_stockout_{horizon}d").clip(0.0, 1.0),
        ).join(told, on=["series_id", "horizon_days"], how="left")  # fmt: skip
        learned = model is not None and stockout.better(model, horizon) == "learned"
        line = model.high[horizon] if model is not None and learned else 0.5
        chosen = pl.col("learned_probability" if learned else "forecast_probability")
        use = chosen.is_not_null() & pl.lit(learned)
        both = both.with_columns(
            probability=chosen.fill_null(pl.col("forecast_probability")),
            method=pl.when(use).then(pl.lit("learned")).otherwise(pl.lit("forecast")),
        )
        levels = stockout.level(both["probability"].to_numpy(), line)
        parts.append(both.with_columns(risk=pl.Series(levels, dtype=pl.String)))
    return pl.concat(parts)


_TOLD: dict[str, Any] = {
    "series_id": pl.String,
    "horizon_days": pl.Int64,
    "learned_probability": pl.Float64,
}


def _history(engine: Engine, demand: pl.DataFrame, products: Sequence[int], day: date) -> StockHistory | None:
    levels = planning.stock_levels(engine, products).filter(pl.col("date") < day)
    if demand.is_empty() or levels.is_empty():
        return None
    first = demand["date"].min()
    levels = levels.filter(pl.col("date") >= pl.lit(first)) if isinstance(first, date) else levels
    days = levels.join(demand.select("series_id", "date", units="y"), on=["series_id", "date"], how="left")
    days = days.with_columns(pl.col("units").fill_null(0.0), in_stock=pl.col("available") > 0)
    return stock_history.history(days) if days.height else None


def look_back(day: date) -> date:
    """From when on `chances` needs demand."""
    return day - timedelta(days=LOOK_BACK_DAYS)
