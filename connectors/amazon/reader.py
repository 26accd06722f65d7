"""What Amazon's answers mean: which are errors, what they say about the rate; and a client that knows it."""

import re
from typing import Any

import httpx
import msgspec

from connectors.amazon.auth import LwaAuth
from connectors.base import Account
from connectors.budget import Rate, RateBudget
from connectors.client import Answer, Call, ChannelClient, Limits, reject_by_status, retry_after
from connectors.errors import AuthenticationError, CursorExpiredError, RateLimitError
from connectors.https import open_http

RATE_HEADER = "x-amzn-ratelimit-limit"
_TOKENS = {"paginationToken", "nextToken", "NextToken", "pageToken"}
_SECRETLIKE = re.compile(r"\S+@\S+|Atz[ar]\|\S+|\b[A-Za-z0-9+/_=-]{40,}\b")


class AmazonReader:
    """Reads status, `errors` and the rate header of the Selling Partner API."""

    def __init__(self, account: Account) -> None:
        self._account = account.name
        self._pace = float(account.options.get("pace", "1"))

    def check(self, call: Call, answer: Answer) -> None:
        """Raises what an answer stands for; returns when it is a good one."""
        if answer.status < 400:
            return
        where = f"{self._account} {call.operation}"
        code, message = _error(answer.body)
        detail = f"{code}: {message}".strip(": ")
        if answer.status == 429 or code == "QuotaExceeded":
            # Amazon documents no Retry-After: the next token is there after one interval.
            told, _ = self.learned(call, answer)
            per_second = told.per_second if told else call.rate.per_second * self._pace
            waits = retry_after(answer.headers)
            raise RateLimitError(f"{where}: HTTP 429 {detail}", 1 / per_second if waits is None else waits)
        if answer.status == 403 and call.authorized:
            if "token" in message.lower() or "expired" in message.lower():
                raise AuthenticationError(f"{where}: HTTP 403 {detail}")
            raise AuthenticationError(
                f"{where}: HTTP 403 {detail}; the application lacks the role for it, or the seller has not "
                "granted this marketplace"
            )
        carries_token = any(name in _TOKENS for name, _ in call.params)
        if answer.status == 400 and carries_token and "token" in detail.lower():
            raise CursorExpiredError(f"{where}: HTTP 400 {detail}; the page token is no longer good")
        reject_by_status(where, answer, detail)

    def learned(self, call: Call, answer: Answer) -> tuple[Rate | None, float | None]:
        """The account's own restore rate for the operation, where the answer names it."""
        text = answer.headers.get(RATE_HEADER)
        try:
            per_second = float(text) if text else 0.0
        except ValueError:
            return None, None
        return (Rate(per_second, call.rate.burst), None) if 0 < per_second < 10_000 else (None, None)


def open_client(
    account: Account,
    *,
    budget: RateBudget | None = None,
    limits: Limits | None = None,
    http: httpx.Client | None = None,
    **options: Any,
) -> ChannelClient:
    """A client of one Amazon account. Further `options` go to ChannelClient."""
    http = http or open_http()
    auth = LwaAuth(account, http)
    return ChannelClient(
        account, auth, AmazonReader(account), budget=budget, limits=limits, http=http, **options
    )


def _error(body: bytes) -> tuple[str, str]:
    """Code and message of the first error, without what looks like a token or an address."""
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "", ""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code, message = str(first.get("code", ""))[:60], str(first.get("message", ""))[:300]
    return code, _SECRETLIKE.sub("…", message)
