"""Provider events: verified as the providers' own libraries sign them, and read as states."""

import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sendgrid.helpers.eventwebhook import EventWebhook
from twilio.request_validator import RequestValidator

from alerts.errors import AlertConfigError, SignatureError
from alerts.events import later_state, sendgrid_events, twilio_event
from tests.alerts_factories import NOW

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


def signed(body, at=NOW):
    stamp = str(int(at.timestamp()))
    mark = base64.b64encode(KEY.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    return {
        "X-Twilio-Email-Event-Webhook-Signature": mark,
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }


def body(*events):
    base = {
        "email": "ada@example.com",
        "timestamp": int(NOW.timestamp()),
        "sg_message_id": "abc.recvd-1-2",
        "message_key": "k1",
    }
    return json.dumps([base | event for event in events]).encode()


def test_signed_events_become_states():
    raw = body(
        {"event": "delivered", "sg_event_id": "e1"},
        {"event": "delivered", "sg_event_id": "e1"},
        {"event": "bounce", "sg_event_id": "e2", "reason": "550 no\r\nsuch user"},
        {"event": "something_new", "sg_event_id": "e3"},
    )
    first, second = sendgrid_events(raw, signed(raw), PUBLIC, NOW)
    assert (first.provider_id, first.message_key, first.state, first.blocked) == (
        "abc",
        "k1",
        "delivered",
        None,
    )
    assert (second.state, second.reason, second.blocked) == (
        "undelivered",
        "550 no such user",
        "the address bounced",
    )


def test_the_official_verifier_agrees():
    raw = body({"event": "delivered"})
    headers = signed(raw)
    oracle = EventWebhook(PUBLIC)
    marks = list(headers.values())
    assert oracle.verify_signature(raw.decode(), marks[0], marks[1])
    assert not oracle.verify_signature(raw.decode() + " ", marks[0], marks[1])


@pytest.mark.parametrize("change", ["body", "stamp", "mark", "missing", "garbage", "old", "future"])
def test_anything_else_is_refused(change):
    raw = body({"event": "bounce"})
    headers = signed(raw)
    now = NOW
    if change == "body":
        raw += b" "
    elif change == "stamp":
        headers["X-Twilio-Email-Event-Webhook-Timestamp"] += "0"
    elif change == "mark":
        headers["X-Twilio-Email-Event-Webhook-Signature"] = signed(b"other")[
            "X-Twilio-Email-Event-Webhook-Signature"
        ]
    elif change == "missing":
        headers = {}
    elif change == "garbage":
        headers["X-Twilio-Email-Event-Webhook-Signature"] = "not base64 !"
    elif change == "old":
        now = NOW + timedelta(minutes=6)
    else:
        now = NOW - timedelta(minutes=6)
    with pytest.raises(SignatureError):
        sendgrid_events(raw, headers, PUBLIC, now)


def test_a_wrong_public_key_is_a_configuration_error():
    raw = body({"event": "bounce"})
    with pytest.raises(AlertConfigError, match="SENDGRID_WEBHOOK_PUBLIC_KEY"):
        sendgrid_events(raw, signed(raw), base64.b64encode(b"nonsense").decode(), NOW)


URL = "https://wharf.example.com/events/twilio"


def twilio(form, **changed):
    mark = RequestValidator("token").compute_signature(URL, form)
    return twilio_event(
        changed.get("url", URL), form, {"x-twilio-signature": changed.get("mark", mark)}, "token"
    )


def test_twilio_status_callbacks():
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003", "To": "+15551234567"}
    event = twilio(form)
    assert (event.provider_id, event.state, event.reason, event.blocked) == (
        "SM1",
        "undelivered",
        "Twilio error 30003",
        None,
    )
    assert twilio({"MessageSid": "SM1", "MessageStatus": "delivered"}).state == "delivered"
    assert (
        twilio({"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610"}).blocked == "opted out"
    )


def test_a_forged_twilio_callback_is_refused():
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    with pytest.raises(SignatureError):
        twilio(form, mark="AAAA")
    with pytest.raises(SignatureError):
        twilio(form, url="http://wharf.example.com/events/twilio")


def test_states_only_move_forward_whatever_the_order():
    assert later_state("delivered", "accepted") == "delivered"
    assert later_state("pending", "accepted") == "accepted"
    assert later_state("unknown", "delivered") == "delivered"
