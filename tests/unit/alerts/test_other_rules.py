"""Demand and data rules on frames."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from scipy import stats

from alerts.data_rules import reconciliation_differences, refused_rows, stale_feeds
from alerts.demand_rules import order_anomalies, trending_products
from alerts.order_gaps import tail
from alerts.thresholds import Thresholds
from tests.alerts_factories import NOW, TODAY


def counts(*rows):
    base = {
        "account": "amazon", "channel": "amazon-us", "channel_id": 1, "sku": None, "product_id": None,
        "name": None, "category": None, "period": "hour", "start_at": NOW - timedelta(hours=1),
        "observed": 40.0, "expected": 42.0, "is_fresh": True,
    }  # fmt: skip
    schema = {"sku": pl.String, "product_id": pl.Int64, "name": pl.String, "category": pl.String}
    return pl.DataFrame([base | row for row in rows], schema_overrides=schema)


def firing(found):
    return [alert for alert in found.alerts if not alert.holding]


def said(found):
    return [(alert.severity.value, alert.title) for alert in found.alerts]


def test_usual_orders_say_nothing_and_are_judged():
    found = order_anomalies(counts({}), NOW)
    assert found.alerts == ()
    assert found.judged == {"anomaly:amazon drop hour", "anomaly:amazon spike hour"}


def test_an_outage_is_critical():
    (alert,) = order_anomalies(counts({"observed": 0.0}), NOW).alerts
    assert alert.severity.value == "critical"
    assert alert.title == "No orders: Amazon US"
    assert "Nov 21, 2026, 08:30 UTC" in alert.message


def test_a_quiet_hour_that_should_be_quiet_is_no_drop():
    assert order_anomalies(counts({"observed": 0.0, "expected": 2.0}), NOW).alerts == ()


def test_a_drop_must_be_improbable_too():
    assert order_anomalies(counts({"observed": 2.0, "expected": 6.0}), NOW).alerts == ()
    assert said(order_anomalies(counts({"observed": 12.0}), NOW)) == [
        ("warning", "Orders have dropped: Amazon US, −71%")
    ]


def test_overdispersed_demand_needs_more_to_alarm():
    row = {"observed": 12.0, "expected": 40.0}
    assert order_anomalies(counts(row), NOW).alerts
    assert order_anomalies(counts(row).with_columns(spread=pl.lit(15.0)), NOW).alerts == ()


def test_a_spike_is_a_warning():
    assert said(order_anomalies(counts({"observed": 130.0}), NOW)) == [
        ("warning", "Orders have jumped: Amazon US, +210%")
    ]


def test_an_outage_of_the_channel_does_not_repeat_for_each_product():
    rows = [{"observed": 0.0}, *({"sku": f"S{i}", "observed": 0.0, "expected": 12.0} for i in range(20))]
    assert len(order_anomalies(counts(*rows), NOW).alerts) == 1


def test_a_single_delisted_product_is_seen_while_the_channel_sells():
    found = order_anomalies(counts({}, {"sku": "S1", "name": "Mug", "observed": 0.0, "expected": 15.0}), NOW)
    assert said(found) == [("warning", "No orders: Mug (S1) on Amazon US")]


def test_an_outage_of_all_channels_of_an_account_is_one_alert_with_the_sums():
    rows = [{"observed": 0.0}, {"observed": 0.0, "expected": 18.0, "channel": "amazon-ca", "channel_id": 2}]
    (alert,) = order_anomalies(counts(*rows), NOW).alerts
    assert alert.channels == ("amazon-ca", "amazon-us")
    assert (alert.facts["expected"], alert.channel_id) == (60.0, None)
    assert alert.fingerprint == "anomaly:amazon drop hour"


def test_a_product_that_is_most_of_the_drop_is_told_instead_of_its_channel():
    rows = [{"observed": 12.0}, {"sku": "S1", "name": "Mug", "observed": 0.0, "expected": 29.0}]
    assert said(order_anomalies(counts(*rows), NOW)) == [("warning", "No orders: Mug (S1) on Amazon US")]


def test_a_channel_without_its_sold_out_products_does_as_it_should():
    rows = [
        {"observed": 12.0},
        {"sku": "S1", "observed": 0.0, "expected": 29.0, "available": 0},
    ]
    frame = counts(*rows).with_columns(available=pl.Series([None, 0], dtype=pl.Int64))
    found = order_anomalies(frame, NOW)
    assert found.alerts == ()
    assert found.withheld[0].reason == "it is out of stock: the stock alert says so"


def test_a_trouble_that_is_over_does_not_go_on_in_the_longer_windows():
    rows = [
        {"hours": 1, "observed": 40.0, "expected": 42.0},
        {"hours": 6, "observed": 44.0, "expected": 250.0},
    ]
    assert order_anomalies(counts(*rows), NOW).alerts == ()
    (alert,) = order_anomalies(counts({**rows[0], "observed": 5.0}, rows[1]), NOW).alerts
    assert "44 orders in the 6 hours" in alert.message


def test_the_day_of_an_outage_is_not_told_again():
    day = {"period": "day", "observed": 100.0, "expected": 900.0}
    assert len(order_anomalies(counts(day), NOW).alerts) == 1
    found = order_anomalies(counts(day), NOW, told={"anomaly:amazon drop hour"})
    assert found.alerts == ()
    assert found.withheld[0].reason == "the hourly alert said it"


def test_the_frames_own_score_replaces_the_tail():
    frame = counts({"observed": 0.0}).with_columns(score=pl.lit(0.2))
    assert order_anomalies(frame, NOW).alerts == ()
    assert len(order_anomalies(frame.with_columns(score=pl.lit(0.97)), NOW).alerts) == 1


def test_stale_orders_are_no_drop():
    found = order_anomalies(counts({"observed": 0.0, "is_fresh": False}), NOW)
    assert found.alerts == ()
    assert found.judged == frozenset()
    assert found.withheld[0].reason == "the orders feed is stale"


@pytest.mark.parametrize(("observed", "expected"), [(0, 7.0), (3, 7.0), (12, 7.0), (60, 30.0), (1, 400.0)])
def test_tail_is_the_poisson_tail(observed, expected):
    law = stats.poisson(expected)
    truth = law.cdf(observed) if observed < expected else law.sf(observed - 1)
    assert tail(observed, expected) == pytest.approx(truth, rel=1e-6, abs=1e-12)


def test_tail_with_spread_is_the_negative_binomial_tail():
    law = stats.nbinom(20.0 / 2.0, 1 / 3.0)  # mean 20, variance 60
    assert tail(5, 20.0, 3.0) == pytest.approx(law.cdf(5), rel=1e-6)
    assert tail(45, 20.0, 3.0) == pytest.approx(law.sf(44), rel=1e-6)


def test_trending_products_are_good_news():
    row = {"sku": "S1", "name": "Mug", "observed": 84.0, "expected": 42.0, "start_at": None}
    (alert,) = trending_products(counts(row).with_columns(days=pl.lit(7)), NOW).alerts
    assert (alert.alert_type, alert.severity.value) == ("trending", "info")
    assert alert.title == "Trending: Mug (S1) on Amazon US, +100%"
    assert "84 orders in 7 days where about 42 are usual." in alert.message


def test_a_few_more_sales_are_no_trend():
    row = {"sku": "S1", "observed": 9.0, "expected": 4.0}
    assert trending_products(counts(row), NOW).alerts == ()


def freshness(minutes_ago):
    last = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    row = {"account": "walmart", "resource": "inventory", "last_sync_at": last, "every_minutes": 30}
    return pl.DataFrame([row], schema_overrides={"last_sync_at": pl.Datetime("us", "UTC")})


@pytest.mark.parametrize(
    ("minutes", "expected"), [(29, []), (89, []), (90, ["warning"]), (360, ["critical"]), (None, ["warning"])]
)
def test_feeds_go_stale_by_their_own_schedule(minutes, expected):
    assert [alert.severity.value for alert in stale_feeds(freshness(minutes), NOW).alerts] == expected


def test_a_stale_feed_says_since_when_and_what_to_do():
    (alert,) = stale_feeds(freshness(200), NOW).alerts
    assert alert.title == "Walmart inventory have not been synced"
    assert "Nov 21, 2026, 06:10 UTC; one is due every 30 minutes." in alert.message
    assert "`wharf doctor`" in alert.message


def test_refused_rows_need_number_and_rate():
    rows = [
        {"account": "amazon", "resource": "orders", "refused": 40, "rows": 1000},
        {"account": "shopify", "resource": "orders", "refused": 3, "rows": 30},
        {"account": "walmart", "resource": "orders", "refused": 40, "rows": 100_000},
    ]
    found = refused_rows(pl.DataFrame(rows))
    assert [alert.fingerprint for alert in found.alerts] == ["refused_rows:amazon orders"]
    assert len(found.judged) == 3


def test_reconciliation_tells_the_largest_gap_of_a_channel_once():
    figures = [(10.0, 10.0), (10.0, 12.5), (90.0, 12.5)]
    rows = [
        {"channel": "amazon-us", "channel_id": 1, "date": TODAY - timedelta(back), "measure": "revenue"}
        | {"expected": expected, "observed": observed}
        for back, (expected, observed) in enumerate(figures)
    ]
    (alert,) = reconciliation_differences(pl.DataFrame(rows)).alerts
    assert "On Nov 19, 2026 the warehouse holds 90.00, the published summary 12.50." in alert.message


def test_now_is_an_argument():
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert stale_feeds(freshness(5), later).alerts[0].severity.value == "critical"


def silence(expected, **row):
    """A stretch without orders beside the week it belongs to, which brings 700 orders."""
    since = {"hours": 3.5, "start_at": NOW - timedelta(hours=3.5), "observed": 0.0, "expected": expected}
    week = {"hours": 168.0, "observed": 700.0, "expected": 700.0}
    return counts({"is_quiet": False} | week | row, {"is_quiet": True} | since | row)


def test_silence_is_told_once_it_cannot_be_chance_for_so_many_orders():
    """3,000 orders a month are 3,000 stretches: one in ten months is longer than ln 30,000 = 10.3 orders."""
    assert firing(order_anomalies(silence(10.2), NOW)) == []
    (alert,) = order_anomalies(silence(10.4), NOW).alerts
    assert (alert.title, alert.severity.value) == ("No orders: Amazon US", "critical")
    assert alert.message.startswith(
        "The last order came Nov 21, 2026, 06:00 UTC; about 10 are usual since then."
    )


def test_how_often_silence_may_be_told_for_nothing_is_a_threshold():
    weekly = Thresholds(demand={"quiet_false_alarms": 4})
    assert firing(order_anomalies(silence(8.0), NOW)) == []
    assert len(firing(order_anomalies(silence(8.0), NOW, weekly))) == 1


def test_a_larger_merchant_waits_for_more_missing_orders_than_a_small_one():
    week = pl.when(pl.col("is_quiet")).then(pl.col("observed")).otherwise(70_000.0)
    large = silence(10.5).with_columns(observed=week, expected=pl.max_horizontal("expected", week))
    assert firing(order_anomalies(large, NOW)) == []
    assert firing(order_anomalies(silence(10.5), NOW))


def test_silence_without_the_sold_out_products_is_no_silence():
    mug = {"sku": "S1", "product_id": 7, "available": 0}
    hour = {"hours": 1.0, "is_quiet": False}
    rows = pl.concat(
        [
            silence(10.5),
            counts(
                hour | {"observed": 5.0, "expected": 10.0}, hour | mug | {"observed": 0.0, "expected": 6.0}
            ),
        ],
        how="diagonal_relaxed",
    )
    assert order_anomalies(rows, NOW).alerts == ()
    assert len(order_anomalies(rows.with_columns(available=pl.lit(9)), NOW).alerts) == 1


def test_silence_of_two_channels_of_an_account_adds_up():
    both = pl.concat([silence(11.3), silence(12.0, channel="amazon-ca", channel_id=2)])
    (alert,) = order_anomalies(both, NOW).alerts
    assert (alert.channels, alert.facts["expected"]) == (("amazon-ca", "amazon-us"), 23.3)
