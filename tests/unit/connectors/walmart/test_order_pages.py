"""Reading orders when Walmart's cursor misbehaves, against a few lines of fake API."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.base import Window
from connectors.errors import ProtocolError
from connectors.walmart import open_client
from connectors.walmart.order_pages import orders
from tests.walmart_factories import account, order

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = Window(NOW - timedelta(days=1), NOW)


def api(pages, seen, total=None):
    """Answers the token and then `pages(query) -> (orders, cursor)`, announcing `total()` orders."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        seen.append(str(request.url))
        found, cursor = pages(dict(request.url.params))
        meta = {"totalCount": total() if total else len(found), "limit": 200, "nextCursor": cursor}
        return httpx.Response(200, content=json.dumps({"list": {"meta": meta, "elements": {"order": found}}}))

    return open_client(account(), http=httpx.Client(transport=httpx.MockTransport(answer)))


def purchase(number, node):
    return order(str(number), shipNode={"type": node})


def test_cursor_is_appended_verbatim_and_nothing_is_added():
    seen = []

    def pages(query):
        if "soIndex" in query:
            return [purchase(2, "SellerFulfilled")], ""
        if query["shipNodeType"] == "SellerFulfilled":
            return [purchase(1, "SellerFulfilled")], "?limit=1&soIndex=7&date=2026-01-01T00%3A00%3A00Z&x=a+b"
        return [], None

    with api(pages, seen) as client:
        assert len(list(orders(client, DAY))) == 4
    assert seen[1].endswith("/v3/orders?limit=1&soIndex=7&date=2026-01-01T00%3A00%3A00Z&x=a+b")


def test_cursor_that_forgets_the_pass_is_healed_by_shorter_windows():
    """Page 2 falls back to seller-fulfilled orders, so windows are halved until one page holds the pass."""
    seen = []

    def pages(query):
        if "soIndex" in query:
            return [purchase(900, "SellerFulfilled")], None
        if query["shipNodeType"] != "WFSFulfilled":
            return [], None
        start = datetime.fromisoformat(query["lastModifiedStartDate"])
        end = datetime.fromisoformat(query["lastModifiedEndDate"])
        stamps = [NOW - timedelta(hours=hours) for hours in (20, 14, 8, 2)]
        found = [purchase(n, "WFSFulfilled") for n, at in enumerate(stamps) if start <= at < end]
        return found[:1], "?soIndex=1&page=" + str(len(seen)) if len(found) > 1 else None

    with api(pages, seen) as client:
        given = [json.loads(page.body) for page in orders(client, DAY)]
    numbers = {entry["purchaseOrderId"] for page in given for entry in page["list"]["elements"]["order"]}
    assert {"0", "1", "2", "3"} <= numbers


def test_same_cursor_for_ever_is_an_error():
    client = api(lambda query: ([purchase(len(query), "SellerFulfilled")], "?soIndex=1"), [])
    with client, pytest.raises(ProtocolError, match="token that was used before"):
        list(orders(client, DAY))


def test_same_page_under_new_cursors_is_an_error():
    seen = []
    client = api(lambda query: ([purchase(1, "SellerFulfilled")], f"?soIndex={len(seen)}"), seen)
    with client, pytest.raises(ProtocolError, match="repeats page"):
        list(orders(client, DAY))


def test_both_lost_defaults_are_always_overridden():
    seen = []
    with api(lambda query: ([], None), seen) as client:
        list(orders(client, DAY))
    queries = [dict(httpx.URL(url).params) for url in seen]
    assert [query["shipNodeType"] for query in queries] == ["SellerFulfilled", "WFSFulfilled", "3PLFulfilled"]
    assert {query["createdStartDate"] for query in queries} == {"2025-09-03T12:00:00.000Z"}
    assert {query["lastModifiedStartDate"] for query in queries} == {"2026-02-28T12:00:00.000Z"}
    assert {query["limit"] for query in queries} == {"200"}
    assert {query["replacementInfo"] for query in queries} == {"true"}


def test_orders_that_leave_the_window_while_it_is_read_are_not_missed():
    """Announced are three; one changes again before its page comes, so a recount says two."""
    seen = []

    def pages(query):
        if query.get("shipNodeType", "SellerFulfilled") != "SellerFulfilled":
            return [], None
        return [purchase(len(seen), "SellerFulfilled")], "?soIndex=1" if "soIndex" not in query else None

    totals = iter([3, 3, 2])
    with api(pages, seen, lambda: next(totals, 0)) as client:
        given = list(orders(client, DAY))
    assert [page.expected_records for page in given if page.expected_records] == [2]


def test_orders_that_stay_away_are_missed():
    def pages(query):
        return ([purchase(1, "SellerFulfilled")] if query["shipNodeType"] == "SellerFulfilled" else []), None

    with api(pages, [], lambda: 3) as client:
        given = list(orders(client, DAY))
    assert given[0].expected_records == 3
