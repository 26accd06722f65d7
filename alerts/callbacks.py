"""The web pages and webhooks that answer to what was sent: acknowledge, snooze, provider events.

A small app without a database: what to do is passed in, so that it runs beside anything that can store it.
Opening a link shows a page with one button; only pressing it acts (mail scanners open links).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from alerts.errors import SignatureError
from alerts.events import ProviderEvent, sendgrid_events, twilio_event
from alerts.links import ACTIONS, LinkClaim, Linker

SNOOZES = {"4 hours": timedelta(hours=4), "1 day": timedelta(days=1), "1 week": timedelta(days=7)}
_BODY_LIMIT = 1024 * 1024
_GUARD = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",  # the address of the page is the permission
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}


@dataclass(frozen=True)
class Effects:
    """What the app does when somebody means it. Both answer the episode's title, or None when it has ended.

    `recorded` stores provider events; it is called with the way and the events of one verified request.
    """

    acknowledge: Callable[[LinkClaim], str | None]
    snooze: Callable[[LinkClaim, datetime], str | None]
    recorded: Callable[[str, list[ProviderEvent]], None]


def create_app(
    effects: Effects,
    *,
    clock: Callable[[], datetime],
    linker: Linker | None = None,
    sendgrid_public_key: str | None = None,
    twilio_auth_token: str | None = None,
    public_url: str | None = None,
) -> Starlette:
    """Only what is configured answers: links need a linker, each webhook its provider's key."""
    routes: list[Route] = []
    if linker is not None:
        routes.append(Route("/alerts/{action}", _link, methods=["GET", "POST"]))
    if sendgrid_public_key:
        routes.append(Route("/events/sendgrid", _sendgrid, methods=["POST"]))
    if twilio_auth_token and public_url:
        routes.append(Route("/events/twilio", _twilio, methods=["POST"]))
    app = Starlette(routes=routes)
    app.state.effects, app.state.clock, app.state.linker = effects, clock, linker
    app.state.sendgrid_public_key = sendgrid_public_key
    app.state.twilio_auth_token = twilio_auth_token
    app.state.public_url = (public_url or "").rstrip("/")
    return app


async def _link(request: Request) -> Response:
    """GET asks, POST acts; a bad link says so and does nothing."""
    state = request.app.state
    action, now = request.path_params["action"], state.clock()
    if action not in ACTIONS:
        return _page("There is no such page.", status=404)
    token = request.query_params.get("token", "")
    try:
        claim = state.linker.check(token, action, now)
    except SignatureError as error:
        return _page(f"This does nothing: {error}.", status=401)
    if request.method == "GET":
        question = "Will you take care of it?" if action == "acknowledge" else "Hear nothing of it for"
        choices = ["I will"] if action == "acknowledge" else list(SNOOZES)
        return _page(question, subject=claim.fingerprint, choices=choices)
    form = await request.form()
    if action == "acknowledge":
        title = await run_in_threadpool(state.effects.acknowledge, claim)
        done = "Acknowledged. Nobody else will be called."
    else:
        until = now + SNOOZES.get(str(form.get("choice")), SNOOZES["1 day"])
        title = await run_in_threadpool(state.effects.snooze, claim, until)
        done = f"Quiet until {until:%Y-%m-%d %H:%M} UTC."
    if title is None:
        return _page("It is over already.", subject=claim.fingerprint)
    return _page(done, subject=title)


async def _sendgrid(request: Request) -> Response:
    state = request.app.state
    raw = await _limited(request)
    if raw is None:
        return Response(status_code=413)
    try:
        events = sendgrid_events(raw, dict(request.headers), state.sendgrid_public_key, state.clock())
    except SignatureError:
        return Response(status_code=401)
    await run_in_threadpool(state.effects.recorded, "email", events)
    return Response(status_code=204)


async def _twilio(request: Request) -> Response:
    """The URL is rebuilt from the configured public one: behind a proxy the request's own differs."""
    state = request.app.state
    url = state.public_url + request.url.path + (f"?{request.url.query}" if request.url.query else "")
    raw = await _limited(request)
    if raw is None:
        return Response(status_code=413)
    form = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        event = twilio_event(url, form, dict(request.headers), state.twilio_auth_token)
    except SignatureError:
        return Response(status_code=401)
    await run_in_threadpool(state.effects.recorded, "sms", [event])
    return Response(status_code=204)


async def _limited(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            return None
    return body


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("alerts"), autoescape=select_autoescape(["html.j2"]), undefined=StrictUndefined
    )
    return environment.get_template("link.html.j2")


def _page(
    text: str, *, subject: str | None = None, choices: list[str] | None = None, status: int = 200
) -> HTMLResponse:
    page = _template().render(text=text, subject=subject, choices=choices or [])
    return HTMLResponse(page, status, _GUARD)
