"""What each answer of a channel leads to, over real HTTP: one table a platform. Nothing sleeps but the slow answers."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from connectors import client as client_module
from connectors.base import Account, Context, Page, Window
from connectors.budget import LocalBudget
from connectors.client import Limits
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    CursorExpiredError,
    ProtocolError,
    RateLimitError,
    RequestRejectedError,
)
from connectors.registry import open_client, resources_of
from connectors.sandbox.app import serving
from connectors.sandbox.faults import Fault
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.state import SandboxState
from tests import amazon_factories, shopify_factories, walmart_factories
from tests.sandbox_factories import NOON

PACE = 5000.0
HTML = "<html><body>Sorry, we are down</body></html>"
SOON = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)}
PLATFORMS = ("amazon", "shopify", "walmart")
OPERATIONS = {"amazon": "amazon.searchOrders", "shopify": "shopify.orders", "walmart": "walmart.orders"}
SPANS = {"amazon": timedelta(days=2), "shopify": timedelta(days=2), "walmart": timedelta(days=4)}
LONGER = timedelta(days=13)  # several pages, and not yet a report or a bulk operation
IDS = {"amazon": b'"orderId"', "shopify": b'"gid://shopify/Order/', "walmart": b'"purchaseOrderId"'}


@dataclass
class Clock:
    """Time that passes by being slept away."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class Place:
    """The three sandboxes, and reads of their orders."""

    def __init__(self, state: SandboxState, url: str) -> None:
        self.state = state
        self.accounts: dict[str, Account] = {
            "amazon": amazon_factories.account(f"{url}/amazon", PACE),
            "shopify": shopify_factories.account(f"{url}/shopify", static=False, pace=f"{PACE:g}"),
            "walmart": walmart_factories.account(f"{url}/walmart", PACE),
        }
        self.requests = 0  # of the last read, without those for tokens
        self.slept = 0.0
        self.whole = {platform: self.read(platform) for platform in PLATFORMS}

    def read(self, platform: str, timeout: float = 30.0, span: timedelta | None = None) -> int:
        """How many orders the platform gives for a span, by default a page of them."""
        return sum(page.body.count(IDS[platform]) for page in self.pages(platform, timeout, span))

    def pages(self, platform: str, timeout: float = 30.0, span: timedelta | None = None) -> list[Page]:
        """The pages themselves."""
        clock = Clock()
        until = NOON - timedelta(minutes=5)
        with open_client(
            self.accounts[platform],
            budget=LocalBudget(clock.now),
            limits=Limits(attempts=3, backoff=0.5, max_wait=5000),
            http=httpx.Client(timeout=timeout),
            sleep=clock.sleep,
        ) as client:
            try:
                window = Window(until - (span or SPANS[platform]), until)
                return list(resources_of(platform)["orders"].pages(client, window))
            finally:
                self.requests, self.slept = client.requests, sum(clock.slept)


@pytest.fixture(scope="module")
def everywhere() -> Iterator[Place]:
    world = GeneratedWorld(3, today=NOON.date(), skus=8, days=30, orders_per_day=60)
    state = SandboxState(world, pace=PACE)
    state.clock.freeze(NOON)
    with serving(state) as url:
        yield Place(state, url)


@pytest.fixture
def place(everywhere: Place) -> Place:
    everywhere.state.faults.clear()
    everywhere.state.limiter.reset()
    return everywhere


def status(
    code: int, body: Any = None, headers: Mapping[str, str] | None = None, **rule: Any
) -> dict[str, Any]:
    return {"kind": "status", "status": code, "body": body, "headers": dict(headers or {}), **rule}


def amazon(
    code: int, name: str, message: str = "", headers: Mapping[str, str] | None = None, **rule: Any
) -> dict[str, Any]:
    return status(code, {"errors": [{"code": name, "message": message, "details": ""}]}, headers, **rule)


def walmart(code: int, name: str, headers: Mapping[str, str] | None = None, **rule: Any) -> dict[str, Any]:
    return status(code, {"errors": [{"code": name, "description": name}]}, headers, **rule)


def graphql(code: str, **extensions: Any) -> dict[str, Any]:
    error = {"message": code, "extensions": {"code": code, **extensions}, "path": ["orders"]}
    return status(200, {"data": None, "errors": [error]}, times=None)


THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 900,
            "actualQueryCost": None,
            "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 100, "restoreRate": 100},
        }
    },
}
ALWAYS: dict[str, Any] = {"times": None}
EXPIRED = "The access token you provided has expired."

