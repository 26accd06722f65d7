"""What is bought together: support, confidence and lift of pairs. Frames in, frames out.

Agrawal, Imielinski, Swami (1993), Mining Association Rules between Sets of Items in Large Databases, SIGMOD; lift
after Brin, Motwani, Ullman, Tsur (1997). Pairs only: a merchant shows one product beside another.
"""

import polars as pl

FEWEST_ORDERS = 5  # with both products, below which a pair is chance
MOST_PRODUCTS = 60  # in one order, above which it is a reseller's: it would make thousands of pairs
TOP = 10  # other products kept for each


def pairs(baskets: pl.DataFrame, fewest: int = FEWEST_ORDERS, top: int = TOP) -> pl.DataFrame:
    """The `top` products that go best with each: product_id, other_product_id, rank, orders_both, orders_product,
    orders_other, support, confidence, lift.

    `baskets`: order_id, product_id, each product of an order once. Kept are pairs of at least `fewest` orders that
    surely come more often than chance: the lower end of the confidence's 95 % interval (Wilson 1927) lies above the
    share of all orders with the other. Best confidence first, which of later orders hits most (`bench.baskets`).
    """
    total = baskets["order_id"].n_unique()
    single = baskets.group_by("product_id").agg(n=pl.len().cast(pl.Int64))
    frequent = baskets.join(single.filter(pl.col("n") >= fewest), on="product_id", how="semi")
    small = frequent.filter(pl.len().over("order_id").is_between(2, MOST_PRODUCTS))
    both = (
        small.join(small, on="order_id", suffix="_other")
        .filter(pl.col("product_id") < pl.col("product_id_other"))
        .group_by("product_id", "product_id_other")
        .agg(orders_both=pl.len().cast(pl.Int64))
        .filter(pl.col("orders_both") >= fewest)
    )
    turned = both.select(
        product_id="product_id_other", product_id_other="product_id", orders_both="orders_both"
    )
    keys = ["product_id", "other_product_id"]
    return (
        pl.concat([both, turned])
        .rename({"product_id_other": "other_product_id"})
        .join(single.rename({"n": "orders_product"}), on="product_id")
        .join(single.rename({"n": "orders_other", "product_id": "other_product_id"}), on="other_product_id")
        .with_columns(
            support=pl.col("orders_both") / total,
            confidence=pl.col("orders_both") / pl.col("orders_product"),
        )
        .with_columns(lift=pl.col("confidence") * total / pl.col("orders_other"))
        .filter(_least(pl.col("orders_both"), pl.col("orders_product")) > pl.col("orders_other") / total)
        .sort("product_id", "confidence", "lift", "other_product_id", descending=[False, True, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("product_id").cast(pl.Int64))
        .filter(pl.col("rank") <= top)
        .select(*keys, "rank", "orders_both", "orders_product", "orders_other", "support", "confidence", "lift")
    )  # fmt: skip


def _least(hits: pl.Expr, of: pl.Expr, z: float = 1.96) -> pl.Expr:
    """The lower end of Wilson's interval of a share."""
    share = hits / of
    spread = (share * (1 - share) / of + z**2 / (4 * of**2)).sqrt()
    return (share + z**2 / (2 * of) - z * spread) / (1 + z**2 / of)
