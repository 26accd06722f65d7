"""Walmart Marketplace (US): how to open a conversation with an account."""

from typing import Any

from connectors.base import Account
from connectors.client import ChannelClient
from connectors.https import open_http
from connectors.walmart.auth import WalmartAuth
from connectors.walmart.reader import WalmartReader


def open_client(account: Account, **kwargs: Any) -> ChannelClient:
    """A client for `account`; keyword arguments (budget, limits, http, sleep) go to ChannelClient."""
    http = kwargs.pop("http", None) or open_http()
    waits = {"sleep": kwargs["sleep"]} if "sleep" in kwargs else {}
    auth = WalmartAuth(account, http, budget=kwargs.get("budget"), **waits)
    return ChannelClient(account, auth, WalmartReader(), http=http, **kwargs)
