"""What a shop sends over HTTP is stored once, whatever is sent again, and becomes a funnel."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette

from deployments import cart_hooks
from flows import connections
from flows.cart_events import cart_events
from tests.warehouse_factories import line, order

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

KEY = "the shop's own key 123"
NOW = datetime(2026, 4, 1, 18, 30, tzinfo=UTC)
ADDED = datetime(2026, 3, 31, 16, 10, tzinfo=UTC)


@pytest.fixture
def shop(settings, loader):
    settings.setenv("WHARF_EVENTS_KEY", KEY)
    settings.setenv("WHARF_TIMEZONE", "Europe/Berlin")
    connections.forget()
    loader.load({"orders": [order("1")], "order_items": [line("1", sku="MUG")]})
    return loader


def event(number, kind="add_to_cart", session="s1", at=ADDED, **over):
    return {"id": f"e{number}", "type": kind, "at": at.isoformat(), "session": session, "sku": "MUG", **over}


async def post(app, body, key=KEY):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://wharf") as http:
        return await http.post("/events/cart", json=body, headers={"Authorization": f"Bearer {key}"})


def send(body, key=KEY, now=NOW, **options):
    app = Starlette(routes=cart_hooks.routes(clock=lambda: now, **options))
    return asyncio.run(post(app, body, key))


def test_events_count_once_and_show_which_carts_were_left(shop, client, prefect_api):
    sent = [
        event(1, "product_view"),
        event(2, quantity=2, price="12.50", currency="EUR"),
        event(3, "purchase", at=ADDED + timedelta(hours=20), quantity=2),  # next month in Berlin
        event(4, session="s2"),
        event(5, "remove_from_cart", session="s2"),
        event(6, session="s3", at=ADDED + timedelta(hours=20), sku="UNKNOWN"),  # too young to be left
        event(7, "purchase", session="s2", at=ADDED - timedelta(hours=1)),  # bought before, left after
    ]
    assert send({"events": sent}).json() == {"stored": 7, "known": 0, "refused": []}
    assert send({"events": [*sent[3:], event(8, "checkout", session="s4"), event(8)]}).json() == {
        "stored": 1, "known": 5, "refused": [],
    }  # fmt: skip
    assert "s1" not in shop.one("SELECT string_agg(e::text, ' ') FROM core.cart_events e")

    assert cart_events(NOW, return_state=True).is_completed()
    waiting = client.query(
        "SELECT sku, product_id > 0, sessions, units, likelihood FROM analytics.open_carts"
    )
    assert waiting.result_rows == [("UNKNOWN", False, 1, 1, None)]
    rows = client.query(
        "SELECT date, hour, sku, price_band, product_id > 0, views, adds, removes, checkouts, purchases, units_added,"
        " units_purchased, abandoned FROM analytics.daily_cart_events ORDER BY date, hour"
    ).result_rows
    first, second = ADDED.date(), ADDED.date() + timedelta(days=1)
    assert rows == [
        (first, 17, "MUG", "", True, 0, 0, 0, 0, 1, 0, 1, 0),
        (first, 18, "MUG", "10-25", True, 1, 2, 1, 1, 0, 3, 0, 1),
        (second, 14, "MUG", "", True, 0, 0, 0, 0, 1, 0, 2, 0),
        (second, 14, "UNKNOWN", "", False, 0, 1, 0, 0, 0, 1, 0, 0),
    ]
    assert cart_events(NOW + timedelta(days=1), return_state=True).is_completed()
    assert client.query(
        "SELECT sum(adds), sum(abandoned), sum(purchases) FROM analytics.daily_cart_events"
    ).result_rows == [(3, 2, 2)]
    waiting = client.query(
        "SELECT sku, product_id > 0, sessions, units, likelihood FROM analytics.open_carts"
    )
    assert waiting.result_rows == []  # a day later nobody waits
    assert cart_events(NOW + timedelta(days=500), return_state=True).is_completed()
    assert shop.one("SELECT count(*) FROM core.cart_events") == 0
    published = client.query("SELECT sum(adds) FROM analytics.daily_cart_events").result_rows
    assert published == [(3,)]  # what was published of them stays


def test_what_is_wrong_is_told_and_the_rest_stored(shop):
    body = [
        event(1),
        event(2, "looked"),
        event(3, email="ada@example.com"),
        event(4, at=NOW + timedelta(hours=1)),
        event(5, at=NOW - timedelta(days=31)),
        event(6, sku="a\x00b"),
        event(7, price="1.00"),
        event(8, quantity=0),
        event(9, at=datetime(2026, 4, 1)),  # noqa: DTZ001 an instant without an offset
        "text",
    ]
    answer = send(body)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["stored"], [one["index"] for one in told["refused"]]) == (1, list(range(1, 10)))
    assert "ada@" not in answer.text
    assert send(body[2]).status_code == 422
    assert send(body, key="guess").status_code == 401
    assert send([event(n) for n in range(1001)]).status_code == 413
    assert shop.one("SELECT count(*) FROM core.cart_events") == 1


def test_who_comes_too_fast_is_told_to_wait_and_loses_nothing(shop):
    release = threading.Event()
    taken = []

    def slow(events):
        assert release.wait(240)
        taken.extend(events)
        return len(events)

    async def hurry():
        app = Starlette(routes=cart_hooks.routes(take=slow, clock=lambda: NOW, most_waiting=6))
        sent = [asyncio.create_task(post(app, event(n))) for n in range(10)]
        done, _ = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        refused_early = [task.result() for task in done]
        release.set()
        answers = await asyncio.gather(*sent)
        return refused_early, answers

    early, answers = asyncio.run(hurry())
    assert {answer.status_code for answer in early} == {503}
    assert sorted(answer.status_code for answer in answers) == [200] * 6 + [503] * 4
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)
    assert len(taken) == 6

    def away(_events):
        raise OperationalError("insert", {}, Exception("gone"))

    assert send(event(1), take=away).status_code == 503


def test_without_a_key_nothing_listens(settings):
    assert cart_hooks.routes() == []
