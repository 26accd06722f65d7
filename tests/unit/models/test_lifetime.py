"""Lifetime value against published figures and known customers; segments keep their meaning."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models import lifetime, segments
from models.lifetime import LifetimeModel, PurchaseModel, SpendModel

# Fader, Hardie, Lee (2005), table 2: CDNOW, 2,357 customers, weeks.
CDNOW = PurchaseModel(r=0.243, alpha=4.414, a=0.793, b=2.426)
AS_OF = date(2026, 6, 30)


def test_expected_purchases_equal_the_published_example():
    # brucehardie.com/notes/004: customer 0001, x = 2, t_x = 30.43, T = 38.86, the next 39 weeks
    found = CDNOW.expected(np.array([2.0]), np.array([30.43]), np.array([38.86]), 39.0)
    assert found[0] == pytest.approx(1.226, abs=0.001)


def test_the_chances_of_so_many_purchases_add_up_to_the_expected_ones_and_half_of_them_make_the_median():
    past = np.array([2.0, 0.0, 12.0]), np.array([30.43, 0.0, 38.0]), np.array([38.86, 30.0, 38.86])
    chances = np.array([CDNOW.buys(*past, 39.0, times) for times in range(1, 200)])
    assert chances.sum(axis=0) == pytest.approx(CDNOW.expected(*past, 39.0), rel=1e-3)
    assert CDNOW.median(*past, 39.0).tolist() == (chances >= 0.5).sum(axis=0).tolist() == [1, 0, 8]


def invented(customers: int, weeks: float, seed: int = 3) -> pl.DataFrame:
    """What BG/NBD customers of known parameters would have bought, in summarize's columns."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.8, 1 / 6.0, customers)
    leaves = rng.beta(0.9, 2.5, customers)
    rows = []
    for lam, p, age in zip(rate, leaves, rng.uniform(weeks / 2, weeks, customers), strict=True):
        x, now, last, alive = 0, 0.0, 0.0, True
        while alive and (now := now + rng.exponential(1 / lam)) < age:
            x, last, alive = x + 1, now, rng.random() > p
        rows.append({"repeats": x, "recency": last, "age": age, "mean_repeat": 20.0 + x if x else None})
    return pl.DataFrame(rows)


def test_parameters_come_back_from_customers_made_with_them():
    model = lifetime.fit(invented(6_000, 80.0)).purchases
    assert model.r / model.alpha == pytest.approx(0.8 / 6.0, rel=0.1)  # purchases a week
    assert model.a / (model.a + model.b) == pytest.approx(0.9 / 3.4, rel=0.15)  # chance to leave


def test_who_bought_often_and_stopped_is_less_likely_a_customer_than_who_just_came_back():
    model = LifetimeModel(CDNOW, SpendModel(6.25, 3.74, 15.44))
    rows = pl.DataFrame(
        {
            "repeats": [8, 8, 0],
            "recency": [10.0, 37.0, 0.0],
            "age": [38.0] * 3,
            "mean_repeat": [30.0, 30.0, None],
        }
    )
    stopped, here, new = lifetime.value(rows, model).iter_rows(named=True)
    assert stopped["alive"] < 0.1 < 0.9 < here["alive"]
    assert here["expected_value"] > new["expected_value"] > stopped["expected_value"] > 0
    assert 0 < here["buys_30d"] < 1


def test_orders_of_one_day_are_one_purchase_and_later_ones_do_not_count_yet():
    orders = pl.DataFrame(
        {
            "customer_key": ["a", "a", "a", "a", "b"],
            "date": [
                date(2026, 1, 1),
                date(2026, 1, 15),
                date(2026, 1, 15),
                date(2026, 8, 1),
                date(2026, 6, 30),
            ],
            "amount": [10.0, 5.0, 15.0, 99.0, 7.0],
        }
    )
    a, b = lifetime.summarize(orders, AS_OF).iter_rows(named=True)
    assert (a["orders"], a["repeats"], a["recency"], a["mean_repeat"]) == (3, 1, 2.0, 20.0)
    assert (b["repeats"], b["age"], b["mean_repeat"]) == (0, 0.0, None)


