"""Walmart stock → inventory, one row per (SKU, place): a ship node of the seller, or "WFS".

Four answers end here: `/v3/inventories` (all ship nodes), `/v3/inventory` (one SKU), `/v3/wfs/inventory` and the
legacy `/v3/fulfillment/inventory`. A SKU in WFS also appears as seller-fulfilled: the place keeps them apart.
Only the legacy answer dates its rows; the others carry the instant of the read.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import Normalized, Rejected
from connectors.walmart.normalize_orders import frame
from connectors.walmart.payload import UNUSUAL, Raw, blame, find, member, parse, refuse, within
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def inventory(page: Page, context: Context) -> Normalized:
    """Stock levels of one page of any of the four answers.

    Raises ProtocolError when the page cannot be parsed at all; one bad record is refused alone.
    """
    rows = _Rows(context)
    raws: list[Raw] | None = None
    try:
        found = _DECODER.decode(page.body).elements.inventories
    except UNUSUAL:
        rows.add_raw(records(page.body))
    else:
        for index, stock in enumerate(found):
            try:
                rows.add_nodes(stock)
            except FieldError as error:
                raws = raws or records(page.body)
                rows.refuse(raws[index], error.field, error.reason)
    return rows.normalized()


def inventory_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Stock levels of decoded records."""
    rows = _Rows(context)
    rows.add_raw(raws)
    return rows.normalized()


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


class _Rows:
    def __init__(self, context: Context) -> None:
        self.channel = context.home.name
        self.fetched = (context.fetched_at - _EPOCH) // timedelta(microseconds=1)
        self.stock: list[tuple[Any, ...]] = []
        self.rejected: list[Rejected] = []
        self.notes: dict[str, None] = {}
        self.records = 0

    def add_raw(self, raws: list[Raw]) -> None:
        for raw in raws:
            names = {fold(str(key)) for key in raw} if isinstance(raw, Mapping) else set()
            try:
                if "iteminformation" in names:
                    self.add_fulfilled(convert(raw, FulfilledStock))
                elif "shipnodes" in names:
                    self.add_legacy(convert(raw, LegacyStock))
                elif "nodes" in names:
                    self.add_nodes(convert(raw, NodeStock))
                else:
                    self.add_single(convert(raw, SkuStock))
            except msgspec.ValidationError as error:
                self.refuse(raw, *blame(error))
            except FieldError as error:
                self.refuse(raw, error.field, error.reason)

    def refuse(self, raw: Raw, field_name: str, reason: str) -> None:
        self.records += 1
        inner = member(raw, "itemInformation")
        sku = member(inner if isinstance(inner, Mapping) else raw, "sku")
        self.rejected.append(refuse(raw, sku, field_name, reason))

    def add_nodes(self, stock: NodeStock) -> None:
        """Rows of one SKU at the seller's ship nodes. Raises FieldError."""
        sku = _sku(stock.sku)
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
            for node in stock.nodes or ()
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
        self.stock += read
        self.records += 1

    def normalized(self) -> Normalized:
        return Normalized(
            frames={"inventory": frame("inventory", self.stock)},
            rejected=tuple(self.rejected),
            notes=tuple(self.notes),
            records=self.records,
        )


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
