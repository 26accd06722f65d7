"""How a request proves which app of which shop sends it.

A custom app's access token never ends. An app of the shop's own organization gets one for a day from its id
and secret (client credentials); it is renewed before it ends, by one thread at a time. A public app gets one for an
hour with a refresh token that is replaced at each renewal: both are kept before they are used, because the old
refresh token is good only until then.
"""

import threading
import time
from collections.abc import Callable, Mapping

import httpx
import msgspec

from connectors.base import Account
from connectors.client import Answer, Auth, reject_by_status
from connectors.errors import AuthenticationError, ChannelUnavailableError, ProtocolError
from connectors.https import open_http
from connectors.tokens import TokenPair, TokenStore

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
    refresh_token: str | None = None


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
        self._http = http or open_http()
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
        advice = "check the client id, the secret, and that app and shop belong to the same organization"
        granted = _grant(self._http, self._account, advice, grant_type="client_credentials")
        lifetime = granted.expires_in / self._pace
        self._token = granted.access_token
        self._renew_at = self._clock() + lifetime - _margin(lifetime, self._pace)


class RotatingToken:
    """Tokens for an hour, each renewed with a refresh token that is good once. Safe for several threads, and for
    several processes that share `tokens`."""

    def __init__(
        self,
        account: Account,
        tokens: TokenStore,
        *,
        http: httpx.Client | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account, self._tokens = account, tokens
        self._http = http or open_http()
        self._clock = clock
        self._pace = float(account.options.get("pace", "1"))
        self._lock = threading.Lock()
        self._token: str | None = None
        self._refused: str | None = None
        self._renew_at = 0.0

    def headers(self) -> Mapping[str, str]:
        """Raises AuthenticationError when the refresh token is refused, ChannelUnavailableError when nobody answers."""
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                pair = self._renewed()
                self._token = pair.access
                self._renew_at = self._clock() + pair.seconds_left - _margin(pair.seconds_left, self._pace)
            return {HEADER: self._token}

    def invalidate(self) -> None:
        with self._lock:
            self._refused, self._token = self._token or self._refused, None

    def _renewed(self) -> TokenPair:
        """What another process renewed meanwhile, or a new pair; it is kept when this returns."""
        seed = self._account.secret("refresh_token")
        with self._tokens.turn(self._account.name, seed) as turn:
            known = turn.read()
            if (
                known is not None
                and known.access != self._refused
                and known.seconds_left > _AHEAD / self._pace
            ):
                return known
            granted = _grant(
                self._http,
                self._account,
                "authorize the app in the shop again and set SHOPIFY_REFRESH_TOKEN anew",
                grant_type="refresh_token",
                refresh_token=known.refresh if known else seed,
            )
            if granted.refresh_token is None:
                raise ProtocolError(f"{self._account.name} token: the answer holds no refresh token")
            pair = TokenPair(granted.access_token, granted.refresh_token, granted.expires_in / self._pace)
            turn.write(pair)
        return pair


def _margin(lifetime: float, pace: float) -> float:
    return min(_AHEAD / pace, lifetime / 10)


def _grant(http: httpx.Client, account: Account, advice: str, **form: str) -> _Granted:
    """One request for a token. `advice` is what to do when it is refused."""
    where = f"{account.name} token"
    form |= {"client_id": account.secret("client_id"), "client_secret": account.secret("client_secret")}
    try:
        response = http.post(account.auth_url, data=form, headers={"Accept": "application/json"})
    except httpx.HTTPError as error:
        raise ChannelUnavailableError(f"{where}: {type(error).__name__}") from error
    if response.status_code in {400, 401, 403, 404}:
        # Shopify answers a wrong id or secret with 400 and an HTML page.
        raise AuthenticationError(f"{where}: HTTP {response.status_code}; {advice}")
    if response.status_code >= 300:
        reject_by_status(where, Answer(response.status_code, response.headers, b""))
        raise ProtocolError(f"{where}: answered with a redirect, which is never followed")
    try:
        return msgspec.json.decode(response.content[:_MAX_ANSWER], type=_Granted)
    except msgspec.MsgspecError:
        raise ProtocolError(f"{where}: the answer holds no access token") from None


def auth_of(account: Account, tokens: TokenStore | None = None) -> Auth:
    """The way `account`'s credentials ask for. Raises AuthenticationError when there are none.

    Rotating tokens need `tokens`: used without being kept, they would lock the account out.
    """
    if {"client_id", "client_secret", "refresh_token"} <= account.credentials.keys():
        if tokens is None:
            raise AuthenticationError(
                f"{account.name}: its tokens change with each use and need DATABASE_URL to be kept in"
            )
        return RotatingToken(account, tokens)
    if "access_token" in account.credentials:
        return StaticToken(account.secret("access_token"))
    if {"client_id", "client_secret"} <= account.credentials.keys():
        return ClientCredentials(account)
    raise AuthenticationError(
        f"{account.name}: no credentials; set SHOPIFY_ACCESS_TOKEN, or SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET"
    )
