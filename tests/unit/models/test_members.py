"""The heavy members, once each on little data: they answer, keep to the contract, and can be stored and asked again."""

import numpy as np
import polars as pl
import pytest

from models import forecast
from models.base import MEMBERS, ForecastSettings, Origin, check_series
from models.gradient_boosted import GradientBoosted
from models.panel import build_panel
from models.prophet_model import ProphetGroups
from models.sarimax_model import ORDERS, Arima, fit_many, typical_of
from tests.models_factories import broken_rows, series, shop, weekly


def panel_of(frame):
    return build_panel(check_series(frame), 0, ForecastSettings(), common_end=True)[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One run of everything, and a second one from the stored models."""
    registry = tmp_path_factory.mktemp("registry")
    frame = shop(days=200)
    first = forecast.run(frame, 14, settings=ForecastSettings(), registry=registry)
    return first, forecast.run(frame, 14, settings=ForecastSettings(retrain=False), registry=registry)


def test_every_member_answers_within_the_contract(whole):
    first, _ = whole

    assert set(first.members) == set(MEMBERS)
    assert set(first.frame["model"].unique()) == {*MEMBERS, "fixed", "ensemble"}
    assert broken_rows(first.frame).is_empty()
    assert first.backtest is not None
    assert first.backtest.frame["y"].null_count() == 0


def test_stored_weights_give_the_same_forecast(whole):
    first, second = whole
    both = first.frame.join(second.frame, on=["series_id", "date", "model"], suffix="_again")

    assert both.height == first.frame.height
    np.testing.assert_allclose(both["yhat"].to_numpy(), both["yhat_again"].to_numpy(), rtol=1e-4, atol=1e-4)


def test_the_blend_is_better_than_the_fixed_one_on_seasonal_demand_with_zeros(whole):
    scores = dict(whole[0].backtest.scores.select("model", "rmsse").iter_rows())

    assert scores["ensemble"] < 1.02 * scores["fixed"]
    assert scores["ensemble"] < scores["seasonal_naive"]


def test_boosting_is_the_same_twice_and_learns_a_promotion():
    rng = np.random.default_rng(4)
    parts = []
    for n in range(15):
        promo = (rng.random(230) < 0.3).astype(float)
        units = rng.poisson(8 * (1 + 2 * promo)).astype(float)
        parts.append(series(f"s{n}", units.tolist(), promo=promo.tolist()))
    panel = panel_of(pl.concat(parts))

    first, second = (GradientBoosted().forecast(panel, [Origin(14, 14)], 14)[14] for _ in range(2))

    np.testing.assert_array_equal(first, second)
    on = panel.known["promo"][:, -14:] > 0
    assert first[on].mean() > 2 * first[~on].mean()


def test_arima_from_cached_parameters_follows_the_week():
    panel = panel_of(pl.concat([weekly(f"s{n}", 210, level=30, seed=n) for n in range(3)]))
    fitted = fit_many(panel.cut(14), np.arange(2))

    said = Arima(fitted, typical_of(fitted)).forecast(panel, [Origin(14, 14), Origin(0, 14)], 14)

    assert set(said) == {14, 0}
    truth = panel.truth(14, 14)
    assert np.abs(said[14] - truth).sum() / truth.sum() < 0.3


def test_the_order_that_fits_a_series_better_is_kept():
    """Around a level that stays there is something to come back to, on a walk there is not."""
    rng = np.random.default_rng(5)
    week = np.tile([0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 7.0], 40)
    wandering = 300 + np.cumsum(rng.normal(0, 6, 280)) + week
    staying = 40 + week + rng.normal(0, 3, 280)
    panel = panel_of(pl.concat([series("stays", staying.tolist()), series("walks", wandering.tolist())]))

    fitted = fit_many(panel, np.arange(2))

    assert [ORDERS[fitted[name][0]][0] for name in ("stays", "walks")] == [(1, 0, 1), (0, 1, 1)]


def test_group_prophet_shares_a_season_out_by_level(tmp_path):
    panel = panel_of(pl.concat([weekly(f"s{n}", 150, level=10.0 * (n + 1), seed=n) for n in range(4)]))

    said = ProphetGroups().forecast(panel, [Origin(0, 0)], 7)[0]

    assert said[3].mean() / said[0].mean() == pytest.approx(4, rel=0.15)
