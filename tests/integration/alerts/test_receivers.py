"""Real HTTP through the official libraries to the local receivers: accepted, refused, lost, late, never twice."""

import email
import email.policy
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from alerts.dispatch import DeliveryPolicy, deliver
from alerts.episodes import step
from alerts.plan import plan
from alerts.receivers.app import TWILIO_FROM, create_app, environment, server
from alerts.routes import Recipient, Routes
from alerts.rules import stock_alerts
from alerts.senders import senders_for
from alerts.settings import AlertSettings
from alerts.text import sms_segments
from tests.alerts_factories import NOW, charted, nearly_out, position, sold_out


class Receivers:
    """A running server, its app for scripting faults, and senders that point at it."""

    def __init__(self, inbox: Path) -> None:
        self.app = create_app(inbox, sms_pace=timedelta(0))
        self.inbox = inbox
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = server(self.app, self.port)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    @property
    def faults(self):
        return self.app.state.faults

    def of(self, way):
        return self.app.state.ledger.of(way)

    def senders(self, **changed):
        values = {key.lower(): value for key, value in environment(self.url).items()} | changed
        return senders_for(AlertSettings(_env_file=None, **values), lambda: datetime.now(UTC))

    def stop(self):
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture
def receivers(tmp_path):
    running = Receivers(tmp_path / "inbox")
    yield running
    running.stop()


def messages(*rows, **recipient):
    """Planned messages of stock alerts, as rows claimed from the outbox for the first time."""
    found = stock_alerts(position(*rows), NOW)
    changes = step([], found, NOW).transitions
    known = {
        "name": "Ada",
        "email": "ada@example.com",
        "phone": "+15551234567",
        "slack": "default",
        "webhook": "default",
    }
    routes = Routes(recipients=(Recipient(**known | recipient),))
    planned = plan(changes, routes, NOW).messages
    return {m.way: claimed(m) for m in planned}


def claimed(message, **known):
    row = message.as_dict()
    row["payload"] = json.loads(json.dumps(row["payload"]))
    return row | {"attempts": 1, "created_at": datetime.now(UTC) - timedelta(seconds=5)} | known


def send(row, senders, **known):
    (result,) = deliver([row], senders, datetime.now(UTC), **known)
    return result


def test_one_alert_by_every_way(receivers):
    rows = messages(sold_out())
    results = deliver(rows.values(), receivers.senders(), datetime.now(UTC))
    assert sorted(result.state for result in results) == ["accepted", "delivered", "delivered", "delivered"]
    assert {entry.way: entry.title for entry in receivers.app.state.ledger.entries}["email"] == (
        "[Critical] Out of stock: Blue stoneware mug (MUG-01) on Amazon US"
    )
    (sms,) = receivers.of("sms")
    assert (sms.to, sms.details["from"], sms.details["segments"]) == ("+15551234567", TWILIO_FROM, 2)


def test_the_email_on_the_wire_is_whole(receivers):
    alert = charted(nearly_out())[0]
    rows = messages(nearly_out())
    rows["email"]["payload"]["alerts"][0]["facts"]["chart"] = alert.facts["chart"]
    assert send(rows["email"], receivers.senders()).state == "accepted"
    (entry,) = receivers.of("email")
    kept = {Path(name).suffix: receivers.inbox / name for name in entry.files}
    mail = email.message_from_bytes(kept[".eml"].read_bytes(), policy=email.policy.default)
    kinds = [part.get_content_type() for part in mail.walk()]
    assert {"text/plain", "text/html", "image/png"} <= set(kinds)
    assert mail["X-Entity-Ref-ID"] == rows["email"]["idempotency_key"]
    assert entry.details["custom_args"]["message_key"] == rows["email"]["idempotency_key"]
    assert "data:image/png;base64," in kept[".html"].read_text()
    assert kept[".png"].read_bytes().startswith(b"\x89PNG")


