"""What is read from a shop, and how its pages are asked for."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from connectors.base import Page, Resource, Window
from connectors.client import Answer, ChannelClient
from connectors.errors import AuthenticationError, ProtocolError
from connectors.mending import decoded
from connectors.shopify import normalize, queries
from connectors.shopify.ask import ask, pages
from connectors.shopify.bulk import bulk
from connectors.shopify.deleted import gone
from connectors.shopify.reader import MaxCostError
from connectors.shopify.scopes import READ_CUSTOMERS, READ_RETURNS, WALL, lacks, order_wall

# Above this span (and for a first load) a bulk operation is cheaper than paging: no cost limit, one download.
LONG = timedelta(days=14)
# A list that needs more pages than this is read by a bulk operation instead.
FEW_PAGES = 4
_MORE = re.compile(rb'"hasNextPage"\s*:\s*true')
_REFUND_IDS = re.compile(rb'"refunds"\s*:\s*\[\s*\{')
_MANY_IDS = 100


@dataclass(frozen=True)
class Nested:
    """A list inside each record that can have more pages than came along."""

    field: str
    name: str
    query: str
    root: str  # the field of `query` that gives the record


_LINES = Nested("lineItems", "OrderLines", queries.ORDER_LINES, "order")
_REFUND_LINES = Nested("refundLineItems", "RefundLines", queries.REFUND_LINES, "refund")
_VARIANTS = Nested("variants", "ProductVariants", queries.PRODUCT_VARIANTS, "product")
_LEVELS = Nested("inventoryLevels", "ItemLevels", queries.ITEM_LEVELS, "inventoryItem")


def orders_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Orders changed in `window`, with lines and refunds: paged, or by a bulk operation when it is long."""
    yield from _named_or_not(client, "orders", partial(_orders, client, window))


def _orders(client: ChannelClient, window: Window, form: Callable[[str], str]) -> Iterator[Page]:
    if window.since is None or window.until - window.since > LONG:
        for body, expected in bulk(client, form(queries.bulk_orders(window))):
            yield Page(body + _refunds_of(client, body), kind="jsonl", expected_records=expected)
        return
    variables = {"q": queries.updated_within(window)}
    for answer in pages(client, "Orders", form(queries.ORDERS), variables, field="orders", first=100):
        yield Page(_completed(client, answer, "orders", (_LINES,), ("refunds", _REFUND_LINES)))


def products_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Products changed in `window`, with their variants."""
    variables = {"q": queries.updated_within(window)}
    answers = pages(client, "Products", queries.PRODUCTS, variables, field="products", first=50)
    paged = (Page(_completed(client, answer, "products", (_VARIANTS,))) for answer in answers)
    yield from _few_or_bulk(client, paged, queries.bulk_products(window))


def inventory_pages(client: ChannelClient, _: Window) -> Iterator[Page]:
    """The stock of every item at every place, as it is now.

    An item's update clock is not documented to follow its quantities, so the window cannot narrow it down.
    """
    answers = pages(client, "Inventory", queries.INVENTORY, {}, field="inventoryItems", first=100)
    paged = (Page(_completed(client, answer, "inventoryItems", (_LEVELS,))) for answer in answers)
    yield from _few_or_bulk(client, paged, queries.bulk_inventory())


def carts_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Abandoned and recovered checkouts changed in `window`. They cannot be sorted by their update clock."""
    yield from _named_or_not(client, "carts", partial(_carts, client, window))


def _carts(client: ChannelClient, window: Window, form: Callable[[str], str]) -> Iterator[Page]:
    variables = {"q": queries.updated_within(window)}
    for answer in pages(
        client, "Carts", form(queries.CARTS), variables, field="abandonedCheckouts", first=50
    ):
        yield Page(answer.body)