# Fault → how long it is waited for at least, and at most: afterwards the same rows are read as without it.
PASSES: dict[str, dict[str, tuple[dict[str, Any], float, float]]] = {
    "every": {
        "a token that has ended": (status(401), 0, 0.5),
        "429 with seconds": (status(429, headers={"Retry-After": "7"}), 7, 8),
        "429 with a date": (status(429, headers=SOON), 3000, 3601),
        "429 with a date gone by": (
            status(429, headers={"Retry-After": "Sat, 21 Nov 2020 10:00:00 GMT"}),
            0,
            2,
        ),
        "500": (status(500), 0, 2),
        "502 of a proxy": (status(502, HTML), 0, 2),
        "503, twice": (status(503, times=2), 0, 3),
        "520 of a gateway": (status(520), 0, 2),
        "423 locked": (status(423), 0, 2),
        "an answer cut off": ({"kind": "cut", "size": 100}, 0, 2),
    },
    "amazon": {
        "403 of an ended token": (amazon(403, "Unauthorized", EXPIRED), 0, 0.5),
        "403 for the quota": (amazon(403, "QuotaExceeded"), 0.01, 2),
        "429 with the account's rate": (
            amazon(429, "QuotaExceeded", "", {"x-amzn-RateLimit-Limit": "0.25"}),
            4,
            60,
        ),
        "429 without a word": (amazon(429, "QuotaExceeded"), 1 / (0.0056 * PACE), 2),
    },
    "shopify": {
        "throttled, in a 200": (status(200, THROTTLED), 8, 20),
        "429 without a word": (status(429), 0, 2),
        "INTERNAL_SERVER_ERROR in a 200": ({**graphql("INTERNAL_SERVER_ERROR"), "times": 1}, 0, 2),
    },
    "walmart": {
        "429 with seconds to go": (
            walmart(429, "REQUEST_THRESHOLD_VIOLATED", {"X-Next-Replenishment-Time": "9"}),
            9,
            10,
        ),
        "429 with an epoch": (
            walmart(429, "X", {"X-Next-Replenishment-Time": str(int((time.time() + 1000) * 1000))}),
            500,
            1001,
        ),
        "429 with an instant": (
            walmart(
                429,
                "X",
                {"X-Next-Replenishment-Time": (datetime.now(UTC) + timedelta(seconds=1000)).isoformat()},
            ),
            500,
            1001,
        ),
        "429 with neither": (walmart(429, "X"), 60, 61),
    },
}
# Fault → the error that ends the read, words of it, and how often is asked at most.
ENDS: dict[str, dict[str, tuple[dict[str, Any], type[Exception], str, int]]] = {
    "every": {
        "401 again": (status(401, **ALWAYS), AuthenticationError, "401", 2),
        "400": (status(400), RequestRejectedError, "400", 1),
        "500 for good": (status(500, **ALWAYS), ChannelUnavailableError, "500", 3),
        "429 for good": (status(429, headers={"Retry-After": "1"}, **ALWAYS), RateLimitError, "", 3),
        "cut for good": (
            {"kind": "cut", "size": 100, **ALWAYS},
            ChannelUnavailableError,
            "RemoteProtocolError",
            3,
        ),
        "a redirect": (
            status(302, headers={"Location": "https://evil.example"}),
            ProtocolError,
            "redirect",
            1,
        ),
        "a page for people": (status(200, HTML, {"Content-Type": "text/html"}), ProtocolError, "", 1),
        "nothing": (status(200, ""), ProtocolError, "", 1),
    },
    "amazon": {
        # Asked for all marketplaces at once, then for each of the two alone; each with a token of its own once more.
        "401 again": (status(401, **ALWAYS), AuthenticationError, "401", 6),
        "403 without the role": (
            amazon(403, "Unauthorized", "Access to requested resource is denied.", **ALWAYS),
            AuthenticationError,
            "lacks the role",
            6,
        ),
        "404": (amazon(404, "NotFound"), RequestRejectedError, "404", 1),
    },
    "shopify": {
        # The last request asks for the scopes: what the app may not see is left out, if that is all.
        "401 again": (status(401, **ALWAYS), AuthenticationError, "401", 3),
        "403": (
            status(403, {"errors": "[API] This action requires merchant approval"}, **ALWAYS),
            AuthenticationError,
            "merchant approval",
            3,
        ),
        "404": (status(404, {"errors": "Not Found"}), RequestRejectedError, "404", 1),
        "a scope is missing": (
            graphql("ACCESS_DENIED", requiredAccess="`read_orders` access scope."),
            AuthenticationError,
            "scope read_orders is missing",
            3,
        ),
        # A smaller page may be what it can give: 100, 50, 25, 12, 6, 3 and, where it is the cost, 1.
        "too dear at the smallest page": (graphql("MAX_COST_EXCEEDED"), RequestRejectedError, "MAX_COST", 7),
        "500 for good": (status(500, **ALWAYS), ChannelUnavailableError, "500", 18),
        "cut for good": (
            {"kind": "cut", "size": 100, **ALWAYS},
            ChannelUnavailableError,
            "RemoteProtocolError",
            18,
        ),
    },
    "walmart": {
        "403": (walmart(403, "FORBIDDEN", **ALWAYS), AuthenticationError, "403", 2),
    },
}


