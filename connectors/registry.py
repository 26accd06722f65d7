"""Platform name → its resources, its client and its probe. The platforms are imported when they are asked for."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from importlib import import_module
from typing import Any

import polars as pl

from connectors.base import CONTROL_TOTALS, Account, Channel, Resource
from connectors.client import ChannelClient
from connectors.errors import ConfigurationError
from connectors.finding import Finding
from connectors.tokens import TokenStore

PLATFORMS = ("amazon", "shopify", "walmart")


def resources_of(platform: str) -> Mapping[str, Resource]:
    """The platform's resources by name."""
    resources: Mapping[str, Resource] = _module(platform, ".resources").RESOURCES
    return resources


def open_client(account: Account, *, tokens: TokenStore | None = None, **kwargs: Any) -> ChannelClient:
    """A client for `account`; keyword arguments (budget, limits, http, sleep) go to ChannelClient. Close it.

    `tokens` keeps what some Shopify accounts need kept; the other platforms' tokens do not change with use.
    """
    if account.platform == "shopify":
        kwargs["tokens"] = tokens
    client: ChannelClient = _module(account.platform).open_client(account, **kwargs)
    return client


def probe(client: ChannelClient, now: datetime) -> Iterator[Finding]:
    """What one cheap look at the client's account finds: token, roles or scopes, each resource."""
    findings: Iterator[Finding] = _module(client.account.platform, ".probe").probe(client, now)
    return findings


def control_totals(client: ChannelClient, channel: Channel, first: date, last: date) -> pl.DataFrame:
    """What the source counts for each business day of `channel` from `first` to `last`, both included.

    In the schema `connectors.base.CONTROL_TOTALS`; a day the source says nothing about has no row. Given by
    `control_totals(client, channel, first, last)` of each platform's module `controls`.
    """
    totals: pl.DataFrame = _module(channel.platform, ".controls").control_totals(client, channel, first, last)
    return totals.match_to_schema(CONTROL_TOTALS)


def _module(platform: str, name: str = "") -> Any:
    if platform not in PLATFORMS:
        raise ConfigurationError(f"there is no platform {platform!r}; there are {', '.join(PLATFORMS)}")
    return import_module(f"connectors.{platform}{name}")
