"""Category, channel and total: exact sums, bounds that hold, scores per level and days ahead."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models import forecast
from models.base import ForecastSettings
from models.reconcile import Spread, totals
from tests.models_factories import CHEAP, START, series

QUICK = ForecastSettings(members=CHEAP)
DAY = date(2025, 3, 1)


def bands(name, yhat, half):
    return {"series_id": name, "date": DAY, "model": "ensemble", "yhat": yhat, "lo80": yhat - half,
            "hi80": yhat + half, "lo95": yhat - 2 * half, "hi95": yhat + 2 * half}  # fmt: skip


def shops(days: int = 400, swing: float = 0.15) -> pl.DataFrame:
    """Thirty series of two channels and three categories that have good and bad days together, by `swing`."""
    rng = np.random.default_rng(3)
    week = np.array([1, 1, 1, 1, 1.2, 1.6, 1.3])[(np.arange(days) + START.weekday()) % 7]
    together = rng.lognormal(0, swing, days)
    parts = []
    for n in range(30):
        units = rng.poisson(rng.uniform(2, 20) * week * together).astype(float).tolist()
        channel, category = ("web", "shop")[n % 2], "abc"[n % 3]
        parts.append(
            series(f"{channel}|{n}", units).with_columns(channel=pl.lit(channel), category=pl.lit(category))
        )
    return pl.concat(parts)


@pytest.fixture(scope="module")
def foreseen():
    return forecast.run(shops(), 21, settings=QUICK)


def test_totals_are_the_exact_sum_and_narrower_than_summed_bounds():
    rows = pl.DataFrame([bands("a", 10.0, 3.0), bands("b", 20.0, 4.0), bands("c", 7.0, 1.0)])
    labels = pl.DataFrame({"series_id": ["a", "b", "c"], "category": ["x", "x", "y"]})
    apart, together = ({"category": Spread(share), "total": Spread(share)} for share in (0.0, 1.0))

    found = totals(rows, labels, apart)
    x = found.row(by_predicate=pl.col("category") == "x", named=True)

    assert found["level"].to_list() == ["total", "category", "category"]
    assert (x["yhat"], x["series"]) == (30.0, 2)
    assert x["hi80"] == pytest.approx(35.0)
    assert totals(rows, labels, together).row(by_predicate=pl.col("category") == "x", named=True)[
        "hi80"
    ] == pytest.approx(37.0)
    assert found.row(by_predicate=pl.col("level") == "total", named=True)["yhat"] == 37.0


def test_every_level_adds_up_to_the_forecasts_of_the_series(foreseen):
    rows = foreseen.frame.filter(pl.col("model") == "ensemble")
    labels = shops().select("series_id", "channel", "category").unique()

    assert set(foreseen.totals["level"]) == {"total", "channel", "category", "channel and category"}
    for level, keys in (("total", []), ("channel", ["channel"]), ("category", ["category"])):
        mine = foreseen.totals.filter(pl.col("level") == level).sort("date", *keys)
        sums = (
            rows.join(labels, on="series_id")
            .group_by("date", *keys)
            .agg(pl.col("yhat").sum())
            .sort("date", *keys)
        )
        np.testing.assert_allclose(mine["yhat"].to_numpy(), sums["yhat"].to_numpy(), rtol=1e-12)
    ordered = foreseen.totals.select(
        (pl.col("lo95") <= pl.col("lo80")) & (pl.col("lo80") <= pl.col("yhat"))
        & (pl.col("yhat") <= pl.col("hi80")) & (pl.col("hi80") <= pl.col("hi95")) & (pl.col("lo95") >= 0)
    ).to_series()  # fmt: skip
    assert ordered.all()


def test_bounds_of_totals_know_how_far_errors_are_shared(foreseen):
    """A total of thirty series whose good days are the same ones is far less certain than thirty of their own."""
    alone = forecast.run(shops(swing=0.0), 21, settings=QUICK).spreads["total"]

    assert foreseen.spreads["total"].shared > 0.2
    assert alone.shared < 0.05


def test_a_backtest_is_scored_per_level_and_days_ahead():
    scores = forecast.backtest(shops(), 28, 2, settings=QUICK).by_level.filter(pl.col("model") == "ensemble")
    wape = dict(scores.filter(pl.col("days_ahead") == "1 to 14").select("level", "wape").iter_rows())

    assert set(scores["days_ahead"]) == {"1 to 14", "15 to 28"}
    assert wape["total"] < wape["channel"] < wape["series"]
    total = scores.filter(pl.col("level") == "total")
    assert (total["mase"] < 1).all()
    assert (total["fva"] > 0).all()
    assert total["cover80"].mean() == pytest.approx(0.8, abs=0.17)


def test_days_not_known_are_in_neither_sum():
    rows = pl.DataFrame([{**bands("a", 10.0, 3.0), "y": 9.0}, {**bands("b", 20.0, 4.0), "y": None}])

    assert totals(rows, pl.DataFrame({"series_id": ["a", "b"]})).select("y", "yhat").row(0) == (9.0, 10.0)


def test_one_series_without_labels_has_a_total(tmp_path):
    frame = series("only", [float(n % 7) for n in range(120)], start=DAY - timedelta(days=120))

    found = forecast.run(frame, 7, settings=QUICK)

    assert found.totals.height == 7
    np.testing.assert_allclose(
        found.totals["yhat"].to_numpy(), found.frame.filter(pl.col("model") == "ensemble")["yhat"].to_numpy()
    )
