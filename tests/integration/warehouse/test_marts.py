"""The marts beside daily sales: each figure worked out by hand from a small set of orders, fees, carts and rates."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.warehouse_factories import DAY, HOUR, OTHER, SHOP, T0, Loader, line, order, refund
from warehouse import rates, rates_file, rollup
from warehouse.rates import Reporting

D0 = T0.date()
MARTS = (
    "daily_sales_summary",
    "daily_sales_reporting",
    "daily_channel_sales",
    "daily_region_sales",
    "daily_refunds",
    "daily_fees",
    "daily_margin",
    "daily_funnel",
    "exchange_rates",
    "product_performance",
)


def fee(fee_id, amount, *, at=T0 + DAY, order_id=None, sku=None, kind="Commission", **over):
    return {
        "channel": SHOP.name,
        "fee_id": fee_id,
        "order_external_id": order_id,
        "sku": sku,
        "fee_type": kind,
        "amount": Decimal(amount),
        "currency": "USD",
        "posted_at": at,
        **over,
    }


def product(sku, cost=None, currency="USD"):
    return {
        "channel": SHOP.name,
        "external_id": f"v-{sku}",
        "sku": sku,
        "title": sku,
        "cost_price": None if cost is None else Decimal(cost),
        "currency": currency,
        "source_updated_at": T0,
    }


def contents(client):
    return {
        table: sorted(client.query(f"SELECT * FROM analytics.{table}").result_rows, key=str)
        for table in MARTS
    }


def shown(client, query):
    return client.query(query).result_rows


def test_orders_count_once_by_channel_and_by_region(loader, client):
    loader.load(
        {
            "orders": [
                order(
                    "A",
                    customer_key="k",
                    ship_country="US",
                    ship_region="NY",
                    shipping=Decimal(5),
                    tax=Decimal(2),
                ),
                order("B", customer_key="k", ship_country="US", ship_region="CA"),
                order(
                    "C", status="cancelled", cancelled_at=T0 + HOUR, shipping=Decimal(9), ship_country="US"
                ),
                order("P", status="pending"),
                order("T", is_test=True),
            ],
            "order_items": [
                line("A", quantity=2, net="20", discount=Decimal(3)),
                line("A", "2", sku="S2", net="5"),
                line("B", net="10"),
                line("C", quantity=4, net="40"),
                line("T"),
            ],
            "refunds": [refund("A", "r1", at=T0 + 3 * DAY, amount=Decimal(11))],
        }
    )
    rollup.publish(loader.engine, client)

    assert shown(client, "SELECT * EXCEPT (channel_id) FROM analytics.daily_channel_sales") == [
        (D0, "USD", 2, 4, 1, 8, 4, 78, 40, 5, 2, 1, 4, 38, 3, 11, 25, Decimal("12.5"))
    ]
    assert shown(
        client,
        "SELECT ship_country, ship_region, num_orders, total_units, total_revenue FROM analytics.daily_region_sales"
        " ORDER BY 1, 2",
    ) == [("US", "CA", 1, 1, 10), ("US", "NY", 1, 3, 15)]
    assert shown(
        client,
        "SELECT date, sku, refunded_units, refunded_amount, refunded_net_amount, num_orders, avg_days_to_refund"
        " FROM analytics.daily_refunds JOIN analytics.products USING product_id",
    ) == [(D0 + 3 * DAY, "SKU-1", 1, 11, 10, 1, 3.0)]


def test_an_order_that_changes_without_its_lines_is_counted_anew(loader, client):
    loader.load({"orders": [order("P", status="pending")]})
    rollup.publish(loader.engine, client)
    loader.load({"orders": [order("P", status="cancelled", updated=T0 + HOUR)]})

    assert rollup.publish(loader.engine, client).days == 1
    assert shown(client, "SELECT orders_placed, orders_cancelled FROM analytics.daily_channel_sales") == [
        (1, 1)
    ]


def test_margin_is_what_is_left_and_an_unknown_cost_leaves_nothing(loader, client):
    loader.load(
        {"products": [product("SKU-1", "4"), product("S2"), product("S3", "2", "EUR")]}, resource="products"
    )
    loader.load(
        {
            "orders": [order("A")],
            "order_items": [
                line("A", quantity=3, net="30"),
                line("A", "2", sku="S2"),
                line("A", "3", sku="S3"),
            ],
            "refunds": [refund("A", "r1", at=T0 + DAY, amount=Decimal(11))],
            "fees": [
                fee("f1", "4.50", order_id="A", sku="SKU-1"),
                fee("f2", "-1", order_id="A", line_id="1"),  # the line says which product
                fee("f3", "39.99", kind="Subscription", at=T0 + 2 * DAY),
            ],
        }
    )
    usd = Reporting("USD")
    rates.save(
        loader.engine, rates_file.parse(f"date,currency,rate\n{D0},EUR,1.10\n".encode(), "USD"), usd, "test"
    )
    rollup.publish(loader.engine, client, reporting=usd)

    margin = shown(
        client,
        "SELECT date, sku, total_units, net_sales, refunded_net_amount, fees_amount, goods_cost, contribution_margin,"
        " units_without_cost FROM analytics.daily_margin JOIN analytics.products USING product_id ORDER BY date, sku",
    )
    assert margin == [
        (D0, "S2", 1, 10, 0, 0, None, None, 1),
        (D0, "S3", 1, 10, 0, 0, Decimal("2.2"), Decimal("7.8"), 0),
        (D0, "SKU-1", 3, 30, 0, 0, 12, 18, 0),
        (D0 + DAY, "SKU-1", 0, 0, 10, Decimal("3.5"), 0, Decimal("-13.5"), 0),
        (D0 + 2 * DAY, "", 0, 0, 0, Decimal("39.99"), 0, Decimal("-39.99"), 0),
    ]


def test_a_fee_told_again_writes_nothing_and_a_corrected_one_moves_both_days(loader, client):
    loader.load({"fees": [fee("f1", "3")]}, resource="fees")
    again = loader.load({"fees": [fee("f1", "3")]}, resource="fees")
    assert (again.changed, again.unchanged) == (0, 1)
    rollup.publish(loader.engine, client)
    moved = loader.load({"fees": [fee("f1", "4", at=T0 + 5 * DAY)]}, resource="fees")
    assert moved.dirty_days == 2
    rollup.publish(loader.engine, client)
    assert shown(client, "SELECT date, amount FROM analytics.daily_fees") == [(D0 + 5 * DAY, 4)]


def test_amounts_in_one_currency_and_a_day_without_a_rate_is_held(engine, client):
    loader = Loader(engine, places=(SHOP, OTHER))
    friday, sunday, later = date(2026, 3, 6), date(2026, 3, 8), date(2026, 3, 20)
    at = {day: T0 + (day - D0) for day in (friday, sunday, later)}
    loader.load(
        {
            "orders": [order(f"E{d}", channel=OTHER.name, currency="EUR", at=t) for d, t in at.items()]
            + [order("U")],
            "order_items": [line(f"E{d}", channel=OTHER.name, net="33.33") for d in at] + [line("U")],
        }
    )
    usd = Reporting("USD", stale_days=4)
    saved = rates.save(
        engine, rates_file.parse(f"date,currency,rate\n{friday},EUR,1.12345\n".encode(), "USD"), usd, "f"
    )
    assert saved.days_to_publish == 2  # friday and sunday; a fortnight later it is too old
    rollup.publish(engine, client, reporting=usd)

    rows = (
        "SELECT date, currency, rate_date, total_revenue FROM analytics.daily_sales_reporting ORDER BY date"
    )
    assert shown(client, rows) == [
        (D0, "USD", D0, 10),
        (friday, "EUR", friday, Decimal("37.4446")),
        (sunday, "EUR", friday, Decimal("37.4446")),
        (later, "EUR", None, None),
    ]
    rates.save(engine, rates_file.parse(f"date,currency,rate\n{later},EUR,1.2\n".encode(), "USD"), usd, "f")
    assert rollup.publish(engine, client, reporting=usd).days == 1
    assert shown(client, rows)[-1] == (later, "EUR", later, Decimal("39.996"))

    rates.save(
        engine, rates_file.parse(f"date,currency,rate\n{D0},USD,0.9\n".encode(), "EUR"), Reporting("EUR"), "f"
    )
    rollup.publish(engine, client, reporting=Reporting("EUR"))
    assert shown(client, rows)[0] == (D0, "USD", D0, 9)
    assert shown(client, "SELECT DISTINCT reporting_currency FROM analytics.daily_sales_reporting") == [
        ("EUR",)
    ]
    before = contents(client)
    rollup.publish(engine, client)  # keeps the currency there is
    rollup.publish_all(engine, client)
    assert contents(client) == before


def test_products_now_are_counted_to_the_last_whole_day(loader, client):
    days = {f"d{n}": T0 - n * DAY for n in range(60)}
    loader.load(
        {
            "orders": [order(name, at=at) for name, at in days.items()],
            "order_items": [line(name, quantity=2, net="20") for name in days]
            + [line(name, "2", sku="S2", net="1") for name in ("d40", "d5")]
            + [line("d0", "2", sku="NEW", net="500")],
        },
        until=T0 + HOUR,
        advance=True,
    )
    rollup.publish(loader.engine, client)
    found = shown(
        client,
        "SELECT sku, as_of, first_sale_date, last_sale_date, units_7d, units_28d, units_prev_28d, units_365d,"
        " revenue_28d, velocity_28d, units_growth_28d, revenue_rank_28d, abc_class"
        " FROM analytics.product_performance JOIN analytics.products USING product_id ORDER BY sku",
    )
    yesterday = D0 - DAY
    assert found == [
        ("S2", yesterday, D0 - 40 * DAY, D0 - 5 * DAY, 1, 1, 1, 2, 1, pytest.approx(1 / 28), 0.0, 2, "C"),
        ("SKU-1", yesterday, D0 - 59 * DAY, yesterday, 14, 56, 56, 118, 560, 2.0, 0.0, 1, "A"),
    ]


def test_checkouts_become_orders_or_do_not(loader, client):
    def cart(name, total, completed=None, updated=T0):
        return {
            "channel": SHOP.name,
            "external_id": name,
            "created_at": T0,
            "source_updated_at": updated,
            "completed_at": completed,
            "currency": "USD",
            "total": Decimal(total),
        }

    loader.load(
        {"orders": [order("A"), order("B"), order("C")], "order_items": [line("A"), line("B"), line("C")]}
    )
    loader.load({"carts": [cart("1", 10), cart("2", 20)]}, resource="carts")
    rollup.publish(loader.engine, client)
    columns = (
        "checkouts, recovered_checkouts, abandoned_checkouts, abandoned_amount, recovered_amount, num_orders"
    )
    query = f"SELECT {columns}, completion_rate FROM analytics.daily_funnel"
    assert shown(client, query) == [(2, 0, 2, 30, 0, 3, 0.6)]

    loader.load({"carts": [cart("2", 20, T0 + DAY, T0 + DAY)]}, resource="carts")
    rollup.publish(loader.engine, client)
    assert shown(client, query) == [(2, 1, 1, 10, 20, 3, 0.75)]


@pytest.mark.parametrize("orders", [1, 3])
def test_two_lines_of_one_sku_refunded_apart(loader, orders):
    names = [f"O{n}" for n in range(orders)]
    page = {
        "orders": [order(name) for name in names],
        "order_items": [line(name, number, net="10") for name in names for number in ("11", "22")],
    }
    later = {
        "refunds": [
            refund(name, f"r{n}", "SKU-1#1", at=T0 + (n + 1) * DAY) for name in names for n in range(2)
        ]
    }
    lines = "SELECT line_id, refunded_quantity, refunded_net_amount FROM core.order_items ORDER BY 1"
    wanted = [("11", 1, 10)] * orders + [("22", 1, 10)] * orders

    loader.load(page)
    loader.load(later, resource="refunds")
    assert loader.rows(lines) == wanted
    assert loader.load(page).changed == 0
    events = "SELECT line_id, reference FROM core.sales_events WHERE kind = 'refund' ORDER BY 1, 2"
    told = loader.rows(events)

    assert told == [("11", "r0")] * orders + [("22", "r1")] * orders


def test_refunds_that_came_before_their_order_find_both_lines(loader):
    loader.load(
        {"refunds": [refund("A", f"r{n}", "SKU-1#1", at=T0 + timedelta(days=n)) for n in range(2)]},
        resource="refunds",
    )
    loader.load({"orders": [order("A")], "order_items": [line("A", "11"), line("A", "22")]})
    assert loader.rows("SELECT line_id, refunded_quantity FROM core.order_items ORDER BY 1") == [
        ("11", 1),
        ("22", 1),
    ]
