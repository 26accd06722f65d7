"""SendGrid's `POST /v3/mail/send`, as its v3 reference describes it."""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from alerts.receivers import faults
from alerts.receivers.ledger import email_files

_ADDRESS = re.compile(r"^[^@\s<>]+@[^@\s<>]+$")
_LIMIT = 30 * 1024 * 1024
_FAULTS = {
    "throttle": {"errors": [{"message": "too many requests", "field": None, "help": None}]},
    "error": {"errors": [{"message": "Internal Server Error", "field": None, "help": None}]},
    "unauthorized": {
        "errors": [
            {
                "message": "The provided authorization grant is invalid, expired, or revoked",
                "field": None,
                "help": None,
            }
        ]
    },
}


def routes() -> list[BaseRoute]:
    """Mounted at the root, so that SENDGRID_API_URL is the receiver's own URL."""
    return [Route("/v3/mail/send", _send, methods=["POST"])]


async def _send(request: Request) -> Response:
    fault, answer = await faults.before(request, "sendgrid", _FAULTS)
    if answer is not None:
        return answer
    body, refused = await _checked(request)
    if refused is not None:
        return refused
    message_id = secrets.token_urlsafe(16)
    if (body.get("mail_settings") or {}).get("sandbox_mode", {}).get("enable"):
        return Response(status_code=200)
    to = [str(person["email"]) for one in body["personalizations"] for person in one["to"]]
    request.app.state.ledger.record(
        "email",
        message_id,
        ", ".join(to),
        body.get("subject") or body["personalizations"][0]["subject"],
        next((part["value"] for part in body["content"] if part["type"] == "text/plain"), ""),
        {
            "from": body["from"]["email"],
            "custom_args": {**(body.get("custom_args") or {}), **_custom(body)},
            "headers": body.get("headers") or {},
            "categories": body.get("categories") or [],
            "attachments": [item["filename"] for item in body.get("attachments") or []],
        },
        email_files(body, to),
    )
    await faults.after(request, fault)
    return Response(status_code=202, headers={"X-Message-Id": message_id})


async def _checked(request: Request) -> tuple[dict[str, Any], Response | None]:
    """The body, or the refusal it deserves."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not key or key != request.app.state.sendgrid_key:
        return {}, JSONResponse(_FAULTS["unauthorized"], 401)
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        return {}, _errors([("Content-Type should be application/json.", None)], 415)
    raw = await request.body()
    if len(raw) > _LIMIT:
        return {}, _errors([("Payload too large", None)], 413)
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return {}, _errors([("Bad Request", None)], 400)
    mistakes = list(_mistakes(body))
    return body, _errors(mistakes, 400) if mistakes else None


def _custom(body: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for one in body["personalizations"]:
        merged.update(one.get("custom_args") or {})
    return merged


def _mistakes(body: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """What SendGrid would refuse, in its words."""
    people = body.get("personalizations")
    if not isinstance(people, list) or not people:
        yield (
            "The personalizations field is required and must have at least one personalization.",
            "personalizations",
        )
        return
    if len(people) > 1000:
        yield "The personalizations field may not have more than 1000 personalizations.", "personalizations"
    yield from _recipients(people)
    sender = body.get("from")
    if not isinstance(sender, dict) or not _ADDRESS.match(str(sender.get("email", ""))):
        yield (
            "The from object must be provided for every email send. It is an object that requires the email "
            'parameter, but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or '
            '{"email" : "example@example.com", "name" : "Example Recipient"}.',
            "from.email",
        )
    if not body.get("subject") and not all(one.get("subject") for one in people):
        yield (
            "The subject is required. You can get around this requirement if you use a template with a subject "
            "defined or if every personalization has a subject defined.",
            "subject",
        )
    yield from _content(body.get("content"))
    for place, item in enumerate(body.get("attachments") or []):
        yield from _attachment(place, item)
    if len(body.get("categories") or []) > 10:
        yield "The category cannot have more than 10 categories.", "categories"
    if len(json.dumps(body.get("custom_args") or {})) > 10_000:
        yield "The custom_args may not exceed 10000 bytes.", "custom_args"
    for name, value in (body.get("headers") or {}).items():
        if "\n" in str(value) or "\r" in str(value) or "\n" in name:
            yield "The header may not contain line breaks.", "headers"


def _recipients(people: list[dict[str, Any]]) -> Iterator[tuple[str, str | None]]:
    for place, one in enumerate(people):
        to = one.get("to")
        if not isinstance(to, list) or not to:
            yield (
                "The to array is required for all personalization objects, and must have at least one email "
                "object with a valid email address.",
                f"personalizations.{place}.to",
            )
            continue
        seen: set[str] = set()
        for number, person in enumerate(to):
            address = str(person.get("email", "")).lower()
            where = f"personalizations.{place}.to.{number}.email"
            if not _ADDRESS.match(address):
                yield "Does not contain a valid address.", where
            elif address in seen:
                yield (
                    "Each email address in the personalization block should be unique between to, cc, and bcc. "
                    f"We found the first duplicate instance of [{address}] in the personalizations.{place}.to field.",
                    f"personalizations.{place}",
                )
            seen.add(address)


def _content(content: Any) -> Iterator[tuple[str, str | None]]:
    if not isinstance(content, list) or not content:
        yield (
            "Unless a valid template_id is provided, the content parameter is required. There must be at least "
            "one defined content block. We typically suggest both text/plain and text/html blocks are included, "
            "but only one block is required.",
            "content",
        )
        return
    kinds = [part.get("type") for part in content]
    for place, part in enumerate(content):
        if not part.get("value"):
            yield (
                "The content value must be a string at least one character in length.",
                f"content.{place}.value",
            )
    if "text/plain" in kinds and kinds[0] != "text/plain":
        yield (
            "If present, text/plain and text/html may only be provided once, and text/plain must come first.",
            "content",
        )


def _attachment(place: int, item: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    try:
        base64.b64decode(str(item.get("content", "")), validate=True)
    except (binascii.Error, ValueError):
        yield "The attachment content must be base64 encoded.", f"attachments.{place}.content"
    if not item.get("content") or not item.get("filename"):
        yield "The attachment content and filename are required.", f"attachments.{place}"
    if item.get("disposition") == "inline" and not item.get("content_id"):
        yield "The content_id is required for inline attachments.", f"attachments.{place}.content_id"


def _errors(mistakes: list[tuple[str, str | None]], status: int) -> Response:
    return JSONResponse(
        {"errors": [{"message": text, "field": where, "help": None} for text, where in mistakes]}, status
    )
