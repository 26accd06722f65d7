"""Signed links to acknowledge or snooze an alert from a message, valid for a while.

Opening a link must never act: mail scanners follow links. The page behind it asks for a click (a POST).
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.errors import SignatureError

ACTIONS = ("acknowledge", "snooze")
_PURPOSE = b"wharf alert link v1"


@dataclass(frozen=True)
class LinkClaim:
    """What a valid link allows: one action on one episode in the name of one recipient."""

    action: str
    fingerprint: str
    recipient: str
    expires_at: datetime


@dataclass(frozen=True, repr=False)
class Linker:
    """Makes and checks links under `base_url`. The key is derived from the secret for this purpose alone."""

    secret: bytes
    base_url: str
    valid_for: timedelta = timedelta(days=7)

    def links(self, fingerprint: str, recipient: str, now: datetime) -> dict[str, str]:
        """Links by action, ready for an `href`."""
        base = f"{self.base_url.rstrip('/')}/alerts"
        return {
            action: f"{base}/{action}?token={self.token(action, fingerprint, recipient, now=now)}"
            for action in ACTIONS
        }

    def token(self, action: str, fingerprint: str, recipient: str, *, now: datetime) -> str:
        """A token for one action; whole seconds, so the same second gives the same token."""
        claim = [action, fingerprint, recipient, int((now + self.valid_for).timestamp())]
        body = _encode(json.dumps(claim, separators=(",", ":")).encode())
        return f"{body}.{_encode(self._mac(body))}"

    def check(self, token: str, action: str, now: datetime) -> LinkClaim:
        """The claim of a token; raises SignatureError when it is forged, expired or for another action."""
        body, _, mac = token.partition(".")
        try:
            genuine = hmac.compare_digest(_decode(mac), self._mac(body))
            claim = json.loads(_decode(body)) if genuine else None
        except (ValueError, UnicodeError) as error:
            raise SignatureError("the link is not one of ours") from error
        if claim is None or claim[0] != action:
            raise SignatureError("the link is not one of ours")
        expires_at = datetime.fromtimestamp(claim[3], UTC)
        if now > expires_at:
            raise SignatureError("the link has expired; use `wharf alerts` instead")
        return LinkClaim(claim[0], claim[1], claim[2], expires_at)

    def _mac(self, body: str) -> bytes:
        key = hmac.digest(self.secret, _PURPOSE, hashlib.sha256)
        return hmac.digest(key, body.encode(), hashlib.sha256)[:16]  # 128 bits; an SMS is short


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
