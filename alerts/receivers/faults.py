"""Misbehaviour on request: the next calls to a provider fail in a way its real counterpart is known for."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Kind = Literal["throttle", "error", "reset", "reset_before", "slow", "unauthorized"]
KINDS: tuple[str, ...] = ("throttle", "error", "reset", "reset_before", "slow", "unauthorized")


@dataclass
class Fault:
    """`reset` accepts the message and then breaks the connection without an answer; `reset_before` breaks it
    before accepting; `slow` answers after so many seconds."""

    kind: str
    times: int = 1
    seconds: float = 1.0


class Faults:
    """Scripted faults by provider: sendgrid, twilio, slack, webhook."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: dict[str, list[Fault]] = {}

    def plan(self, provider: str, kind: str, times: int = 1, seconds: float = 1.0) -> None:
        """The next `times` calls to the provider fail so."""
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind}: one of {', '.join(KINDS)}")
        with self._lock:
            self._planned.setdefault(provider, []).append(Fault(kind, times, seconds))

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._planned.clear()

    def take(self, provider: str) -> Fault | None:
        """The fault for this call, if one is planned."""
        with self._lock:
            planned = self._planned.get(provider)
            if not planned:
                return None
            fault = planned[0]
            fault.times -= 1
            if fault.times <= 0:
                planned.pop(0)
            return fault


async def before(
    request: Request, provider: str, bodies: dict[str, Any]
) -> tuple[Fault | None, Response | None]:
    """The fault of this call and, when it fails before anything is accepted, its answer.

    `bodies` gives the provider's own words for `throttle`, `error` and `unauthorized`.
    """
    fault: Fault | None = request.app.state.faults.take(provider)
    if fault is None:
        return None, None
    if fault.kind == "throttle":
        wait = {"Retry-After": f"{fault.seconds:g}"}
        return fault, _answer(bodies["throttle"], 429, wait)
    if fault.kind == "error":
        return fault, _answer(bodies["error"], 500)
    if fault.kind == "unauthorized":
        return fault, _answer(bodies["unauthorized"], 401)
    if fault.kind == "reset_before":
        break_connection(request)
        return fault, Response(status_code=500)
    return fault, None


async def after(request: Request, fault: Fault | None) -> None:
    """What happens between accepting and answering: nothing, a wait, or a broken connection."""
    if fault is None:
        return
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "reset":
        break_connection(request)


def break_connection(request: Request) -> None:
    """Aborts the TCP connection: the caller never gets an answer."""
    request.scope["wharf.transport"].abort()


def _answer(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    if isinstance(body, str):
        return Response(body, status, headers, media_type="text/plain")
    return JSONResponse(body, status, headers)
