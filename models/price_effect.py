"""What a price or a promotion does to demand, with an interval that does not promise too much.

Poisson regression of daily units on log price and promotion (log-log demand; elasticity is the coefficient, as in
Wooldridge, Introductory Econometrics, ch. 17.3), compared within an item: every item has its own level in every
quarter of a year, its channel the weekday, and each day the level of what was at its usual price (so that Black
Friday is not taken for the effect of its discounts). Days without stock are left out, and days without a sale between
two prices: orders tell a price only where something sold. Standard errors are clustered by item or by week
(quasi-maximum likelihood), so lumpy sales and sales that all items share widen them. Prices are not set at random: a
cut in a busy week looks like an effect, which is why promoted days and list price changes are separate columns and
the estimate is called association where a single item carries it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from models.base import Floats, Ints

LEAST_ROWS = 60
LEAST_MOVES = 8  # days at a price that differs by MOVE from the item's usual
MOVE = 0.02
LEAST_SOLD_SHARE = 0.2  # of days with a sale: what sells more rarely shows its prices too rarely
DAY_PRIOR = 2.0  # units at which the level of a day counts half
SALES_DAYS = 0.05  # of all days, as long as there are no more: on them hardly anything is at its usual price,
SALES_DAY_SHARE = 0.1  # that is less than so much of what usually sells,
SALES_DAY_ITEMS = 5  # where there are so many items at all
STEPS = 12
PRIOR_ELASTICITY, PRIOR_SD = (
    -1.5,
    0.75,
)  # most goods lie between 0 and -3 (Bijmolt, van Heerde & Pieters 2005)


@dataclass(frozen=True)
class Effect:
    """`elasticity`: percent of units per percent of price, usually negative, with its 95 % interval; `promo_lift`:
    factor on units on promoted days at the same price. `rows`, `items`: what it rests on. `is_prior`: too few price
    changes were seen and the interval is mostly what is known of goods in general."""

    group: str
    elasticity: float
    elasticity_lo95: float
    elasticity_hi95: float
    promo_lift: float
    promo_lo95: float
    promo_hi95: float
    rows: int
    items: int
    is_prior: bool


SCHEMA = {
    "group": pl.String, "elasticity": pl.Float64, "elasticity_lo95": pl.Float64, "elasticity_hi95": pl.Float64,
    "promo_lift": pl.Float64, "promo_lo95": pl.Float64, "promo_hi95": pl.Float64, "rows": pl.Int64,
    "items": pl.Int64, "is_prior": pl.Boolean,
}  # fmt: skip


def effects(days: pl.DataFrame, group: str = "category") -> pl.DataFrame:
    """One row per value of `group`, and one for `all`: the fields of Effect.

    `days`: `series_id, date, y, price`, and optionally `promo` (0/1 or percent), `in_stock` and the group's column.
    """
    found = [estimate(days, "all")]
    if group in days.columns:
        for (name,), part in days.drop_nulls(group).group_by([group], maintain_order=True):
            found.append(estimate(part, str(name)))
    return pl.DataFrame([effect.__dict__ for effect in found], schema=SCHEMA)


def estimate(days: pl.DataFrame, name: str = "all") -> Effect:
    """The effect over all items of `days`, shrunk towards what is usual for goods as far as the data are thin."""
    rows = _usable(days)
    moved = int((rows["move"].abs() > MOVE).sum()) if rows.height else 0
    if rows.height < LEAST_ROWS or moved < LEAST_MOVES:
        half = 1.96 * PRIOR_SD
        return Effect(name, PRIOR_ELASTICITY, PRIOR_ELASTICITY - half, PRIOR_ELASTICITY + half, 1.0, 0.6, 1.7,
                      rows.height, rows["series_id"].n_unique(), is_prior=True)  # fmt: skip
    has_promo = rows["promo"].n_unique() > 1
    x = rows.select("move", *(["promo"] if has_promo else [])).to_numpy()
    names = ("y", "offset", "cell", "item", "week")
    beta, covariance = _poisson(x, **{name: rows[name].to_numpy() for name in names})
    sd = float(np.sqrt(covariance[0, 0]))
    trust = PRIOR_SD**2 / (PRIOR_SD**2 + sd**2)
    elasticity, sd = trust * beta[0] + (1 - trust) * PRIOR_ELASTICITY, sd * np.sqrt(trust)
    lift, lift_sd = (beta[1], float(np.sqrt(covariance[1, 1]))) if has_promo else (0.0, 0.25)
    low, high = np.exp(np.clip([lift - 1.96 * lift_sd, lift + 1.96 * lift_sd], -3, 3))
    return Effect(
        name, float(elasticity), float(elasticity - 1.96 * sd), float(elasticity + 1.96 * sd),
        float(np.exp(np.clip(lift, -3, 3))), float(low), float(high), rows.height, rows["series_id"].n_unique(),
        is_prior=bool(trust < 0.5),
    )  # fmt: skip


def _usable(days: pl.DataFrame) -> pl.DataFrame:
    promo = (
        (pl.col("promo").cast(pl.Float64).fill_null(0.0) > 0)
        if "promo" in days.columns
        else pl.lit(value=False)
    )
    there = (
        pl.col("in_stock").cast(pl.Float64).fill_null(1.0) > 0
        if "in_stock" in days.columns
        else pl.lit(value=True)
    )
    rows = days.filter(there & pl.col("y").is_not_null() & (pl.col("price") > 0)).select(
        "series_id",
        "date",
        "y",
        log_price=pl.col("price").cast(pl.Float64).log(),
        promo=promo.cast(pl.Float64),
    )
    often = pl.col("y").gt(0).mean().over("series_id") >= LEAST_SOLD_SHARE
    rows = rows.filter(often).sort("series_id", "date")
    asked = pl.when(pl.col("y") > 0).then(pl.col("log_price"))
    before, after = asked.forward_fill().over("series_id"), asked.backward_fill().over("series_id")
    # what is asked on a day without a sale shows only in the sales around it: between two prices it is not known
    rows = rows.filter((pl.col("y") > 0) | ((before - after).abs() <= MOVE).fill_null(value=True))
    channel = pl.col("series_id").str.split("|").list.first()
    quarter = pl.col("date").dt.year().cast(pl.Int64) * 4 + pl.col("date").dt.quarter()
    rows = rows.with_columns(
        move=pl.col("log_price") - pl.col("log_price").median().over("series_id"),
        _cell=pl.struct("series_id", quarter.alias("quarter")),
        _week=pl.struct(channel.alias("channel"), pl.col("date").dt.weekday().alias("weekday")),
    )
    # a cell without a sale or without change says nothing about the price
    rows = rows.filter(pl.col("y").sum().over("_cell") > 0)
    rows = rows.with_columns(
        cell=pl.col("_cell").rank("dense").cast(pl.Int64) - 1,
        item=pl.col("series_id").rank("dense").cast(pl.Int64) - 1,
        week=pl.col("date").dt.truncate("1w").rank("dense").cast(pl.Int64) - 1,
        still=(pl.col("move").abs() <= MOVE) & (pl.col("promo") == 0),
    )
    still = pl.when("still")
    usual = pl.coalesce(still.then("y").mean().over("_cell"), pl.col("y").mean().over("_cell"))
    rows = rows.with_columns(usual=usual)
    weekday = still.then("y").sum().over("_week") / still.then("usual").sum().over("_week")
    rows = rows.with_columns(weekday=weekday.fill_nan(1.0).clip(0.05, 20.0))
    # What the day was like for all others at their usual price: a sale everybody runs must not pass for its effect,
    # nor an item's own luck for the day's.
    rows = rows.with_columns(
        sold=still.then("y").otherwise(0.0),
        level=still.then(pl.col("usual") * pl.col("weekday")).otherwise(0.0),
    )
    rows = rows.filter(~_sales_days(rows))
    sold, level = (pl.col(name).sum().over("date") - pl.col(name) + DAY_PRIOR for name in ("sold", "level"))
    return rows.with_columns(offset=(sold / level * pl.col("weekday")).log()).drop("_cell", "_week")


def _sales_days(rows: pl.DataFrame) -> pl.Series:
    """Rows of the few days on which hardly anything is at its usual price: nothing tells what the day did by itself."""
    whole = (pl.col("usual") * pl.col("weekday")).sum().over("date")
    odd = (pl.col("level").sum().over("date") < SALES_DAY_SHARE * whole) & (
        pl.len().over("date") >= SALES_DAY_ITEMS
    )
    days = rows.with_columns(odd=odd)
    few = days.unique("date")["odd"].mean()
    return days["odd"] & (isinstance(few, float) and few <= SALES_DAYS)


def _poisson(
    x: Floats, y: Floats, offset: Floats, cell: Ints, item: Ints, week: Ints
) -> tuple[Floats, Floats]:
    """(coefficients, covariance clustered by item or by week, whichever is larger) of a Poisson regression with an
    own level per cell, which is concentrated out: given the cell's total, days share it multinomially (Hausman, Hall
    & Griliches 1984)."""
    cells = int(cell.max()) + 1
    total = np.bincount(cell, weights=y, minlength=cells)
    beta = np.zeros(x.shape[1])
    ridge = 1e-6 * np.eye(len(beta))
    information = ridge
    for _ in range(STEPS * 2):
        rate = np.exp(np.clip(x @ beta + offset, -20, 20))
        share = rate / np.bincount(cell, weights=rate, minlength=cells)[cell]
        expected = share * total[cell]
        centre = np.column_stack(
            [np.bincount(cell, weights=share * column, minlength=cells)[cell] for column in x.T]
        )
        away = x - centre
        score = away.T @ (y - expected)
        information = (away * expected[:, None]).T @ away + ridge
        step = np.linalg.solve(information, score)
        beta = np.clip(beta + step, -10, 10)
        if np.abs(step).max() < 1e-8:
            break
    parts = away * (y - expected)[:, None]
    # with few items clustering has too few clusters: cells (item and quarter) serve instead
    by_item = cell if int(item.max()) < 9 else item
    inverse = np.linalg.inv(information)
    return beta, max(
        (_clustered(parts, inverse, by) for by in (by_item, week)), key=lambda found: found[0, 0]
    )


def _clustered(parts: Any, inverse: Any, cluster: Ints) -> Floats:
    sums = np.column_stack([np.bincount(cluster, weights=column) for column in parts.T])
    count = max(len(sums), 2)
    covariance: Floats = inverse @ (sums.T @ sums) @ inverse * count / (count - 1)
    return covariance
