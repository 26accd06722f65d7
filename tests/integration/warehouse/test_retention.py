"""What a source can no longer return stays: reading again, however wide, deletes nothing it does not name."""

from datetime import timedelta
from decimal import Decimal

import pytest

from connectors import registry
from tests.warehouse_factories import DAY, SHOP, T0, Loader, Place, line, order, refund

OLD = T0 - timedelta(days=1000)
READ_AGAIN = [
    (platform, name, resource.retention)
    for platform in ("amazon", "shopify", "walmart")
    for name, resource in registry.resources_of(platform).items()
    if resource.kind == "window"
]
KEPT = ("orders", "order_items", "refunds", "returns", "carts", "cart_items", "fees", "sales_events")


def old_page(channel):
    stamp = {"channel": channel, "source_updated_at": OLD}
    money = {"currency": "USD"}
    return {
        "orders": [order("old", at=OLD, channel=channel)],
        "order_items": [line("old", channel=channel)],
        "refunds": [refund("old", "r", at=OLD, channel=channel)],
        "returns": [
            {**stamp, **money, "return_id": "R", "return_line_id": "1", "sku": "SKU-1", "quantity": 1}
        ],
        "carts": [{**stamp, **money, "external_id": "C", "created_at": OLD, "total": Decimal(1)}],
        "cart_items": [
            {"channel": channel, "cart_external_id": "C", "line_id": "1", "sku": "SKU-1", "quantity": 1}
        ],
        "fees": [
            {
                "channel": channel,
                "fee_id": "F",
                "fee_type": "x",
                "amount": Decimal(1),
                "posted_at": OLD,
                **money,
            }
        ],
    }


@pytest.mark.parametrize(("platform", "resource", "retention"), READ_AGAIN)
def test_a_refresh_deletes_nothing_the_source_forgot(engine, platform, resource, retention):
    assert retention is None or retention < T0 - OLD, "older than the source keeps"
    place = Place(f"{platform}-x", platform, SHOP.external_id)
    loader = Loader(engine, platform, places=(place,))
    loader.load(old_page(place.name))
    state = [loader.rows(f"SELECT t::text FROM core.{table} t ORDER BY 1") for table in KEPT]
    assert all(state)

    loader.load({}, resource=resource, until=T0, advance=True)
    page = {"orders": [order("new", channel=place.name)], "order_items": [line("new", channel=place.name)]}
    loader.load(page, resource=resource, until=T0 + DAY, advance=True)
    after = [loader.rows(f"SELECT t::text FROM core.{table} t ORDER BY 1") for table in KEPT]
    assert all(set(before) <= set(now) for before, now in zip(state, after, strict=True))
