"""Two dates, one sum: every change is an event, and events add up to what the lines say."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.warehouse_factories import DAY, HOUR, OTHER, SHOP, T0, Loader, line, order, refund
from warehouse import checks, read

EVENTS = (
    "SELECT kind, happened_date, units, net_amount, refunded_net_amount FROM core.sales_events"
    " ORDER BY recorded_at, happened_at, id"
)
DAY0 = T0.date()


def balances(loader):
    result = checks.ledger_balances(loader.engine)
    assert result.ok, result.detail


def test_an_edit_on_the_next_day_has_both_dates(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A", net="100")]})
    loader.load({"orders": [order("A", updated=T0 + DAY)], "order_items": [line("A", net="150")]})

    assert loader.rows(EVENTS) == [
        ("sale", DAY0, 1, Decimal(100), Decimal(0)),
        ("edit", DAY0 + DAY, 0, Decimal(50), Decimal(0)),
    ]
    assert loader.one("SELECT count(DISTINCT order_date) FROM core.sales_events") == 1
    balances(loader)


def test_a_cancelled_order_is_taken_out_when_it_was_cancelled(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A", quantity=3, net="30")]})
    cancelled = order("A", updated=T0 + 3 * DAY, status="cancelled", cancelled_at=T0 + 2 * DAY)
    loader.load({"orders": [cancelled], "order_items": [line("A", quantity=3, net="30")]})

    assert loader.rows(EVENTS)[1:] == [("cancellation", DAY0 + 2 * DAY, -3, Decimal(-30), Decimal(0))]
    balances(loader)


def test_part_of_a_line_is_cancelled_then_refunded(loader):
    loader.load(
        {"orders": [order("A")], "order_items": [line("A", quantity=3, net="10", discount=Decimal(2))]}
    )
    page = {
        "orders": [order("A", updated=T0 + DAY)],
        "order_items": [line("A", quantity=3, cancelled_quantity=1, net="10", discount=Decimal(2))],
        "refunds": [refund("A", "r1", at=T0 + 2 * DAY, net_amount=Decimal("3.3333"))],
    }
    loader.load(page)

    assert loader.one(
        "SELECT sum(units), sum(net_amount), sum(gross_amount), sum(refunded_net_amount) FROM core.sales_events"
    ) == (2, Decimal("6.6667"), Decimal("8.0000"), Decimal("3.3333"))


def test_money_given_back_for_cancelled_units_is_no_refund(loader):
    loader.load(
        {
            "orders": [order("A", status="cancelled", cancelled_at=T0 + HOUR, updated=T0 + HOUR)],
            "order_items": [
                line("A", quantity=2, net="20", refunded_quantity=2, refunded_net_amount=Decimal(20))
            ],
            "refunds": [refund("A", "r1", at=T0 + HOUR, quantity=2, net_amount=Decimal(20))],
        }
    )
    assert loader.one(
        "SELECT sum(units), sum(net_amount), sum(refunded_net_amount) FROM core.sales_events"
    ) == (0, 0, 0)


def test_a_stated_refund_is_replaced_by_its_dated_one(loader):
    stated = line("A", refunded_quantity=1, refunded_amount=Decimal(11), refunded_net_amount=Decimal(10))
    loader.load({"orders": [order("A", updated=T0 + 5 * DAY)], "order_items": [stated]})
    assert loader.rows(EVENTS)[1:] == [("refund", DAY0 + 5 * DAY, 0, Decimal(0), Decimal(10))]

    loader.load({"refunds": [refund("A", "r1", at=T0 + DAY, amount=Decimal(11))]}, resource="refunds")

    by_day = loader.rows(
        "SELECT happened_date, sum(refunded_net_amount) FROM core.sales_events WHERE kind = 'refund'"
        " GROUP BY 1 HAVING sum(refunded_net_amount) <> 0"
    )
    assert by_day == [(DAY0 + DAY, Decimal(10))]
    balances(loader)


def test_a_stated_refund_larger_than_the_dated_ones_counts(loader):
    stated = line("A", quantity=2, net="20", refunded_quantity=2, refunded_net_amount=Decimal(20))
    loader.load(
        {"orders": [order("A")], "order_items": [stated], "refunds": [refund("A", "r1", at=T0 + DAY)]}
    )
    assert loader.one("SELECT refunded_quantity, refunded_net_amount FROM core.order_items") == (2, 20)
    assert loader.one("SELECT sum(refunded_units), sum(refunded_net_amount) FROM core.sales_events") == (
        2,
        20,
    )
    balances(loader)


@pytest.mark.parametrize(("flag", "units"), [("is_test", 0), ("is_replacement", 1)])
def test_tests_and_replacements_are_no_sale_from_when_we_know(loader, flag, units):
    loader.load({"orders": [order("A")], "order_items": [line("A")]})
    loader.load({"orders": [order("A", updated=T0 + HOUR, **{flag: True})], "order_items": [line("A")]})
    assert loader.one("SELECT sum(units), sum(net_amount) FROM core.sales_events") == (units, 0)
    balances(loader)


def test_a_replacement_moves_units_without_money_and_is_no_demand(loader):
    """Its units leave the stock; nothing is paid, nothing given back, and nobody wanted one more."""
    free = order("B", is_replacement=True)
    loader.load(
        {
            "orders": [order("A"), free],
            "order_items": [line("A"), line("B", quantity=3, cancelled_quantity=1, net="30")],
            "refunds": [refund("B", "r1", at=T0 + DAY)],
        }
    )
    assert loader.rows(
        "SELECT kind, sum(units)::int, sum(net_amount)::int, sum(refunded_units)::int FROM core.sales_events"
        " GROUP BY 1 ORDER BY 1"
    ) == [("replacement", 2, 0, 0), ("sale", 1, 10, 0)]
    assert read.daily_demand(loader.engine)["y"].sum() == 1
    balances(loader)

    cancelled = order("B", updated=T0 + 2 * DAY, is_replacement=True, status="cancelled")
    loader.load({"orders": [cancelled], "order_items": [line("B", quantity=3, net="30")]})
    assert loader.one("SELECT sum(units) FROM core.sales_events WHERE kind <> 'sale'") == 0
    balances(loader)


def test_gift_cards_are_no_revenue(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A", is_gift_card=True), line("A", "2")]})
    assert loader.rows(EVENTS) == [("sale", DAY0, 1, Decimal(10), Decimal(0))]
    balances(loader)


def test_an_order_that_moves_to_another_day_is_taken_back_where_it_stood(loader):
    loader.load({"orders": [order("A")], "order_items": [line("A")]})
    moved = order("A", at=T0 - 3 * DAY, updated=T0 + HOUR)
    result = loader.load({"orders": [moved], "order_items": [line("A")]})

    assert loader.rows(
        "SELECT order_date, sum(units) FROM core.sales_events GROUP BY 1 HAVING sum(units) <> 0"
    ) == [(DAY0 - 3 * DAY, 1)]
    assert loader.rows(
        "SELECT happened_date, sum(units) FROM core.sales_events GROUP BY 1 HAVING sum(units) <> 0"
    ) == [(DAY0 - 3 * DAY, 1)]
    assert result.dirty_days == 2
    balances(loader)


def test_a_line_that_becomes_another_product_moves_with_its_refund(loader):
    page = {"orders": [order("A")], "order_items": [line("A")], "refunds": [refund("A", "r", at=T0 + DAY)]}
    loader.load(page)
    loader.load({"orders": [order("A", updated=T0 + HOUR)], "order_items": [line("A", sku="OTHER")]})
    assert loader.rows(
        "SELECT p.sku, sum(e.net_amount), sum(e.refunded_net_amount) FROM core.sales_events e"
        " JOIN core.products p ON p.id = e.product_id GROUP BY 1 HAVING sum(e.net_amount) <> 0"
    ) == [("OTHER", 10, 10)]
    balances(loader)


def test_lines_without_a_stated_net_are_priced_from_what_there_is(loader):
    taxed = line(
        "A", quantity=2, net_amount=None, unit_price=Decimal(12), discount=Decimal(4), tax=Decimal(3)
    )
    loader.load(
        {"orders": [order("A")], "order_items": [{**taxed, "tax_included": True}, {**taxed, "line_id": "2"}]}
    )
    assert loader.rows("SELECT line_id, net_amount, gross_amount FROM core.sales_events ORDER BY 1") == [
        ("1", Decimal(17), Decimal(21)),
        ("2", Decimal(20), Decimal(24)),
    ]


ZONES = {
    # the first and last instants of a business day, in zones and on days that change their clocks
    ("America/New_York", date(2026, 3, 8)): ("2026-03-08T05:00Z", "2026-03-09T04:00Z"),  # 23 hours
    ("America/New_York", date(2026, 11, 1)): ("2026-11-01T04:00Z", "2026-11-02T05:00Z"),  # 25 hours
    ("Europe/Berlin", date(2026, 3, 29)): ("2026-03-28T23:00Z", "2026-03-29T22:00Z"),
    ("Europe/Berlin", date(2026, 10, 25)): ("2026-10-24T22:00Z", "2026-10-25T23:00Z"),
    ("Australia/Lord_Howe", date(2026, 4, 5)): ("2026-04-04T13:00Z", "2026-04-05T13:30Z"),  # half an hour
    ("Asia/Tokyo", date(2026, 3, 8)): ("2026-03-07T15:00Z", "2026-03-08T15:00Z"),
}


@pytest.mark.parametrize(("zone", "day"), list(ZONES))
def test_business_days_are_the_channels_own(engine, zone, day):
    first, after = (datetime.fromisoformat(text).astimezone(UTC) for text in ZONES[zone, day])
    loader = Loader(engine, places=(type(SHOP)(SHOP.name, timezone=zone),))
    instants = {"before": first - HOUR / 3600, "first": first, "last": after - HOUR / 3600, "after": after}
    loader.load(
        {
            "orders": [order(name, at=at) for name, at in instants.items()],
            "order_items": [line(name) for name in instants],
        }
    )
    assert loader.rows(
        "SELECT external_id FROM core.orders WHERE order_date = :day ORDER BY ordered_at", day=day
    ) == [
        ("first",),
        ("last",),
    ]
    assert checks.after_load(engine)[2].ok


def test_a_published_past_day_that_moves_is_journalled(engine):
    loader = Loader(engine, places=(SHOP, OTHER))
    loader.load({"orders": [order("A")], "order_items": [line("A", net="100")]})
    assert loader.rows("SELECT * FROM core.restatements") == []  # nothing was published yet

    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO ops.published_days SELECT id, DATE '2026-03-02', now(), 1, 100 FROM core.channels"
        )
    result = loader.load({"refunds": [refund("A", "r1", at=T0 + DAY)]}, resource="refunds")

    assert result.restated_days == 1
    assert loader.rows(
        "SELECT order_date, kind, orders, units_delta, revenue_delta FROM core.restatements"
    ) == [(DAY0, "refund", 1, 0, Decimal(-10))]
