"""The smallest valid Amazon payloads; a test states only what it is about."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from connectors.amazon import normalize
from connectors.amazon.marketplaces import channels_of
from connectors.base import Account, Context, Page
from connectors.canonical import Normalized
from connectors.sandbox.world import Cart, Market, Order, Product, Refund, RefundLine, Stock
from tests.sandbox_factories import line
from tests.sandbox_factories import order as world_order

FETCHED = datetime(2026, 3, 1, 12, tzinfo=UTC)
US, CA, DE, UK, JP = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A1PA6795UKMFR9", "A1F83G8C2ARO7P", "A1VC38T7YXB528"
ORDER = "113-0000001-0000001"


def account(
    url: str = "http://127.0.0.1:1/amazon", pace: float = 1.0, places: tuple[str, ...] = (US, CA)
) -> Account:
    """An account of the sandbox's seller."""
    return Account(
        name="amazon",
        platform="amazon",
        api_url=url,
        auth_url=f"{url}/auth/o2/token",
        credentials={
            "client_id": SecretStr("amzn1.application-oa2-client.sandbox"),
            "client_secret": SecretStr("amzn1.oa2-cs.v1.sandbox"),
            "refresh_token": SecretStr("Atzr|sandbox"),
        },
        channels=channels_of(places),
        options={"pace": f"{pace:g}", "seller_id": "A1WHARFSANDBOX"},
    )


def context(*places: str) -> Context:
    return Context(account(places=places or (US, DE)), FETCHED)


def money(amount: Any, currency: str = "USD") -> dict[str, Any]:
    return {"amount": amount, "currencyCode": currency}


def part(kind: str, amount: Any, currency: str = "USD", **details: Any) -> dict[str, Any]:
    """One entry of a breakdown; `details` by subtype."""
    made: dict[str, Any] = {"type": kind, "subtotal": money(amount, currency)}
    if details:
        made["detailedBreakdowns"] = [
            {"subtype": name, "value": money(value, currency)} for name, value in details.items()
        ]
    return made


