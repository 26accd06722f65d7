"""The token endpoint of a shop: a day for its own organization's app, an hour and the next refresh token for others.

A refresh token can be used again until the pair it led to is used; then it is retired.
"""

import secrets
import threading
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from connectors.sandbox.state import SandboxState

DAY, HOUR = 86_399, 3600  # seconds


class TokenDesk:
    """Hands out access tokens, and knows which refresh tokens are good."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._good = {state.secrets.shopify_refresh_token}
        self._led_from: dict[str, str] = {}  # access or refresh token not used yet: the one that led to it
        self._lock = threading.Lock()

    def grant(self, form: Mapping[str, Any], scopes: set[str]) -> Response:
        """The answer to one request."""
        state = self._state
        kind = form.get("grant_type")
        if kind not in ("client_credentials", "refresh_token"):
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        if form.get("client_id") != state.secrets.shopify_client_id:
            return JSONResponse({"error": "application_cannot_be_found"}, status_code=400)
        if form.get("client_secret") != state.secrets.shopify_client_secret:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        answer: dict[str, Any] = {"scope": ",".join(sorted(scopes))}
        if kind == "client_credentials":
            return JSONResponse(answer | self._access(DAY))
        given = str(form.get("refresh_token"))
        with self._lock:
            self._use(given)
            if given not in self._good:
                return JSONResponse({"error": "invalid_grant"}, status_code=400)
            following = f"shprt_{secrets.token_urlsafe(24)}"
            answer |= self._access(HOUR) | {"refresh_token": following, "refresh_token_expires_in": 90 * DAY}
            self._good.add(following)
            self._led_from |= {following: given, answer["access_token"]: given}
        return JSONResponse(answer)

    def used(self, token: str) -> None:
        """An access token arrived with a request: what led to it is no longer good."""
        if token in self._led_from:
            with self._lock:
                self._use(token)

    def _use(self, token: str) -> None:
        if (before := self._led_from.pop(token, None)) is not None:
            self._good.discard(before)

    def _access(self, seconds: int) -> dict[str, Any]:
        token = self._state.tokens.issue("shopify", seconds, prefix="shpat_")
        return {"access_token": token, "expires_in": seconds}
