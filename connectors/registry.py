"""Platform name → its resources, its client and its probe. The platforms are imported when they are asked for."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

from connectors.base import Account, Resource
from connectors.client import ChannelClient
from connectors.errors import ConfigurationError
from connectors.finding import Finding

PLATFORMS = ("amazon", "shopify", "walmart")


def resources_of(platform: str) -> Mapping[str, Resource]:
    """The platform's resources by name."""
    resources: Mapping[str, Resource] = _module(platform, ".resources").RESOURCES
    return resources


def open_client(account: Account, **kwargs: Any) -> ChannelClient:
    """A client for `account`; keyword arguments (budget, limits, http, sleep) go to ChannelClient. Close it."""
    client: ChannelClient = _module(account.platform).open_client(account, **kwargs)
    return client


def probe(client: ChannelClient, now: datetime) -> Iterator[Finding]:
    """What one cheap look at the client's account finds: token, roles or scopes, each resource."""
    findings: Iterator[Finding] = _module(client.account.platform, ".probe").probe(client, now)
    return findings


def _module(platform: str, name: str = "") -> Any:
    if platform not in PLATFORMS:
        raise ConfigurationError(f"there is no platform {platform!r}; there are {', '.join(PLATFORMS)}")
    return import_module(f"connectors.{platform}{name}")
