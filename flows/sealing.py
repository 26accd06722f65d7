"""What is kept of refused records is ciphertext at rest; the keys live elsewhere and can be changed.

Fernet (AES-128 in CBC mode with HMAC-SHA-256) under a key derived by HKDF-SHA-256. New records are sealed with
the newest key; older ones stay readable as long as their key is listed.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connectors.errors import ConfigurationError

_PURPOSE = b"wharf: refused records at rest"
_FIELD = "sealed"


class Vault:
    """Seals and opens JSON texts. `secrets`: newest first, at least one."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = MultiFernet([Fernet(_derived(secret)) for secret in secrets])

    def seal(self, text: str) -> str:
        """`text`, which is JSON, as JSON that tells nothing: `{"sealed": "…"}`."""
        return json.dumps({_FIELD: self._keys.encrypt(text.encode()).decode()})

    def open(self, stored: Any) -> Any:
        """What was sealed; what never was comes back as it is. Raises ConfigurationError when no key fits."""
        if not _is_sealed(stored):
            return stored
        return json.loads(self._opened(stored))

    def open_text(self, stored: str) -> str:
        """The same for JSON text, its numbers untouched."""
        found = json.loads(stored)
        return self._opened(found) if _is_sealed(found) else stored

    def renew(self, stored: Any) -> str:
        """JSON text of `stored` sealed with the newest key, whatever it was before."""
        text = self._opened(stored) if _is_sealed(stored) else json.dumps(stored, ensure_ascii=False)
        return self.seal(text)

    def _opened(self, stored: Any) -> str:
        try:
            return self._keys.decrypt(stored[_FIELD].encode()).decode()
        except InvalidToken:
            raise ConfigurationError(
                "a stored record was sealed with a key that is not set any more: add that key to"
                " WHARF_ENCRYPTION_KEYS, after the newest one"
            ) from None


def _is_sealed(stored: Any) -> bool:
    return isinstance(stored, dict) and set(stored) == {_FIELD} and isinstance(stored[_FIELD], str)


def _derived(secret: str) -> bytes:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return base64.urlsafe_b64encode(key)
