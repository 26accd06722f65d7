"""Stock snapshots: what is absent is gone, unless the answer looks like an outage."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.warehouse_factories import DAY, HOUR, OTHER, SHOP, T0, Loader, line, order, stock
from warehouse import planning, read

NOW = "SELECT p.sku, i.quantity_available FROM core.inventory i JOIN core.products p ON p.id = i.product_id ORDER BY 1"


def snapshot(loader, rows, until=T0, **options):
    return loader.load(
        {"inventory": rows} if rows else {}, resource="inventory", snapshot=True, until=until, **options
    )


def test_absent_rows_are_zero_and_come_back(loader):
    many = [stock(f"S{number:02}", 5) for number in range(12)]
    snapshot(loader, many)
    snapshot(loader, many[:11], until=T0 + HOUR)
    assert loader.rows(NOW)[-1] == ("S11", 0)

    snapshot(loader, many, until=T0 + 2 * HOUR)  # with the version it had before
    assert loader.rows(NOW)[-1] == ("S11", 5)
    assert loader.rows(
        "SELECT h.quantity_available FROM core.inventory_history h JOIN core.products p ON p.id = h.product_id"
        " WHERE p.sku = 'S11' ORDER BY h.id"
    ) == [(5,), (0,), (5,)]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [stock("A", 0), stock("B", 0)],
        [stock(f"S{number:02}", 5) for number in range(4)],
    ],
    ids=["empty", "all zero", "most of it missing"],
)
def test_a_suspect_answer_is_held_until_confirmed(loader, answer):
    snapshot(loader, [stock(f"S{number:02}", 5) for number in range(12)])
    before = loader.rows("SELECT ctid::text, xmin::text FROM core.inventory ORDER BY 1")

    held = snapshot(loader, answer, until=T0 + HOUR, advance=True)
    assert held.held == (SHOP.name,)
    assert loader.rows("SELECT ctid::text, xmin::text FROM core.inventory ORDER BY 1") == before
    assert not read.stock_position(loader.engine)["is_confirmed"].any()

    confirmed = snapshot(loader, answer, until=T0 + HOUR, first_answer=held.answers, advance=True)
    assert confirmed.held == ()
    expected = sum(row["quantity_available"] for row in answer)
    assert loader.one("SELECT coalesce(sum(quantity_available), 0) FROM core.inventory") == expected
    assert read.stock_position(loader.engine)["is_confirmed"].all()


def test_a_second_suspect_answer_that_says_something_else_is_held_too(loader):
    snapshot(loader, [stock(f"S{number:02}", 5) for number in range(12)])
    first = snapshot(loader, [stock("S00", 5)], until=T0 + HOUR)
    second = snapshot(loader, [stock("S01", 5)], until=T0 + HOUR, first_answer=first.answers)
    assert second.held == (SHOP.name,)
    assert loader.one("SELECT sum(quantity_available) FROM core.inventory") == 60

    third = snapshot(loader, [stock("S01", 5)], until=T0 + HOUR, first_answer=second.answers)
    assert third.held == ()
    assert loader.one("SELECT sum(quantity_available) FROM core.inventory") == 5


def test_a_held_channel_does_not_hold_the_other(engine):
    loader = Loader(engine, places=(SHOP, OTHER))
    there = stock("A", 5, channel=OTHER.name)
    snapshot(loader, [stock("A", 5), there])
    result = snapshot(
        loader, [{**there, "quantity_available": 3, "source_updated_at": T0 + HOUR}], until=T0 + HOUR
    )

    assert result.held == (SHOP.name,)
    assert loader.rows(
        "SELECT c.name, quantity_available FROM core.inventory JOIN core.channels c ON c.id = channel_id ORDER BY 1"
    ) == [(OTHER.name, 3), (SHOP.name, 5)]


def test_a_single_sold_out_product_is_believed(loader):
    snapshot(loader, [stock("A", 5), stock("B", 5)])
    result = snapshot(loader, [stock("A", 0, updated=T0 + HOUR), stock("B", 5)], until=T0 + HOUR)
    assert result.held == ()
    assert loader.rows(NOW) == [("A", 0), ("B", 5)]


def test_older_stock_does_not_overwrite(loader):
    loader.load({"inventory": [stock("A", 5, updated=T0 + HOUR)]}, resource="inventory")
    loader.load({"inventory": [stock("A", 9)]}, resource="inventory")
    assert loader.rows(NOW) == [("A", 5)]


def test_negative_stock_is_kept_and_nothing_is_sellable(loader):
    loader.load({"inventory": [stock("A", -3), stock("A", 2, warehouse_location="b")]}, resource="inventory")
    assert loader.rows("SELECT quantity_available FROM core.inventory ORDER BY 1") == [(-3,), (2,)]
    assert read.stock_position(loader.engine)["available"].to_list() == [2]


def test_days_without_stock_are_known_in_demand(loader):
    sold_until = T0 + 6 * DAY
    loader.load(
        {
            "orders": [order("A", at=T0), order("B", at=T0 + 5 * DAY)],
            "order_items": [line("A", quantity=2, net="20"), line("B", net="12")],
        },
        until=sold_until,
        advance=True,
    )
    for days, available in [(0, 5), (1, 0), (4, 7)]:
        at = T0 + days * DAY
        snapshot(loader, [stock("SKU-1", available, updated=at), stock("X", 1)], until=at, advance=True)

    demand = read.daily_demand(loader.engine)

    assert demand["series_id"].unique().to_list() == ["shopify-test|SKU-1"]
    assert demand["y"].to_list() == [2, 0, 0, 0, 0, 1]
    assert demand["in_stock"].to_list() == [1, 1, 0, 0, 1, 1]
    assert demand["price"].to_list() == [10, 10, 10, 10, 10, 12]
    assert demand["date"].to_list() == [T0.date() + days * DAY for days in range(6)]
    history = read.stock_history(loader.engine, since=T0)
    assert history.filter(sku="SKU-1")["available"].to_list() == [5, 0, 0, 0, 7]
    later = read.daily_demand(loader.engine, since=T0.date() + 4 * DAY, until=T0.date() + 5 * DAY)
    assert later["y"].to_list() == [0]


def test_an_unchanged_snapshot_read_later_writes_no_row_version(loader):
    """Walmart's stock has no update clock: its rows carry the instant they were read."""
    first = [stock(f"S{number:02}", 5) for number in range(12)]
    snapshot(loader, first)
    before = loader.rows("SELECT ctid::text, xmin::text FROM core.inventory ORDER BY 1")
    later = [{**row, "source_updated_at": T0 + HOUR} for row in first]
    result = snapshot(loader, later, until=T0 + HOUR)
    assert (result.inserted, result.updated, result.unchanged) == (0, 0, 12)
    assert loader.rows("SELECT ctid::text, xmin::text FROM core.inventory ORDER BY 1") == before

    result = snapshot(loader, [{**later[0], "quantity_available": 4}, *later[1:]], until=T0 + 2 * HOUR)
    assert (result.updated, result.unchanged) == (1, 11)


