"""What Shopify's answers mean: most refusals are an HTTP 200 with `errors` in the body.

Costs are points of one bucket per app and shop. A query needs its *requested* (worst case) cost to be in the
bucket and is charged the *actual* one, so our own bucket is kept `RESERVE` points smaller than Shopify's:
whatever it permits, the worst case of the next query still fits, and all that Shopify permits is used.
"""

import re
import time
from collections.abc import Callable

import httpx
import msgspec

from connectors.base import Account
from connectors.budget import Rate, RateBudget
from connectors.client import Answer, Call, ChannelClient, Limits, reject_by_status
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    ProtocolError,
    RateLimitError,
    RequestRejectedError,
)
from connectors.mending import decoded
from connectors.shopify.auth import auth_of
from connectors.tokens import TokenStore

API_VERSION = "2026-07"
MAX_COST = 1000.0  # points one query may request
RESERVE = MAX_COST
# Standard plan: 100 points a second, a bucket of 2,000. Larger plans tell so in their first answer.
RATE = Rate(per_second=100.0, burst=2000.0 - RESERVE)
GRAPHQL = "graphql"  # every query spends from the same bucket
DOWNLOAD = "bulk file"


class MaxCostError(RequestRejectedError):
    """The query could cost more than one query may; a smaller page can help."""


class _Throttle(msgspec.Struct, rename="camel"):
    maximum_available: float
    currently_available: float
    restore_rate: float


class _Cost(msgspec.Struct, rename="camel"):
    requested_query_cost: float | None = None
    actual_query_cost: float | None = None
    throttle_status: _Throttle | None = None


class _Extensions(msgspec.Struct):
    cost: _Cost | None = None


class _ErrorExtensions(msgspec.Struct, rename="camel"):
    code: str | None = None
    required_access: str | None = None
    cost: float | None = None
    max_cost: float | None = None


class _Error(msgspec.Struct):
    message: str = ""
    extensions: _ErrorExtensions | None = None
    path: list[str | int] | None = None


class _Head(msgspec.Struct):
    """An answer without its data, which is skipped over."""

    errors: list[_Error] | str | dict[str, msgspec.Raw] | None = None
    extensions: _Extensions | None = None


_head = msgspec.json.Decoder(_Head)


def head_of(answer: Answer) -> _Head | None:
    """Errors and costs of an answer; None when it is not JSON of that form."""
    try:
        return decoded(_head, answer.body)
    except msgspec.MsgspecError:
        return None


def actual_cost(answer: Answer) -> float | None:
    """What a query was charged."""
    head = head_of(answer)
    return (
        head.extensions.cost.actual_query_cost if head and head.extensions and head.extensions.cost else None
    )


class ShopifyReader:
    """Errors and limits of the Admin GraphQL API."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def learned(self, call: Call, answer: Answer) -> tuple[Rate | None, float | None]:
        if call.operation != GRAPHQL:
            return None, None
        head = head_of(answer)
        cost = head.extensions.cost if head and head.extensions else None
        status = cost.throttle_status if cost else None
        if status is None or status.restore_rate <= 0:
            return None, None
        reserve = min(RESERVE, status.maximum_available / 2)
        return (
            Rate(status.restore_rate, status.maximum_available - reserve),
            status.currently_available - reserve,
        )

    def check(self, call: Call, answer: Answer) -> None:
        where = f"{self._account.name} {_name_of(call)}"
        if answer.status >= 400:
            reject_by_status(where, answer, _status_text(answer))
        if call.operation != GRAPHQL:
            return
        head = head_of(answer)
        if head is None:
            raise ProtocolError(f"{where}: the answer is not JSON")
        if head.errors:
            self._raise(where, head)

    def _raise(self, where: str, head: _Head) -> None:
        if not isinstance(head.errors, list):
            text = head.errors if isinstance(head.errors, str) else ", ".join(head.errors or {})
            raise RequestRejectedError(f"{where}: {_short(text)}")
        codes = {
            error.extensions.code: error
            for error in head.errors
            if error.extensions and error.extensions.code
        }
        first = head.errors[0]
        if "THROTTLED" in codes:
            raise RateLimitError(f"{where}: throttled", _wait(head))
        if "MAX_COST_EXCEEDED" in codes:
            raise MaxCostError(f"{where}: {_short(codes['MAX_COST_EXCEEDED'].message)}")
        if (denied := codes.get("ACCESS_DENIED")) is not None:
            raise AuthenticationError(f"{where}: {_denied(denied)}")
        for code in ("INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"):
            if code in codes:
                raise ChannelUnavailableError(f"{where}: {code}")
        if "SHOP_INACTIVE" in codes:
            raise AuthenticationError(f"{where}: the shop is not active")
        own = first.extensions.code if first.extensions else None
        raise RequestRejectedError(f"{where}: {own or 'refused'}: {_short(first.message)}")


def open_client(
    account: Account,
    *,
    budget: RateBudget | None = None,
    limits: Limits | None = None,
    http: httpx.Client | None = None,
    sleep: Callable[[float], None] = time.sleep,
    tokens: TokenStore | None = None,
) -> ChannelClient:
    """A client of `account`'s shop. Raises AuthenticationError when it has no credentials."""
    return ChannelClient(
        account,
        auth_of(account, tokens),
        ShopifyReader(account),
        budget=budget,
        limits=limits,
        http=http,
        sleep=sleep,
    )


def _name_of(call: Call) -> str:
    body = call.json if isinstance(call.json, dict) else {}
    return str(body.get("operationName") or call.operation)


def _wait(head: _Head) -> float | None:
    """Seconds until the bucket holds what the query requests."""
    cost = head.extensions.cost if head.extensions else None
    if cost is None or cost.throttle_status is None or cost.throttle_status.restore_rate <= 0:
        return None
    missing = (cost.requested_query_cost or MAX_COST) - cost.throttle_status.currently_available
    return max(missing, 0.0) / cost.throttle_status.restore_rate


def _denied(error: _Error) -> str:
    """Which scope is missing; `read_orders` reads in "Required access: `read_orders` access scope"."""
    required = error.extensions.required_access if error.extensions else None
    scopes = re.findall(r"`([a-z_]+)`", required or error.message)
    field = ".".join(str(step) for step in error.path or [])
    if scopes:
        return f"scope {' and '.join(scopes)} is missing{f' for {field}' if field else ''}"
    return _short(error.message)


def _status_text(answer: Answer) -> str:
    head = head_of(answer)
    return _short(head.errors) if head and isinstance(head.errors, str) else ""


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"