def customers_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Customers changed since the day before `window`: their update clock is documented to match whole days."""
    variables = {"q": queries.updated_since_day(window)}
    answers = pages(client, "Customers", queries.CUSTOMERS, variables, field="customers", first=250)
    paged = (Page(answer.body) for answer in answers)
    yield from _if_granted(
        client, READ_CUSTOMERS, _few_or_bulk(client, paged, queries.bulk_customers(window))
    )


def returns_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Returns of the orders changed in `window`: a return moves its order's update clock."""
    variables = {"q": f"{queries.updated_within(window)} AND NOT return_status:no_return"}
    answers = pages(client, "Returns", queries.RETURNS, variables, field="orders", first=50)
    yield from _if_granted(client, READ_RETURNS, (Page(answer.body) for answer in answers))


# -- what an app may not see -------------------------------------------------------------------------------


def _named_or_not(
    client: ChannelClient, what: str, read: Callable[[Callable[[str], str]], Iterator[Page]]
) -> Iterator[Page]:
    """What `read` gives of queries in the form it is given; without who bought where the app may not see that."""
    try:
        yield from read(str)
    except AuthenticationError:
        if not lacks(client, READ_CUSTOMERS):
            raise
    else:
        return
    client.warn(
        f"{what} are read without who bought: scope {READ_CUSTOMERS} is missing; grant it, then backfill"
    )
    yield from read(queries.unnamed)


def _if_granted(client: ChannelClient, scope: str, found: Iterator[Page]) -> Iterator[Page]:
    """The pages; none, and the shop noted as unread, where the app lacks the scope they need."""
    try:
        yield from found
    except AuthenticationError:
        if not lacks(client, scope):
            raise
        client.refuse(client.account.channels[0].name, f"scope {scope} is missing; grant it to the app")


def _few_or_bulk(client: ChannelClient, paged: Iterator[Page], query: str) -> Iterator[Page]:
    """The pages when they are few; else all of it once more by a bulk operation, and those not at all."""
    held: list[Page] = []
    for page in paged:
        held.append(page)
        if len(held) > FEW_PAGES:
            break
    else:
        yield from held
        return
    held.clear()
    for body, expected in bulk(client, query):
        yield Page(body, kind="jsonl", expected_records=expected)


# -- lists inside records ----------------------------------------------------------------------------------


def _completed(
    client: ChannelClient,
    answer: Answer,
    field: str,
    nested: tuple[Nested, ...],
    below: tuple[str, Nested] | None = None,
) -> bytes:
    """The answer's body with every nested list whole. It is decoded only when one is not."""
    if len(_MORE.findall(answer.body)) <= 1:
        record_list = decoded(_outer, answer.body).data[field]
        if record_list.page_info.has_next_page or not _MORE.search(answer.body):
            return answer.body
    body = decoded(_anything, answer.body)
    for record in body["data"][field]["nodes"]:
        for inner in nested:
            _complete(client, record, inner)
        if below is not None:
            for child in record[below[0]]:
                _complete(client, child, below[1])
    return msgspec.json.encode(body)


class _More(msgspec.Struct, rename="camel"):
    has_next_page: bool = False


class _OuterList(msgspec.Struct, rename="camel"):
    page_info: _More


class _Outer(msgspec.Struct):
    data: dict[str, _OuterList]


_outer = msgspec.json.Decoder(_Outer)
_anything: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def _complete(client: ChannelClient, record: dict[str, Any], inner: Nested) -> None:
    """Fetch what is missing of one list of one record."""
    listed = record.get(inner.field)
    if not listed:
        return
    seen: set[str] = set()
    while listed["pageInfo"]["hasNextPage"]:
        after = listed["pageInfo"]["endCursor"]
        if after is None or after in seen:
            raise ProtocolError(
                f"{client.account.name} {inner.name}: cursor {after} came twice for {record['id']}"
            )
        seen.add(after)
        found = msgspec.json.decode(
            ask(client, inner.name, inner.query, {"id": record["id"], "after": after})[inner.root]
        )
        if found is None:
            raise ProtocolError(
                f"{client.account.name} {inner.name}: {record['id']} has gone while it was read"
            )
        more = found[inner.field]
        listed["nodes"].extend(more["nodes"])
        listed["pageInfo"] = more["pageInfo"]


