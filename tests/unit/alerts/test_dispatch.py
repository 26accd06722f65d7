"""What dispatch decides, with senders that answer as told: waits, look-ups, hand-over, never twice."""

from datetime import timedelta

from alerts.dispatch import DeliveryPolicy, Health, backoff, deliver, follow_up
from alerts.senders import Delivery, Outgoing
from tests.alerts_factories import NOW

POLICY = DeliveryPolicy()


class Post:
    """A provider that gives the next of its answers, and remembers what it was asked."""

    def __init__(self, way, *answers, found=None, repeatable=False):
        self.way, self.answers, self.found, self.repeatable = way, list(answers), found, repeatable
        self.sent, self.asked = [], []

    def send(self, message, now):
        self.sent.append(message.idempotency_key)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def look_up(self, message, now):
        self.asked.append(message.idempotency_key)
        return self.found

    def status(self, provider_id):
        return None


def row(way="email", **known):
    payload = {
        "kind": "alert",
        "alerts": [{"fingerprint": "stockout:MUG-01"}],
        "also": known.pop("also", []),
        "fallbacks": known.pop("fallbacks", []),
    }
    base = {
        "idempotency_key": "k1", "way": way, "recipient": "ada@example.com", "severity": "critical",
        "payload": payload, "created_at": NOW, "attempts": 1,
    }  # fmt: skip
    return base | known


def one(message, *senders, now=NOW, **known):
    (result,) = deliver([message], {sender.way: sender for sender in senders}, now, **known)
    return result


LOST = Delivery("unknown", error="TimeoutError", provider_down=True)
DOWN = Delivery("retry", error="503", provider_down=True)
OK = Delivery("accepted", provider_id="p1")


def test_accepted_is_stored_with_the_providers_id():
    result = one(row(), Post("email", OK))
    assert (result.state, result.provider_id) == ("accepted", "p1")


def test_a_busy_provider_is_left_alone_as_long_as_it_asks():
    email = Post("email", Delivery("retry", error="429", retry_after_seconds=90))
    health = {}
    first = one(row(), email, health=health)
    assert first.state == "pending"
    assert first.retry_at == NOW + timedelta(seconds=90)
    second = one(row(idempotency_key="k2"), email, now=NOW + timedelta(seconds=30), health=health)
    assert (second.state, second.attempted) == ("pending", False)
    assert email.sent == ["k1"]


def test_waits_double_with_jitter_and_end_at_a_ceiling():
    waits = [backoff(attempt, POLICY, None, "k").total_seconds() for attempt in range(1, 15)]
    assert 10 <= waits[0] <= 20
    assert 900 <= waits[-1] <= 1800
    assert len({backoff(3, POLICY, None, key) for key in "abcdef"}) > 3
    assert backoff(1, POLICY, 600, "k") == timedelta(seconds=600)


def test_an_sms_without_an_answer_is_looked_up_at_once():
    sms = Post("sms", LOST, found=OK)
    assert one(row("sms"), sms).state == "accepted"
    assert sms.asked == ["k1"]


def test_an_sms_nobody_can_account_for_is_looked_up_before_it_is_sent_again():
    sms = Post("sms", LOST, found=Delivery("retry"))
    first = one(row("sms"), sms)
    assert (first.state, first.error) == ("pending", "outcome unknown: TimeoutError")
    sms.found = OK
    again = row("sms", attempts=2, last_error=first.error)
    assert one(again, sms, now=first.retry_at).state == "accepted"
    assert sms.sent == ["k1"]


def test_an_sms_the_provider_never_got_is_sent_again():
    sms = Post("sms", OK, found=Delivery("retry"))
    assert one(row("sms", attempts=2, last_error="outcome unknown: x"), sms).state == "accepted"
    assert sms.sent == ["k1"]


def test_while_the_provider_cannot_be_asked_nothing_is_sent():
    sms = Post("sms", OK, found=None)
    result = one(row("sms", attempts=2, last_error="outcome unknown: x"), sms)
    assert (result.state, sms.sent) == ("pending", [])
    assert result.retry_at > NOW


def test_a_sender_that_died_after_claiming_is_looked_up_too():
    assert Outgoing.from_row(row(attempts=2, last_error=None)).maybe_sent
    assert Outgoing.from_row(row(attempts=2, last_error="429", previous_state="sending")).maybe_sent
    assert not Outgoing.from_row(row(attempts=2, last_error="429")).maybe_sent
    sms = Post("sms", OK, found=OK)
    assert one(row("sms", attempts=2), sms).state == "accepted"
    assert sms.sent == []


def test_an_email_of_unknown_outcome_is_repeated_once_if_critical():
    email = Post("email", LOST)
    first = one(row(), email)
    assert (first.state, first.retry_at) == ("pending", NOW + POLICY.unknown_wait)
    second = one(row(attempts=2, last_error=first.error), email, now=first.retry_at)
    assert (second.state, second.retry_at) == ("unknown", None)
    assert email.sent == ["k1", "k1"]
    third = one(row(attempts=3, last_error=second.error), email)
    assert (third.state, len(email.sent)) == ("unknown", 2)


def test_an_email_of_unknown_outcome_is_not_repeated_for_a_warning():
    email = Post("email", LOST)
    assert one(row(severity="warning"), email).state == "unknown"
    died = one(row(severity="warning", attempts=2), email)
    assert (died.state, died.attempted) == ("unknown", False)
    assert email.sent == ["k1"]


