"""The one HTTP conversation: waits, retries, limits, and what it refuses to do."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest

from connectors.base import Account, Channel
from connectors.budget import Bucket, LocalBudget, Rate
from connectors.client import Answer, Call, ChannelClient, Limits, reject_by_status, retry_after
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    DeferredError,
    ProtocolError,
    RequestRejectedError,
)

ACCOUNT = Account(
    name="shop",
    platform="walmart",
    api_url="https://api.example",
    auth_url="https://auth.example",
    credentials={},
    channels=(Channel("walmart-us", "walmart", "us", "USD", "America/New_York"),),
)
LIST = Call(operation="list", rate=Rate(10, 10), path="/things")


@dataclass
class Token:
    value: int = 1

    def headers(self) -> dict[str, str]:
        return {"token": str(self.value)}

    def invalidate(self) -> None:
        self.value += 1


class ByStatus:
    def check(self, call: Call, answer: Answer) -> None:
        reject_by_status(call.operation, answer)

    def learned(self, call: Call, answer: Answer) -> tuple[Rate | None, float | None]:
        return None, None


@dataclass
class Fake:
    """A channel that answers from a script and remembers what it was asked."""

    answer: Callable[[httpx.Request, int], httpx.Response]
    asked: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def client(self, **kwargs) -> ChannelClient:
        def handle(request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            return self.answer(request, len(self.asked))

        http = httpx.Client(transport=httpx.MockTransport(handle))
        return ChannelClient(ACCOUNT, Token(), ByStatus(), http=http, sleep=self.slept.append, **kwargs)


def test_retry_after_is_obeyed_and_the_next_request_succeeds():
    fake = Fake(
        lambda _, n: httpx.Response(429, headers={"Retry-After": "7"}) if n == 1 else httpx.Response(200)
    )
    assert fake.client().send(LIST).status == 200
    assert max(fake.slept) >= 7


def test_retry_after_may_be_a_date():
    now = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert retry_after({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, now) == 30
    assert retry_after({"retry-after": "soon"}, now) is None


def test_an_ended_token_is_renewed_once_and_a_wrong_one_is_an_error():
    fake = Fake(lambda request, _: httpx.Response(200 if request.headers["token"] == "2" else 401))
    assert fake.client().send(LIST).status == 200
    wrong = Fake(lambda *_: httpx.Response(401))
    with pytest.raises(AuthenticationError, match="list: HTTP 401"):
        wrong.client().send(LIST)
    assert len(wrong.asked) == 2


def test_a_permanent_refusal_is_not_repeated():
    fake = Fake(lambda *_: httpx.Response(400))
    with pytest.raises(RequestRejectedError):
        fake.client().send(LIST)
    assert len(fake.asked) == 1


def test_gives_up_after_its_attempts():
    fake = Fake(lambda *_: httpx.Response(503))
    with pytest.raises(ChannelUnavailableError):
        fake.client(limits=Limits(attempts=3)).send(LIST)
    assert len(fake.asked) == 3


def test_a_wait_beyond_the_runs_patience_defers_the_run():
    fake = Fake(lambda *_: httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(DeferredError, match="deferred until"):
        fake.client(limits=Limits(max_wait=60)).send(LIST)


def test_redirects_and_foreign_links_never_see_the_token():
    fake = Fake(lambda *_: httpx.Response(302, headers={"Location": "https://evil.example/"}))
    with pytest.raises(ProtocolError, match="redirect"):
        fake.client().send(LIST)
    for url in (
        "https://evil.example/next",
        "http://169.254.169.254/latest",
        "https://api.example@evil.example/",
        "https://api.example.evil.example/",
        "http://api.example/",
        "https://api.example:444/",
        "//evil.example/",
    ):
        silent = Fake(lambda *_: httpx.Response(200))
        with pytest.raises(ProtocolError, match="refused to follow"):
            silent.client().send(Call("list", Rate(1, 1), url=url))
        assert not silent.asked


def test_a_bomb_is_cut_off(monkeypatch):
    monkeypatch.setattr("connectors.client.MAX_BODY", 1000)
    bomb = gzip.compress(b"0" * 10_000_000)
    fake = Fake(lambda *_: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=bomb))
    with pytest.raises(ProtocolError, match="larger than 1000 bytes"):
        fake.client().send(LIST)


def _advance(answer: Answer) -> Call | None:
    token = json.loads(answer.body)["next"]
    return Call("list", LIST.rate, path="/things", params=(("token", token),)) if token else None


def _rows(answer: Answer) -> bytes:
    return json.dumps(json.loads(answer.body)["rows"]).encode()


def test_follow_ends_where_the_source_says_not_at_a_short_page():
    pages = {"": ("a", [1, 2]), "a": ("b", []), "b": (None, [3])}

    def answer(request: httpx.Request, _: int) -> httpx.Response:
        following, rows = pages[request.url.params.get("token", "")]
        return httpx.Response(200, json={"next": following, "rows": rows})

    seen = [json.loads(page.body)["rows"] for page in Fake(answer).client().follow(LIST, _advance)]
    assert seen == [[1, 2], [], [3]]


def test_a_repeated_token_and_a_repeated_page_are_errors_that_name_it():
    looping = Fake(lambda *_: httpx.Response(200, json={"next": "same", "rows": [1]}))
    with pytest.raises(ProtocolError, match="page 2 repeats page 1"):
        list(looping.client().follow(LIST, _advance))
    fresh_tokens = Fake(lambda _, n: httpx.Response(200, json={"next": f"t{n}", "rows": [1]}))
    with pytest.raises(ProtocolError, match="page 2 repeats page 1"):
        list(fresh_tokens.client().follow(LIST, _advance, _rows))


def test_the_budget_reaches_its_rate_and_never_exceeds_it():
    clock = [0.0]
    budget = LocalBudget(now=lambda: clock[0])
    sent = []
    while clock[0] < 100:
        wait = budget.reserve("key", Rate(per_second=2, burst=5), 1, max_wait=60)
        clock[0] += wait
        sent.append(clock[0])
    within = [sum(start <= at < start + 10 for at in sent) for start in range(90)]
    assert max(within) <= 5 + 10 * 2
    assert len(sent) >= 0.99 * (5 + 100 * 2)


def test_a_bucket_that_learned_it_is_empty_waits():
    bucket = Bucket(Rate(1, 10))
    assert bucket.wait(1, now=0) == 0
    bucket.take(10, now=0)
    assert bucket.wait(1, now=0) == pytest.approx(1)
    bucket.blocked_until = 30
    assert bucket.wait(1, now=5) == pytest.approx(25)
