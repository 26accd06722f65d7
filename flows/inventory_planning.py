"""What to buy, move and watch: classes, reorders, transfers, risk of running out, effect of prices → ClickHouse."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from prefect import flow, get_run_logger
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import connections, report
from flows.settings import WharfSettings
from models import (
    assortment,
    inventory,
    planning_plots,
    price_effect,
    replenishment,
    stock_history,
    stockout,
    whatif,
)
from models.base import SeriesError
from models.implied_risk import implied
from warehouse import demand_sums, planning, read

PLANNING = Asset(key="clickhouse://wharf/analytics/replenishment")
EFFECT_DAYS = 550  # price changes are rare: a year and a half of days
MOST_EFFECT_SERIES = 3000


@flow(name="inventory-planning", flow_run_name="inventory-planning-{day}")
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
    demand, sums = read.daily_demand(engine, until=day), demand_sums.latest(engine)
    if demand.is_empty() or sums.is_empty():
        return {}
    stock = read.stock_position(engine).join(planning.unit_costs(engine), on="series_id", how="left")
    levels = planning.stock_levels(engine).filter(pl.col("date") < day)
    seen = levels.group_by("series_id").agg(known_since=pl.col("date").min())
    stock = stock.with_columns(pl.col("unit_cost").cast(pl.Float64)).join(seen, on="series_id", how="left")
    classes = _classes(demand, stock, day)
    ordered = _orders(
        engine, settings, stock, sums, day, settings.purchase_budget if budget is None else budget
    )
    moves = _moves(settings, ordered)
    past, risk = _risk(levels, demand)
    rated, scores = _rated(ordered, past, risk)
    effects = price_effect.effects(_recent(demand))
    frames = {
        "sku_classes": classes,
        "replenishment": ordered,
        "transfer_suggestions": moves,
        "stockout_risk": rated,
        "price_effects": effects.rename({"group": "category"}),
    }
    client = connections.clickhouse()
    try:
        rows = {name: planning.publish(client, name, frame, now) for name, frame in frames.items()}
    finally:
        client.close()
    log.info("published %s", rows)
    _show(classes, ordered, moves, rated, scores, effects)
    high = rated.filter((pl.col("risk") == "high") & (pl.col("horizon_days") == 14)).height
    return {"orders": int(ordered["within_budget"].sum()), "high": high, "rows": rows}


@materialize(PLANNING, asset_deps=[report.FORECASTS], name="imagine", cache_policy=NO_CACHE)
def imagine(scenario: whatif.Scenario, day: date) -> list[dict[str, Any]]:
    """The answer as artifacts, and its totals."""
    answer = ask_warehouse(scenario, day)
    totals = whatif.totals(answer).to_dicts()
    report.table("what-if", totals, f"{asdict(scenario)}")
    most = answer.sort("demand_today", descending=True).head(50)
    report.table("what-if-skus", most.to_dicts(), "The best-selling SKUs, today and then")
    return totals


def ask_warehouse(scenario: whatif.Scenario, day: date) -> pl.DataFrame:
    """`models.whatif.ask` over the newest forecast. Raises SeriesError when there is none."""
    engine, settings = connections.postgres(), connections.settings()
    frame = read.latest_forecasts(engine, models=["ensemble"])
    if frame.is_empty():
        raise SeriesError("there is no forecast yet; run the forecast deployment, or `wharf demo`")
    stock = read.stock_position(engine).join(planning.unit_costs(engine), on="series_id", how="left")
    effects = price_effect.effects(_recent(read.daily_demand(engine, until=day)))
    today = whatif.Today(
        settings.lead_time_days, settings.review_days, settings.service_level, day, _costs(settings)
    )
    return whatif.ask(stock, frame, demand_sums.latest(engine), effects, today, scenario)


def _classes(demand: pl.DataFrame, stock: pl.DataFrame, day: date) -> pl.DataFrame:
    cost = demand.join(stock.select("series_id", "unit_cost"), on="series_id", how="left")
    sales = cost.select(
        "channel",
        "date",
        "in_stock",
        sku=pl.col("series_id").str.split("|").list.slice(1).list.join("|"),
        units="y",
        revenue=pl.col("y") * pl.col("price").fill_null(0.0),
        margin=pl.col("y") * (pl.col("price") - pl.col("unit_cost")),
    )
    known = stock.select(
        "channel",
        "sku",
        "available",
        "inbound",
        "unit_cost",
        "price",
        "currency",
        "product_id",
        "channel_id",
        "known_since",
    )
    return assortment.classify(sales, known, day).drop_nulls("product_id")


def _orders(
    engine: Any,
    settings: WharfSettings,
    stock: pl.DataFrame,
    sums: pl.DataFrame,
    day: date,
    budget: float | None,
) -> pl.DataFrame:
    frame = read.latest_forecasts(engine, models=["ensemble"])
    position = stock.filter(pl.col("series_id").is_in(sums["series_id"].unique().to_list())).with_columns(
        unit_margin=pl.col("price") - pl.col("unit_cost")
    )
    planned = inventory.reorder(
        position,
        frame,
        sums,
        lead_time_days=settings.lead_time_days,
        lead_time_sd_days=settings.lead_time_spread_days,
        review_days=settings.review_days,
        service_level=settings.service_level,
        now_date=day,
    ).with_columns(
        lead_time_days=pl.lit(float(settings.lead_time_days)), service_level=pl.lit(settings.service_level)
    )
    return replenishment.order_plan(
        planned, _costs(settings), review_days=settings.review_days, budget=budget
    ).drop_nulls("mean_daily")


def _moves(settings: WharfSettings, ordered: pl.DataFrame) -> pl.DataFrame:
    """Between the stocks of channels of one currency: margins of two currencies cannot be compared here."""
    ids = dict(ordered.select("channel", "channel_id").unique().iter_rows())
    found = [
        replenishment.transfers(
            part.select(
                "mean_daily",
                "unit_margin",
                "available",
                product="product_id",
                place="channel",
                need_days="lead_time_days",
            ),
            transfer_days=settings.transfer_days,
        )
        for _, part in ordered.group_by(["currency"], maintain_order=True)
    ]
    moves = pl.concat(found)
    return moves.with_columns(
        product_id="product",
        from_channel_id=pl.col("from_place").replace_strict(ids, return_dtype=pl.Int64),
        to_channel_id=pl.col("to_place").replace_strict(ids, return_dtype=pl.Int64),
    )


def _risk(
    levels: pl.DataFrame, demand: pl.DataFrame
) -> tuple[stockout.StockHistory | None, stockout.StockoutModel | None]:
    """The stock's past and what was learned from it; no model while it is too short."""
    if levels.is_empty():
        return None, None
    days = levels.join(demand.select("series_id", "date", units="y"), on=["series_id", "date"], how="left")
    past = stock_history.history(
        days.with_columns(pl.col("units").fill_null(0.0), in_stock=pl.col("available") > 0)
    )
    try:
        return past, stockout.train(past, implied(past, demand, stockout.test_days(past)))
    except SeriesError as short:
        get_run_logger().info("risk comes from the forecast alone: %s", short)
        return past, None


