"""What Walmart's errors and rate headers mean."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.budget import Rate
from connectors.client import Answer, Call
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    CursorExpiredError,
    RateLimitError,
    RequestRejectedError,
)
from connectors.walmart.order_pages import next_cursor, stamp
from connectors.walmart.reader import NotFoundError, WalmartReader, explain, wait_seconds

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL = Call(operation="walmart.orders", rate=Rate(1, 1))


def answer(status, body=b"", **headers):
    return Answer(
        status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), body
    )


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("30", 30),
        ("0.5", 0.5),
        (str(int((NOW + timedelta(seconds=12)).timestamp() * 1000)), 12),
        (str(int((NOW + timedelta(seconds=12)).timestamp())), 12),
        ("2026-03-01T12:00:42Z", 42),
        ("2026-03-01T12:00:42", 42),
        ("2026-03-01T11:00:00Z", 0),
        ("soon", 60),
        ("", 60),
        ("2126-03-01T11:00:00Z", 3600),
    ],
)
def test_replenishment_time_in_all_its_forms(told, seconds):
    assert wait_seconds(httpx.Headers({"X-Next-Replenishment-Time": told}), NOW) == pytest.approx(seconds)


def test_retry_after_goes_first():
    assert wait_seconds(httpx.Headers({"retry-after": "7", "x-next-replenishment-time": "30"}), NOW) == 7


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRejectedError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (423, ChannelUnavailableError),
        (429, RateLimitError),
        (500, ChannelUnavailableError),
        (520, ChannelUnavailableError),
    ],
)
def test_status(status, kind):
    with pytest.raises(kind):
        WalmartReader().check(CALL, answer(status))


def test_dead_cursor():
    with pytest.raises(CursorExpiredError):
        WalmartReader().check(CALL, answer(400, b'{"errors":[{"code":"A","description":"Invalid Cursor"}]}'))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"errors":[{"code":"A.B","description":"no"}]}', "A.B no"),
        (b'{"errors":{"error":[{"code":"A.B","info":"no"}]}}', "A.B no"),
        (b'{"error":[{"code":"A.B","description":"no"}]}', "A.B no"),
        (b"<ns2:errors xmlns:ns2='u'><ns2:error><ns2:code>A.B</ns2:code></ns2:error></ns2:errors>", "A.B"),
        (b"", "no body"),
        (b"<html><body>Bad gateway", "unreadable body"),
        (b"[]", "unknown error"),
    ],
)
def test_error_bodies(body, text):
    assert explain(body) == text


@pytest.mark.parametrize(("told", "left"), [("41", 41), ("-3", 0), ("", None), ("many", None)])
def test_tokens_left(told, left):
    assert WalmartReader().learned(CALL, answer(200, x_current_token_count=told)) == (None, left)


@pytest.mark.parametrize(
    ("cursor", "more", "expected"),
    [
        ("?limit=2&soIndex=3&createdStartDate=a%3Ab", None, "?limit=2&soIndex=3&createdStartDate=a%3Ab"),
        ("?limit=2&\n     soIndex=3 ", None, "?limit=2&soIndex=3"),
        ("limit=2", None, "?limit=2"),
        ("", None, None),
        (None, None, None),
        ("  ", None, None),
        ("?limit=2", False, None),
        ("?limit=2&hasMoreElements=false&soIndex=3", None, None),
    ],
)
def test_cursor_is_a_query_string_taken_as_it_is(cursor, more, expected):
    assert next_cursor(cursor, more) == expected


def test_stamp():
    at = datetime(2026, 3, 1, 13, 5, 6, 789_999, tzinfo=UTC).astimezone()
    assert stamp(at) == "2026-03-01T13:05:06.789Z"
