"""Walmart stock → inventory, one row per (SKU, place): a ship node of the seller, or "WFS".

Four answers end here: `/v3/inventories` (all ship nodes), `/v3/inventory` (one SKU), `/v3/wfs/inventory` and the
legacy `/v3/fulfillment/inventory`. A SKU in WFS also appears as seller-fulfilled: the place keeps them apart.
Only the legacy answer dates its rows; the others carry the instant of the read.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.walmart.gather import Gathered
from connectors.walmart.payload import Raw, find, member, parse, within
from connectors.walmart.shapes import (
    FulfilledStock,
    LegacyNode,
    LegacyStock,
    NodePage,
    NodeStock,
    Quantity,
    SkuStock,
    convert,
    fold,
)
from connectors.walmart.values import FieldError, count, micros, text

WFS = "WFS"
DEFAULT_NODE = "default"
_DECODER = msgspec.json.Decoder(NodePage)


def inventory(page: Page, context: Context) -> Normalized:
    """Stock levels of one page of any of the four answers.

    Raises ProtocolError when the page cannot be parsed at all; one bad record is refused alone.
    """
    return _Stock(context).add_page(page.body, _decode, records).normalized()


def inventory_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Stock levels of decoded records."""
    return _Stock(context).add_all(raws).normalized()


def _decode(body: bytes) -> list[NodeStock]:
    return _DECODER.decode(body).elements.inventories


def records(body: bytes) -> list[Raw]:
    """The stock objects in a body."""
    return find_stock(parse(body, "walmart inventory"))


def find_stock(parsed: Any) -> list[Raw]:
    """The stock objects in decoded JSON or XML, whatever wraps them."""
    for path in (("elements", "inventories"), ("payload", "inventory")):
        listed = within(parsed, *path)
        if listed is not None:
            return listed
    return list(
        find(
            parsed,
            lambda names: (
                "iteminformation" in names
                or ("sku" in names and bool({"nodes", "shipnodes", "quantity"} & names))
            ),
        )
    )


class _Stock(Gathered):
    frames = ("inventory",)
    shape = NodeStock
    shapes = (NodeStock, FulfilledStock, LegacyStock, SkuStock)
    identity = "sku"

    def add_raw(self, raw: Raw) -> None:
        names = {fold(str(key)) for key in raw} if isinstance(raw, Mapping) else set()
        if "iteminformation" in names:
            self.add_fulfilled(convert(raw, FulfilledStock))
        elif "shipnodes" in names:
            self.add_legacy(convert(raw, LegacyStock))
        elif "nodes" in names:
            self.add(convert(raw, NodeStock))
        else:
            self.add_single(convert(raw, SkuStock))

    def key(self, raw: Any) -> Any:
        inner = member(raw, "itemInformation")
        return super().key(inner if isinstance(inner, Mapping) else raw)

    def add(self, stock: NodeStock) -> None:
        """Rows of one SKU at the seller's ship nodes. Raises FieldError."""
        sku = _sku(stock.sku)
        if stock.nodes is None:
            raise FieldError("nodes", "missing")
        self._take(
            (
                sku,
                None,
                text(node.shipNode) or DEFAULT_NODE,
                _units(node.availToSellQty, "availToSellQty"),
                _units(node.reservedQty, "reservedQty"),
                None,
                _units(node.inputQty, "inputQty"),
                None,
                self.fetched,
            )
            for node in stock.nodes
        )

    def add_single(self, stock: SkuStock) -> None:
        """The row of one SKU at the default ship node: what may be sold."""
        available = _units(stock.quantity, "quantity")
        self._take([(_sku(stock.sku), None, DEFAULT_NODE, available, None, None, None, None, self.fetched)])

    def add_fulfilled(self, stock: FulfilledStock) -> None:
        """The row of one SKU in Walmart's warehouses."""
        data = stock.inventoryData
        if data is None:
            raise FieldError("inventoryData", "missing")
        self._take(
            [
                (
                    _sku(stock.itemInformation.sku),
                    text(stock.itemInformation.itemID),
                    WFS,
                    count(data.availableUnits, "availableUnits"),
                    count(data.reservedUnits, "reservedUnits"),
                    count(data.inboundUnits, "inboundUnits"),
                    count(data.onhandUnits, "onhandUnits"),
                    _unavailable(data.unavailableUnits),
                    self.fetched,
                )
            ]
        )

    def add_legacy(self, stock: LegacyStock) -> None:
        """Rows of one SKU of the legacy answer; several nodes of one type are one place and are added up."""
        sku = _sku(stock.sku)
        places: dict[str, list[LegacyNode]] = {}
        for node in stock.shipNodes or ():
            kind = text(node.shipNodeType, "shipNodeType") or "WFSFulfilled"
            places.setdefault(WFS if kind.lower() == "wfsfulfilled" else kind, []).append(node)
        self._take(
            (
                sku,
                None,
                place,
                _total(nodes, "availToSellQty"),
                None,
                None,
                _total(nodes, "onHandQty"),
                None,
                max((micros(node.modifiedDate, "modifiedDate") or 0 for node in nodes), default=0)
                or self.fetched,
            )
            for place, nodes in places.items()
        )

    def _take(self, rows: Any) -> None:
        """All rows of one record, or none when reading one of them fails."""
        read = [(self.channel, *row) for row in rows]
        self.rows["inventory"] += read
        self.records += 1


def _sku(value: str | int) -> str:
    sku = text(value, "sku")
    if sku is None:
        raise FieldError("sku", "missing")
    return sku


def _units(quantity: Quantity | None, field: str) -> int | None:
    return count(quantity.amount if quantity else None, field)


def _unavailable(value: Decimal | Mapping[str, Any] | None) -> int | None:
    """Damaged, lost and held units: one number, or one per reason."""
    if not isinstance(value, Mapping):
        return count(value, "unavailableUnits")
    known = [
        inner for inner in value.values() if isinstance(inner, int | Decimal) and not isinstance(inner, bool)
    ]
    return count(sum(map(Decimal, known), Decimal(0)), "unavailableUnits") if known else None


def _total(nodes: list[LegacyNode], name: str) -> int | None:
    known = [count(getattr(node, name), name) for node in nodes]
    return sum(units for units in known if units is not None) if any(u is not None for u in known) else None
