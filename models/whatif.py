"""What if price, promotion, lead time or service level were another: demand, stock and cost beside today's.

Demand is multiplied by (1 + price change) ^ elasticity and the promotion's lift (`models.price_effect`, whose 95 %
interval gives the low and high answer); its distribution over the lead time keeps its shape, the spread growing with
the root of demand; stock follows from `models.inventory` and `models.replenishment` as it does every night.
"""

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from models.base import SeriesError
from models.cumulative import CHANCES, column
from models.inventory import reorder
from models.replenishment import Costs, order_plan


@dataclass(frozen=True)
class Scenario:
    """What changes. `price_change`: share of today's price, -0.1 is 10 % less; `promotion`: shown as one, besides;
    `lead_time_days`, `service_level`: None leaves today's."""

    price_change: float = 0.0
    promotion: bool = False
    lead_time_days: float | None = None
    service_level: float | None = None

    def __post_init__(self) -> None:
        if not -0.9 <= self.price_change <= 5:
            raise SeriesError(
                f"price change must lie between -0.9 and 5 (-90 % to +500 %), not {self.price_change}"
            )
        if self.lead_time_days is not None and not 0 < self.lead_time_days <= 365:
            raise SeriesError(f"lead time must be above 0 and at most 365 days, not {self.lead_time_days}")
        if self.service_level is not None and not 0.5 <= self.service_level < 1:
            raise SeriesError(f"service level must be from 0.5 to under 1, not {self.service_level}")


@dataclass(frozen=True)
class Today:
    """How it is: lead time, review, service level of rows that have none of their own, and what stock costs."""

    lead_time_days: float
    review_days: float
    service_level: float
    day: date
    costs: Costs = field(default_factory=Costs)


def ask(position: pl.DataFrame, forecast: pl.DataFrame, cumulative: pl.DataFrame, effects: pl.DataFrame,
        today: Today, scenario: Scenario) -> pl.DataFrame:  # fmt: skip
    """One row per series: `price`, `demand`, `revenue`, `margin` over the forecast's days, `reorder_point`,
    `safety_stock`, `average_stock`, `stock_value`, `holding_cost` (a year), each as `_today` and `_then`, and
    `demand_then_lo95`, `demand_then_hi95` from the effect's interval alone; the `elasticity` that was used, and
    `is_assumed` where too few price changes were seen to know better than what is usual for goods.

    `position`: `series_id`, and `available`, `inbound`, `price`, `unit_cost`, `service_level`, `category`, each
    optional. `effects`:
    `price_effect.effects`; an item takes that of its category, else that of `all`.
    """
    items = _complete(position)
    factors = _factors(items, effects, scenario)
    rows = forecast.filter(pl.col("model") == "ensemble") if "model" in forecast.columns else forecast
    demand = rows.group_by("series_id").agg(demand_today=pl.col("yhat").sum())
    known = items.join(demand, on="series_id", how="inner").join(factors, on="series_id")
    then_rows = rows.join(factors, on="series_id").with_columns(pl.col("yhat") * pl.col("factor"))
    sums = cumulative.join(factors, on="series_id")
    mean, factor = pl.col("mean"), pl.col("factor")
    sums = sums.with_columns(
        mean=mean * factor,
        **{
            name: (mean * factor + (pl.col(name) - mean) * factor.sqrt()).clip(lower_bound=0.0)
            for name in map(column, CHANCES)
        },
    )
    stock = known.select(
        "series_id",
        "available",
        "inbound",
        "unit_cost",
        "service_level",
        unit_margin=pl.lit(None, pl.Float64),
    )
    asked = (
        stock.with_columns(service_level=pl.lit(scenario.service_level)) if scenario.service_level else stock
    )
    now = _stocked(stock, rows, cumulative, today, today.lead_time_days, "today")
    then = _stocked(asked, then_rows, sums, today, scenario.lead_time_days or today.lead_time_days, "then")
    price, cost = pl.col("price"), pl.col("unit_cost")
    return (
        known.with_columns(
            price_today=price,
            price_then=price * (1 + scenario.price_change),
            demand_then=pl.col("demand_today") * pl.col("factor"),
            demand_then_lo95=pl.col("demand_today") * pl.col("factor_lo95"),
            demand_then_hi95=pl.col("demand_today") * pl.col("factor_hi95"),
        )
        .with_columns(
            revenue_today=pl.col("demand_today") * pl.col("price_today"),
            revenue_then=pl.col("demand_then") * pl.col("price_then"),
            margin_today=pl.col("demand_today") * (pl.col("price_today") - cost),
            margin_then=pl.col("demand_then") * (pl.col("price_then") - cost),
        )
        .join(now, on="series_id", how="left")
        .join(then, on="series_id", how="left")
        .sort("series_id")
        .drop(
            "available",
            "inbound",
            "price",
            "unit_cost",
            "service_level",
            "factor",
            "factor_lo95",
            "factor_hi95",
        )
    )


