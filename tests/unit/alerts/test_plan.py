"""Who hears of what, by which way and when, and why somebody does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.alert import Findings, Severity
from alerts.episodes import Episode, step
from alerts.errors import AlertConfigError
from alerts.plan import plan, plan_digests, plan_escalations
from alerts.routes import Recipient, Routes, load_routes, recipients_from_rows
from alerts.rules import stock_alerts
from tests.alerts_factories import NOW, applied, position, position_row, running_low, sold_out


def opened(*rows):
    return step([], stock_alerts(position(*rows), NOW), NOW).transitions


def ada(**known):
    return Recipient(
        **{"name": "Ada", "email": "ada@example.com", "phone": "+15551234567", "slack": "default"} | known
    )


def planned(transitions, *recipients, now=NOW):
    return plan(transitions, Routes(recipients=recipients), now)


def ways(result):
    return [(message.way, message.recipient) for message in result.messages]


def reasons(result):
    return [item.reason for item in result.unsent]


def test_critical_goes_every_way_and_a_warning_not_by_sms():
    assert ways(planned(opened(sold_out()), ada())) == [
        ("email", "ada@example.com"),
        ("sms", "+15551234567"),
        ("slack", "default"),
    ]
    assert ways(planned(opened(running_low()), ada())) == [("email", "ada@example.com"), ("slack", "default")]


def test_without_recipients_the_table_is_all_there_is_and_the_plan_says_so():
    assert reasons(planned(opened(sold_out()))) == ["no recipient is configured; it is in core.alerts"]


def test_planning_twice_gives_the_same_keys():
    first, second = (planned(opened(sold_out()), ada()) for _ in range(2))
    assert [m.idempotency_key for m in first.messages] == [m.idempotency_key for m in second.messages]
    assert len({m.idempotency_key for m in first.messages}) == 3


def test_a_later_episode_of_the_same_sku_has_other_keys():
    later = NOW + timedelta(days=3)
    again = step([], stock_alerts(position(sold_out()), later), later).transitions
    first, second = planned(opened(sold_out()), ada()), planned(again, ada(), now=later)
    assert not {m.idempotency_key for m in first.messages} & {m.idempotency_key for m in second.messages}


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"accounts": ("shopify",)}, "not one of their accounts"),
        ({"categories": ("Garden",)}, "not one of their categories"),
        ({"severities": ("warning",)}, "does not want critical"),
        ({"alert_types": ("anomaly",)}, "does not want stockout"),
        ({"ways": {"critical": ()}}, "no way to reach the recipient for critical"),
        (
            {"phone": None, "slack": None, "blocked": {"email": "bounced"}},
            "no way to reach the recipient for critical (email: bounced)",
        ),
    ],
)
def test_every_message_that_is_not_sent_has_its_reason(known, reason):
    result = planned(opened(sold_out()), ada(**known))
    assert result.messages == ()
    assert reasons(result) == [reason]


def test_info_waits_for_the_digest():
    info = position_row(available=60, order_quantity=150.0, days_of_cover=17.0)
    result = planned(opened(info), ada())
    assert result.messages == ()
    assert reasons(result) == ["it waits for the digest at 08:00 on monday"]
    daily = planned(opened(info), ada(advice_day=None))
    assert reasons(daily) == ["it waits for the digest at 08:00"]


def test_a_reorder_is_advice_for_the_digest_even_on_its_last_day():
    today = position_row(available=60, order_quantity=150.0, order_by_date=NOW.date(), days_of_cover=17.0)
    result = planned(opened(today), ada())
    assert [opened(today)[0].severity, result.messages] == ["warning", ()]


def test_many_at_once_become_one_digest_worst_first():
    rows = [running_low(f"LOW-{i}") for i in range(30)]
    rows += [sold_out(f"OUT-{i}", mean_daily=float(i + 1)) for i in range(40)]
    result = planned(opened(*rows), ada())
    assert ways(result) == [("email", "ada@example.com"), ("sms", "+15551234567"), ("slack", "default")]
    payload = result.messages[0].payload
    assert payload["kind"] == "digest"
    assert payload["counts"] == {"critical": 40, "warning": 30}
    assert [alert["facts"]["sku"] for alert in payload["alerts"][:2]] == ["OUT-39", "OUT-38"]
    assert len(payload["rows"]) == 70
    assert "rows" not in result.messages[1].payload


def test_5000_skus_out_at_once_are_three_messages():
    result = planned(opened(*(sold_out(f"S{i:04}") for i in range(5000))), ada())
    assert len(result.messages) == 3


def test_quiet_hours_defer_a_warning_and_critical_breaks_them():
    night = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)  # 23:30 in Berlin
    sleeper = ada(quiet_hours="22:00-07:00", timezone="Europe/Berlin")
    result = planned(opened(running_low()), sleeper, now=night)
    assert {m.not_before for m in result.messages} == {datetime(2026, 11, 22, 6, tzinfo=UTC)}
    assert reasons(result) == ["quiet hours: waits until 2026-11-22T06:00:00+00:00"]
    assert {m.not_before for m in planned(opened(sold_out()), sleeper, now=night).messages} == {night}
    never = sleeper.model_copy(update={"critical_breaks_quiet": False})
    assert planned(opened(sold_out()), never, now=night).messages[0].not_before > night


@pytest.mark.parametrize(
    ("now", "until"),
    [
        # the night of both clock changes in Berlin: 07:00 local stays 07:00 local
        (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
        (datetime(2026, 6, 1, 4, 59, tzinfo=UTC), datetime(2026, 6, 1, 5, tzinfo=UTC)),
        (datetime(2026, 6, 1, 5, 0, tzinfo=UTC), None),
    ],
)
def test_quiet_hours_end_by_the_recipients_clock(now, until):
    assert ada(quiet_hours="22:00-07:00", timezone="Europe/Berlin").quiet_until(now) == until


def test_an_all_clear_comes_only_where_it_was_asked_for_and_wakes_nobody():
    shop = applied([], opened(sold_out()), NOW)
    held = [replace(shop[0], facts={**shop[0].facts, "clear_since": NOW.isoformat()})]
    later = NOW + timedelta(hours=2)
    over = step(held, stock_alerts(position(position_row()), later), later).transitions
    assert [change.change for change in over] == ["resolved"]
    assert reasons(planned(over, ada(), now=later)) == ["it is resolved and no all-clear was asked for"]
    told = planned(over, ada(all_clear=True), now=later)
    assert [m.way for m in told.messages] == ["email", "slack"]
    assert told.messages[0].payload["kind"] == "all_clear"


def continued(row, **episode):
    held = [replace(applied([], opened(running_low()), NOW)[0], **episode)]
    later = NOW + timedelta(minutes=30)
    return step(held, stock_alerts(position(row), later), later).transitions, later


def test_snoozed_means_silence_until_it_gets_worse():
    until = NOW + timedelta(days=1)
    more = (running_low(), running_low(channel="walmart-us"))
    held = [replace(applied([], opened(running_low()), NOW)[0], snoozed_until=until)]
    later = NOW + timedelta(minutes=30)
    changes = step(held, stock_alerts(position(*more), later), later).transitions
    assert reasons(planned(changes, ada(), now=later)) == ["it is snoozed until 2026-11-22T09:30:00+00:00"]
    worse, later = continued(sold_out(available=3, days_of_cover=0.8), snoozed_until=until)
    assert [change.change for change in worse] == ["escalated"]
    assert len(planned(worse, ada(), now=later).messages) == 3


def test_an_address_a_provider_refuses_is_left_out_and_shown():
    routes = Routes(recipients=(ada(phone=None, slack=None),)).without({("email", "ada@example.com")})
    result = plan(opened(sold_out()), routes, NOW)
    assert reasons(result) == [
        "no way to reach the recipient for critical (email: the provider refuses this address)"
    ]


def test_acknowledged_is_heard_again_only_when_it_gets_worse():
    changes, later = continued(sold_out(available=3, days_of_cover=0.8), acknowledged_at=NOW)
    assert len(planned(changes, ada(), now=later).messages) == 3
    more = (running_low(), running_low(channel="walmart-us"))
    held = [replace(applied([], opened(running_low()), NOW)[0], acknowledged_at=NOW)]
    outcome = step(held, stock_alerts(position(*more), later), later)
    assert reasons(planned(outcome.transitions, ada(), now=later)) == ["it was acknowledged"]


def test_changed_figures_alone_are_no_message():
    changes, later = continued(running_low(available=39))
    assert [change.change for change in changes] == ["updated"]
    assert reasons(planned(changes, ada(), now=later)) == ["only its figures changed"]


def episode(kind="restock", severity="info", hours_ago=2.0, **known):
    return Episode(
        f"{kind}:S1", kind, Severity(severity), NOW - timedelta(hours=hours_ago), "title", "message",
        facts=stock_alerts(position(sold_out()), NOW).alerts[0].facts, **known,
    )  # fmt: skip


def test_the_digest_comes_at_the_recipients_hour_once_a_day():
    berlin = Routes(recipients=(ada(timezone="Europe/Berlin", digest_at="10:15", advice_day="saturday"),))
    early = plan_digests([episode()], berlin, NOW - timedelta(minutes=20))  # 10:10 in Berlin
    due = [plan_digests([episode()], berlin, NOW + timedelta(minutes=30 * i)) for i in range(3)]
    assert early.messages == ()
    assert [len(result.messages) for result in due] == [1, 1, 1]
    assert len({result.messages[0].idempotency_key for result in due}) == 1
    assert due[0].messages[0].fingerprint == "digest:Ada"


def test_advice_of_the_whole_week_is_told_on_its_day_and_on_no_other():
    routes = Routes(recipients=(ada(digest_at="09:00"),))
    reorder = episode(hours_ago=30)
    told = {day: plan_digests([reorder], routes, NOW + timedelta(days=day)).messages for day in range(5)}
    assert [day for day, messages in told.items() if messages] == [2]  # the Monday
    assert (
        plan_digests([reorder], routes, NOW + timedelta(days=9)).messages == ()
    )  # a week later it is no news


def test_what_got_worse_since_yesterday_is_news_of_the_day():
    routes = Routes(recipients=(ada(digest_at="09:00", digest_severities=("info", "warning")),))
    news = {"news_at": (NOW - timedelta(hours=2)).isoformat(), "news_severity": "warning"}
    low = episode("low_stock", "warning", hours_ago=90)
    assert plan_digests([low], routes, NOW).messages == ()
    assert len(plan_digests([replace(low, facts={**low.facts, **news})], routes, NOW).messages) == 1


def test_no_digest_without_news():
    routes = Routes(recipients=(ada(digest_at="09:00", advice_day=None),))
    old = episode(hours_ago=30)
    over = episode(resolved_at=NOW)
    assert plan_digests([old, over], routes, NOW).messages == ()


def test_nobody_acknowledged_so_somebody_else_hears():
    routes = Routes(recipients=(ada(escalate_to="Bo"), ada(name="Bo", email="bo@example.com", severities=())))
    waiting = episode("stockout", "critical", hours_ago=0.4)
    assert plan_escalations([waiting], routes, NOW).messages == ()
    late = episode("stockout", "critical", hours_ago=0.6)
    messages = plan_escalations([late], routes, NOW).messages
    assert {m.recipient for m in messages} == {"bo@example.com", "+15551234567", "default"}
    assert messages[0].payload["note"] == "Ada"
    taken = episode("stockout", "critical", hours_ago=0.6, acknowledged_at=NOW)
    assert plan_escalations([taken], routes, NOW).unsent[0].reason == "it was acknowledged"


def test_routes_from_a_file(tmp_path):
    file = tmp_path / "routes.toml"
    file.write_text(
        """
        [[recipients]]
        name = "Ada"
        email = "ada@example.com"
        accounts = ["amazon"]
        quiet_hours = "22:00-07:00"
        timezone = "Europe/Berlin"
        digest_at = "07:30"
        [recipients.ways]
        critical = ["email"]
        """
    )
    (recipient,) = load_routes(file).recipients
    assert recipient.ways_for(Severity.CRITICAL) == ("email",)
    assert recipient.ways_for(Severity.WARNING) == ("email",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('email = "not an address"', "not an e-mail address"),
        ('email = "a@b.co\\nBcc: x@y.z"', "not an e-mail address"),
        ('phone = "0151 1234"', r"\+15551234567"),
        ('email = "a@b.co"\ntimezone = "Berlin"', "not a time zone"),
        ('email = "a@b.co"\nquiet_hours = "10pm-7am"', "22:00-07:00"),
        ('email = "a@b.co"\nescalate_to = "Nobody"', "unknown recipient"),
        ('email = "a@b.co"\nwayz = 1', "wayz"),
        ("", "needs one of email, phone, slack, webhook"),
    ],
)
def test_a_wrong_routes_file_is_refused_with_its_mistake(tmp_path, line, says):
    file = tmp_path / "routes.toml"
    file.write_text(f'[[recipients]]\nname = "Ada"\n{line}\n')
    with pytest.raises(AlertConfigError, match=says):
        load_routes(file)


def test_recipients_from_rows_of_a_table():
    rows = [{"name": "Ada", "email": "ada@example.com", "phone": None, "severities": ["critical"]}]
    assert recipients_from_rows(rows)[0].severities == (Severity.CRITICAL,)
    with pytest.raises(AlertConfigError, match="recipients"):
        recipients_from_rows([{"name": "Ada"}])


def test_a_message_is_plain_values():
    message = planned(opened(sold_out()), ada()).messages[0]
    assert sorted(message.as_dict()) == sorted(
        "idempotency_key fingerprint way recipient severity payload not_before".split()
    )


def test_findings_add_up():
    both = Findings(judged=frozenset({"a"})) + Findings(judged=frozenset({"b"}))
    assert both.judged == {"a", "b"}