POISONED: dict[str, tuple[Any, str]] = {
    "amazon": (
        {
            "orders": [
                amazon_factories.order(
                    "111-0000000-0000001", amazon_factories.item(quantityOrdered="POISON")
                ),
                amazon_factories.order(orderId="111-0000000-0000002"),
            ]
        },
        "111-0000000-0000002",
    ),
    "shopify": (
        json.loads(
            shopify_factories.page(
                shopify_factories.order(1, shopify_factories.line(1, "POISON")), shopify_factories.order(2)
            )
        ),
        "2",
    ),
    "walmart": (
        {
            "list": {
                "meta": {"totalCount": 2, "limit": 200},
                "elements": {
                    "order": [
                        walmart_factories.order("3000001", walmart_factories.line(quantity="POISON")),
                        walmart_factories.order("3000002"),
                    ]
                },
            }
        },
        "3000002",
    ),
}


def rows(table: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    return [
        pytest.param(platform, *case, id=f"{platform}: {name}")
        for platform in PLATFORMS
        for name, case in {**table["every"], **table[platform]}.items()
    ]


@pytest.mark.parametrize(("platform", "rule", "least", "most"), rows(PASSES))
def test_what_passes_is_waited_for_and_nothing_is_missing(
    place: Place, platform: str, rule: dict[str, Any], least: float, most: float
):
    place.state.faults.add(Fault.model_validate({"operation": OPERATIONS[platform], **rule}))

    assert place.read(platform) == place.whole[platform] > 10
    assert least <= place.slept <= most


@pytest.mark.parametrize(("platform", "rule", "error", "words", "asked"), rows(ENDS))
def test_what_does_not_pass_ends_the_read_by_name(
    place: Place, platform: str, rule: dict[str, Any], error: type[Exception], words: str, asked: int
):
    place.state.faults.add(Fault.model_validate({"operation": OPERATIONS[platform], **rule}))

    with pytest.raises(error) as caught:
        place.read(platform)

    assert platform in str(caught.value)
    assert re.search(words, str(caught.value))
    assert place.requests == asked


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_that_takes_too_long_is_asked_for_again(place: Place, platform: str):
    place.state.faults.add(Fault(operation=OPERATIONS[platform], kind="slow", seconds=2))

    assert place.read(platform, timeout=1.5) == place.whole[platform]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_larger_than_any_page_is_cut_off(
    place: Place, platform: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(client_module, "MAX_BODY", 2000)

    with pytest.raises(ProtocolError, match="larger than"):
        place.read(platform)


def test_no_rows_is_what_walmart_calls_not_found_on_a_first_page(place: Place):
    place.state.faults.add(
        Fault.model_validate({"operation": "walmart.orders", **walmart(404, "CONTENT_NOT_FOUND", **ALWAYS)})
    )

    assert place.read("walmart") == 0


def test_a_bucket_that_walmart_calls_empty_is_waited_for(place: Place):
    empty = {"list": {"meta": {"totalCount": 0}, "elements": {"order": []}}}
    rule = status(200, empty, {"x-current-token-count": "0"})
    place.state.faults.add(Fault.model_validate({"operation": "walmart.orders", **rule}))

    place.read("walmart")

    assert place.slept >= 60 / (5000 * PACE)


@pytest.mark.parametrize("platform", ["amazon", "shopify"])  # Walmart's: walmart/test_connector.py
def test_a_page_that_comes_again_is_an_error(place: Place, platform: str):
    place.state.faults.add(Fault(operation=OPERATIONS[platform], kind="repeat", after=1))

    with pytest.raises(ProtocolError, match=r"repeats|used before"):
        place.read(platform, span=LONGER)


def test_a_page_token_that_died_is_told_apart(place: Place):
    dead = amazon(400, "InvalidInput", "The pagination token is invalid", after=1)
    place.state.faults.add(Fault.model_validate({"operation": "amazon.searchOrders", **dead}))

    with pytest.raises(CursorExpiredError, match="page token"):
        place.read("amazon", span=LONGER)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("poison", ["NaN", r'"half \ud800"'])
def test_one_value_that_is_no_json_costs_its_record_alone(place: Place, platform: str, poison: str):
    body, readable = POISONED[platform]
    text = json.dumps(body).replace('"POISON"', poison)
    place.state.faults.add(Fault.model_validate({"operation": OPERATIONS[platform], **status(200, text)}))

    [page, *_] = place.pages(platform)
    read = resources_of(platform)["orders"].normalize(page, Context(place.accounts[platform], NOON))

    assert len(read.rejected) == 1
    assert read.frame("orders")["external_id"].to_list() == [readable]
