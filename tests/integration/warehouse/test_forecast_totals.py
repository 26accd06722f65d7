"""What stands in core.forecast_totals is the sum of what stands in core.forecasts, at every level."""

import polars as pl
import pytest

from models.reconcile import Spread, totals
from tests.warehouse_factories import DAY, SHOP, T0, line, order
from warehouse import forecast_totals, forecasts

SPREAD = Spread(0.3, {"lo95": -3.0, "lo80": -1.1, "hi80": 1.2, "hi95": 2.5})


def forecast(series: str, units: float, days: int = 3) -> pl.DataFrame:
    numbers = {"yhat": units, "lo80": units / 2, "hi80": units * 2, "lo95": 0.0, "hi95": units * 3}
    return pl.DataFrame(
        {
            "series_id": series,
            "date": [T0.date() + n * DAY for n in range(days)],
            "model": "ensemble",
            **numbers,
        }
    )


def roll_up(engine):
    usual = Spread()
    forecast_totals.roll_up(engine, usual.shared, usual.quantiles)


@pytest.fixture
def stored(loader):
    """Two SKUs, one of them forecast again a day later, and a member's rows that are no part of any total."""
    loader.load({"orders": [order("A")], "order_items": [line("A"), line("A", "2", sku="SKU-2")]})
    engine, mine = loader.engine, f"{SHOP.name}|SKU-1"
    spreads = {level: SPREAD.to_json() for level in ("total", "channel")}
    old = pl.concat([forecast(mine, 2.5), forecast(f"{SHOP.name}|SKU-2", 4.0)])
    forecasts.save(engine, old, T0, spreads=spreads)
    newer = forecast(mine, 7.25)
    forecasts.save(engine, pl.concat([newer, newer.with_columns(model=pl.lit("ets"))]), T0 + DAY)
    roll_up(engine)
    return loader


def test_every_level_is_the_sum_of_the_newest_forecast_of_each_series(stored):
    rows = stored.rows(
        "SELECT level, count(*), min(series), min(predicted_units)::float8, max(predicted_units)::float8"
        " FROM core.forecast_totals GROUP BY 1 ORDER BY 1"
    )

    assert [tuple(row) for row in rows] == [
        (level, 3, 2, 11.25, 11.25) for level in ("category", "channel", "channel and category", "total")
    ]
    roll_up(stored.engine)
    assert stored.one("SELECT count(*) FROM core.forecast_totals") == 12


def test_bounds_are_those_the_models_would_lay(stored):
    rows = pl.concat([forecast(f"{SHOP.name}|SKU-1", 7.25), forecast(f"{SHOP.name}|SKU-2", 4.0)])
    labels = rows.select("series_id").unique()
    asked = totals(rows, labels, {"total": SPREAD}).row(0, named=True)

    found = stored.one(
        "SELECT lower_95::float8, lower_80::float8, upper_80::float8, upper_95::float8 FROM core.forecast_totals"
        " WHERE level = 'total' AND forecast_date = :day", day=T0.date(),
    )  # fmt: skip
    assert list(found) == pytest.approx([asked[name] for name in ("lo95", "lo80", "hi80", "hi95")], abs=1e-4)


def test_the_next_days_are_told_from_the_whole_to_its_parts(stored):
    told = forecast_totals.ahead(stored.engine, (2, 30))

    assert [(row["level"], row["next_2_days"], row["next_30_days"]) for row in told[:2]] == [
        ("total", 22.5, 33.75),
        ("category", 22.5, 33.75),
    ]
