"""How many customers come back, by the month they first came. Frames in, frames out."""

from datetime import date

import polars as pl


def cohorts(orders: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per cohort_month and months_since up to the month of `as_of`, months without an order included.

    `orders`: customer_key, date, amount, one row per order. Gives customers (of the cohort), active (of them, with an
    order in the month), orders, revenue. The newest month is not over.
    """
    months = orders.filter(pl.col("date") <= as_of).with_columns(month=pl.col("date").dt.truncate("1mo"))
    born = months.with_columns(cohort_month=pl.col("month").min().over("customer_key"))
    seen = born.group_by("cohort_month", "month").agg(
        active=pl.col("customer_key").n_unique().cast(pl.Int64),
        orders=pl.len().cast(pl.Int64),
        revenue=pl.col("amount").sum(),
    )
    sizes = born.group_by("cohort_month").agg(customers=pl.col("customer_key").n_unique().cast(pl.Int64))
    grid = sizes.with_columns(
        month=pl.date_ranges("cohort_month", pl.lit(as_of.replace(day=1)), interval="1mo")
    ).explode("month", empty_as_null=False)
    since = (pl.col("month").dt.year() - pl.col("cohort_month").dt.year()) * 12 + (
        pl.col("month").dt.month().cast(pl.Int32) - pl.col("cohort_month").dt.month().cast(pl.Int32)
    )
    return (
        grid.join(seen, on=["cohort_month", "month"], how="left")
        .with_columns(pl.col("active", "orders", "revenue").fill_null(0))
        .select("cohort_month", since.cast(pl.Int64).alias("months_since"), "customers", "active", "orders", "revenue")
        .sort("cohort_month", "months_since")
    )  # fmt: skip


def repeat_rate(customers: pl.DataFrame) -> float | None:
    """Share of customers (`orders` each) with more than one order; None without customers."""
    return int((customers["orders"] > 1).sum()) / customers.height if customers.height else None
