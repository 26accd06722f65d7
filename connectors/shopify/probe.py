"""One cheap look at a shop: token, scopes, version, currency, and a read of each resource."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from connectors.base import Window
from connectors.client import Answer, ChannelClient
from connectors.errors import AuthenticationError, ConnectorError, DeferredError, RateLimitError
from connectors.finding import Finding, unanswered
from connectors.shopify import queries
from connectors.shopify.ask import call, data_of, other_version
from connectors.shopify.reader import API_VERSION, ShopifyReader
from connectors.shopify.scopes import READ_CUSTOMERS, Installation

# Scope → what is missing without it.
_SCOPES = {
    "read_orders": "orders, refunds and abandoned checkouts cannot be read",
    "read_all_orders": "orders older than 60 days are invisible, without any error",
    "read_products": "products cannot be read",
    "read_inventory": "stock cannot be read",
    "read_locations": "stock cannot be told apart by place",
    "read_customers": "customers cannot be read, nor who placed an order",
    "read_returns": "returns cannot be read",
    "read_reports": "reconciliation compares numbers of orders only, not units and money",
}
# Without it what can be read is right, only less.
_OPTIONAL = frozenset(["read_all_orders", "read_reports"])
_LOOKS = {
    "orders": ("Orders", queries.ORDERS),
    "products": ("Products", queries.PRODUCTS),
    "inventory": ("Inventory", queries.INVENTORY),
    "carts": ("Carts", queries.CARTS),
    "customers": ("Customers", queries.CUSTOMERS),
    "returns": ("Returns", queries.RETURNS),
}


class _Shop(msgspec.Struct, rename="camel"):
    name: str
    currency_code: str
    iana_timezone: str


class _Version(msgspec.Struct):
    handle: str
    supported: bool


class _Told(msgspec.Struct, rename="camel"):
    shop: _Shop
    current_app_installation: Installation
    public_api_versions: list[_Version]


def probe(client: ChannelClient, now: datetime) -> Iterator[Finding]:
    """A finding for the token, the shop, the API version, each scope that is missing and each resource."""
    try:
        answer = client.send(call(client, "Probe", queries.PROBE, {}))
        told = msgspec.convert(
            {name: msgspec.json.decode(raw) for name, raw in data_of(client, "Probe", answer).items()}, _Told
        )
    except AuthenticationError as error:
        advice = (
            "mend SHOPIFY_ACCESS_TOKEN, or SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET, and SHOPIFY_SHOP_NAME"
        )
        yield Finding("token", False, str(error), advice)
        return
    except (ConnectorError, msgspec.MsgspecError) as error:
        yield unanswered("token", error, "report it with --debug")
        return
    rate, _ = ShopifyReader(client.account).learned(call(client, "Probe", "", {}), answer)
    limits = f"; {rate.per_second:g} points a second" if rate else ""
    yield Finding("token", True, f"{told.shop.name} answers{limits}")
    yield from _shop(client, told.shop)
    yield _version(client, answer, told.public_api_versions)
    granted = told.current_app_installation.handles()
    yield from _scopes(granted)
    yield from _resources(client, now, named=READ_CUSTOMERS in granted)


def _shop(client: ChannelClient, shop: _Shop) -> Iterator[Finding]:
    channel = client.account.channels[0]
    if shop.currency_code != channel.currency:
        yield Finding(
            "currency",
            False,
            f"the shop's currency is {shop.currency_code}, the account says {channel.currency}",
            f"set SHOPIFY_CURRENCY={shop.currency_code}",
        )
    if shop.iana_timezone != channel.timezone:
        yield Finding(
            "timezone",
            False,
            f"the shop's day is {shop.iana_timezone}'s, the account says {channel.timezone}",
            f"set SHOPIFY_TIMEZONE={shop.iana_timezone}",
            grave=False,
        )


def _version(client: ChannelClient, answer: Answer, versions: list[_Version]) -> Finding:
    asked = client.account.options.get("api_version", API_VERSION)
    supported = sorted(version.handle for version in versions if version.supported)
    advice = f"set SHOPIFY_API_VERSION to one of {', '.join(supported)}"
    if told := other_version(client, answer):
        return Finding("version", False, told, advice)
    if asked in supported:
        return Finding("version", True, f"{asked} is supported")
    return Finding(
        "version", False, f"{asked} is not supported: the shop answers with another version", advice
    )


def _scopes(granted: set[str]) -> Iterator[Finding]:
    for scope, loss in _SCOPES.items():
        if scope not in granted:
            yield Finding(
                scope,
                False,
                f"scope {scope} is missing: {loss}",
                f"grant {scope} to the app and install it again",
                grave=scope not in _OPTIONAL,
            )


def _resources(client: ChannelClient, now: datetime, *, named: bool) -> Iterator[Finding]:
    """A finding for each resource; not `named`: orders and carts are read without who bought."""
    variables = {"q": queries.updated_within(Window(now - timedelta(minutes=10), now)), "first": 1}
    for subject, (name, query) in _LOOKS.items():
        try:
            client.send(call(client, name, query if named else queries.unnamed(query), variables))
        except (RateLimitError, DeferredError) as error:
            yield unanswered(subject, error, "")
            return  # all queries spend from one bucket
        except ConnectorError as error:
            yield unanswered(subject, error, "grant the scope it names and install the app again")
        else:
            yield Finding(subject, True, f"{name} answers")
