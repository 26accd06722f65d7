"""A fall is explained from what the warehouse knows: the SKU that carries it, and why."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from flows import connections
from flows.order_drops import explain_drop
from tests.orders_factories import channel, counts, place
from warehouse import schema

pytestmark = pytest.mark.prefect

DAY = datetime(2026, 3, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(database_url, prefect_api):
    """Five weeks in which two SKUs sell alike, until on the last day one of them is listed no more."""
    schema.upgrade(database_url, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database_url)
        connections.forget()
        engine = connections.postgres()
        rng = np.random.default_rng(2)
        here = channel(engine, "amazon-us", {"MUG": "Kitchen", "HOSE": "Garden"})
        for sku, end in (("MUG", DAY), ("HOSE", DAY + timedelta(days=1))):
            place(engine, here, sku, counts(rng, end, 4.0, weeks=5))
        with engine.begin() as connection:
            connection.execute(
                text(
                    "UPDATE core.channel_products SET is_active = false FROM core.products p"
                    " WHERE p.id = product_id AND p.sku = 'MUG'"
                )
            )
        slow = channel(engine, "walmart-us", {"LAMP": "Light"})
        place(engine, slow, "LAMP", counts(rng, DAY, 4.0, weeks=5))
        with engine.begin() as connection:  # a day to send them, four from ten days before the fall on
            connection.execute(
                text(
                    "UPDATE core.orders SET shipped_at = ordered_at + CASE WHEN ordered_at < :slow"
                    " THEN interval '1 day' ELSE interval '4 days' END WHERE channel_id = :channel"
                ),
                {"slow": DAY - timedelta(days=10), "channel": slow},
            )
        yield
        connections.forget()


def test_the_delisted_sku_carries_the_fall(shop):
    found = explain_drop("amazon-us", date(2026, 3, 11), date(2026, 3, 12))
    assert 60 < found["missing_orders"] < 130  # 24 hours of about four orders
    skus = {part["value"]: part["contribution"] for part in found["parts"] if part["dimension"] == "sku"}
    assert skus["MUG"] > 0.8
    (cause,) = found["causes"]
    assert (cause["sku"], cause["cause"]) == ("MUG", "lost_listing")
    assert found["unexplained"] < 0.2
    assert "in sku MUG" in found["sentence"] or "in category Kitchen" in found["sentence"]


def test_orders_that_left_late_are_told_as_what_may_have_cost_orders(shop):
    found = explain_drop("walmart-us", date(2026, 3, 11), date(2026, 3, 12))
    (cause,) = found["causes"]
    assert (cause["sku"], cause["cause"], cause["is_bound"]) == ("LAMP", "delivery_delay", True)
    assert "3.0 days later" in cause["detail"]
    assert found["unexplained"] == 1


def test_a_channel_that_is_not_there_is_named(shop):
    with pytest.raises(ValueError, match="no channel 'ebay'; there are amazon-us, walmart-us"):
        explain_drop("ebay", date(2026, 3, 11), date(2026, 3, 12))
