"""Stock as it is now, judged by the distribution of demand: reorder points, cover, chances of running out."""

from datetime import date

import polars as pl
from sqlalchemy import Engine

from flows.settings import WharfSettings
from models import inventory
from warehouse import read


def plan(
    engine: Engine, settings: WharfSettings, today: date, forecast: pl.DataFrame, sums: pl.DataFrame
) -> pl.DataFrame:
    """One row per channel and SKU in stock that has a forecast: `read.stock_position` and the columns of
    `models.inventory.reorder`, with the lead time and service level they were made with."""
    stock = read.stock_position(engine).filter(
        pl.col("series_id").is_in(sums["series_id"].unique().to_list())
    )
    return inventory.reorder(
        stock,
        forecast,
        sums,
        lead_time_days=settings.lead_time_days,
        lead_time_sd_days=settings.lead_time_spread_days,
        review_days=settings.review_days,
        service_level=settings.service_level,
        now_date=today,
    ).with_columns(
        lead_time_days=pl.lit(float(settings.lead_time_days)), service_level=pl.lit(settings.service_level)
    )
