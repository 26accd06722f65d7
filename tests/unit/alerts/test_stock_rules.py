"""Stock rules on frames: what fires, what is withheld, and how the same SKU becomes one alert."""

import re
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Severity
from alerts.errors import AlertConfigError
from alerts.rules import stock_alerts
from alerts.thresholds import Thresholds, load_thresholds, with_rows
from tests.alerts_factories import NOW, day, nearly_out, position, position_row, running_low, sold_out


def fired(*rows, thresholds=None, weekly=False):
    found = stock_alerts(position(*rows), NOW, thresholds, weekly=weekly)
    return [alert for alert in found.alerts if not alert.holding]


def kinds(*rows, **known):
    return [(alert.alert_type, alert.severity.value) for alert in fired(*rows, **known)]


def test_healthy_stock_says_nothing():
    assert kinds(position_row()) == []


def test_nothing_available_of_a_product_that_sells_is_a_stockout():
    (alert,) = fired(sold_out())
    assert (alert.alert_type, alert.severity) == ("stockout", Severity.CRITICAL)
    assert alert.title == "Out of stock: Blue stoneware mug (MUG-01) on Amazon US"
    assert "Order 120 today; delivery takes 14 days." in alert.message
    assert alert.action_url == "https://sellercentral.amazon.com/myinventory/inventory?searchTerm=MUG-01"
    assert (alert.product_id, alert.channel_id) == (7, 1)


def test_nothing_available_of_what_never_sells_is_no_news():
    assert kinds(sold_out(mean_daily=0.0)) == []


def test_negative_stock_means_none_can_be_sold():
    assert kinds(sold_out(available=-3)) == [("stockout", "critical")]


@pytest.mark.parametrize(
    ("cover", "expected"),
    [
        (6.9, [("low_stock", "critical")]),
        (7.0, [("low_stock", "warning")]),
        (13.9, [("low_stock", "warning")]),
        (14.0, []),
    ],
)
def test_days_of_cover_decide_between_critical_warning_and_quiet(cover, expected):
    assert kinds(position_row(available=40, days_of_cover=cover)) == expected


def test_it_is_critical_when_it_will_run_out_before_a_delivery_ordered_today():
    late = position_row(available=40, days_of_cover=20.0, lead_time_days=30.0, p_stockout_lead_time=0.8)
    assert kinds(late) == [("low_stock", "critical")]
    (alert,) = fired(late)
    assert "Chance of running out before a delivery ordered today arrives (30 days): 80%." in alert.message


def test_without_a_distribution_the_expected_date_decides():
    row = position_row(
        days_of_cover=20.0, lead_time_days=30.0, p_stockout_lead_time=None, stockout_date=day(20)
    )
    assert kinds(row) == [("low_stock", "critical")]
    assert kinds(row | {"stockout_date": day(31)}) == []


def test_reorder_point_reached_says_how_many_by_when_from_which_lead_time():
    row = position_row(
        available=60, inbound=10, order_quantity=150.0, order_by_date=day(2), days_of_cover=17.0
    )
    (alert,) = fired(row)
    assert (alert.alert_type, alert.severity) == ("restock", Severity.INFO)
    assert alert.title == "Reorder 150 of Blue stoneware mug (MUG-01)"
    assert "10 more on the way, at or below the reorder point of 80" in alert.message
    assert "Order 150 by Nov 23, 2026; delivery takes 14 days." in alert.message


def test_a_reorder_that_is_due_today_is_a_warning():
    row = position_row(available=60, order_quantity=150.0, order_by_date=day(0), days_of_cover=17.0)
    assert kinds(row) == [("restock", "warning")]


def chances(week, fortnight, month=1.0):
    return {"p_stockout_7d": week, "p_stockout_14d": fortnight, "p_stockout_30d": month}


def judged(row, **limits):
    """Types and severities of one row with columns the factory's frame lacks."""
    frame = pl.concat([position({k: v for k, v in row.items() if k in position().columns}), pl.DataFrame([{
        k: v for k, v in row.items() if k not in position().columns
    }])], how="horizontal")  # fmt: skip
    found = stock_alerts(frame, NOW, Thresholds(stock=limits))
    return [alert for alert in found.alerts if not alert.holding]


