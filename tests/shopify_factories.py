"""Shopify payloads of the smallest valid kind; a test states only what it is about."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import polars as pl
from pydantic import SecretStr

from connectors import extract
from connectors.base import Account, Channel, Context, Page, Window
from connectors.canonical import Normalized
from connectors.client import ChannelClient, Limits
from connectors.extract import Tally
from connectors.sandbox.app import serving
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import World
from connectors.shopify import normalize, open_client
from connectors.shopify.resources import RESOURCES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANNEL = "shopify-wharf-demo"
PACE = 2000.0
Json = dict[str, Any]


def account(
    url: str = "https://shop.example", *, static: bool = True, currency: str = "EUR", **options: str
) -> Account:
    """An account of the sandbox's shop."""
    secrets = SandboxState.__dataclass_fields__["secrets"].default_factory()  # type: ignore[misc]  # as the sandbox makes them
    credentials = (
        {"access_token": secrets.shopify_access_token}
        if static
        else {"client_id": secrets.shopify_client_id, "client_secret": secrets.shopify_client_secret}
    )
    return Account(
        "shopify",
        "shopify",
        url,
        f"{url}/admin/oauth/access_token",
        {name: SecretStr(value) for name, value in credentials.items()},
        (Channel(CHANNEL, "shopify", "wharf-demo", currency, "Europe/Berlin"),),
        options,
    )


def context(currency: str = "EUR") -> Context:
    return Context(account(currency=currency), NOW)


def bag(amount: str, currency: str = "EUR", shown: tuple[str, str] | None = None) -> Json:
    """A MoneyBag; `shown` is the buyer's amount and currency."""
    theirs = shown or (amount, currency)
    return {
        "shopMoney": {"amount": amount, "currencyCode": currency},
        "presentmentMoney": {"amount": theirs[0], "currencyCode": theirs[1]},
    }


def line(number: int = 1, quantity: int = 1, price: str = "10.0", **changes: Any) -> Json:
    """A GraphQL line without discount and tax."""
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "sku": f"SKU-{number}",
        "title": f"Thing {number}",
        "quantity": quantity,
        "currentQuantity": quantity,
        "isGiftCard": False,
        "variant": {"id": f"gid://shopify/ProductVariant/{900 + number}"},
        "originalUnitPriceSet": bag(price),
        "discountAllocations": [],
        "taxLines": [],
        **changes,
    }


def order(number: int = 1, *lines: Json, **changes: Any) -> Json:
    """A paid GraphQL order that is not shipped yet."""
    return {
        "id": f"gid://shopify/Order/{number}",
        "legacyResourceId": str(number),
        "name": f"#{1000 + number}",
        "createdAt": "2026-02-01T10:00:00Z",
        "processedAt": "2026-02-01T10:00:00Z",
        "updatedAt": "2026-02-03T10:00:00Z",
        "cancelledAt": None,
        "closedAt": None,
        "test": False,
        "currencyCode": "EUR",
        "taxesIncluded": False,
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "customer": {"id": "gid://shopify/Customer/7"},
        "shippingAddress": {"countryCodeV2": "DE", "provinceCode": "BE"},
        "billingAddress": None,
        "totalShippingPriceSet": bag("4.9"),
        "totalTaxSet": bag("0.0"),
        "totalDiscountsSet": bag("0.0"),
        "totalPriceSet": bag("14.9"),
        "totalRefundedSet": bag("0.0"),
        "lineItems": {
            "pageInfo": {"hasNextPage": False, "endCursor": None},
            "nodes": list(lines or (line(),)),
        },
        "refunds": [],
        **changes,
    }


def refund(number: int, total: str, *parts: tuple[int, int, str, str], **changes: Any) -> Json:
    """A refund of `total`; parts are (line, units, subtotal, tax)."""
    return {
        "id": f"gid://shopify/Refund/{number}",
        "createdAt": "2026-02-10T08:00:00Z",
        "updatedAt": "2026-02-10T08:00:00Z",
        "totalRefundedSet": bag(total),
        "refundLineItems": {
            "nodes": [
                {
                    "quantity": units,
                    "subtotalSet": bag(subtotal),
                    "totalTaxSet": bag(tax),
                    "lineItem": {"id": f"gid://shopify/LineItem/{number_of}"},
                }
                for number_of, units, subtotal, tax in parts
            ]
        },
        **changes,
    }


def page(*records: Json, field: str = "orders") -> bytes:
    """An answer of the GraphQL API."""
    connection = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": list(records)}
    return json.dumps({"data": {field: connection}}).encode()


def orders(*records: Json, currency: str = "EUR") -> Normalized:
    """What the normalizer makes of GraphQL orders."""
    return normalize.orders(Page(page(*records)), context(currency))


def only(frame: pl.DataFrame) -> Json:
    """The single row of a frame."""
    assert frame.height == 1
    return frame.row(0, named=True)


@contextmanager
def shop(world: World, pace: float = PACE) -> Iterator[tuple[SandboxState, str]]:
    """A running sandbox whose clock stands at NOW, and the URL of its shop."""
    state = SandboxState(world, pace=pace)
    state.clock.freeze(NOW)
    with serving(state) as url:
        yield state, f"{url}/shopify"


def client(url: str, *, static: bool = True, limits: Limits | None = None) -> ChannelClient:
    """A client of the sandbox that hurries."""
    return open_client(account(url, static=static, pace=str(PACE)), limits=limits or Limits(backoff=0.01))


def read(url: str, resource: str, window: Window, **kwargs: Any) -> tuple[dict[str, pl.DataFrame], Tally]:
    """Everything a resource gives for a window, and the tally of the read."""
    tally = Tally()
    with client(url, **kwargs) as talking:
        batches = list(
            extract.fetch(talking, RESOURCES[resource], window, key=b"k", fetched_at=NOW, tally=tally)
        )
    names = RESOURCES[resource].frames
    return {name: pl.concat([batch.frames[name] for batch in batches]) for name in names if batches}, tally
