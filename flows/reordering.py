"""Stock as it is now, judged by the distribution of demand: reorder points, cover, chances of running out."""

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
from sqlalchemy import Engine

from alerts.thresholds import Thresholds
from flows import deciding
from flows.settings import WharfSettings
from models import inventory, supply
from warehouse import planning, read

SUPPLY_DAYS = 200  # of deliveries looked back upon; what is on its way for longer is not counted on


def plan(
    engine: Engine, settings: WharfSettings, today: date, forecast: pl.DataFrame, sums: pl.DataFrame
) -> pl.DataFrame:
    """One row per channel and SKU in stock that has a forecast: `read.stock_position`, the columns of
    `models.inventory.reorder`, what is on its way and when (`models.supply.expected`), and the lead time and service
    level they were made with: those of the thresholds (`supply.lead_time_days` and so on), else of the settings."""
    stock = read.stock_position(engine).filter(
        pl.col("series_id").is_in(sums["series_id"].unique().to_list())
    )
    since = datetime.combine(today - timedelta(days=SUPPLY_DAYS), time(), UTC)
    terms = _terms(stock, deciding.current_thresholds(), settings)
    moves = planning.inbound_moves(engine, since)
    coming = supply.expected(moves, today, settings.lead_time_days)
    position = pl.concat([stock, terms], how="horizontal").join(
        coming, on="series_id", how="left", maintain_order="left"
    )
    return inventory.reorder(
        position.with_columns(pl.col("deliveries").fill_null([])),
        forecast,
        sums,
        lead_time_days=settings.lead_time_days,
        lead_time_sd_days=settings.lead_time_spread_days,
        review_days=settings.review_days,
        service_level=settings.service_level,
        past_delays=supply.delays(moves),
        now_date=today,
    )


def _terms(stock: pl.DataFrame, thresholds: Thresholds, settings: WharfSettings) -> pl.DataFrame:
    """How each row of `stock` is bought."""
    own = [thresholds.supply_for(*who) for who in stock.select("account", "category", "sku").iter_rows()]
    return pl.DataFrame(
        {
            "lead_time_days": [float(each.lead_time_days or settings.lead_time_days) for each in own],
            "service_level": [each.service_level or settings.service_level for each in own],
            "pack_size": [float(each.pack_size) for each in own],
            "min_order_quantity": [float(each.min_order_quantity) for each in own],
        },
        schema=dict.fromkeys(
            ("lead_time_days", "service_level", "pack_size", "min_order_quantity"), pl.Float64
        ),
    )
