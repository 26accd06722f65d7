"""One order for a season that cannot be repeated: how much of each SKU (newsvendor) → ClickHouse."""

from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from prefect import flow
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import connections, report
from flows.settings import WorkFailedError
from models import cumulative, planning_plots, replenishment
from warehouse import demand_sums, planning, read

SEASON = Asset(key="clickhouse://wharf/analytics/season_orders")


@flow(name="season-order", flow_run_name="season-order-until-{until}")
def season_order(until: date, category: str = "", salvage_rate: float = 0.3) -> State[Any]:
    """What to order once for a season, from the newest forecast, prices and costs as they are.

    Args:
        until: Last day of the season, at most as far ahead as is forecast (WHARF_FORECAST_DAYS).
        category: The category that is ordered. Empty: all products of known cost.
        salvage_rate: What a unit left over still brings, as a share of its cost, from 0 to under 1.
    """
    now = datetime.now(UTC)
    rows = answer(until, category, salvage_rate, now)
    return Completed(message=f"{rows} SKUs on channels", data=rows)


@materialize(SEASON, asset_deps=[report.CORE, report.FORECASTS], name="answer", cache_policy=NO_CACHE)
def answer(until: date, category: str, salvage_rate: float, now: datetime) -> int:
    """Publish the newest answer; returns its rows. Raises WorkFailedError when nothing can be said."""
    engine, days = connections.postgres(), (until - now.date()).days + 1
    if not 1 <= days <= connections.settings().forecast_days:
        raise WorkFailedError(
            f"{until} is not within the {connections.settings().forecast_days} days forecast"
        )
    if not 0 <= salvage_rate < 1:
        raise WorkFailedError(
            f"the salvage rate is a share of the cost, from 0 to under 1, not {salvage_rate}"
        )
    costs = planning.unit_costs(engine, connections.settings().currency)
    stock = read.stock_position(engine).join(costs, on="series_id", how="left")
    cost = pl.col("unit_cost").cast(pl.Float64)
    asked = stock.with_columns(unit_cost=cost).filter((cost > 0) & (pl.col("price") > cost))
    asked = asked.filter(pl.col("category") == category) if category else asked
    sums = demand_sums.latest(engine)
    if sums.is_empty() or asked.is_empty():
        raise WorkFailedError(f"no forecast, or no product {category} of known cost that sells above it")
    season = cumulative.at_lead(sums, days).join(asked, on="series_id", how="inner").sort("series_id")
    unit_cost = season["unit_cost"].to_numpy()
    wanted = replenishment.newsvendor(
        season, price=season["price"].to_numpy(), cost=unit_cost, salvage=salvage_rate * unit_cost
    )
    there = pl.col("available") + pl.col("inbound")
    orders = season.join(wanted, on="series_id").with_columns(
        until=pl.lit(until),
        expected_units="mean",
        season_units="order_quantity",
        order_units=(pl.col("order_quantity") - there).clip(lower_bound=0),
        unit_price="price",
    )
    with closing(connections.clickhouse()) as client:
        rows = planning.publish(client, "season_orders", orders, now)
    report.wrote(rows=rows)
    shown = orders.sort("expected_profit", descending=True).head(50)
    columns = ["channel", "sku", "name", "expected_units", "season_units", "available", "inbound", "order_units",
               "service_level", "expected_profit", "currency"]  # fmt: skip
    rounded = shown.select(columns).with_columns(pl.col(pl.Float64).round(2))
    report.table("season-order", rounded.to_dicts(), f"One order for the {days} days until {until}")
    picture = report.picture(planning_plots.season_plot(shown.head(12)), "season")
    report.page("season-order-picture", picture, "What to have for the season")
    return rows
