"""Against what the invented merchant's customers truly wanted: empty shelves must not read as no demand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from connectors.sandbox.generated import GeneratedWorld
from models import forecast
from models.base import ForecastSettings
from tests.models_factories import CHEAP

TODAY = date(2025, 10, 1)  # far from Christmas, which would need a year before it
SHARE, SPELL = 0.15, 5
AHEAD = 28


@pytest.fixture(scope="module")
def wanted() -> pl.DataFrame:
    """Units wanted by day, stock or not, of what sells at least every other day."""
    world = GeneratedWorld(3, today=TODAY, skus=20, days=200, orders_per_day=60)
    every = pl.concat(
        world.true_demand(market.channel).select(
            "date",
            series_id=pl.format("{}|{}", pl.lit(market.channel), "sku"),
            y=pl.col("units").cast(pl.Float64),
        )
        for market in world.markets
    )
    return every.filter(pl.col("y").mean().over("series_id") > 0.5)


def with_empty_shelves(demand: pl.DataFrame) -> pl.DataFrame:
    """Days in spells without stock: nothing is sold then, whatever was wanted."""
    rng = np.random.default_rng(4)
    out = np.zeros(demand.height, dtype=bool)
    for first in np.flatnonzero(rng.random(demand.height) < SHARE / SPELL):
        out[first : first + SPELL] = True
    sold = pl.when(pl.Series(out)).then(0.0).otherwise("y")
    return demand.with_columns(y=sold, in_stock=pl.Series((~out).astype(float)))


def test_forecasts_from_censored_sales_are_those_from_the_true_demand(wanted):
    first = TODAY - timedelta(days=AHEAD)
    past = wanted.filter(pl.col("date") < first)
    sold = with_empty_shelves(past)

    def total(known: pl.DataFrame) -> float:
        said = forecast.run(known, AHEAD, settings=ForecastSettings(members=CHEAP)).frame
        return float(said.filter(model="ensemble")["yhat"].sum())

    all_seen, flagged, not_flagged = total(past), total(sold), total(sold.drop("in_stock"))

    assert (sold["in_stock"] == 0).mean() == pytest.approx(SHARE, abs=0.04)
    assert flagged / all_seen == pytest.approx(1, abs=0.03)
    assert not_flagged < 0.9 * all_seen
