"""Stored Walmart payloads → canonical frames, whatever they were saved as: for a seller's case without a database.

JSON of a list, of one record or of a webhook event, JSON lines, XML, and the CSV or XLSX a seller downloads. What it
is, is told by its content, never by its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Context
from connectors.canonical import Normalized, Rejected, merge_normalized
from connectors.errors import ConfigurationError, ProtocolError
from connectors.exports import sheet, walmart_orders
from connectors.walmart import normalize_inventory, normalize_items, normalize_orders, normalize_returns
from connectors.walmart.payload import Raw, parse
from connectors.walmart.shapes import fold

_BOM = b"\xef\xbb\xbf"
_WRAPPERS = frozenset(
    ["list", "elements", "order", "returnorders", "itemresponse", "itemresponses", "payload"]
)


@dataclass(frozen=True)
class _Kind:
    find: Callable[[Any], list[Raw]]
    read: Callable[[list[Raw], Context], Normalized]
    table: Callable[[bytes, Context], list[Raw]] | None


def _items_table(body: bytes, _: Context) -> list[Raw]:
    """The on-request ITEM report."""
    return [
        {
            "sku": row.get("sku") or row.get("itemsku"),
            "wpid": row.get("wpid") or row.get("itemid"),
            "upc": row.get("upc"),
            "gtin": row.get("gtin"),
            "productName": row.get("productname") or row.get("itemname"),
            "productType": row.get("producttype") or row.get("productcategory") or row.get("category"),
            "price": {
                "amount": row.get("price"),
                "currency": row.get("currency") or row.get("pricecurrency") or "USD",
            },
            "publishedStatus": row.get("publishstatus") or row.get("publishedstatus"),
            "lifecycleStatus": row.get("lifecyclestatus"),
        }
        for row in sheet.rows(body, "walmart item report")
    ]


def _stock_table(body: bytes, _: Context) -> list[Raw]:
    """The on-request INVENTORY report."""
    counts = (
        "inventorycount",
        "availabletosellqty",
        "availabletosell",
        "quantity",
        "qty",
        "available",
        "inventory",
    )
    return [
        {
            "sku": row.get("sku") or row.get("itemsku"),
            "nodes": [
                {
                    "shipNode": row.get("shipnode")
                    or row.get("shipnodeid")
                    or row.get("fulfillmentcenterid"),
                    "availToSellQty": {"amount": next((row[name] for name in counts if row.get(name)), None)},
                    "inputQty": {"amount": row.get("inputqty") or row.get("onhandqty")},
                    "reservedQty": {"amount": row.get("reservedqty") or row.get("reserved")},
                }
            ],
        }
        for row in sheet.rows(body, "walmart inventory report")
    ]


_KINDS: dict[str, _Kind] = {
    "orders": _Kind(
        normalize_orders.find_orders, normalize_orders.orders_from_records, walmart_orders.records
    ),
    "returns": _Kind(normalize_returns.find_returns, normalize_returns.returns_from_records, None),
    "products": _Kind(normalize_items.find_items, normalize_items.products_from_records, _items_table),
    "inventory": _Kind(
        normalize_inventory.find_stock, normalize_inventory.inventory_from_records, _stock_table
    ),
}


RESOURCES = tuple(_KINDS)


def normalize_stored(resource: str, bodies: list[tuple[str, bytes]], context: Context) -> Normalized:
    """What the normalizers make of stored bodies, each given with a name for messages.

    Raises ConfigurationError for an unknown resource, ProtocolError for a body that cannot be read or holds none of it.
    """
    kind = _KINDS.get(resource)
    if kind is None:
        raise ConfigurationError(f"walmart has no resource {resource!r}; there are {', '.join(RESOURCES)}")
    parts: list[Normalized] = []
    for name, body in bodies:
        try:
            raws, broken = _records(body, name, kind, context)
        except ProtocolError as error:
            raise ProtocolError(str(error) if name in str(error) else f"{name}: {error}") from None
        found = kind.read(raws, context)
        parts.append(
            Normalized(found.frames, (*found.rejected, *broken), found.notes, found.records + len(broken)),
        )
    return merge_normalized(parts)


def _records(body: bytes, name: str, kind: _Kind, context: Context) -> tuple[list[Raw], list[Rejected]]:
    """The raw records of one body, and the lines of it that are no JSON."""
    stripped = body.removeprefix(_BOM).strip()
    if not stripped:
        raise ProtocolError(f"{name}: the file is empty")
    if stripped[:1] in (b"{", b"[", b"<"):
        try:
            parsed = parse(stripped, name)
        except ProtocolError:
            if stripped[:1] == b"<" or b"\n" not in stripped:
                raise
            return _json_lines(stripped, name, kind)
        raws = kind.find(parsed)
        if not raws and not _is_empty_answer(parsed):
            raise ProtocolError(f"{name}: this is no answer of Walmart that Wharf knows")
        return raws, []
    if kind.table is None:
        raise ProtocolError(f"{name}: neither JSON nor XML")
    return kind.table(body, context), []


def _is_empty_answer(parsed: Any) -> bool:
    """Whether a document without records can be an answer that has none."""
    if not isinstance(parsed, Mapping):
        return not parsed
    return not parsed or bool(_WRAPPERS & {fold(str(key)) for key in parsed})


def _json_lines(body: bytes, name: str, kind: _Kind) -> tuple[list[Raw], list[Rejected]]:
    raws: list[Raw] = []
    broken: list[Rejected] = []
    readable = 0
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            raws += kind.find(parse(line, f"{name} line {number}"))
            readable += 1
        except ProtocolError as error:
            broken.append(Rejected(f"{name} line {number}", "line", str(error), ""))
    if not readable:
        # Not lines of JSON but one broken document: say so once.
        first = broken[0].reason if broken else "empty"
        raise ProtocolError(f"{name}: not readable: {first}")
    return raws, broken
