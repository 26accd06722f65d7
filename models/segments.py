"""Customers in five groups a person has words for, by K-means on how recently, how often and for how much.

The words come first: each cluster starts from what its name means, so that a name keeps its meaning from week to
week and no cluster has to be interpreted afterwards.
"""

import numpy as np
import polars as pl

# Where clusters start: standard deviations from the mean customer, (recency, frequency, amount); recency counts days
# since the last order, so high is bad.
PROTOTYPES: dict[str, tuple[float, float, float]] = {
    "VIP": (-0.9, 1.8, 1.8),
    "loyal": (-0.7, 0.7, 0.6),
    "active": (-0.9, -0.6, -0.5),
    "at risk": (0.6, 0.3, 0.4),
    "lost": (1.1, -0.7, -0.7),
}
FEWEST = 20  # customers below which groups say nothing


def rfm(customers: pl.DataFrame) -> pl.DataFrame:
    """`customers` (last_date, orders, amount, as_of) with recency_days and scores r, f, m from 1 to 5, 5 best.

    A score is the fifth of all customers one is in; equal values get equal scores.
    """

    def fifth(column: pl.Expr) -> pl.Expr:
        share = (column.rank("max") - 1) / pl.max_horizontal(pl.len() - 1, pl.lit(1))
        return (1 + (share * 5).floor().clip(0, 4)).cast(pl.Int64)

    recency = (pl.col("as_of") - pl.col("last_date")).dt.total_days()
    return customers.with_columns(recency_days=recency).with_columns(
        r_score=fifth(-pl.col("recency_days")),
        f_score=fifth(pl.col("orders")),
        m_score=fifth(pl.col("amount")),
    )


def segment(
    customers: pl.DataFrame, previous: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`customers` of `rfm` with `segment`, and the centres: segment, recency, frequency, amount (standardized).

    `previous`: last week's centres to start from. With fewer than FEWEST customers all segments are null.
    """
    if customers.height < FEWEST:
        return customers.with_columns(segment=pl.lit(None, pl.String)), pl.DataFrame(
            schema={
                "segment": pl.String,
                "recency": pl.Float64,
                "frequency": pl.Float64,
                "amount": pl.Float64,
            }
        )
    from sklearn.cluster import KMeans

    names = list(PROTOTYPES)
    start = np.array(list(PROTOTYPES.values()))
    if previous is not None and not previous.is_empty():
        by_name = {row["segment"]: row for row in previous.iter_rows(named=True)}
        start = np.array(
            [[by_name[n]["recency"], by_name[n]["frequency"], by_name[n]["amount"]] for n in names]
        )
    points = np.column_stack([
        np.log1p(customers["recency_days"].to_numpy()),
        np.log(np.maximum(customers["orders"].to_numpy(), 1)),
        np.log1p(np.maximum(customers["amount"].cast(pl.Float64).to_numpy(), 0.0)),
    ])  # fmt: skip
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    clusters = KMeans(n_clusters=len(names), init=start, n_init=1).fit(points)
    centres = pl.DataFrame(
        {
            "segment": names,
            **dict(zip(("recency", "frequency", "amount"), clusters.cluster_centers_.T, strict=True)),
        }
    )
    return customers.with_columns(segment=pl.Series([names[label] for label in clusters.labels_])), centres
