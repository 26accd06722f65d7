"""Ordering rules against each other on real and invented demand.

    python -m bench.inventory [--data DATA] [--sets demo or2 m5] [--seed 7]

Every rule meets the same demand, suppliers (6 to 27 days, 7 % of the orders 8 to 23 days late) and weekly reviews. As
Wharf comes, the service level is found at every review from what is known then (`models.stock_level`), at 90 % of the
stock a plain min/max rule plans: the largest share, in steps of 5 %, that held less stock than both rivals in the
half-years before the ones told of the invented merchants 7 and 8 ("before"). Beside it levels that stay as they are,
with the price put on stock, the yearly rate Wilson's quantity is made with: at least cost, and for each rival "curve",
the cheapest that beats it in stock-out days, stock and cost in the half-year told, where there is one (the exchange
curve of Silver, Pyke & Thomas, ch. 4).
DATA is a folder with online_retail_ii and m5_walmart_sample; without it the demo merchant alone is played. Cost is
keeping (25 % a year), 5 an order, and the margin lost.
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
from models import stock_level
from models.base import Floats, ForecastSettings, Ints
from models.inventory import reorder
from models.replenishment import Costs, order_plan
from models.simulation import Rule, Shelf, Terms, play

REVIEW = 7
FORECAST_EVERY = 14
MEMBERS = ("ets", "tsb", "weekday_mean")  # the cheap ones: a forecast a fortnight for every set
COSTS = Costs()
LEVELS = (0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
PRICES = (0.25, 1.0, 2.0, 4.0)  # of stock, a year
SHARE = 0.9  # WHARF_STOCK_SHARE as it comes
SHARES = (0.80, 0.85, SHARE, 0.95)
HALF_YEAR = 182
STOCK = "average_stock_value"
MEASURES = ("stockout_days", STOCK, "cost")


@dataclass(frozen=True)
class Case:
    """One set: a series frame, and by item unit cost and margin."""

    name: str
    series: pl.DataFrame
    cost: Floats
    margin: Floats


def demo(seed: int) -> Case:
    """What the demo merchant's buyers wanted, in stock or not."""
    world = GeneratedWorld(seed, today=date(2026, 11, 1))
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


class Policy:
    """The plan of `models.inventory` and `models.replenishment` from the newest forecast."""

    def __init__(self, case: Case, ids: list[str], usual: Floats, delays: Floats, demand: Floats) -> None:
        self.forecasts: dict[int, forecasting.ForecastResult] = {}
        self._items = pl.DataFrame({"series_id": ids, "available": 0.0, "inbound": 0.0, "lead_time_days": usual,
                                    "unit_cost": case.cost, "unit_margin": case.margin})  # fmt: skip
        self._delays, self._demand = delays.tolist(), demand
        self._planned: dict[tuple[int, float], pl.DataFrame] = {}
        self._levels: dict[tuple[int, float], float] = {}

    def rule(self, level: float, price: float) -> Rule:
        """Orders for a service level and a price of stock."""
        costs = replace(COSTS, stock_rate=price)

        return lambda shelf: self._order(shelf, level, costs)

    def as_it_comes(self, share: float) -> Rule:
        """Orders for the level at which there is `share` of a plain rule's stock, found at every review."""
        return lambda shelf: self._order(shelf, self._level(shelf.day, share), COSTS)

    def _order(self, shelf: Shelf, level: float, costs: Costs) -> Floats:
        planned = self._plan(self._newest(shelf.day), level)
        now = planned.with_columns(available=pl.Series(shelf.on_hand), inbound=pl.Series(shelf.on_order))
        ordered = order_plan(now, costs, review_days=REVIEW)
        quantity: Floats = ordered["order_quantity"].fill_null(0.0).to_numpy()
        return quantity

    def _level(self, day: int, share: float) -> float:
        if (day, share) not in self._levels:
            recent = self._demand[:, max(day - 89, 0) : day + 1].mean(axis=1)
            items = self._items.with_columns(recent_daily=pl.Series(recent), lead_time_sd_days=0.0)
            self._levels[day, share] = stock_level.find(
                items, self.forecasts[self._newest(day)].cumulative, COSTS,
                share=share, review_days=REVIEW, past_delays=self._delays,
            )  # fmt: skip
        return self._levels[day, share]

    def _newest(self, day: int) -> int:
        return max(known for known in self.forecasts if known <= day)

    def _plan(self, day: int, level: float) -> pl.DataFrame:
        """Reorder points do not depend on what lies there: they are made once a forecast and level."""
        if (day, level) not in self._planned:
            newest = self.forecasts[day]
            planned = reorder(self._items, newest.frame, newest.cumulative, lead_time_days=14, review_days=REVIEW,
                              service_level=level, past_delays=self._delays, now_date=date(2026, 1, 1))  # fmt: skip
            self._planned[day, level] = self._items.select("series_id").join(
                planned, on="series_id", how="left", maintain_order="left"
            )
        return self._planned[day, level]


