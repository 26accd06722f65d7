"""Pages of stock and listings: snapshots, because neither has an update clock that tells all changes."""

import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from connectors.amazon.paging import Next, content_of, following, one_by_one, reading
from connectors.amazon.reports import stamp
from connectors.base import Page, Window
from connectors.budget import Rate
from connectors.client import Answer, Call, ChannelClient
from connectors.errors import ConfigurationError, CursorExpiredError, ProtocolError

_LISTINGS_REACH = 1000  # listings one search can page through
_EARLIEST_LISTING = datetime.fromisoformat("1999-01-01T00:00:00+00:00")
_ATTEMPTS = 5  # at a snapshot whose page token died under way
INVENTORY_RATE = Rate(2.0, 2)
LISTINGS_RATE = Rate(5.0, 5)
CATALOG_RATE = Rate(2.0, 2)

# -- inventory ---------------------------------------------------------------------------------------------


class _Summaries(msgspec.Struct):
    inventorySummaries: msgspec.Raw


class _InventoryAnswer(msgspec.Struct):
    payload: _Summaries
    pagination: Next | None = None


def inventory_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """The whole stock now: Amazon's own per marketplace, then the merchant's from his listings.

    A window would not do: Amazon does not count inbound changes as changes.
    """
    yield from one_by_one(client, partial(_stock_of, client, window.until))


def _stock_of(client: ChannelClient, until: datetime, marketplace: str) -> Iterator[Page]:
    yield from _spooled(partial(_fba_stock, client, marketplace))
    for answer in _listings(client, marketplace, until, "summaries,fulfillmentAvailability"):
        yield Page(answer.body)


def _fba_stock(client: ChannelClient, marketplace: str) -> Iterator[bytes]:
    first = Call(
        "getInventorySummaries",
        INVENTORY_RATE,
        "fba/inventory/v1/summaries",
        params=(
            ("details", "true"),
            ("granularityType", "Marketplace"),
            ("granularityId", marketplace),
            ("marketplaceIds", marketplace),
        ),
    )
    read = reading("getInventorySummaries", _InventoryAnswer)

    def advance(answer: Answer) -> Call | None:
        page = read(answer)
        return following(first, "nextToken", page.pagination.nextToken if page.pagination else None)

    def content(answer: Answer) -> bytes:
        return content_of(bytes(read(answer).payload.inventorySummaries))

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
    pagination: Next | None = None


class _Asins(msgspec.Struct):
    items: list[Any]


def product_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Every listing of every marketplace, each page with what the catalog knows of its ASINs."""
    yield from one_by_one(client, partial(_products_of, client, window.until))


def _products_of(client: ChannelClient, until: datetime, marketplace: str) -> Iterator[Page]:
    read = reading("searchListingsItems", _Asins)
    owners: dict[str, str] = {}
    for answer in _listings(client, marketplace, until, "summaries,offers"):
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
        CATALOG_RATE,
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
            LISTINGS_RATE,
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

    read = reading("searchListingsItems", _ListingsAnswer)

    def within(since: datetime | None, before: datetime | None) -> Iterator[Answer]:
        first = search(since, before)

        def advance(answer: Answer) -> Call | None:
            page = read(answer)
            return following(first, "pageToken", page.pagination.nextToken if page.pagination else None)

        for answer in client.follow(first, advance, lambda answer: content_of(bytes(read(answer).items))):
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
