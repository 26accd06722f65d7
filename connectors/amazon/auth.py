"""Login with Amazon: the account's refresh token becomes access tokens of an hour each."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from connectors.base import Account
from connectors.errors import AuthenticationError, ChannelUnavailableError, ConnectorError

USER_AGENT = "Wharf/0.1 (Language=Python)"
_AHEAD = 300.0  # seconds before its end that a token is replaced; LWA tokens live 3600
_MAX_ANSWER = 64 * 1024


class LwaAuth:
    """Headers with a valid access token. Safe for threads: one of them refreshes, the others wait."""

    def __init__(
        self, account: Account, http: httpx.Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account, self._http, self._clock = account, http, clock
        self._pace = float(account.options.get("pace", "1"))
        self._lock = threading.Lock()
        self._token = ""
        self._refresh_at = 0.0

    def headers(self) -> Mapping[str, str]:
        """Headers of a call to the Selling Partner API."""
        with self._lock:
            if not self._token or self._clock() >= self._refresh_at:
                self._refresh()
            token = self._token
        return {
            "x-amz-access-token": token,
            "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            "user-agent": USER_AGENT,
            "accept": "application/json",
        }

    def invalidate(self) -> None:
        """The token was refused: the next request gets a new one."""
        with self._lock:
            self._token = ""

    def _refresh(self) -> None:
        asked = self._clock()
        answer = self._ask()
        token, lifetime = answer.get("access_token"), answer.get("expires_in", 3600)
        if not isinstance(token, str) or not token or not isinstance(lifetime, int | float):
            raise ConnectorError(f"{self._account.name} token: Amazon's answer holds no access token")
        # A sandbox's hours pass `pace` times as fast.
        ahead = min(_AHEAD, lifetime * 0.2)
        self._token = token
        self._refresh_at = asked + max(lifetime - ahead, 0.0) / self._pace

    def _ask(self) -> dict[str, Any]:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._account.secret("refresh_token"),
            "client_id": self._account.secret("client_id"),
            "client_secret": self._account.secret("client_secret"),
        }
        where = f"{self._account.name} token"
        try:
            response = self._http.post(
                token_url(self._account.auth_url),
                data=form,
                headers={"user-agent": USER_AGENT},
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            raise ChannelUnavailableError(f"{where}: {type(error).__name__}") from error
        if response.status_code == 429 or response.status_code >= 500:
            raise ChannelUnavailableError(f"{where}: HTTP {response.status_code}")
        body = _decoded(response.content[:_MAX_ANSWER])
        if response.status_code >= 400:
            # Only the code: the description may repeat what was sent.
            code = str(body.get("error", ""))[:40]
            raise AuthenticationError(f"{where}: HTTP {response.status_code} {code}: {_advice(code)}")
        if response.status_code >= 300:
            raise ConnectorError(f"{where}: answered with a redirect, which is never followed")
        return body


def token_url(auth_url: str) -> str:
    """The token endpoint, whether settings name it whole or only its host."""
    url = auth_url.rstrip("/")
    return url if url.endswith("/token") else f"{url}/auth/o2/token"


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _advice(code: str) -> str:
    if code == "invalid_grant":
        return "the refresh token is wrong, revoked or older than a year; authorize the application again"
    if code in {"invalid_client", "unauthorized_client"}:
        return "client id and client secret do not belong together, or the secret was rotated"
    return "Amazon refused the credentials"
