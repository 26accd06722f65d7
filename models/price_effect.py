"""What a price or a promotion does to demand, with an interval that does not promise too much.

Poisson regression of daily units on log price and promotion (log-log demand; elasticity is the coefficient, as in
Wooldridge, Introductory Econometrics, ch. 17.3), compared within an item: every item has its own level in every
quarter of a year, its channel the weekday, and each day the level of what was at its usual price (so that Black
Friday is not taken for the effect of its discounts). Days without stock are left out, and days without a sale between
two prices: orders tell a price only where something sold. Standard errors are clustered by
item (quasi-maximum likelihood), so lumpy sales widen them. Prices are not set at random: a cut in a busy week looks
like an effect, which is why promoted days and list price changes are separate columns and the estimate is called
association where a single item carries it.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.base import Floats, Ints

LEAST_ROWS = 60
LEAST_MOVES = 8  # days at a price that differs by MOVE from the item's usual
MOVE = 0.02
LEAST_SOLD_SHARE = 0.2  # of days with a sale: what sells more rarely shows its prices too rarely
DAY_PRIOR = 10.0  # units at which a day's own level counts half
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
    has_promo = bool(rows["promo"].max() > rows["promo"].min())  # type: ignore[operator]
    x = rows.select("move", *(["promo"] if has_promo else [])).to_numpy()
    beta, covariance = _poisson(
        rows["y"].to_numpy(), x, rows["offset"].to_numpy(), rows["cell"].to_numpy(), rows["item"].to_numpy()
    )
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
        usual=pl.col("y").mean().over("_cell"),
    )
    weekday = pl.col("y").sum().over("_week") / pl.col("usual").sum().over("_week")
    rows = rows.with_columns(weekday=weekday.clip(0.05, 20.0))
    # what the day was like for everything at its usual price: a sale everybody runs must not pass for its effect
    still = (pl.col("move").abs() <= MOVE) & (pl.col("promo") == 0)
    level = pl.col("usual") * pl.col("weekday")
    index = (pl.col("y").filter(still).sum() + DAY_PRIOR) / (level.filter(still).sum() + DAY_PRIOR)
    return rows.with_columns(offset=(index.over("date") * pl.col("weekday")).log()).drop("_cell", "_week")


def _poisson(y: Floats, x: Floats, offset: Floats, cell: Ints, item: Ints) -> tuple[Floats, Floats]:
    """(coefficients, clustered covariance) of a Poisson regression with an own level per cell, which is
    concentrated out: given the cell's total, days share it multinomially (Hausman, Hall & Griliches 1984)."""
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
    items = int(item.max()) + 1
    sums = np.column_stack([np.bincount(item, weights=column, minlength=items) for column in parts.T])
    # with few items clustering has too few clusters: cells (item and quarter) serve instead
    if items < 10:
        sums = np.column_stack([np.bincount(cell, weights=column, minlength=cells) for column in parts.T])
    inverse = np.linalg.inv(information)
    count = max(len(sums), 2)
    covariance: Floats = inverse @ (sums.T @ sums) @ inverse * count / (count - 1)
    return beta, covariance
