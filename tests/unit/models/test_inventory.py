from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models.cumulative import CHANCES, column
from models.inventory import RESULT_SCHEMA, reorder

NOW = date(2024, 6, 1)
LEADS = (1, 7, 14, 28)


def flat_demand(name="a", daily=10.0, spread=0.2):
    """Forecast and sums of a SKU that sells `daily` a day; quantiles are ±`spread` around the mean at the ends."""
    days = [NOW + timedelta(days=n + 1) for n in range(28)]
    forecast = pl.DataFrame({"series_id": name, "date": days, "model": "ensemble", "yhat": daily})
    factors = dict(zip(CHANCES, np.linspace(1 - spread, 1 + spread, len(CHANCES)), strict=True))
    factors[0.5] = 1.0
    rows = [
        {"series_id": name, "lead_days": lead, "mean": daily * lead}
        | {column(chance): daily * lead * factor for chance, factor in factors.items()}
        for lead in LEADS
    ]
    return forecast, pl.DataFrame(rows)


def ask(position, **changes):
    forecast, sums = flat_demand()
    settings = {"lead_time_days": 6, "review_days": 1, "service_level": 0.95, "now_date": NOW} | changes
    return reorder(pl.DataFrame(position), forecast, sums, **settings).row(0, named=True)


def test_the_reorder_point_is_the_quantile_over_lead_time_and_review():
    row = ask({"series_id": ["a"], "available": [500.0]})
    factor = np.interp(0.95, CHANCES, np.linspace(0.8, 1.2, len(CHANCES)))

    assert row["reorder_point"] == np.ceil(70 * factor)
    assert row["safety_stock"] == pytest.approx(row["reorder_point"] - 70)
    assert row["order_quantity"] == 0


def test_orders_come_in_whole_packs_and_at_least_the_minimum():
    row = ask({"series_id": ["a"], "available": [60.0], "pack_size": [12], "min_order_quantity": [100]})

    assert row["order_quantity"] == 108
    assert row["order_by_date"] == NOW


def test_cover_counts_what_is_coming():
    row = ask({"series_id": ["a"], "available": [100.0], "inbound": [40.0]})

    assert row["days_of_cover"] == pytest.approx(14.0)
    assert row["stockout_date"] == NOW + timedelta(days=14)


def test_chances_are_sure_when_stock_is_far_below_or_above_and_rise_with_the_window():
    low, high = (
        ask({"series_id": ["a"], "available": [1.0]}),
        ask({"series_id": ["a"], "available": [5000.0]}),
    )
    middle = ask({"series_id": ["a"], "available": [140.0]})

    assert low["p_stockout_7d"] > 0.99
    assert high["p_stockout_30d"] < 0.01
    assert middle["p_stockout_7d"] <= middle["p_stockout_14d"] <= middle["p_stockout_30d"]
    assert 0.3 < middle["p_stockout_14d"] < 0.7


def test_nothing_on_hand_and_selling_is_a_stock_out():
    assert ask({"series_id": ["a"], "available": [0.0]})["p_stockout_lead_time"] == 1.0


def test_a_sku_that_does_not_sell_is_never_ordered():
    forecast, sums = flat_demand(daily=0.0)
    row = reorder(
        pl.DataFrame({"series_id": ["a"], "available": [0.0]}), forecast, sums, lead_time_days=7, now_date=NOW
    ).row(0, named=True)

    assert row["order_quantity"] == 0
    assert row["days_of_cover"] is None
    assert row["p_stockout_30d"] == 0


def test_a_sku_without_a_forecast_gets_nulls():
    forecast, sums = flat_demand()
    position = pl.DataFrame({"series_id": ["a", "new"], "available": [10.0, 5.0], "warehouse": ["x", "y"]})

    result = reorder(position, forecast, sums, lead_time_days=7, now_date=NOW)

    assert set(RESULT_SCHEMA) | {"warehouse"} <= set(result.columns)
    assert result.filter(pl.col("series_id") == "new")["reorder_point"].to_list() == [None]


def test_settings_out_of_range_are_refused():
    forecast, sums = flat_demand()
    position = pl.DataFrame({"series_id": ["a"], "available": [1.0]})
    with pytest.raises(ValueError, match="service_level"):
        reorder(position, forecast, sums, lead_time_days=7, service_level=1.0, now_date=NOW)
    with pytest.raises(ValueError, match="lead_time_days"):
        reorder(position, forecast, sums, lead_time_days=0, now_date=NOW)
