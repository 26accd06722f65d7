"""Newest wins in any order; twice changes nothing; an order's version brings all its lines."""

import itertools
from decimal import Decimal

import pytest

from tests.warehouse_factories import DAY, HOUR, OTHER, SHOP, T0, Loader, line, order, refund
from warehouse import checks

VERSIONS = "SELECT tableoid::regclass::text, ctid::text, xmin::text FROM {} ORDER BY 2"
TABLES = (
    "core.orders core.order_items core.refunds core.products core.channel_products core.sales_events "
    "core.returns core.carts core.cart_items core.inventory core.inventory_history"
).split()


def row_versions(loader):
    return {table: loader.rows(VERSIONS.format(table)) for table in TABLES}


def product(sku, **over):
    return {
        "channel": SHOP.name,
        "external_id": f"v-{sku}",
        "sku": sku,
        "title": f"{sku} listing",
        "name": f"{sku} name",
        "price": Decimal(12),
        "currency": "USD",
        "is_active": True,
        "source_updated_at": T0,
        **over,
    }


def everything():
    return {
        "orders": [order("A", total=Decimal("30.5")), order("B", status="cancelled", cancelled_at=T0 + HOUR)],
        "order_items": [line("A"), line("A", "2", sku="SKU-2", quantity=2, net="20"), line("B", sku=None)],
        "refunds": [refund("A", "r1", at=T0 + DAY)],
        "products": [product("SKU-1"), product("SKU-2")],
        "returns": [
            {"channel": SHOP.name, "return_id": "ret", "sku": "SKU-1", "quantity": 1, "source_updated_at": T0}
        ],
        "carts": [
            {"channel": SHOP.name, "external_id": "c1", "created_at": T0, "source_updated_at": T0, "total": 5}
        ],
        "cart_items": [
            {"channel": SHOP.name, "cart_external_id": "c1", "line_id": "1", "sku": "SKU-9", "quantity": 1}
        ],
        "inventory": [
            {"channel": SHOP.name, "sku": "SKU-1", "quantity_available": 5, "source_updated_at": T0}
        ],
    }


def test_loading_twice_writes_no_row_version(loader):
    first = loader.load(everything())
    before = row_versions(loader)
    again = loader.load(everything())

    assert first.inserted > 0
    assert (again.inserted, again.updated, again.dirty_days) == (0, 0, 0)
    assert again.unchanged == sum(len(rows) for rows in everything().values())
    assert row_versions(loader) == before
    assert all(before.values())


def state(loader):
    return (
        loader.rows("SELECT external_id, source_updated_at, status, total FROM core.orders ORDER BY 1"),
        loader.rows(
            "SELECT o.external_id, i.line_id, i.quantity, i.net_amount, i.refunded_net_amount"
            " FROM core.order_items i JOIN core.orders o ON o.id = i.order_id ORDER BY 1, 2"
        ),
        loader.rows(
            "SELECT line_id, order_date, sum(units), sum(net_amount), sum(refunded_net_amount)"
            " FROM core.sales_events GROUP BY 1, 2 HAVING sum(units) <> 0 OR sum(net_amount) <> 0 ORDER BY 1, 2"
        ),
    )


PAGES = (
    {"orders": [order("A", total=1)], "order_items": [line("A"), line("A", "2", net="7")]},
    {
        "orders": [order("A", updated=T0 + HOUR, total=2)],
        "order_items": [line("A", quantity=3, net="30")],
        "refunds": [refund("A", "r1", at=T0 + HOUR)],
    },
    {
        "orders": [order("A", updated=T0 + 2 * HOUR, total=3)],
        "order_items": [line("A", quantity=2, net="20"), line("A", "3", net="5")],
        "refunds": [refund("A", "r1", at=T0 + HOUR)],
    },
)


