"""What `/_sandbox` answers: the clock, the faults, what was asked, and the truth. For tests and the demo."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox import truth
from connectors.sandbox.faults import Fault
from connectors.sandbox.replay import ReplayWorld
from connectors.sandbox.state import SandboxState


def control_routes(state: SandboxState) -> list[BaseRoute]:
    """Routes below `/_sandbox`, over `state`."""

    async def health(_: Request) -> Response:
        markets = [asdict(market) for market in state.world.markets]
        return JSONResponse({"ok": True, "now": _text(state.now()), "pace": state.pace, "markets": markets})

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            try:
                _move(state, await request.json())
            except (ValueError, TypeError, KeyError) as error:
                return _refused(f"clock: {error}")
        return JSONResponse(
            {
                "now": _text(state.now()),
                "frozen": state.clock.is_frozen,
                "offset_seconds": state.clock.offset.total_seconds(),
            }
        )

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            state.faults.clear()
        elif request.method == "POST":
            try:
                given = await request.json()
                rules = [
                    Fault.model_validate(rule) for rule in (given if isinstance(given, list) else [given])
                ]
            except (ValidationError, json.JSONDecodeError) as error:
                return _refused(f"fault: {error}")
            for rule in rules:
                state.faults.add(rule)
        return JSONResponse({"faults": state.faults.describe()})

    async def requests(request: Request) -> Response:
        if request.method == "DELETE":
            state.requests.clear()
        counts = state.requests.counts()
        return JSONResponse(
            {
                "operations": counts,
                "total": sum(sum(by_status.values()) for by_status in counts.values()),
                "throttled": sum(by_status.get(429, 0) for by_status in counts.values()),
            }
        )

    async def tokens(_: Request) -> Response:
        state.tokens.expire_all()
        return JSONResponse({"tokens": "expired"})

    async def the_truth(request: Request) -> Response:
        channels = request.query_params.getlist("channel")
        known = {market.channel for market in state.world.markets}
        if unknown := sorted(set(channels) - known):
            return _refused(f"no channel {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        summary = await run_in_threadpool(truth.summary, state.world, state.now(), channels or None)
        return JSONResponse(summary)

    async def replay(_: Request) -> Response:
        world = state.world
        if not isinstance(world, ReplayWorld):
            return JSONResponse({"error": "this world is invented, not replayed from files"}, status_code=404)
        return JSONResponse(
            {
                "first": _text(world.first_instant),
                "last": _text(world.last_instant),
                "lines": json.loads(world.accounted.write_json()),
            }
        )

    return [
        Route("/health", health),
        Route("/replay", replay),
        Route("/clock", clock, methods=["GET", "POST"]),
        Route("/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/requests", requests, methods=["GET", "DELETE"]),
        Route("/tokens", tokens, methods=["DELETE"]),
        Route("/truth", the_truth),
    ]


def _move(state: SandboxState, wish: dict[str, Any]) -> None:
    """One of {"offset_seconds": n}, {"now": instant}, {"freeze": instant | true | false}."""
    if "offset_seconds" in wish:
        state.clock.shift(timedelta(seconds=float(wish["offset_seconds"])))
    elif "now" in wish:
        state.clock.set(datetime.fromisoformat(wish["now"]))
    elif wish.get("freeze") is False:
        state.clock.set(state.now())
    elif "freeze" in wish:
        state.clock.freeze(None if wish["freeze"] is True else datetime.fromisoformat(wish["freeze"]))
    else:
        raise ValueError("say offset_seconds, now or freeze")


def _text(instant: datetime) -> str:
    return instant.isoformat()


def _refused(reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=400)
