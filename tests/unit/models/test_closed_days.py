from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models import forecast
from models.base import ForecastSettings
from models.days import easter_sunday, from_easter, promotion_runs, same_date_before, same_easter_before
from models.panel import EPOCH
from tests.models_factories import CHEAP, series

QUICK = ForecastSettings(members=CHEAP)
EASTER_MONDAYS = {date(2023, 4, 10), date(2024, 4, 1), date(2025, 4, 21)}


def numbers(*days: date) -> np.ndarray:
    return np.array([(day - EPOCH).days for day in days])


def days_of(found: np.ndarray) -> list[date]:
    return [EPOCH + timedelta(days=int(day)) for day in found]


def shops(until: date, count: int = 8) -> pl.DataFrame:
    """Shut on Sundays, Easter Mondays and the first of May."""
    start = date(2023, 1, 2)
    days = [start + timedelta(days=k) for k in range((until - start).days + 1)]
    shut = np.array([d.weekday() == 6 or d in EASTER_MONDAYS or (d.month, d.day) == (5, 1) for d in days])
    rng = np.random.default_rng(2)
    return pl.concat([
        series(f"shop{n}", (rng.poisson(20 + 10 * n, len(days)) * ~shut).astype(float).tolist(), start=start)
        for n in range(count)
    ])  # fmt: skip


def expected_days(frame: pl.DataFrame) -> set[date]:
    means = frame.filter(pl.col("model") == "ensemble").group_by("date").agg(pl.col("yhat", "hi95").max())
    return set(means.filter((pl.col("yhat") == 0) & (pl.col("hi95") == 0))["date"])


def test_a_shop_shut_on_sundays_and_holidays_is_expected_to_be_shut_again():
    result = forecast.run(shops(date(2025, 4, 12)), 21, settings=QUICK).frame

    sundays = {date(2025, 4, 13), date(2025, 4, 20), date(2025, 4, 27)}
    assert expected_days(result) == sundays | {date(2025, 4, 21), date(2025, 5, 1)}


def test_last_years_easter_date_is_a_common_day_this_year():
    result = forecast.run(shops(date(2025, 3, 29)), 5, settings=QUICK).frame  # 1 April 2024 was Easter Monday

    assert expected_days(result) == {date(2025, 3, 30)}


def test_an_item_that_seldom_sells_has_no_closed_days():
    rng = np.random.default_rng(1)
    rare = pl.concat([series(f"r{n}", (rng.random(500) < 0.04).astype(float).tolist()) for n in range(10)])

    assert expected_days(forecast.run(rare, 14, settings=QUICK).frame) == set()


def test_closed_days_do_not_widen_or_narrow_the_bounds_of_open_ones():
    frame = forecast.backtest(shops(date(2024, 12, 14), count=20), 14, 2, settings=QUICK).frame
    mine = frame.filter((pl.col("model") == "ensemble") & (pl.col("date").dt.weekday() < 7))

    inside = mine.select(pl.col("y").is_between("lo80", "hi80").mean()).item()
    assert 0.7 < inside < 0.9


@pytest.mark.parametrize(
    ("year", "day"), [(1999, date(1999, 4, 4)), (2000, date(2000, 4, 23)), (2038, date(2038, 4, 25))]
)
def test_easter(year, day):
    assert days_of(easter_sunday(np.array([year]))) == [day]


def test_the_like_of_a_day_a_year_before():
    assert days_of(same_date_before(numbers(date(2025, 3, 1), date(2024, 3, 1), date(2024, 2, 29)))) == [
        date(2024, 3, 1),
        date(2023, 3, 1),
        date(2023, 3, 1),
    ]
    assert days_of(same_easter_before(numbers(date(2025, 4, 21)))) == [date(2024, 4, 1)]
    assert from_easter(numbers(date(2025, 5, 29))).tolist() == [39]


def test_days_of_a_promotion_are_counted_from_both_ends():
    day, left, since = promotion_runs(np.array([[0.0, 1, 1, 1, 0, 0, 1]]))

    assert day.tolist() == [[0, 1, 2, 3, 0, 0, 1]]
    assert left.tolist() == [[0, 3, 2, 1, 0, 0, 1]]
    assert since.tolist() == [[30, 0, 0, 0, 1, 2, 0]]
