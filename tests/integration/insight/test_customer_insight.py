"""Orders, carts and baskets in core → what analysts read of customers; nobody erased among them."""

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from flows import redaction
from flows.customer_insight import customer_insight
from tests.warehouse_factories import DAY, HOUR, T0, line, order, refund
from warehouse import insight

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

TODAY = T0.date()
ADA = "a" * 32


def shown(client, query):
    return client.query(query).result_rows


def sold(name, key, days_ago, net="10", sku="SKU-1"):
    at = T0 - timedelta(days=days_ago)
    return order(name, at=at, customer_key=key), line(name, sku=sku, net=net)


@pytest.fixture
def shop(settings, prefect_api, loader):
    """Two hundred customers of whom a third come back, one of them Ada."""
    chance = random.Random(7)
    made = [sold("ada-1", ADA, 70), sold("ada-2", ADA, 40, "30"), sold("ada-3", ADA, 0, "20")]
    for number in range(200):
        key, first = f"{number:032x}", chance.randrange(30, 300)
        made.append(sold(f"{number}-0", key, first, str(chance.randrange(5, 60))))
        for again in range(chance.randrange(1, 6) if number % 3 == 0 else 0):
            made.append(
                sold(f"{number}-{again + 1}", key, chance.randrange(0, first), str(chance.randrange(5, 60)))
            )
    # None of these is a sale of Ada's.
    made.append((order("test", customer_key=ADA, is_test=True), line("test", net="500")))
    made.append(
        (order("off", customer_key=ADA, status="cancelled", cancelled_at=T0 + HOUR), line("off", net="500"))
    )
    loader.load(
        {
            "orders": [one for one, _ in made],
            "order_items": [item for _, item in made],
            "refunds": [refund("ada-2", "r", at=T0 - 30 * DAY, amount=Decimal(10))],
        }
    )
    return loader


def test_customers_are_valued_and_keep_their_segments(shop, client):
    done = customer_insight(TODAY, return_state=True)
    assert done.is_completed(), done.message
    assert done.result()["customer_value"] == 201
    ((first, last, orders, revenue, *likely),) = shown(
        client,
        "SELECT first_date, last_date, orders, revenue, alive, buys_30d, expected_orders, toFloat64(expected_value),"
        " likely_orders"
        f" FROM analytics.customer_value WHERE customer_key = '{ADA}'",
    )
    assert (first, last, orders, revenue) == (TODAY - 70 * DAY, TODAY, 3, 50)
    assert 0.5 < likely[0] <= 1
    assert 0 < likely[1] < 1
    assert 0 < likely[2] < 30
    assert likely[4] in range(int(likely[2]) + 2)  # whole, and where a few buy much below the mean
    assert likely[3] == pytest.approx(likely[2] * 30, rel=0.5)  # the others buy for 30 on average
    before = dict(shown(client, "SELECT customer_key, segment FROM analytics.customer_value"))
    assert set(before.values()) <= {"VIP", "loyal", "active", "at risk", "lost"}
    assert len(set(before.values())) >= 4
    assert shop.one("SELECT count(*) FROM core.segment_centres") == len(set(before.values()))

    assert customer_insight(TODAY + DAY, return_state=True).is_completed()
    after = dict(shown(client, "SELECT customer_key, segment FROM analytics.customer_value"))
    assert sum(after[key] == segment for key, segment in before.items()) > 0.95 * len(before)
    cohorts_add_up(client)


def cohorts_add_up(client):
    ((active, orders, revenue),) = shown(
        client,
        "SELECT sumIf(active, months_since = 0), sum(orders), sum(revenue) FROM analytics.cohort_retention",
    )
    assert (active, orders, revenue) == shown(
        client, "SELECT count(), sum(orders), sum(revenue) FROM analytics.customer_value"
    )[0]
    months = shown(
        client,
        "SELECT months_since, any(customers) FROM analytics.cohort_retention"
        " WHERE cohort_month = (SELECT min(cohort_month) FROM analytics.cohort_retention) GROUP BY 1 ORDER BY 1",
    )
    assert [since for since, _ in months] == list(range(len(months)))
    assert len({size for _, size in months}) == 1


def test_somebody_erased_is_in_no_table(shop, client):
    customer_insight(TODAY)
    redaction.redact(redaction.person([f"key:{ADA}"]))
    assert shown(
        client, "SELECT count(), countIf(customer_key = '" + ADA + "') FROM analytics.customer_value"
    ) == [(200, 0)]
    assert insight.known_customers(shop.engine).filter(customer_key=ADA).is_empty()


def test_few_customers_are_told_without_guesses_and_their_carts_are_there(
    settings, prefect_api, loader, client
):
    loader.load(
        {
            "orders": [
                order("1", customer_key="b" * 32, at=T0 - 2 * DAY),
                *(order(f"p{n}") for n in range(7)),
                *(order(f"q{n}") for n in range(20)),  # with what else, a pair is more than chance
            ],
            "order_items": [
                line("1"),
                *(line(f"p{n}", sku="CUP") for n in range(7)),
                *(line(f"p{n}", "2", sku="SAUCER") for n in range(5)),
                *(line(f"q{n}") for n in range(20)),
            ],
        }
    )
    cart = {"channel": "shopify-test", "source_updated_at": T0, "currency": "USD"}
    item = {"channel": "shopify-test", "line_id": "1", "sku": "CUP"}
    carts = [
        {**cart, "external_id": "left", "created_at": T0, "customer_key": "b" * 32},
        {**cart, "external_id": "nobody", "created_at": T0},
        {**cart, "external_id": "bought", "created_at": T0, "completed_at": T0 + HOUR},
    ]
    items = [
        {**item, "cart_external_id": name, "quantity": units, "total": Decimal(12 * units)}
        for name, units in (("left", 2), ("nobody", 1), ("bought", 3))
    ]
    loader.load({"carts": carts, "cart_items": items}, resource="carts")

    assert customer_insight(TODAY, return_state=True).is_completed()
    assert shown(client, "SELECT orders, segment, alive, expected_value FROM analytics.customer_value") == [
        (1, None, None, None)
    ]
    assert shown(
        client,
        "SELECT date, hour, price_band, carts, recovered, units_left, amount_left FROM analytics.cart_abandonment",
    ) == [(date(2026, 3, 2), 7, "10-25", 3, 1, 3, 36)]
    assert shown(
        client, "SELECT rank, orders_both, orders_product, orders_other, confidence FROM analytics.bought_together"
        " ORDER BY confidence",
    ) == [(1, 5, 7, 5, pytest.approx(5 / 7)), (1, 5, 5, 7, 1.0)]  # fmt: skip