def item(number: int = 1, quantity: Any = 1, *parts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A line of an order; `total` is its stated proceedsTotal."""
    made: dict[str, Any] = {
        "orderItemId": f"{number:014d}",
        "quantityOrdered": quantity,
        "product": {"asin": f"B00000000{number}", "title": f"Thing {number}", "sellerSku": f"SKU-{number}"},
    }
    total = changes.pop("total", None)
    if parts or total is not None:
        made["proceeds"] = {"breakdowns": list(parts)} | ({"proceedsTotal": money(total)} if total else {})
    return made | changes


def order(
    *items: dict[str, Any], place: str | None = US, total: Any = None, **changes: Any
) -> dict[str, Any]:
    """An order that was shipped."""
    made: dict[str, Any] = {
        "orderId": ORDER,
        "createdTime": "2026-02-01T10:00:00Z",
        "lastUpdatedTime": "2026-02-02T10:00:00Z",
        "salesChannel": {"channelName": "AMAZON"} | ({"marketplaceId": place} if place else {}),
        "fulfillment": {"fulfillmentStatus": "SHIPPED", "fulfilledBy": "MERCHANT"},
        "orderItems": list(items),
    }
    if total is not None:
        made["proceeds"] = {"grandTotal": total if isinstance(total, dict) else money(total)}
    return made | changes


def read_orders(*orders: dict[str, Any], body: bytes | None = None) -> Normalized:
    """Frames of a page of orders."""
    raw = body if body is not None else json.dumps({"orders": orders}).encode()
    return normalize.orders(Page(raw), context())


def one(normalized: Normalized, frame: str) -> dict[str, Any]:
    """The only row of a frame; fails when a record was refused or there are more."""
    assert normalized.rejected == ()
    return (
        normalized.frame(frame).row(0, named=True)
        if normalized.frame(frame).height == 1
        else _not_one(normalized)
    )


def _not_one(normalized: Normalized) -> dict[str, Any]:
    raise AssertionError({name: frame.height for name, frame in normalized.frames.items()})


REPORT_HEADER = (
    "amazon-order-id merchant-order-id purchase-date last-updated-date order-status fulfillment-channel "
    "sales-channel order-channel url ship-service-level product-name sku asin item-status quantity currency "
    "item-price item-tax shipping-price shipping-tax gift-wrap-price gift-wrap-tax item-promotion-discount "
    "ship-promotion-discount ship-city ship-state ship-postal-code ship-country promotion-ids "
    "is-business-order purchase-order-number price-designation"
).split()


def report_line(**changes: str) -> dict[str, str]:
    """A line of the all-orders report."""
    made = dict.fromkeys(REPORT_HEADER, "")
    made |= {
        "amazon-order-id": ORDER,
        "purchase-date": "2026-02-01T10:00:00+00:00",
        "last-updated-date": "2026-02-02T10:00:00+00:00",
        "order-status": "Shipped",
        "fulfillment-channel": "Amazon",
        "sales-channel": "Amazon.com",
        "product-name": "Thing",
        "sku": "SKU-1",
        "asin": "B000000001",
        "item-status": "Shipped",
        "quantity": "1",
        "currency": "USD",
        "item-price": "10.00",
        "ship-country": "US",
    }
    return made | {name.replace("_", "-"): value for name, value in changes.items()}


def report(*lines: dict[str, str], charset: str = "utf-8") -> bytes:
    """Bytes of an all-orders report."""
    rows = ["\t".join(REPORT_HEADER), *("\t".join(line.values()) for line in lines)]
    return ("\r\n".join(rows) + "\r\n").encode(charset)


def read_report(*lines: dict[str, str], charset: str = "utf-8", named: str | None = None) -> Normalized:
    return normalize.orders(Page(report(*lines, charset=charset), "tsv", named or charset), context())


# -- a world written by hand -------------------------------------------------------------------------------

MARKET = Market("amazon-us", "amazon", US, "USD", "America/Los_Angeles", "US")


class Shop:
    """One marketplace with exactly these orders, and as many listings as asked for, stocked with ten each."""

    def __init__(self, *orders: Order, listings: int = 0, market: Market = MARKET) -> None:
        self.markets = (market,)
        self.by_number = {order.number: order for order in orders}
        self._products = [_product(number) for number in range(1, listings + 1)]
        self._stock = [
            Stock(p.number, p.sku, "MFN" if p.number % 2 else "FBA", 10, 2, 5, FETCHED)
            for p in self._products
        ]

    def orders_between(
        self,
        channel: str,
        now: datetime,
        *,
        updated_since: datetime | None = None,
        updated_until: datetime | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
    ) -> Sequence[int]:
        found = [
            order
            for order in self.by_number.values()
            if order.created_at <= now
            and (updated_since is None or order.updated_at >= updated_since)
            and (updated_until is None or order.updated_at < updated_until)
            and (created_since is None or order.created_at >= created_since)
            and (created_until is None or order.created_at < created_until)
        ]
        return [order.number for order in sorted(found, key=lambda order: (order.updated_at, order.number))]

    def orders(self, numbers: Sequence[int], now: datetime) -> list[Order]:
        return [self.by_number[number] for number in numbers]

    def products(self, channel: str, now: datetime) -> Sequence[Product]:
        return self._products

    def stock(self, channel: str, now: datetime) -> Sequence[Stock]:
        return self._stock

    def carts_between(self, channel: str, now: datetime, since: datetime, until: datetime) -> Sequence[Cart]:
        return []


def _product(number: int) -> Product:
    return Product(
        number=number,
        sku=f"SKU-{number:05d}",
        title=f"Thing {number}",
        brand="Acme",
        category="Home > Things",
        cost=None,
        price=Decimal("9.99"),
        barcode=f"{number:013d}",
        is_active=True,
        updated_at=FETCHED - timedelta(days=1),
    )


def sale(number: int, hours_ago: float = 24, **changes: Any) -> Order:
    """An order of two lines that was sent; `hours_ago` is when it was placed and last changed."""
    at = FETCHED - timedelta(hours=hours_ago)
    lines = (
        line(1, "A", 2, "10.00", tax=Decimal("1.50"), discount=Decimal("2.00")),
        line(2, "B", 1, "5.00", product_number=2),
    )
    given = {
        "channel": "amazon-us",
        "shipped_at": at,
        "shipping": Decimal("3.00"),
        "shipping_tax": Decimal("0.25"),
    }
    return world_order(number, at, *changes.pop("lines", lines), **(given | changes))


def give_back(
    number: int, hours_ago: float, amount: str, tax: str, line_number: int = 1, **changes: Any
) -> Refund:
    """One unit of a line given back."""
    part = RefundLine(line_number, 1, Decimal(amount), Decimal(tax))
    return Refund(number, FETCHED - timedelta(hours=hours_ago), (part,), **changes)
