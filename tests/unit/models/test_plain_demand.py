import numpy as np
import polars as pl
import pytest

from models import forecast
from models.base import ForecastSettings, check_series
from models.panel import build_panel
from models.plain import plain_demand
from tests.models_factories import CHEAP, series

QUICK = ForecastSettings(members=CHEAP)


def promoted(count: int = 10, days: int = 300, lift: float = 3.0, ahead: int = 0) -> pl.DataFrame:
    """Promotions on working days alone, known `ahead` days further; units are not known there."""
    rng = np.random.default_rng(7)
    parts = []
    for n in range(count):
        promo = ((rng.random(days + ahead) < 0.3) & (np.arange(days + ahead) % 7 < 5)).astype(float)
        week = np.array([1, 1, 1, 1, 1, 0.3, 0.3])[np.arange(days + ahead) % 7]
        units = rng.poisson(20 * week * np.where(promo > 0, lift, 1.0)).astype(float)
        parts.append(series(f"s{n}", [*units[:days], *[None] * ahead], promo=promo.tolist()))
    return pl.concat(parts)


def panel_of(frame):
    return build_panel(check_series(frame), 0, ForecastSettings(), common_end=True)[0]


def test_the_lift_is_measured_against_the_same_weekday():
    panel = panel_of(promoted())
    plain, lift = plain_demand(panel, 0)

    assert np.median(lift[panel.known["promo"][:, : lift.shape[1]] > 0]) == pytest.approx(3.0, rel=0.1)
    assert np.nanmean(plain.y) < 0.75 * np.nanmean(panel.y)


def test_the_lift_does_not_see_days_after_it_was_learned():
    frame = promoted()
    later = frame.with_columns(
        y=pl.when(pl.col("date") > pl.col("date").max().dt.offset_by("-28d"))
        .then(pl.col("y") * 9)
        .otherwise("y")
    )

    np.testing.assert_array_equal(plain_demand(panel_of(frame), 28)[1], plain_demand(panel_of(later), 28)[1])


def test_members_that_know_only_units_follow_a_promotion_known_ahead():
    frame = promoted(ahead=14)
    said = forecast.run(frame, 14, settings=QUICK).frame.join(frame, on=["series_id", "date"])
    working = said.filter((pl.col("model") == "ets") & (pl.col("date").dt.weekday() <= 5))
    mean = dict(working.group_by("promo").agg(pl.col("yhat").mean()).iter_rows())

    assert mean[1.0] / mean[0.0] == pytest.approx(3.0, rel=0.15)


def test_a_promotion_known_ahead_lowers_the_error_by_a_seventh_at_least():
    frame = promoted()
    known, unknown = (
        forecast.backtest(one, 14, 1, settings=QUICK)
        .scores.filter(pl.col("model") == "ensemble")["wape"]
        .item()
        for one in (frame, frame.drop("promo"))
    )

    assert known < 0.85 * unknown
