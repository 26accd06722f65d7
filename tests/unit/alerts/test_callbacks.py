"""Links act only on a press, webhooks only when signed."""

import asyncio
import base64
import json
from datetime import timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twilio.request_validator import RequestValidator

from alerts.callbacks import Effects, create_app
from alerts.links import Linker
from tests.alerts_factories import NOW

LINKER = Linker(b"k" * 32, "http://testserver")
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


class Browser:
    """Asks an app without a server."""

    def __init__(self, app):
        self.transport = httpx.ASGITransport(app=app)

    def get(self, url):
        return asyncio.run(self._ask("GET", url))

    def post(self, url, **known):
        return asyncio.run(self._ask("POST", url, **known))

    async def _ask(self, method, url, **known):
        async with httpx.AsyncClient(transport=self.transport, base_url="http://testserver") as http:
            return await http.request(method, url, **known)


class Desk:
    """Remembers what it was told to do."""

    def __init__(self, title="Out of stock: Blue mug"):
        self.title, self.did = title, []

    def client(self, now=NOW) -> Browser:
        effects = Effects(self.acknowledge, self.snooze, lambda way, events: self.did.extend(events))
        return Browser(
            create_app(
                effects, clock=lambda: now, linker=LINKER, sendgrid_public_key=PUBLIC,
                twilio_auth_token="token", public_url="https://wharf.example.com/",
            )
        )  # fmt: skip

    def acknowledge(self, claim):
        self.did.append(("acknowledged", claim.fingerprint, claim.recipient))
        return self.title

    def snooze(self, claim, until):
        self.did.append(("snoozed", claim.fingerprint, until - NOW))
        return self.title


LINKS = LINKER.links("stockout:<b>MUG</b>", "Ada", NOW)


def test_opening_a_link_asks_and_does_nothing():
    desk = Desk()
    page = desk.client().get(LINKS["acknowledge"])
    assert page.status_code == 200
    assert "Will you take care of it?" in page.text
    assert "<b>MUG" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert desk.did == []


def test_pressing_the_button_acts():
    desk = Desk()
    page = desk.client().post(LINKS["acknowledge"])
    assert "Acknowledged." in page.text
    assert desk.did == [("acknowledged", "stockout:<b>MUG</b>", "Ada")]


@pytest.mark.parametrize(
    ("choice", "until"), [("4 hours", timedelta(hours=4)), ("nonsense", timedelta(days=1))]
)
def test_snoozing_for_a_while(choice, until):
    desk = Desk()
    assert "Quiet until" in desk.client().post(LINKS["snooze"], data={"choice": choice}).text
    assert desk.did == [("snoozed", "stockout:<b>MUG</b>", until)]


def test_what_is_over_says_so():
    assert "It is over already." in Desk(title=None).client().post(LINKS["acknowledge"]).text


def test_a_bad_or_expired_link_does_nothing():
    desk = Desk()
    assert desk.client().post("/alerts/acknowledge?token=forged").status_code == 401
    assert desk.client().post("/alerts/acknowledge").status_code == 401
    assert desk.client(NOW + timedelta(days=30)).post(LINKS["acknowledge"]).status_code == 401
    assert desk.client().post(LINKS["acknowledge"].replace("acknowledge?", "delete?")).status_code == 404
    assert desk.did == []


def test_signed_events_are_recorded_and_others_are_not():
    desk = Desk()
    raw = json.dumps(
        [{"event": "delivered", "sg_event_id": "e", "message_key": "k", "timestamp": 1}]
    ).encode()
    stamp = str(int(NOW.timestamp()))
    mark = base64.b64encode(KEY.sign(stamp.encode() + raw, ec.ECDSA(SHA256()))).decode()
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": mark,
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }
    assert desk.client().post("/events/sendgrid", content=raw, headers=headers).status_code == 204
    assert [event.message_key for event in desk.did] == ["k"]
    assert desk.client().post("/events/sendgrid", content=raw + b" ", headers=headers).status_code == 401
    assert (
        desk.client().post("/events/sendgrid", content=b"x" * 2_000_000, headers=headers).status_code == 413
    )
    assert len(desk.did) == 1


def test_twilios_signature_is_checked_against_the_public_url():
    desk = Desk()
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    mark = RequestValidator("token").compute_signature("https://wharf.example.com/events/twilio", form)
    headers = {"X-Twilio-Signature": mark}
    assert desk.client().post("/events/twilio", data=form, headers=headers).status_code == 204
    assert (
        desk.client()
        .post("/events/twilio", data=form | {"MessageStatus": "failed"}, headers=headers)
        .status_code
        == 401
    )
    assert [event.provider_id for event in desk.did] == ["SM1"]


def test_what_is_not_configured_is_not_there():
    desk = Desk()
    bare = Browser(create_app(Effects(desk.acknowledge, desk.snooze, desk.did.extend), clock=lambda: NOW))
    assert bare.get(LINKS["acknowledge"]).status_code == 404
    assert bare.post("/events/sendgrid").status_code == 404
