"""What is read from Amazon, and how its pages are asked for.

Windows are half open in the channel's update clock; the API's ends are inclusive, so an edge may be read
twice, never not at all. Limits are the published ones, overridden by what each answer tells.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec

from connectors.amazon import normalize
from connectors.amazon.normalize.decoding import storable, untyped
from connectors.amazon.normalize.returned import MARKETPLACE
from connectors.amazon.reports import (
    ALL_ORDERS,
    FBA_RETURNS,
    FEEDBACK,
    MERCHANT_RETURNS,
    Wanted,
    read_reports,
    stamp,
)
from connectors.base import Page, Resource, Window
from connectors.budget import Rate
from connectors.client import Answer, Call, ChannelClient
from connectors.errors import ConfigurationError, CursorExpiredError, ProtocolError

_Kind = TypeVar("_Kind")

RETENTION = timedelta(days=730)  # orders and reports; older ones are not given
REPORT_FROM = timedelta(
    days=14
)  # longer windows are read from reports: the API gives 100 orders in 3 minutes
REPORT_SPAN = timedelta(days=30)
FEEDBACK_SPAN = timedelta(days=360)  # few lines a day; sellers ask for a year at once
FINANCE_SPAN = timedelta(days=30)  # more than 180 days would be answered with nothing at all
INCLUDED = "BUYER,RECIPIENT,PROCEEDS,PROMOTION,CANCELLATION,FULFILLMENT,TAX"
_LISTINGS_REACH = 1000  # listings one search can page through
_EARLIEST_LISTING = datetime.fromisoformat("1999-01-01T00:00:00+00:00")
_ATTEMPTS = 5  # at a snapshot whose page token died under way

_ORDERS = Rate(0.0056, 20)
_INVENTORY = Rate(2.0, 2)
_LISTINGS = Rate(5.0, 5)
_CATALOG = Rate(2.0, 2)
_FINANCES = Rate(0.5, 10)


# -- orders ------------------------------------------------------------------------------------------------


class _Next(msgspec.Struct):
    nextToken: str | None = None


class _OrdersAnswer(msgspec.Struct):
    orders: msgspec.Raw
    pagination: _Next | None = None
    lastUpdatedBefore: datetime | None = None


def order_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Orders changed in the window: from the API, or from reports when the window is long."""
    start = window.since or window.until - RETENTION
    start = max(start, window.until - RETENTION)
    if window.until - start <= REPORT_FROM:
        yield from _order_api(client, Window(start, window.until))
        return
    slices = Window(start, window.until).slices(REPORT_SPAN, start)
    wanted = [Wanted(ALL_ORDERS, _marketplaces(client), part) for part in slices]
    yield from read_reports(client, wanted)


def _order_api(client: ChannelClient, window: Window) -> Iterator[Page]:
    assert window.since is not None
    first = Call(
        "searchOrders",
        _ORDERS,
        "orders/2026-01-01/orders",
        params=(
            ("lastUpdatedAfter", stamp(window.since)),
            ("lastUpdatedBefore", stamp(window.until)),
            ("marketplaceIds", ",".join(_marketplaces(client))),
            ("maxResultsPerPage", "100"),
            ("includedData", INCLUDED),
        ),
    )
    read = _reading("searchOrders", _OrdersAnswer)

    def advance(answer: Answer) -> Call | None:
        page = read(answer)
        return _following(first, "paginationToken", page.pagination.nextToken if page.pagination else None)

    for answer in client.follow(first, advance, lambda answer: _content(bytes(read(answer).orders))):
        yield Page(answer.body, watermark=read(answer).lastUpdatedBefore)


# -- inventory ---------------------------------------------------------------------------------------------


class _Summaries(msgspec.Struct):
    inventorySummaries: msgspec.Raw


class _InventoryAnswer(msgspec.Struct):
    payload: _Summaries
    pagination: _Next | None = None


def inventory_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """The whole stock now: Amazon's own per marketplace, then the merchant's from his listings.

    A window would not do: Amazon does not count inbound changes as changes.
    """
    for marketplace in _marketplaces(client):
        yield from _spooled(partial(_fba_stock, client, marketplace))
        for answer in _listings(client, marketplace, window.until, "summaries,fulfillmentAvailability"):
            yield Page(answer.body)


def _fba_stock(client: ChannelClient, marketplace: str) -> Iterator[bytes]:
    first = Call(
        "getInventorySummaries",
        _INVENTORY,
        "fba/inventory/v1/summaries",
        params=(
            ("details", "true"),
            ("granularityType", "Marketplace"),
            ("granularityId", marketplace),
            ("marketplaceIds", marketplace),
        ),
    )
    read = _reading("getInventorySummaries", _InventoryAnswer)

    def advance(answer: Answer) -> Call | None:
        page = read(answer)
        return _following(first, "nextToken", page.pagination.nextToken if page.pagination else None)

    def content(answer: Answer) -> bytes:
        return _content(bytes(read(answer).payload.inventorySummaries))

    for answer in client.follow(first, advance, content):
        yield answer.body


