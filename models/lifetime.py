"""What customers will still buy: BG/NBD for how often, Gamma-Gamma for how much. Frames in, frames out.

BG/NBD: Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), eqs. 6 to 10.
Gamma-Gamma: Fader, Hardie (2013), The Gamma-Gamma Model of Monetary Value, brucehardie.com/notes/025.
Written out on SciPy: the libraries that had them (lifetimes, btyd) are no longer kept, and the one that is
(pymc-marketing) brings a compiler for what is a maximum over four numbers.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from models.base import Floats

WEEK = 7.0  # the models' unit of time, in days: keeps parameters near one
FEWEST_REPEATERS = 50  # customers with a second purchase below which nothing is fitted
MOST_PURCHASES = 500  # that a median says
_PENALTY = 1e-3  # keeps parameters finite where the data say little (nobody ever lapses)


@dataclass(frozen=True)
class PurchaseModel:
    """BG/NBD: rates ~ Gamma(r, alpha) per week, chance to leave after a purchase ~ Beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float

    def alive(self, x: Floats, recency: Floats, age: Floats) -> Floats:
        """Probability of being a customer still. `x` repeat purchases, the last `recency` weeks after the first,
        which was `age` weeks ago."""
        odds = (
            self.a
            / (self.b + np.maximum(x, 1) - 1)
            * ((self.alpha + age) / (self.alpha + recency)) ** (self.r + x)
        )
        return np.asarray(np.where(x > 0, 1 / (1 + odds), 1.0))

    def expected(self, x: Floats, recency: Floats, age: Floats, weeks: float) -> Floats:
        """Expected purchases within the next `weeks`."""
        from scipy.special import hyp2f1

        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6  # the formula's limit
        r, alpha, b = self.r, self.alpha, self.b
        z = weeks / (alpha + age + weeks)
        shrunk = ((alpha + age) / (alpha + age + weeks)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
        found = (a + b + x - 1) / (a - 1) * (1 - shrunk) * self.alive(x, recency, age)
        # Far out in the series the difference of two near-equal terms may be lost: nobody buys below zero times.
        return np.asarray(np.maximum(np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0), 0.0))

    def buys(self, x: Floats, recency: Floats, age: Floats, weeks: float, times: int = 1) -> Floats:
        """Probability of at least so many purchases within the next `weeks`: of being a customer still, of as many
        chances at the posterior's rates (negative binomial), and of not leaving after any but the last."""
        from scipy.special import betaln
        from scipy.stats import nbinom

        chances = nbinom.sf(times - 1, self.r + x, (self.alpha + age) / (self.alpha + age + weeks))
        stays = np.exp(betaln(self.a, self.b + x + times - 1) - betaln(self.a, self.b + x))
        return np.asarray(self.alive(x, recency, age) * chances * stays)

    def median(self, x: Floats, recency: Floats, age: Floats, weeks: float) -> Floats:
        """Purchases within the next `weeks` that are as likely exceeded as not: of least absolute error."""
        found = np.zeros(len(x))
        for times in range(1, MOST_PURCHASES + 1):
            likely = self.buys(x, recency, age, weeks, times) >= 0.5
            if not likely.any():
                break
            found[likely] = times
        return found


@dataclass(frozen=True)
class SpendModel:
    """Gamma-Gamma: a customer's mean purchase, spread as p, q, v."""

    p: float
    q: float
    v: float

    def mean_purchase(self, x: Floats, mean: Floats) -> Floats:
        """Expected amount of a purchase of who made `x` repeat purchases of `mean` on average; x = 0: of anybody."""
        return np.asarray(self.p * (self.v + x * mean) / (self.p * x + self.q - 1))


@dataclass(frozen=True)
class LifetimeModel:
    """Both, fitted on the same customers as of one day."""

    purchases: PurchaseModel
    spend: SpendModel


class TooFewCustomersError(ValueError):
    """There are too few who came back to say anything about who will."""


