"""Walmart's token: client credentials for fifteen minutes of access, renewed two minutes before they end."""

import base64
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec

from connectors.base import Account
from connectors.budget import Rate, RateBudget
from connectors.client import Call, ChannelClient
from connectors.errors import AuthenticationError, ProtocolError, RequestRejectedError
from connectors.walmart.payload import parse
from connectors.walmart.reader import WalmartReader

SERVICE = "Walmart Marketplace"
# The limit is not documented; about 30 a minute is told. A token lasts 15 minutes, so this is plenty.
TOKEN_RATE = Rate(0.5, 10)
RENEW_AFTER = 13 / 15  # of the announced life: 13 of 15 minutes


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int = 900


class WalmartAuth:
    """Headers for one account. Safe for several threads: one of them renews the token, the others wait."""

    def __init__(
        self,
        account: Account,
        http: httpx.Client,
        *,
        budget: RateBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._account = account
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0
        self._client = ChannelClient(
            account, _Nobody(), WalmartReader(), budget=budget, http=http, sleep=sleep
        )

    def headers(self) -> Mapping[str, str]:
        """What every call needs: a valid token, a new correlation id, and JSON asked for (XML is the default)."""
        return {"WM_SEC.ACCESS_TOKEN": self._current(), **identity()}

    def invalidate(self) -> None:
        with self._lock:
            self._token = None

    def _current(self) -> str:
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                token = self._fetch()
                self._token = token.access_token
                self._renew_at = self._clock() + token.expires_in * RENEW_AFTER / self._client.pace
            return self._token

    def _fetch(self) -> _Token:
        """A new token. Raises AuthenticationError when the client id or secret is refused."""
        account = self._account
        pair = f"{account.secret('client_id')}:{account.secret('client_secret')}"
        call = Call(
            operation="walmart.token",
            rate=TOKEN_RATE,
            method="POST",
            url=account.auth_url or account.api_url.rstrip("/") + "/v3/token",
            form={"grant_type": "client_credentials"},
            headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode(), **identity()},
            authorized=False,
        )
        try:
            answer = self._client.send(call)
        except RequestRejectedError as error:
            raise AuthenticationError(
                f"{account.name}: Walmart refused the client id or secret; check WALMART_CLIENT_ID and "
                f"WALMART_CLIENT_SECRET ({error})"
            ) from None
        return _read(answer.body, account.name)


class _Nobody:
    """Proof for the token request itself, which carries its own."""

    def headers(self) -> Mapping[str, str]:
        return {}

    def invalidate(self) -> None:
        return


def identity() -> dict[str, str]:
    """Headers that are no secret; the correlation id is new in every call."""
    return {"WM_QOS.CORRELATION_ID": str(uuid.uuid4()), "WM_SVC.NAME": SERVICE, "Accept": "application/json"}


def _read(body: bytes, account: str) -> _Token:
    """The token in a JSON answer, or in the XML some gateways send whatever was asked for."""
    try:
        return msgspec.json.decode(body, type=_Token)
    except msgspec.DecodeError:
        where = f"{account} walmart.token"
        fields: Any = parse(body, where)
        inner = next(iter(fields.values()), None) if isinstance(fields, dict) and len(fields) == 1 else None
        token = inner.get("accessToken") if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or not token:
            raise ProtocolError(f"{where}: the answer holds no token") from None
        return _Token(token, int(inner.get("expiresIn") or 900))
