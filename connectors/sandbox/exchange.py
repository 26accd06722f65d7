"""Around every request: scripted faults of the wire, and the count of what was asked and answered."""

import asyncio
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox.faults import WIRE, Exchange, Fault, current_exchange
from connectors.sandbox.state import SandboxState


class ExchangeMiddleware:
    """Counts requests by operation and plays wire faults on finished answers."""

    def __init__(self, app: ASGIApp, state: SandboxState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        line = f"{scope['method']} {scope['path']}"
        exchange = Exchange()
        fault = self._state.faults.match(line)
        if fault is not None and fault.kind in WIRE:
            exchange.wire.append(fault)
        answer = _Answer(exchange, send)
        token = current_exchange.set(exchange)
        try:
            await self._app(scope, receive, answer.send)
            await answer.finish()
        finally:
            current_exchange.reset(token)
            status = 429 if exchange.throttled else answer.status
            self._state.requests.note(exchange.operation or line, status)


class _Answer:
    """Passes an answer on as it comes; holds it back whole when a wire fault awaits it."""

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._held: list[Message] = []
        self.status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if self._exchange.wire:
            self._held.append(message)
        else:
            await self._send(message)

    async def finish(self) -> None:
        """Send what was held back, bent by the faults in the order they were found."""
        if not self._held:
            return
        start = self._held[0]
        body = b"".join(message.get("body", b"") for message in self._held[1:])
        cut: Fault | None = None
        for fault in self._exchange.wire:
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "status":
                start, body = _replaced(fault)
                self.status = fault.status
            else:
                cut = fault
        await self._send(start)
        if cut is None:
            await self._send({"type": "http.response.body", "body": body})
        else:
            # "More to come", and then nothing: the server drops the connection in mid-answer.
            await self._send({"type": "http.response.body", "body": body[: cut.size], "more_body": True})


def _replaced(fault: Fault) -> tuple[Message, bytes]:
    """Start and body of the answer a `status` fault gives. A body that is no text is sent as JSON."""
    body = (
        fault.body
        if isinstance(fault.body, str)
        else json.dumps(fault.body)
        if fault.body is not None
        else ""
    )
    headers = {name.lower(): value for name, value in fault.headers.items()}
    if fault.body is not None and not isinstance(fault.body, str):
        headers.setdefault("content-type", "application/json")
    headers.setdefault("content-length", str(len(body.encode())))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": fault.status, "headers": raw}, body.encode()
