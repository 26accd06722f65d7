"""How a request proves which app of which shop sends it.

A custom app's access token never ends. An app of the shop's own organization gets one for a day from its id
and secret (client credentials); it is renewed before it ends, by one thread at a time.
"""

import threading
import time
from collections.abc import Callable, Mapping

import httpx
import msgspec

from connectors.base import Account
from connectors.client import Answer, Auth, reject_by_status
from connectors.errors import AuthenticationError, ChannelUnavailableError, ProtocolError

HEADER = "X-Shopify-Access-Token"
_AHEAD = 300.0  # seconds before its end at which a token is renewed
_MAX_ANSWER = 64 * 2**10


class StaticToken:
    """The access token of a custom app."""

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self) -> Mapping[str, str]:
        return {HEADER: self._token}

    def invalidate(self) -> None:
        """Nothing to renew: a second refusal ends the run with what the shop said."""


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float = 86399.0
    scope: str = ""


class ClientCredentials:
    """Tokens for a day, asked for with the app's id and secret. Safe for several threads."""

    def __init__(
        self,
        account: Account,
        *,
        http: httpx.Client | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._http = http or httpx.Client(follow_redirects=False, timeout=httpx.Timeout(30, connect=10))
        self._clock = clock
        self._pace = float(account.options.get("pace", "1"))
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def headers(self) -> Mapping[str, str]:
        """Raises AuthenticationError when the app is refused, ChannelUnavailableError when nobody answers."""
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                self._renew()
            return {HEADER: self._token or ""}

    def invalidate(self) -> None:
        with self._lock:
            self._token = None

    def _renew(self) -> None:
        where = f"{self._account.name} token"
        form = {
            "client_id": self._account.secret("client_id"),
            "client_secret": self._account.secret("client_secret"),
            "grant_type": "client_credentials",
        }
        try:
            response = self._http.post(
                self._account.auth_url,
                data=form,
                headers={"Accept": "application/json"},
            )
        except httpx.HTTPError as error:
            raise ChannelUnavailableError(f"{where}: {type(error).__name__}") from error
        if response.status_code in {400, 401, 403, 404}:
            # Shopify answers a wrong id or secret with 400 and an HTML page.
            raise AuthenticationError(
                f"{where}: HTTP {response.status_code}; check the client id, the secret, and that app and shop "
                "belong to the same organization"
            )
        if response.status_code >= 300:
            reject_by_status(where, Answer(response.status_code, response.headers, b""))
            raise ProtocolError(f"{where}: answered with a redirect, which is never followed")
        try:
            granted = msgspec.json.decode(response.content[:_MAX_ANSWER], type=_Granted)
        except msgspec.MsgspecError:
            raise ProtocolError(f"{where}: the answer holds no access token") from None
        lifetime = granted.expires_in / self._pace
        self._token = granted.access_token
        self._renew_at = self._clock() + lifetime - min(_AHEAD / self._pace, lifetime / 10)


def auth_of(account: Account) -> Auth:
    """The way `account`'s credentials ask for. Raises AuthenticationError when there are none."""
    if "access_token" in account.credentials:
        return StaticToken(account.secret("access_token"))
    if {"client_id", "client_secret"} <= account.credentials.keys():
        return ClientCredentials(account)
    raise AuthenticationError(
        f"{account.name}: no credentials; set SHOPIFY_ACCESS_TOKEN, or SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET"
    )
