"""How likely an open visit of the own shop ends in a purchase, learned from visits that are over. Frames in and out.

A visit is looked at after each of its steps, and again some hours later if nothing more came; what is asked is whether
it buys within a day from then. Gradient boosted trees (LightGBM) over what it has done so far, calibrated on the newest
visits learned from.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from models.base import Floats
from models.funnel import PATIENCE
from models.probability import TREES, Corners, best_line, calibration, score

FEATURES = (
    "views", "adds", "removes", "checkouts", "products", "in_cart", "amount", "minutes", "idle_minutes", "hour",
    "weekday",
)  # fmt: skip
IDLE = (timedelta(0), timedelta(hours=1), timedelta(hours=6))  # after a step, when a visit is looked at again
FEWEST_VISITS = 300
FEWEST_PURCHASES = 30
ROUNDS = 120
MOST_EVENTS = 100_000  # learned from


@dataclass(frozen=True)
class VisitModel:
    """Trees as text and their calibration. `scores`: on the newest visits, which neither has seen, of the trees and of
    "more in the cart, likelier"."""

    trees: str
    corners: Corners
    scores: tuple[dict[str, Any], ...]


def train(events: pl.DataFrame, now: datetime, zone: str = "UTC", seed: int = 7) -> VisitModel | None:
    """Fit on visits that ended a day before `now`; None when there are too few of them or of their purchases.

    `events`: kind, happened_at, session_key, sku, quantity, price. Split by time: the oldest six tenths of the looks
    teach, two calibrate, two judge; a visit in two parts counts in the first.
    """
    import lightgbm

    looks = _looks(_some(events), zone).filter(pl.col("at") + PATIENCE <= now).sort("at", "session_key")
    bought = looks.group_by("session_key").agg(pl.col("buys").max())
    if looks["session_key"].n_unique() < FEWEST_VISITS or bought["buys"].sum() < FEWEST_PURCHASES:
        return None
    first = looks["at"].rank("ordinal") / looks.height
    part = pl.Series("part", np.digitize(first.to_numpy(), [0.6, 0.8]))
    looks = looks.with_columns(part).with_columns(own=pl.col("part").min().over("session_key"))
    learn, tune, test = (looks.filter((pl.col("part") == one) & (pl.col("own") == one)) for one in range(3))
    settings = TREES | {"num_leaves": 15, "min_data_in_leaf": 40, "lambda_l2": 5.0, "seed": seed}
    rows = lightgbm.Dataset(_matrix(learn), _truth(learn))
    booster = lightgbm.train(settings, rows, num_boost_round=ROUNDS)
    corners = calibration(_raw(booster, tune), _truth(tune))
    said = np.interp(_raw(booster, test), *corners)
    cart = test["in_cart"].to_numpy() / (1 + test["in_cart"].to_numpy())
    scores = [{"method": "learned"} | score(_truth(test), said, best_line(said)),
              {"method": "units in the cart"} | score(_truth(test), cart, 0.5)]  # fmt: skip
    return VisitModel(booster.model_to_string(), corners, tuple(scores))


def predict(model: VisitModel, events: pl.DataFrame, now: datetime, zone: str = "UTC") -> pl.DataFrame:
    """`session_key, likelihood` of visits with something in the cart, no purchase, and a step within the last day."""
    import lightgbm

    visits = open_visits(events, now, zone)
    raw = _raw(lightgbm.Booster(model_str=model.trees), visits)
    return visits.select("session_key").with_columns(likelihood=pl.Series(np.interp(raw, *model.corners)))


def open_visits(events: pl.DataFrame, now: datetime, zone: str = "UTC") -> pl.DataFrame:
    """One row per visit that may still buy, with FEATURES as of `now`."""
    steps = _steps(events.filter(pl.col("happened_at") <= now), zone)
    last = steps.sort("happened_at").group_by("session_key", maintain_order=True).last()
    fresh = (pl.col("happened_at") + PATIENCE > now) & (pl.col("in_cart") > 0)
    is_open = last.filter(fresh & pl.col("bought_at").is_null() & ~pl.col("is_purchase"))
    idle = (pl.lit(now) - pl.col("happened_at")).dt.total_seconds() / 60
    return is_open.with_columns(idle_minutes=idle.cast(pl.Float64))


def in_carts(events: pl.DataFrame) -> pl.DataFrame:
    """`session_key, sku, product_id, units, amount, currency`: what lies in carts, units put in less taken out."""
    sign = (
        pl.when(pl.col("kind") == "add_to_cart").then(1).when(pl.col("kind") == "remove_from_cart").then(-1)
    )
    moved = events.with_columns(moved=sign.otherwise(0) * pl.col("quantity")).sort("happened_at")
    return (
        moved.group_by("session_key", "sku", maintain_order=True)
        .agg(
            pl.col("product_id").max(),
            units=pl.col("moved").sum(),
            price=pl.col("price").drop_nulls().last(),
            currency=pl.col("currency").drop_nulls().last(),
        )
        .filter(pl.col("units") > 0)
        .with_columns(amount=pl.col("units") * pl.col("price").cast(pl.Float64))
        .drop("price")
    )


def by_product(carts: pl.DataFrame, chance: pl.DataFrame) -> pl.DataFrame:
    """One row per sku and currency: `product_id, sessions, units, amount, likelihood` (mean), `expected_amount`,
    `at_stake` (null where no likelihood is known). `carts`: of `in_carts`; `chance`: session_key, likelihood."""
    known = carts.join(chance, on="session_key", how="left").with_columns(
        pl.col("amount").fill_null(0.0), pl.col("currency").fill_null("")
    )
    expected = (pl.col("amount") * pl.col("likelihood")).sum()
    told = pl.col("likelihood").count() > 0
    return (
        known.group_by("sku", "currency")
        .agg(
            pl.col("product_id").max(),
            sessions=pl.col("session_key").n_unique().cast(pl.Int64),
            units=pl.col("units").sum(),
            amount=pl.col("amount").sum(),
            likelihood=pl.col("likelihood").mean(),
            expected_amount=pl.when(told).then(expected),
        )
        .with_columns(at_stake=pl.col("amount") - pl.col("expected_amount"))
        .sort("sku", "currency")
    )


def _steps(events: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Every event with what its visit had done up to then, and when the visit buys after it (null: never)."""
    kind = pl.col("kind")
    units = pl.col("quantity").cast(pl.Float64)
    signed = (
        pl.when(kind == "add_to_cart")
        .then(units)
        .when(kind == "remove_from_cart")
        .then(-units)
        .otherwise(0.0)
    )
    local = pl.col("happened_at").dt.convert_time_zone(zone)
    visit = "session_key"
    is_new = pl.struct(visit, "sku").is_first_distinct()
    ordered = events.sort(visit, "happened_at", "kind")
    bought = pl.when(kind == "purchase").then(pl.col("happened_at"))
    return ordered.with_columns(
        *(
            (kind == step).cast(pl.Int64).cum_sum().over(visit).alias(name)
            for step, name in (("product_view", "views"), ("add_to_cart", "adds"), ("remove_from_cart", "removes"),
                               ("checkout", "checkouts"))
        ),
        products=is_new.cast(pl.Int64).cum_sum().over(visit),
        in_cart=signed.cum_sum().over(visit).clip(lower_bound=0.0),
        amount=(signed * pl.col("price").cast(pl.Float64).fill_null(0.0)).cum_sum().over(visit).clip(lower_bound=0.0),
        minutes=(pl.col("happened_at") - pl.col("happened_at").min().over(visit)).dt.total_seconds() / 60,
        hour=local.dt.hour().cast(pl.Int64),
        weekday=local.dt.weekday().cast(pl.Int64),
        next_at=pl.col("happened_at").shift(-1).over(visit),
        is_purchase=kind == "purchase",
        bought_at=bought.shift(-1).backward_fill().over(visit),
        bought_before=(kind == "purchase").cast(pl.Int64).cum_sum().over(visit) > 0,
    )  # fmt: skip