def test_crlf_in_a_title_adds_no_header(receivers):
    rows = messages(sold_out(name="Mug\r\nBcc: everyone@example.com\r\n\r\nhello"))
    assert send(rows["email"], receivers.senders()).state == "accepted"
    (entry,) = receivers.of("email")
    eml = next(name for name in entry.files if name.endswith(".eml"))
    mail = email.message_from_bytes((receivers.inbox / eml).read_bytes(), policy=email.policy.default)
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize("way", ["email", "sms", "slack", "webhook"])
@pytest.mark.parametrize(
    ("fault", "state", "says"),
    [("throttle", "pending", "429"), ("error", "pending", "500"), ("unauthorized", "pending", "401")],
)
def test_what_waiting_can_help_is_tried_again(receivers, way, fault, state, says):
    provider = {"email": "sendgrid", "sms": "twilio"}.get(way, way)
    receivers.faults.plan(provider, fault, seconds=7)
    row = messages(sold_out())[way]
    senders = receivers.senders()
    before = datetime.now(UTC)
    result = send(row, senders)
    if (way, fault) == ("slack", "unauthorized"):  # Slack's invalid_token is for good
        assert (result.state, result.suppress) == ("undelivered", True)
        return
    assert result.state == state
    assert says in result.error
    if fault == "throttle" and way != "sms":  # the official Twilio exception carries no headers
        assert result.retry_at >= before + timedelta(seconds=7)
    assert send(row | {"attempts": 2, "last_error": result.error}, senders).state in {"accepted", "delivered"}
    assert len(receivers.of(way)) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15005550001", "21211"),
        ("+15005550002", "21612"),
        ("+15005550003", "21408"),
        ("+15005550004", "21610"),
        ("+15005550009", "21614"),
    ],
)
def test_twilios_test_numbers_are_permanent(receivers, number, code):
    result = send(
        messages(sold_out(), phone=number, email=None, slack=None, webhook=None)["sms"], receivers.senders()
    )
    assert result.state == "undelivered"
    assert code in result.error
    assert result.suppress is (code in {"21211", "21610", "21614"})


def test_a_full_queue_at_twilio_is_tried_again(receivers):
    row = messages(sold_out())["sms"]
    result = send(row, receivers.senders(twilio_from="+15005550008"))
    assert (result.state, "21611" in result.error) == ("pending", True)


def test_an_sms_whose_answer_was_lost_is_found_and_not_sent_twice(receivers):
    receivers.faults.plan("twilio", "reset")
    row = messages(sold_out())["sms"]
    result = send(row, receivers.senders())
    assert (result.state, result.provider_id) == ("delivered", receivers.of("sms")[0].provider_id)
    assert len(receivers.of("sms")) == 1


def test_an_sms_whose_answer_and_look_up_were_lost_is_found_later(receivers):
    receivers.faults.plan("twilio", "reset")
    receivers.faults.plan("twilio_list", "error")
    row = messages(sold_out())["sms"]
    senders = receivers.senders()
    first = send(row, senders)
    assert (first.state, first.error[:15]) == ("pending", "outcome unknown")
    again = send(row | {"attempts": 2, "last_error": first.error}, senders)
    assert again.state == "delivered"
    assert len(receivers.of("sms")) == 1


def test_a_killed_sender_between_acceptance_and_answer_sends_no_second_sms(receivers):
    row = messages(sold_out())["sms"]
    senders = receivers.senders()
    assert send(row, senders).state == "delivered"  # accepted; the process dies before it can say so
    again = send(row | {"attempts": 2, "last_error": None}, senders)
    assert again.state == "delivered"
    assert len(receivers.of("sms")) == 1


def test_an_sms_lost_before_acceptance_is_sent_on_the_next_try(receivers):
    receivers.faults.plan("twilio", "reset_before")
    row = messages(sold_out())["sms"]
    senders = receivers.senders()
    first = send(row, senders)
    assert first.state == "pending"
    assert send(row | {"attempts": 2, "last_error": first.error}, senders).state == "delivered"
    assert len(receivers.of("sms")) == 1


