"""Ordering rules against each other on real and invented demand.

    python -m bench.inventory [--data DATA] [--days 182]

Every rule plays the same last half-year with the same suppliers (6 to 27 days, 7 % of the orders 8 to 23 days late)
and weekly reviews. DATA is a folder with online_retail_ii and m5_walmart_sample; without it the demo merchant
alone is played. Cost is keeping (25 % a year), 5 an order, and the margin lost.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bench.forecasting_sets import m5, online_retail
from connectors.sandbox.generated import GeneratedWorld
from models import forecast as forecasting
from models.base import Floats, ForecastSettings, Ints
from models.inventory import reorder
from models.replenishment import Costs, order_plan
from models.simulation import Rule, Shelf, Terms, play

REVIEW = 7
FORECAST_EVERY = 14
MEMBERS = ("ets", "tsb", "weekday_mean")  # the cheap ones: a forecast a fortnight for every set
COSTS = Costs()
# service level asked, and days of sales an order may bring: lean to generous
POLICIES = (
    (0.60, 14),
    (0.70, 14),
    (0.74, 14),
    (0.80, 14),
    (0.83, 14),
    (0.90, 14),
    (0.80, 30),
    (0.90, 30),
    (0.95, 30),
)


@dataclass(frozen=True)
class Case:
    """One set: a series frame, and by item unit cost and margin."""

    name: str
    series: pl.DataFrame
    cost: Floats
    margin: Floats


def demo() -> Case:
    """What the demo merchant's buyers wanted, in stock or not."""
    world = GeneratedWorld(today=date(2026, 11, 1))
    wanted = pl.concat([
        world.true_demand(market.channel).with_columns(channel=pl.lit(market.channel)) for market in world.markets
    ]).filter(pl.col("date") < world.today)  # fmt: skip
    series = wanted.select(
        "date", "price", series_id=pl.col("channel") + "|" + pl.col("sku"), y=pl.col("units").cast(pl.Float64)
    )
    return _priced("demo", series)


def _priced(name: str, series: pl.DataFrame) -> Case:
    """Cost and margin as usual shares of the mean price; 3 where the set has no prices."""
    priced = series if "price" in series.columns else series.with_columns(price=pl.lit(3.0))
    mean = priced.group_by("series_id").agg(pl.col("price").mean().fill_null(3.0)).sort("series_id")
    price = mean["price"].to_numpy()
    return Case(name, series.select("series_id", "date", "y"), 0.45 * price, 0.40 * price)


def suppliers(items: int, days: int, seed: int = 11) -> Ints:
    """Items × days: how long an order placed that day takes."""
    rng = np.random.default_rng(seed)
    usual = rng.integers(6, 28, (items, 1))
    late = (rng.random((items, days)) < 0.07) * rng.integers(8, 24, (items, days))
    value: Ints = usual + late
    return value


def min_max(demand: Floats, usual: Floats) -> Rule:
    """Minimum: one and a half lead times of the last 90 days' sales; order up to 30 days more."""

    def rule(shelf: Shelf) -> Floats:
        daily = demand[:, max(shelf.day - 89, 0) : shelf.day + 1].mean(axis=1)
        least = 1.5 * daily * usual
        position = shelf.on_hand + shelf.on_order
        return np.where(position <= least, np.ceil(least + 30 * daily - position), 0.0)

    return rule


def fixed_cover(demand: Floats, usual: Floats, days: float = 14.0) -> Rule:
    """At every review up to lead time, review and `days` of the last 28 days' sales."""

    def rule(shelf: Shelf) -> Floats:
        daily = demand[:, max(shelf.day - 27, 0) : shelf.day + 1].mean(axis=1)
        wanted: Floats = np.ceil((usual + REVIEW + days) * daily - shelf.on_hand - shelf.on_order)
        return np.maximum(wanted, 0.0)

    return rule


def ours(case: Case, forecasts: dict[int, forecasting.ForecastResult], ids: list[str], usual: Floats, spread: Floats,
         policy: tuple[float, int]) -> Rule:  # fmt: skip
    """The plan of `models.inventory` and `models.replenishment` from the newest forecast."""

    def rule(shelf: Shelf) -> Floats:
        newest = forecasts[max(day for day in forecasts if day <= shelf.day)]
        position = pl.DataFrame({
            "series_id": ids, "available": shelf.on_hand, "inbound": shelf.on_order, "lead_time_days": usual,
            "lead_time_sd_days": spread, "unit_cost": case.cost, "unit_margin": case.margin,
        })  # fmt: skip
        planned = reorder(position, newest.frame, newest.cumulative, lead_time_days=14, review_days=REVIEW,
                          service_level=policy[0], now_date=date(2026, 1, 1))  # fmt: skip
        ordered = order_plan(planned, replace(COSTS, longest_cycle_days=policy[1]), review_days=REVIEW)
        back = pl.DataFrame({"series_id": ids}).join(
            ordered, on="series_id", how="left", maintain_order="left"
        )
        quantity: Floats = back["order_quantity"].fill_null(0.0).to_numpy()
        return quantity

    return rule


