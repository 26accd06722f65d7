"""What each hour should bring: the week's shape, holidays, robust levels, and stretches without any order."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models import order_hours, special_days
from models.order_hours import Special, judge_windows

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
SHOP = pl.DataFrame({"subject": ["shop"], "shape": ["shop"], "timezone": ["UTC"]})


def shop(weeks=9, until=NOON, *, night=2, day=20, weekend=0.5, changes=None):
    """As many orders in every hour as the hour of the week brings; `changes` says otherwise of some hours."""
    rows = []
    for back in range(weeks * 168, 0, -1):
        at = until - back * HOUR
        usual = (day if 8 <= at.hour < 22 else night) * (weekend if at.weekday() >= 5 else 1)
        rows.append((at, (changes or {}).get(at, round(usual))))
    return pl.DataFrame(
        [("shop", at, many, at + timedelta(minutes=50)) for at, many in rows if many],
        schema=["subject", "hour_at", "orders", "last_at"],
        orient="row",
    )


def window(frame, hours, period="hour"):
    (row,) = frame.filter(
        pl.col("hours") == hours, pl.col("period") == period, ~pl.col("is_quiet")
    ).to_dicts()
    return row


def quiet(frame):
    return frame.filter("is_quiet").to_dicts()


@pytest.mark.parametrize(
    ("until", "usual"),
    [
        (NOON, 20),
        (NOON.replace(hour=4), 2),
        (datetime(2026, 3, 14, 15, tzinfo=UTC), 10),  # a Saturday afternoon
        (datetime(2026, 3, 15, 4, tzinfo=UTC), 1),
    ],
)
def test_an_hour_is_held_against_that_hour_of_that_weekday(until, usual):
    found = window(judge_windows(shop(until=until), SHOP, until), 1)
    assert found["expected"] == pytest.approx(usual, rel=0.3)


def test_one_wild_day_does_not_move_what_is_usual():
    wild = {NOON - back * HOUR: 400 for back in range(72, 96)}
    usual = window(judge_windows(shop(), SHOP, NOON), 24)["expected"]
    assert window(judge_windows(shop(changes=wild), SHOP, NOON), 24)["expected"] < 1.5 * usual


def test_the_day_that_is_judged_does_not_say_what_is_usual():
    dead = {NOON - back * HOUR: 0 for back in range(1, 13)}
    usual = window(judge_windows(shop(), SHOP, NOON), 12)["expected"]
    found = window(judge_windows(shop(changes=dead), SHOP, NOON), 12)
    assert (found["observed"], found["expected"]) == (0.0, pytest.approx(usual, rel=0.02))


def test_a_holiday_is_expected_as_last_year_or_doubted():
    plain = window(judge_windows(shop(), SHOP, NOON), 6)
    known = {("shop", NOON.date()): Special(factor=0.2, doubt=0.1)}
    unknown = {("shop", NOON.date()): Special()}
    assert window(judge_windows(shop(), SHOP, NOON, known), 6)["expected"] == pytest.approx(
        plain["expected"] / 5
    )
    doubted = window(judge_windows(shop(), SHOP, NOON, unknown), 6)
    assert (doubted["expected"], doubted["spread"] > 5 * plain["spread"]) == (
        pytest.approx(plain["expected"]),
        True,
    )


def test_what_a_holiday_brought_last_year_is_what_it_should_bring():
    christmas = date(2025, 12, 25)
    orders = {christmas + timedelta(days=off): 100.0 for off in range(-420, -300)}
    orders[date(2024, 12, 25)] = 30.0
    found = special_days.effects("US", date(2025, 12, 20), date(2025, 12, 28), orders)
    assert found[christmas].factor == pytest.approx(0.3, abs=0.1)


def test_a_stretch_without_orders_is_counted_to_the_minute():
    last = NOON - 3 * HOUR - timedelta(minutes=10)  # the order of 8:50
    dead = {NOON - back * HOUR: 0 for back in (1, 2, 3)}
    read_until = NOON + timedelta(minutes=30)
    (found,) = quiet(judge_windows(shop(changes=dead), SHOP, NOON, read_until=read_until))
    assert (found["start_at"], found["observed"]) == (last, 0.0)
    assert found["hours"] == pytest.approx((read_until - last) / HOUR)
    assert found["expected"] == pytest.approx(20 * found["hours"], rel=0.1)


def test_the_night_weighs_little_in_a_stretch_without_orders():
    morning = NOON.replace(hour=8)
    dead = {morning - back * HOUR: 0 for back in range(1, 9)}
    (found,) = quiet(judge_windows(shop(until=morning, changes=dead), SHOP, morning, read_until=morning))
    assert found["expected"] == pytest.approx(16, rel=0.3)  # eight hours of two


def test_orders_not_read_to_the_minute_tell_no_stretch():
    assert quiet(judge_windows(shop(), SHOP, NOON)) == []
    assert quiet(judge_windows(shop(), SHOP, NOON, read_until=NOON - HOUR)) == []


def test_a_shop_of_a_few_days_is_not_judged():
    assert judge_windows(shop(weeks=1), SHOP, NOON, read_until=NOON).is_empty()


def test_hours_are_those_of_the_channels_own_clock():
    """From 8 to 22 in New York, through the change to summer time on March 8, 2026."""
    frame = shop().with_columns(
        hour_at=pl.col("hour_at").dt.replace_time_zone(None).dt.replace_time_zone(
            "America/New_York", ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone("UTC")
    ).drop_nulls()  # fmt: skip
    until = datetime(2026, 3, 11, 12, tzinfo=UTC)  # 8:00 there: the hour before it is a night's
    local = SHOP.with_columns(timezone=pl.lit("America/New_York"))
    assert window(judge_windows(frame, local, until), 1)["expected"] == pytest.approx(2, rel=0.6)
    assert window(judge_windows(frame, local, until + 4 * HOUR), 2)["expected"] == pytest.approx(40, rel=0.25)


def test_windows_are_all_there():
    found = judge_windows(shop(), SHOP, NOON)
    assert np.isin(order_hours.WINDOWS, found.filter(period="hour")["hours"]).all()
    assert window(found, 24, "day")["date"] == date(2026, 3, 10)
