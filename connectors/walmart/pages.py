"""Pages of returns, items and stock. Each list ends when Walmart says so: a short page means nothing."""

import hashlib
import zlib
from collections.abc import Iterator

import msgspec

from connectors.base import Page, Window
from connectors.budget import Rate
from connectors.client import Answer, Call, ChannelClient
from connectors.errors import AuthenticationError, CursorExpiredError, ProtocolError
from connectors.walmart.envelope import envelope
from connectors.walmart.order_pages import RETENTION, counted, next_cursor, stamp
from connectors.walmart.reader import NotFoundError

RETURNS_RATE = Rate(50 / 60, 50)
ITEMS_RATE = Rate(60 / 60, 60)  # with query parameters
INVENTORIES_RATE = Rate(200 / 60, 200)
WFS_RATE = Rate(100 / 60, 100)
WFS_LIMIT = 50
LEGACY_LIMIT = 300


class _Meta(msgspec.Struct):
    totalCount: int | None = None
    nextCursor: str | None = None


class _Returns(msgspec.Struct):
    returnOrders: list[msgspec.Raw]
    meta: _Meta | None = None


class _Items(msgspec.Struct):
    ItemResponse: list[msgspec.Raw]
    totalItems: int | None = None
    nextCursor: str | None = None


class _NodeElements(msgspec.Struct):
    inventories: list[msgspec.Raw] | None = None


class _Inventories(msgspec.Struct):
    elements: _NodeElements
    meta: _Meta | None = None


class _WfsPayload(msgspec.Struct):
    inventory: list[msgspec.Raw] | None = None


class _WfsHeaders(msgspec.Struct):
    totalCount: int | None = None


class _Wfs(msgspec.Struct):
    payload: _WfsPayload
    headers: _WfsHeaders | None = None