def _some(events: pl.DataFrame) -> pl.DataFrame:
    """All events of as many visits, picked by their key, as make MOST_EVENTS."""
    parts = max(-(-events.height // MOST_EVENTS), 1)
    return events.filter(pl.col("session_key").hash(seed=7) % parts == 0) if parts > 1 else events


def _looks(events: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Looks at visits that have not bought yet: FEATURES, `at` when, and whether it `buys` within a day."""
    steps = _steps(events, zone).filter(~pl.col("bought_before"))
    looks = []
    for idle in IDLE:
        at = pl.col("happened_at") + idle
        quiet = steps.filter(pl.col("next_at").is_null() | (pl.col("next_at") > at))
        looks.append(quiet.with_columns(at=at, idle_minutes=pl.lit(idle.total_seconds() / 60)))
    buys = (pl.col("bought_at") - pl.col("at") <= PATIENCE).fill_null(value=False)
    return pl.concat(looks).with_columns(buys=buys.cast(pl.Int64))


def _matrix(looks: pl.DataFrame) -> Floats:
    value: Floats = looks.select(pl.col(name).cast(pl.Float64) for name in FEATURES).to_numpy()
    return value


def _truth(looks: pl.DataFrame) -> Floats:
    return looks["buys"].cast(pl.Float64).to_numpy()


def _raw(booster: Any, looks: pl.DataFrame) -> Floats:
    if looks.is_empty():
        return np.empty(0)
    return np.asarray(booster.predict(_matrix(looks), num_threads=1), dtype=np.float64)
