"""What a shop says it has sold, day by day."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.registry import control_totals
from connectors.sandbox.faults import Fault
from connectors.shopify import queries
from tests.sandbox_factories import small_world
from tests.shopify_factories import CHANNEL, NOW, client, shop

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = (NOW - timedelta(days=69)).date(), NOW.date()


def test_orders_units_and_goods_of_each_business_day_as_the_shop_reports_them():
    with shop(small_world()) as (state, url), client(url) as talking:
        [channel] = talking.account.channels
        totals = control_totals(talking, channel, FIRST, LAST)
        numbers = list(state.world.orders_between(CHANNEL, state.now()))
        orders = state.world.orders(numbers, state.now())

    days = [order.created_at.astimezone(BERLIN).date() for order in orders]
    assert totals["business_date"].to_list() == [FIRST + timedelta(days=n) for n in range(70)]
    assert totals["orders"].to_list() == [days.count(day) for day in totals["business_date"]]
    # over all days: what edits moved from one to another is in the sums again
    lines = [line for order, day in zip(orders, days, strict=True) if day >= FIRST for line in order.lines]
    early = [line for order, day in zip(orders, days, strict=True) if day < FIRST for line in order.lines]
    assert 0 < sum(line.quantity for line in lines) <= totals["units"].sum()
    assert totals["units"].sum() <= sum(line.quantity for line in lines + early)
    assert totals["gross_amount"].sum() > 0
    assert totals["untold"].null_count() == totals.height


@pytest.mark.parametrize(
    "fault",
    [
        Fault(operation="shopify.scope", kind="missing", field="read_reports", times=None),
        Fault(operation="shopify.shopifyqlQuery", kind="status", status=403, times=None),
    ],
)
def test_without_the_report_orders_are_counted_alone_and_each_row_says_why(fault):
    with shop(small_world()) as (state, url), client(url) as talking:
        state.faults.add(fault)
        [channel] = talking.account.channels
        totals = control_totals(talking, channel, FIRST, LAST)

    assert totals["orders"].sum() > 0
    assert totals["gross_amount"].null_count() == totals["units"].null_count() == 70
    assert totals["untold"].str.contains("sales report is refused").all()


def test_a_report_that_shopify_cannot_parse_is_no_empty_one(monkeypatch):
    monkeypatch.setattr(
        queries, "sales_report", lambda first, last: "FROM sales SHOW nonsense TIMESERIES day"
    )
    with shop(small_world()) as (_, url), client(url) as talking:
        [channel] = talking.account.channels
        totals = control_totals(talking, channel, LAST, LAST)
    assert totals["units"].to_list() == [None]
    assert "mismatched input" in totals["untold"][0]


def test_days_the_app_may_not_see_have_no_count_rather_than_none():
    with shop(small_world()) as (state, url), client(url) as talking:
        state.faults.add(
            Fault(operation="shopify.scope", kind="missing", field="read_all_orders", times=None)
        )
        [channel] = talking.account.channels
        today = datetime.now(BERLIN).date()
        totals = control_totals(talking, channel, today - timedelta(days=300), today)

    assert totals["business_date"].min() >= today - timedelta(days=60)
    assert totals.height in {59, 60}  # midnight may pass
