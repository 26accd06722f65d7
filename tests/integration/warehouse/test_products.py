"""One product under two SKUs: a mapping joins them for the past too, and what has no other side is reported."""

from decimal import Decimal

import pytest

from tests.warehouse_factories import OTHER, SHOP, T0, Loader, line, order
from warehouse import checks, products, rollup
from warehouse.products import Mapping, MappingFileError


def listing(place, sku, barcode=None):
    return {
        "channel": place.name,
        "external_id": f"{place.platform}-{sku}",
        "sku": sku,
        "title": f"{sku} there",
        "barcode": barcode,
        "source_updated_at": T0,
    }


@pytest.fixture
def loader(engine):
    both = Loader(engine, places=(SHOP, OTHER))
    both.load(
        {"products": [listing(SHOP, "MUG", "4006"), listing(OTHER, "MUG-DE", "4006"), listing(SHOP, "CUP")]},
        resource="products",
    )
    both.load(
        {
            "orders": [order("A"), order("E", channel=OTHER.name, currency="EUR")],
            "order_items": [
                line("A", sku="MUG"),
                line("E", sku="MUG-DE", quantity=3, net="30", channel=OTHER.name),
            ],
        }
    )
    return both


SOLD = """
    SELECT p.sku, sum(e.units), sum(e.net_amount) FROM core.sales_events e JOIN core.products p ON p.id = e.product_id
    GROUP BY 1 HAVING sum(e.units) <> 0 ORDER BY 1
"""
ONE = [Mapping(OTHER.name, "MUG-DE", "MUG")]


def test_a_mapping_moves_past_sales_and_holds_for_new_ones(loader, client):
    engine = loader.engine
    rollup.publish(engine, client)
    assert loader.rows(SOLD) == [("MUG", 1, 10), ("MUG-DE", 3, 30)]

    done = products.map_skus(engine, ONE, loader.run("products", "map"), T0)
    assert (done.changed, done.listings, done.order_lines, done.days_to_publish) == (1, 1, 1, 1)
    assert loader.rows(SOLD) == [("MUG", 4, 40)]
    again = products.map_skus(engine, ONE, loader.run("products", "map"), T0)
    assert (again.changed, again.listings, again.order_lines, again.days_to_publish) == (0, 0, 0, 0)

    late = order("F", channel=OTHER.name, currency="EUR")
    loader.load({"orders": [late], "order_items": [line("F", sku="MUG-DE", channel=OTHER.name)]})
    assert loader.rows(SOLD) == [("MUG", 5, 50)]
    rollup.publish(engine, client)
    assert client.query(
        "SELECT sku, sum(total_units) FROM analytics.daily_sales_summary JOIN analytics.products USING product_id"
        " GROUP BY sku"
    ).result_rows == [("MUG", 5)]
    assert all(found.ok for found in checks.after_publish(engine, client) if found.severity == "fail")
    assert checks.ledger_balances(engine).ok
    assert loader.one("SELECT sum(net_amount) FROM core.sales_events") == Decimal(50)


def test_what_has_no_other_side_is_reported_with_its_likely_twin(loader):
    found = products.unmapped(loader.engine).select("channel", "sku", "same_barcode").rows()
    assert found == [(OTHER.name, "MUG-DE", "MUG"), (SHOP.name, "CUP", None), (SHOP.name, "MUG", "MUG-DE")]
    products.map_skus(loader.engine, ONE, loader.run("products", "map"), T0)
    assert products.unmapped(loader.engine)["sku"].to_list() == ["CUP"]


def test_an_unknown_channel_changes_nothing(loader):
    with pytest.raises(MappingFileError, match="no channel ebay"):
        products.map_skus(loader.engine, [*ONE, Mapping("ebay", "X", "Y")], loader.run("products", "map"), T0)
    assert loader.one("SELECT count(*) FROM core.sku_map") == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("channel,sku\n", "channel_sku missing"),
        ("channel,channel_sku,sku\na,b\n", "line 2"),
        ("channel,channel_sku,sku\na,b,c\na,b,d\n", "stands for two"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path, content, says):
    file = tmp_path / "map.csv"
    file.write_text(content)
    with pytest.raises(MappingFileError, match=says):
        products.read_file(file)
