"""Episodes: opened once, escalated once, over only when it is really over."""

import random
from datetime import timedelta

import polars as pl

from alerts.alert import Findings
from alerts.data_rules import stale_feeds
from alerts.episodes import Episode, Policy, step
from alerts.rules import stock_alerts
from tests.alerts_factories import NOW, applied, nearly_out, position, position_row, running_low, sold_out


class Watch:
    """A merchant's shop seen run after run, as the warehouse would hold its episodes."""

    def __init__(self):
        self.now = NOW
        self.episodes: list[Episode] = []
        self.told: list[tuple[str, str, str]] = []

    def sees(self, *rows, minutes=30, also: Findings | None = None):
        self.now += timedelta(minutes=minutes)
        findings = stock_alerts(position(*rows), self.now)
        outcome = step(self.episodes, findings + also if also else findings, self.now)
        self.episodes = applied(self.episodes, outcome.transitions, self.now)
        news = [
            (t.change, t.alert_type, t.severity)
            for t in outcome.transitions
            if t.change != "updated" or t.facts.get("new_channels")
        ]
        self.told += news
        self.last = outcome
        return news

    def open(self):
        return sorted(e.fingerprint for e in self.episodes if e.resolved_at is None)


def test_another_channel_of_the_sku_that_only_has_to_be_reordered_is_told_once_and_quietly():
    shop, shelf = Watch(), position_row(channel="walmart-us", available=60, days_of_cover=17.0)
    due = shelf | {"order_quantity": 150.0}
    shop.sees(nearly_out(), shelf)
    assert shop.sees(nearly_out(), due) == [("updated", "low_stock", "critical")]
    (change,) = shop.last.transitions
    assert (change.facts["new_channels"], change.facts["news_severity"]) == (["walmart-us"], "info")
    assert change.facts["channels"] == ["amazon-us"]
    assert "Also low: Walmart US, order 150." in change.message
    assert shop.sees(nearly_out(), shelf) == shop.sees(nearly_out(), due) == []
    assert shop.sees(nearly_out(), running_low(channel="walmart-us")) == [
        ("updated", "low_stock", "critical")
    ]


def test_a_channel_that_was_well_for_a_week_is_news_again():
    shop, well = Watch(), position_row(channel="walmart-us")
    shop.sees(nearly_out(), running_low(channel="walmart-us"))
    shop.sees(nearly_out(), well)
    assert shop.sees(nearly_out(), running_low(channel="walmart-us"), minutes=3 * 1440) == []
    shop.sees(nearly_out(), well)
    again = shop.sees(nearly_out(), running_low(channel="walmart-us"), minutes=8 * 1440)
    assert again == [("updated", "low_stock", "critical")]


def test_a_channel_that_wavers_beside_a_worse_one_has_not_left_its_state():
    """Between 14 days and 15.4 it is in no state of its own; what was told of it still holds."""
    shop, low = Watch(), running_low(channel="walmart-us", order_quantity=0.0)
    shop.sees(nearly_out(), low)
    shop.sees(nearly_out(), low | {"days_of_cover": 14.8})
    facts = shop.last.transitions[0].facts
    assert (facts["held"], facts["told_states"]["walmart-us"]) == (["walmart-us"], ["warning", None])
    shop.sees(nearly_out(), low | {"days_of_cover": 30.0})
    assert shop.last.transitions[0].facts["told_states"]["walmart-us"][1] is not None


def test_an_episode_opens_once():
    shop = Watch()
    assert shop.sees(running_low()) == [("opened", "low_stock", "warning")]
    assert shop.sees(running_low()) == []
    assert "already open since" in shop.last.suppressed[0].reason


def test_the_same_evaluation_twice_changes_nothing():
    findings = stock_alerts(position(running_low()), NOW)
    once = step([], findings, NOW)
    again = step(applied([], once.transitions, NOW), findings, NOW)
    assert again.transitions == ()


def test_it_escalates_once_and_never_back():
    shop = Watch()
    shop.sees(running_low())
    assert shop.sees(nearly_out()) == [("escalated", "low_stock", "critical")]
    for _ in range(5):
        assert shop.sees(running_low(days_of_cover=7.2)) == []
        assert shop.sees(running_low(days_of_cover=6.8)) == []
    assert shop.episodes[0].severity == "critical"


def test_a_new_channel_in_trouble_is_news():
    shop = Watch()
    shop.sees(sold_out(), position_row(channel="walmart-us"))
    assert shop.sees(sold_out(), sold_out(channel="walmart-us")) == [("updated", "stockout", "critical")]
    assert shop.last.transitions[0].facts["new_channels"] == ["walmart-us"]


def test_a_stockout_silences_low_stock_of_the_same_sku():
    shop = Watch()
    shop.sees(nearly_out())
    assert shop.sees(sold_out()) == [
        ("opened", "stockout", "critical"),
        ("resolved", "low_stock", "critical"),
    ]
    assert shop.last.transitions[1].facts["quiet"] is True
    assert shop.open() == ["stockout:MUG-01"]


def test_it_is_over_only_after_it_was_clear_for_a_while():
    shop = Watch()
    shop.sees(sold_out())
    assert shop.sees(position_row()) == []
    assert shop.sees(position_row(), minutes=30) == []
    assert shop.sees(position_row(), minutes=30) == [("resolved", "stockout", "critical")]
    assert shop.open() == []


def test_inside_the_band_the_episode_goes_on():
    shop = Watch()
    shop.sees(running_low(days_of_cover=13.0))
    for _ in range(20):
        assert shop.sees(position_row(available=58, days_of_cover=14.8)) == []
    assert shop.open() == ["low_stock:MUG-01"]


