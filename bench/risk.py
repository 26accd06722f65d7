"""Stock-out risk on the sandbox's known truth, by a time split.

    python -m bench.risk [--seeds 7 8 9] [--orders 40 160] [--backorders FILE]

Learned on the oldest weeks of an invented merchant's stock, calibrated on newer ones, judged on the newest twenty;
beside it what the forecast implies (fast members), the formula the trees start from, days of cover, and as the ceiling
who knows the true mean of demand on every day ahead. FILE: public labelled items, for `wharf risk`.
"""

import argparse
import json
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from connectors.sandbox.catalogue import make_catalogue
from connectors.sandbox.demand import expected_lines
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.ordering import LINES_PER_ORDER, MEAN_QUANTITY
from models import risk, stock_history, stockout
from models.base import Floats
from models.implied_risk import implied
from models.probability import best_line, score
from models.stockout_features import on_its_way, runs_out

TODAY = date(2026, 11, 1)
SHOWN = ["orders a day", "seed", "horizon_days", "method", "positives", "precision", "recall", "f1", "auc",
         "average_precision", "brier", "calibration_error"]  # fmt: skip


def judged(orders: float, seed: int) -> list[dict[str, Any]]:
    """One row per horizon and method."""
    world = GeneratedWorld(seed, today=TODAY, orders_per_day=orders)
    days = pl.concat([
        world.true_stock(market.channel).with_columns(series_id=pl.lit(market.channel) + "|" + pl.col("sku"))
        for market in world.markets
    ])  # fmt: skip
    past = stock_history.history(days.with_columns(in_stock=pl.col("available") > 0))
    demand = days.select(
        "series_id",
        "date",
        y=pl.col("units").cast(pl.Float64),
        in_stock=(pl.col("available") > 0).cast(pl.Int8),
    )
    test = stockout.test_days(past)
    began = time.process_time()
    model = stockout.train(past, implied(past, demand, test))
    seconds = time.process_time() - began
    rows = [dict(row) for row in model.scores] + _ceiling(
        past, _true_means(world, orders, seed, past.ids), test
    )
    return [
        row | {"orders a day": orders, "seed": seed, "positives": round(row["rows"] * row["base_rate"]),
               "cpu s": round(seconds, 1)}
        for row in rows
    ]  # fmt: skip


def _true_means(world: GeneratedWorld, orders: float, seed: int, ids: tuple[str, ...]) -> Floats:
    """Items × days of the world: the mean units wanted, drawn as the world draws them."""
    rng = np.random.default_rng(seed)
    days = (world.last_day - world.first_day).days
    history = (world.today - world.first_day).days
    goods = make_catalogue(
        rng, world.markets, len(world.catalogue.skus), first_day=world.first_day, history=history, days=days
    )
    wanted = expected_lines(
        rng, world.markets, goods, first_day=world.first_day, history=history, lines_per_day=orders * LINES_PER_ORDER
    )  # fmt: skip
    market = {one.channel: at for at, one in enumerate(world.markets)}
    sku = {name: at for at, name in enumerate(goods.skus)}
    at = [(market[name.split("|")[0]], sku[name.split("|", 1)[1]]) for name in ids]
    return np.array([wanted[place] for place in at]) * MEAN_QUANTITY


def _ceiling(past: stock_history.StockHistory, means: Floats, days: list[int]) -> list[dict[str, Any]]:
    rows = []
    for horizon in stock_history.HORIZONS:
        truth, chance = [], []
        for day in days:
            ahead = means[:, day + 1 : day + 1 + horizon].cumsum(axis=1)
            told = runs_out(
                np.nan_to_num(past.available[:, day]), ahead, np.zeros(len(ahead)), on_its_way(past, day)
            )
            label = stock_history.outcome(past, day, horizon)
            asked = stock_history.selling(past, day) & ~np.isnan(label)
            truth.append(label[asked])
            chance.append(told[asked])
        y, p = np.concatenate(truth), np.concatenate(chance)
        scored = score(y, p, best_line(p))
        rows.append({"horizon_days": horizon, "method": "knows the true mean"} | scored)
    return rows


def on_backorders(file: Path) -> list[dict[str, Any]]:
    """`wharf risk` on public items: trained on one half, judged on the other."""
    from sklearn import metrics

    raw = pl.read_parquet(file)
    rows = raw.select(
        item_id=pl.col("sku").cast(pl.String), on_hand="national_inv", inbound="in_transit_qty",
        lead_time_days="lead_time", sales_30d="sales_1_month", sales_90d="sales_3_month",
        forecast_30d=pl.col("forecast_3_month") / 3, forecast_90d="forecast_3_month",
        stockout="went_on_backorder",
    )  # fmt: skip
    learn, held = rows[::2], rows[1::2]
    truth = held["stockout"].eq("Yes").to_numpy().astype(np.float64)
    told = {"formula": risk.score(held), "trained": risk.score(held, risk.train(learn))}
    return [
        {
            "method": name,
            "base_rate": float(truth.mean()),
            "precision": float(metrics.precision_score(truth, (said["risk"] == "high").to_numpy())),
            "recall": float(metrics.recall_score(truth, (said["risk"] == "high").to_numpy())),
            "f1": float(metrics.f1_score(truth, (said["risk"] == "high").to_numpy())),
            "auc": float(metrics.roc_auc_score(truth, said["probability"].to_numpy())),
            "average_precision": float(
                metrics.average_precision_score(truth, said["probability"].to_numpy())
            ),
            "brier": float(metrics.brier_score_loss(truth, said["probability"].to_numpy())),
        }
        for name, said in told.items()
    ]


def main() -> int:
    """Print the tables and write bench-results/risk.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--orders", type=float, nargs="+", default=[40.0, 160.0])
    parser.add_argument("--backorders", type=Path)
    options = parser.parse_args()
    rows = [row for orders in options.orders for seed in options.seeds for row in judged(orders, seed)]
    found = {"sandbox": rows}
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_width_chars=180, float_precision=3, tbl_hide_dataframe_shape=True
    ):
        sys.stdout.write(f"{pl.DataFrame(rows).select(SHOWN)}\n")
        if options.backorders is not None:
            found["backorders"] = on_backorders(options.backorders)
            sys.stdout.write(f"{pl.DataFrame(found['backorders'])}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "risk.json").write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
