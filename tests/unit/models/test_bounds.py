"""Bounds made of past errors and of the network's quantiles: how many days lie within."""

import numpy as np

from models.base import QUANTILES
from models.champion import Past
from models.intervals import bounds_of, calibrate

DAYS, SERIES = 28, 400
NORMAL = {"lo95": -1.96, "lo80": -1.2816, "hi80": 1.2816, "hi95": 1.96}


def past_of(y, closed=None, level=20.0):
    size = len(y)
    closed = np.zeros(y.shape, dtype=np.bool_) if closed is None else closed
    return Past(
        offset=28,
        y=np.where(closed, np.nan, y),
        said={},
        group=np.zeros(size, dtype=np.int64),
        scale=np.ones(size),
        spread=np.full(size, 4.0),
        level=np.full(size, level),
        closed=closed,
    )


def inside(past, yhat, network, y):
    """What `past` teaches, laid around the same forecasts: the share of `y` within the 80 % bounds, and those."""
    calibration = calibrate([past], [yhat], [network])
    found = bounds_of(calibration, past.group, yhat, past.spread, past.level, network)
    return ((y >= found["lo80"]) & (y <= found["hi80"])).mean(), found


def test_two_sets_of_bounds_that_each_hold_hold_together_too():
    rng = np.random.default_rng(1)
    truth = rng.normal(20, 2, (SERIES, DAYS))  # each forecast knows another half of what moves demand
    one, other = rng.normal(0, 3, (SERIES, DAYS)), rng.normal(0, 3, (SERIES, DAYS))
    y = truth + one + other
    network = {bound: truth + other + 3 * z for bound, z in NORMAL.items()}

    share, _ = inside(past_of(y), truth + one, network, y)

    assert 0.78 < share < 0.82


def test_a_rare_seller_has_no_lower_bound():
    rng = np.random.default_rng(2)
    y = (rng.random((SERIES, DAYS)) < 0.15) * 3.0
    yhat = np.full(y.shape, 0.45) * rng.uniform(0.5, 1.5, (SERIES, 1))
    network = {bound: np.full(y.shape, 0.0 if bound.startswith("lo") else 3.0) for bound in QUANTILES}

    _, found = inside(past_of(y, level=0.45), yhat, network, y)

    assert found["lo80"].max() == 0.0


def test_closed_days_count_half_in_what_the_bounds_promise():
    rng = np.random.default_rng(3)
    closed = np.broadcast_to(np.arange(DAYS) % 7 == 6, (SERIES, DAYS))
    y = rng.normal(20, 4, (SERIES, DAYS))
    yhat = np.full(y.shape, 20.0)
    network = {bound: 20 + 4 * z for bound, z in NORMAL.items()}
    network = {bound: np.full(y.shape, value) for bound, value in network.items()}

    _, found = inside(past_of(y, closed), yhat, network, y)

    of_open = ((y >= found["lo80"]) & (y <= found["hi80"]))[~closed].mean()
    of_all = (of_open * 6 + 1) / 7
    assert of_open < 0.80 < of_all
    assert of_all - 0.80 < 0.025
    assert 0.80 - of_open < 0.025