def returns(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Pages of returns modified in the window. Dates go in pairs: one alone is refused."""
    path = "/v3/returns"
    where = f"{client.account.name} returns"
    first = Call(
        operation="walmart.returns",
        rate=RETURNS_RATE,
        path=path,
        params=(
            ("returnLastModifiedStartDate", stamp(window.since or window.until - RETENTION)),
            ("returnLastModifiedEndDate", stamp(window.until)),
            ("replacementInfo", "true"),
            ("limit", "200"),
        ),
    )

    def advance(answer: Answer) -> Call | None:
        meta = envelope(answer, _Returns, where).meta
        cursor = next_cursor(meta.nextCursor if meta else None)
        return Call(operation="walmart.returns", rate=RETURNS_RATE, path=path + cursor) if cursor else None

    def content(answer: Answer) -> bytes:
        return b"".join(map(bytes, envelope(answer, _Returns, where).returnOrders))

    def ask() -> Iterator[tuple[bytes, int, int | None]]:
        for answer in client.follow(first, advance, content):
            page = envelope(answer, _Returns, where)
            yield answer.body, len(page.returnOrders), page.meta.totalCount if page.meta else None

    def recount() -> int | None:
        meta = envelope(client.send(first), _Returns, where).meta
        return meta.totalCount if meta else None

    yield from counted(ask(), recount)


def items(client: ChannelClient, _: Window) -> Iterator[Page]:
    """All items. The cursor dies two minutes after the page that gave it, so everything is fetched before the first
    page is given away; bodies wait compressed.

    Raises CursorExpiredError when it died all the same: read again from the first page.
    """
    total: int | None = None
    fetched: list[bytes] = []
    repeated = False
    for answer, page, attempts in _item_pages(client):
        total = page.totalItems if total is None else total
        fetched.append(zlib.compress(answer.body, 1))
        repeated = repeated or attempts > 1
    # Short pages are legal here. But the cursor of a session stays the same, so an answer that was lost on the way
    # may have moved it on: then, and only then, the announced number has to be reached.
    for number, body in enumerate(fetched):
        yield Page(zlib.decompress(body), expected_records=total if repeated and number == 0 else None)


def _item_pages(client: ChannelClient) -> Iterator[tuple[Answer, _Items, int]]:
    """The item cursor may stay the same during a session, so only a repeated page, not a repeated token, is a loop."""
    where = f"{client.account.name} products"
    cursor, seen, records = "*", set[bytes](), 0
    while True:
        call = Call(
            operation="walmart.items",
            rate=ITEMS_RATE,
            path="/v3/items",
            params=(("nextCursor", cursor), ("limit", "50")),
        )
        before = client.requests
        try:
            answer = client.send(call)
        except NotFoundError:
            return  # no items, or none after these
        page = envelope(answer, _Items, where)
        found = page.ItemResponse
        if not found:
            return
        digest = hashlib.sha256(b"".join(map(bytes, found))).digest()
        if digest in seen:
            raise ProtocolError(
                f"{where}: page {len(seen) + 1} repeats an earlier page; the list is not read"
            )
        seen.add(digest)
        records += len(found)
        yield answer, page, client.requests - before
        if not page.nextCursor or (page.totalItems is not None and records >= page.totalItems):
            return
        cursor = page.nextCursor


def inventory(client: ChannelClient, _: Window) -> Iterator[Page]:
    """Stock at the seller's own ship nodes, then in Walmart's warehouses (WFS) for sellers who use them."""
    yield from _inventories(client)
    yield from _fulfilled(client)


def _inventories(client: ChannelClient) -> Iterator[Page]:
    """Strictly one page after another: since 2026-05-15 a cursor that is used twice or out of turn answers 404."""
    path = "/v3/inventories"
    where = f"{client.account.name} inventory"
    first = Call(operation="walmart.inventories", rate=INVENTORIES_RATE, path=path, params=(("limit", "50"),))

    def advance(answer: Answer) -> Call | None:
        meta = envelope(answer, _Inventories, where).meta
        cursor = (meta.nextCursor or "").strip() if meta else ""
        if not cursor:
            return None
        params = (("limit", "50"), ("nextCursor", cursor))
        return Call(operation="walmart.inventories", rate=INVENTORIES_RATE, path=path, params=params)

    def content(answer: Answer) -> bytes:
        return b"".join(map(bytes, envelope(answer, _Inventories, where).elements.inventories or ()))

    number = 0
    try:
        for answer in client.follow(first, advance, content):
            # meta.totalCount counts the seller's SKUs, with stock records or without: nothing to hold pages to.
            yield Page(answer.body)
            number += 1
    except NotFoundError as error:
        if number:
            raise CursorExpiredError(
                f"{where}: page {number + 1}: the cursor was not accepted ({error})"
            ) from None


def _fulfilled(client: ChannelClient) -> Iterator[Page]:
    """WFS stock from the new endpoint, else from the legacy one. A seller refused by both is not in WFS.

    Asked for last, with a token that has just worked, so a refusal speaks of the programme and not of the account.
    """
    for operation, path, limit in (
        ("walmart.wfs_inventory", "/v3/wfs/inventory", WFS_LIMIT),
        ("walmart.wfs_inventory_legacy", "/v3/fulfillment/inventory", LEGACY_LIMIT),
    ):
        given = 0
        try:
            for page in _offset_pages(client, operation, path, limit):
                yield page
                given += 1
        except (AuthenticationError, NotFoundError):
            if given:
                raise
        else:
            return


def _offset_pages(client: ChannelClient, operation: str, path: str, limit: int) -> Iterator[Page]:
    where = f"{client.account.name} inventory"
    offset = 0
    seen: set[bytes] = set()
    while True:
        params = (("limit", str(limit)), ("offset", str(offset)))
        answer = client.send(Call(operation=operation, rate=WFS_RATE, path=path, params=params))
        page = envelope(answer, _Wfs, where)
        found = page.payload.inventory or []
        total = page.headers.totalCount if page.headers else None
        if not found:
            if total is not None and offset < total:
                raise ProtocolError(
                    f"{where}: {path} ended after {offset} of {total} records; stock is not read"
                )
            return
        digest = hashlib.sha256(b"".join(map(bytes, found))).digest()
        if digest in seen:
            raise ProtocolError(
                f"{where}: {path} at offset {offset} repeats an earlier page; stock is not read"
            )
        seen.add(digest)
        yield Page(answer.body, expected_records=total if offset == 0 else None)
        offset += len(found)
        if total is not None and offset >= total:
            return
