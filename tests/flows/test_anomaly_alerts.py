"""Orders that stop are told within the hour, to the right name, and never from orders that were not read."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from alerts.receivers.app import environment
from flows import connections
from flows.anomalies import anomaly_alerts
from flows.delivery import delivery, digest
from tests.integration.alerts.test_receivers import Receivers
from tests.orders_factories import HOUR, channel, counts, place, read_up_to
from warehouse import alert_settings, schema

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)  # a Wednesday
NOW = NOON + timedelta(minutes=20)
SKUS = {"MUG": "Kitchen", "PAN": "Kitchen", "HOSE": "Garden"}


@pytest.fixture(scope="module")
def shop(database_url, prefect_api, tmp_path_factory):
    """Three weeks of a marketplace and a shop up to eleven; what came from eleven to noon is the test's to say."""
    schema.upgrade(database_url, None)
    home = tmp_path_factory.mktemp("anomalies")
    receivers = Receivers(home / "inbox")
    with pytest.MonkeyPatch.context() as patch:
        values = {
            **environment(receivers.url),
            "DATABASE_URL": database_url,
            "WHARF_HOME": str(home),
            "WHARF_SECRET_KEY": "a key for tests, thirty-two bytes",
        }
        for name, value in values.items():
            patch.setenv(name, value)
        connections.forget()
        rng = np.random.default_rng(5)
        for name in ("amazon-us", "shopify-harbor"):
            place_id = channel(connections.postgres(), name, SKUS)
            for sku in SKUS:
                place(connections.postgres(), place_id, sku, counts(rng, NOON - HOUR, 24.0, weeks=3))
        yield receivers
        connections.forget()
    receivers.stop()


@pytest.fixture
def last_hour(shop):
    """Says what the last hour brought by (channel, SKU), and until when orders are read; then forgets it again."""

    def happened(orders, read_until=NOON):
        engine = connections.postgres()
        with engine.begin() as connection:
            ids = dict(connection.execute(text("SELECT name, id FROM core.channels")).all())
        for (name, sku), many in orders.items():
            place(engine, ids[name], sku, {NOON - HOUR: many})
        for account in ("amazon", "shopify"):
            read_up_to(
                engine, account, read_until if isinstance(read_until, datetime) else read_until[account]
            )
        return anomaly_alerts(NOW, return_state=True)

    yield happened
    with connections.postgres().begin() as connection:
        connection.execute(text("DELETE FROM core.order_items i USING core.orders o WHERE o.id = i.order_id AND o.ordered_at >= :t"), {"t": NOON - HOUR})  # fmt: skip # noqa: E501 one statement, one line
        connection.execute(text("DELETE FROM core.orders WHERE ordered_at >= :t"), {"t": NOON - HOUR})
        connection.execute(text("TRUNCATE ops.outbox, core.alerts CASCADE"))


def as_usual(**changed):
    """About what such an hour brings, by channel and SKU; `amazon_MUG=0` says otherwise."""
    named = {"amazon": "amazon-us", "shopify": "shopify-harbor"}
    orders = {(place, sku): 28 for place in named.values() for sku in SKUS}
    for key, many in changed.items():
        account, sku = key.split("_")
        orders[named[account], sku] = many
    return orders


def test_a_usual_hour_is_no_news(last_hour):
    state = last_hour(as_usual())
    assert state.result()["changes"] == []
    assert "0 alerts opened" in state.message


def test_an_outage_is_one_critical_message_and_the_other_shop_goes_on(last_hour, shop):
    before = len(shop.of("sms"))
    result = last_hour(as_usual(amazon_MUG=0, amazon_PAN=0, amazon_HOSE=0)).result()
    (change,) = result["changes"]
    assert (change["severity"], change["title"]) == ("critical", "No orders: Amazon US")
    assert len(shop.of("sms")) == before + 1
    again = anomaly_alerts(NOW, return_state=True).result()
    assert [again["changes"], again["sent"]] == [[], []]


def test_an_outage_of_twenty_minutes_is_told_before_its_hour_is_over(last_hour):
    (change,) = last_hour(as_usual(), read_until={"amazon": NOW, "shopify": NOON}).result()["changes"]
    assert (change["severity"], change["title"]) == ("critical", "No orders: Amazon US")
    with connections.postgres().connect() as connection:
        message = connection.execute(text("SELECT message FROM core.alerts")).scalar_one()
    assert message.startswith("The last order came Mar 11, 2026, 11:5")


