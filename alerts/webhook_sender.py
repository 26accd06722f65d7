"""Signed events to a merchant's own endpoint, by the Standard Webhooks scheme.

The address is the merchant's, so it is resolved first and must not lead into a private network; the request
goes to exactly the address that was checked, and no redirect is followed.
"""

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from alerts import http_post, quiet, render
from alerts.errors import ForbiddenAddressError
from alerts.senders import Delivery, Outgoing, by_status
from alerts.settings import is_loopback
from alerts.text import one_line


class WebhookSender:
    """Posts events. `webhook-id` is the message's key: a receiver drops repeats by it, so repeats are safe.

    `clock` tells when a post is signed: a receiver refuses what was signed minutes ago, so the instant that a run
    judges by, which may be long past in a replay or at the end of a long queue, will not do.
    """

    way = "webhook"
    repeatable = True

    def __init__(
        self,
        urls: Mapping[str, str],
        secret: str,
        clock: Callable[[], datetime],
        *,
        previous_secret: str | None = None,
        timeout_seconds: float = 20,
    ) -> None:
        self._urls = dict(urls)
        self._clock = clock
        self._secrets = [secret, previous_secret] if previous_secret else [secret]
        self._http = http_post.client(timeout_seconds)
        for url in urls.values():
            quiet.drop("httpx", urlsplit(url).path)

    def send(self, message: Outgoing, now: datetime) -> Delivery:
        """Any 2xx is delivered; 410 Gone ends it for good; the rest by status."""
        url = self._urls.get(message.recipient)
        if url is None:
            return Delivery("rejected", error=f"no webhook is called {one_line(message.recipient, 60)}")
        body = json.dumps(render.event(message.payload), separators=(",", ":")).encode()
        try:
            address = checked_address(url)
        except ForbiddenAddressError as error:
            return Delivery("rejected", error=str(error))
        except OSError:
            return Delivery("retry", error="the host name does not resolve", provider_down=True)
        headers = {"content-type": "application/json", "host": urlsplit(url).netloc}
        headers |= signature_headers(self._secrets, message.idempotency_key, self._clock(), body)
        pinned, extensions = _pin(url, address)
        answer = http_post.post(self._http, pinned, body, headers, extensions)
        return answer if isinstance(answer, Delivery) else _read(answer, message.idempotency_key, now)

    def look_up(self, message: Outgoing, now: datetime) -> Delivery | None:
        """Not needed: a repeat is dropped by its id."""
        return None

    def status(self, provider_id: str) -> Delivery | None:
        """2xx was the last word."""
        return None


def _read(answer: http_post.Answer, key: str, now: datetime) -> Delivery:
    if 200 <= answer.status < 300:
        return Delivery("delivered", provider_id=key)
    if answer.status == 410:
        return Delivery("rejected", error="410 Gone: the endpoint wants no more", suppress=True)
    if 300 <= answer.status < 400:
        return Delivery("rejected", error=f"{answer.status}: redirects are not followed")
    return by_status(answer.status, answer.headers, "", now)


def signature_headers(secrets: list[str], message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Standard Webhooks headers; while a key is being rotated both sign."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    marks = [
        "v1," + base64.b64encode(hmac.digest(signing_key(secret), signed, hashlib.sha256)).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(marks),
    }


def signing_key(secret: str) -> bytes:
    """Key bytes of a secret: `whsec_` is followed by base64; anything else is taken as it is written."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_") + "==")
    return secret.encode()


def checked_address(url: str) -> str:
    """The IP address to talk to. Loopback only when the URL says so itself; never a private network.

    Raises ForbiddenAddressError, or OSError when the name does not resolve.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    for text in sorted(found):
        address = ip_address(text.split("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or address
        if inner.is_loopback and is_loopback(host):
            continue
        if not inner.is_global or inner.is_multicast:
            raise ForbiddenAddressError(
                f"the webhook's host {one_line(host, 100)} leads into a private network"
            )
    return sorted(found, key=lambda text: (":" in text, text))[0]


def _pin(url: str, address: str) -> tuple[str, dict[str, object]]:
    """The URL on the checked address, with the name kept for TLS: no second look-up can change it."""
    parts = urlsplit(url)
    host = f"[{address}]" if ":" in address else address
    netloc = f"{host}:{parts.port}" if parts.port else host
    extensions: dict[str, object] = {"sni_hostname": parts.hostname} if parts.scheme == "https" else {}
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, "")), extensions
