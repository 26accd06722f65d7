"""Regions against the quarter before, and what is left of sales on each channel."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from warehouse import performance

pytestmark = pytest.mark.stack

UNTIL = date(2026, 4, 1)
NOW = datetime(2026, 4, 1, tzinfo=UTC)


def put(client, table, columns, rows):
    client.insert(f"analytics.{table}", rows, column_names=columns.split())


def test_places_are_compared_with_the_quarter_before_and_with_their_channel(client):
    columns = (
        "date channel_id ship_country ship_region currency num_orders total_units gross_revenue refunded_amount"
        " total_revenue"
    )
    sold = [(1, "NY", 3), (120, "NY", 2), (5, "CA", 1), (150, "CA", 2), (200, "CA", 9), (0, "NY", 9)]
    put(client, "daily_region_sales", columns, [
        (UNTIL - timedelta(days=days), 1, "US", place, "USD", orders, orders, 100 * orders, 0, 100 * orders)
        for days, place, orders in sold
    ])  # fmt: skip

    assert performance.publish(client, "region_performance", UNTIL, NOW) == 2
    found = client.query(
        "SELECT ship_region, num_orders, revenue_share, growth, growth_beside_channel"
        " FROM analytics.region_performance ORDER BY 1"
    ).result_rows
    assert [tuple(row) for row in found] == [("CA", 1, 0.25, -0.5, -0.5), ("NY", 3, 0.75, 0.5, 0.5)]


def test_fees_on_no_product_are_shared_and_nothing_counts_before_the_first_sale(client):
    day = UNTIL - timedelta(days=3)
    columns = (
        "date channel_id product_id currency total_units net_sales refunded_net_amount fees_amount goods_cost"
        " contribution_margin units_without_cost"
    )
    put(client, "daily_margin", columns, [
        (day, 2, 7, "USD", 3, 300, 30, 20, 90, 160, 0),
        (day, 2, 8, "USD", 1, 100, 0, 5, None, None, 1),
        (day, 2, 0, "USD", 0, 0, 0, 40, 0, -40, 0),
        (day - timedelta(days=9), 2, 7, "USD", 0, 0, 0, 500, 0, -500, 0),
    ])  # fmt: skip
    put(client, "daily_channel_sales", "date channel_id currency shipping_amount", [(day, 2, "USD", 8)])

    assert performance.publish(client, "profitability", UNTIL, NOW) == 2
    assert client.query(
        "SELECT product_id, fees, fee_share, shipping_paid, goods_cost, contribution, is_loss"
        " FROM analytics.profitability ORDER BY 1"
    ).result_rows == [
        (7, Decimal(20), Decimal(30), Decimal(6), Decimal(90), Decimal(130), False),
        (8, Decimal(5), Decimal(10), Decimal(2), None, None, None),
    ]
