"""Twilio's Messages resource of API version 2010-04-01: create, list, fetch; with its table of test numbers."""

import base64
import re
import secrets
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from alerts.receivers import faults
from alerts.receivers.ledger import Entry
from alerts.text import sms_segments

_PATH = "/2010-04-01/Accounts/{sid}/Messages.json"
_E164 = re.compile(r"^\+[1-9]\d{6,14}$")
# Test numbers of Twilio's documentation: what each answers.
_TO = {
    "+15005550001": (21211, "The 'To' number +15005550001 is not a valid phone number."),
    "+15005550002": (21612, "The 'To' phone number is not currently reachable via SMS."),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region."),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient."),
    "+15005550009": (21614, "'To' number is not a valid mobile number."),
}
_FROM = {
    "+15005550001": (21212, "The 'From' number +15005550001 is not a valid phone number."),
    "+15005550007": (21606, "The 'From' phone number is not a valid message-capable number."),
    "+15005550008": (21611, "This 'From' number has exceeded the maximum number of queued messages."),
}
# Accepted, then it fails on its way, as carriers do: last digits of the number → error code.
_FAILS_LATER = {"30003": 30003, "30005": 30005, "30007": 30007}


def _problem(code: int, message: str, status: int) -> dict[str, Any]:
    info = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": info, "status": status}


_FAULTS = {
    "throttle": _problem(20429, "Too Many Requests", 429),
    "error": _problem(20500, "Internal Server Error", 500),
    "unauthorized": _problem(20003, "Authenticate", 401),
}


def routes() -> list[BaseRoute]:
    """Mounted at the root, so that TWILIO_API_URL is the receiver's own URL."""
    return [
        Route(_PATH, _create, methods=["POST"]),
        Route(_PATH, _list, methods=["GET"]),
        Route(_PATH.replace("Messages.json", "Messages/{message}.json"), _fetch, methods=["GET"]),
    ]


async def _create(request: Request) -> Response:
    fault, answer = await faults.before(request, "twilio", _FAULTS)
    refused = answer or _unauthorized(request)
    if refused is not None:
        return refused
    form = {key: str(value) for key, value in (await request.form()).items()}
    mistake = _mistake(form)
    if mistake is not None:
        return _error(*mistake)
    sid = "SM" + secrets.token_hex(16)
    body = form["Body"]
    entry = request.app.state.ledger.record(
        "sms",
        sid,
        form["To"],
        body[:60],
        body,
        {"from": form.get("From"), "segments": sms_segments(body), "callback": form.get("StatusCallback")},
        {".txt": body.encode()},
    )
    await faults.after(request, fault)
    message = _message(request, entry, datetime.now(UTC))
    message.pop("_day")
    return JSONResponse(message, 201)


async def _list(request: Request) -> Response:
    fault, answer = await faults.before(request, "twilio_list", _FAULTS)
    refused = answer or _unauthorized(request)
    if refused is not None:
        return refused
    query = request.query_params
    now = datetime.now(UTC)
    found = [_message(request, entry, now) for entry in reversed(request.app.state.ledger.of("sms"))]
    found = [
        item
        for item in found
        if query.get("To") in (None, item["to"])
        and query.get("From") in (None, item["from"])
        and _within(item["_day"], query)
    ]
    size = min(int(query.get("PageSize", 50)), 1000)
    page = int(query.get("Page", 0))
    shown = found[page * size : (page + 1) * size]
    more = len(found) > (page + 1) * size
    base = request.url.path
    following = f"{base}?PageSize={size}&Page={page + 1}&PageToken=PA{page + 1}" if more else None
    await faults.after(request, fault)
    return JSONResponse(
        {
            "messages": [{k: v for k, v in item.items() if k != "_day"} for item in shown],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(0, len(shown) - 1),
            "uri": f"{base}?{request.url.query}",
            "first_page_uri": f"{base}?PageSize={size}&Page=0",
            "next_page_uri": following,
            "previous_page_uri": None,
        }
    )


async def _fetch(request: Request) -> Response:
    refused = _unauthorized(request)
    if refused is not None:
        return refused
    entry = request.app.state.ledger.found(request.path_params["message"])
    if entry is None:
        return _error(20404, f"The requested resource {request.url.path} was not found", 404)
    message = _message(request, entry, datetime.now(UTC))
    message.pop("_day")
    return JSONResponse(message)


def _unauthorized(request: Request) -> Response | None:
    state = request.app.state
    expected = base64.b64encode(f"{state.twilio_sid}:{state.twilio_token}".encode()).decode()
    sid_fits = request.path_params["sid"] == state.twilio_sid
    if request.headers.get("authorization") == f"Basic {expected}" and sid_fits:
        return None
    return JSONResponse(_FAULTS["unauthorized"], 401)


def _mistake(form: dict[str, str]) -> tuple[int, str] | None:
    to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
    checks = (
        (not to, (21604, "A 'To' phone number is required.")),
        (not sender and "MessagingServiceSid" not in form, (21603, "A 'From' phone number is required.")),
        (not body, (21602, "Message body is required.")),
        (to in _TO, _TO.get(to)),
        (sender in _FROM, _FROM.get(sender)),
        (not _E164.match(to), (21211, f"The 'To' number {to[:20]} is not a valid phone number.")),
        (len(body) > 1600, (21617, "The concatenated message body exceeds the 1600 character limit.")),
    )
    return next((error for wrong, error in checks if wrong), None)


def _within(day: str, query: Any) -> bool:
    return bool(
        query.get("DateSent") in (None, day)
        and day >= (query.get("DateSent>") or "")[:10]
        and ("DateSent<" not in query or day <= query["DateSent<"][:10])
    )


def _message(request: Request, entry: Entry, now: datetime) -> dict[str, Any]:
    """The Message resource; its status moves on as time passes."""
    created = datetime.fromisoformat(entry.received_at)
    pace: timedelta = request.app.state.sms_pace
    step = 0 if not pace else int((now - created) / pace)
    status = ("queued", "sent", "delivered")[min(step, 2)] if pace else "delivered"
    code = next((value for end, value in _FAILS_LATER.items() if entry.to.endswith(end)), None)
    if code and status == "delivered":
        status = "undelivered"
    sid = request.path_params["sid"]
    return {
        "_day": created.date().isoformat(),
        "account_sid": sid,
        "api_version": "2010-04-01",
        "body": entry.text,
        "date_created": format_datetime(created),
        "date_sent": format_datetime(created),
        "date_updated": format_datetime(now),
        "direction": "outbound-api",
        "error_code": code if status == "undelivered" else None,
        "error_message": "Unreachable destination handset" if status == "undelivered" else None,
        "from": entry.details.get("from"),
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": str(entry.details.get("segments", 1)),
        "price": None,
        "price_unit": "USD",
        "sid": entry.provider_id,
        "status": status,
        "subresource_uris": {},
        "to": entry.to,
        "uri": f"/2010-04-01/Accounts/{sid}/Messages/{entry.provider_id}.json",
    }


def _error(code: int, message: str, status: int = 400) -> Response:
    return JSONResponse(_problem(code, message, status), status)