def _spooled(bodies: Callable[[], Iterator[bytes]]) -> Iterator[Page]:
    """All pages fetched back to back into a file and then handed on: the next token lives 30 seconds.

    When it dies all the same, the snapshot begins again.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        with tempfile.TemporaryFile(prefix="wharf-stock-") as file:
            sizes = []
            try:
                for body in bodies():
                    file.write(body)
                    sizes.append(len(body))
            except CursorExpiredError:
                if attempt == _ATTEMPTS:
                    raise
                continue
            file.seek(0)
            for size in sizes:
                yield Page(file.read(size))
            return


# -- products ----------------------------------------------------------------------------------------------


class _ListingsAnswer(msgspec.Struct):
    items: msgspec.Raw
    numberOfResults: int = 0
    pagination: _Next | None = None


class _Asins(msgspec.Struct):
    items: list[Any]


def product_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Every listing of every marketplace, each page with what the catalog knows of its ASINs."""
    read = _reading("searchListingsItems", _Asins)
    for marketplace in _marketplaces(client):
        owners: dict[str, str] = {}
        for answer in _listings(client, marketplace, window.until, "summaries,offers"):
            listed = _asins(read(answer).items)
            for asin, sku in listed.items():
                owners.setdefault(asin, sku)
            asins = sorted(listed)
            catalog = b"".join(_catalog(client, marketplace, asins[:20])) or b"null"
            composed = {
                "marketplaceId": marketplace,
                "listings": msgspec.Raw(answer.body),
                "catalog": msgspec.Raw(catalog),
                "owners": {asin: owners[asin] for asin in asins},
            }
            yield Page(msgspec.json.encode(composed))


def _asins(items: list[Any]) -> dict[str, str]:
    """ASINs of listings with the first SKU of each, whatever else is wrong with them."""
    found: dict[str, str] = {}
    for item in sorted((i for i in items if isinstance(i, dict)), key=lambda i: str(i.get("sku"))):
        summaries = item.get("summaries") if isinstance(item, dict) else None
        for summary in summaries if isinstance(summaries, list) else ():
            asin = summary.get("asin") if isinstance(summary, dict) else None
            if isinstance(asin, str) and asin:
                found.setdefault(asin, str(item.get("sku")))
    return found


def _catalog(client: ChannelClient, marketplace: str, asins: list[str]) -> Iterator[bytes]:
    if not asins:
        return
    call = Call(
        "searchCatalogItems",
        _CATALOG,
        "catalog/2022-04-01/items",
        params=(
            ("identifiers", ",".join(asins)),
            ("identifiersType", "ASIN"),
            ("marketplaceIds", marketplace),
            ("includedData", "summaries,classifications,identifiers"),
            ("pageSize", "20"),
        ),
    )
    yield client.send(call).body


def _listings(client: ChannelClient, marketplace: str, until: datetime, data: str) -> Iterator[Answer]:
    """All listings of a marketplace. One search pages through 1,000 at most: more are asked for by creation date."""
    seller = client.account.options.get("seller_id")
    if not seller:
        raise ConfigurationError(
            f"{client.account.name} products: AMAZON_SELLER_ID is not set; Seller Central shows it as Merchant Token"
        )

    def search(since: datetime | None, before: datetime | None) -> Call:
        span: tuple[tuple[str, str], ...] = (("createdAfter", stamp(since)),) if since else ()
        span += (("createdBefore", stamp(before)),) if before else ()
        return Call(
            "searchListingsItems",
            _LISTINGS,
            f"listings/2021-08-01/items/{seller}",
            params=(
                ("marketplaceIds", marketplace),
                ("includedData", data),
                ("sortBy", "sku"),
                ("sortOrder", "ASC"),
                ("pageSize", "20"),
                *span,
            ),
        )

    read = _reading("searchListingsItems", _ListingsAnswer)

    def within(since: datetime | None, before: datetime | None) -> Iterator[Answer]:
        first = search(since, before)

        def advance(answer: Answer) -> Call | None:
            page = read(answer)
            return _following(first, "pageToken", page.pagination.nextToken if page.pagination else None)

        for answer in client.follow(first, advance, lambda answer: _content(bytes(read(answer).items))):
            if read(answer).numberOfResults > _LISTINGS_REACH:
                early, late = since or _EARLIEST_LISTING, before or until
                middle = early + (late - early) / 2
                if late - early < timedelta(seconds=2):
                    raise ProtocolError(
                        f"{client.account.name} searchListingsItems: more than {_LISTINGS_REACH} listings were "
                        "created in one second; the listings report is the only way to read them"
                    )
                # The ends stay open: a listing without a date in between must not fall out.
                yield from within(since, middle)
                yield from within(middle, before)
                return
            yield answer

    yield from within(None, None)


