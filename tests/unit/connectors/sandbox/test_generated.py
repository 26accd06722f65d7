"""The invented merchant: the same from the same seed, believable, and never ahead of its clock."""

import functools
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from connectors.sandbox.generated import DEMO_MARKETS, GeneratedWorld
from connectors.sandbox.truth import all_orders
from connectors.sandbox.world import Order
from tests.sandbox_factories import NOON, TODAY, days, small_world

CHANNELS = [market.channel for market in DEMO_MARKETS]
SHOP = "shopify-wharf-demo"


@functools.cache
def orders_of(channel: str, now: datetime = NOON) -> list[Order]:
    return list(all_orders(small_world(), channel, now))


def every_order(now: datetime = NOON) -> list[Order]:
    return [order for channel in CHANNELS for order in orders_of(channel, now)]


def test_the_same_seed_gives_the_same_merchant():
    again = GeneratedWorld(3, today=TODAY, skus=12, days=150, orders_per_day=25, future_days=70)

    for channel in CHANNELS:
        assert list(all_orders(again, channel, NOON)) == orders_of(channel)
        assert again.stock(channel, NOON) == small_world().stock(channel, NOON)
        assert again.products(channel, NOON) == small_world().products(channel, NOON)


def test_another_seed_gives_another():
    other = GeneratedWorld(4, today=TODAY, skus=12, days=150, orders_per_day=25, future_days=70)

    assert list(all_orders(other, "amazon-us", NOON)) != orders_of("amazon-us")


def test_it_sells_in_three_currencies_on_three_platforms_about_as_much_as_asked():
    orders = every_order()

    assert {order.currency for order in orders} == {"USD", "CAD", "EUR"}
    assert {market.platform for market in small_world().markets} == {"amazon", "shopify", "walmart"}
    assert 150 * 25 * 0.7 < len(orders) < 150 * 25 * 1.3


def test_numbers_are_unique_and_follow_time():
    orders = sorted(every_order(), key=lambda order: order.number)

    assert len({order.number for order in orders}) == len(orders)
    assert all(a.created_at <= b.created_at for a, b in pairwise(orders))


def test_nothing_is_known_before_it_happens():
    for order in every_order():
        clocks = [order.created_at, order.paid_at, order.shipped_at, order.delivered_at, order.cancelled_at]
        clocks += [refund.at for refund in order.refunds]
        clocks += [line.cancelled_at for line in order.lines]
        assert max(clock for clock in clocks if clock) <= order.updated_at <= NOON
        assert order.created_at <= order.updated_at


def test_an_orders_update_clock_is_its_last_event():
    for order in every_order():
        clocks = [order.created_at, order.paid_at, order.shipped_at, order.delivered_at, order.cancelled_at]
        clocks += [refund.at for refund in order.refunds] + [line.cancelled_at for line in order.lines]
        quiet = max(clock for clock in clocks if clock) == order.updated_at
        # Only an edit, which web shops know, moves the clock without leaving an instant of its own.
        assert quiet or order.channel == SHOP


