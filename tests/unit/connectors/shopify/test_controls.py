"""What a shop says it has sold, day by day."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.registry import control_totals
from connectors.sandbox.faults import Fault
from tests.sandbox_factories import small_world
from tests.shopify_factories import CHANNEL, NOW, client, shop

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = (NOW - timedelta(days=69)).date(), NOW.date()


def test_orders_of_each_business_day_and_nothing_the_shop_does_not_say():
    with shop(small_world()) as (state, url), client(url) as talking:
        [channel] = talking.account.channels
        totals = control_totals(talking, channel, FIRST, LAST)
        numbers = list(state.world.orders_between(CHANNEL, state.now()))
        placed = [
            order.created_at.astimezone(BERLIN).date() for order in state.world.orders(numbers, state.now())
        ]

    assert totals["business_date"].to_list() == [FIRST + timedelta(days=n) for n in range(70)]
    assert totals["orders"].to_list() == [placed.count(day) for day in totals["business_date"]]
    assert totals["orders"].sum() > 0
    assert totals["gross_amount"].null_count() == totals["units"].null_count() == 70


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
