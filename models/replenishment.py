"""What to order, where to put it, what to move: the economics on top of `models.inventory.reorder`.

Order quantities are Wilson's economic quantity between one review period and the longest cycle's sales (Silver,
Pyke & Thomas, ch. 4), never less than what lifts the stock to its reorder point. A short season is a newsvendor
(ch. 9). Money is in one currency throughout; the caller converts.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.base import Floats
from models.cumulative import CHANCES, column


@dataclass(frozen=True)
class Costs:
    """`order_cost`: of placing one order. `holding_rate`: of keeping a unit for a year, as a share of its cost.
    `stock_rate`: the same as orders are sized by; above `holding_rate` it buys less stock with more orders.
    `longest_cycle_days`: no order brings more than so many days of sales, however cheap keeping it is."""

    order_cost: float = 5.0
    holding_rate: float = 0.25
    stock_rate: float = 4.0
    longest_cycle_days: float = 60.0


@dataclass(frozen=True)
class TransferTerms:
    """Of moving goods between places: `days` it takes, `cost` of a move and `unit_cost` of each unit moved; a giver
    keeps `keep_days` of its sales, a place wants to last `need_days`."""

    days: float = 5.0
    cost: float = 10.0
    unit_cost: float = 0.5
    keep_days: float = 30.0
    need_days: float = 14.0


def cycle(costs: Costs, review_days: float) -> pl.Expr:
    """What one order should bring, in units, from `mean_daily` and `unit_cost`: Wilson's quantity within the bounds; a
    review period's sales where the cost is not known."""
    daily, cost = pl.col("mean_daily"), pl.col("unit_cost").cast(pl.Float64)
    wilson = (2 * costs.order_cost * daily * 365 / (costs.stock_rate * cost)).sqrt()
    least = daily * max(review_days, 1.0)
    bounded = wilson.clip(least, daily * max(costs.longest_cycle_days, review_days))
    return pl.when(cost > 0).then(bounded).otherwise(least).ceil()


def order_plan(
    plan: pl.DataFrame, costs: Costs, *, review_days: float, budget: float | None = None
) -> pl.DataFrame:
    """`plan` (rows of `inventory.reorder` with `unit_cost`, and `unit_margin`) with what to order, in units and money.

    Adds `cycle_units` (what one order should bring), `optimal_stock` (what lies there on average at the wanted
    service: safety stock and half a cycle), `order_up_to`, `order_quantity` (0 while on hand and inbound are above
    the reorder point; whole packs), `order_amount`, `urgency` (margin expected to be lost over the lead time without
    the order) and `within_budget`. With a `budget`, orders are taken by urgency per money spent until it is used up.
    A row without a cost is ordered review period by review period and counts nothing against the budget.
    """  # fmt: skip
    daily, point = pl.col("mean_daily"), pl.col("reorder_point")
    cost = pl.col("unit_cost").cast(pl.Float64)
    there = pl.col("available") + pl.col("inbound").fill_null(0)
    pack = _or(plan, "pack_size", 1.0).clip(lower_bound=1.0)
    missing = pl.max_horizontal(pl.col("order_up_to") - there, _or(plan, "min_order_quantity", 0.0))
    due = (there <= point) & (daily > 0)
    planned = (
        plan.with_columns(cycle_units=cycle(costs, review_days))
        .with_columns(
            optimal_stock=pl.col("safety_stock") + pl.col("cycle_units") / 2,
            order_up_to=point + pl.col("cycle_units"),
        )
        .with_columns(order_quantity=pl.when(due).then((missing / pack - 1e-9).ceil() * pack).otherwise(0.0))
        .with_columns(
            order_amount=pl.col("order_quantity") * cost,
            urgency=pl.col("p_stockout_lead_time")
            * pl.min_horizontal("order_quantity", daily * pl.col("lead_time_days"))
            * pl.col("unit_margin").cast(pl.Float64).fill_null(cost).fill_null(1.0),
        )
    )
    return _within(planned, budget)