def test_too_few_who_came_back_say_nothing():
    with pytest.raises(lifetime.TooFewCustomersError, match="12 customers"):
        lifetime.fit(invented(6_000, 80.0).filter(pl.col("repeats") > 0).head(12))


def shoppers(kinds: dict[str, int]) -> pl.DataFrame:
    """Customers of named habits: (days since the last order, orders, amount)."""
    habits = {
        "best": (5, 40, 9000.0),
        "gone": (700, 1, 15.0),
        "fading": (200, 12, 900.0),
        "new": (4, 1, 25.0),
        "again": (20, 3, 90.0),
        "once rich": (500, 9, 700.0),
    }
    rng = np.random.default_rng(1)
    rows = []
    for kind, count in kinds.items():
        days, orders, amount = habits[kind]
        for _ in range(count):
            spread = rng.uniform(0.8, 1.25)
            rows.append(
                {
                    "kind": kind,
                    "last_date": AS_OF - timedelta(days=int(days * spread)),
                    "orders": max(1, round(orders * spread)),
                    "amount": amount * spread,
                    "as_of": AS_OF,
                }
            )
    return pl.DataFrame(rows)


def test_segments_mean_what_their_names_say():
    found, _ = segments.segment(segments.rfm(shoppers({"best": 30, "gone": 80, "fading": 50, "new": 60})))
    usual = dict(found.group_by("kind").agg(pl.col("segment").mode().first()).iter_rows())
    assert usual == {"best": "VIP", "gone": "lost", "fading": "at risk", "new": "active"}


def test_the_best_who_are_here_are_vips_though_those_who_are_gone_were_better():
    kinds = {"again": 40, "new": 160, "once rich": 300, "gone": 300}
    found, _ = segments.segment(segments.rfm(shoppers(kinds)))
    usual = dict(found.group_by("kind").agg(pl.col("segment").mode().first()).iter_rows())
    assert usual == {"again": "VIP", "new": "active", "once rich": "at risk", "gone": "lost"}


def test_a_segment_stays_while_its_customers_do():
    scored = segments.rfm(shoppers({"best": 30, "gone": 80, "fading": 50, "new": 60}))
    found, centres = segments.segment(scored)
    week = segments.rfm(scored.with_columns(pl.col("as_of") + timedelta(days=7)))
    later, _ = segments.segment(week, centres)
    assert (found["segment"] == later["segment"]).mean() > 0.97


def test_scores_are_fifths_and_equals_score_equally():
    scored = segments.rfm(shoppers({"best": 10, "new": 40}))
    assert scored.filter(kind="best")["m_score"].min() == 5
    assert scored.filter(kind="new")["f_score"].n_unique() == 1
    assert set(scored["r_score"]) <= {1, 2, 3, 4, 5}


def test_nobody_who_has_not_bought_for_long_is_called_loyal_or_a_vip():
    """A shop of one-time buyers: those who came twice came long ago, which once made them its VIPs."""
    rng = np.random.default_rng(3)
    away = rng.integers(1, 720, 600)
    orders = np.where((away > 150) & (rng.random(600) < 0.2), 3, 1)
    scored = segments.rfm(
        pl.DataFrame(
            {
                "last_date": [AS_OF - timedelta(days=int(days)) for days in away],
                "orders": orders,
                "amount": orders * rng.lognormal(3.5, 0.6, 600),
                "as_of": [AS_OF] * 600,
            }
        )
    )
    found, centres = segments.segment(scored)
    longest = dict(found.group_by("segment").agg(pl.col("recency_days").max()).iter_rows())
    assert set(longest) == set(centres["segment"])
    assert max(longest.get(name, 0) for name in segments.HERE) < 240
    worth = dict(found.group_by("segment").agg(pl.col("amount").mean()).iter_rows())
    assert worth["at risk"] > worth["lost"]
