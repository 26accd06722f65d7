"""What a channel counts of its customers: newest wins, twice changes nothing, whoever was erased stays away."""

from datetime import timedelta
from decimal import Decimal

from tests.warehouse_factories import SHOP, T0
from warehouse import redaction
from warehouse.redaction import Person

ROWS = "SELECT customer_key, orders_count, amount_spent, currency, country FROM core.customers ORDER BY 1"


def customer(key, orders=1, spent="10", at=T0):
    return {
        "channel": SHOP.name,
        "customer_key": key,
        "created_at": T0,
        "source_updated_at": at,
        "orders_count": orders,
        "amount_spent": Decimal(spent),
        "currency": None,
        "country": "DE",
    }


def test_newest_wins_and_the_same_again_writes_nothing(loader):
    loader.load({"customers": [customer("ada"), customer("bob")]}, resource="customers")
    later = customer("ada", 2, "25", T0 + timedelta(days=1))
    changed = loader.load({"customers": [later, customer("bob")]}, resource="customers")
    again = loader.load({"customers": [customer("ada"), later]}, resource="customers")

    assert (changed.inserted, changed.updated, again.inserted + again.updated) == (0, 1, 0)
    assert loader.rows(ROWS) == [
        ("ada", 2, Decimal("25.0000"), SHOP.currency, "DE"),
        ("bob", 1, Decimal("10.0000"), SHOP.currency, "DE"),
    ]


def test_whoever_was_erased_is_deleted_and_does_not_come_back(loader):
    loader.load({"customers": [customer("ada"), customer("bob")]}, resource="customers")
    assert redaction.customers_of(loader.engine, "shopify") == {"ada", "bob"}

    erased = redaction.erase(loader.engine, Person(frozenset({"ada"})))
    loader.load({"customers": [customer("ada", at=T0 + timedelta(days=9))]}, resource="customers")

    assert erased.rows["core.customers"] == 1
    assert [row[0] for row in loader.rows(ROWS)] == ["bob"]
