"""Connectors and the warehouse do not know one another: here their columns are compared."""

import polars as pl
import pytest

from connectors import canonical
from connectors.privacy import pseudonymize
from warehouse.tables import core, staging, stock

TYPES = {
    canonical.TEXT: staging.TEXT,
    canonical.COUNT: staging.COUNT,
    canonical.FLAG: staging.FLAG,
    canonical.MONEY: staging.MONEY,
    canonical.INSTANT: staging.INSTANT,
}


@pytest.mark.parametrize("name", list(canonical.SCHEMAS))
def test_staging_takes_every_canonical_frame(name):
    frame = pseudonymize(canonical.empty(name), b"key")
    columns = {column: TYPES[kind] for column, kind in frame.schema.items()}
    assert list(columns.items()) == list(staging.COLUMNS[name].items())


def test_no_frame_is_missing_and_keys_are_the_same():
    assert staging.COLUMNS.keys() == canonical.SCHEMAS.keys()
    assert staging.KEYS == canonical.KEYS


def test_no_customer_reference_reaches_the_warehouse():
    assert not any("customer_ref" in columns for columns in staging.COLUMNS.values())
    assert all("customer_ref" not in table.columns for table in core.Base.metadata.tables.values())


# Columns of the outside contract: other tools read them, so they stay.
PROMISED = {
    core.Channel: "id name platform currency timezone is_active last_sync_at",
    core.Product: "id sku name category brand cost_price created_at updated_at",
    core.ChannelProduct: "id channel_id product_id external_id listing_title listing_price currency is_active",
    core.Order: "id channel_id external_id order_number ordered_at order_date source_updated_at customer_key status "
    "fulfillment_status currency subtotal discount shipping tax total refunded ship_country ship_region is_replacement",
    core.OrderItem: "id order_id line_id product_id sku external_id quantity cancelled_quantity refunded_quantity "
    "unit_price discount tax total refunded_amount",
    stock.Inventory: "product_id channel_id warehouse_location quantity_available quantity_reserved "
    "quantity_inbound reorder_point source_updated_at",
}


@pytest.mark.parametrize("table", list(PROMISED))
def test_promised_columns_are_there(table):
    assert set(PROMISED[table].split()) <= set(table.__table__.columns.keys())


def test_statuses_are_the_same():
    checks = [c for c in core.Order.__table__.constraints if str(c.name).endswith("status")]
    assert all(f"'{status}'" in str(checks[0].sqltext) for status in canonical.ORDER_STATUSES)


def test_money_is_exact_everywhere():
    money = [kind for columns in staging.COLUMNS.values() for kind in columns.values() if "numeric" in kind]
    assert set(money) == {"numeric(18,4)"}
    assert pl.Decimal(18, 4) == canonical.MONEY
