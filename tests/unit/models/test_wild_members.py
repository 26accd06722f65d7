"""A member that explodes or has no answer is clamped where it is shown, named, and no part of the blend."""

import numpy as np
import pytest

from models import ensemble, forecast, members
from models.base import ForecastSettings, check_series
from models.ets_model import Ets
from models.panel import build_panel
from tests.models_factories import broken_rows, shop

SETTINGS = ForecastSettings(members=("seasonal_naive", "weekday_mean", "ets"))


@pytest.fixture
def wild(monkeypatch):
    """Exponential smoothing that says 10⁴¹ of the third series and nothing of the fourth."""
    usual = Ets.forecast

    def said(self, panel, origins, horizon):
        answers = usual(self, panel, origins, horizon)
        for values in answers.values():
            values[2], values[3] = 1e41, np.nan
        return answers

    monkeypatch.setattr(Ets, "forecast", said)
    # beside each other in this process, where the patch holds
    monkeypatch.setattr(members, "run_jobs", lambda some, workers, done: members.run_here(some, done))


def test_a_member_that_explodes_is_clamped_named_and_left_out(wild):
    frame = shop()

    result = forecast.run(frame, 14, settings=SETTINGS)

    without = forecast.run(
        frame, 14, settings=ForecastSettings(members=("seasonal_naive", "weekday_mean"))
    ).frame
    panel, _ = build_panel(check_series(frame), 14, SETTINGS)
    limit = ensemble.sanity_limit(panel)[2]
    of_third = result.frame.filter(series_id=panel.ids[2])
    assert "ets exploded on 1 series and is left out there, e.g. 'sku00'" in result.notes
    assert "ets has no answer for 1 of 12 series" in result.notes
    assert of_third.filter(model="ets")["yhat"].max() <= limit
    assert broken_rows(result.frame).is_empty()
    for left_out in (2, 3):
        mine, theirs = (
            one.filter(series_id=panel.ids[left_out], model="ensemble")["yhat"].to_numpy()
            for one in (result.frame, without)
        )
        np.testing.assert_allclose(mine, theirs)
