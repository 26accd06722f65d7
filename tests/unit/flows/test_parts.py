"""A large catalogue is forecast in parts: each product once, none too large, the first one to learn from."""

import pytest

from flows.demand_parts import parts_of

SERIES = {product: 1 + product % 3 for product in range(5_000)}  # best seller first


@pytest.mark.parametrize("at_once", [10_001, 2_000, 700])
def test_every_product_is_in_one_part(at_once):
    parts = parts_of(SERIES, at_once)
    assert sorted(product for part in parts for product in part.products) == sorted(SERIES)
    assert sum(part.series for part in parts) == sum(SERIES.values())
    assert all(part.series <= at_once for part in parts)
    assert len(parts) <= sum(SERIES.values()) // at_once + 2


def test_the_first_part_is_half_best_sellers_and_the_same_every_night():
    first = parts_of(SERIES, 2_000)[0]
    assert first == parts_of(SERIES, 2_000)[0]
    best = [product for product in first.products if product < 500]
    assert len(best) == 500
    assert sum(SERIES[product] for product in first.products if product > 2_500) > 300


def test_the_parts_after_it_have_the_better_sellers_first():
    second, third = parts_of(SERIES, 2_000)[1:3]
    assert max(second.products) < min(third.products)


def test_nothing_to_forecast_is_no_part():
    assert parts_of({}, 10) == []
