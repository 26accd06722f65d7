"""Episodes and messages are stored together; a message is claimed by one sender and never forgotten."""

import threading
from datetime import timedelta

import pytest

from tests.warehouse_factories import HOUR, T0
from warehouse import alerts, outbox

MINUTE = timedelta(minutes=1)


def transition(change="opened", **over):
    return {
        "fingerprint": "stockout:S1",
        "change": change,
        "alert_type": "stockout",
        "severity": "warning",
        "product_id": None,
        "channel_id": None,
        "title": "S1 is out",
        "message": "Order 5",
        "action_url": None,
        "facts": {"available": 0},
        **over,
    }


def message(key="m1", **over):
    return {
        "idempotency_key": key,
        "fingerprint": "stockout:S1",
        "way": "email",
        "recipient": "buyer",
        "severity": "warning",
        "payload": {"title": "S1 is out"},
        "not_before": None,
        **over,
    }


def test_an_episode_opens_once_escalates_and_ends(loader):
    engine = loader.engine
    ids = alerts.apply(engine, [transition()], [message()], T0)
    assert alerts.apply(engine, [transition()], [message()], T0 + HOUR) == ids

    alerts.acknowledge(engine, ids["stockout:S1"])
    alerts.apply(engine, [transition("escalated", severity="critical")], [], T0 + HOUR)
    assert loader.rows("SELECT severity, state, resolved_at, facts FROM core.alerts") == [
        ("critical", "open", None, {"available": 0})
    ]
    alerts.apply(engine, [transition("resolved")], [], T0 + 2 * HOUR)
    assert loader.one("SELECT state, resolved_at FROM core.alerts") == ("resolved", T0 + 2 * HOUR)

    again = alerts.apply(engine, [transition()], [], T0 + 3 * HOUR)
    assert again != ids
    assert loader.one("SELECT count(*) FROM core.alerts") == 2
    assert alerts.listed(engine)["id"].to_list() == list(again.values())
    assert alerts.listed(engine, everything=True).height == 2


def test_open_episodes_come_back_as_they_went(loader):
    alerts.apply(loader.engine, [transition()], [], T0)
    (row,) = alerts.open_episodes(loader.engine).iter_rows(named=True)
    assert {name: row[name] for name in transition() if name != "change"} == {
        name: value for name, value in transition().items() if name != "change"
    }
    assert row["opened_at"] == T0


def test_episodes_and_messages_are_stored_together_or_not_at_all(loader):
    with pytest.raises(Exception, match="null value"):
        alerts.apply(loader.engine, [transition()], [message(way=None)], T0)
    assert loader.one("SELECT count(*) FROM core.alerts") == 0


def test_snoozing_and_acknowledging_what_is_not_open_is_refused(loader):
    ids = alerts.apply(loader.engine, [transition()], [], T0)
    until = alerts.snooze(loader.engine, ids["stockout:S1"], hours=2)
    assert loader.one("SELECT state, snoozed_until FROM core.alerts") == ("snoozed", until)
    with pytest.raises(alerts.UnknownAlertError, match="77"):
        alerts.acknowledge(loader.engine, 77)


def test_messages_are_claimed_when_due_worst_first_and_once(loader):
    queued = [
        message("later", not_before=T0 + HOUR),
        message("mild", severity="info"),
        message("bad", severity="critical"),
    ]
    alerts.apply(loader.engine, [transition()], queued, T0)
    claimed: list[str] = []

    def claim():
        claimed.extend(row["idempotency_key"] for row in outbox.claim_due(loader.engine, T0, limit=1))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == ["bad", "mild"]
    assert next(row["idempotency_key"] for row in outbox.claim_due(loader.engine, T0 + HOUR)) == "bad"


def test_a_message_whose_sender_died_comes_again_and_says_so(loader):
    alerts.apply(loader.engine, [transition()], [message()], T0)
    (first,) = outbox.claim_due(loader.engine, T0)
    assert (first["previous_state"], first["attempts"]) == ("pending", 1)
    assert outbox.claim_due(loader.engine, T0 + MINUTE) == []
    (second,) = outbox.claim_due(loader.engine, T0 + 3 * MINUTE)
    assert (second["previous_state"], second["attempts"]) == ("sending", 2)


def test_what_became_of_messages_is_stored_with_the_one_that_takes_over(loader):
    engine = loader.engine
    alerts.apply(engine, [transition()], [message("a"), message("b"), message("c")], T0)
    rows = {row["idempotency_key"]: row for row in outbox.claim_due(engine, T0)}
    outbox.mark(engine, rows["a"]["id"], "accepted", now=T0, provider_id="sg-1")
    outbox.mark(
        engine,
        rows["b"]["id"],
        "undelivered",
        now=T0,
        error="blocked",
        takeover=message("b-sms", way="sms"),
    )
    outbox.settle(
        engine,
        [
            {
                "idempotency_key": "c",
                "state": "pending",
                "retry_at": T0 + HOUR,
                "attempted": False,
                "suppress": True,
            }
        ],
        T0,
    )

    assert loader.rows("SELECT idempotency_key, state, attempts, provider_id FROM ops.outbox ORDER BY 1") == [
        ("a", "accepted", 1, "sg-1"),
        ("b", "undelivered", 1, None),
        ("b-sms", "pending", 0, None),
        ("c", "pending", 0, None),
    ]
    assert [row["provider_id"] for row in outbox.accepted(engine, ["email"], T0)] == ["sg-1"]
    assert outbox.suppressed(engine) == {("email", "buyer")}
    assert outbox.claim_due(engine, T0)[0]["idempotency_key"] == "b-sms"


def test_messages_about_what_ended_are_known(loader):
    other = {"fingerprint": "stockout:S2"}
    alerts.apply(loader.engine, [transition(), transition(**other)], [message(), message("m2", **other)], T0)
    assert outbox.resolved(loader.engine) == set()
    alerts.apply(loader.engine, [transition("resolved")], [], T0 + HOUR)
    assert outbox.resolved(loader.engine) == {"stockout:S1"}


def test_what_is_known_of_providers_is_kept(loader):
    outbox.save_health(loader.engine, {"email": {"failing_since": "2026-03-02T12:00:00+00:00"}}, T0)
    outbox.save_health(loader.engine, {"email": {}}, T0)
    assert outbox.health(loader.engine) == {"email": {}}