def test_what_is_on_its_way_is_read_from_changes_of_inbound(loader):
    for day, (here, inbound) in enumerate([(5, 0), (5, 20), (3, 20), (23, 0)]):
        snapshot(loader, [stock("A", here, quantity_inbound=inbound), stock("B", 9)], until=T0 + day * DAY)
    moves = planning.inbound_moves(loader.engine, T0 - DAY)
    assert moves["moved"].to_list() == [20.0, -20.0]
    ordered, delivered = moves["date"].to_list()
    assert [(delivered - ordered).days, (ordered - moves["first_date"][0]).days] == [2, 1]
    since = planning.inbound_moves(loader.engine, T0 + DAY)
    assert (since["moved"][0], since["date"][0]) == (20.0, since["first_date"][0])  # there at the first look


def test_a_cost_stated_in_another_currency_is_converted_by_the_newest_rates(engine):
    for place in (SHOP, OTHER):
        loader = Loader(engine, place.platform, [place])
        where = {"channel": place.name}
        loader.load({"inventory": [stock("A", 5, **where)]}, resource="inventory", snapshot=True, until=T0)
        loader.load(
            {"orders": [order("A", **where)], "order_items": [line("A", sku="A", quantity=9, **where)]},
            until=T0 + HOUR,
        )
    with engine.begin() as connection:
        connection.execute(text(
            "UPDATE core.channel_products l SET cost_price = 10, currency = 'EUR' FROM core.channels c"
            " WHERE c.id = l.channel_id AND c.name = 'amazon-de'"
        ))  # fmt: skip
    assert dict(planning.unit_costs(engine, "USD").iter_rows()) == {"amazon-de|A": 10, "shopify-test|A": None}

    with engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO core.exchange_rates (reporting_currency, currency, date, rate, source) VALUES"
            " ('USD', 'EUR', '2024-01-02', 1.5, 'old'), ('USD', 'EUR', '2024-01-03', 1.09, 'new'),"
            " ('USD', 'USD', '2024-01-03', 1, 'new')"
        ))  # fmt: skip
    assert planning.unit_costs(engine, "USD")["unit_cost"].to_list() == [10, Decimal("10.9")]
    products = read.stock_position(engine)["product_id"].to_list()
    sold = planning.recent_sales(engine, T0.date() - 2 * DAY, T0.date() + DAY, products)
    assert dict(sold.iter_rows()) == {"amazon-de|A": 3.0, "shopify-test|A": 3.0}