def _within(planned: pl.DataFrame, budget: float | None) -> pl.DataFrame:
    ordered = pl.col("order_quantity") > 0
    if budget is None:
        return planned.with_columns(within_budget=ordered)
    spent = pl.col("order_amount").fill_null(0.0)
    per_money = pl.col("urgency") / pl.max_horizontal(spent, pl.lit(0.01))
    ranked = planned.with_row_index("_row").sort(per_money, "_row", descending=[True, False], nulls_last=True)
    left, keeps = budget, []
    for amount, quantity in ranked.select(spent, pl.col("order_quantity").fill_null(0.0)).iter_rows():
        fits = quantity > 0 and amount <= left + 1e-9
        left -= amount if fits else 0.0
        keeps.append(fits)
    return ranked.with_columns(within_budget=pl.Series(keeps, dtype=pl.Boolean)).sort("_row").drop("_row")


def allocate(quantity: float, available: Floats, daily: Floats, *, pack: float = 1.0) -> Floats:
    """Units of one order for each place so that the shortest cover becomes as long as possible, in whole packs.

    Places where nothing sells get nothing; what packs leave over goes where cover is shortest.
    """
    shares: Floats = np.zeros(len(available))
    sells = daily > 0
    if quantity <= 0 or not sells.any():
        return shares
    order = np.argsort(np.where(sells, available / np.where(sells, daily, 1.0), np.inf))
    chosen = order[: int(sells.sum())]
    for count in range(1, len(chosen) + 1):
        part = chosen[:count]
        level = (quantity + available[part].sum()) / daily[part].sum()
        if count == len(chosen) or level <= available[chosen[count]] / daily[chosen[count]]:
            break
    shares[part] = np.maximum(level * daily[part] - available[part], 0.0)
    shares = np.floor(shares / pack + 1e-9) * pack
    while quantity - shares.sum() >= pack - 1e-9:
        cover = np.where(sells, (available + shares) / np.where(sells, daily, 1.0), np.inf)
        shares[int(np.argmin(cover))] += pack
    return shares


def transfers(stock: pl.DataFrame, terms: TransferTerms) -> pl.DataFrame:
    """Moves worth their cost: rows `product, from_place, to_place, units, saved, cost, arrives_in_days`.

    `stock`: one row per product and place: `product`, `place`, `available`, `mean_daily`, `unit_margin`, and
    `need_days` where it differs (days until a purchase could arrive). A place gives what lies beyond `keep_days` of
    its own sales; a place gets what it lacks until then, less what sells out before the goods arrive. A move is
    suggested when the margin it saves exceeds what it costs.
    """
    found = []
    for (product,), places in stock.group_by(["product"], maintain_order=True):
        if places.height < 2:
            continue
        rows = places.to_dicts()
        spare = {
            row["place"]: max(row["available"] - terms.keep_days * row["mean_daily"], 0.0) for row in rows
        }
        for row in sorted(rows, key=_cover):
            until = row.get("need_days") or terms.need_days
            daily = row["mean_daily"]
            left_on_arrival = max(row["available"] - terms.days * daily, 0.0)
            lacks = max((until - terms.days) * daily - left_on_arrival, 0.0)
            giver = max((place for place in spare if place != row["place"]), key=lambda name: spare[name])
            units = float(np.floor(min(lacks, spare[giver])))
            saved, cost = units * (row["unit_margin"] or 0.0), units * terms.unit_cost + terms.cost
            if units >= 1 and saved > cost:
                spare[giver] -= units
                spare[row["place"]] = 0.0
                found.append((product, giver, row["place"], units, saved, cost, terms.days))
    return pl.DataFrame(
        found,
        schema={
            "product": stock.schema["product"], "from_place": pl.String, "to_place": pl.String, "units": pl.Float64,
            "saved": pl.Float64, "cost": pl.Float64, "arrives_in_days": pl.Float64,
        },
        orient="row",
    )  # fmt: skip


