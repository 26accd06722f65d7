"""Forecasts of past days are measured once the truth is there, again when orders come late, never on empty shelves."""

import polars as pl
import pytest

from tests.warehouse_factories import DAY, T0, line, order, stock
from warehouse import forecast_accuracy, forecasts


def forecast(model: str, yhat: float = 2.5) -> pl.DataFrame:
    days = [T0.date() + n * DAY for n in range(9)]
    bounds = {"yhat": yhat, "lo80": 1.0, "hi80": 4.0, "lo95": 0.0, "hi95": 5.0}
    numbers = {name: [value] * len(days) for name, value in bounds.items()}
    series = ["shopify-test|SKU-1"] * len(days)
    return pl.DataFrame({"series_id": series, "date": days, "model": [model] * len(days), **numbers})


@pytest.fixture
def sold(loader):
    """Three pieces on the second day, and orders read up to the fourth."""
    rows = {"orders": [order("A", at=T0 + DAY)], "order_items": [line("A", quantity=3, net="30")]}
    loader.load(rows, until=T0 + 3 * DAY, advance=True)
    return loader


def test_days_that_are_over_count_and_late_orders_change_them(sold):
    forecasts.save(sold.engine, forecast("ensemble"), T0)
    forecasts.save(sold.engine, forecast("seasonal_naive"), T0)
    now = T0 + 3 * DAY

    forecast_accuracy.measure(sold.engine, now, most_days=28)

    measured = forecast_accuracy.by_day(sold.engine, T0.date())
    assert measured.rows() == [
        (T0.date(), 0.0, 2.5, 2.5, 0.0, 1.0),
        (T0.date() + DAY, 3.0, 0.5, -0.5, 1.0, 1.0),
        (T0.date() + 2 * DAY, 0.0, 2.5, 2.5, 0.0, 1.0),
    ]
    late = {"orders": [order("B", at=T0 + 2 * DAY)], "order_items": [line("B", quantity=2, net="20")]}
    sold.load(late, until=T0 + 4 * DAY, advance=True)
    forecast_accuracy.measure(sold.engine, now + DAY, most_days=28)

    again = forecast_accuracy.by_day(sold.engine, T0.date())
    assert again["units"].to_list() == [0.0, 3.0, 2.0, 0.0]
    assert again["absolute"].to_list() == [2.5, 0.5, 0.5, 2.5]


def test_empty_shelves_and_series_that_teach_nothing_are_kept_out(sold):
    gone = T0 + DAY + DAY / 2
    sold.load(
        {"inventory": [stock("SKU-1", 0, updated=gone)]}, resource="inventory", snapshot=True, until=gone,
        advance=True,
    )  # fmt: skip
    forecasts.save(sold.engine, forecast("ensemble"), T0)

    forecast_accuracy.measure(sold.engine, T0 + 3 * DAY, most_days=28)

    assert forecast_accuracy.by_day(sold.engine, T0.date()).is_empty()  # no backtest promised anything of it
    kept = "SELECT date - :first, is_sample FROM core.forecast_accuracy ORDER BY 1"
    rows = [tuple(row) for row in sold.rows(kept, first=T0.date())]
    assert rows == [(0, False), (1, False)]
