"""The settings under which Wharf's connectors reach the sandbox marketplaces, as they would real ones."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from connectors.sandbox.state import Secrets


class Sandbox:
    """A running sandbox, seen from outside: its merchant's markets and the controls of its clock."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=f"{self.url}/_sandbox", timeout=120)

    def close(self) -> None:
        """Ends the connection."""
        self._http.close()

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._http.get("/health", timeout=1).is_success
        except httpx.HTTPError:
            return False

    def markets(self) -> list[dict[str, Any]]:
        """channel, platform, external_id, currency and timezone of each market."""
        found: list[dict[str, Any]] = self._http.get("/health").raise_for_status().json()["markets"]
        return found

    def set_clock(self, wish: Mapping[str, Any]) -> datetime:
        """Moves the world's clock: {"offset_seconds": n} or {"freeze": instant}; gives what it says then."""
        answer = self._http.post("/clock", json=dict(wish)).raise_for_status().json()
        return datetime.fromisoformat(answer["now"])

    def replayed(self) -> dict[str, Any]:
        """Of a replayed file: its first and last instant, and what became of its lines, by reason."""
        answer: dict[str, Any] = self._http.get("/replay").raise_for_status().json()
        return answer

    def truth(self) -> dict[str, Any]:
        """The figures a sync must end up with, as of the world's clock."""
        answer: dict[str, Any] = self._http.get("/truth").raise_for_status().json()
        return answer

    def requests(self) -> dict[str, Any]:
        """How often each operation was asked, and how often the answer was "slow down"."""
        answer: dict[str, Any] = self._http.get("/requests").raise_for_status().json()
        return answer

    def environment(self, pace: float) -> dict[str, str]:
        """Environment variables that configure the three accounts."""
        secrets = Secrets()
        markets = self.markets()
        first = {market["platform"]: market for market in reversed(markets)}
        return {
            "WHARF_PACE": str(pace),
            "AMAZON_CLIENT_ID": secrets.amazon_client_id,
            "AMAZON_CLIENT_SECRET": secrets.amazon_client_secret,
            "AMAZON_REFRESH_TOKEN": secrets.amazon_refresh_token,
            "AMAZON_SELLER_ID": secrets.amazon_seller_id,
            "AMAZON_MARKETPLACE_IDS": ",".join(
                m["external_id"] for m in markets if m["platform"] == "amazon"
            ),
            "AMAZON_API_URL": f"{self.url}/amazon",
            "AMAZON_AUTH_URL": f"{self.url}/amazon/auth/o2/token",
            "SHOPIFY_SHOP_NAME": secrets.shopify_shop,
            "SHOPIFY_CLIENT_ID": secrets.shopify_client_id,
            "SHOPIFY_CLIENT_SECRET": secrets.shopify_client_secret,
            "SHOPIFY_API_URL": f"{self.url}/shopify",
            "SHOPIFY_CURRENCY": first["shopify"]["currency"],
            "SHOPIFY_TIMEZONE": first["shopify"]["timezone"],
            "WALMART_CLIENT_ID": secrets.walmart_client_id,
            "WALMART_CLIENT_SECRET": secrets.walmart_client_secret,
            "WALMART_API_URL": f"{self.url}/walmart",
            "WALMART_TIMEZONE": first["walmart"]["timezone"],
        }