TOTALS = ("demand", "revenue", "margin", "average_stock", "stock_value", "holding_cost")


def totals(answer: pl.DataFrame) -> pl.DataFrame:
    """`measure, today, then, change` over all series; a measure no series has is left out."""
    rows = []
    for name in TOTALS:
        now, then = (answer[f"{name}_{when}"] for when in ("today", "then"))
        if now.count():
            before, after = float(now.sum()), float(then.sum())
            rows.append((name, before, after, after / before - 1 if before else None))
    schema = {"measure": pl.String, "today": pl.Float64, "then": pl.Float64, "change": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _complete(position: pl.DataFrame) -> pl.DataFrame:
    defaults = {"available": 0.0, "inbound": 0.0, "price": None, "unit_cost": None, "service_level": None}
    return position.select(
        "series_id",
        *(
            pl.col(name).cast(pl.Float64)
            if name in position.columns
            else pl.lit(value, pl.Float64).alias(name)
            for name, value in defaults.items()
        ),
        category=pl.col("category") if "category" in position.columns else pl.lit(None, pl.String),
    )


def _factors(items: pl.DataFrame, effects: pl.DataFrame, scenario: Scenario) -> pl.DataFrame:
    """Per series the factor on demand, with the interval's ends."""
    names = ("elasticity", "elasticity_lo95", "elasticity_hi95", "promo_lift", "promo_lo95", "promo_hi95")
    everyone = effects.filter(pl.col("group") == "all").row(0, named=True)
    own = items.join(
        effects.select("group", *names, "is_prior"), left_on="category", right_on="group", how="left"
    )
    own = own.with_columns(pl.col(name).fill_null(everyone[name]) for name in (*names, "is_prior"))
    move = 1 + scenario.price_change
    lift = {name: pl.col(name) if scenario.promotion else pl.lit(1.0) for name in names[3:]}
    ends = [move ** pl.col(name) for name in ("elasticity_lo95", "elasticity_hi95")]
    return own.select(
        "series_id",
        "elasticity",
        is_assumed="is_prior",
        factor=move ** pl.col("elasticity") * lift["promo_lift"],
        factor_lo95=pl.min_horizontal(ends) * lift["promo_lo95"],
        factor_hi95=pl.max_horizontal(ends) * lift["promo_hi95"],
    )


def _stocked(stock: pl.DataFrame, rows: pl.DataFrame, sums: pl.DataFrame, today: Today, lead: float,
             when: str) -> pl.DataFrame:  # fmt: skip
    timed = stock.with_columns(lead_time_days=pl.lit(float(lead)))
    planned = reorder(
        timed,
        rows,
        sums,
        lead_time_days=lead,
        review_days=today.review_days,
        service_level=today.service_level,
        now_date=today.day,
    )
    planned = order_plan(planned, today.costs, review_days=today.review_days)
    value = pl.col("optimal_stock") * pl.col("unit_cost")
    return planned.select(
        "series_id",
        pl.col("reorder_point").alias(f"reorder_point_{when}"),
        pl.col("safety_stock").alias(f"safety_stock_{when}"),
        pl.col("optimal_stock").alias(f"average_stock_{when}"),
        value.alias(f"stock_value_{when}"),
        (value * today.costs.holding_rate).alias(f"holding_cost_{when}"),
    )
