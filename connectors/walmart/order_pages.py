"""Pages of `/v3/orders`: one pass per ship-node type, windows cut where the answer would be cut short.

Two defaults of this endpoint lose orders silently and are always overridden here: `createdStartDate` (now - 7 days,
ANDed with the modified dates) and `shipNodeType` (SellerFulfilled only).
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from connectors.base import Page, Window
from connectors.budget import Rate
from connectors.client import Answer, Call, ChannelClient
from connectors.errors import ProtocolError
from connectors.walmart.envelope import envelope
from connectors.walmart.reader import NotFoundError

RETENTION = timedelta(days=180)  # nothing older exists for this API
CREATED_REACH = timedelta(days=179)
NODE_TYPES = ("SellerFulfilled", "WFSFulfilled", "3PLFulfilled")
LIMIT = 200
MOST_RECORDS = 10_000  # of one query; what lies beyond is not given
NEAR_MOST = 9_500  # the count moves while pages are read
SHORTEST = timedelta(seconds=2)
RATE = Rate(5000 / 60, 5000)


class _Meta(msgspec.Struct):
    totalCount: int | None = None
    nextCursor: str | None = None
    hasMoreElements: bool | None = None


class _Node(msgspec.Struct):
    type: str | None = None


class _Order(msgspec.Struct):
    shipNode: _Node | list[_Node] | None = None  # Walmart's own examples have [] for none


class _Elements(msgspec.Struct):
    order: list[_Order] | None = None


class _List(msgspec.Struct):
    elements: _Elements | None = None
    meta: _Meta | None = None


class _Envelope(msgspec.Struct):
    list: _List


class _RawList(msgspec.Struct):
    elements: msgspec.Raw = msgspec.Raw(b"")


class _RawEnvelope(msgspec.Struct):
    list: _RawList


class _CutShortError(Exception):
    """This window cannot be read in one go: read its halves."""


def orders(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Pages of orders modified in the window, ship-node type by ship-node type.

    The last page of each slice says how many orders the slice has, where the source does.
    """
    since = window.since or window.until - RETENTION
    created_from = window.until - CREATED_REACH
    for node_type in NODE_TYPES:
        yield from _read(client, Window(since, window.until), node_type, created_from)


def _read(client: ChannelClient, window: Window, node_type: str, created_from: datetime) -> Iterator[Page]:
    """One pass over a window; its halves when it holds too many orders or its cursor forgets the pass.

    Pages given before such a cut are given again: loading them twice changes nothing.
    """
    try:
        yield from _slice(client, window, node_type, created_from)
    except _CutShortError:
        assert window.since is not None
        middle = window.since + (window.until - window.since) / 2
        if window.until - window.since < SHORTEST:
            raise ProtocolError(
                f"{client.account.name} orders {node_type}: {window.since:%Y-%m-%d %H:%M:%S} holds more orders "
                "than one query gives; they cannot all be read"
            ) from None
        for half in (Window(window.since, middle), Window(middle, window.until)):
            yield from _read(client, half, node_type, created_from)


def _slice(client: ChannelClient, window: Window, node_type: str, created_from: datetime) -> Iterator[Page]:
    first = Call(
        operation="walmart.orders",
        rate=RATE,
        path="/v3/orders",
        params=(
            ("createdStartDate", stamp(created_from)),
            ("lastModifiedStartDate", stamp(window.since or window.until - RETENTION)),
            ("lastModifiedEndDate", stamp(window.until)),
            ("limit", str(LIMIT)),
            ("shipNodeType", node_type),
            ("productInfo", "true"),
            ("replacementInfo", "true"),
        ),
    )
    where = f"{client.account.name} orders {node_type}"

    def advance(answer: Answer) -> Call | None:
        meta = envelope(answer, _Envelope, where).list.meta
        cursor = next_cursor(meta.nextCursor if meta else None, meta.hasMoreElements if meta else None)
        return Call(operation="walmart.orders", rate=RATE, path="/v3/orders" + cursor) if cursor else None

    def ask() -> Iterator[tuple[bytes, int, int | None]]:
        for number, answer in enumerate(client.follow(first, advance, _content)):
            page = envelope(answer, _Envelope, where).list
            total = page.meta.totalCount if page.meta else None
            found = (page.elements and page.elements.order) or []
            if number == 0 and total is not None and total >= NEAR_MOST:
                raise _CutShortError
            if number > 0 and any(_is_foreign(order, node_type) for order in found):
                # The cursor forgot the pass, so the rest of this pass would be missing.
                raise _CutShortError
            yield answer.body, len(found), total

    def recount() -> int | None:
        meta = envelope(client.send(first), _Envelope, where).list.meta
        return meta.totalCount if meta else None

    yield from counted(ask(), recount)


def counted(
    pages: Iterator[tuple[bytes, int, int | None]], recount: Callable[[], int | None]
) -> Iterator[Page]:
    """Pages of one slice from (body, records, announced); the last says how many records there should be.

    What changes while we read leaves the window and comes with a later one, so fewer records than the first page
    announced are counted again before they are believed to be lost. A 404 means no rows: only a first page says so.
    """
    announced: int | None = None
    given = 0
    held: bytes | None = None
    try:
        for body, records, total in pages:
            if held is None:
                announced = total
            else:
                yield Page(held)
            held = body
            given += records
        if held is None:
            return
        if announced is not None and given < announced:
            announced = recount()
    except NotFoundError:
        if held is None:
            return
        announced = 0
    yield Page(held, expected_records=announced)


def announced(client: ChannelClient, call: Call) -> int:
    """How many orders the source says a question has; 404 means none."""
    where = f"{client.account.name} {call.operation}"
    try:
        meta = envelope(client.send(call), _Envelope, where).list.meta
    except NotFoundError:
        return 0
    if meta is None or meta.totalCount is None:
        raise ProtocolError(f"{where}: the answer does not say how many orders there are")
    return meta.totalCount


def _is_foreign(order: _Order, node_type: str) -> bool:
    told = order.shipNode.type if isinstance(order.shipNode, _Node) else None
    return told in NODE_TYPES and told != node_type


def _content(answer: Answer) -> bytes:
    """The orders of a page without its cursor; nothing for an empty page, which may come more than once."""
    try:
        elements = bytes(msgspec.json.decode(answer.body, type=_RawEnvelope).list.elements)
    except msgspec.DecodeError:
        return answer.body
    return elements if b"purchaseOrderId" in elements else b""


def next_cursor(cursor: str | None, has_more: bool | None = None) -> str | None:
    """The query string that asks for the next page, verbatim but for stray white space; None at the end."""
    kept = "".join((cursor or "").split())
    if not kept or has_more is False or "hasMoreElements=false" in kept:
        return None
    return kept if kept.startswith("?") else "?" + kept


def stamp(at: datetime) -> str:
    """An instant as Walmart's parameters want it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