def _rated(
    ordered: pl.DataFrame, past: stockout.StockHistory | None, model: stockout.StockoutModel | None
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """One row per SKU, channel and horizon; by the better of the two methods."""
    learned = stockout.predict(model, past) if past is not None and model is not None else {}
    parts = []
    for horizon in stock_history.HORIZONS:
        told = ordered.select(
            "series_id", "product_id", "channel_id", horizon_days=pl.lit(horizon),
            forecast_probability=pl.col(f"p_stockout_{horizon}d").clip(0.0, 1.0),
        )  # fmt: skip
        if past is not None and horizon in learned:
            own = pl.DataFrame({"series_id": past.ids, "learned_probability": learned[horizon]})
            told = told.join(own, on="series_id", how="left")
        else:
            told = told.with_columns(learned_probability=pl.lit(None, pl.Float64))
        use = model is not None and stockout.better(model, horizon) == "learned"
        line = model.high[horizon] if model is not None and use else 0.5
        chosen = pl.col("learned_probability") if use else pl.col("forecast_probability")
        told = told.with_columns(
            probability=chosen.fill_null(pl.col("forecast_probability")),
            method=pl.when(chosen.is_not_null() & pl.lit(use))
            .then(pl.lit("learned"))
            .otherwise(pl.lit("forecast")),
        )
        levels = stockout.level(told["probability"].to_numpy(), line)
        parts.append(told.with_columns(risk=pl.Series(levels, dtype=pl.String)))
    scores = [dict(row) for row in model.scores] if model is not None else []
    return pl.concat(parts), scores


def _recent(demand: pl.DataFrame) -> pl.DataFrame:
    """The newest days of the best sellers: what a price effect can be seen in."""
    last = demand["date"].max()
    recent = demand.filter(pl.col("date") > pl.lit(last) - pl.duration(days=EFFECT_DAYS))
    best = (
        recent.group_by("series_id").agg(pl.col("y").sum()).sort("y", "series_id", descending=[True, False])
    )
    return recent.join(best.head(MOST_EFFECT_SERIES).select("series_id"), on="series_id", how="semi")


def _costs(settings: WharfSettings) -> replenishment.Costs:
    return replenishment.Costs(settings.order_cost, settings.holding_rate)


def _show(
    classes: pl.DataFrame, ordered: pl.DataFrame, moves: pl.DataFrame, rated: pl.DataFrame,
    scores: list[dict[str, Any]], effects: pl.DataFrame,
) -> None:  # fmt: skip
    """The run's artifacts: what to order, what to move, who is at risk, and the classes as a picture."""
    buy = ordered.filter("within_budget").sort("urgency", descending=True, nulls_last=True).head(100)
    columns = ["channel", "sku", "name", "available", "inbound", "reorder_point", "order_quantity", "order_amount",
               "currency", "order_by_date"]  # fmt: skip
    report.table("orders-to-place", _readable(buy.select(columns)), "What to order now, most urgent first")
    report.table("transfers", _readable(moves.head(100)), "Moves that save more than they cost")
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
    picture = report.picture(planning_plots.classes_plot(classes, rated), "classes and risk")
    report.page("inventory-planning", f"{picture}\n\n{text}", "Classes and risk")


def _readable(frame: pl.DataFrame) -> list[dict[str, Any]]:
    text = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Date)]
    return frame.with_columns(pl.col(text).cast(pl.String)).to_dicts()
