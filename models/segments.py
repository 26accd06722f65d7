"""Customers in five groups a person has words for, by K-means on how recently, how often and for how much.

The words come first. Customers are parted by how long they have been away, into those who are here and those who are
gone: nobody is VIP who has not bought for long. Each part is clustered from what its names mean, and each cluster
called by the name it is nearest to in how often and for how much, so that names keep their meaning from week to week;
the best one has the best name unless it is nearest to the last. A name that fits nobody is not given.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.base import Floats

HERE, GONE = ("VIP", "loyal", "active"), ("at risk", "lost")  # each by value, best first
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
        return customers.with_columns(segment=pl.lit(None, pl.String)), pl.DataFrame(schema=_CENTRES)
    points = np.column_stack([
        np.log1p(customers["recency_days"].to_numpy()),
        np.log(np.maximum(customers["orders"].to_numpy(), 1)),
        np.log1p(np.maximum(customers["amount"].cast(pl.Float64).to_numpy(), 0.0)),
    ])  # fmt: skip
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    start = dict(PROTOTYPES)
    if previous is not None:
        axes = previous.select("segment", "recency", "frequency", "amount")
        start |= {name: (recency, often, much) for name, recency, often, much in axes.iter_rows()}
    away = _clusters(
        points[:, :1], [[float(np.mean([start[name][0] for name in part]))] for part in (HERE, GONE)]
    )
    names = np.empty(len(points), dtype=object)
    for part, rows in zip((HERE, GONE), (away == 0, away == 1), strict=True):
        own = points[rows]
        labels = _clusters(own, [start[name] for name in part[: len(own)]])
        centres = {label: own[labels == label].mean(axis=0)[1:] for label in set(labels)}
        nearest = {
            label: min(part, key=lambda name: float(np.sum((centre - PROTOTYPES[name][1:]) ** 2)))
            for label, centre in centres.items()
        }
        best = max(centres, key=lambda label: float(centres[label].sum()), default=None)
        if best is not None and nearest[best] != part[-1]:
            nearest[best] = part[0]
        for label, name in nearest.items():
            names[np.flatnonzero(rows)[labels == label]] = name
    found = [(name, *points[names == name].mean(axis=0)) for name in PROTOTYPES if (names == name).any()]
    return customers.with_columns(segment=pl.Series(names.tolist(), dtype=pl.String)), pl.DataFrame(
        found, schema=_CENTRES, orient="row"
    )


def _clusters(points: Floats, start: Sequence[Sequence[float]]) -> NDArray[np.int64]:
    """The cluster of each point, numbered as the centres they start from; none where there is no centre."""
    from sklearn.cluster import KMeans

    if not start:
        return np.empty(0, dtype=np.int64)
    labels: NDArray[np.int64] = KMeans(len(start), init=np.array(start), n_init=1).fit(points).labels_
    return labels


_CENTRES = {"segment": pl.String, "recency": pl.Float64, "frequency": pl.Float64, "amount": pl.Float64}
