"""Alerts through PostgreSQL to the providers: stored with their cause, sent once, whoever dies in between."""

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from alerts import render
from alerts.dispatch import deliver, follow_up
from alerts.episodes import Episode, step
from alerts.plan import plan
from alerts.routes import Recipient, Routes
from alerts.rules import stock_alerts
from deployments import outbox_watch
from tests.alerts_factories import position, position_row, running_low, sold_out
from tests.integration.alerts.test_receivers import Receivers
from warehouse import alerts as store
from warehouse import outbox, schema
from warehouse.engines import postgres

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def migrated(database_url):
    schema.upgrade(database_url, None)
    return database_url


@pytest.fixture
def engine(migrated):
    engine = postgres(migrated)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE ops.outbox, core.alerts CASCADE"))
    yield engine
    engine.dispose()


@pytest.fixture
def receivers(tmp_path):
    running = Receivers(tmp_path / "inbox")
    yield running
    running.stop()


def decide(engine, now, *rows, **recipient):
    """One run of the alerts flow: what is, against what was; both stored together."""
    episodes = [Episode.from_row(row) for row in store.open_episodes(engine).to_dicts()]
    outcome = step(episodes, stock_alerts(position(*rows), now), now)
    known = {"name": "Ada", "email": "ada@example.com", "phone": "+15551234567"} | recipient
    planned = plan(outcome.transitions, Routes(recipients=(Recipient(**known),)), now)
    store.apply(
        engine, [t.as_dict() for t in outcome.transitions], [m.as_dict() for m in planned.messages], now
    )
    return planned


def send(engine, senders, now):
    claimed = outbox.claim_due(engine, now)
    open_now = {
        row["fingerprint"] for row in store.open_episodes(engine).to_dicts() if row["resolved_at"] is None
    }
    ended = {row["fingerprint"] for row in claimed} - open_now
    results = deliver(claimed, senders, now, resolved=ended)
    outbox.settle(engine, [result.as_dict() for result in results], now)
    return sorted(result.state for result in results)