# -- refunds, returns and feedback -----------------------------------------------------------------------------------


class _Transactions(msgspec.Struct):
    transactions: msgspec.Raw = msgspec.Raw(b"[]")
    nextToken: str | None = None


class _FinancesAnswer(msgspec.Struct):
    payload: _Transactions


def refund_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Transactions posted in the window: refunds and fees. Pages may be empty before the end."""
    start = max(window.since or window.until - RETENTION, window.until - RETENTION)
    read = _reading("listTransactions", _FinancesAnswer)
    for part in Window(start, window.until).slices(FINANCE_SPAN, start):
        assert part.since is not None
        # No marketplace is named: US orders shipped by the merchant would be missing.
        first = Call(
            "listTransactions",
            _FINANCES,
            "finances/2024-06-19/transactions",
            params=(("postedAfter", stamp(part.since)), ("postedBefore", stamp(part.until))),
        )

        def advance(answer: Answer, first: Call = first) -> Call | None:
            return _following(first, "nextToken", read(answer).payload.nextToken)

        def content(answer: Answer) -> bytes:
            return _content(bytes(read(answer).payload.transactions))

        for answer in client.follow(first, advance, content):
            yield Page(answer.body)


def return_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Both returns reports of every marketplace, in slices."""
    yield from _by_marketplace(client, window, (FBA_RETURNS, MERCHANT_RETURNS), REPORT_SPAN, "order-id")


def feedback_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """The feedback report of every marketplace, in slices."""
    yield from _by_marketplace(client, window, (FEEDBACK,), FEEDBACK_SPAN, None)


def _by_marketplace(
    client: ChannelClient, window: Window, kinds: tuple[str, ...], span: timedelta, key_column: str | None
) -> Iterator[Page]:
    """Reports that do not say where an order was placed: one for each marketplace, its id added to each line."""
    start = max(window.since or window.until - RETENTION, window.until - RETENTION)
    wanted = [
        Wanted(kind, (marketplace,), part, key_column, extra=(MARKETPLACE, marketplace))
        for part in Window(start, window.until).slices(span, start)
        for marketplace in _marketplaces(client)
        for kind in kinds
    ]
    yield from read_reports(client, wanted)


# -- shared ------------------------------------------------------------------------------------------------


def _marketplaces(client: ChannelClient) -> tuple[str, ...]:
    return tuple(channel.external_id for channel in client.account.channels)


def _reading(operation: str, kind: type[_Kind]) -> Callable[[Answer], _Kind]:
    """Decodes answers to `kind`. Raises ProtocolError when one lacks the list it must have."""
    decoder = msgspec.json.Decoder(kind, strict=False)

    def read(answer: Answer) -> _Kind:
        try:
            return decoder.decode(answer.body)
        except msgspec.ValidationError as error:
            raise ProtocolError(
                f"amazon {operation}: the answer is not what the API promises: {error}"
            ) from error
        except msgspec.DecodeError:
            # Not strict JSON (a bare NaN): the normalizer reads that too, so paging must.
            plain = untyped(answer.body, operation)
            return msgspec.json.decode(msgspec.json.encode(storable(plain)), type=kind, strict=False)

    return read


def _following(first: Call, name: str, token: str | None) -> Call | None:
    """`first` again with the page token and every other parameter the same; None without one."""
    return replace(first, params=(*first.params, (name, token))) if token else None


def _content(part: bytes) -> bytes:
    """What must differ between pages; nothing of an empty page, for those may repeat."""
    return b"" if part.strip() in (b"[]", b"null", b"") else part


RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            name="orders",
            platform="amazon",
            frames=("orders", "order_items"),
            pages=order_pages,
            normalize=normalize.orders,
            lookback=timedelta(minutes=30),
            # Two minutes by the rule, one for clocks that are not quite alike.
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
        Resource(
            name="products",
            platform="amazon",
            frames=("products",),
            pages=product_pages,
            normalize=normalize.products,
            kind="snapshot",
        ),
        Resource(
            name="inventory",
            platform="amazon",
            frames=("inventory",),
            pages=inventory_pages,
            normalize=normalize.inventory,
            kind="snapshot",
            confirm_empty=True,
        ),
        Resource(
            name="refunds",
            platform="amazon",
            frames=("refunds", "fees"),
            pages=refund_pages,
            normalize=normalize.refunds,
            lookback=timedelta(hours=48),  # how late Amazon may post
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
        Resource(
            name="returns",
            platform="amazon",
            frames=("returns",),
            pages=return_pages,
            normalize=normalize.returns,
            lookback=timedelta(days=3),
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
        Resource(
            name="feedback",
            platform="amazon",
            frames=("feedback",),
            pages=feedback_pages,
            normalize=normalize.feedback,
            lookback=timedelta(days=3),  # the report knows days, and no hours
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
    )
}