def test_a_repeatable_way_just_sends_again():
    hook = Post("webhook", LOST, repeatable=True)
    assert one(row("webhook"), hook).state == "pending"
    hook.answers = [Delivery("delivered")]
    assert one(row("webhook", attempts=2), hook).state == "delivered"


FALLBACK = [{"way": "sms", "recipient": "+15551234567"}, {"way": "slack", "recipient": "default"}]


def test_a_provider_down_for_five_minutes_hands_over_to_the_next_way():
    email, sms = Post("email", DOWN), Post("sms", OK)
    health: dict[str, Health] = {}
    early = one(row(fallbacks=FALLBACK), email, sms, health=health)
    assert (early.state, early.takeover) == ("pending", None)
    late = NOW + timedelta(minutes=5)
    result = one(row(fallbacks=FALLBACK, attempts=2, last_error="503"), email, sms, now=late, health=health)
    assert result.state == "undelivered"
    assert result.error == "handed over to sms: 503"
    assert (result.takeover.way, result.takeover.recipient) == ("sms", "+15551234567")
    assert result.takeover.not_before == late
    assert result.takeover.payload["fallbacks"] == FALLBACK[1:]


def test_what_another_way_carries_anyway_is_not_handed_over():
    health = {"email": Health(failing_since=NOW - timedelta(minutes=9), last_failure_at=NOW)}
    result = one(
        row(also=["slack"], fallbacks=FALLBACK),
        Post("email", DOWN),
        Post("sms", OK),
        Post("slack", OK),
        health=health,
    )
    assert (result.state, result.takeover) == ("pending", None)


def test_a_provider_that_is_down_is_probed_once_a_minute():
    email = Post("email", DOWN)
    health = {
        "email": Health(failing_since=NOW - timedelta(minutes=9), last_failure_at=NOW - timedelta(seconds=30))
    }
    assert one(row(), email, health=health).attempted is False
    assert one(row(), email, now=NOW + timedelta(seconds=31), health=health).attempted is True
    email.answers = [OK]
    assert one(row(), email, now=NOW + timedelta(seconds=120), health=health).state == "accepted"
    assert health["email"].failing_since is None


def test_health_survives_between_runs():
    health = Health(failing_since=NOW, last_failure_at=NOW)
    assert Health.from_dict(health.as_dict()) == health


def test_a_refused_message_goes_the_next_way_and_the_address_is_noted():
    email = Post("email", Delivery("rejected", error="opted out", suppress=True))
    result = one(row(fallbacks=FALLBACK), email, Post("slack", OK))
    assert (result.state, result.suppress) == ("undelivered", True)
    assert result.takeover.way == "slack"


def test_a_way_that_is_not_configured_says_so():
    result = one(row("sms"))
    assert (result.state, result.error) == ("undelivered", "sms is not configured")


def test_what_was_resolved_meanwhile_is_not_sent_late():
    email = Post("email", OK)
    result = one(row(), email, resolved={"stockout:MUG-01"})
    assert (result.state, result.error, email.sent) == ("cancelled", "resolved before it was sent", [])


def test_the_all_clear_itself_is_sent():
    message = row()
    message["payload"]["kind"] = "all_clear"
    assert one(message, Post("email", OK), resolved={"stockout:MUG-01"}).state == "accepted"


def test_an_unclear_sms_is_looked_up_even_when_it_is_over():
    sms = Post("sms", OK, found=Delivery("retry"))
    assert one(row("sms", attempts=2), sms, resolved={"stockout:MUG-01"}).state == "cancelled"
    assert (sms.asked, sms.sent) == (["k1"], [])


def test_it_gives_up_after_a_day():
    result = one(row(attempts=40, last_error="503"), Post("email", DOWN), now=NOW + timedelta(hours=25))
    assert (result.state, result.error) == ("undelivered", "gave up: 503")


def test_the_worst_goes_first():
    email = Post("email", OK)
    rows = [
        row(idempotency_key=f"{severity}", severity=severity) for severity in ("info", "warning", "critical")
    ]
    deliver(rows, {"email": email}, NOW)
    assert email.sent == ["critical", "warning", "info"]


def test_accepted_messages_are_followed_up_where_the_provider_can_be_asked():
    class Asked(Post):
        def status(self, provider_id):
            return {"p1": Delivery("delivered", "p1"), "p2": Delivery("rejected", "p2", "30003"), "p3": OK}[
                provider_id
            ]

    rows = [{"way": "sms", "idempotency_key": f"k{n}", "provider_id": f"p{n}"} for n in (1, 2, 3)]
    rows.append({"way": "email", "idempotency_key": "k4", "provider_id": "p4"})
    told = follow_up(rows, {"sms": Asked("sms", OK), "email": Post("email", OK)})
    assert [(r.idempotency_key, r.state, r.error) for r in told] == [
        ("k1", "delivered", None),
        ("k2", "undelivered", "30003"),
    ]


def test_a_result_is_plain_values():
    result = one(row(fallbacks=FALLBACK), Post("email", Delivery("rejected", error="no")), Post("sms", OK))
    assert result.as_dict()["takeover"]["way"] == "sms"
