"""Scripted misbehaviour, and how the server plays it on answers."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, Router
from starlette.types import Message

from connectors.sandbox.exchange import ExchangeMiddleware
from connectors.sandbox.faults import Fault, Faults
from connectors.sandbox.state import SandboxState
from tests.sandbox_factories import HandWorld


def test_fault_strikes_its_operation_so_many_times_after_so_many():
    faults = Faults()
    faults.add(Fault(operation="shopify.*", kind="empty", after=1, times=2))

    assert faults.next("walmart.orders") is None
    struck = [faults.next("shopify.orders") is not None for _ in range(4)]

    assert struck == [False, True, True, False]
    assert faults.describe()[0]["given"] == 2


def test_fault_without_an_end_strikes_until_it_is_cleared():
    faults = Faults()
    faults.add(Fault(kind="reorder", times=None))

    assert all(faults.next("any") for _ in range(5))
    faults.clear()
    assert faults.next("any") is None


def test_unknown_kinds_and_fields_are_refused():
    with pytest.raises(ValidationError):
        Fault.model_validate({"kind": "explode"})
    with pytest.raises(ValidationError):
        Fault.model_validate({"kind": "slow", "second": 3})


def ask(state: SandboxState, path: str = "/shop/orders") -> list[Message]:
    """One request through the middleware to an API that names itself `shopify.orders`."""

    async def orders(_: Request) -> JSONResponse:
        fault = state.faults.next("shopify.orders")
        return JSONResponse({"content": fault.kind if fault else "fine", "filler": "x" * 100})

    async def throttled(_: Request) -> JSONResponse:
        state.throttled()
        return JSONResponse({"errors": [{"message": "Throttled"}]})

    app = ExchangeMiddleware(Router([Route("/shop/orders", orders), Route("/shop/busy", throttled)]), state)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "root_path": "",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent


def sandbox(*faults: Fault) -> SandboxState:
    state = SandboxState(HandWorld())
    for fault in faults:
        state.faults.add(fault)
    return state


def test_answers_pass_untouched_and_are_counted_by_operation():
    state = sandbox()

    start, body = ask(state)[:2]

    assert start["status"] == 200
    assert b'"fine"' in body["body"]
    assert state.requests.counts() == {"shopify.orders": {200: 1}}


@pytest.mark.parametrize("operation", ["shopify.orders", "GET /shop/*"])
def test_status_fault_replaces_the_answer_with_its_headers_and_body(operation: str):
    fault = Fault(operation=operation, kind="status", status=429, headers={"Retry-After": "7"}, body={"e": 1})
    state = sandbox(fault)

    start, body = ask(state)

    assert start["status"] == 429
    assert (b"retry-after", b"7") in start["headers"]
    assert body["body"] == b'{"e": 1}'
    assert state.requests.counts() == {"shopify.orders": {429: 1}}
    assert ask(state)[0]["status"] == 200


def test_cut_fault_ends_in_the_middle():
    start, body = ask(sandbox(Fault(kind="cut", operation="shopify.orders", size=10)))

    promised = int(dict(start["headers"])[b"content-length"])
    assert len(body["body"]) == 10 < promised
    assert body["more_body"]


def test_slow_fault_answers_all_the_same():
    start, body = ask(sandbox(Fault(kind="slow", operation="shopify.orders", seconds=0.01)))

    assert start["status"] == 200
    assert b'"fine"' in body["body"]


def test_content_fault_is_left_to_the_platform():
    body = ask(sandbox(Fault(kind="repeat", operation="shopify.orders")))[1]

    assert b'"repeat"' in body["body"]


def test_refusals_in_an_answer_that_says_200_are_counted_as_429():
    state = sandbox()

    assert ask(state, "/shop/busy")[0]["status"] == 200
    assert state.requests.counts() == {"GET /shop/busy": {429: 1}}
