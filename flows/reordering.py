"""Stock as it is now, judged by the distribution of demand: reorder points, cover, chances of running out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
from sqlalchemy import Engine

from alerts.thresholds import Thresholds
from flows import deciding
from flows.settings import WharfSettings
from models import inventory, stock_level, supply
from models.replenishment import Costs
from warehouse import demand_sums, planning, read

SUPPLY_DAYS = 200  # of deliveries looked back upon; what is on its way for longer is not counted on
RECENT_DAYS = 90  # of sales, by which a plain rule would order
LEVEL_SERIES = 1000  # of a currency, from which its service level is found


def plan(
    engine: Engine, settings: WharfSettings, today: date, forecast: pl.DataFrame, sums: pl.DataFrame
) -> pl.DataFrame:
    """One row per channel and SKU in stock that has a forecast: `read.stock_position`, the columns of
    `models.inventory.reorder`, what is on its way and when (`models.supply.expected`), and the lead time and service
    level they were made with: those of the thresholds (`supply.lead_time_days` and so on), else of the settings, else
    the level found for the currency."""
    everything = read.stock_position(engine)
    stock = everything.filter(pl.col("series_id").is_in(sums["series_id"].unique().to_list()))
    moves = _moves(engine, today)
    levels = service_levels(engine, settings, today, everything, supply.delays(moves))
    terms = _terms(stock, deciding.current_thresholds(), settings, levels)
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
        past_delays=supply.delays(moves),
        now_date=today,
    )


def service_levels(
    engine: Engine, settings: WharfSettings, today: date, stock: pl.DataFrame, past_delays: Sequence[float]
) -> dict[str, float]:
    """By currency the level of products without one of their own: that of the settings, or as `models.stock_level`
    finds it over series spread evenly over all of `stock`, so that it is the same whatever part is planned."""
    by_currency = stock.partition_by("currency", as_dict=True)
    if settings.service_level is not None:
        return {str(currency): settings.service_level for (currency,) in by_currency}
    costs = planning.unit_costs(engine, settings.currency)
    found = {}
    for (currency,), part in by_currency.items():
        some = part.sort("series_id").gather_every(-(-part.height // LEVEL_SERIES))
        products = some["product_id"].unique().to_list()
        sold = planning.recent_sales(engine, today - timedelta(days=RECENT_DAYS), today, products)
        items = (
            pl.concat([some, _terms(some, deciding.current_thresholds(), settings, {})], how="horizontal")
            .join(sold, on="series_id", how="left")
            .join(costs, on="series_id", how="left")
            .with_columns(lead_time_sd_days=pl.lit(settings.lead_time_spread_days))
        )
        found[str(currency)] = stock_level.find(
            items,
            demand_sums.latest(engine, products),
            purchase_costs(settings),
            share=settings.stock_share,
            review_days=settings.review_days,
            past_delays=past_delays,
        )
    return found


def past_delays(engine: Engine, today: date) -> list[float]:
    """By how many days orders missed their usual time."""
    return supply.delays(_moves(engine, today))


def _moves(engine: Engine, today: date) -> pl.DataFrame:
    return planning.inbound_moves(engine, datetime.combine(today - timedelta(days=SUPPLY_DAYS), time(), UTC))


def purchase_costs(settings: WharfSettings) -> Costs:
    """What ordering and keeping costs."""
    return Costs(settings.order_cost, settings.holding_rate, settings.stock_rate)


def _terms(
    stock: pl.DataFrame, thresholds: Thresholds, settings: WharfSettings, levels: Mapping[str, float]
) -> pl.DataFrame:
    """How each row of `stock` is bought; `levels`: by currency, of rows without a service level of their own."""
    usual = [levels.get(currency, stock_level.USUAL) for currency in stock["currency"]]
    own = [thresholds.supply_for(*who) for who in stock.select("account", "category", "sku").iter_rows()]
    return pl.DataFrame(
        {
            "lead_time_days": [float(each.lead_time_days or settings.lead_time_days) for each in own],
            "service_level": [each.service_level or level for each, level in zip(own, usual, strict=True)],
            "pack_size": [float(each.pack_size) for each in own],
            "min_order_quantity": [float(each.min_order_quantity) for each in own],
        },
        schema=dict.fromkeys(
            ("lead_time_days", "service_level", "pack_size", "min_order_quantity"), pl.Float64
        ),
    )