@pytest.mark.parametrize("channel", CHANNELS)
def test_spans_are_half_open_and_sorted_by_update(channel: str):
    world = small_world()
    orders = orders_of(channel)
    since, until = orders[len(orders) // 3].updated_at, orders[len(orders) // 2].updated_at
    created_since, created_until = NOON - days(60), NOON - days(20)

    numbers = world.orders_between(
        channel,
        NOON,
        updated_since=since,
        updated_until=until,
        created_since=created_since,
        created_until=created_until,
    )

    fit = [
        order
        for order in orders
        if since <= order.updated_at < until and created_since <= order.created_at < created_until
    ]
    assert list(numbers) == [o.number for o in sorted(fit, key=lambda o: (o.updated_at, o.number))]


@pytest.mark.parametrize("channel", CHANNELS)
def test_neighbouring_spans_share_no_order_and_lose_none(channel: str):
    world, cut = small_world(), orders_of(channel)[len(orders_of(channel)) // 2].updated_at

    before = world.orders_between(channel, NOON, updated_until=cut)
    after = world.orders_between(channel, NOON, updated_since=cut)

    assert [*before, *after] == [order.number for order in orders_of(channel)]
    assert world.orders([after[0]], NOON)[0].updated_at == cut


def test_orders_of_the_future_do_not_exist_yet():
    world = small_world()
    later = world.orders_between(SHOP, NOON + days(10), created_since=NOON)

    assert later
    assert not set(later) & set(world.orders_between(SHOP, NOON))
    with pytest.raises(KeyError):
        world.orders([later[0]], NOON)
    with pytest.raises(KeyError):
        world.orders([10**9], NOON)


def test_life_goes_on_after_today():
    world = small_world()
    before = {order.number: order for order in every_order()}

    for day in (1, 20, 45, 60):
        assert world.orders_between("amazon-us", NOON + days(day), created_since=NOON + days(day - 1))
    changed = [
        number
        for channel in CHANNELS
        for number in world.orders_between(channel, NOON + days(2), updated_since=NOON)
        if number in before
    ]
    assert len(changed) > 20


def test_every_kind_of_fate_occurs():
    orders = every_order(NOON + days(60))
    refunds = [refund for order in orders for refund in order.refunds]

    assert any(order.cancelled_at for order in orders)
    assert any(0 < line.cancelled < line.quantity for order in orders for line in order.lines)
    assert any(order.is_replacement and order.replaces for order in orders)
    assert any(order.customer is None for order in orders)
    assert any(line.sku is None for order in orders for line in order.lines)
    assert any(len(order.lines) > 2 for order in orders)
    assert any(line.discount for order in orders for line in order.lines)
    assert any(not refund.is_return for refund in refunds)
    assert any(refund.shipping and not refund.lines for refund in refunds)
    assert any(line.quantity == 0 for refund in refunds for line in refund.lines)
    assert any(not title.isascii() for title in {line.title for order in orders for line in order.lines})
    returning = Counter(order.customer for order in orders if order.customer)
    assert returning.most_common(1)[0][1] >= 5


def test_a_web_shops_order_may_grow_before_it_is_shipped():
    world = small_world()
    grown = 0
    for order in orders_of(SHOP, NOON + days(60)):
        first = world.orders([order.number], order.created_at)[0]
        for now, then in zip(order.lines, first.lines, strict=True):
            assert now.quantity >= then.quantity
            assert (now.discount * then.quantity, now.tax * then.quantity) == (
                then.discount * now.quantity,
                then.tax * now.quantity,
            )
        grown += any(a.quantity > b.quantity for a, b in zip(order.lines, first.lines, strict=True))
    assert grown


def test_amounts_are_whole_cents_and_nobody_gets_back_more_than_was_paid():
    tax_included = {market.channel: market.tax_included for market in small_world().markets}
    for order in every_order(NOON + days(60)):
        back = defaultdict(Decimal)
        units = Counter[int]()
        for refund in order.refunds:
            for part in refund.lines:
                back[part.line_number] += part.amount
                units[part.line_number] += part.quantity
        for line in order.lines:
            for amount in (line.unit_price, line.discount, line.tax, back[line.number]):
                assert amount == amount.quantize(Decimal("0.01"))
                assert amount >= 0
            net = line.unit_price * line.quantity - line.discount
            net -= line.tax if tax_included[order.channel] else 0
            kept = net * (line.quantity - line.cancelled) / line.quantity
            assert back[line.number] <= kept
            assert units[line.number] <= line.quantity - line.cancelled
        assert sum(refund.shipping for refund in order.refunds) <= order.shipping


def test_shopify_gives_no_money_back_on_a_line_without_goods():
    refunds = [refund for order in orders_of(SHOP, NOON + days(60)) for refund in order.refunds]

    assert refunds
    assert all(line.quantity for refund in refunds for line in refund.lines)


def test_a_cancelled_order_has_all_its_units_cancelled_and_no_refund():
    for order in every_order():
        if order.cancelled_at:
            assert all(line.cancelled == line.quantity for line in order.lines)
            assert not order.refunds
            assert order.shipped_at is None


def test_stock_is_never_oversold_and_moves_as_orders_do():
    world = small_world()
    for day in range(0, 60, 6):
        for channel in CHANNELS:
            assert all(s.available >= 0 and s.reserved >= 0 for s in world.stock(channel, NOON + days(day)))


def test_an_order_reserves_and_its_shipping_takes_away():
    world = small_world()
    order = next(
        order
        for order in orders_of("walmart-us", NOON + days(30))
        if order.created_at > NOON
        and order.shipped_at
        and len(order.lines) == 1
        and not order.lines[0].cancelled
    )
    (line,) = order.lines
    tick = timedelta(microseconds=1)

    def level(at: datetime) -> tuple[int, int]:
        stock = next(s for s in world.stock("walmart-us", at) if s.product_number == line.product_number)
        return stock.on_hand, stock.reserved

    assert order.shipped_at is not None
    assert level(order.created_at)[1] == level(order.created_at - tick)[1] + line.quantity
    before, after = level(order.shipped_at - tick), level(order.shipped_at)
    assert after == (before[0] - line.quantity, before[1] - line.quantity)


def test_sales_are_the_true_demand_less_what_was_not_there():
    world = small_world()
    channel, zone = "amazon-us", ZoneInfo("America/Los_Angeles")
    sold: Counter[tuple[str, date]] = Counter()
    numbers = {product.number: product.sku for product in world.products(channel, NOON)}
    for order in orders_of(channel):
        for line in order.lines:
            if not order.is_replacement:
                sold[numbers[line.product_number], order.created_at.astimezone(zone).date()] += line.quantity

    past = world.true_demand(channel).filter(pl.col("date") < TODAY)

    missed = 0
    for sku, day, units, in_stock in past.select("sku", "date", "units", "in_stock").iter_rows():
        assert sold[sku, day] <= units
        if in_stock:
            assert sold[sku, day] == units
        missed += units - sold[sku, day]
    assert missed > 0


def test_some_goods_are_about_to_run_out_today():
    world = small_world()
    cover = []
    for channel in CHANNELS:
        week = world.true_demand(channel).filter(pl.col("date").is_between(TODAY, TODAY + days(6)))
        wanted = dict(week.group_by("sku").agg(pl.col("units").sum()).iter_rows())
        for stock in world.stock(channel, NOON):
            if wanted.get(stock.sku):
                cover.append(stock.available / wanted[stock.sku])
    assert sum(weeks < 1 for weeks in cover) >= 3
    assert sum(weeks > 2 for weeks in cover) >= 3


def test_a_careful_merchant_has_weeks_of_most_goods_left():
    """Few of the demo's messages would be read if there were one for every SKU."""
    world = GeneratedWorld(7, today=TODAY, days=400)
    short: set[str] = set()
    for market in world.markets:
        ahead = world.true_demand(market.channel).filter(pl.col("date").is_between(TODAY, TODAY + days(27)))
        daily = {
            sku: units / 28 for sku, units in ahead.group_by("sku").agg(pl.col("units").sum()).iter_rows()
        }
        left = Counter[str]()
        for stock in world.stock(market.channel, NOON):
            left[stock.sku] += stock.available
        short |= {sku for sku, units in left.items() if daily.get(sku, 0) > 0.2 and units / daily[sku] < 14}
    assert 4 <= len(short) <= 9


def test_prices_move_and_promotions_are_cuts_that_sell():
    demand = small_world().true_demand("amazon-us").filter(pl.col("date") < TODAY)

    assert demand.filter(pl.col("promotion") > 0).height > 0
    prices = demand.group_by("sku").agg(pl.col("price").n_unique())
    assert (prices["price"] > 1).all()
    product = small_world().products("amazon-us", NOON)[0]
    today = demand.filter((pl.col("sku") == product.sku) & (pl.col("date") == TODAY - days(1)))
    assert product.price > 0
    assert today.height == 1


def test_products_appear_when_they_are_launched_and_end():
    world = small_world()
    early = world.products("amazon-us", NOON - days(149))
    late = world.products("amazon-us", NOON + days(60))

    assert len(early) < len(late)
    assert any(not product.is_active for product in late)
    assert [product.sku for product in late] == sorted(product.sku for product in late)
    assert all(product.updated_at <= NOON + days(60) for product in late)
    assert all(len(product.barcode) == 13 for product in late)


def test_carts_are_left_or_recovered_and_change_when_they_are():
    world = small_world()
    begin, end = NOON - days(200), NOON + days(1)
    carts = world.carts_between(SHOP, NOON, begin, end)

    assert any(cart.completed_at is None for cart in carts)
    recovered = next(cart for cart in carts if cart.completed_at)
    assert recovered.completed_at is not None
    earlier = world.carts_between(SHOP, recovered.completed_at - timedelta(seconds=1), begin, end)
    assert next(cart for cart in earlier if cart.number == recovered.number).completed_at is None
    assert world.carts_between("amazon-us", NOON, begin, end) == []
    assert all(cart.updated_at <= NOON for cart in carts)


def test_the_demo_merchant_has_the_size_that_is_promised():
    world = GeneratedWorld(today=date(2026, 11, 21))
    now = datetime(2026, 11, 21, tzinfo=UTC)

    count = sum(len(world.orders_between(market.channel, now)) for market in world.markets)

    assert 25_000 < count < 40_000
    assert len(world.catalogue.skus) == 45
    assert world.last_day - world.today >= timedelta(days=60)


def test_sizes_that_make_no_world_are_refused():
    with pytest.raises(ValueError, match="at least"):
        GeneratedWorld(today=TODAY, skus=0)
