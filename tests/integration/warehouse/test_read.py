"""Named questions, forecasts and plans."""

from datetime import timedelta
from decimal import Decimal

import polars as pl

from tests.warehouse_factories import DAY, HOUR, SHOP, T0, line, order, stock
from warehouse import forecasts, plans, read, runs


def forecast(series_id, model="ensemble", units=2.5, days=3):
    return pl.DataFrame(
        {
            "series_id": [series_id] * days,
            "date": [T0.date() + n * DAY for n in range(days)],
            "model": [model] * days,
            "yhat": [units] * days,
            "lo80": [units - 1] * days,
            "hi80": [units + 1] * days,
            "lo95": [units - 2] * days,
            "hi95": [units + 2] * days,
        }
    )


def test_empty_databases_have_empty_answers(loader):
    engine = loader.engine
    assert not read.has_orders(engine)
    for frame in (
        read.daily_demand(engine),
        read.stock_position(engine),
        read.freshness(engine),
        read.latest_forecasts(engine),
        read.day_totals(engine),
        read.quarantine(engine),
        read.stock_history(engine, T0),
        read.schema_notes(engine),
        read.restatements(engine),
        plans.latest(engine),
    ):
        assert frame.is_empty()
        assert frame.width > 3


def test_day_totals_count_orders_once(loader):
    loader.load({"orders": [order("A"), order("B")], "order_items": [line("A"), line("A", "2"), line("B")]})
    (row,) = read.day_totals(loader.engine).to_dicts()
    assert (row["channel"], row["orders"], row["units"], row["revenue"]) == (SHOP.name, 2, 3, Decimal(30))
    assert read.has_orders(loader.engine)


def test_the_latest_forecast_of_each_series_is_shown(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A"), line("A", "2", sku="B|2")]})
    engine = loader.engine
    both = pl.concat([forecast("shopify-test|SKU-1"), forecast("shopify-test|B|2"), forecast("ebay|SKU-1")])

    assert forecasts.save(engine, both, T0, scores={"ensemble": {"wape": 0.3}}) == 6  # ebay is unknown
    assert forecasts.save(engine, both, T0) == 6  # again: overwritten
    forecasts.save(
        engine,
        pl.concat([forecast("shopify-test|SKU-1", units=9.0), forecast("shopify-test|SKU-1", "arima")]),
        T0 + DAY,
    )

    latest = read.latest_forecasts(engine, ["ensemble"])
    assert latest.group_by("series_id").agg(pl.col("yhat").max()).sort("series_id").rows() == [
        ("shopify-test|B|2", 2.5),
        ("shopify-test|SKU-1", 9.0),
    ]
    assert set(read.latest_forecasts(engine)["model"]) == {"arima", "ensemble"}
    assert loader.one(
        "SELECT series, horizon_days FROM core.forecast_runs WHERE generated_at = :at", at=T0
    ) == (3, 3)
    assert forecasts.forget(engine, before=T0 + 2 * DAY) == 3


def test_plans_are_replaced_and_the_reorder_point_stands_beside_the_stock(loader):
    loader.load({"inventory": [stock("S", 5), stock("S", 1, warehouse_location="b")]}, resource="inventory")
    position = read.stock_position(loader.engine)
    assert position.select("series_id", "available", "account", "price").rows() == [
        ("shopify-test|S", 6, "shopify", None)
    ]

    planned = position.with_columns(reorder_point=pl.lit(12.2), days_of_cover=pl.lit(float("nan")), other=1)
    assert plans.save(loader.engine, planned, T0) == 1
    assert plans.save(loader.engine, planned.with_columns(reorder_point=pl.lit(13.0)), T0 + HOUR) == 1

    (plan,) = plans.latest(loader.engine).to_dicts()
    assert (plan["reorder_point"], plan["days_of_cover"], plan["planned_at"]) == (13, None, T0 + HOUR)
    assert loader.rows("SELECT reorder_point FROM core.inventory") == [(13,), (13,)]
    before = loader.rows("SELECT ctid::text FROM core.inventory ORDER BY 1")
    loader.load({"inventory": [stock("S", 5), stock("S", 1, warehouse_location="b")]}, resource="inventory")
    assert loader.rows("SELECT ctid::text FROM core.inventory ORDER BY 1") == before


def test_freshness_tells_the_last_good_sync_and_the_last_run(loader):
    loader.load({"orders": [order("A")]}, until=T0, advance=True)
    good = loader.run()
    runs.finish(loader.engine, good, "done")
    failed = loader.run()
    runs.finish(loader.engine, failed, "failed", message="no answer")

    (row,) = read.freshness(loader.engine).to_dicts()
    assert (row["account"], row["resource"], row["read_until"]) == ("shopify", "orders", T0)
    assert (row["last_outcome"], row["last_message"]) == ("failed", "no answer")
    assert row["last_started_at"] - row["last_sync_at"] < timedelta(minutes=1)
    assert read.runs(loader.engine, limit=2)["outcome"].to_list() == ["failed", "done"]

    # A file says nothing of how fresh the account is.
    imported = runs.start(loader.engine, "import", account="shopify", resource="orders")
    runs.finish(loader.engine, imported, "done")
    assert read.freshness(loader.engine).to_dicts() == [row]