@pytest.mark.parametrize("sequence", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
def test_newest_wins_in_any_order(loader, sequence, together):
    pages = [PAGES[number] for number in sequence]
    if together:
        loader.load(*pages)
    else:
        for page in pages:
            loader.load(page)

    assert state(loader) == (
        [("A", T0 + 2 * HOUR, "open", Decimal(3))],
        [("A", "1", 2, Decimal(20), Decimal(10)), ("A", "3", 1, Decimal(5), None)],
        [
            ("1", T0.date(), 2, Decimal(20), Decimal(10)),
            ("3", T0.date(), 1, Decimal(5), Decimal(0)),
        ],
    )
    assert checks.ledger_balances(loader.engine).ok


def test_two_versions_on_one_page_keep_their_own_lines(loader):
    loader.load(
        {
            "orders": [order("A"), order("B"), order("A", updated=T0 + HOUR)],
            "order_items": [
                line("A", "1"),
                line("A", "2"),
                line("B", "1"),
                line("A", "1", quantity=5, net="50"),
            ],
        }
    )
    assert loader.rows(
        "SELECT o.external_id, line_id, quantity FROM core.order_items JOIN core.orders o ON o.id = order_id"
        " ORDER BY 1, 2"
    ) == [("A", "1", 5), ("B", "1", 1)]


def test_a_line_named_twice_is_one_line(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A"), line("A"), line("A", "2")]})
    assert loader.rows("SELECT line_id, quantity FROM core.order_items ORDER BY 1") == [("1", 1), ("2", 1)]


def test_a_tie_on_the_clock_takes_the_later_reading_and_equal_rows_write_nothing(loader):
    loader.load({"orders": [order("A", total=1)], "order_items": [line("A")]})
    tied = {"orders": [order("A", total=2)], "order_items": [line("A", quantity=2, net="20")]}

    changed = loader.load({"orders": [order("A", total=1)], "order_items": [line("A")]}, tied)
    same = loader.load(tied)

    assert changed.counts == {"orders.updated": 1, "order_items.updated": 1}
    assert same.changed == 0
    assert loader.one("SELECT total FROM core.orders") == 2


def test_an_order_without_lines_says_nothing_about_its_lines(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A")]})
    loader.load({"orders": [order("A", updated=T0 + HOUR, status="completed")]})
    assert loader.one("SELECT status, (SELECT count(*) FROM core.order_items) FROM core.orders") == (
        "completed",
        1,
    )


def test_lines_from_another_page_of_the_attempt_find_their_order(loader):
    loader.load({"orders": [order("A")]}, {"order_items": [line("A"), line("A", "2")]})
    assert loader.one("SELECT count(*) FROM core.order_items") == 2


def test_older_placeholders_do_not_overwrite_and_missing_totals_come_later(loader):
    loader.load(
        {
            "orders": [order("A", status="pending", total=None)],
            "order_items": [line("A", net_amount=None, unit_price=None)],
        }
    )
    loader.load({"orders": [order("A", updated=T0 + HOUR, total=Decimal(11))], "order_items": [line("A")]})
    late = loader.load(
        {
            "orders": [order("A", status="pending", total=None)],
            "order_items": [line("A", net_amount=None, unit_price=None)],
        }
    )

    assert late.changed == 0
    assert loader.one("SELECT status, total FROM core.orders") == ("open", Decimal(11))
    assert loader.one("SELECT sum(net_amount) FROM core.sales_events") == 10


def test_refunds_that_come_alone_reach_the_lines_and_the_ledger(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A", quantity=2, net="20")]})
    result = loader.load({"refunds": [refund("A", "r1", at=T0 + DAY)]}, resource="refunds")

    assert result.counts == {"refunds.inserted": 1, "order_items.updated": 1}
    assert loader.one(
        "SELECT refunded_quantity, refunded_amount, refunded_net_amount FROM core.order_items"
    ) == (1, 10, 10)
    assert checks.ledger_balances(loader.engine).ok


def test_refunds_may_come_before_their_order(loader):
    loader.load({"refunds": [refund("A", "r1", at=T0 + DAY)]}, resource="refunds")
    loader.load({"orders": [order("A")], "order_items": [line("A")]})
    assert loader.one("SELECT refunded_net_amount FROM core.order_items") == 10
    assert loader.one("SELECT happened_date - order_date FROM core.sales_events WHERE kind = 'refund'") == 1


def test_unknown_skus_get_a_stub_that_the_catalogue_fills(loader):
    loader.load(
        {"orders": [order("A")], "order_items": [line("A", external_id="v-SKU-1", title="On the order")]}
    )
    assert loader.one("SELECT sku, name, is_stub FROM core.products") == ("SKU-1", "On the order", True)

    loader.load({"products": [product("SKU-1", brand="Acme")]}, resource="products")
    assert loader.one("SELECT sku, name, brand, is_stub FROM core.products") == (
        "SKU-1",
        "SKU-1 name",
        "Acme",
        False,
    )
    assert loader.one("SELECT external_id, listing_title, is_stub FROM core.channel_products") == (
        "v-SKU-1",
        "SKU-1 listing",
        False,
    )


@pytest.mark.parametrize("newer_first", [True, False])
def test_a_product_is_the_same_whatever_channel_was_read_first(engine, newer_first):
    loader = Loader(engine, places=(SHOP, OTHER))
    pages = [
        {"products": [product("S", name="Old", cost_price=Decimal(5))]},
        {"products": [product("S", name="New", channel=OTHER.name, source_updated_at=T0 + HOUR)]},
    ]
    for page in reversed(pages) if newer_first else pages:
        loader.load(page, resource="products")
    assert loader.one("SELECT name, cost_price FROM core.products") == ("New", Decimal(5))


def test_a_mapped_sku_is_the_merchants_product(loader):
    loader.load({"products": [product("SKU-1")]}, resource="products")
    with loader.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO core.sku_map SELECT id, 'FBA-SKU-1', 'SKU-1' FROM core.channels"
        )
    loader.load({"orders": [order("A")], "order_items": [line("A", sku="FBA-SKU-1")]})
    assert (
        loader.one("SELECT p.sku FROM core.order_items i JOIN core.products p ON p.id = i.product_id")
        == "SKU-1"
    )


def test_catalogue_snapshot_retires_what_it_no_longer_names(loader):
    names = [product(f"S{number}") for number in range(4)]
    loader.load({"products": names}, resource="products", snapshot=True)
    loader.load({"products": names[:3]}, resource="products", snapshot=True)
    assert loader.rows("SELECT sku FROM core.channel_products WHERE NOT is_active") == [("S3",)]

    loader.load({"products": names[:1]}, resource="products", snapshot=True)  # doubtful: most are missing
    assert loader.one("SELECT count(*) FROM core.channel_products WHERE is_active") == 3


def test_a_catalogue_without_an_update_clock_read_again_writes_nothing(loader):
    names = [product(f"S{number}") for number in range(4)]
    loader.load({"products": names}, resource="products", snapshot=True)
    later = [{**row, "source_updated_at": T0 + HOUR} for row in names]
    result = loader.load({"products": later}, resource="products", snapshot=True)
    assert (result.inserted, result.updated, result.unchanged) == (0, 0, 4)


def test_text_of_every_kind_survives_and_nul_does_not(loader):
    odd = 'a,"b"\nc\td\\N — 漢\u2028\x00'
    loader.load(
        {"orders": [order("A", order_number=odd, ship_region="")], "order_items": [line("A", title="\\.")]}
    )
    assert loader.one("SELECT order_number, ship_region FROM core.orders") == (odd.replace("\x00", ""), "")
    assert loader.one("SELECT title FROM core.order_items") == "\\."


def test_a_source_that_does_not_tell_when_an_order_was_sent_does_not_take_it_back(loader):
    told = {"ship_by_at": T0 + DAY, "shipped_at": T0 + HOUR}
    loader.load({"orders": [order("A", **told)], "order_items": [line("A")]})
    loader.load({"orders": [order("A", updated=T0 + DAY, delivered_at=T0 + DAY)], "order_items": [line("A")]})
    columns = "ship_by_at, deliver_by_at, shipped_at, delivered_at"
    assert loader.one(f"SELECT {columns} FROM core.orders") == (T0 + DAY, None, T0 + HOUR, T0 + DAY)

    before = row_versions(loader)
    loader.load({"orders": [order("A", updated=T0 + DAY)], "order_items": [line("A")]})  # as a report has it
    assert row_versions(loader) == before
