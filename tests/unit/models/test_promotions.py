"""A merchant's plan of promotions and the holidays of its buyers reach the models."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models import forecast
from models.base import ForecastSettings, Origin, SeriesError, check_series
from models.panel import build_panel
from models.promotions import read_promotions, with_promotions
from models.prophet_model import ProphetModel
from tests.models_factories import CHEAP, START, series

PLAN = """sku,channel,first_date,last_date
A,web,2024-01-03,2024-01-04
,shop,2024-01-05,2024-01-09
B,,2024-01-08,2024-01-08
"""


def plan(tmp_path, text=PLAN):
    file = tmp_path / "promotions.csv"
    file.write_text(text)
    return file


def test_a_promotion_holds_for_the_skus_and_channels_it_names_and_the_days_ahead(tmp_path):
    sold = pl.concat([series(name, [1.0] * 6) for name in ("web|A", "web|B", "shop|A|1")])

    found = with_promotions(sold, read_promotions(plan(tmp_path)), START + timedelta(days=8))

    on = found.filter(pl.col("promo") == 1).group_by("series_id").agg(pl.col("date").dt.day().sort())
    assert dict(on.iter_rows()) == {"web|A": [3, 4], "web|B": [8], "shop|A|1": [5, 6, 7, 8, 9]}
    assert found.group_by("series_id").len()["len"].to_list() == [9, 9, 9]
    assert found.filter(pl.col("date").dt.day() > 6)["y"].null_count() == 9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sku,first_date\nA,2024-01-01\n", "last_date"),
        ("first_date,last_date\n2024-01-01,2024-01-02\n2024-02-02,2024-02-01\n", "line 3"),
        ("first_date,last_date\n1.2.2024,2024-02-01\n", "line 2"),
    ],
)
def test_a_faulty_plan_is_named(tmp_path, text, says):
    with pytest.raises(SeriesError, match=says):
        read_promotions(plan(tmp_path, text))


def test_a_plan_of_promotions_ahead_raises_the_forecast_on_those_days(tmp_path):
    days = 250
    on = (np.arange(days + 14) % 20) < 4
    rng = np.random.default_rng(2)
    spells = [START + timedelta(days=int(day)) for day in np.flatnonzero(on)]
    text = "first_date,last_date\n" + "".join(f"{day},{day}\n" for day in spells)
    sold = pl.concat([
        series(f"web|{n}", rng.poisson(10 * np.where(on[:days], 3, 1)).astype(float).tolist()) for n in range(6)
    ])  # fmt: skip
    planned = with_promotions(sold, read_promotions(plan(tmp_path, text)), START + timedelta(days=days + 13))

    said = forecast.run(planned, 14, settings=ForecastSettings(members=CHEAP)).frame
    mean = (
        said.filter(pl.col("model") == "ensemble")
        .group_by(pl.col("date").is_in(spells))
        .agg(pl.col("yhat").mean())
    )

    by = dict(mean.iter_rows())
    assert by[True] > 2 * by[False]


def test_models_that_know_promotions_are_told_of_them_where_there_are_none():
    frame = check_series(series("web|A", [1.0] * 30 + [None] * 7, promo=[0.0] * 37))

    for known_ahead, columns in (((), []), (("promo",), ["promo"])):
        panel, _ = build_panel(frame, 7, ForecastSettings(known_ahead=known_ahead))
        assert list(panel.known) == columns


def test_prophet_knows_the_holidays_of_where_the_buyers_live():
    """Thanksgiving moves: neither the week nor the season tells of it."""
    start, thanksgiving = date(2022, 1, 1), {date(2022, 11, 24), date(2023, 11, 23), date(2024, 11, 28)}
    days = [start + timedelta(days=k) for k in range((date(2024, 11, 20) - start).days + 1)]
    frame = series(
        "us|A", [2.0 if day in thanksgiving else 20.0 + day.weekday() for day in days], start=start
    )
    panel, _ = build_panel(check_series(frame.with_columns(channel=pl.lit("us"))), 14, ForecastSettings())

    dips = []
    for countries in ({"us": "US"}, {"us": "nowhere"}, {"": "US"}):
        said = ProphetModel(countries).forecast(panel, [Origin(0, 0)], 14)[0][0]
        dips.append(said[7] / said[8])  # 28 November over the day after

    assert dips[0] < 0.5
    assert dips[1] > 0.9
    assert dips[2] == pytest.approx(dips[0])