def compare(case: Case, say: Callable[[str], object]) -> list[dict[str, object]]:
    """One row per rule on the last half-year: both rivals, ours as it comes, and ours as chosen against each rival."""
    wide = case.series.sort("series_id", "date").pivot(on="series_id", index="date", values="y").sort("date")
    ids = sorted(set(wide.columns) - {"date"})
    demand = wide.select(ids).fill_null(0.0).to_numpy().T.astype(np.float64)
    last = demand.shape[1] - HALF_YEAR
    first: date = wide["date"][0]
    lead = suppliers(len(ids), demand.shape[1])
    known_lead = lead[:, : last - HALF_YEAR]
    usual = np.median(known_lead, axis=1).astype(np.float64)
    policy = Policy(case, ids, usual, (known_lead - usual[:, None]).ravel(), demand)
    for day in range(last - HALF_YEAR, demand.shape[1], FORECAST_EVERY):
        on = first + timedelta(days=day)
        known = case.series.filter(pl.col("date").is_between(on - timedelta(days=500), on))
        policy.forecasts[day] = forecasting.run(
            known, 60, settings=ForecastSettings(members=MEMBERS, workers=1, origin=on)
        )
        say(f"{case.name}: forecast {len(policy.forecasts)}")

    def played(name: str, rule: Rule, begin: int) -> dict[str, object]:
        until = begin + HALF_YEAR
        opening = np.ceil(demand[:, max(begin - 90, 0) : begin].mean(axis=1) * (usual + REVIEW + 14))
        terms = Terms(case.cost, case.margin, COSTS.order_cost, COSTS.holding_rate)
        result = play(demand[:, :until], rule, opening, lead, terms, review_days=REVIEW, start=begin)
        return {"set": case.name, "items": len(ids), "rule": name, **asdict(result), "cost": result.cost}

    rivals = {"min/max": min_max(demand, usual), "14-day cover": fixed_cover(demand, usual)}
    settings = [(level, price) for level in LEVELS for price in PRICES]
    tried = [played(_named(*each), policy.rule(*each), last) for each in settings]
    told = [played(name, rule, last) for name, rule in rivals.items()]
    before = [played(name, rule, last - HALF_YEAR) for name, rule in rivals.items()]
    ours = played("ours", policy.as_it_comes(SHARE), last)
    rows = [*told, ours | {"chosen": "as it comes"} | _beside(ours, told)]
    cheapest = tried[settings.index((0.95, COSTS.holding_rate))]
    rows.append(cheapest | {"chosen": "least cost"} | _beside(cheapest, told))
    for bar in told:
        better = [row for row in tried if all(_gain(row, bar, measure) >= 0 for measure in MEASURES)]
        if better:
            row = min(better, key=lambda one: float(str(one["cost"])))
            rows.append(row | {"chosen": f"curve, {bar['rule']}"} | _beside(row, told))
    for share in SHARES:
        row = played(f"ours, share {share:.0%}", policy.as_it_comes(share), last - HALF_YEAR)
        rows.append(row | {"chosen": "before"} | _beside(row, before))
    return rows


def _beside(row: dict[str, object], bars: list[dict[str, object]]) -> dict[str, object]:
    """By how much ours is above each rival."""
    return {
        f"{measure} beside {bar['rule']}": -_gain(row, bar, measure) for bar in bars for measure in MEASURES
    }


def _named(level: float, price: float) -> str:
    return f"ours, {level:.0%}, stock at {price:.0%}"


def _gain(row: dict[str, object], bar: dict[str, object], measure: str) -> float:
    """By how much of the rival's figure ours is lower."""
    return 1 - float(str(row[measure])) / max(float(str(bar[measure])), 1e-9)


def main() -> int:
    """Print the tables and write bench-results/inventory.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", nargs="*", default=["demo", "or2", "m5"])
    parser.add_argument(
        "--seed", type=int, default=7, help="which merchant is invented, which items of the sets are drawn"
    )
    args = parser.parse_args()
    cases = {"demo": lambda: demo(args.seed)}
    if args.data is not None:
        cases["or2"] = lambda: _priced("or2", online_retail(args.data, 100, args.seed))
        cases["m5"] = lambda: _priced("m5", m5(args.data, 70, args.seed))
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    kept = out / "inventory.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for name in (one for one in args.sets if one in cases):
        rows = compare(cases[name](), lambda step: sys.stderr.write(f"\r{step}   "))
        with pl.Config(tbl_rows=-1, tbl_cols=-1, float_precision=3, tbl_width_chars=220):
            sys.stdout.write(f"\n{pl.DataFrame(rows, infer_schema_length=None).select(_SHOWN)}\n")
        found[f"{name}, seed {args.seed}"] = rows
        kept.write_text(json.dumps(found, indent=1))
    return 0


_SHOWN = ("set", "rule", "chosen", "stockout_days", "fill_rate", "average_stock_value", "orders", "cost",
          *(f"{measure} beside {rival}" for rival in ("min/max", "14-day cover") for measure in MEASURES))  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
