"""FBA inventory, listings and catalog of the sandbox."""

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.sandbox.amazon_gate import (
    ApiError,
    Ask,
    amount,
    invalid,
    iso,
    page_token,
    read_token,
)
from connectors.sandbox.amazon_orders import asin
from connectors.sandbox.faults import bend
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import Market, Product, Stock

FBA_PAGE = 50
FBA_TOKEN_LIFE = 30  # seconds
FBA_REACH = timedelta(days=548)
REACH = 1000  # listings one search can page through
_DATA_SETS = [
    "summaries", "attributes", "issues", "offers", "fulfillmentAvailability", "procurement", "relationships",
    "productTypes",
]  # fmt: skip
_CATALOG_SETS = [
    "attributes", "classifications", "dimensions", "identifiers", "images", "productTypes", "relationships",
    "salesRanks", "summaries", "vendorDetails",
]  # fmt: skip
_FIRST_LISTED = datetime(2005, 1, 1, tzinfo=UTC)  # before any order a file may replay


class FbaInventory:
    """`/fba/inventory/v1/summaries`; page tokens live thirty seconds."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._next: dict[str, tuple[str, int]] = {}
        self._lock = threading.Lock()

    def summaries(self, ask: Ask) -> dict[str, Any]:
        if ask.param("granularityType") != "Marketplace":
            raise invalid("granularityType must be Marketplace.")
        place = ask.param("granularityId")
        if place is None or ask.listed("marketplaceIds", 1) != [place]:
            raise invalid("granularityId and marketplaceIds must name the same marketplace.")
        market = ask.markets(most=1, required=True)[0]
        changed = ask.instant("startDateTime")
        if changed is not None and changed < ask.now - FBA_REACH:
            raise invalid("startDateTime lies more than 18 months back.")
        skus = ask.listed("sellerSkus", 50)
        fingerprint = ask.fingerprint(["nextToken"])
        start = self._start(ask, fingerprint)
        stock = [
            level
            for level in ask.state.world.stock(market.channel, ask.now)
            if level.location == "FBA" and (not skus or level.sku in skus)
        ]
        if changed is not None:
            stock = [level for level in stock if level.updated_at >= changed]
        if ask.fault is not None and ask.fault.kind == "repeat":
            start = 0
        chosen = stock[start : start + FBA_PAGE]
        details = ask.param("details") == "true"
        zero = ask.fault is not None and ask.fault.kind == "empty"
        records = [_summary(level, details=details, zero=zero) for level in chosen]
        answer: dict[str, Any] = {
            "payload": {
                "granularity": {"granularityType": "Marketplace", "granularityId": place},
                "inventorySummaries": records if zero else bend(records, ask.fault),
            }
        }
        if start + FBA_PAGE < len(stock):
            # However fast the limits run, a client gets two real seconds for its next request.
            lifetime = max(FBA_TOKEN_LIFE, 2 * self._state.pace)
            token = self._state.tokens.issue("amazon-fba-page", lifetime)
            with self._lock:
                self._next[token] = (fingerprint, start + FBA_PAGE)
            answer["pagination"] = {"nextToken": token}
        return answer

    def _start(self, ask: Ask, fingerprint: str) -> int:
        token = ask.param("nextToken")
        if token is None:
            return 0
        if not self._state.tokens.valid(token, "amazon-fba-page"):
            raise invalid("nextToken: the token has expired.")
        query, start = self._next[token]
        if query != fingerprint:
            raise invalid("nextToken: all parameters must be those of the request that gave the token.")
        return start


def _summary(level: Stock, *, details: bool, zero: bool) -> dict[str, Any]:
    on_hand, reserved, inbound = (0, 0, 0) if zero else (level.on_hand, level.reserved, level.inbound)
    identity = asin(level.product_number)
    record: dict[str, Any] = {
        "asin": identity,
        "fnSku": f"X00{identity[-7:]}",
        "sellerSku": level.sku,
        "condition": "NewItem",
        "lastUpdatedTime": iso(level.updated_at) if level.on_hand or level.inbound else "",
        "productName": level.sku,
        "totalQuantity": on_hand + inbound,
    }
    if details:
        record["inventoryDetails"] = {
            "fulfillableQuantity": on_hand - reserved,
            "inboundWorkingQuantity": 0,
            "inboundShippedQuantity": inbound,
            "inboundReceivingQuantity": 0,
            "reservedQuantity": {
                "totalReservedQuantity": reserved,
                "pendingCustomerOrderQuantity": reserved,
                "pendingTransshipmentQuantity": 0,
                "fcProcessingQuantity": 0,
            },
            "researchingQuantity": {"totalResearchingQuantity": 0, "researchingQuantityBreakdown": []},
            "unfulfillableQuantity": {"totalUnfulfillableQuantity": 0},
        }
    return record


def listings(ask: Ask) -> dict[str, Any]:
    """`GET /listings/2021-08-01/items/{sellerId}`."""
    if ask.request.path_params["seller_id"] != ask.state.secrets.amazon_seller_id:
        raise ApiError(403, "Unauthorized", "Access to requested resource is denied.")
    market = ask.markets(most=1, required=True)[0]
    size = ask.whole("pageSize", 10, 20)
    included = ask.listed("includedData", 20, _DATA_SETS) or ["summaries"]
    found = _matching(ask, market)
    fingerprint = ask.fingerprint(["pageToken"])
    start = 0
    if (given := ask.param("pageToken")) is not None:
        token = read_token(given, "pageToken")
        if token.get("query") != fingerprint:
            raise invalid("pageToken: all parameters must be those of the request that gave the token.")
        start = int(token["start"])
    if ask.fault is not None and ask.fault.kind == "repeat":
        start = 0
    stock = {(s.sku, s.location): s for s in ask.state.world.stock(market.channel, ask.now)}
    records = [_listing(product, market, stock, included) for product in found[start : start + size]]
    answer: dict[str, Any] = {"numberOfResults": len(found), "items": bend(records, ask.fault)}
    if start + size < min(len(found), REACH):
        answer["pagination"] = {"nextToken": page_token(start=start + size, query=fingerprint)}
    return answer


def _matching(ask: Ask, market: Market) -> list[Product]:
    created = ask.instant("createdAfter"), ask.instant("createdBefore")
    updated = ask.instant("lastUpdatedAfter"), ask.instant("lastUpdatedBefore")
    statuses = ask.listed("withStatus", 2, ["BUYABLE", "DISCOVERABLE"])
    kind, wanted = ask.param("identifiersType"), ask.listed("identifiers", 20)
    if (kind is None) != (not wanted):
        raise invalid("identifiers and identifiersType go together.")
    if kind not in {None, "SKU", "ASIN"}:
        raise invalid("identifiersType: the sandbox knows SKU and ASIN.")
    if ask.param("sortBy") not in {None, "sku", "createdDate", "lastUpdatedDate"}:
        raise invalid("sortBy: unknown value")
    found = []
    for product in ask.state.world.products(market.channel, ask.now):
        named = product.sku if kind == "SKU" else asin(product.number)
        if (
            _within(_listed_at(product), *created)
            and _within(product.updated_at, *updated)
            and (not statuses or product.is_active)
            and (not wanted or named in wanted)
        ):
            found.append(product)
    return sorted(found, key=lambda product: product.sku)


def _within(at: datetime, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or at >= after) and (before is None or at <= before)


def _listed_at(product: Product) -> datetime:
    return _FIRST_LISTED + timedelta(hours=product.number)


def _listing(
    product: Product, market: Market, stock: dict[tuple[str, str], Stock], included: list[str]
) -> dict[str, Any]:
    record: dict[str, Any] = {"sku": product.sku}
    if "summaries" in included:
        record["summaries"] = [
            {
                "marketplaceId": market.external_id,
                "asin": asin(product.number),
                "productType": _product_type(product.category),
                "conditionType": "new_new",
                "status": ["BUYABLE", "DISCOVERABLE"] if product.is_active else [],
                "itemName": product.title,
                "createdDate": iso(_listed_at(product)),
                "lastUpdatedDate": iso(product.updated_at),
            }
        ]
    if "offers" in included:
        record["offers"] = [
            {
                "marketplaceId": market.external_id,
                "offerType": "B2C",
                "price": amount(product.price, market.currency),
            }
        ]
    if "fulfillmentAvailability" in included:
        region = MARKETPLACES[market.external_id].region
        own = stock.get((product.sku, "MFN"))
        record["fulfillmentAvailability"] = [
            {"fulfillmentChannelCode": "DEFAULT", "quantity": max(own.available, 0)}
            if own is not None
            else {"fulfillmentChannelCode": f"AMAZON_{region}"}
        ]
    return record


def _product_type(category: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", category.upper()).strip("_") or "PRODUCT"


def catalog(ask: Ask) -> dict[str, Any]:
    """`GET /catalog/2022-04-01/items` by ASIN."""
    wanted = ask.listed("identifiers", 20)
    if not wanted or ask.param("identifiersType") != "ASIN":
        raise invalid("The sandbox's catalog is searched by identifiers of the type ASIN.")
    market = ask.markets(most=1, required=True)[0]
    size = ask.whole("pageSize", 10, 20)
    included = ask.listed("includedData", 20, _CATALOG_SETS) or ["summaries"]
    by_asin = {asin(p.number): p for p in ask.state.world.products(market.channel, ask.now)}
    found = [by_asin[identity] for identity in wanted if identity in by_asin][:size]
    records = [_catalog_item(product, market, included) for product in found]
    return {"numberOfResults": len(found), "items": bend(records, ask.fault)}


def _catalog_item(product: Product, market: Market, included: list[str]) -> dict[str, Any]:
    place = market.external_id
    record: dict[str, Any] = {"asin": asin(product.number)}
    if "summaries" in included:
        record["summaries"] = [{"marketplaceId": place, "brand": product.brand, "itemName": product.title}]
    if "classifications" in included:
        leaf: dict[str, Any] | None = None
        for name in product.category.split(" > "):
            leaf = {"displayName": name, "classificationId": str(abs(hash(name)) % 10**10)} | (
                {"parent": leaf} if leaf else {}
            )
        record["classifications"] = [{"marketplaceId": place, "classifications": [leaf]}]
    if "identifiers" in included:
        codes = [{"identifierType": "EAN", "identifier": product.barcode}] if product.barcode else []
        record["identifiers"] = [{"marketplaceId": place, "identifiers": codes}]
    return record
