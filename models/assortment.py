"""Which SKUs carry the business, which are predictable, which lie: ABC, XYZ, velocity, cover, lost revenue.

ABC by margin where the cost is known, else by revenue (Pareto 80/15/5, per channel and currency); XYZ by the
coefficient of variation of weekly units (0.5 and 1.0: Syntetos & Boylan's usual lines for regular and erratic).
What a stock-out cost is the rate sold while in stock, for each day with nothing to sell.
"""

from datetime import date, timedelta

import polars as pl

SPAN_DAYS = 365
RECENT_DAYS = 91
A_SHARE, B_SHARE = 0.80, 0.95
X_CV, Y_CV = 0.5, 1.0
SLOW_COVER_DAYS = 180
DEAD_DAYS = 180
KEYS = ["channel", "sku"]


def summarize(sales: pl.DataFrame, today: date) -> pl.DataFrame:
    """What `classify` needs of sales, one row per channel and SKU with days in the year before `today`; a catalogue can
    be summed up part by part.

    `sales`: `channel, sku, date, units, in_stock` (a row for every day known, zeros too), `revenue`, `margin` (null
    where the cost is unknown).
    """
    year = sales.filter(pl.col("date").is_between(today - timedelta(days=SPAN_DAYS), today, closed="left"))
    recent = pl.col("date") >= today - timedelta(days=RECENT_DAYS)
    there = pl.col("in_stock").cast(pl.Boolean)
    summed = year.group_by(KEYS).agg(
        revenue_365d=pl.col("revenue").sum(),
        margin_365d=pl.when(pl.col("margin").count() == 0).then(None).otherwise(pl.col("margin").sum()),
        units_365d=pl.col("units").sum(),
        units_91d=pl.col("units").filter(recent).sum(),
        revenue_91d=pl.col("revenue").filter(recent).sum(),
        days_in_stock=there.filter(recent).sum(),
        stockout_days_91d=(~there).filter(recent).sum(),
        rate_365d=pl.col("units").filter(there).sum() / there.sum(),
        last_sold=pl.col("date").filter(pl.col("units") > 0).max(),
        first_date=pl.col("date").min(),
    )
    return summed.join(_weekly_cv(year), on=KEYS, how="left")


def classify(summary: pl.DataFrame, stock: pl.DataFrame, today: date) -> pl.DataFrame:
    """One row per channel and SKU of `summary` (of `summarize`) or in stock.

    `stock`: `channel, sku, available, inbound, unit_cost, price, currency`, and `known_since` (the day its stock was
    first seen: what never sold can be dead, too).
    Columns added: `abc`, `xyz`, `basis` (margin or revenue), `revenue_365d`, `margin_365d`, `value_share`, `units_91d`,
    `velocity` (units a day while in stock), `weekly_cv`, `sell_through` (units of 91 days over them and what is
    left), `days_of_cover`, `stockout_days_91d`, `lost_units_91d`, `lost_revenue_91d`, `last_sold`, `is_slow`,
    `is_dead`, `stock_value` (at cost).
    """
    if "known_since" not in stock.columns:
        stock = stock.with_columns(known_since=pl.lit(None, pl.Date))
    joined = summary.join(stock, on=KEYS, how="full", coalesce=True)
    counted = joined.with_columns(
        pl.col("revenue_365d", "revenue_91d", "units_365d", "units_91d", "available", "inbound", "days_in_stock",
               "stockout_days_91d").fill_null(0)
    ).with_columns(
        velocity=pl.when(pl.col("days_in_stock") > 0).then(pl.col("units_91d") / pl.col("days_in_stock"))
        .otherwise(pl.col("rate_365d")).fill_null(0.0).fill_nan(0.0),
    )  # fmt: skip
    return (
        _abc(counted)
        .with_columns(*_measures(today))
        .sort(*KEYS)
        .drop("rate_365d", "revenue_91d", "days_in_stock")
    )


def _weekly_cv(year: pl.DataFrame) -> pl.DataFrame:
    """Spread of weekly units over their mean; weeks with an empty shelf are left out. Null under eight weeks."""
    weeks = year.group_by(*KEYS, pl.col("date").dt.truncate("1w").alias("week")).agg(
        pl.col("units").sum(), whole=(pl.col("in_stock").cast(pl.Boolean).sum() >= 6)
    )
    weeks = weeks.filter("whole")
    mean, spread = pl.col("units").mean(), pl.col("units").std()
    return weeks.group_by(KEYS).agg(weekly_cv=pl.when((pl.len() >= 8) & (mean > 0)).then(spread / mean))


def _abc(counted: pl.DataFrame) -> pl.DataFrame:
    """Classes by share of the channel's value; margin only where every seller of the channel has a cost."""
    by = ["channel", "currency"]
    sells = pl.col("units_365d") > 0
    priced = (pl.col("margin_365d").is_not_null() | ~sells).all().over(by)
    basis = pl.when(priced).then(pl.lit("margin")).otherwise(pl.lit("revenue"))
    valued = counted.with_columns(basis=basis).with_columns(
        _value=pl.when(pl.col("basis") == "margin").then(pl.col("margin_365d")).otherwise(pl.col("revenue_365d"))
        .cast(pl.Float64).fill_null(0.0).clip(lower_bound=0.0)
    )  # fmt: skip
    ranked = valued.sort("_value", "sku", descending=[True, False])
    total = pl.col("_value").sum().over(by)
    before = (pl.col("_value").cum_sum().over(by) - pl.col("_value")) / total
    return ranked.with_columns(
        value_share=pl.when(total > 0).then(pl.col("_value") / total).otherwise(0.0),
        abc=pl.when(~sells | (pl.col("_value") <= 0)).then(pl.lit("C")).when(before < A_SHARE).then(pl.lit("A"))
        .when(before < B_SHARE).then(pl.lit("B")).otherwise(pl.lit("C")),
        xyz=pl.when(pl.col("weekly_cv").is_null()).then(pl.lit("Z")).when(pl.col("weekly_cv") <= X_CV)
        .then(pl.lit("X")).when(pl.col("weekly_cv") <= Y_CV).then(pl.lit("Y")).otherwise(pl.lit("Z")),
    ).drop("_value")  # fmt: skip


def _measures(today: date) -> list[pl.Expr]:
    velocity, available = pl.col("velocity"), pl.col("available")
    price = (pl.col("revenue_91d").cast(pl.Float64) / pl.col("units_91d")).fill_nan(None)
    price = pl.when(pl.col("units_91d") > 0).then(price).otherwise(pl.col("price").cast(pl.Float64))
    lost = velocity * pl.col("stockout_days_91d")
    cover = pl.when(velocity > 0).then(available / velocity)
    quiet = pl.col("last_sold").is_null() | (pl.col("last_sold") < today - timedelta(days=DEAD_DAYS))
    # a product that has only just come cannot be dead yet
    known = pl.min_horizontal("first_date", "known_since") < today - timedelta(days=DEAD_DAYS)
    dead = (available > 0) & quiet & known.fill_null(value=False)
    return [
        cover.alias("days_of_cover"),
        pl.when(pl.col("units_91d") + available > 0)
        .then(pl.col("units_91d") / (pl.col("units_91d") + available))
        .alias("sell_through"),
        lost.alias("lost_units_91d"),
        (lost * price).alias("lost_revenue_91d"),
        dead.alias("is_dead"),
        ((available > 0) & ~dead & (cover > SLOW_COVER_DAYS).fill_null(False)).alias("is_slow"),
        (available * pl.col("unit_cost").cast(pl.Float64)).alias("stock_value"),
    ]
