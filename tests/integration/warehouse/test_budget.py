"""The shared rate budget keeps the arithmetic of the local one and is never exceeded by several at once."""

import threading

import pytest

from connectors.budget import Rate, RateBudget
from warehouse.budget import PostgresBudget

SLOW = Rate(0.01, 3)  # so slow that the time a test takes does not show


@pytest.fixture
def budget(engine):
    return PostgresBudget(engine)


def test_it_fits_where_connectors_expect_a_budget(budget):
    shared: RateBudget = budget
    assert shared.reserve("a", SLOW, 1, 0) == 0


def test_a_burst_then_waits_in_line(budget):
    waits = [budget.reserve("a", SLOW, 1, max_wait=1e6) for _ in range(5)]
    assert waits == pytest.approx([0, 0, 0, 100, 200], abs=40)
    assert budget.reserve("b", SLOW, 1, 0) == 0  # another bucket is full


def test_nothing_is_taken_when_the_wait_is_too_long(budget):
    for _ in range(3):
        budget.reserve("a", SLOW, 1, 0)
    assert budget.reserve("a", SLOW, 1, max_wait=10) == pytest.approx(100, abs=40)
    assert budget.reserve("a", SLOW, 1, max_wait=200) == pytest.approx(100, abs=40)
    assert budget.reserve("a", SLOW, 1, max_wait=0) == pytest.approx(200, abs=40)


def test_a_cost_above_the_burst_waits_for_a_full_bucket_only(budget):
    assert budget.reserve("a", SLOW, 10, 0) == 0
    assert budget.reserve("a", SLOW, 1, 0) == pytest.approx(100, abs=40)


def test_what_the_channel_tells_counts_and_only_ever_stricter(budget):
    budget.reserve("a", SLOW, 1, 0)
    budget.learn("a", available=0)
    assert budget.reserve("a", SLOW, 1, 0) == pytest.approx(100, abs=40)
    budget.learn("a", available=3)  # an answer that was overtaken
    assert budget.reserve("a", SLOW, 1, 0) == pytest.approx(100, abs=40)

    budget.learn("a", rate=Rate(0.1, 3))
    assert budget.reserve("a", SLOW, 1, 0) > 50
    budget.learn("new", rate=Rate(0.5, 1))
    assert [budget.reserve("new", SLOW, 1, 1e6) for _ in range(2)] == pytest.approx([0, 2], abs=0.5)


def test_a_refusal_stops_everybody(budget):
    budget.reserve("a", SLOW, 1, 0)
    budget.block("a", 500)
    budget.block("a", 5)
    assert budget.reserve("a", SLOW, 1, 0) == pytest.approx(500, abs=40)


def test_many_at_once_share_one_bucket(budget):
    waits: list[float] = []
    threads = [
        threading.Thread(target=lambda: waits.append(budget.reserve("a", SLOW, 1, 1e6))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == pytest.approx([0, 0, 0, 100, 200, 300, 400, 500], abs=5)