def test_a_stock_that_flaps_at_random_for_a_week_is_five_messages():
    chance = random.Random(6)
    shop = Watch()
    for _ in range(48 * 7):  # half hours, in and out of stock at random: 168 times out
        shop.sees(sold_out() if chance.random() < 0.5 else position_row())
    assert [change for change, _, _ in shop.told] == ["opened", "resolved", "opened", "resolved", "opened"]


def test_a_stock_that_flaps_every_half_hour_is_one_message():
    shop = Watch()
    for turn in range(48 * 7):
        shop.sees(sold_out() if turn % 2 else position_row())
    assert shop.told == [("opened", "stockout", "critical")]


def test_after_it_ended_the_same_is_not_news_for_a_while():
    shop = Watch()
    shop.sees(sold_out())
    shop.sees(position_row())
    shop.sees(position_row(), minutes=60)
    assert shop.open() == []
    assert shop.sees(sold_out(), minutes=30) == []
    assert "quiet until" in shop.last.suppressed[0].reason
    assert shop.sees(sold_out(), minutes=120) == [("opened", "stockout", "critical")]


def test_worse_than_before_breaks_the_cool_down():
    shop = Watch()
    shop.sees(running_low())
    shop.sees(position_row())
    assert shop.sees(position_row(), minutes=180) == [("resolved", "low_stock", "warning")]
    assert shop.sees(nearly_out()) == [("opened", "low_stock", "critical")]


def test_an_unconfirmed_answer_ends_nothing():
    shop = Watch()
    shop.sees(sold_out())
    for _ in range(10):
        assert shop.sees(position_row(is_confirmed=False)) == []
    assert shop.open() == ["stockout:MUG-01"]


def test_a_missing_sku_ends_nothing_until_it_is_forgotten():
    shop = Watch()
    shop.sees(sold_out())
    assert shop.sees(position_row("OTHER"), minutes=60 * 24) == []
    assert shop.sees(position_row("OTHER"), minutes=60 * 24 * 14) == [("resolved", "stockout", "critical")]
    assert "could not be judged" in shop.episodes[0].facts["resolution"]


def test_an_old_episode_is_not_forgotten_for_one_run_without_its_sku():
    shop = Watch()
    shop.sees(sold_out())
    shop.sees(sold_out(), minutes=60 * 24 * 30)
    assert shop.sees(position_row("OTHER")) == []
    assert shop.sees(sold_out()) == []
    assert shop.episodes[0].facts.get("unjudged_since") is None


def test_facts_may_come_as_json_text():
    row = {
        "fingerprint": "f",
        "alert_type": "stockout",
        "severity": "critical",
        "opened_at": NOW,
        "facts": '{"a": 1}',
    }
    assert Episode.from_row(row).facts == {"a": 1}


def stale(account, now):
    row = {
        "account": account,
        "resource": "inventory",
        "last_sync_at": now - timedelta(hours=3),
        "every_minutes": 30,
    }
    return stale_feeds(pl.DataFrame([row]), now)


def test_a_stale_feed_silences_what_is_computed_from_it_and_says_so_itself():
    shop = Watch()
    news = shop.sees(sold_out(), also=stale("amazon", NOW + timedelta(minutes=30)))
    assert news == [("opened", "data_stale", "warning")]
    reasons = {item.fingerprint: item.reason for item in shop.last.suppressed}
    assert reasons["stockout:MUG-01"] == "the inventory feed of amazon is stale"


def test_a_stale_feed_does_not_silence_another_account():
    shop = Watch()
    news = shop.sees(sold_out(channel="shopify-harbor"), also=stale("amazon", NOW + timedelta(minutes=30)))
    assert ("opened", "stockout", "critical") in news


def test_an_open_episode_survives_its_feed_going_stale():
    shop = Watch()
    shop.sees(sold_out())
    shop.sees(sold_out(is_fresh=False), also=stale("amazon", NOW + timedelta(minutes=60)), minutes=30)
    assert "stockout:MUG-01" in shop.open()


def test_three_stale_channels_give_three_messages_and_no_stock_alert():
    shop = Watch()
    at = NOW + timedelta(minutes=30)
    also = stale("amazon", at) + stale("shopify", at) + stale("walmart", at)
    channels = ("amazon-us", "shopify-harbor", "walmart-us")
    rows = [sold_out(f"S{i}", channel, is_fresh=False) for i in range(200) for channel in channels]
    assert shop.sees(*rows, also=also) == [("opened", "data_stale", "warning")] * 3


def test_a_patient_policy_is_only_a_setting():
    policy = Policy(clear_for={"stockout": timedelta(0)})
    opened = step([], stock_alerts(position(sold_out()), NOW), NOW, policy)
    held = applied([], opened.transitions, NOW)
    later = NOW + timedelta(minutes=30)
    outcome = step(held, stock_alerts(position(position_row()), later), later, policy)
    assert [t.change for t in outcome.transitions] == ["resolved"]


def test_a_transition_is_plain_values():
    (transition,) = step([], stock_alerts(position(sold_out()), NOW), NOW).transitions
    assert sorted(transition.as_dict()) == sorted(
        "fingerprint change alert_type severity product_id channel_id title message action_url facts".split()
    )
    assert type(transition.as_dict()["severity"]) is str


def test_5000_skus_out_at_once_are_5000_episodes():
    rows = [sold_out(f"S{i:04}") for i in range(5000)]
    assert len(step([], stock_alerts(position(*rows), NOW), NOW).transitions) == 5000