@pytest.mark.parametrize(
    ("chance", "limits", "expected"),
    [
        (chances(0.1, 0.55), {}, []),
        (chances(0.1, 0.7), {}, ["warning"]),
        (chances(0.1, 0.55), {"likely": 0.5}, ["warning"]),
        (chances(0.1, 0.55, 0.95), {"warning_days": 25}, ["warning"]),  # about 83 % within 25 days
    ],
)
def test_low_stock_is_told_when_it_is_likely_and_not_when_it_may_as_well_last(chance, limits, expected):
    row = position_row(available=40, days_of_cover=13.0) | chance
    assert [alert.severity.value for alert in judged(row, **limits)] == expected


def test_an_open_alarm_goes_by_the_chance_when_a_delivery_makes_cover_leap():
    """One piece left, and with the delivery of the day after tomorrow 48 days of cover: still a third to run out."""
    close = position_row(available=1, days_of_cover=48.0, p_stockout_lead_time=0.34) | chances(0.34, 0.34)
    frame = pl.DataFrame([close], schema_overrides={"order_by_date": pl.Date, "stockout_date": pl.Date})
    (alert,) = stock_alerts(frame, NOW).alerts
    assert (alert.alert_type, alert.holding) == ("low_stock", True)
    assert stock_alerts(frame.with_columns(p_stockout_7d=0.2, p_stockout_14d=0.2), NOW).alerts == ()


def test_a_delivery_that_comes_too_late_is_said_with_both_dates():
    row = nearly_out(inbound=200) | {"deliveries": [{"days": 8.2, "units": 200.0}], "overdue_days": 0.0}
    (alert,) = judged(row)
    assert "enough until about Nov 25, 2026" in alert.message
    assert "The delivery is expected about Nov 30, 2026, too late: can it be hurried?" in alert.message


def test_a_delivery_that_should_have_come_is_asked_after():
    row = nearly_out(inbound=200) | {"deliveries": [], "overdue_days": 6.0}
    (alert,) = judged(row)
    assert "The delivery is 6 days later than usual: ask where it is." in alert.message


def test_how_a_sku_is_bought_is_a_threshold_too():
    rows = [{"scope": "category", "name": "Kitchen", "setting": "supply.lead_time_days", "value": 40},
            {"scope": "sku", "name": "MUG-01", "setting": "supply.pack_size", "value": 12}]  # fmt: skip
    terms = with_rows(Thresholds(), rows).supply_for("amazon", "Kitchen", "MUG-01")
    assert (terms.lead_time_days, terms.pack_size, terms.service_level) == (40, 12, None)
    with pytest.raises(AlertConfigError, match="pack_size"):
        with_rows(Thresholds(), [rows[1] | {"value": 0}])


def test_the_same_sku_on_three_channels_is_one_alert_with_the_worst_state():
    rows = (sold_out(), nearly_out(channel="shopify-harbor"), position_row(channel="walmart-us"))
    (alert,) = fired(*rows)
    assert alert.alert_type == "stockout"
    assert alert.channels == ("amazon-us",)
    assert "still 18 on Shopify harbor, 300 on Walmart US" in alert.message
    assert len(alert.facts["listings"]) == 3


def test_out_everywhere_names_every_channel_and_adds_up():
    (alert,) = fired(
        *(sold_out(channel=channel) for channel in ("amazon-us", "shopify-harbor", "walmart-us"))
    )
    assert alert.channels == ("amazon-us", "shopify-harbor", "walmart-us")
    assert alert.channel_id is None
    assert (alert.facts["order_quantity"], alert.facts["mean_daily"]) == (360, 12.0)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"is_fresh": False}, "the inventory feed is stale"),
        ({"is_confirmed": False}, "the stock figure is not confirmed by a second read"),
        ({"available": None}, "the channel did not say how much is available"),
    ],
)
def test_nothing_is_concluded_from_stale_unconfirmed_or_missing_figures(known, reason):
    found = stock_alerts(position(sold_out(**known)), NOW)
    assert found.alerts == ()
    assert found.judged == frozenset()
    assert [(item.subject, item.reason) for item in found.withheld] == [("amazon-us MUG-01", reason)]


def test_one_uncertain_channel_does_not_end_an_episode_of_the_others():
    found = stock_alerts(position(position_row(), sold_out(channel="walmart-us", is_fresh=False)), NOW)
    assert "stockout:MUG-01" not in found.judged


def test_a_healthy_sku_is_judged_so_that_its_episodes_can_end():
    found = stock_alerts(position(position_row()), NOW)
    assert {"stockout:MUG-01", "low_stock:MUG-01", "restock:MUG-01"} <= found.judged
    assert "overstock:MUG-01" not in found.judged