def test_texts_of_two_episodes_are_told_apart(receivers):
    senders = receivers.senders()
    first, second = (messages(sold_out(), name=name)["sms"] for name in ("Ada", "Bo"))
    assert send(first, senders).state == "delivered"
    assert send(second | {"attempts": 2, "last_error": None}, senders).state == "delivered"
    assert len(receivers.of("sms")) == 2


def test_a_lost_email_answer_is_unknown_and_a_warning_is_not_repeated(receivers):
    receivers.faults.plan("sendgrid", "reset", times=5)
    row = messages(sold_out())["email"]
    senders = receivers.senders()
    assert send(row | {"severity": "warning"}, senders).state == "unknown"
    assert len(receivers.of("email")) == 1
    first = send(row, senders)
    assert (first.state, first.retry_at is not None) == ("pending", True)
    second = send(row | {"attempts": 2, "last_error": first.error}, senders)
    assert (second.state, second.retry_at) == ("unknown", None)
    assert len(receivers.of("email")) == 3


@pytest.mark.parametrize("way", ["email", "sms", "slack", "webhook"])
def test_nobody_waits_for_a_slow_provider(receivers, way):
    provider = {"email": "sendgrid", "sms": "twilio"}.get(way, way)
    receivers.faults.plan(provider, "slow", seconds=2)
    result = send(messages(sold_out())[way], receivers.senders(wharf_alert_timeout_seconds=1.5))
    assert result.state in {"pending", "unknown", "delivered"}
    assert len(receivers.of(way)) == 1


