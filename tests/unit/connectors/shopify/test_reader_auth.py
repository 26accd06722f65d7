"""What answers mean, and how a request proves itself."""

import json
import logging
from typing import Any

import httpx
import pytest

from connectors.budget import Rate
from connectors.client import Answer, Call
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    ProtocolError,
    RateLimitError,
    RequestRejectedError,
)
from connectors.shopify.ask import data_of
from connectors.shopify.auth import ClientCredentials, StaticToken, auth_of
from connectors.shopify.reader import GRAPHQL, RATE, MaxCostError, ShopifyReader, open_client
from tests.shopify_factories import account

CALL = Call(GRAPHQL, RATE, json={"operationName": "Orders"})


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(
        status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), raw
    )


def failing(code: str, **extensions: Any) -> dict[str, Any]:
    return {"errors": [{"message": f"{code} it is", "extensions": {"code": code, **extensions}}]}


def cost(requested: float, available: float, restore: float = 100.0, most: float = 2000.0) -> dict[str, Any]:
    status = {"maximumAvailable": most, "currentlyAvailable": available, "restoreRate": restore}
    return {"cost": {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status}}


def check(told: Answer) -> None:
    ShopifyReader(account()).check(CALL, told)


def test_throttled_says_how_long_until_the_query_fits():
    with pytest.raises(RateLimitError, match="Orders: throttled") as caught:
        check(answer({**failing("THROTTLED"), "extensions": cost(700, 200)}))

    assert caught.value.retry_after_seconds == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("MAX_COST_EXCEEDED", MaxCostError),
        ("INTERNAL_SERVER_ERROR", ChannelUnavailableError),
        ("TIMEOUT", ChannelUnavailableError),
        ("SHOP_INACTIVE", AuthenticationError),
        ("undefinedField", RequestRejectedError),
    ],
)
def test_errors_come_with_status_200(code: str, error: type[Exception]):
    with pytest.raises(error):
        check(answer({"data": None, **failing(code)}))


def test_a_missing_scope_is_named():
    denied = failing("ACCESS_DENIED", requiredAccess="`read_orders` access scope.")
    denied["errors"][0]["path"] = ["orders"]

    with pytest.raises(AuthenticationError, match="scope read_orders is missing for orders"):
        check(answer({"data": {"orders": None}, **denied}))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, RequestRejectedError),
        (502, ChannelUnavailableError),
        (429, RateLimitError),
    ],
)
def test_statuses(status: int, error: type[Exception]):
    with pytest.raises(error):
        check(answer({"errors": "[API] Invalid API key or access token"}, status))


def test_errors_may_be_one_text_and_answers_no_json():
    with pytest.raises(RequestRejectedError, match="Not Found"):
        check(answer({"errors": "Not Found"}))
    with pytest.raises(ProtocolError):
        check(answer(b"<html>"))


def test_the_learned_rate_keeps_room_for_the_largest_query():
    told = answer({"data": {}, "extensions": cost(100, 1900.0, restore=1000.0, most=20000.0)})

    assert ShopifyReader(account()).learned(CALL, told) == (Rate(1000.0, 19000.0), 900.0)


def test_a_small_bucket_is_not_reserved_away():
    told = answer({"data": {}, "extensions": cost(100, 900.0, restore=50.0, most=1000.0)})

    assert ShopifyReader(account()).learned(CALL, told) == (Rate(50.0, 500.0), 400.0)


def test_an_answer_of_another_version_is_told_once(caplog: pytest.LogCaptureFixture):
    told = answer({"data": {}}, x_shopify_api_version="2027-01")
    with open_client(account()) as client, caplog.at_level(logging.WARNING):
        for _ in range(2):
            data_of(client, "Orders", told)

    text = "asked for API version 2026-07, answered by 2027-01; it has left support, set SHOPIFY_API_VERSION"
    assert list(client.warnings) == [text]
    assert [record.getMessage() for record in caplog.records] == [f"shopify: {text}"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def credentials(handler: Any, clock: Clock | None = None) -> ClientCredentials:
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return ClientCredentials(account(static=False), http=http, clock=clock or Clock())


def test_a_days_token_is_renewed_before_it_ends():
    asked: list[httpx.Request] = []

    def grant(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(
            200, json={"access_token": f"t{len(asked)}", "expires_in": 86399, "scope": "read_orders"}
        )

    clock = Clock()
    auth = credentials(grant, clock)

    assert auth.headers() == auth.headers() == {"X-Shopify-Access-Token": "t1"}
    clock.now = 86399 - 299
    assert auth.headers() == {"X-Shopify-Access-Token": "t2"}
    auth.invalidate()
    assert auth.headers() == {"X-Shopify-Access-Token": "t3"}
    assert str(asked[0].url) == "https://shop.example/admin/oauth/access_token"
    assert b"grant_type=client_credentials" in asked[0].content


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, AuthenticationError),
        (401, AuthenticationError),
        (503, ChannelUnavailableError),
        (302, ProtocolError),
    ],
)
def test_a_refused_app_is_told_without_its_secret(status: int, error: type[Exception]):
    auth = credentials(lambda _: httpx.Response(status, text="<html>Oauth error invalid_request</html>"))

    with pytest.raises(error) as caught:
        auth.headers()

    assert "shpss" not in str(caught.value)


def test_an_answer_without_a_token_is_an_error():
    with pytest.raises(ProtocolError):
        credentials(lambda _: httpx.Response(200, json={"scope": "read_orders"})).headers()


def test_the_way_follows_from_the_credentials():
    assert isinstance(auth_of(account()), StaticToken)
    assert isinstance(auth_of(account(static=False)), ClientCredentials)