def test_between_firing_and_clearing_an_alert_only_holds():
    found = stock_alerts(position(position_row(available=58, days_of_cover=14.5)), NOW)
    assert [(alert.alert_type, alert.holding) for alert in found.alerts] == [("low_stock", True)]
    assert stock_alerts(position(position_row(days_of_cover=15.5)), NOW).alerts == ()


def test_overstock_and_slow_movers_are_weekly_news():
    rows = (position_row("A", days_of_cover=400.0), position_row("B", mean_daily=0.001, days_of_cover=None))
    assert kinds(*rows) == []
    assert kinds(*rows, weekly=True) == [("overstock", "info"), ("slow_mover", "info")]


def test_thresholds_of_account_category_and_sku_each_beat_the_wider_one(tmp_path):
    file = tmp_path / "thresholds.toml"
    file.write_text(
        """
        [stock]
        warning_days = 20
        [accounts.walmart.stock]
        warning_days = 9
        [categories."Kitchen".stock]
        critical_days = 8
        [skus."QUIET".stock]
        enabled = false
        """
    )
    thresholds = load_thresholds(file)
    amazon = position_row(available=70, days_of_cover=18.0)
    assert kinds(amazon, thresholds=thresholds) == [("low_stock", "warning")]
    assert kinds(amazon | {"channel": "walmart-us"}, thresholds=thresholds) == []
    assert kinds(amazon | {"days_of_cover": 7.5}, thresholds=thresholds) == [("low_stock", "critical")]
    assert kinds(sold_out("QUIET"), thresholds=thresholds) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[stock]\ncritical_dayz = 3", "critical_dayz"),
        ("[stock]\ncritical_days = 30", "critical_days <= warning_days"),
        ("[stock", "is not TOML"),
        ("[skus.A.stock]\nwarning_days = -1", "warning_days"),
    ],
)
def test_a_wrong_thresholds_file_is_refused_with_its_mistake(tmp_path, text, says):
    file = tmp_path / "thresholds.toml"
    file.write_text(text)
    with pytest.raises(AlertConfigError, match=says):
        load_thresholds(file)


def test_a_frame_that_lacks_columns_is_refused():
    with pytest.raises(ValueError, match="p_stockout_lead_time"):
        stock_alerts(position(position_row()).drop("p_stockout_lead_time"), NOW)


def test_an_empty_frame_gives_nothing():
    assert stock_alerts(position(), NOW).alerts == ()


def test_account_column_wins_over_the_channels_prefix():
    frame = position(sold_out()).with_columns(account=pl.lit("amazon-eu-2"))
    thresholds = Thresholds(accounts={"amazon-eu-2": {"stock": {"enabled": False}}})
    assert stock_alerts(frame, NOW, thresholds).alerts == ()


@given(
    available=st.integers(-50, 10_000) | st.none(),
    daily=st.floats(0, 500) | st.none(),
    cover=st.floats(allow_nan=True, allow_infinity=True) | st.none(),
    chance=st.floats(0, 1) | st.none() | st.just(float("nan")),
    point=st.floats(0, 1e6) | st.none() | st.just(float("inf")),
    many=st.floats(0, 1e6) | st.none(),
    lead=st.floats(0, 400) | st.none(),
)
def test_any_figures_give_alerts_whose_text_has_no_nan(available, daily, cover, chance, point, many, lead):
    row = position_row(
        available=available, mean_daily=daily, days_of_cover=cover, p_stockout_lead_time=chance,
        reorder_point=point, order_quantity=many, lead_time_days=lead, stockout_date=day(3),
    )  # fmt: skip
    for alert in stock_alerts(position(row), NOW, weekly=True).alerts:
        assert not re.search(r"\b(nan|inf|None)\b", f"{alert.title} {alert.message}")
        assert alert.facts["today"] == NOW.date().isoformat()


@given(name=st.text(max_size=300), sku=st.text(min_size=1, max_size=300))
def test_any_marketplace_text_stays_on_one_line_of_bounded_length(name, sku):
    (alert,) = fired(sold_out(sku, name=name))
    assert len(alert.title.splitlines()) == 1
    assert len(alert.title) < 250
    assert len(alert.fingerprint) < 230


def test_running_low_factory_is_a_warning():
    assert kinds(running_low(observed_at=NOW - timedelta(minutes=1))) == [("low_stock", "warning")]