def states(engine):
    """State by way; by key where a way has several messages."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT way, state, idempotency_key FROM ops.outbox")).all()
    ways = [row.way for row in rows]
    return {row.way if ways.count(row.way) == 1 else row.idempotency_key: row.state for row in rows}


def test_an_episode_from_opening_to_the_all_clear(engine, receivers):
    now, senders = datetime.now(UTC), receivers.senders()
    decide(engine, now, sold_out(), all_clear=True)
    assert send(engine, senders, now) == ["accepted", "delivered"]
    decide(engine, now + timedelta(minutes=30), sold_out(), all_clear=True)
    assert send(engine, senders, now + timedelta(minutes=30)) == []
    for minutes in (60, 120):
        decide(engine, now + timedelta(minutes=minutes), position_row(), all_clear=True)
    assert send(engine, senders, now + timedelta(minutes=120)) == ["accepted"]
    assert [entry.title.split("]")[0] for entry in receivers.of("email")] == ["[Critical", "[All clear"]
    assert all(row["resolved_at"] for row in store.open_episodes(engine).to_dicts())


def test_what_is_resolved_before_it_is_sent_is_cancelled(engine, receivers):
    now = datetime.now(UTC)
    decide(engine, now, sold_out())
    for minutes in (60, 120):
        decide(engine, now + timedelta(minutes=minutes), position_row())
    assert send(engine, receivers.senders(), now + timedelta(minutes=120)) == ["cancelled", "cancelled"]
    assert receivers.app.state.ledger.entries == []


def test_the_same_decision_stored_twice_is_sent_once(engine, receivers):
    now = datetime.now(UTC)
    findings = stock_alerts(position(running_low()), now)
    outcome = step([], findings, now)
    routes = Routes(recipients=(Recipient(name="Ada", email="ada@example.com"),))
    planned = plan(outcome.transitions, routes, now)
    for _ in range(2):
        store.apply(
            engine, [t.as_dict() for t in outcome.transitions], [m.as_dict() for m in planned.messages], now
        )
    assert send(engine, receivers.senders(), now) == ["accepted"]


def test_accepted_messages_are_followed_up(engine, receivers):
    now, senders = datetime.now(UTC), receivers.senders()
    receivers.app.state.sms_pace = timedelta(hours=1)
    decide(engine, now, sold_out())
    assert send(engine, senders, now) == ["accepted", "accepted"]
    receivers.app.state.sms_pace = timedelta(0)
    taken = outbox.accepted(engine, ["sms"], now)
    outbox.settle(engine, [result.as_dict() for result in follow_up(taken, senders)], now)
    assert states(engine) == {"email": "accepted", "sms": "delivered"}


def test_a_takeover_is_stored_and_sent(engine, receivers):
    now, senders = datetime.now(UTC), receivers.senders()
    decide(engine, now, running_low(), phone="+15005550004", ways={"warning": ["sms"]})
    assert send(engine, senders, now) == ["undelivered"]
    assert outbox.suppressed(engine) == {("sms", "+15005550004")}
    assert send(engine, senders, now) == ["accepted"]
    assert states(engine) == {"sms": "undelivered", "email": "accepted"}


def test_killed_senders_lose_no_sms_and_send_none_twice(engine, migrated, receivers):
    """SIGKILL while the provider has accepted and its answer is on the way; answers get lost besides."""
    now, count, kills = datetime.now(UTC), 16, 4
    rows = [sold_out(f"S{number:02}", name=f"Product {number}") for number in range(count)]
    decide(engine, now, *rows, email=None, digest_over=1000)
    chance = random.Random(12)
    for _ in range(4 * count):
        kind = chance.choice(["slow", "slow", "slow", "reset", "reset_before", "error"])
        receivers.faults.plan("twilio", kind, seconds=0.5)
    in_the_window = 0
    for run in range(kills + 6):
        sender = start_sender(migrated, receivers.url, ahead=1800 * run)  # past every claim and every wait
        if run < kills:
            wanted = len(receivers.of("sms")) + chance.randint(1, 4)
            while sender.poll() is None and len(receivers.of("sms")) < wanted:
                time.sleep(0.005)
            sender.send_signal(signal.SIGKILL)
            sender.wait()
            in_the_window += claimed_but_accepted(engine, receivers)
        else:
            if run > kills:
                receivers.faults.clear()
            sender.wait(120)
        if set(states(engine).values()) == {"delivered"} and len(receivers.of("sms")) >= count:
            break
    told = [entry.text for entry in receivers.of("sms")]
    assert len(told) == len(set(told)) == count
    assert in_the_window >= 2  # else the test has not tried what it is about


def start_sender(database_url, receivers_url, ahead):
    sender = subprocess.Popen(
        [sys.executable, "-m", "tests.alerts_sender", database_url, receivers_url, str(ahead)],
        stdout=subprocess.PIPE,
    )
    assert sender.stdout is not None
    assert sender.stdout.readline() == b"ready\n"
    return sender


def claimed_but_accepted(engine, receivers):
    """Messages the provider has and the outbox does not know about."""
    with engine.connect() as connection:
        open_claims = connection.execute(
            text("SELECT payload FROM ops.outbox WHERE state = 'sending'")
        ).scalars()
        told = {entry.text for entry in receivers.of("sms")}
        return sum(render.sms(payload) in told for payload in open_claims)


def test_the_outbox_says_whether_a_delivery_run_would_find_something_to_do(engine):
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert outbox.work(engine, now) is None

    decide(engine, now, running_low(), phone=None)
    assert outbox.work(engine, now) is None, "the run that queued it sends it"
    later = now + timedelta(seconds=30)
    waiting = outbox.work(engine, later)
    assert waiting.startswith("due since 2026-03-02 12:00")
    assert outbox.work(engine, later + timedelta(minutes=5)) == waiting, "the same words until it is done"

    (message,) = outbox.claim_due(engine, later)
    assert outbox.work(engine, later) is None
    outbox.mark(engine, message["id"], "accepted", now=later, provider_id="SM1")
    with engine.begin() as connection:
        connection.execute(text("UPDATE ops.outbox SET way = 'sms'"))
    assert outbox.work(engine, later + timedelta(minutes=1)) is None
    assert outbox.work(engine, later + timedelta(minutes=3)).startswith("taken at")
    outbox.mark(engine, message["id"], "undelivered", now=later, error="30005")
    assert outbox.work(engine, later + timedelta(minutes=3)).startswith("given up at")
    outbox.mark(engine, message["id"], "delivered", now=later)
    assert outbox.work(engine, later + timedelta(minutes=3)) is None


def test_the_watch_starts_a_delivery_and_outlives_a_server_that_does_not_answer(engine):
    stop, started = threading.Event(), []

    def start(what):
        started.append(what)
        if len(started) == 1:
            raise httpx.ConnectError("gone")
        stop.set()

    decide(engine, datetime.now(UTC) - timedelta(minutes=1), running_low(), phone=None)
    outbox_watch.watch(engine, start, stop, every=0.01)
    assert len(started) == 2
    assert started[0] == started[1]
