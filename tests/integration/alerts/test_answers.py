"""Answers to messages through the app and the database: links act once meant, reports only move forward."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from alerts.links import Linker
from deployments.callbacks import app
from flows import connections
from warehouse import alerts as store
from warehouse import outbox, schema

pytestmark = pytest.mark.stack

KEY, PUBLIC = "a key for tests, thirty-two bytes", "https://wharf.example.com"
NOW = datetime.now(UTC)


@pytest.fixture
def desk(database_url, monkeypatch):
    """The app on a database with one open alert and one SMS about it that Twilio took."""
    schema.upgrade(database_url, None)
    for name, value in {
        "DATABASE_URL": database_url,
        "WHARF_SECRET_KEY": KEY,
        "WHARF_PUBLIC_URL": PUBLIC,
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "token",
        "TWILIO_FROM": "+15005550006",
    }.items():
        monkeypatch.setenv(name, value)
    connections.forget()
    engine = connections.postgres()
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE ops.outbox, core.alerts, ops.provider_events, ops.suppressed_recipients CASCADE"))  # fmt: skip # noqa: E501 one row, one line
    change = {"fingerprint": "stockout:MUG", "change": "opened", "alert_type": "stockout", "severity": "critical", "title": "Out of stock", "message": "m", "facts": {}}  # fmt: skip # noqa: E501 one row, one line
    sms = {"idempotency_key": "k1", "fingerprint": "stockout:MUG", "way": "sms", "recipient": "+15551234567", "severity": "critical", "payload": {}, "not_before": NOW}  # fmt: skip # noqa: E501 one row, one line
    store.apply(engine, [change], [sms], NOW)
    outbox.mark(engine, "k1", "accepted", now=NOW, provider_id="SM1")
    yield engine
    connections.forget()


def post(path, **known):
    async def ask():
        transport = httpx.ASGITransport(app=app())
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as http:
            return await http.post(path, **known)

    return asyncio.run(ask())


def twilio(**form):
    signature = RequestValidator("token").compute_signature(f"{PUBLIC}/events/twilio", form)
    return post("/events/twilio", data=form, headers={"X-Twilio-Signature": signature})


def state(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT state FROM ops.outbox")).scalar_one()


def test_a_pressed_link_acknowledges_and_a_second_link_snoozes(desk):
    links = Linker(KEY.encode(), PUBLIC).links("stockout:MUG", "Ada", NOW)
    assert "Acknowledged" in post(links["acknowledge"]).text
    assert store.listed(desk)["state"].to_list() == ["acknowledged"]
    assert "Quiet until" in post(links["snooze"], data={"choice": "1 day"}).text
    assert store.listed(desk)["state"].to_list() == ["snoozed"]


def test_reports_move_a_message_forward_once(desk):
    assert twilio(MessageSid="SM1", MessageStatus="delivered").status_code == 204
    assert state(desk) == "delivered"
    twilio(MessageSid="SM1", MessageStatus="sent")  # late
    assert state(desk) == "delivered"
    assert twilio(MessageSid="SM1", MessageStatus="delivered").status_code == 204  # again
    with desk.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM ops.provider_events")) == 2


def test_an_opted_out_number_is_shown_and_the_message_goes_on_to_another_way(desk):
    twilio(MessageSid="SM1", MessageStatus="undelivered", ErrorCode="21610", To="+15551234567")
    assert state(desk) == "undelivered"
    assert outbox.suppressed(desk) == {("sms", "+15551234567")}
    assert [row["idempotency_key"] for row in outbox.undelivered(desk, NOW)] == ["k1"]


def test_a_forged_report_changes_nothing(desk):
    form = {"MessageSid": "SM1", "MessageStatus": "failed"}
    assert post("/events/twilio", data=form, headers={"X-Twilio-Signature": "x"}).status_code == 401
    assert state(desk) == "accepted"
