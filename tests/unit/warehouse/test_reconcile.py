"""One day in three places: when figures agree, what explains a difference, and what does not."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from warehouse import reconcile_posted
from warehouse.reconcile import Place, Sight, compare, day_span, repaired
from warehouse.reconcile_edits import Edits

DAY = date(2026, 3, 5)
PLACE = Place("amazon", "amazon-us", 1, "America/Los_Angeles")
SEEN = Sight(
    datetime(2026, 3, 20, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
)
CONTROL = {
    "channel": pl.String,
    "business_date": pl.Date,
    "basis": pl.String,
    "currency": pl.String,
    "orders": pl.Int64,
    "units": pl.Int64,
    "gross_amount": pl.Decimal(18, 4),
    "includes_cancelled": pl.Boolean,
    "edits_apart": pl.Boolean,
    "untold": pl.String,
}


def control(
    orders=9, units=12, gross="100", *, cancelled=False, basis="ordered", edits_apart=False, untold=None
):
    amount = None if gross is None else Decimal(gross)
    row = ("amazon-us", DAY, basis, "USD", orders, units, amount, cancelled, edits_apart, untold)
    return pl.DataFrame([row], schema=CONTROL, orient="row")


def here(orders=10, cancelled=1, units=13, units_cancelled=1, amount="110", amount_cancelled="10"):
    return pl.DataFrame(
        [(DAY, "USD", orders, cancelled, units, units_cancelled, Decimal(amount), Decimal(amount_cancelled))],
        schema={
            "date": pl.Date,
            "currency": pl.String,
            "orders_placed": pl.Int64,
            "orders_cancelled": pl.Int64,
            "units_ordered": pl.Int64,
            "units_cancelled": pl.Int64,
            "ordered_amount": pl.Decimal(18, 4),
            "cancelled_amount": pl.Decimal(18, 4),
        },
        orient="row",
    )


def states(theirs, ours, shown=None, sight=SEEN, waiting=(), edits=None):
    shown = ours if shown is None else shown
    figures = compare(PLACE, (DAY, DAY), theirs, ours, shown, sight, waiting, {DAY: edits} if edits else None)
    return {figure.measure: (figure.state, figure.explanation) for figure in figures}


NOTHING = here().clear()
AGREES = ("agrees", None)
DIFFERS = ("differs", None)


@pytest.mark.parametrize(
    "theirs",
    [control(), control(10, 13, "110", cancelled=True), control(cancelled=None), control(gross="100.004")],
)
def test_figures_agree_however_the_source_counts_what_was_cancelled(theirs):
    assert set(states(theirs, here()).values()) == {AGREES}


def test_a_lost_order_is_unexplained():
    found = states(control(), here(orders=9, units=11, amount="85"))
    assert found == {"orders": DIFFERS, "units": DIFFERS, "gross_amount": DIFFERS}
    assert set(states(control(), NOTHING).values()) == {DIFFERS}
    assert states(control(gross="100.01"), here()) == {
        "orders": AGREES,
        "units": AGREES,
        "gross_amount": DIFFERS,
    }


@pytest.mark.parametrize(
    ("sight", "says"),
    [
        (SEEN._replace(read_until=datetime(2026, 3, 6, 7, 59, tzinfo=UTC)), "not read to its end"),
        (SEEN._replace(read_until=None), "not read to its end"),
        (SEEN._replace(kept_since=datetime(2026, 3, 5, 9, tzinfo=UTC)), "keeps"),
        (SEEN._replace(asked_since=datetime(2026, 3, 5, 9, tzinfo=UTC)), "ever asked for"),
    ],
)
def test_what_could_not_be_seen_explains_a_difference(sight, says):
    state, explanation = states(control(), NOTHING, sight=sight)["orders"]
    assert state == "explained"
    assert says in explanation
    assert states(control(), here(), sight=sight)["orders"][0] == "agrees"  # it explains, it does not hide


def test_cancelled_orders_and_a_silent_source_explain_it():
    assert states(control(10, 13, "110"), here())["orders"] == (
        "explained",
        "orders cancelled since are counted by one side only",
    )
    assert states(control(orders=11), here())["orders"] == DIFFERS
    silent = states(control(gross=None), here())
    assert silent["gross_amount"] == ("explained", "the source gives no figure")
    assert silent["orders"] == AGREES
    assert states(control().clear(), NOTHING) == {}


def test_clickhouse_is_held_to_core_unless_the_day_waits():
    behind = here(orders=9)
    assert states(control(), here(), behind)["orders"] == DIFFERS
    assert states(control(gross=None), here(), here(amount="1"))["gross_amount"] == DIFFERS
    assert states(control(), here(), behind, waiting=[DAY])["orders"][0] == "agrees"


@pytest.mark.parametrize(
    ("units", "in_parts", "states"),
    [
        (4, False, {"agrees"}),
        (3, False, {"agrees", "differs"}),
        (3, True, {"agrees", "explained"}),
        (None, False, {"explained"}),
    ],
)
def test_what_was_settled_is_held_to_the_lines_it_was_for(units, in_parts, states):
    row = [] if units is None else [(DAY, 3, units, Decimal(7), in_parts)]
    core = pl.DataFrame(row, schema=reconcile_posted.SETTLED, orient="row")
    both = pl.concat([control(), control(3, 4, "7", basis="posted")])
    found = reconcile_posted.compare(PLACE, (DAY, DAY), both, core)
    assert {figure.measure for figure in found} == {"posted orders", "posted units", "posted gross_amount"}
    assert {figure.state for figure in found} == states


def test_what_a_second_reading_mends_says_so():
    before = compare(PLACE, (DAY, DAY), control(), NOTHING, NOTHING, SEEN)
    after = repaired(before, compare(PLACE, (DAY, DAY), control(), here(), here(), SEEN))
    assert {figure.state for figure in after} == {"repaired"}
    assert after[0].explanation == "read again: ours was 0, published 0"


def test_a_business_day_is_as_long_as_its_clock_says():
    hours = {day: day_span(PLACE, date(2026, 3, day)) for day in (7, 8)}
    assert [int((end - start).total_seconds() // 3600) for start, end in hours.values()] == [24, 24]
    start, end = (instant.astimezone(UTC) for instant in hours[8])
    assert (end - start).total_seconds() == 23 * 3600


SOLD = here(cancelled=0, units_cancelled=0, amount_cancelled="0")  # 10 orders, 13 units, 110


@pytest.mark.parametrize(
    ("units", "gross", "edits", "explained"),
    [
        (12, "100", Edits(1, Decimal(10), 0, Decimal(0), False), True),  # added on a later day
        (
            14,
            "120",
            Edits(0, Decimal(0), 1, Decimal(10), False),
            True,
        ),  # other days' orders, added on this one
        (11, "90", Edits(1, Decimal(10), 0, Decimal(0), False), False),  # more than was edited
        (12, "100", Edits(0, Decimal(0), 1, Decimal(10), False), False),  # the wrong way round
        (11, "90", Edits(0, Decimal(0), 0, Decimal(0), True), True),  # read late: nobody can tell
        (12, "100", None, False),
    ],
)
def test_edits_explain_as_much_as_was_edited(units, gross, edits, explained):
    theirs = control(10, units, gross, cancelled=True, edits_apart=True)
    found = states(theirs, SOLD, edits=edits)
    assert found["orders"] == AGREES
    assert {found[measure][0] for measure in ("units", "gross_amount")} == {
        "explained" if explained else "differs"
    }


def test_edits_explain_nothing_where_an_order_is_missing_or_the_source_books_them_on_the_orders_day():
    edits = Edits(1, Decimal(10), 0, Decimal(0), True)
    lost = states(control(11, 12, "100", cancelled=True, edits_apart=True), SOLD, edits=edits)
    assert set(lost.values()) == {DIFFERS}
    other = states(control(10, 12, "100", cancelled=True), SOLD, edits=edits)
    assert other["units"] == other["gross_amount"] == DIFFERS


def test_a_silent_source_says_why():
    found = states(control(10, None, None, cancelled=True, untold="the scope is missing"), SOLD)
    assert found["units"] == ("explained", "the scope is missing")
