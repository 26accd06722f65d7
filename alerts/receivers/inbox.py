"""`/_inbox`: the messages as their recipients would see them; `/_ledger` and `/_faults` for programs."""

import mimetypes
from dataclasses import asdict
from functools import cache
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from alerts.receivers.faults import KINDS
from alerts.receivers.ledger import Entry

_WAYS = {"email": "E-mail", "sms": "SMS", "slack": "Slack", "webhook": "Webhook"}


def routes() -> list[BaseRoute]:
    """Pages for people and two resources for programs."""
    return [
        Route("/", _home),
        Route("/_inbox", _inbox),
        Route("/_inbox/files/{name}", _file),
        Route("/_ledger", _ledger),
        Route("/_faults", _faults, methods=["POST", "DELETE"]),
        Route("/_health", _health),
    ]


async def _home(_: Request) -> Response:
    return RedirectResponse("/_inbox")


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _inbox(request: Request) -> Response:
    entries: list[Entry] = list(reversed(request.app.state.ledger.entries))
    wanted = request.query_params.get("way")
    shown = [_view(entry) for entry in entries if wanted in (None, entry.way)]
    counts = {way: sum(entry.way == way for entry in entries) for way in _WAYS}
    page = _page().render(messages=shown[:100], counts=counts, names=_WAYS, total=len(entries), wanted=wanted)
    return HTMLResponse(page, headers={"content-security-policy": "script-src 'none'"})


async def _file(request: Request) -> Response:
    """A kept file, served so that nothing in it can run."""
    name = request.path_params["name"]
    ledger = request.app.state.ledger
    if not any(name in entry.files for entry in ledger.entries):
        return Response("no such file", 404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    guard = {
        "content-security-policy": "sandbox allow-popups; script-src 'none'",
        "x-content-type-options": "nosniff",
    }
    return FileResponse(ledger.inbox / PurePath(name).name, media_type=kind, headers=guard)


async def _ledger(request: Request) -> Response:
    return JSONResponse([asdict(entry) for entry in request.app.state.ledger.entries])


async def _faults(request: Request) -> Response:
    """POST {"provider", "kind", "times", "seconds"}; DELETE behaves again."""
    if request.method == "DELETE":
        request.app.state.faults.clear()
        return JSONResponse({"faults": "none"})
    wish = await request.json()
    if wish.get("kind") not in KINDS:
        return JSONResponse({"error": f"kind is one of {', '.join(KINDS)}"}, 400)
    times, seconds = int(wish.get("times", 1)), float(wish.get("seconds", 1.0))
    request.app.state.faults.plan(str(wish["provider"]), wish["kind"], times, seconds)
    return JSONResponse({"planned": wish})


def _view(entry: Entry) -> dict[str, Any]:
    html = next((name for name in entry.files if name.endswith(".html")), None)
    return {
        "entry": entry,
        "way": _WAYS[entry.way],
        "at": entry.received_at[:19].replace("T", " ") + " UTC",
        "html": html,
        "blocks": (entry.details.get("payload") or {}).get("blocks", []) if entry.way == "slack" else [],
        "segments": entry.details.get("segments"),
    }


@cache
def _page() -> Any:
    environment = Environment(
        loader=PackageLoader("alerts.receivers"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["slack"] = _slack_plain
    return environment.get_template("inbox.html.j2")


def _slack_plain(text: str) -> str:
    """Slack's escapes back into characters, marks left out: the template escapes again."""
    for mark, shown in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("*", ""), ("\u200b", "")):
        text = text.replace(mark, shown)
    for mark, shown in (
        (":red_circle:", "🔴"),
        (":large_orange_circle:", "🟠"),
        (":large_blue_circle:", "🔵"),
    ):
        text = text.replace(mark, shown)
    return text.replace(":white_check_mark:", "✅")
