"""What else goes into the basket, on held-back time: `python -m bench.baskets FILE… [--months 3]`.

FILE: order lines as for `bench.customers`, with a column for the product. Pairs are learned from the orders before the
cut. Of every later order with two products or more, one (the first by code) is shown: how often is one of the three
best partners in the same order, against the three most bought products.
"""

import argparse
import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from models import basket

OUT = Path("bench-results")
SHOWN = 3


def baskets_of(files: list[Path]) -> pl.DataFrame:
    """order_id, product_id, date: each product of an order once, without cancellations and codes of no product."""
    frames = []
    for file in files:
        frame = (
            pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema_length=0)
        )
        names = {name.lower().replace(" ", "").replace("_", ""): name for name in frame.columns}
        frames.append(
            frame.select(
                order_id=pl.col(names.get("invoice") or names["invoiceno"]).cast(pl.String),
                product_id=pl.col(names["stockcode"]).cast(pl.String).str.to_uppercase(),
                date=pl.col(names["invoicedate"]).cast(pl.Datetime).dt.date(),
                quantity=pl.col(names["quantity"]).cast(pl.Float64),
            )
        )
    lines = pl.concat(frames).filter((pl.col("quantity") > 0) & pl.col("product_id").str.contains(r"^\d{5}"))
    return lines.select("order_id", "product_id", "date").unique(["order_id", "product_id"])


def judge(baskets: pl.DataFrame, months: int) -> list[dict[str, float | str]]:
    """Hit rates on the last `months`, learned from the year before them."""
    last = baskets["date"].max()
    assert isinstance(last, date)
    cut = last - timedelta(days=round(months * 30.4))
    known = baskets.filter((pl.col("date") <= cut) & (pl.col("date") > cut - timedelta(days=365)))
    began = time.process_time()
    found = basket.pairs(known.select("order_id", "product_id"), top=SHOWN)
    seconds = time.process_time() - began
    later = baskets.filter((pl.col("date") > cut) & (pl.len().over("order_id") > 1))
    asked = later.group_by("order_id").agg(pl.col("product_id").min())
    popular = known["product_id"].value_counts(sort=True).head(SHOWN).select(other_product_id="product_id")
    told = {
        "pairs": asked.join(found.select("product_id", "other_product_id"), on="product_id"),
        "most bought": asked.join(popular, how="cross").filter(
            pl.col("product_id") != pl.col("other_product_id")
        ),
    }
    rows: list[dict[str, float | str]] = []
    for name, frame in told.items():
        hits = frame.join(
            later, left_on=["order_id", "other_product_id"], right_on=["order_id", "product_id"], how="semi"
        )
        rows.append(
            {
                "method": name,
                f"hit rate at {SHOWN}": hits["order_id"].n_unique() / asked.height,
                "precision": hits.height / max(frame.height, 1),
                "orders answered": frame["order_id"].n_unique() / asked.height,
            }
        )
    rows[0] |= {
        "orders": float(asked.height),
        "learned from": float(known["order_id"].n_unique()),
        "cpu s": seconds,
    }
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--months", type=int, default=3)
    options = parser.parse_args()
    rows = judge(baskets_of(options.files), options.months)
    with pl.Config(tbl_cols=-1, tbl_width_chars=160, tbl_hide_dataframe_shape=True):
        sys.stdout.write(f"{pl.DataFrame(rows)}\n")
    OUT.mkdir(exist_ok=True)
    (OUT / "baskets.json").write_text(json.dumps({"rows": rows}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