def newsvendor(
    sums: pl.DataFrame, *, price: float | Floats, cost: float | Floats, salvage: float | Floats = 0.0
) -> pl.DataFrame:
    """One order for a season that cannot be repeated: `series_id, order_quantity, service_level, expected_profit`.

    `sums`: one row per series with `mean` and the quantiles of what the season will sell, as `cumulative.at_lead`
    gives. The quantity is the critical ratio's quantile, (price - cost) / (price - salvage); each of the three one
    figure, or one a row.
    """
    priced, paid, left = (
        np.broadcast_to(np.asarray(one, dtype=np.float64), sums.height) for one in (price, cost, salvage)
    )
    wrong = np.flatnonzero(~((left < paid) & (paid < priced)))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"a newsvendor needs salvage < cost < price, not {left[row]}, {paid[row]}, {priced[row]}"
        )
    ratio = (priced - paid) / (priced - left)
    values = sums.select([column(chance) for chance in CHANCES]).to_numpy()
    quantity = np.array(
        [round(float(np.interp(wanted, CHANCES, row))) for wanted, row in zip(ratio, values, strict=True)],
        dtype=np.float64,
    )
    steps = np.linspace(0.005, 0.995, 100)
    drawn = np.array([np.interp(steps, CHANCES, row) for row in values]).reshape(len(values), len(steps))
    sold = np.minimum(drawn, quantity[:, None]).mean(axis=1)
    profit = sold * priced + (quantity - sold) * left - quantity * paid
    return sums.select("series_id").with_columns(
        order_quantity=pl.Series(quantity), service_level=pl.Series(ratio), expected_profit=pl.Series(profit)
    )


def spread(ordered: pl.DataFrame, places: pl.DataFrame, terms: "TransferTerms") -> pl.DataFrame:
    """How each order of `ordered` (an `order_plan`) is shared by its channel's places, and what to move between them:
    the columns of `places`, `demand_share`, `order_units`, `moved_in` and `days_of_cover`.

    `places`: `series_id, warehouse_location, available, left_daily` of series with several places. A place's part of
    the demand is its part of what left; without any, its part of what lies there, else an even one.
    """
    of = "series_id"
    weight = (
        pl.when(pl.col("left_daily").sum().over(of) > 0).then(pl.col("left_daily"))
        .when(pl.col("available").sum().over(of) > 0).then(pl.col("available").cast(pl.Float64))
        .otherwise(1.0)
    )  # fmt: skip
    known = places.join(
        ordered.select(of, "product_id", "channel_id", "mean_daily", "order_quantity", "unit_margin", "lead_time_days"),
        on=of, how="inner",
    ).with_columns(demand_share=weight / weight.sum().over(of))  # fmt: skip
    known = known.with_columns(daily=pl.col("mean_daily") * pl.col("demand_share")).sort(
        of, "warehouse_location"
    )
    shares: list[float] = []
    for _, rows in known.group_by([of], maintain_order=True):
        quantity = float(rows["order_quantity"][0] or 0.0)
        shares += allocate(
            quantity, rows["available"].to_numpy().astype(np.float64), rows["daily"].to_numpy()
        ).tolist()
    moves = transfers(
        known.select(
            "unit_margin",
            "available",
            product=of,
            place="warehouse_location",
            mean_daily="daily",
            need_days="lead_time_days",
        ),
        terms,
    )
    come = moves.select(series_id="product", warehouse_location="to_place", moved="units")
    go = moves.select(series_id="product", warehouse_location="from_place", moved=-pl.col("units"))
    moved = pl.concat([come, go]).group_by(of, "warehouse_location").agg(moved_in=pl.col("moved").sum())
    return (
        known.with_columns(order_units=pl.Series(shares, dtype=pl.Float64))
        .join(moved, on=[of, "warehouse_location"], how="left")
        .with_columns(
            pl.col("moved_in").fill_null(0.0),
            days_of_cover=pl.when(pl.col("daily") > 0).then(pl.col("available") / pl.col("daily")),
        )
    )


def _cover(row: dict[str, float]) -> float:
    return row["available"] / row["mean_daily"] if row["mean_daily"] > 0 else float("inf")


def _or(frame: pl.DataFrame, name: str, default: float) -> pl.Expr:
    return pl.col(name).cast(pl.Float64).fill_null(default) if name in frame.columns else pl.lit(default)
