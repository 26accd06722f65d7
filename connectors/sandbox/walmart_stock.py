"""Items and stock of the sandbox: cursors that die, cursors that may be used once, offsets for Walmart's warehouses."""

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from connectors.sandbox.faults import bend
from connectors.sandbox.state import SandboxState
from connectors.sandbox.walmart_gate import ApiError, Ask, iso
from connectors.sandbox.world import Product, Stock

ITEM_CURSOR_SECONDS = 120
SHORTEST_CURSOR_SECONDS = 5.0  # the pace quickens limits, not the machine that has to ask within them
_SESSIONS = 64


@dataclass
class _Session:
    """A list being read: what is left is decided when it begins, so stock that moves does not shift pages."""

    records: list[Any]
    position: int = 0
    ends: float = 0.0
    cursor: str = field(default_factory=lambda: secrets.token_urlsafe(48))


class Shelves:
    """The item and stock endpoints over one running sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._items: dict[str, _Session] = {}
        self._stock: dict[str, _Session] = {}

    def items(self, ask: Ask) -> Response:
        """`GET /v3/items`: the cursor stays the same during a session and dies two minutes after its last use."""
        limit = ask.whole("limit", 20, 50)
        cursor = ask.param("nextCursor")
        with self._lock:
            if cursor is None or cursor == "*":
                session = _Session(self._item_records(ask))
                if cursor is None:
                    session.position = ask.whole("offset", 0, 10_000, 0)
                _remember(self._items, session)
            elif cursor in self._items and self._items[cursor].ends > time.monotonic():
                session = self._items[cursor]
            else:
                raise ApiError(
                    400, "INVALID_REQUEST_PARAM.GMP_ITEM_QUERY_API", "Invalid Cursor", "nextCursor"
                )
            start = 0 if ask.fault is not None and ask.fault.kind == "repeat" else session.position
            page = session.records[start : start + limit]
            session.position = start + limit
            session.ends = time.monotonic() + max(
                ITEM_CURSOR_SECONDS / self._state.pace, SHORTEST_CURSOR_SECONDS
            )
        if not session.records:
            raise ApiError(404, "CONTENT_NOT_FOUND.GMP_ITEM_QUERY_API", "No item found", "status")
        answer: dict[str, Any] = {"ItemResponse": bend(page, ask.fault), "totalItems": len(session.records)}
        if start + limit < len(session.records):
            answer["nextCursor"] = session.cursor
        return ask.answer(answer, "ItemResponses")

    def _item_records(self, ask: Ask) -> list[dict[str, Any]]:
        market = next(iter(self._state.markets("walmart")), None)
        if market is None:
            return []
        sku = ask.param("sku")
        return [
            item_record(product, market.currency)
            for product in self._state.world.products(market.channel, ask.now)
            if sku is None or product.sku == sku
        ]

    def inventories(self, ask: Ask) -> Response:
        """`GET /v3/inventories`: strictly one page after another; a cursor that was used already is not found."""
        limit = ask.whole("limit", 10, 50)
        cursor = ask.param("nextCursor")
        with self._lock:
            if cursor is None:
                session = _Session(_by_sku([level for level in self._levels(ask) if level.location != "WFS"]))
            else:
                found = self._stock.pop(cursor, None)
                if found is None:
                    raise ApiError(
                        404, "CONTENT_NOT_FOUND.GMP_INVENTORY_API", "Resource not found", "nextCursor"
                    )
                session = found
            repeated = ask.fault is not None and ask.fault.kind == "repeat"
            start = 0 if repeated else session.position
            page = session.records[start : start + limit]
            follows = start + limit < len(session.records)
            if follows:
                following = _Session(session.records, start + limit)
                _remember(self._stock, following)
        if not session.records:
            raise ApiError(404, "CONTENT_NOT_FOUND.GMP_INVENTORY_API", "Resource not found", "sku")
        meta: dict[str, Any] = {"totalCount": len(session.records)}
        if follows:
            meta["nextCursor"] = following.cursor
        records = [_node_record(sku, levels) for sku, levels in page]
        if ask.fault is not None and ask.fault.kind == "empty":
            for record in records:
                for node in record["nodes"]:
                    node.update(inputQty=_each(0), availToSellQty=_each(0), reservedQty=_each(0))
        else:
            records = bend(records, ask.fault)
        return ask.answer({"meta": meta, "elements": {"inventories": records}}, "inventories")

    def inventory(self, ask: Ask) -> Response:
        """`GET /v3/inventory?sku=`: one SKU at the default ship node."""
        sku = ask.param("sku")
        if sku is None:
            raise ApiError(400, "INVALID_REQUEST_PARAM.GMP_INVENTORY_API", "sku is required", "sku")
        level = next((s for s in self._levels(ask) if s.sku == sku and s.location != "WFS"), None)
        if level is None:
            raise ApiError(404, "CONTENT_NOT_FOUND.GMP_INVENTORY_API", "SKU not found", "sku")
        return ask.answer({"sku": sku, "quantity": _each(level.available)}, "inventory")

    def fulfilled(self, ask: Ask) -> Response:
        """`GET /v3/wfs/inventory`: by offset; refused to sellers who are not in the programme."""
        limit, offset = ask.whole("limit", 10, 300), ask.whole("offset", 0, 10**9, 0)
        levels = self._fulfilled_levels(ask)
        titles = {product.sku: product for product in self._products(ask)}
        page = bend(
            [_wfs_record(level, titles.get(level.sku)) for level in levels[offset : offset + limit]],
            ask.fault,
        )
        headers = {"totalCount": len(levels), "limit": limit, "offset": offset}
        return ask.answer({"headers": headers, "payload": {"inventory": page}}, "inventory")

    def legacy(self, ask: Ask) -> Response:
        """`GET /v3/fulfillment/inventory`: the older answer about the same warehouses."""
        limit, offset = ask.whole("limit", 10, 300), ask.whole("offset", 0, 10**9, 0)
        levels = self._fulfilled_levels(ask)
        since, until = ask.instant("fromModifiedDate"), ask.instant("toModifiedDate")
        levels = [
            level
            for level in levels
            if (since is None or level.updated_at >= since) and (until is None or level.updated_at < until)
        ]
        page = bend([_legacy_record(level) for level in levels[offset : offset + limit]], ask.fault)
        headers = {"totalCount": len(levels), "limit": limit, "offset": offset}
        return ask.answer({"headers": headers, "payload": {"inventory": page}}, "inventory")

    def _fulfilled_levels(self, ask: Ask) -> list[Stock]:
        levels = [level for level in self._levels(ask) if level.location == "WFS"]
        if not levels:
            raise ApiError(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Program Eligibility is not enabled", "data")
        return levels

    def _levels(self, ask: Ask) -> list[Stock]:
        market = next(iter(self._state.markets("walmart")), None)
        return list(self._state.world.stock(market.channel, ask.now)) if market else []

    def _products(self, ask: Ask) -> list[Product]:
        market = next(iter(self._state.markets("walmart")), None)
        return list(self._state.world.products(market.channel, ask.now)) if market else []


def _remember(sessions: dict[str, _Session], session: _Session) -> None:
    sessions[session.cursor] = session
    while len(sessions) > _SESSIONS:
        sessions.pop(next(iter(sessions)))


def item_record(product: Product, currency: str) -> dict[str, Any]:
    """A listed product in the API's shape: no brand, cost, item id or updated-at."""
    shelf = ["Home Page", product.category]
    return {
        "mart": "WALMART_US",
        "sku": product.sku,
        "condition": "New",
        "wpid": f"0SBX{product.number:08d}",
        "upc": product.barcode,
        "gtin": product.barcode.zfill(14) if product.barcode else "",
        "productName": product.title,
        "shelf": "[" + ",".join(f'"{level}"' for level in shelf) + "]",
        "productType": product.category,
        "price": {"currency": currency, "amount": float(product.price)},
        "publishedStatus": "PUBLISHED" if product.is_active else "UNPUBLISHED",
        "lifecycleStatus": "ACTIVE" if product.is_active else "ARCHIVED",
    }