def summarize(orders: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per customer_key with an order on or before `as_of`.

    `orders`: customer_key, date, amount (what was earned, refunds taken out), one row per order. Orders of one day are
    one purchase. Gives first_date, last_date, orders, amount, and for the models: repeats (purchase days after the
    first), recency and age (weeks from the first purchase to the last and to `as_of`), mean_repeat (mean amount of
    the repeats, null without any).
    """
    days = (
        orders.filter(pl.col("date") <= as_of)
        .group_by("customer_key", "date")
        .agg(pl.len().alias("orders"), pl.col("amount").cast(pl.Float64).sum())
    )
    first = pl.col("date") == pl.col("date").min()
    return (
        days.group_by("customer_key")
        .agg(
            first_date=pl.col("date").min(),
            last_date=pl.col("date").max(),
            orders=pl.col("orders").sum(),
            amount=pl.col("amount").sum(),
            repeats=pl.len().cast(pl.Int64) - 1,
            mean_repeat=pl.col("amount").filter(~first).mean(),
        )
        .with_columns(
            recency=(pl.col("last_date") - pl.col("first_date")).dt.total_days() / WEEK,
            age=(pl.lit(as_of) - pl.col("first_date")).dt.total_days() / WEEK,
        )
        .sort("customer_key")
    )


def fit(customers: pl.DataFrame) -> LifetimeModel:
    """Maximum likelihood over `summarize`'s rows. Raises TooFewCustomersError."""
    repeaters = customers.filter(pl.col("repeats") > 0)
    if repeaters.height < FEWEST_REPEATERS:
        raise TooFewCustomersError(
            f"{repeaters.height} customers bought a second time; {FEWEST_REPEATERS} are needed to learn from"
        )
    return LifetimeModel(_fit_purchases(customers), _fit_spend(repeaters))


def value(customers: pl.DataFrame, model: LifetimeModel, days: int = 365) -> pl.DataFrame:
    """`customers` with alive (0 to 1), buys_30d (0 to 1), and of the next `days` expected_orders and expected_value
    (means: they add up), and likely_orders (the median: for one customer)."""
    x, recency, age = (customers[name].cast(pl.Float64).to_numpy() for name in ("repeats", "recency", "age"))
    expected = model.purchases.expected(x, recency, age, days / WEEK)
    # Fitted on what was earned: a customer whose refunds exceed his purchases is worth nothing, not less.
    mean = np.maximum(customers["mean_repeat"].fill_null(0).to_numpy(), 0.0)
    amount = expected * model.spend.mean_purchase(np.where(mean > 0, x, 0.0), mean)
    return customers.with_columns(
        alive=pl.Series(model.purchases.alive(x, recency, age)),
        buys_30d=pl.Series(model.purchases.buys(x, recency, age, 30 / WEEK)),
        expected_orders=pl.Series(expected),
        likely_orders=pl.Series(model.purchases.median(x, recency, age, days / WEEK)),
        expected_value=pl.Series(amount),
    )


def _fit_purchases(customers: pl.DataFrame) -> PurchaseModel:
    from scipy.special import gammaln

    rows = customers.group_by("repeats", "recency", "age").len()
    x, recency, age, weight = (
        rows[name].cast(pl.Float64).to_numpy() for name in ("repeats", "recency", "age", "len")
    )

    def loss(logs: Floats) -> float:
        r, alpha, a, b = np.exp(logs)
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        beta = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        still = -(r + x) * np.log(alpha + age)
        left = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + recency)
        likelihood = common + beta + np.where(x > 0, np.logaddexp(still, left), still)
        return float(-np.average(likelihood, weights=weight) + _PENALTY * np.sum(np.square(logs)))

    return PurchaseModel(*_minimum(loss, 4))


def _fit_spend(repeaters: pl.DataFrame) -> SpendModel:
    from scipy.special import gammaln

    paying = repeaters.filter(pl.col("mean_repeat") > 0)
    x = paying["repeats"].cast(pl.Float64).to_numpy()
    mean = paying["mean_repeat"].to_numpy()
    unit = float(np.median(mean)) if paying.height else 1.0
    m = mean / unit  # the likelihood is the same in any currency; its maximum is found more surely near one

    def loss(logs: Floats) -> float:
        p, q, v = np.exp(logs)
        likelihood = (
            gammaln(p * x + q)
            - gammaln(p * x)
            - gammaln(q)
            + q * np.log(v)
            + (p * x - 1) * np.log(m)
            + p * x * np.log(x)
            - (p * x + q) * np.log(v + x * m)
        )
        return float(-np.mean(likelihood) + _PENALTY * np.sum(np.square(logs)))

    p, q, v = _minimum(loss, 3, start=1.0)
    return SpendModel(p, max(q, 1.01), v * unit)  # a mean exists only above q = 1


def _minimum(loss: Any, size: int, start: float = 0.0) -> tuple[float, ...]:
    """Where `loss` of logarithms is least, as numbers; several starts, for it may have more than one valley."""
    from scipy.optimize import minimize

    starts = (np.full(size, start), np.full(size, start + 1.0), np.linspace(-1.0, 1.0, size))
    found = [minimize(loss, s, method="L-BFGS-B", bounds=[(-9, 9)] * size) for s in starts]
    best = min(found, key=lambda one: float(one.fun))
    return tuple(float(number) for number in np.exp(best.x))
