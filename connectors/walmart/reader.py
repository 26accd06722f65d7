"""What Walmart's answers mean: errors in three wrappings, and a rate told in two headers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.budget import Rate
from connectors.client import Answer, Call, reject_by_status, retry_after
from connectors.errors import CursorExpiredError, ProtocolError, RateLimitError, RequestRejectedError
from connectors.walmart.payload import find, member, parse

UNREADABLE_WAIT = 60.0  # seconds, when the replenishment time cannot be read
LONGEST_WAIT = 3600.0


class NotFoundError(RequestRejectedError):
    """404. On the first page of a list it means "no rows"; the resource decides."""


class WalmartReader:
    """Reads status, error body and rate headers of one answer."""

    def check(self, call: Call, answer: Answer) -> None:
        """Raises the error an answer stands for; 404 and dead cursors have their own."""
        if answer.status < 400:
            return
        detail = explain(answer.body)
        where = f"walmart {call.operation}"
        if answer.status == 429:
            raise RateLimitError(f"{where}: HTTP 429: {detail}", wait_seconds(answer.headers))
        if answer.status == 404:
            raise NotFoundError(f"{where}: HTTP 404: {detail}")
        if answer.status == 400 and "cursor" in detail.lower():
            raise CursorExpiredError(f"{where}: HTTP 400: {detail}")
        reject_by_status(where, answer, detail)

    def learned(self, call: Call, answer: Answer) -> tuple[Rate | None, float | None]:
        """Tokens left in the bucket; the rate itself is published only on paper."""
        left = answer.headers.get("x-current-token-count", "").strip()
        try:
            return None, max(float(left), 0.0)
        except ValueError:
            return None, None


def wait_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds until more tokens: Retry-After, else X-Next-Replenishment-Time in seconds, epoch or ISO 8601."""
    asked = retry_after(headers, now)
    if asked is not None:
        return min(asked, LONGEST_WAIT)
    told = headers.get("x-next-replenishment-time", "").strip()
    now = now or datetime.now(UTC)
    try:
        number = float(told)
    except ValueError:
        try:
            at = datetime.fromisoformat(told)
        except ValueError:
            return UNREADABLE_WAIT
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return _bounded((at - now).total_seconds())
    if number >= 1e11:
        return _bounded(number / 1000 - now.timestamp())
    if number >= 1e9:
        return _bounded(number - now.timestamp())
    return _bounded(number)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT)


def explain(body: bytes) -> str:
    """ "CODE description" of the first error of `{"errors"}`, `{"error"}` or XML; never more than 200 characters."""
    if not body.strip():
        return "no body"
    try:
        parsed = parse(body, "error body")
    except ProtocolError:
        return "unreadable body"
    first: dict[str, Any] | None = next(find(parsed, lambda names: "code" in names), None)
    if first is None:
        return "unknown error"
    words = (member(first, "code"), member(first, "description") or member(first, "info"))
    return " ".join(str(word).strip() for word in words if word)[:200]
