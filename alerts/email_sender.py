"""E-mail through the official SendGrid library, given the time-out and the redirect guard it lacks.

SendGrid has no idempotency key and no look-up: after a lost answer the outcome stays unknown until its event
webhook says (`alerts.events`); `custom_args.message_key` ties the two together.
"""

import json
import socket
import ssl
from datetime import datetime
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

import python_http_client
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Attachment,
    Category,
    ContentId,
    CustomArg,
    Disposition,
    FileContent,
    FileName,
    FileType,
    Header,
    Mail,
)

from alerts import quiet, render
from alerts.senders import Delivery, Outgoing, by_status
from alerts.settings import is_loopback
from alerts.text import one_line

# The library logs headers (with the key) and bodies at DEBUG.
quiet.drop("python_http_client.client")


class EmailSender:
    """Sends rendered e-mails. One attempt a call; says honestly when the outcome is unknown."""

    way = "email"
    repeatable = False

    def __init__(
        self,
        api_key: str,
        from_email: str,
        *,
        base_url: str = "https://api.sendgrid.com",
        timeout_seconds: float = 20,
    ) -> None:
        self._from = from_email
        self._library = SendGridAPIClient(api_key, host=base_url)
        self._library.client = _Client(
            host=base_url,
            request_headers=self._library._default_headers,
            version=3,
            timeout=timeout_seconds,
        )

    def send(self, message: Outgoing, now: datetime) -> Delivery:
        """202 is accepted; a refused connection is a retry; a lost answer is unknown."""
        mail = self._mail(message)
        try:
            answer = self._library.send(mail)
        except HTTPError as error:
            return _refused(error, now)
        except (URLError, TimeoutError, OSError) as error:
            return _broken(error)
        except ValueError:  # the answer was cut off or is not HTTP
            return Delivery("unknown", error="the answer could not be read", provider_down=True)
        headers = {str(key).lower(): value for key, value in answer.headers.items()}
        return Delivery("accepted", provider_id=headers.get("x-message-id"))

    def look_up(self, message: Outgoing, now: datetime) -> Delivery | None:
        """SendGrid cannot be asked by our key."""
        return None

    def status(self, provider_id: str) -> Delivery | None:
        """SendGrid tells by its event webhook only."""
        return None

    def _mail(self, message: Outgoing) -> Any:
        email = render.email(message.payload)
        mail = Mail(
            from_email=(self._from, "Wharf alerts"),
            to_emails=message.recipient,
            subject=one_line(email.subject, 200),
            plain_text_content=email.text,
            html_content=email.html,
        )
        mail.category = Category("wharf-alert")
        mail.custom_arg = [
            CustomArg("message_key", message.idempotency_key),
            CustomArg("fingerprint", one_line(message.fingerprint, 250)),
        ]
        # Mail clients thread by it, and fold a repeat of the same message into one.
        mail.header = Header("X-Entity-Ref-ID", message.idempotency_key)
        for item in email.attachments:
            mail.add_attachment(
                Attachment(
                    FileContent(item.base64),
                    FileName(item.name),
                    FileType(item.content_type),
                    Disposition("inline" if item.content_id else "attachment"),
                    ContentId(item.content_id) if item.content_id else None,
                )
            )
        return mail


def _refused(error: HTTPError, now: datetime) -> Delivery:
    detail, field = _first_error(error.body)
    delivery = by_status(int(error.status_code), dict(error.headers or {}), detail, now)
    if delivery.state == "rejected" and field.endswith("to") and "email" in detail.lower():
        return Delivery("rejected", error=delivery.error, suppress=True)
    return delivery


def _first_error(body: bytes | str) -> tuple[str, str]:
    try:
        first = json.loads(body)["errors"][0]
        return str(first.get("message", "")), str(first.get("field") or "").rstrip("0123456789.")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "no reason given", ""


def _broken(error: BaseException) -> Delivery:
    """Before the request was out nothing can have been accepted; later nobody knows."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    text = one_line(f"{type(cause).__name__}: {cause}", 200)
    never_sent = isinstance(cause, ConnectionRefusedError | socket.gaierror | ssl.SSLCertVerificationError)
    if never_sent:
        return Delivery("retry", error=text, provider_down=True)
    return Delivery("unknown", error=text, provider_down=True)


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the key to another host; it surfaces as the HTTP error it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _Client(python_http_client.Client):  # type: ignore[misc] # the library has no types
    """The library's client, keeping its time-out down the path and following no redirect."""

    def _build_client(self, name: str | None = None) -> "_Client":
        return _Client(
            host=self.host,
            version=self._version,
            request_headers=self.request_headers,
            url_path=[*self._url_path, name] if name else self._url_path,
            append_slash=self.append_slash,
            timeout=self.timeout,
        )

    def _make_request(self, opener: Any, request: Any, timeout: float | None = None) -> Any:
        handlers: list[Any] = [_NoRedirect()]
        if is_loopback(urlsplit(self.host).hostname or ""):
            handlers.append(ProxyHandler({}))  # a proxy cannot reach this machine's own receiver
        return super()._make_request(build_opener(*handlers), request, timeout)
