"""What we send and what the local receivers answer, against the providers' own descriptions of their APIs.

Written by hand from what matters here of: Twilio's `spec/json/twilio_api_v2010.json` (github.com/twilio/twilio-oai),
SendGrid's `spec/paths/mail_send/mail_send.json` (github.com/sendgrid/sendgrid-oai), and Slack's "Reference: blocks".
"""

import json
import re
import threading
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from alerts import render
from alerts.receivers.app import TWILIO_FROM, TWILIO_SID, TWILIO_TOKEN
from tests.alerts_factories import charted, nearly_out, sold_out
from tests.integration.alerts.test_receivers import Receivers, messages, send

pytestmark = pytest.mark.stack


def shape(required=(), **properties):
    """An object with these properties, and no others."""
    return {
        "type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
    }  # fmt: skip


TEXT, WORD, COUNT = {"type": "string"}, {"type": "string", "minLength": 1}, {"type": "integer"}
MAYBE = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "rfc-2822"}
MESSAGE = shape(
    [
        "account_sid", "api_version", "body", "date_created", "date_sent", "date_updated", "direction", "error_code",
        "error_message", "from", "messaging_service_sid", "num_media", "num_segments", "price", "price_unit", "sid",
        "status", "subresource_uris", "to", "uri",
    ],
    account_sid={"pattern": "^AC[0-9a-fA-F]{32}$"},
    api_version=MAYBE,
    body=MAYBE,
    date_created=INSTANT,
    date_sent=INSTANT,
    date_updated=INSTANT,
    direction={"enum": ["inbound", "outbound-api", "outbound-call", "outbound-reply"]},
    error_code={"type": ["integer", "null"]},
    error_message=MAYBE,
    **{"from": MAYBE},
    messaging_service_sid={"type": ["string", "null"], "pattern": "^MG[0-9a-fA-F]{32}$"},
    num_media=MAYBE,
    num_segments=MAYBE,
    price=MAYBE,
    price_unit=MAYBE,
    sid={"pattern": "^(SM|MM)[0-9a-fA-F]{32}$"},
    status={
        "enum": [
            "queued", "sending", "sent", "failed", "delivered", "undelivered", "receiving", "received", "accepted",
            "scheduled", "read", "partially_delivered", "canceled",
        ]
    },
    subresource_uris={"type": ["object", "null"]},
    to=MAYBE,
    uri=MAYBE,
)  # fmt: skip
LISTED = shape(
    [
        "end",
        "first_page_uri",
        "messages",
        "next_page_uri",
        "page",
        "page_size",
        "previous_page_uri",
        "start",
        "uri",
    ],
    end=COUNT,
    first_page_uri=TEXT,
    messages={"type": "array", "items": MESSAGE},
    next_page_uri=MAYBE,
    page=COUNT,
    page_size=COUNT,
    previous_page_uri=MAYBE,
    start=COUNT,
    uri=TEXT,
)
CREATE = shape(
    ["To", "Body"],
    To={"pattern": r"^\+[1-9]\d{6,14}$"},
    From=WORD,
    MessagingServiceSid=WORD,
    Body={"type": "string", "minLength": 1, "maxLength": 1600},
    StatusCallback={"type": "string", "format": "uri"},
)
PERSON = shape(["email"], email={"type": "string", "format": "email"}, name=TEXT)
STRINGS = {"type": "object", "additionalProperties": TEXT}
SENT_MAIL = shape(
    ["personalizations", "from", "subject", "content"],
    personalizations={
        "type": "array",
        "minItems": 1,
        "maxItems": 1000,
        "items": shape(
            ["to"],
            to={"type": "array", "minItems": 1, "maxItems": 1000, "items": PERSON},
            headers=STRINGS,
            custom_args=STRINGS,
            subject=WORD,
        ),
    },
    **{"from": PERSON},
    subject=WORD,
    content={
        "type": "array",
        "minItems": 1,
        "prefixItems": [{"properties": {"type": {"const": "text/plain"}}}],
        "items": {"$ref": "#/$defs/content"},
    },
    attachments={
        "type": "array",
        "items": shape(
            ["content", "filename"],
            content={"type": "string", "pattern": "^[A-Za-z0-9+/]+=*$"},
            filename=WORD,
            type=WORD,
            disposition={"enum": ["inline", "attachment"]},
            content_id=WORD,
        ),
    },
    categories={"type": "array", "uniqueItems": True, "maxItems": 10, "items": {**TEXT, "maxLength": 255}},
    custom_args=STRINGS,
    headers=STRINGS,
) | {"$defs": {"content": shape(["type", "value"], type=WORD, value=WORD)}}
RESERVED = set(
    "x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding to from subject reply-to cc bcc"
    .split()
)  # fmt: skip


def faults(schema, found):
    checker = FormatChecker()
    checker.checks("rfc-2822")(lambda text: text is None or bool(parsedate_to_datetime(text).tzinfo))
    validator = Draft202012Validator(schema, format_checker=checker)
    return [f"{list(error.path)}: {error.message[:200]}" for error in validator.iter_errors(found)]


class Provider(BaseHTTPRequestHandler):
    """Takes anything and keeps it."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append((self.path, self.headers["content-type"], body))
        answer = b"{}" if self.path.endswith(".json") else b""
        self.send_response(201 if answer else 202)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Nothing on the terminal."""


