"""What is on its way: orders and deliveries read from changes of inbound, and when the open ones are due."""

from datetime import date, timedelta

import polars as pl

from models.supply import Lot, delays, expected, lots

TODAY = date(2026, 11, 21)


def ago(days):
    return TODAY - timedelta(days=days)


FIRST = ago(200)


def coming(*moves, first=FIRST, usual_days=14):
    frame = pl.DataFrame(
        [(series, day, float(units), first) for series, day, units in moves],
        schema={"series_id": pl.String, "date": pl.Date, "moved": pl.Float64, "first_date": pl.Date},
        orient="row",
    )
    return {row["series_id"]: row for row in expected(frame, TODAY, usual_days).iter_rows(named=True)}


def test_a_rise_is_an_order_and_a_fall_delivers_the_oldest_first():
    moves = [(ago(30), 10.0), (ago(20), 5.0), (ago(12), -12.0), (ago(3), 4.0)]
    assert lots(moves) == [
        Lot(ago(30), ago(12), 10.0),
        Lot(ago(20), ago(12), 2.0),
        Lot(ago(20), None, 3.0),
        Lot(ago(3), None, 4.0),
    ]


def test_an_open_order_is_due_after_the_time_its_sku_took_on_any_channel():
    mug = [("a|MUG", ago(60), 9), ("a|MUG", ago(52), -9), ("b|MUG", ago(40), 9), ("b|MUG", ago(32), -9)]
    slow = [("a|PAN", ago(90), 9), ("a|PAN", ago(60), -9), ("a|PAN", ago(58), 9), ("a|PAN", ago(28), -9)]
    found = coming(*mug, *slow, ("a|MUG", ago(3), 20), ("a|PAN", ago(3), 20))
    assert found["a|MUG"]["deliveries"] == [{"days": 5.0, "units": 20.0}]
    assert found["a|PAN"]["deliveries"] == [{"days": 27.0, "units": 20.0}]
    assert "b|MUG" not in found


def test_without_deliveries_to_learn_from_the_setting_says_how_long():
    assert coming(("a|MUG", ago(4), 7))["a|MUG"]["deliveries"] == [{"days": 10.0, "units": 7.0}]


def test_several_orders_are_told_soonest_first():
    found = coming(("a|MUG", ago(10), 7), ("a|MUG", ago(2), 30))
    assert found["a|MUG"]["deliveries"] == [{"days": 4.0, "units": 7.0}, {"days": 12.0, "units": 30.0}]


def test_an_order_a_little_late_comes_within_days_and_a_very_late_one_is_not_counted_on():
    late, lost = coming(("a|MUG", ago(16), 7))["a|MUG"], coming(("a|MUG", ago(25), 7))["a|MUG"]
    assert (late["deliveries"], late["overdue_days"]) == ([{"days": 3.0, "units": 7.0}], 2.0)
    assert (lost["deliveries"], lost["overdue_days"]) == ([], 11.0)


def test_what_was_on_its_way_at_the_first_look_teaches_no_time():
    found = coming(
        ("a|MUG", ago(50), 9), ("a|MUG", ago(49), -9), ("a|MUG", ago(2), 9), first=ago(50), usual_days=20
    )
    assert found["a|MUG"]["deliveries"] == [{"days": 18.0, "units": 9.0}]


def test_delays_are_told_from_the_usual_time_of_each_sku_once_there_are_enough():
    """Twelve SKUs whose first two orders took ten days and whose third came nine days late."""
    took = (10, 10, 19)
    rows = [
        (f"a|S{sku}", ago(150 - 40 * n - shift), units, ago(200))
        for sku in range(12) for n, days in enumerate(took) for shift, units in ((0, 5.0), (days, -5.0))
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["series_id", "date", "moved", "first_date"], orient="row")

    assert sorted(set(delays(frame))) == [0.0, 9.0]
    assert delays(frame).count(9.0) == 12
    assert delays(frame.head(12)) == []
