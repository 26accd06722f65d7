from datetime import date

import numpy as np
import polars as pl
import pytest

from models import metrics

Y = np.array([[2.0, 0.0, 4.0, np.nan]])
SAID = np.array([[1.0, 1.0, 5.0, 100.0]])


def test_wape_and_bias_by_hand_without_the_unknown_day():
    assert metrics.wape(Y, SAID) == pytest.approx(3 / 6)
    assert metrics.bias(Y, SAID) == pytest.approx(1 / 6)


def test_nothing_sold_gives_no_wape():
    assert np.isnan(metrics.wape(np.zeros(3), np.ones(3)))


def test_rmsse_by_hand():
    scale = metrics.naive_scale(np.array([[1.0, 3.0, 1.0, 3.0]]))  # differences ±2: mean square 4

    assert metrics.rmsse(Y, SAID, scale) == pytest.approx(np.sqrt((1 + 1 + 1) / 3 / 4))


def test_mase_by_hand_with_a_weekly_naive():
    scale = metrics.naive_scale(np.array([[0.0] * 7 + [2.0] * 7]), season=7, power=1)

    assert metrics.mase(Y, SAID, scale) == pytest.approx(1.0 / 2.0)


def test_pinball_by_hand():
    loss = metrics.pinball(np.array([10.0, 0.0]), np.array([8.0, 8.0]), 0.9)

    np.testing.assert_allclose(loss, [0.9 * 2, 0.1 * 8])


def test_wql_by_hand():
    y = np.array([10.0])
    bounds = {
        "lo95": np.array([4.0]),
        "lo80": np.array([6.0]),
        "hi80": np.array([12.0]),
        "hi95": np.array([8.0]),
    }
    expected = np.mean([0.025 * 6, 0.1 * 4, 0.1 * 2, 0.975 * 2]) * 2 / 10

    assert metrics.wql(y, bounds) == pytest.approx(expected)


def test_coverage_counts_known_days():
    assert metrics.coverage(Y, np.zeros_like(Y), np.full_like(Y, 3)) == pytest.approx(2 / 3)


def test_score_frame_agrees_with_the_arrays_and_adds_value_over_naive():
    days = [date(2024, 1, n) for n in (1, 2, 3, 4)]
    rows = {"series_id": "a", "date": days, "cutoff": date(2023, 12, 31), "y": [2.0, 0.0, 4.0, None]}
    bounds = {"lo80": 0.0, "hi80": 3.0, "lo95": 0.0, "hi95": 9.0, "scale_abs": 2.0, "scale_sq": 4.0}
    mine = pl.DataFrame({**rows, **bounds, "model": "ensemble", "yhat": SAID[0]})
    naive = pl.DataFrame({**rows, **bounds, "model": "seasonal_naive", "yhat": [4.0, 2.0, 6.0, 0.0]})

    scores = metrics.score_frame(pl.concat([mine, naive]))
    row = scores.filter(pl.col("model") == "ensemble").row(0, named=True)

    assert row["wape"] == pytest.approx(0.5)
    assert row["fva"] == pytest.approx(1 - 0.5 / 1.0)
    assert row["rmsse"] == pytest.approx(0.5)
    assert row["mase"] == pytest.approx(0.5)
    assert row["cover80"] == pytest.approx(2 / 3)
    assert row["days"] == 3
