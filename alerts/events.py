"""What providers tell later: signed webhooks checked on the raw bytes, and read as states of our messages.

Anything unsigned, changed or old raises SignatureError: answer 401 and do nothing.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from twilio.request_validator import RequestValidator

from alerts.errors import AlertConfigError, SignatureError
from alerts.text import one_line

_TOLERANCE = timedelta(minutes=5)
# Statuses may arrive in any order: a higher rank never goes back to a lower one.
RANK = {"pending": 0, "unknown": 1, "accepted": 2, "undelivered": 3, "delivered": 4}
_SENDGRID = {
    "processed": "accepted",
    "deferred": "accepted",
    "delivered": "delivered",
    "open": "delivered",
    "click": "delivered",
    "dropped": "undelivered",
    "bounce": "undelivered",
    "blocked": "undelivered",
    "spamreport": "delivered",
    "unsubscribe": "delivered",
    "group_unsubscribe": "delivered",
}
_SENDGRID_BLOCKS = {
    "bounce": "the address bounced",
    "dropped": "the provider drops mail to this address",
    "spamreport": "reported as spam",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
}
_TWILIO = {
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "undelivered",
}
_TWILIO_BLOCKS = {"21610": "opted out", "21211": "not a valid number", "21614": "not a mobile number"}


@dataclass(frozen=True)
class ProviderEvent:
    """What a provider says about one message. `blocked` is why its address must not be tried again."""

    event_id: str
    provider_id: str | None
    message_key: str | None
    state: str
    happened_at: datetime | None = None
    recipient: str | None = None
    reason: str | None = None
    blocked: str | None = None


def later_state(known: str, told: str) -> str:
    """The state after an event, whatever order events arrive in."""
    return told if RANK.get(told, 0) > RANK.get(known, 0) else known


def sendgrid_events(
    body: bytes, headers: Mapping[str, str], public_key: str, now: datetime
) -> list[ProviderEvent]:
    """Events of a signed SendGrid call (ECDSA P-256 over time stamp and raw body), repeats dropped."""
    lower = {key.lower(): value for key, value in headers.items()}
    stamp = lower.get("x-twilio-email-event-webhook-timestamp", "")
    mark = lower.get("x-twilio-email-event-webhook-signature", "")
    try:
        _sendgrid_key(public_key).verify(
            base64.b64decode(mark, validate=True), stamp.encode() + body, ECDSA(hashes.SHA256())
        )
        age = abs(now - datetime.fromtimestamp(int(stamp), UTC))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise SignatureError("not signed by SendGrid") from error
    if age > _TOLERANCE:
        raise SignatureError("the SendGrid event is too old or from the future")
    return _read_sendgrid(body)


def twilio_event(
    url: str, form: Mapping[str, str], headers: Mapping[str, str], auth_token: str
) -> ProviderEvent:
    """The event of a signed Twilio status callback. `url` is the public one Twilio was told to call."""
    lower = {key.lower(): value for key, value in headers.items()}
    validator = RequestValidator(auth_token)
    if not validator.validate(url, dict(form), lower.get("x-twilio-signature", "")):
        raise SignatureError("not signed by Twilio")
    status = form.get("MessageStatus") or form.get("SmsStatus") or ""
    code = form.get("ErrorCode") or ""
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    return ProviderEvent(
        event_id=f"{sid} {status}",
        provider_id=sid or None,
        message_key=None,
        state=_TWILIO.get(status, "accepted"),
        recipient=form.get("To"),
        reason=f"Twilio error {one_line(code, 10)}" if code else None,
        blocked=_TWILIO_BLOCKS.get(code),
    )


def _sendgrid_key(public_key: str) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode("".join(public_key.split())))
    except ValueError as error:
        raise AlertConfigError("SENDGRID_WEBHOOK_PUBLIC_KEY is not SendGrid's verification key") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise AlertConfigError("SENDGRID_WEBHOOK_PUBLIC_KEY is not an elliptic curve key")
    return key


def _read_sendgrid(body: bytes) -> list[ProviderEvent]:
    try:
        raw = json.loads(body)
    except ValueError as error:
        raise SignatureError("the body is not JSON") from error
    found: dict[str, ProviderEvent] = {}
    for item in raw if isinstance(raw, list) else []:
        if not isinstance(item, dict) or item.get("event") not in _SENDGRID:
            continue
        kind = str(item["event"])
        sent = str(item.get("sg_message_id") or "")
        event_id = str(item.get("sg_event_id") or f"{sent} {kind} {item.get('timestamp')}")
        stamp = item.get("timestamp")
        found.setdefault(
            event_id,
            ProviderEvent(
                event_id=event_id,
                provider_id=sent.partition(".")[0] or None,  # the header X-Message-Id is its first part
                message_key=str(item["message_key"]) if item.get("message_key") else None,
                state=_SENDGRID[kind],
                happened_at=datetime.fromtimestamp(stamp, UTC) if isinstance(stamp, int) else None,
                recipient=str(item.get("email") or "") or None,
                reason=one_line(item["reason"], 200) if item.get("reason") else None,
                blocked=_SENDGRID_BLOCKS.get(kind),
            ),
        )
    return list(found.values())
