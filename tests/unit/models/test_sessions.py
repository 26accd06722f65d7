"""Which visits of the own shop buy, and what lies in the carts of those still open."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models import sessions

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


def visits(number=900, seed=3):
    """Visits of 20 days; who looks at much and begins to pay mostly buys within the hour."""
    rng = np.random.default_rng(seed)
    rows = []
    for visit in range(number):
        at = NOW - timedelta(days=1) - timedelta(minutes=float(rng.uniform(0, 20 * 1440)))
        keen = rng.random() < 0.3
        steps = ["product_view"] * int(rng.integers(1, 4 + 4 * keen)) + ["add_to_cart"]
        steps += ["checkout"] if rng.random() < (0.9 if keen else 0.15) else []
        steps += ["purchase"] if keen and rng.random() < 0.85 else []
        for step in steps:
            at += timedelta(minutes=float(rng.exponential(6)))
            rows.append((step, at, f"v{visit}", "MUG", 1, 1, 10.0, "EUR"))
    columns = ["kind", "happened_at", "session_key", "sku", "product_id", "quantity", "price", "currency"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def open_visit(key, *steps, ago=timedelta(hours=1)):
    rows = [(step, NOW - ago + timedelta(minutes=n), key, sku, 7, units, 4.0, "EUR")
            for n, (step, sku, units) in enumerate(steps)]  # fmt: skip
    return pl.DataFrame(rows, schema=visits(1).columns, orient="row").cast(visits(1).schema)


def test_who_began_to_pay_is_likelier_to_buy_and_the_newest_visits_say_how_well_it_is_known():
    past = visits()
    now = pl.concat([
        past,
        open_visit("paying", *[("product_view", "MUG", 1)] * 5, ("add_to_cart", "MUG", 1), ("checkout", "MUG", 1)),
        open_visit("idle", ("add_to_cart", "MUG", 1), ago=timedelta(hours=20)),
        open_visit("bought", ("add_to_cart", "MUG", 1), ("purchase", "MUG", 1)),
        open_visit("emptied", ("add_to_cart", "MUG", 1), ("remove_from_cart", "MUG", 1)),
    ])  # fmt: skip
    model = sessions.train(now, NOW)
    said = dict(sessions.predict(model, now, NOW).iter_rows())
    learned, plain = model.scores

    assert {"paying", "idle"} <= said.keys()
    assert not {"bought", "emptied"} & said.keys()
    assert said["paying"] > 2 * said["idle"]
    assert learned["auc"] > max(0.8, plain["auc"])
    assert learned["calibration_error"] < 0.12


def test_what_is_in_carts_is_counted_by_product_with_what_is_at_stake():
    events = pl.concat([
        open_visit("a", ("add_to_cart", "MUG", 3), ("remove_from_cart", "MUG", 1), ("add_to_cart", "TEA", 1)),
        open_visit("b", ("add_to_cart", "MUG", 1)),
    ])  # fmt: skip
    chance = pl.DataFrame({"session_key": ["a", "b"], "likelihood": [0.25, 0.5]})
    mug, tea = sessions.by_product(sessions.in_carts(events), chance).to_dicts()

    assert (mug["sku"], mug["sessions"], mug["units"], mug["amount"]) == ("MUG", 2, 3, 12.0)
    assert mug["at_stake"] == pytest.approx(8 * 0.75 + 4 * 0.5)
    assert (tea["units"], tea["currency"]) == (1, "EUR")


def test_few_visits_teach_nothing():
    assert sessions.train(visits(50), NOW) is None
