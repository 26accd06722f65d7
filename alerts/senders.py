"""What every sender promises, and the senders a configuration gives.

A sender makes one attempt and says how it ended; it neither waits nor decides what comes next. Only an
outcome that is certain is called accepted or rejected: after a lost answer it is `unknown`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol

from alerts.settings import AlertSettings
from alerts.text import one_line

UNKNOWN = "outcome unknown"  # how a note about a lost answer begins
State = Literal["accepted", "delivered", "rejected", "retry", "unknown"]


@dataclass(frozen=True)
class Delivery:
    """How one attempt ended.

    accepted: the provider has it; delivered: the recipient has it; rejected: it will never be taken;
    retry: it was certainly not taken, try again; unknown: it may or may not have been taken.
    `suppress` says that this address must not be tried again, and why (opted out, invalid, bounced).
    `provider_down` marks failures of the provider rather than of the message.
    """

    state: State
    provider_id: str | None = None
    error: str | None = None
    retry_after_seconds: float | None = None
    suppress: bool = False
    provider_down: bool = False


@dataclass(frozen=True)
class Outgoing:
    """A stored message as it is claimed for sending. `attempts` counts its claims, this one included;
    `maybe_sent` is set when an earlier one ended without an answer, or its sender died before it could say."""

    idempotency_key: str
    fingerprint: str
    way: str
    recipient: str
    severity: str
    payload: Mapping[str, Any]
    attempts: int = 1
    maybe_sent: bool = False
    since: datetime | None = None  # when it could first have been sent

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Outgoing":
        """From a claimed row of the outbox.

        It may have been sent before when it was claimed before and nothing was noted about it, or when what
        was noted is that nobody knows; a row may say so itself in `maybe_sent` or `previous_state`.
        """
        payload = row["payload"]
        attempts = int(row.get("attempts") or 1)
        noted = row.get("last_error")
        before = row.get("previous_state")
        unclear = attempts > 1 and (noted is None or str(noted).startswith(UNKNOWN))
        first = payload["alerts"][0] if payload.get("alerts") else {}
        return cls(
            idempotency_key=row["idempotency_key"],
            fingerprint=row.get("fingerprint") or first.get("fingerprint", ""),
            way=row["way"],
            recipient=row["recipient"],
            severity=row["severity"],
            payload=payload,
            attempts=attempts,
            maybe_sent=bool(row.get("maybe_sent")) or before in {"sending", "unknown"} or unclear,
            since=_since(row, payload),
        )


def _since(row: Mapping[str, Any], payload: Mapping[str, Any]) -> datetime | None:
    moments = [row.get("not_before"), row.get("created_at")]
    if payload.get("not_before"):
        moments.append(datetime.fromisoformat(payload["not_before"]))
    return max((moment for moment in moments if moment is not None), default=None)


class Sender(Protocol):
    """One way to reach people, through one provider."""

    way: str
    repeatable: bool  # the receiver drops a repeat by itself: sending again is always safe

    def send(self, message: Outgoing, now: datetime) -> Delivery:
        """One attempt; raises nothing."""
        ...

    def look_up(self, message: Outgoing, now: datetime) -> Delivery | None:
        """What became of an attempt without an answer: a Delivery if the provider has it, `retry` if it
        certainly has not, None if it cannot say."""
        ...

    def status(self, provider_id: str) -> Delivery | None:
        """How far an accepted message has come; None where the provider cannot be asked."""
        ...


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds a provider asks to wait: Retry-After in seconds or as a date, else X-RateLimit-Reset."""
    lower = {str(key).lower(): str(value).strip() for key, value in headers.items()}
    stated = lower.get("retry-after")
    if stated is not None:
        if stated.replace(".", "", 1).isdigit():
            return float(stated)
        try:
            moment = parsedate_to_datetime(stated)
        except (TypeError, ValueError):
            return None
        return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())
    reset = lower.get("x-ratelimit-reset")
    if reset is not None and reset.isdigit():
        wait = int(reset) - now.timestamp()
        return wait if 0 <= wait <= timedelta(days=1).total_seconds() else None
    return None


def by_status(status: int, headers: Mapping[str, str], error: str, now: datetime) -> Delivery:
    """The common reading of an HTTP status that is not a success."""
    text = one_line(f"{status} {error}", 300)
    if status == 429:
        return Delivery("retry", error=text, retry_after_seconds=retry_after(headers, now) or 30.0)
    if status >= 500 or status in {408, 425}:
        return Delivery(
            "retry", error=text, retry_after_seconds=retry_after(headers, now), provider_down=True
        )
    if status in {401, 403}:
        # The credential, not the message: it is kept, tells another way, and is tried again later.
        return Delivery("retry", error=text, retry_after_seconds=300.0, provider_down=True)
    return Delivery("rejected", error=text)


def senders_for(settings: AlertSettings, clock: Callable[[], datetime]) -> dict[str, Sender]:
    """A sender per configured provider, by way. `clock` is the wall's, for what providers want signed in time."""
    from alerts.email_sender import EmailSender
    from alerts.slack_sender import SlackSender
    from alerts.sms_sender import SmsSender
    from alerts.webhook_sender import WebhookSender

    timeout = settings.wharf_alert_timeout_seconds
    senders: dict[str, Sender] = {}
    if settings.sendgrid_api_key and settings.from_email:
        senders["email"] = EmailSender(
            settings.sendgrid_api_key.get_secret_value(),
            settings.from_email,
            base_url=settings.sendgrid_api_url,
            timeout_seconds=timeout,
        )
    if settings.twilio_account_sid and settings.twilio_auth_token and settings.twilio_from:
        senders["sms"] = SmsSender(
            settings.twilio_account_sid,
            settings.twilio_auth_token.get_secret_value(),
            settings.twilio_from,
            base_url=settings.twilio_api_url,
            timeout_seconds=timeout,
            status_callback=settings.twilio_callback(),
        )
    if settings.slack_webhook_url:
        senders["slack"] = SlackSender(
            {"default": settings.slack_webhook_url.get_secret_value()}, timeout_seconds=timeout
        )
    if settings.alert_webhook_url and settings.alert_webhook_secret:
        senders["webhook"] = WebhookSender(
            {"default": settings.alert_webhook_url.get_secret_value()},
            settings.alert_webhook_secret.get_secret_value(),
            clock,
            timeout_seconds=timeout,
        )
    return senders