def test_a_delisted_product_is_named_rather_than_its_channel_or_category(last_hour):
    (change,) = last_hour(as_usual(amazon_MUG=0)).result()["changes"]
    assert (change["severity"], change["title"]) == ("warning", "No orders: MUG on Amazon US")


def test_a_fall_says_what_carries_it_what_is_at_stake_and_what_the_records_say(last_hour):
    engine = connections.postgres()
    hose = "FROM core.products p WHERE p.id = product_id AND p.sku = 'HOSE'"
    listed = "UPDATE core.channel_products SET is_active = {} " + hose
    with engine.begin() as connection:
        connection.execute(text(listed.format("false")))
        connection.execute(text("UPDATE core.order_items SET unit_price = 12"))
    try:
        last_hour(as_usual(amazon_MUG=4, amazon_PAN=4, amazon_HOSE=0))
    finally:
        with engine.begin() as connection:
            connection.execute(text(listed.format("true")))
    with engine.connect() as connection:
        (title, message), *more = connection.execute(text("SELECT title, message FROM core.alerts")).all()
    assert not more
    assert title.startswith("Orders have dropped: Amazon US")
    assert re.search(r"Missing on Amazon US: about \d\d orders, [\d,]+ \w+ of sales; \d\d% of it ", message)
    assert "HOSE: its listing is not active." in message


def test_a_lost_buy_box_is_a_drop_of_one_product(last_hour):
    (change,) = last_hour(as_usual(amazon_HOSE=5)).result()["changes"]
    assert change["title"].startswith("Orders have dropped: HOSE on Amazon US")


def test_what_is_sold_out_is_no_lost_demand(last_hour):
    with connections.postgres().begin() as connection:
        connection.execute(text("UPDATE core.inventory i SET quantity_available = 0 FROM core.products p WHERE p.id = i.product_id AND p.sku = 'PAN'"))  # fmt: skip # noqa: E501 one statement, one line
    try:
        result = last_hour(as_usual(amazon_PAN=0, shopify_PAN=0)).result()
    finally:
        with connections.postgres().begin() as connection:
            connection.execute(text("UPDATE core.inventory SET quantity_available = 500"))
    assert result["changes"] == []
    assert any("out of stock" in row["reason"] for row in result["unsent"])


def test_orders_that_were_not_read_are_not_missed(last_hour):
    until = {"amazon": NOON - timedelta(hours=3), "shopify": NOON}
    result = last_hour(as_usual(amazon_MUG=0, amazon_PAN=0, amazon_HOSE=0), read_until=until).result()
    assert result["changes"] == []
    assert {"alert": "amazon-us", "recipient": "", "reason": "its orders are not read up to now"} in result[
        "unsent"
    ]


def test_a_threshold_set_in_the_database_counts_at_once(last_hour):
    engine = connections.postgres()
    row = {"scope": "sku", "name": "MUG", "setting": "demand.enabled", "value": False}
    alert_settings.set_threshold(engine, row, NOW)
    try:
        assert last_hour(as_usual(amazon_MUG=0)).result()["changes"] == []
    finally:
        alert_settings.unset_threshold(engine, row)


def test_delivery_says_what_waits_and_hands_over_within_five_minutes(last_hour, shop):
    engine = connections.postgres()
    ada = {"name": "default", "email": "a@example.com", "slack": "default", "ways": {"critical": ["email"]}}
    alert_settings.set_recipient(engine, ada, NOW)
    shop.faults.plan("sendgrid", "error", times=50)
    try:
        last_hour(as_usual(amazon_MUG=0, amazon_PAN=0, amazon_HOSE=0))
        waits = delivery(NOW + timedelta(seconds=1), return_state=True).result()["waiting"]
        assert "attempt 1: 50" in waits[0]["why"]
        taken = []
        for minutes in (2, 4):  # as scheduled
            taken += delivery(NOW + timedelta(minutes=minutes), return_state=True).result()["sent"]
        assert [m["way"] for m in taken if m["state"] in {"accepted", "delivered"}] == ["slack"]
    finally:
        shop.faults.clear()
        alert_settings.remove_recipient(engine, "default")
    idle = delivery(NOW + timedelta(minutes=8), return_state=True)
    assert (idle.name, idle.message) == ("NothingToDo", "nothing waits")
    told = digest(NOW, return_state=True)
    assert told.message == "0 digests"
    assert told.result()["unsent"][0]["reason"] == "nothing new since the last digest"