def compare(case: Case, days: int, say: Callable[[str], object]) -> list[dict[str, object]]:
    """One row per rule."""
    wide = case.series.sort("series_id", "date").pivot(on="series_id", index="date", values="y").sort("date")
    ids = sorted(set(wide.columns) - {"date"})
    demand = wide.select(ids).fill_null(0.0).to_numpy().T.astype(np.float64)
    start = demand.shape[1] - days
    lead = suppliers(len(ids), demand.shape[1])
    usual = np.median(lead[:, :start], axis=1).astype(np.float64)
    spread = np.full(len(ids), 4.0)  # of the delays above
    opening = np.ceil(demand[:, max(start - 90, 0) : start].mean(axis=1) * (usual + REVIEW + 14))
    terms = Terms(case.cost, case.margin, COSTS.order_cost, COSTS.holding_rate)
    first: date = wide["date"][0]
    forecasts = {}
    for day in range(start, demand.shape[1], FORECAST_EVERY):
        known = case.series.filter(
            pl.col("date").is_between(first + timedelta(days=max(day - 500, 0)), first + timedelta(days=day))
        )
        forecasts[day] = forecasting.run(
            known,
            60,
            settings=ForecastSettings(members=MEMBERS, workers=1, origin=first + timedelta(days=day)),
        )
        say(f"{case.name}: forecast {len(forecasts)}")
    rules: dict[str, Rule] = {"min/max": min_max(demand, usual), "14-day cover": fixed_cover(demand, usual)}
    for level, cycle in POLICIES:
        rules[f"wharf {level:.0%}, {cycle} d"] = ours(case, forecasts, ids, usual, spread, (level, cycle))
    rows: list[dict[str, object]] = []
    for name, rule in rules.items():
        result = play(demand, rule, opening, lead, terms, review_days=REVIEW, start=start)
        rows.append(
            {"set": case.name, "rule": name, **asdict(result), "cost": result.cost, "items": len(ids)}
        )
    return rows


def dominating(rows: list[dict[str, object]], rival: str) -> dict[str, object] | None:
    """Our row with fewer stock-out days, less stock and lower cost than the rival, cheapest first; None: none is."""
    bar = next(row for row in rows if row["rule"] == rival)
    measures = ("stockout_days", "average_stock_value", "cost")
    good = [
        row for row in rows
        if str(row["rule"]).startswith("wharf") and all(float(str(row[m])) <= float(str(bar[m])) for m in measures)
    ]  # fmt: skip
    if not good:
        return None
    best = min(good, key=lambda row: float(str(row["cost"])))
    change = {m: float(str(best[m])) / max(float(str(bar[m])), 1e-9) - 1 for m in measures}
    return {"set": best["set"], "rival": rival, "rule": best["rule"], **change}


def main() -> None:
    """Print the tables and write bench-results/inventory.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--days", type=int, default=182)
    parser.add_argument("--sets", nargs="*", default=["demo", "or2", "m5"])
    args = parser.parse_args()
    cases = [demo()] if "demo" in args.sets else []
    if args.data is not None:
        cases += [_priced("or2", online_retail(args.data, 100, 7))] if "or2" in args.sets else []
        cases += [_priced("m5", m5(args.data, 70, 7))] if "m5" in args.sets else []
    found: dict[str, object] = {}
    for case in cases:
        rows = compare(case, args.days, lambda step: sys.stderr.write(f"\r{step}   "))
        wins = [dominating(rows, rival) for rival in ("min/max", "14-day cover")]
        with pl.Config(tbl_rows=20, tbl_cols=20, float_precision=3, tbl_width_chars=200):
            sys.stdout.write(f"\n{pl.DataFrame(rows).select(_SHOWN)}\n{[win for win in wins if win]}\n")
        found[case.name] = {"rules": rows, "dominates": wins}
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "inventory.json").write_text(json.dumps(found, indent=1))


_SHOWN = ("set", "rule", "stockout_days", "stockout_rate", "fill_rate", "average_stock_value", "orders", "holding_cost",
          "order_cost", "lost_margin", "cost")  # fmt: skip

if __name__ == "__main__":
    main()