def _by_sku(levels: list[Stock]) -> list[tuple[str, list[Stock]]]:
    grouped: dict[str, list[Stock]] = {}
    for level in levels:
        grouped.setdefault(level.sku, []).append(level)
    return sorted(grouped.items())


def _node_record(sku: str, levels: list[Stock]) -> dict[str, Any]:
    return {
        "sku": sku,
        "nodes": [
            {
                "shipNode": level.location,
                "inputQty": _each(level.on_hand),
                "availToSellQty": _each(level.available),
                "reservedQty": _each(level.reserved),
            }
            for level in levels
        ],
    }


def _each(amount: int) -> dict[str, Any]:
    return {"unit": "EACH", "amount": amount}


def _wfs_record(level: Stock, product: Product | None) -> dict[str, Any]:
    return {
        "itemInformation": {
            "sku": level.sku,
            "itemID": str(500_000_000 + level.product_number),
            "gtin": product.barcode.zfill(14) if product else "",
            "brand": product.brand if product else None,
            "itemName": product.title if product else None,
        },
        "inventoryData": {
            "availableUnits": level.available,
            "onhandUnits": level.on_hand,
            "reservedUnits": level.reserved,
            "inboundUnits": level.inbound,
            "unavailableUnits": {"damagedUnits": 0, "lostUnits": 0},
        },
    }


def _legacy_record(level: Stock) -> dict[str, Any]:
    node = {
        "modifiedDate": iso(level.updated_at),
        "availToSellQty": level.available,
        "onHandQty": level.on_hand,
        "shipNodeType": "WFSFulfilled",
    }
    return {"sku": level.sku, "shipNodes": [node]}
