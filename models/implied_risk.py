"""The chance of running out that the forecast implied on past days: the rival of what is learned from stock."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from models import forecast as forecasting
from models.base import Floats, ForecastSettings
from models.inventory import reorder
from models.stock_history import HORIZONS, StockHistory
from models.stockout_features import on_its_way

MEMBERS = ("ets", "tsb", "weekday_mean")  # the fast ones: no night is as long as all nights of some months
MOST_DAYS = 6
MOST_SERIES = 300
OVERDUE_DAYS = 5.0  # within which an order that is late is thought to come


def implied(
    past: StockHistory, demand: pl.DataFrame, days: Sequence[int], seed: int = 7
) -> dict[tuple[int, int], Floats]:
    """By (day, horizon) the probability of each item of `past`, NaN where none was asked: a sample of the items on a
    few of the days, each from a forecast that knew `demand` (a series frame) up to that day."""
    rng = np.random.default_rng(seed)
    items = rng.permutation(len(past.ids))[:MOST_SERIES]
    series = demand.filter(pl.col("series_id").is_in([past.ids[item] for item in items]))
    asked = sorted({days[at] for at in np.linspace(0, len(days) - 1, MOST_DAYS).astype(int)}) if days else []
    found: dict[tuple[int, int], Floats] = {}
    for day in asked:
        on = past.first_day + timedelta(days=day)
        told = _of_day(past, series.filter(pl.col("date") <= on), day, on)
        if told is None:
            continue
        row = {name: item for item, name in enumerate(past.ids)}
        at = [row[name] for name in told["series_id"]]
        for horizon in HORIZONS:
            chance: Floats = np.full(len(past.ids), np.nan)
            chance[at] = told[f"p_stockout_{horizon}d"].to_numpy()
            found[day, horizon] = chance
    return found


def _of_day(past: StockHistory, known: pl.DataFrame, day: int, on: date) -> pl.DataFrame | None:
    if known.is_empty():
        return None
    settings = ForecastSettings(members=MEMBERS, workers=1, origin=on)
    foreseen = forecasting.run(known, max(HORIZONS), settings=settings)
    supply = on_its_way(past, day)
    comes = np.where(supply.overdue > 0, OVERDUE_DAYS, supply.first)
    position = pl.DataFrame(
        {
            "series_id": list(past.ids),
            "available": np.nan_to_num(past.available[:, day]),
            "inbound": past.inbound[:, day],
            "inbound_days": comes,
        }
    ).filter(pl.col("series_id").is_in(foreseen.cumulative["series_id"].unique().to_list()))
    planned = reorder(position, foreseen.frame, foreseen.cumulative, lead_time_days=14, now_date=on)
    return planned.drop_nulls("p_stockout_7d")
