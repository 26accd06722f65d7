"""How orders were sent and delivered: by week and place, what is not told counted as such."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from flows import performance
from tests.warehouse_factories import SHOP, line, order
from warehouse import shipping

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

MONDAY = datetime(2026, 3, 2, 15, tzinfo=UTC)
NOW = MONDAY + timedelta(days=10)
DAY = timedelta(days=1)


def sent(
    number,
    region="NY",
    at=MONDAY,
    *,
    promised=2,
    arrive_by=6,
    left=None,
    arrived=None,
    status="completed",
    **over,
):
    """An order with what is told of it, in days after it was placed; None: not told."""
    told = {
        "ship_by_at": promised,
        "deliver_by_at": arrive_by,
        "shipped_at": left,
        "delivered_at": arrived,
    }
    instants = {name: None if days is None else at + days * DAY for name, days in told.items()}
    return order(
        str(number),
        at=at,
        status=status,
        ship_country="US",
        ship_region=region,
        fulfilled_by="merchant",
        **instants,
        **over,
    )


@pytest.fixture
def weeks(loader, engine, settings):
    orders = [
        sent(1, left=1, arrived=4),
        sent(2, left=3, arrived=7),
        sent(3, status="open"),  # still here after its promise
        sent(4, arrive_by=None),  # sent at some time that nobody tells
        sent(5, promised=None, left=2, arrive_by=None, arrived=5),
        sent(6, "CA", at=MONDAY + 7 * DAY, promised=4, arrive_by=9, status="open"),  # not due
        sent(7, left=1, status="cancelled"),
        sent(8, left=1, is_test=True),
    ]
    loader.load({"orders": orders, "order_items": [line(row["external_id"]) for row in orders]})
    return shipping.weeks(engine, MONDAY.date() - 7 * DAY, NOW.date(), NOW)


def test_what_is_late_is_told_apart_from_what_is_not_known(weeks):
    assert weeks.select("week", "channel", "ship_region", "fulfilled_by").rows() == [
        (date(2026, 3, 2), SHOP.name, "NY", "merchant"),
        (date(2026, 3, 9), SHOP.name, "CA", "merchant"),
    ]
    first, second = weeks.to_dicts()
    assert (first["orders"], first["shipped_on_time"], first["shipped_late"], first["shipping_unknown"]) == (
        5,
        1,
        2,
        2,
    )
    assert first["shipped_on_time_rate"] == pytest.approx(1 / 3)
    assert (first["shipped"], first["days_to_ship"]) == (3, pytest.approx(2.0))
    assert (first["delivered_on_time"], first["delivered_late"], first["delivery_unknown"]) == (1, 1, 3)
    assert (first["delivered"], first["days_to_deliver"]) == (3, pytest.approx(16 / 3))
    assert (second["orders"], second["shipping_unknown"], second["delivery_unknown"]) == (1, 0, 0)
    assert (second["shipped_on_time_rate"], second["days_to_ship"]) == (None, None)


def test_days_of_several_rows_are_means_of_orders(weeks):
    one = weeks.with_columns(ship_region=pl.lit("NJ"), shipped=pl.lit(1), days_to_ship=pl.lit(6.0)).head(1)
    together = shipping.summed(pl.concat([weeks, one], how="vertical_relaxed"), "channel")
    assert together.select("orders", "days_to_ship").row(0) == (11, pytest.approx((3 * 2 + 6) / 4))


def test_the_table_holds_them_and_the_run_shows_them(weeks, client, prefect_api):
    rows = performance.performance(NOW.date(), return_state=True).result()
    assert rows["delivery_performance"] == 2
    found = client.query(
        "SELECT ship_region, orders, shipped_on_time, delivered_late_rate, days_to_ship"
        " FROM analytics.delivery_performance ORDER BY week"
    ).result_rows
    assert found == [("NY", 5, 1, 0.5, pytest.approx(2.0)), ("CA", 1, 0, None, None)]
