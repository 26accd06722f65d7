"""Walmart Marketplace (US): how to open a conversation with an account."""

from typing import Any

import httpx

from connectors.base import Account
from connectors.client import ChannelClient
from connectors.walmart.auth import WalmartAuth
from connectors.walmart.reader import WalmartReader


def open_client(account: Account, **kwargs: Any) -> ChannelClient:
    """A client for `account`; keyword arguments (budget, limits, http, sleep) go to ChannelClient."""
    http = kwargs.pop("http", None) or httpx.Client(
        follow_redirects=False,
        timeout=httpx.Timeout(30, connect=10),
        limits=httpx.Limits(max_connections=8),
    )
    waits = {"sleep": kwargs["sleep"]} if "sleep" in kwargs else {}
    auth = WalmartAuth(account, http, budget=kwargs.get("budget"), **waits)
    return ChannelClient(account, auth, WalmartReader(), http=http, **kwargs)
