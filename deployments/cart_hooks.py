"""Where the merchant's own shop sends what visitors do: POST /events/cart, JSON, `Authorization: Bearer` its key.

Answered when the events are stored, so what was not answered is sent again; an event counts once, by its id. When more
wait than can be stored in good time, or the database is away, 503 and Retry-After say so, and nothing was taken.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows import cart_events, connections
from warehouse.cart_events import OLDEST, CartEvent

log = logging.getLogger(__name__)

MOST_EVENTS = 1000  # in one request
MOST_WAITING = 64  # requests held in memory, of _BODY_LIMIT each at most
WRITERS = 4  # transactions at once
_BODY_LIMIT = 1024 * 1024
_AHEAD = timedelta(minutes=5)  # clocks differ

_Text = StringConstraints(strip_whitespace=True, min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")


class Event(BaseModel):
    """One step of a visit with one product. Whatever else is sent is refused: a name must not get in unseen."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, _Text]
    type: Literal["product_view", "add_to_cart", "remove_from_cart", "checkout", "purchase"]
    at: AwareDatetime
    session: Annotated[str, _Text]
    sku: Annotated[str, _Text]
    quantity: int = Field(default=1, ge=1, le=1_000_000)
    price: Decimal | None = Field(default=None, ge=0, max_digits=14, decimal_places=4)
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")


def routes(
    take: Callable[[list[CartEvent]], int] = cart_events.take,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    most_waiting: int = MOST_WAITING,
) -> list[Route]:
    """The endpoint, when WHARF_EVENTS_KEY is set. `take` stores events and answers how many were new."""
    key = connections.settings().events_key
    if key is None:
        return []
    writers, waiting = asyncio.Semaphore(WRITERS), 0

    async def receive(request: Request) -> JSONResponse:
        nonlocal waiting
        if not _allowed(request, key.get_secret_value()):
            return _answer(401, "send Authorization: Bearer and the value of WHARF_EVENTS_KEY")
        if waiting >= most_waiting:
            return _later(1, "too many requests are waiting")
        waiting += 1
        try:
            return await _received(request, writers, take, clock())
        finally:
            waiting -= 1

    return [Route("/events/cart", receive, methods=["POST"])]


async def _received(
    request: Request, writers: asyncio.Semaphore, take: Callable[[list[CartEvent]], int], now: datetime
) -> JSONResponse:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            return _answer(413, f"at most {_BODY_LIMIT} bytes a request")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _answer(400, "this is no JSON")
    sent = found["events"] if isinstance(found, dict) and isinstance(found.get("events"), list) else found
    sent = sent if isinstance(sent, list) else [sent]
    if len(sent) > MOST_EVENTS:
        return _answer(413, f"at most {MOST_EVENTS} events a request")
    events, refused = _read(sent, now)
    try:
        async with writers:
            new = await run_in_threadpool(take, events)
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        log.warning("cart events could not be stored: %s", type(error).__name__)
        return _later(5, "the database does not answer")
    told = {"stored": new, "known": len(events) - new, "refused": refused}
    return JSONResponse(told, 422 if refused and not events else 200)


def _read(sent: list[Any], now: datetime) -> tuple[list[CartEvent], list[dict[str, Any]]]:
    """Events that can be stored, and the place and reason of the others; reasons never repeat what was sent."""
    events, refused = [], []
    for index, one in enumerate(sent):
        try:
            event = Event.model_validate(one)
        except ValidationError as error:
            told = error.errors(include_input=False, include_url=False, include_context=False)
            reason = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'event'}: {e['msg']}" for e in told)
        else:
            reason = _unlikely(event, now)
            if not reason:
                events.append(_stored(event))
                continue
        refused.append({"index": index, "reason": reason})
    return events, refused


def _unlikely(event: Event, now: datetime) -> str:
    if event.at > now + _AHEAD:
        return "at: in the future"
    if event.at < now - OLDEST:
        return f"at: more than {OLDEST.days} days ago"
    if event.price is not None and event.currency is None:
        return "currency: a price needs one"
    return ""


def _stored(event: Event) -> CartEvent:
    return CartEvent(
        event_id=event.id,
        kind=event.type,
        happened_at=event.at.astimezone(UTC),
        session_key=cart_events.session_key(event.session),
        sku=event.sku,
        quantity=event.quantity,
        price=event.price,
        currency=event.currency,
    )


def _allowed(request: Request, key: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), key.encode())


def _answer(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)


def _later(seconds: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, 503, {"retry-after": str(seconds)})
