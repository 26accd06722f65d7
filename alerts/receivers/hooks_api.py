"""A Slack incoming webhook, and a merchant's endpoint that checks Standard Webhooks signatures."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from alerts.receivers import faults
from alerts.webhook_sender import signing_key

_SLACK_FAULTS = {"throttle": "rate_limited", "error": "internal_error", "unauthorized": "invalid_token"}
_HOOK_FAULTS = {"throttle": "slow down", "error": "oops", "unauthorized": "who are you?"}
_TOLERANCE_SECONDS = 300


def routes() -> list[BaseRoute]:
    """`/services/T…/B…/…` as Slack's, and `/hooks/<name>`."""
    return [
        Route("/services/{team}/{hook}/{secret}", _slack, methods=["POST"]),
        Route("/hooks/{name}", _hook, methods=["POST"]),
    ]


async def _slack(request: Request) -> Response:
    fault, answer = await faults.before(request, "slack", _SLACK_FAULTS)
    if answer is not None:
        return answer
    try:
        body = json.loads(await request.body())
    except ValueError:
        return _text("invalid_payload", 400)
    mistake = _slack_mistake(body) if isinstance(body, dict) else "invalid_payload"
    if mistake:
        return _text(mistake, 400)
    text = str(body.get("text", ""))
    number = len(request.app.state.ledger.of("slack")) + 1
    pretty = json.dumps(body, indent=2, ensure_ascii=False).encode()
    request.app.state.ledger.record(
        "slack", f"slack-{number}", "Slack", text, text, {"payload": body}, {".json": pretty}
    )
    await faults.after(request, fault)
    return _text("ok", 200)


def _slack_mistake(body: dict[str, Any]) -> str | None:
    blocks = body.get("blocks")
    if not body.get("text") and not blocks:
        return "no_text"
    if blocks is None:
        return None
    if not isinstance(blocks, list) or len(blocks) > 50:
        return "invalid_blocks"
    return None if all(_block_fits(block) for block in blocks) else "invalid_blocks"


def _block_fits(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "header":
        text = block.get("text", {})
        return text.get("type") == "plain_text" and 0 < len(text.get("text", "")) <= 150
    if kind == "section":
        fields = block.get("fields", [])
        texts = [block["text"]] if "text" in block else []
        return (
            bool(texts or fields)
            and all(0 < len(item.get("text", "")) <= 3000 for item in texts)
            and len(fields) <= 10
            and all(0 < len(item.get("text", "")) <= 2000 for item in fields)
        )
    if kind == "actions":
        elements = block.get("elements", [])
        return 0 < len(elements) <= 25 and all(
            item.get("type") == "button"
            and 0 < len(item["text"]["text"]) <= 75
            and len(item.get("url", "")) <= 3000
            for item in elements
        )
    return kind in {"context", "divider", "image"}


async def _hook(request: Request) -> Response:
    fault, answer = await faults.before(request, "webhook", _HOOK_FAULTS)
    if answer is not None:
        return answer
    raw = await request.body()
    headers = request.headers
    if not _is_signed(raw, dict(headers), request.app.state.webhook_secret):
        return _text("bad signature", 401)
    ledger = request.app.state.ledger
    if ledger.found(headers["webhook-id"]) is None:  # a repeat is acknowledged and dropped
        body = json.loads(raw)
        alerts = body["data"]["alerts"]
        title = alerts[0]["title"] if alerts else body["type"]
        pretty = json.dumps(body, indent=2, ensure_ascii=False).encode()
        ledger.record(
            "webhook", headers["webhook-id"], request.path_params["name"], title, body["type"],
            {"payload": {"type": body["type"], "counts": body["data"]["counts"]}}, {".json": pretty},
        )  # fmt: skip
    await faults.after(request, fault)
    return JSONResponse({"received": True}, 200)


def _is_signed(raw: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        fresh = abs(time.time() - int(headers["webhook-timestamp"])) <= _TOLERANCE_SECONDS
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
        expected = base64.b64encode(hmac.digest(signing_key(secret), signed, hashlib.sha256)).decode()
        marks = headers["webhook-signature"].split()
    except (KeyError, ValueError):
        return False
    return fresh and any(hmac.compare_digest(mark, f"v1,{expected}") for mark in marks)


def _text(text: str, status: int) -> Response:
    return Response(text, status, media_type="text/plain")
