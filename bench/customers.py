"""Lifetime value and segments on held-back time: `python -m bench.customers FILE… [--months 6]`.

FILE: order lines with customer, instant, quantity and unit price (columns of Online Retail II). Fitted on what came
before the cut, judged by the orders and amounts after it, beside "every customer does as in the period before".
"""

import argparse
import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from models import lifetime, segments

OUT = Path("bench-results")


def orders_of(files: list[Path]) -> pl.DataFrame:
    """customer_key, date, amount: one row per invoice of a known customer, refunds taken out on their day."""
    frames = []
    for file in files:
        frame = (
            pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema_length=0)
        )
        names = {name.lower().replace(" ", "").replace("_", ""): name for name in frame.columns}
        customer = names.get("customerid") or names["customer"]
        instant, price = names["invoicedate"], names.get("price") or names["unitprice"]
        frames.append(
            frame.select(
                customer_key=pl.col(customer).cast(pl.String),
                invoice=pl.col(names.get("invoice") or names["invoiceno"]).cast(pl.String),
                date=pl.col(instant).cast(pl.Datetime).dt.date(),
                amount=pl.col(names["quantity"]).cast(pl.Float64) * pl.col(price).cast(pl.Float64),
                quantity=pl.col(names["quantity"]).cast(pl.Float64),
            )
        )
    lines = pl.concat(frames).drop_nulls("customer_key").unique()
    sold = lines.filter(pl.col("quantity") > 0)
    return sold.group_by("customer_key", "invoice", "date").agg(pl.col("amount").sum()).drop("invoice")


def judge(orders: pl.DataFrame, months: int) -> list[dict[str, float | str]]:
    """Errors of the model and of "same as last period" over the last `months`."""
    last = orders["date"].max()
    assert isinstance(last, date)
    days = round(months * 30.4)
    cut = last - timedelta(days=days)
    known = lifetime.summarize(orders, cut)
    began = time.process_time()
    model = lifetime.fit(known)
    valued = lifetime.value(known, model, days)
    seconds = time.process_time() - began

    def within(start: date, end: date) -> pl.DataFrame:
        held = orders.filter((pl.col("date") > start) & (pl.col("date") <= end))
        per_day = held.group_by("customer_key", "date").agg(pl.col("amount").sum())
        return per_day.group_by("customer_key").agg(n=pl.len(), amount=pl.col("amount").sum())

    truth = within(cut, last)
    before = within(cut - timedelta(days=days), cut)
    joined = (
        valued.join(truth, on="customer_key", how="left", suffix="_true")
        .join(before, on="customer_key", how="left", suffix="_before")
        .with_columns(
            pl.col("n", "amount_true", "n_before", "amount_before").fill_null(0).cast(pl.Float64),
        )
    )
    rows: list[dict[str, float | str]] = []
    for name, n, amount in (
        ("bg/nbd + gamma-gamma", "expected_orders", "expected_value"),
        ("bg/nbd, median", "likely_orders", "expected_value"),
        ("same as last period", "n_before", "amount_before"),
    ):
        said, truth_n = joined[n].to_numpy(), joined["n"].to_numpy()
        worth, truth_amount = joined[amount].to_numpy(), joined["amount_true"].to_numpy()
        rows.append(
            {
                "model": name,
                "mae orders": float(np.abs(said - truth_n).mean()),
                "rmse orders": float(np.sqrt(((said - truth_n) ** 2).mean())),
                "total orders / true": float(said.sum() / truth_n.sum()),
                "mae amount": float(np.abs(worth - truth_amount).mean()),
                "total amount / true": float(worth.sum() / truth_amount.sum()),
                "rank correlation": float(
                    joined.select(pl.corr(amount, "amount_true", method="spearman")).item()
                ),
            }
        )
    soon = within(cut, cut + timedelta(days=30)).select("customer_key", came=pl.lit(1.0))
    rows[0] |= next_purchase(
        valued.join(soon, on="customer_key", how="left").with_columns(pl.col("came").fill_null(0.0))
    )
    rows[0]["cpu s"] = seconds
    rows[0]["customers"] = float(known.height)
    return rows


def next_purchase(customers: pl.DataFrame) -> dict[str, float]:
    """How the chance to buy within 30 days ranks customers, and how far it is off, beside saying the mean of all, and
    beside ranking by who bought last."""
    from sklearn.metrics import brier_score_loss, roc_auc_score

    truth, said = customers["came"].to_numpy(), customers["buys_30d"].to_numpy()
    recency = customers["last_date"].to_physical().to_numpy()
    share = float(np.mean(truth))
    return {
        "30 days: bought": share,
        "said": float(np.mean(said)),
        "auc": float(roc_auc_score(truth, said)),
        "auc by last order": float(roc_auc_score(truth, recency)),
        "brier": float(brier_score_loss(truth, said)),
        "brier of the mean": share * (1 - share),
    }


def steadiness(orders: pl.DataFrame, weeks: int = 8) -> float:
    """Share of customers without a new order who keep their segment from one week to the next."""
    last = orders["date"].max()
    assert isinstance(last, date)
    previous: pl.DataFrame | None = None
    centres: pl.DataFrame | None = None
    kept = []
    for week in range(weeks, -1, -1):
        day = last - timedelta(weeks=week)
        scored = segments.rfm(lifetime.summarize(orders, day).with_columns(as_of=pl.lit(day)))
        found, centres = segments.segment(scored, centres)
        if previous is not None:
            both = found.join(previous, on=("customer_key", "orders"), suffix="_before")
            kept.append((both["segment"] == both["segment_before"]).mean())
        previous = found.select("customer_key", "orders", "segment")
    return float(np.mean([share for share in kept if isinstance(share, float)]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--months", type=int, default=6)
    options = parser.parse_args()
    orders = orders_of(options.files)
    rows = judge(orders, options.months)
    kept = steadiness(orders)
    with pl.Config(tbl_cols=-1, tbl_width_chars=160, tbl_hide_dataframe_shape=True):
        sys.stdout.write(f"{pl.DataFrame(rows)}\nsame segment a week later: {kept:.1%}\n")
    OUT.mkdir(exist_ok=True)
    (OUT / "customers.json").write_text(json.dumps({"rows": rows, "same_segment": kept}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
