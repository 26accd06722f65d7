"""What to buy, move and watch: classes, reorders, transfers, risk of running out, effect of prices → ClickHouse."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from prefect import flow, get_run_logger
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from sqlalchemy import Engine

from flows import connections, reordering, report, stock_risk
from flows.settings import WharfSettings
from models import assortment, planning_plots, price_effect, replenishment, stock_level, whatif
from models.base import SeriesError
from warehouse import demand_sums, planning, plans, read

PLANNING = Asset(key="clickhouse://wharf/analytics/replenishment")
EFFECT_DAYS = 550  # price changes are rare: a year and a half of days
MOST_EFFECT_PRODUCTS = 1000
PART = 1500  # products whose days are in memory together


@flow(name="inventory-planning", flow_run_name=report.by_day("inventory-planning"))
def inventory_planning(day: date | None = None, budget: float | None = None) -> State[Any]:
    """Plan from the newest forecast and the stock as it is.

    Args:
        day: The day the plan is for. Empty: today.
        budget: The most today's orders may cost together, in the currency of the costs. Empty: WHARF_PURCHASE_BUDGET.
    """
    now = datetime.now(UTC)
    summary = plan(day or now.date(), now, budget)
    if not summary:
        return Completed(name="NothingToDo", message="no sales or no forecast yet", data=summary)
    return Completed(message=f"{summary['orders']} orders, {summary['high']} SKUs at high risk", data=summary)


@flow(name="what-if", flow_run_name="what-if")
def what_if(
    price_change: float = 0.0,
    promotion: bool = False,
    lead_time_days: float | None = None,
    service_level: float | None = None,
    day: date | None = None,
) -> State[Any]:
    """Demand, stock and cost under other conditions, beside today's. Nothing is changed by asking.

    Args:
        price_change: Of every price, as a share: -0.1 is 10 % less.
        promotion: Whether everything is promoted.
        lead_time_days: Days from ordering goods to having them. Empty: as they are.
        service_level: The share of order cycles that shall pass without a stock-out, such as 0.95. Empty: as it is.
        day: The first day looked at. Empty: today.
    """
    scenario = whatif.Scenario(price_change, promotion, lead_time_days, service_level)
    totals = imagine(scenario, day or datetime.now(UTC).date())
    return Completed(
        message="; ".join(f"{row['measure']} {row['change'] or 0:+.1%}" for row in totals), data=totals
    )


@materialize(PLANNING, asset_deps=[report.CORE, report.FORECASTS], name="plan", cache_policy=NO_CACHE)
def plan(day: date, now: datetime, budget: float | None) -> dict[str, Any]:
    """Everything computed from one reading; the frames stay in here."""
    log, settings, engine = get_run_logger(), connections.settings(), connections.postgres()
    stock, sums = _stock(engine), demand_sums.latest(engine)
    sellers = read.demand_products(engine, day)["product_id"].to_list()
    if not sellers or sums.is_empty():
        return {}
    model = stock_risk.learn(engine, sellers, day)
    summaries, chances = [], []
    for first in range(0, len(sellers), PART):
        part = sellers[first : first + PART]
        demand = read.daily_demand(engine, stock_risk.look_back(day), day, products=part)
        summaries.append(assortment.summarize(_sales(demand, stock), day))
        chances.append(stock_risk.chances(engine, model, demand, part, day))
    classes = _classes(pl.concat(summaries), stock, day)
    plans_of = reordering.plan(
        engine, settings, day, read.latest_forecasts(engine, models=["ensemble"]), sums
    )
    plans.save(engine, plans_of, now)
    ordered = _orders(settings, plans_of, stock, settings.purchase_budget if budget is None else budget)
    moves = _moves(settings, ordered)
    allocated = replenishment.spread(
        ordered, planning.places(engine, now - timedelta(days=91), now), _transfer_terms(settings)
    )
    rated = stock_risk.rated(ordered, pl.concat(chances), model)
    effects = price_effect.effects(_best_sellers(engine, sellers, day))
    frames = {
        "sku_classes": classes,
        "replenishment": ordered,
        "transfer_suggestions": moves,
        "warehouse_allocation": allocated,
        "stockout_risk": rated,
        "price_effects": effects.rename({"group": "category"}),
    }
    client = connections.clickhouse()
    try:
        rows = {name: planning.publish(client, name, frame, now) for name, frame in frames.items()}
    finally:
        client.close()
    report.wrote(**rows)
    log.info("published %s", ", ".join(f"{count} rows of {name}" for name, count in rows.items()))
    _show(
        classes,
        ordered,
        moves,
        allocated,
        rated,
        [dict(row) for row in model.scores] if model else [],
        effects,
    )
    high = rated.filter((pl.col("risk") == "high") & (pl.col("horizon_days") == 14)).height
    return {"orders": int(ordered["within_budget"].sum()), "high": high, "rows": rows}


@materialize(PLANNING, asset_deps=[report.FORECASTS], name="imagine", cache_policy=NO_CACHE)
def imagine(scenario: whatif.Scenario, day: date) -> list[dict[str, Any]]:
    """The answer as artifacts, and its totals."""
    answer = ask_warehouse(scenario, day)
    totals = whatif.totals(answer).to_dicts()
    changed = [f"{name} {value}" for name, value in asdict(scenario).items() if value]
    report.table("what-if", totals, f"Today, and with {', '.join(changed) or 'nothing changed'}")
    most = answer.sort("demand_today", descending=True).head(50)
    report.table("what-if-skus", most.to_dicts(), "The best-selling SKUs, today and then")
    return totals


def ask_warehouse(scenario: whatif.Scenario, day: date) -> pl.DataFrame:
    """`models.whatif.ask` over the newest forecast. Raises SeriesError when there is none."""
    engine, settings = connections.postgres(), connections.settings()
    frame = read.latest_forecasts(engine, models=["ensemble"])
    if frame.is_empty():
        raise SeriesError("there is no forecast yet; run the forecast deployment, or `wharf demo`")
    sellers = read.demand_products(engine, day)["product_id"].to_list()
    effects = price_effect.effects(_best_sellers(engine, sellers, day))
    stock, usual = _stock(engine), settings.service_level or stock_level.USUAL
    levels = reordering.service_levels(engine, settings, day, stock, reordering.past_delays(engine, day))
    position = stock.with_columns(
        service_level=pl.col("currency").replace_strict(levels, default=usual, return_dtype=pl.Float64)
    )
    today = whatif.Today(
        settings.lead_time_days, settings.review_days, usual, day, reordering.purchase_costs(settings)
    )
    return whatif.ask(position, frame, demand_sums.latest(engine), effects, today, scenario)


def _stock(engine: Engine) -> pl.DataFrame:
    """Stock as it is, with unit cost and since when it is known."""
    position = read.stock_position(engine)
    for more in (planning.unit_costs(engine, connections.settings().currency), planning.first_seen(engine)):
        position = position.join(more, on="series_id", how="left")
    return position.with_columns(pl.col("unit_cost").cast(pl.Float64))


def _sales(demand: pl.DataFrame, stock: pl.DataFrame) -> pl.DataFrame:
    """Demand by day as `assortment.summarize` reads it."""
    return demand.join(stock.select("series_id", "unit_cost"), on="series_id", how="left").select(
        "channel",
        "date",
        "in_stock",
        sku=pl.col("series_id").str.split("|").list.slice(1).list.join("|"),
        units="y",
        revenue=pl.col("y") * pl.col("price").fill_null(0.0),
        margin=pl.col("y") * (pl.col("price") - pl.col("unit_cost")),
    )


def _classes(summary: pl.DataFrame, stock: pl.DataFrame, day: date) -> pl.DataFrame:
    known = stock.select(
        "channel", "sku", "available", "inbound", "unit_cost", "price", "currency", "product_id", "channel_id",
        "known_since",
    )  # fmt: skip
    return assortment.classify(summary, known, day).drop_nulls("product_id")


def _orders(
    settings: WharfSettings, planned: pl.DataFrame, stock: pl.DataFrame, budget: float | None
) -> pl.DataFrame:
    """What to order of what `reordering.plan` planned."""
    priced = planned.drop_nulls("mean_daily").join(
        stock.select("series_id", "unit_cost"), on="series_id", how="left"
    )
    priced = priced.with_columns(unit_margin=pl.col("price") - pl.col("unit_cost"))
    costs = reordering.purchase_costs(settings)
    return replenishment.order_plan(priced, costs, review_days=settings.review_days, budget=budget)


def _moves(settings: WharfSettings, ordered: pl.DataFrame) -> pl.DataFrame:
    """Between the stocks of channels of one currency: margins of two currencies cannot be compared here."""
    ids = dict(ordered.select("channel", "channel_id").unique().iter_rows())
    lying = ordered.select("currency", "mean_daily", "unit_margin", "available", product="product_id", place="channel",
                           need_days="lead_time_days")  # fmt: skip
    parts = lying.partition_by("currency") or [lying]
    moves = pl.concat([replenishment.transfers(part, _transfer_terms(settings)) for part in parts])
    return moves.with_columns(
        product_id="product",
        from_channel_id=pl.col("from_place").replace_strict(ids, return_dtype=pl.Int64),
        to_channel_id=pl.col("to_place").replace_strict(ids, return_dtype=pl.Int64),
    )


def _best_sellers(engine: Engine, sellers: Sequence[int], day: date) -> pl.DataFrame:
    """The newest days of the best sellers at the prices asked for them: what a price effect can be seen in."""
    since, best = day - timedelta(days=EFFECT_DAYS), sellers[:MOST_EFFECT_PRODUCTS]
    days = read.daily_demand(engine, since, day, products=best)
    asked = planning.asked_prices(engine, since, best)
    return days.join(asked, on=["series_id", "date"], how="left").with_columns(
        price=pl.col("asked").forward_fill().over("series_id").fill_null(pl.col("price"))
    )


def _transfer_terms(settings: WharfSettings) -> replenishment.TransferTerms:
    return replenishment.TransferTerms(
        settings.transfer_days, settings.transfer_cost, settings.transfer_unit_cost
    )


def _show(
    classes: pl.DataFrame, ordered: pl.DataFrame, moves: pl.DataFrame, allocated: pl.DataFrame, rated: pl.DataFrame,
    scores: list[dict[str, Any]], effects: pl.DataFrame,
) -> None:  # fmt: skip
    """The run's artifacts: what to order, what to move, who is at risk, and the classes as a picture."""
    buy = ordered.filter("within_budget").sort("urgency", descending=True, nulls_last=True).head(100)
    columns = ["channel", "sku", "name", "available", "inbound", "reorder_point", "order_quantity", "order_amount",
               "currency", "order_by_date"]  # fmt: skip
    report.table("orders-to-place", _readable(buy.select(columns)), "What to order now, most urgent first")
    report.table("transfers", _readable(moves.head(100)), "Moves that save more than they cost")
    here = allocated.filter((pl.col("order_units") > 0) | (pl.col("moved_in") != 0)).head(100)
    columns = ["series_id", "warehouse_location", "available", "demand_share", "order_units", "moved_in"]
    report.table(
        "places", _readable(here.select(columns)), "Orders by place of a channel, and moves between places"
    )
    if scores:
        report.table("risk-scores", scores, "Stock-out risk on the newest weeks, by method")
    report.table("price-effects", _readable(effects), "Effect of price and promotion, with 95 % intervals")
    lost = (
        classes.group_by("currency").agg(pl.col("lost_revenue_91d").cast(pl.Float64).sum()).sort("currency")
    )
    told = ", ".join(f"{amount:,.0f} {currency}" for currency, amount in lost.iter_rows())
    text = (
        f"{int(classes['is_dead'].sum())} dead and {int(classes['is_slow'].sum())} slow SKUs; stock-outs of the last"
        f" 91 days cost about {told} in revenue."
    )
    pictures = [
        report.picture(planning_plots.classes_plot(classes, rated), "classes and risk"),
        text,
        report.picture(planning_plots.effects_plot(effects), "effect of price and promotion"),
    ]
    report.page("inventory-planning", "\n\n".join(pictures), "Classes, risk, effect of prices")


def _readable(frame: pl.DataFrame) -> list[dict[str, Any]]:
    text = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Date)]
    return frame.with_columns(pl.col(text).cast(pl.String)).to_dicts()