# -- refunds of a bulk file --------------------------------------------------------------------------------


class _HasRefunds(msgspec.Struct):
    id: str
    refunds: list["_RefundId"] = []


class _RefundId(msgspec.Struct):
    id: str


_has_refunds = msgspec.json.Decoder(_HasRefunds)


def _refunds_of(client: ChannelClient, body: bytes) -> bytes:
    """JSONL of the refunds of a page's orders, each naming its order like any child line."""
    parents: dict[str, str] = {}
    for line in body.splitlines():
        if _REFUND_IDS.search(line):
            order = _has_refunds.decode(line)
            parents.update((refund.id, order.id) for refund in order.refunds)
    if not parents:
        return b""
    lines = [b""] if not body.endswith(b"\n") else []
    for refund in _refunds(client, list(parents)):
        parent = msgspec.json.encode(parents[refund["id"]])
        lines.append(b'{"__parentId":' + parent + b"," + msgspec.json.encode(refund)[1:])
    return b"\n".join(lines) + b"\n"


def _refunds(client: ChannelClient, ids: list[str]) -> Iterator[dict[str, Any]]:
    size = _MANY_IDS
    while ids:
        batch = ids[:size]
        try:
            data = ask(client, "Refunds", queries.REFUNDS, {"ids": batch})
        except MaxCostError:
            if size == 1:
                raise
            size //= 2
            continue
        found = [node for node in msgspec.json.decode(data["nodes"]) if node]
        if len(found) != len(batch):
            raise ProtocolError(
                f"{client.account.name} Refunds: {len(batch)} asked for, {len(found)} given; the window is not read"
            )
        for refund in found:
            _complete(client, refund, _REFUND_LINES)
            yield refund
        ids = ids[size:]


# -- the resources -----------------------------------------------------------------------------------------

ORDERS = Resource(
    name="orders",
    platform="shopify",
    frames=("orders", "order_items", "refunds"),
    pages=orders_pages,
    normalize=normalize.orders,
    lookback=timedelta(minutes=10),
    delay=timedelta(minutes=1),
    retention=WALL,
    limited=order_wall,
    gone=gone,
)
PRODUCTS = Resource(
    name="products",
    platform="shopify",
    frames=("products",),
    pages=products_pages,
    normalize=normalize.products,
    lookback=timedelta(minutes=10),
    delay=timedelta(minutes=1),
)
INVENTORY = Resource(
    name="inventory",
    platform="shopify",
    frames=("inventory",),
    pages=inventory_pages,
    normalize=normalize.inventory,
    kind="snapshot",
    delay=timedelta(0),
    confirm_empty=True,
)
CARTS = Resource(
    name="carts",
    platform="shopify",
    frames=("carts", "cart_items"),
    pages=carts_pages,
    normalize=normalize.carts,
    lookback=timedelta(days=1),
    delay=timedelta(minutes=1),
)
CUSTOMERS = Resource(
    name="customers",
    platform="shopify",
    frames=("customers",),
    pages=customers_pages,
    normalize=normalize.customers,
    lookback=timedelta(days=1),
    delay=timedelta(minutes=1),
)
RETURNS = Resource(
    name="returns",
    platform="shopify",
    frames=("returns",),
    pages=returns_pages,
    normalize=normalize.returns,
    lookback=timedelta(minutes=10),
    delay=timedelta(minutes=1),
    retention=WALL,
    limited=order_wall,
)

RESOURCES: dict[str, Resource] = {r.name: r for r in (ORDERS, PRODUCTS, INVENTORY, CARTS, CUSTOMERS, RETURNS)}