@pytest.fixture
def provider():
    server = HTTPServer(("127.0.0.1", 0), Provider)
    server.taken = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def receivers(tmp_path):
    running = Receivers(tmp_path / "inbox")
    yield running
    running.stop()


def test_an_email_is_what_sendgrid_takes(receivers, provider):
    rows = messages(nearly_out())
    rows["email"]["payload"]["alerts"][0]["facts"]["chart"] = charted(nearly_out())[0].facts["chart"]
    senders = receivers.senders(sendgrid_api_url=f"http://127.0.0.1:{provider.server_port}")
    assert send(rows["email"], senders).state == "accepted"

    ((path, kind, body),) = provider.taken
    assert (path, kind) == ("/v3/mail/send", "application/json")
    mail = json.loads(body)
    assert faults(SENT_MAIL, mail) == []
    assert mail["attachments"], "the picture was meant to be in it"
    given = mail.get("custom_args") or mail["personalizations"][0]["custom_args"]
    assert len(json.dumps(given).encode()) <= 10_000
    headers = {**mail.get("headers", {}), **mail["personalizations"][0].get("headers", {})}
    assert not RESERVED & {name.lower() for name in headers}


def test_an_sms_is_what_twilio_takes(receivers, provider):
    senders = receivers.senders(
        twilio_api_url=f"http://127.0.0.1:{provider.server_port}",
        wharf_public_url="https://wharf.example.com",
    )
    send(messages(sold_out())["sms"], senders)

    ((path, kind, body),) = provider.taken
    assert path == f"/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
    assert kind == "application/x-www-form-urlencoded"
    form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
    assert faults(CREATE, form) == []
    assert form["StatusCallback"].startswith("https://wharf.example.com/events/twilio")


def test_the_receiver_answers_as_twilio_does(receivers):
    base = f"/2010-04-01/Accounts/{TWILIO_SID}/Messages"
    with httpx.Client(base_url=receivers.url, auth=(TWILIO_SID, TWILIO_TOKEN), trust_env=False) as twilio:
        made = [
            twilio.post(f"{base}.json", data={"To": f"+1555123{end}", "From": TWILIO_FROM, "Body": "Hello"})
            for end in ("4567", "0003", "30005")
        ]
        assert [answer.status_code for answer in made] == [201, 201, 201]
        fetched = twilio.get(f"{base}/{made[0].json()['sid']}.json").json()
        listed = twilio.get(f"{base}.json", params={"PageSize": 2}).json()
        following = twilio.get(listed["next_page_uri"]).json()
        refused = twilio.post(f"{base}.json", data={"From": TWILIO_FROM, "Body": "Hello"})

    for message in (*(answer.json() for answer in made), fetched):
        assert faults(MESSAGE, message) == []
    for page in (listed, following):
        assert faults(LISTED, page) == []
    assert len(listed["messages"]) + len(following["messages"]) == 3
    assert refused.status_code == 400
    problem = shape(
        ["code", "message", "more_info", "status"], code=COUNT, message=TEXT, more_info=TEXT, status=COUNT
    )
    assert faults(problem, refused.json()) == []


def test_the_receiver_answers_as_sendgrid_does(receivers):
    assert send(messages(sold_out())["email"], receivers.senders()).state == "accepted"
    (entry,) = receivers.of("email")
    assert re.fullmatch(r"[\w-]{10,}", entry.provider_id), "X-Message-Id"
    with httpx.Client(base_url=receivers.url, trust_env=False) as sendgrid:
        refused = sendgrid.post("/v3/mail/send", json={}, headers={"Authorization": "Bearer wrong"})
    error = shape(["message"], message=WORD, field=MAYBE, help={})
    assert refused.status_code == 401
    assert (
        faults(shape(["errors"], errors={"type": "array", "minItems": 1, "items": error}), refused.json())
        == []
    )


LIMITS = {  # of Slack's reference: characters of a block's texts, and how many of them
    "header": [("text", 150)],
    "section": [("text", 3000)],
}


@pytest.mark.parametrize("rows", [1, 60])
@pytest.mark.parametrize("name", ["Mug", "<&>" * 1500, "M" * 5000])
def test_slack_messages_stay_within_every_limit(rows, name):
    found = messages(*(sold_out(f"S{number}", name=name) for number in range(rows)))["slack"]
    body = render.slack(found["payload"])

    assert 0 < len(body["text"]) <= 3000, "what a notification shows, and clients without blocks"
    assert 0 < len(body["blocks"]) <= 50
    for block in body["blocks"]:
        for part, most in LIMITS.get(block["type"], []):
            if part in block:
                assert 0 < len(block[part]["text"]) <= most
        fields = block.get("fields", [])
        assert len(fields) <= 10
        assert all(0 < len(field["text"]) <= 2000 for field in fields)
        elements = block.get("elements", [])
        assert len(elements) <= {"actions": 25, "context": 10}.get(block["type"], 0)
        for element in elements:
            if block["type"] == "actions":
                assert 0 < len(element["text"]["text"]) <= 75
                assert len(element.get("url", "")) <= 3000
            else:
                assert 0 < len(element["text"]) <= 3000
