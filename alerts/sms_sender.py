"""SMS through the official Twilio library, given a time-out and a base URL.

Creating a message is not idempotent. After a lost answer the message list is asked for the same text to the
same number since the attempt; the reference at the end of each text makes it unique.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NameResolutionError, NewConnectionError

from alerts import quiet, render
from alerts.senders import Delivery, Outgoing, by_status
from alerts.settings import is_loopback
from alerts.text import one_line

# Both log what a request is about: numbers stand in the URL of a look-up.
quiet.drop("twilio.http_client")
quiet.drop("urllib3.connectionpool", "/2010-04-01/")

# Twilio error codes that will be the same tomorrow. The second set is about the number itself.
_PERMANENT = frozenset({21212, 21408, 21602, 21606, 21612, 21617, 21659, 21660, 30034})
_BAD_NUMBER = {
    21211: "not a valid phone number",
    21214: "cannot be reached",
    21217: "not a valid phone number",
    21610: "opted out (they can text START to get messages again)",
    21614: "not a mobile number",
    30004: "blocked",
    30006: "a landline or unreachable carrier",
}
_RATE = frozenset({20429, 21611, 14107})
_STATES = {
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "rejected",
    "failed": "rejected",
    "canceled": "rejected",
}
_CLOCK_SKEW = timedelta(minutes=5)


class SmsSender:
    """Sends short texts. One attempt a call; looks an unclear one up."""

    way = "sms"
    repeatable = False

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        from_number: str,
        *,
        base_url: str = "https://api.twilio.com",
        timeout_seconds: float = 20,
        status_callback: str | None = None,
    ) -> None:
        self._from = from_number
        self._callback = status_callback
        http = _HttpClient(base_url, timeout_seconds)
        self._library = Client(username=account_sid, password=auth_token, http_client=http)

    def send(self, message: Outgoing, now: datetime) -> Delivery:
        """Creates the message; what the library raises is sorted into retry, rejected and unknown."""
        extra: dict[str, Any] = {"status_callback": self._callback} if self._callback else {}
        try:
            created = self._library.messages.create(
                to=message.recipient, from_=self._from, body=render.sms(message.payload), **extra
            )
        except TwilioRestException as error:
            return _refused(error, now)
        except requests.RequestException as error:
            return _broken(error)
        except (TwilioException, ValueError, OSError) as error:
            return Delivery("unknown", error=one_line(type(error).__name__), provider_down=True)
        return _delivery(created)

    def look_up(self, message: Outgoing, now: datetime) -> Delivery | None:
        """The message Twilio has, `retry` if it has none, None when the list cannot be read."""
        since = (message.since or now - timedelta(days=1)) - _CLOCK_SKEW
        body = render.sms(message.payload)
        try:
            # The list filters by day in UTC; the exact instant is compared here.
            found = self._library.messages.list(
                to=message.recipient, from_=self._from, date_sent_after=since - timedelta(days=1), limit=200
            )
        except (TwilioException, requests.RequestException, ValueError, OSError):
            return None
        for item in found:
            created = item.date_created
            if item.body and item.body.strip() == body and (created is None or created >= since):
                return _delivery(item)
        return Delivery("retry", error="the provider has no such message")

    def status(self, provider_id: str) -> Delivery | None:
        """Where a message stands now; None when it cannot be asked."""
        try:
            return _delivery(self._library.messages(provider_id).fetch())
        except (TwilioException, requests.RequestException, ValueError, OSError):
            return None


def _delivery(message: Any) -> Delivery:
    code = int(message.error_code) if message.error_code else None
    state = _STATES.get(str(message.status), "accepted")
    if state == "rejected":
        reason = _BAD_NUMBER.get(code or 0) or message.error_message or f"Twilio error {code}"
        return Delivery("rejected", str(message.sid), one_line(reason, 200), suppress=code in _BAD_NUMBER)
    return Delivery("delivered" if state == "delivered" else "accepted", str(message.sid))


def _refused(error: TwilioRestException, now: datetime) -> Delivery:
    code, status = int(error.code or 0), int(error.status)
    text = one_line(f"{code or status} {error.msg}", 300)
    if code in _BAD_NUMBER:
        return Delivery("rejected", error=f"{code} {_BAD_NUMBER[code]}", suppress=True)
    if code in _PERMANENT:
        return Delivery("rejected", error=text)
    if code in _RATE:
        return Delivery("retry", error=text, retry_after_seconds=30.0)
    return by_status(status, getattr(error, "headers", None) or {}, text, now)


def _broken(error: requests.RequestException) -> Delivery:
    text = one_line(type(error).__name__, 100)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or _never_connected(error):
        return Delivery("retry", error=text, provider_down=True)
    return Delivery("unknown", error=text, provider_down=True)


def _never_connected(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError | NameResolutionError)


class _HttpClient(TwilioHttpClient):  # type: ignore[misc] # the library has no types
    """The library's HTTP client on another host, with a time-out, and never retrying by itself."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        super().__init__(timeout=timeout_seconds)
        self._base = base_url.rstrip("/")
        # A proxy of the environment cannot reach this machine's own receiver.
        self.session.trust_env = not is_loopback(urlsplit(base_url).hostname or "")

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        kwargs["allow_redirects"] = False
        return super().request(method, self._base + path, **kwargs)
