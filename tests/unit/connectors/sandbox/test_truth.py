"""The expected figures, by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

from connectors.sandbox import truth
from connectors.sandbox.world import Refund, RefundLine
from tests.sandbox_factories import HandWorld, line, order

MORNING = datetime(2026, 5, 4, 8, tzinfo=UTC)
LATER = datetime(2026, 5, 20, tzinfo=UTC)


def only_row(world: HandWorld) -> dict[str, object]:
    rows = truth.expected(world, LATER).to_dicts()
    assert len(rows) == 1
    return rows[0]


def test_revenue_is_after_discounts_and_before_tax():
    sold = order(1, MORNING, line(1, "A", 3, "10.00", discount=Decimal("2.50"), tax=Decimal("1.90")))

    row = only_row(HandWorld(sold))

    assert (row["units"], row["gross"], row["revenue"]) == (3, Decimal("30.0000"), Decimal("27.5000"))


def test_tax_inside_the_price_is_taken_out():
    sold = order(1, MORNING, line(1, "A", 1, "11.90", tax=Decimal("1.90")))

    row = only_row(HandWorld(sold, tax_included=True))

    assert (row["gross"], row["revenue"]) == (Decimal("10.0000"), Decimal("10.0000"))


def test_cancelled_units_count_nowhere_and_refunds_are_booked_on_the_day_of_the_order():
    refund = Refund(1, LATER, (RefundLine(1, 1, Decimal("9.00"), Decimal(0)),), shipping=Decimal("4.99"))
    sold = order(
        1, MORNING, line(1, "A", 4, "10.00", discount=Decimal("4.00"), cancelled=1), refunds=(refund,)
    )

    row = only_row(HandWorld(sold))

    assert row["date"] == date(2026, 5, 4)
    assert (row["units"], row["cancelled_units"], row["refunded_units"]) == (3, 1, 1)
    assert (row["gross"], row["net"], row["refunded"]) == (Decimal("30"), Decimal("27"), Decimal("9"))
    assert row["revenue"] == Decimal("18.0000")


def test_a_cancelled_order_brings_nothing_but_is_counted():
    row = only_row(HandWorld(order(1, MORNING, line(1, "A", 2, "10.00"), cancelled_at=MORNING)))

    assert (row["orders"], row["units"], row["revenue"]) == (1, 0, Decimal(0))


def test_a_replacement_counts_units_but_no_money():
    sent_again = order(2, MORNING, line(1, "A", 1, "10.00"), is_replacement=True, replaces=1)

    row = only_row(HandWorld(sent_again))

    assert (row["units"], row["gross"], row["revenue"]) == (1, Decimal(0), Decimal(0))


def test_the_day_is_the_markets():
    late_evening = datetime(2026, 5, 5, 5, 30, tzinfo=UTC)  # half past ten the day before in California
    sold = order(1, late_evening, line(1, "A", 1, "10.00"))

    assert only_row(HandWorld(sold, timezone="America/Los_Angeles"))["date"] == date(2026, 5, 4)


def test_an_order_with_two_lines_of_a_sku_is_one_order():
    sold = order(1, MORNING, line(1, "A", 1, "10.00"), line(2, "A", 1, "10.00"), line(3, None, 1, "5.00"))

    rows = truth.expected(HandWorld(sold), LATER).to_dicts()

    assert [(row["sku"], row["orders"], row["units"]) for row in rows] == [("A", 1, 2), (None, 1, 1)]


def test_summary_adds_up_the_same_figures_by_day():
    first = order(1, MORNING, line(1, "A", 1, "10.00"), line(2, "B", 2, "3.00"))
    second = order(2, LATER, line(1, "A", 1, "10.00"))

    shop = truth.summary(HandWorld(first, second), LATER)["channels"]["shop"]

    assert shop["totals"]["orders"] == 2
    assert shop["totals"]["revenue"] == "26.0000"
    assert [day["date"] for day in shop["days"]] == ["2026-05-04", "2026-05-20"]
    assert shop["days"][0]["units"] == 3


def test_channels_can_be_picked():
    world = HandWorld(order(1, MORNING, line(1, "A", 1, "10.00")))

    assert truth.expected(world, LATER, ["another"]).is_empty()
    assert truth.summary(world, LATER, ["another"])["channels"] == {}