@pytest.mark.parametrize("way", ["email", "sms", "slack", "webhook"])
def test_a_provider_that_is_not_there_is_a_retry_never_unknown(way, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {key.lower(): value for key, value in environment(f"http://127.0.0.1:{port}").items()}
    result = send(
        messages(sold_out())[way],
        senders_for(AlertSettings(_env_file=None, **values), lambda: datetime.now(UTC)),
    )
    assert result.state == "pending"
    assert not result.error.startswith("outcome unknown")


def test_a_dead_provider_hands_over_within_five_minutes(receivers):
    """D13: the merchant is told on another way at most five minutes after the first failure."""
    row = messages(sold_out(), slack=None, webhook=None, ways={"critical": ["email"]})["email"]
    receivers.faults.plan("sendgrid", "error", times=100)
    senders, health, now = receivers.senders(), {}, datetime.now(UTC)
    started, policy = now, DeliveryPolicy()
    for attempt in range(1, 30):
        note = {"attempts": attempt, "last_error": "500"} if attempt > 1 else {}
        (result,) = deliver([row | note], senders, now, health=health, policy=policy)
        if result.takeover:
            break
        now = min(result.retry_at, started + timedelta(minutes=5))
    assert result.takeover.way == "sms"
    assert now - started <= timedelta(minutes=5)
    assert send(claimed(result.takeover), senders).state == "delivered"
    assert "Out of stock" in receivers.of("sms")[0].text


def test_a_webhook_repeat_is_dropped_by_its_id(receivers):
    receivers.faults.plan("webhook", "reset")
    row = messages(sold_out())["webhook"]
    senders = receivers.senders()
    first = send(row, senders)
    assert first.state == "pending"
    assert send(row | {"attempts": 2, "last_error": first.error}, senders).state == "delivered"
    assert len(receivers.of("webhook")) == 1


def test_a_run_that_judges_by_a_day_long_past_signs_its_webhook_now(receivers):
    """A replay, or the end of a queue that took long to send."""
    (result,) = deliver([messages(sold_out())["webhook"]], receivers.senders(), NOW - timedelta(days=5000))
    assert result.state == "delivered"


def test_a_webhook_signed_with_another_secret_is_refused(receivers):
    result = send(messages(sold_out())["webhook"], receivers.senders(alert_webhook_secret="other"))
    assert "401" in result.error


def test_5000_skus_out_at_once_are_one_message_a_way(receivers):
    rows = messages(*(sold_out(f"S{i:04}", name=f"Product {i}") for i in range(5000)))
    results = deliver(rows.values(), receivers.senders(), datetime.now(UTC))
    assert len(results) == 4
    assert all(result.state in {"accepted", "delivered"} for result in results)
    (mail,) = receivers.of("email")
    assert mail.title == "[Critical] 5,000 alerts: 5,000 out of stock"
    assert mail.details["attachments"] == ["alerts.csv"]
    assert sms_segments(receivers.of("sms")[0].text) <= 3


def test_a_carrier_failure_is_seen_by_asking(receivers):
    senders = receivers.senders()
    result = send(messages(sold_out(), phone="+155512330003")["sms"], senders)
    assert result.state == "undelivered"
    assert senders["sms"].status(receivers.of("sms")[0].provider_id).state == "rejected"


# -- the receivers refuse what the providers refuse ------------------------------------------------


def test_sendgrid_refuses_with_its_own_words(receivers):
    url = f"{receivers.url}/v3/mail/send"
    key = {"Authorization": "Bearer SG.local"}
    good = {
        "personalizations": [{"to": [{"email": "a@example.com"}]}],
        "from": {"email": "b@example.com"},
        "subject": "s",
        "content": [{"type": "text/plain", "value": "v"}],
    }
    assert httpx.post(url, json=good, headers=key).status_code == 202
    assert httpx.post(url, json=good, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert httpx.post(url, content=b"{}", headers=key).status_code == 415
    wrong = {
        "personalizations": [{**good, "personalizations": []}, {**good, "personalizations": [{"to": []}]}],
        "from.email": [{**good, "from": {}}],
        "subject": [{**good, "subject": ""}],
        "content": [{**good, "content": []}],
        "headers": [{**good, "headers": {"X-A": "a\r\nb"}}],
    }
    for field, bodies in wrong.items():
        for body in bodies:
            answer = httpx.post(url, json=body, headers=key)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["field"].startswith(field)
    twice = {**good, "personalizations": [{"to": [{"email": "a@example.com"}, {"email": "A@example.com"}]}]}
    assert "unique" in httpx.post(url, json=twice, headers=key).json()["errors"][0]["message"]
    assert len(receivers.of("email")) == 1


def test_slack_refuses_what_it_cannot_show(receivers):
    url = f"{receivers.url}/services/T000/B000/local"
    assert httpx.post(url, content=b"no json").text == "invalid_payload"
    assert httpx.post(url, json={}).text == "no_text"
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    assert httpx.post(url, json={"text": "a", "blocks": [long]}).text == "invalid_blocks"
    assert receivers.of("slack") == []


def test_the_inbox_shows_every_message_and_runs_none_of_it(receivers):
    deliver(
        messages(sold_out(name="<script>alert(1)</script>")).values(), receivers.senders(), datetime.now(UTC)
    )
    page = httpx.get(f"{receivers.url}/_inbox")
    assert page.status_code == 200
    assert "<script>" not in page.text
    for entry in receivers.app.state.ledger.entries:
        for name in entry.files:
            answer = httpx.get(f"{receivers.url}/_inbox/files/{name}")
            assert answer.status_code == 200
            assert "sandbox" in answer.headers["content-security-policy"]
    assert httpx.get(f"{receivers.url}/_inbox/files/ledger.jsonl").status_code == 404
    assert httpx.get(f"{receivers.url}/_inbox?way=sms").text.count("<article") == 1


def test_the_ledger_survives_a_restart(receivers, tmp_path):
    send(messages(sold_out())["email"], receivers.senders())
    assert [entry.way for entry in create_app(receivers.inbox).state.ledger.entries] == ["email"]


def test_no_secret_reaches_a_log(receivers, caplog):
    caplog.set_level(0)
    receivers.faults.plan("slack", "error")
    deliver(messages(sold_out()).values(), receivers.senders(), datetime.now(UTC))
    told = " ".join(record.getMessage() for record in caplog.records)
    for secret in ("SG.local", "/services/T000", "whsec_", "+15551234567", "ada@example.com"):
        assert secret not in told
