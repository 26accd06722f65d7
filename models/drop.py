"""Why orders fell: which categories, regions, channels and SKUs carry a drop, and what the records say about them.

Contribution analysis: a part's share of the drop is its own fall against what was expected of it, over the whole
fall (the additive decomposition of Adtributor, Bhagwan et al., NSDI 2014, with its surprise ranking parts whose
share of the total itself moved). What a part lost is explained by stock-outs first, then lost listings, price rises
and slow delivery, in that order of certainty; nothing is counted twice, and the rest is said to be unexplained.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

DIMENSIONS = ("channel", "category", "region", "sku")
PRICE_RISE = 0.03
ELASTICITY = 1.5  # where none was estimated
DELAY_DAYS = 1.0
FEW_SENT = 5  # orders of a SKU that do not show its own pace
CAUSES = ("stock_out", "lost_listing", "price_rise", "delivery_delay")


@dataclass(frozen=True)
class Explanation:
    """`missing_orders`, `missing_revenue`: below what was expected, never negative. `parts`: one row per dimension
    and value, by contribution. `causes`: one row per SKU and channel with a cause, by orders at stake.
    `unexplained`: the share of the missing orders that no cause but slow delivery accounts for, 0 to 1: how much
    slow delivery costs is not known, so what is left beside it is an upper bound, and called `is_bound`."""

    expected_orders: float
    actual_orders: float
    missing_orders: float
    missing_revenue: float
    parts: pl.DataFrame
    causes: pl.DataFrame
    unexplained: float

    def sentence(self) -> str:
        """For a message: how much is missing, where, and the first cause."""
        if self.missing_orders <= 0:
            return "No orders are missing."
        text = f"{self.missing_orders:.0f} orders ({self.missing_revenue:.0f} in revenue) are missing"
        if not self.parts.is_empty():
            top = self.parts.row(0, named=True)
            text += f", {top['contribution']:.0%} of them in {top['dimension']} {top['value']}"
        if not self.causes.is_empty():
            first = self.causes.row(0, named=True)
            text += f"; {first['sku']} on {first['channel']}: {first['cause'].replace('_', ' ')}"
        return text + "."


def explain(before: pl.DataFrame, during: pl.DataFrame, facts: pl.DataFrame | None = None, *, scale: float = 1.0,
            expected_orders: float | None = None, most: int = 10) -> Explanation:  # fmt: skip
    """Explain why `during` has fewer orders than `before` times `scale`.

    `before`, `during`: rows `orders, revenue` and any of `channel, category, region, sku`. `scale`: length of `during`
    over that of `before`, or what season makes of it; `expected_orders` sets the total instead. `facts`, one row per
    `channel, sku`: any of `out_share` (share of `during` without stock), `is_listed`, `price_before`, `price_during`,
    `elasticity` (positive), `delay_days` (handling time above the usual).
    """
    base = float(before["orders"].sum())
    if expected_orders is not None:
        scale = expected_orders / base if base > 0 else 1.0
    actual, expected = float(during["orders"].sum()), base * scale
    missing = max(expected - actual, 0.0)
    revenue = max(float(before["revenue"].sum()) * scale - float(during["revenue"].sum()), 0.0)
    found = [
        _parts(before, during, name, scale, missing, most)
        for name in DIMENSIONS
        if name in before.columns and name in during.columns
    ]
    parts = pl.concat(found) if found else _NO_PARTS
    causes = _causes(before, during, facts, scale) if facts is not None else _NO_CAUSES
    told = min(float(causes.filter(~pl.col("is_bound"))["orders_at_stake"].sum()), missing)
    return Explanation(
        expected_orders=expected,
        actual_orders=actual,
        missing_orders=missing,
        missing_revenue=revenue,
        parts=parts.sort("surprise", "contribution", descending=True),
        causes=causes.head(most),
        unexplained=1 - told / missing if missing > 0 else 0.0,
    )


def with_delays(facts: pl.DataFrame, sent: pl.DataFrame) -> pl.DataFrame:
    """`facts` with `delay_days`: by how much longer orders take to leave than before.

    `sent`: one row per `sku` of a channel with `sent, days` and, of the time before, `sent_before, days_before`. A SKU
    of which few were sent is as late as all of the channel's together; null where those are few too.
    """
    total = sent.select(
        pl.col("sent", "sent_before").sum(),
        days=(pl.col("days") * pl.col("sent")).sum() / pl.col("sent").sum(),
        days_before=(pl.col("days_before") * pl.col("sent_before")).sum() / pl.col("sent_before").sum(),
    )
    enough = pl.min_horizontal("sent", "sent_before") >= FEW_SENT
    late = pl.when(enough).then(pl.col("days") - pl.col("days_before")).alias("delay_days")
    of_all = total.select(late).item()
    own = sent.select("sku", late)
    return facts.join(own, on="sku", how="left").with_columns(
        pl.col("delay_days").fill_null(pl.lit(of_all, pl.Float64))
    )


_NO_PARTS = pl.DataFrame(
    schema={
        "dimension": pl.String, "value": pl.String, "expected_orders": pl.Float64, "orders": pl.Float64,
        "missing_orders": pl.Float64, "missing_revenue": pl.Float64, "contribution": pl.Float64, "surprise": pl.Float64,
    }
)  # fmt: skip
_NO_CAUSES = pl.DataFrame(
    schema={
        "channel": pl.String, "sku": pl.String, "cause": pl.String, "orders_at_stake": pl.Float64,
        "revenue_at_stake": pl.Float64, "is_bound": pl.Boolean, "detail": pl.String,
    }
)  # fmt: skip


def _parts(
    before: pl.DataFrame, during: pl.DataFrame, name: str, scale: float, missing: float, most: int
) -> pl.DataFrame:
    both = _compare(before, during, [name], scale).rename({name: "value"})
    share_then = pl.col("expected_orders") / pl.col("expected_orders").sum()
    share_now = (pl.col("orders") / pl.col("orders").sum()).fill_nan(0.0)
    middle = (share_then + share_now) / 2

    def part(share: pl.Expr) -> pl.Expr:  # Jensen-Shannon divergence, value by value
        return pl.when(share > 0).then(share * (share / middle).log()).otherwise(0.0) / 2

    return (
        both.with_columns(
            pl.col("value").cast(pl.String).fill_null("unknown"),
            dimension=pl.lit(name),
            contribution=pl.col("missing_orders") / missing if missing > 0 else pl.lit(0.0),
            surprise=part(share_then) + part(share_now),
        )
        .filter(pl.col("missing_orders") > 0)
        .sort("contribution", descending=True)
        .head(most)
        .select(_NO_PARTS.columns)
    )


def _compare(before: pl.DataFrame, during: pl.DataFrame, keys: list[str], scale: float) -> pl.DataFrame:
    def summed(frame: pl.DataFrame, names: tuple[str, str]) -> pl.DataFrame:
        orders, revenue = (pl.col(one).sum().cast(pl.Float64) for one in ("orders", "revenue"))
        return frame.group_by(keys).agg(orders.alias(names[0]), revenue.alias(names[1]))

    joined = summed(before, ("expected_orders", "expected_revenue")).join(
        summed(during, ("orders", "revenue")), on=keys, how="full", coalesce=True, nulls_equal=True
    )
    return (
        joined.with_columns(pl.col("expected_orders", "expected_revenue", "orders", "revenue").fill_null(0.0))
        .with_columns(pl.col("expected_orders", "expected_revenue") * scale)
        .with_columns(
            missing_orders=pl.col("expected_orders") - pl.col("orders"),
            missing_revenue=pl.col("expected_revenue") - pl.col("revenue"),
        )
    )


def _causes(before: pl.DataFrame, during: pl.DataFrame, facts: pl.DataFrame, scale: float) -> pl.DataFrame:
    keys: list[str] = [
        name for name in ("channel", "sku") if name in before.columns and name in facts.columns
    ]
    if keys != ["channel", "sku"]:
        return _NO_CAUSES
    fallen = _compare(before, during, keys, scale).filter(pl.col("missing_orders") > 0)
    rows = []
    for row in fallen.join(facts, on=keys, how="inner").iter_rows(named=True):
        left = row["missing_orders"]
        for cause, share, detail in _shares(row):
            orders = min(row["expected_orders"] * share, left)
            if orders <= 0:
                continue
            left -= orders
            revenue = row["expected_revenue"] * orders / row["expected_orders"]
            rows.append(
                (row["channel"], row["sku"], cause, orders, revenue, cause == "delivery_delay", detail)
            )
    return pl.DataFrame(rows, schema=_NO_CAUSES.schema, orient="row").sort(
        "orders_at_stake", "channel", "sku", descending=[True, False, False]
    )


def _shares(row: dict[str, float]) -> list[tuple[str, float, str]]:
    """Which share of what was expected each cause can have taken."""
    found: list[tuple[str, float, str]] = []
    out = row.get("out_share") or 0.0
    if out > 0:
        found.append(("stock_out", float(out), f"without stock {out:.0%} of the time"))
    if row.get("is_listed") is not None and not row["is_listed"]:
        found.append(("lost_listing", 1.0, "the listing is not active"))
    then, now = row.get("price_before"), row.get("price_during")
    if then and now and now > then * (1 + PRICE_RISE):
        fall = 1 - float(np.power(then / now, row.get("elasticity") or ELASTICITY))
        found.append(("price_rise", fall, f"price up {now / then - 1:.0%}, from {then:.2f} to {now:.2f}"))
    late = row.get("delay_days") or 0.0
    if late > DELAY_DAYS:
        found.append(("delivery_delay", 1.0, f"orders leave {late:.1f} days later than usual"))
    return found
