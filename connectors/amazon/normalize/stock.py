"""Stock to frame `inventory`: FBA summaries, merchant stock of listings, and the FBA stock report.

Grain: (channel, SKU, location). Amazon's own stock of a marketplace is the location "FBA:<marketplace id>",
the merchant's is "MFN". In Europe the same units may be offered in several marketplaces: do not add them up.
Sources: models fbaInventory_v1 and listingsItems_2021-08-01; report GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import polars as pl

from connectors.amazon.normalize.decoding import Decoded, keyed, page, page_decoder
from connectors.amazon.normalize.flat_file import read_lines
from connectors.amazon.normalize.values import (
    BadValueError,
    Channels,
    Notes,
    Rows,
    instant,
    key,
    plus,
    rejected,
    signed_units,
    text,
)
from connectors.base import Channel, Context
from connectors.canonical import Normalized, Rejected
from connectors.errors import ProtocolError

MERCHANT_CHANNELS = {"DEFAULT", "MFN", "MERCHANT"}


class _Reserved(msgspec.Struct):
    totalReservedQuantity: Any = None


class _Researching(msgspec.Struct):
    totalResearchingQuantity: Any = None


class _Unfulfillable(msgspec.Struct):
    totalUnfulfillableQuantity: Any = None


class _Details(msgspec.Struct):
    fulfillableQuantity: Any = None
    inboundWorkingQuantity: Any = None
    inboundShippedQuantity: Any = None
    inboundReceivingQuantity: Any = None
    reservedQuantity: _Reserved | None = None
    researchingQuantity: _Researching | None = None
    unfulfillableQuantity: _Unfulfillable | None = None


class Summary(msgspec.Struct):
    """Stock of one SKU in Amazon's network. The model requires nothing; without a SKU it is no stock of ours."""

    sellerSku: str | int
    asin: str | None = None
    fnSku: str | None = None
    totalQuantity: Any = None
    lastUpdatedTime: Any = None
    inventoryDetails: _Details | None = None


class _Granularity(msgspec.Struct):
    granularityId: str | None = None


class _Payload(msgspec.Struct):
    inventorySummaries: list[Summary]
    granularity: _Granularity | None = None


class _Page(msgspec.Struct):
    payload: _Payload


_decoder = page_decoder(_Page)
_NOTHING = _Details()


def fba_summaries(body: bytes, context: Context) -> Normalized:
    """Frames of one answer of getInventorySummaries."""
    place: list[str | None] = [None]

    def typed(raw: bytes) -> list[Summary]:
        payload = _decoder.decode(raw).payload
        place[0] = payload.granularity.granularityId if payload.granularity else None
        return payload.inventorySummaries

    def plain(answer: Any) -> list[Any] | None:
        payload = answer.get("payload", answer) if isinstance(answer, dict) else None
        if not isinstance(payload, dict):
            return None
        granularity = payload.get("granularity")
        place[0] = text(granularity.get("granularityId")) if isinstance(granularity, dict) else None
        found = payload.get("inventorySummaries")
        return found if isinstance(found, list) else None

    decoded = page(
        body,
        decode=typed,
        kind=Summary,
        records_of=plain,
        key_of=keyed("sellerSku", "fnSku", "asin"),
        what="FBA inventory",
    )
    return summary_frames(decoded, place[0], context)


def summary_frames(decoded: Decoded[Summary], marketplace: str | None, context: Context) -> Normalized:
    """Frames of typed summaries of one marketplace (None: the account's first)."""
    notes = Notes()
    place = marketplace or context.home.external_id
    channel = Channels(context, notes).name(place)
    bad: list[Rejected] = list(decoded.rejected)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for position, summary in enumerate(decoded.records):
        try:
            row = _fba_row(summary, channel, f"FBA:{place}")
        except BadValueError as error:
            sku = text(summary.sellerSku) or "(unknown)"
            bad.append(rejected(sku, error, decoded.original(position)))
            continue
        rows[row["sku"], str(summary.fnSku)] = row
    return Normalized({"inventory": _frame(rows, notes)}, tuple(bad), notes.all(), decoded.seen)


def _frame(rows: dict[tuple[str, str], dict[str, Any]], notes: Notes) -> Any:
    """One row per SKU and location; a SKU with stock under two Amazon labels (conditions) has their sum."""
    merged: dict[str, dict[str, Any]] = {}
    for (sku, _), row in rows.items():
        known = merged.setdefault(sku, row)
        if known is not row:
            notes.once("a SKU has stock under several fnSkus; they are added up", sku)
            for name in ("available", "reserved", "inbound", "on_hand", "unavailable"):
                known[f"quantity_{name}"] = plus(known[f"quantity_{name}"], row[f"quantity_{name}"])
    table = Rows("inventory")
    table.extend(list(merged.values()))
    return table.frame()


def _fba_row(summary: Summary, channel: str, location: str) -> dict[str, Any]:
    details = summary.inventoryDetails or _NOTHING

    def count(value: Any, name: str) -> int | None:
        return signed_units(value, f"inventoryDetails.{name}")

    inbound = plus(
        count(details.inboundWorkingQuantity, "inboundWorkingQuantity"),
        count(details.inboundShippedQuantity, "inboundShippedQuantity"),
        count(details.inboundReceivingQuantity, "inboundReceivingQuantity"),
    )
    reserved = details.reservedQuantity.totalReservedQuantity if details.reservedQuantity else None
    broken = (
        details.unfulfillableQuantity.totalUnfulfillableQuantity if details.unfulfillableQuantity else None
    )
    sought = details.researchingQuantity.totalResearchingQuantity if details.researchingQuantity else None
    total = signed_units(summary.totalQuantity, "totalQuantity")
    return {
        "channel": channel,
        "sku": key(summary.sellerSku, "sellerSku"),
        "external_id": text(summary.asin),
        "warehouse_location": location,
        "quantity_available": count(details.fulfillableQuantity, "fulfillableQuantity"),
        "quantity_reserved": count(reserved, "reservedQuantity.totalReservedQuantity"),
        "quantity_inbound": inbound,
        # Amazon's total is what lies in its centres and what is on the way there.
        "quantity_on_hand": None if total is None or inbound is None else total - inbound,
        "quantity_unavailable": plus(
            count(broken, "unfulfillableQuantity.totalUnfulfillableQuantity"),
            count(sought, "researchingQuantity.totalResearchingQuantity"),
        ),
        "source_updated_at": instant(summary.lastUpdatedTime, "lastUpdatedTime"),
    }


# -- the merchant's own stock ------------------------------------------------------------------------------


class _Availability(msgspec.Struct):
    fulfillmentChannelCode: str | None = None
    quantity: Any = None


class _ListingSummary(msgspec.Struct):
    marketplaceId: str | None = None
    asin: str | None = None


class Listing(msgspec.Struct):
    """What a listing says about the merchant's stock."""

    sku: str | int
    summaries: list[_ListingSummary] | None = None
    fulfillmentAvailability: list[_Availability] | None = None


class _Listings(msgspec.Struct):
    items: list[Listing]


_listings_decoder = page_decoder(_Listings)


def merchant_stock(body: bytes, context: Context) -> Normalized:
    """Frame of one answer of searchListingsItems: a row per SKU that the merchant ships himself."""
    decoded = page(
        body,
        decode=lambda raw: _listings_decoder.decode(raw).items,
        kind=Listing,
        records_of=lambda answer: answer.get("items") if isinstance(answer, dict) else None,
        key_of=keyed("sku"),
        what="searchListingsItems",
    )
    return listing_frames(decoded, context)


def listing_frames(decoded: Decoded[Listing], context: Context) -> Normalized:
    """Frame of typed listings."""
    notes = Notes()
    channels = Channels(context, notes)
    bad = list(decoded.rejected)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for position, listing in enumerate(decoded.records):
        try:
            for row in _merchant_rows(listing, channels):
                rows[row["sku"], row["channel"]] = row
        except BadValueError as error:
            bad.append(rejected(text(listing.sku) or "(unknown)", error, decoded.original(position)))
    table = Rows("inventory")
    table.extend(list(rows.values()))
    return Normalized({"inventory": table.frame()}, tuple(bad), notes.all(), decoded.seen)


def _merchant_rows(listing: Listing, channels: Channels) -> Iterable[dict[str, Any]]:
    sku = key(listing.sku, "sku")
    for stock in listing.fulfillmentAvailability or ():
        if (stock.fulfillmentChannelCode or "").upper() not in MERCHANT_CHANNELS:
            continue  # Amazon's own network: its summaries know better
        quantity = signed_units(stock.quantity, "fulfillmentAvailability.quantity")
        if quantity is None:
            continue
        for place in listing.summaries or [_ListingSummary()]:
            yield {
                "channel": channels.name(place.marketplaceId),
                "sku": sku,
                "external_id": text(place.asin),
                "warehouse_location": "MFN",
                "quantity_available": quantity,
                "quantity_reserved": None,
                "quantity_inbound": None,
                "quantity_on_hand": quantity,
                "quantity_unavailable": None,
                "source_updated_at": None,  # a listing's date is of its texts, not of its stock
            }


# -- the stock report --------------------------------------------------------------------------------------

_READ = {
    "sku", "seller-sku", "asin", "asin1", "quantity", "quantity-available", "fulfillment-channel",
    "warehouse-condition-code", "afn-listing-exists", "afn-fulfillable-quantity", "afn-reserved-quantity",
    "afn-warehouse-quantity", "afn-unsellable-quantity", "afn-researching-quantity",
    "afn-inbound-working-quantity", "afn-inbound-shipped-quantity", "afn-inbound-receiving-quantity",
    "mfn-fulfillable-quantity",
}  # fmt: skip


def stock_report(body: bytes, charset: str, context: Context) -> Normalized:
    """Frame of GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA (columns afn-… and mfn-…), or of one of the shorter reports."""
    notes = Notes()
    channel = context.home
    rows, bad, seen = Rows("inventory"), [], 0
    lines = read_lines(body, charset, "stock report", _READ)
    if "seller-sku" in lines.columns:
        return _short_report(lines.to_dicts(), channel)
    if "sku" in lines.columns and "quantity" in lines.columns:  # GET_FLAT_FILE_OPEN_LISTINGS_DATA
        offers = lines.rename({"sku": "seller-sku"}).with_columns(
            pl.lit("DEFAULT").alias("fulfillment-channel")
        )
        return _short_report(offers.to_dicts(), channel)
    if lines.columns and "afn-fulfillable-quantity" not in lines.columns:
        raise ProtocolError("amazon stock report: no column afn-fulfillable-quantity; its header has changed")
    for line in lines.iter_rows(named=True):
        seen += 1

        def count(name: str, line: dict[str, Any] = line) -> int | None:
            return signed_units(line.get(name), name)

        try:
            sku = key(line.get("sku"), "sku")
            shared = {
                "channel": channel.name,
                "sku": sku,
                "external_id": line.get("asin"),
                "source_updated_at": None,
            }
            inbound = plus(
                *(count(f"afn-inbound-{step}-quantity") for step in ("working", "shipped", "receiving"))
            )
            if (line.get("afn-listing-exists") or "Yes") != "No":
                rows.extend(
                    [
                        shared
                        | {
                            "warehouse_location": f"FBA:{channel.external_id}",
                            "quantity_available": count("afn-fulfillable-quantity"),
                            "quantity_reserved": count("afn-reserved-quantity"),
                            "quantity_inbound": inbound,
                            "quantity_on_hand": count("afn-warehouse-quantity"),
                            "quantity_unavailable": plus(
                                count("afn-unsellable-quantity"), count("afn-researching-quantity")
                            ),
                        }
                    ]
                )
            own = count("mfn-fulfillable-quantity")
            if own is not None:
                rows.extend(
                    [
                        shared
                        | {
                            "warehouse_location": "MFN",
                            "quantity_available": own,
                            "quantity_reserved": None,
                            "quantity_inbound": None,
                            "quantity_on_hand": own,
                            "quantity_unavailable": None,
                        }
                    ]
                )
        except BadValueError as error:
            bad.append(rejected(line.get("sku") or "(unknown)", error, line))
    return Normalized({"inventory": rows.frame()}, tuple(bad), notes.all(), seen)


def _short_report(lines: list[dict[str, Any]], channel: Channel) -> Normalized:
    """GET_AFN_INVENTORY_DATA (a line per SKU and condition), or the merchant's own stock in a listings report."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    bad: list[Rejected] = []
    for line in lines:
        try:
            quantity = signed_units(line.get("quantity-available") or line.get("quantity"), "quantity")
            amazon = "warehouse-condition-code" in line
            if quantity is None or not (
                amazon or (line.get("fulfillment-channel") or "") in MERCHANT_CHANNELS
            ):
                continue  # a listing that Amazon fulfils: its own report knows better
            sku = key(line.get("seller-sku"), "seller-sku")
            place = f"FBA:{channel.external_id}" if amazon else "MFN"
            row = found.setdefault(
                (sku, place),
                {
                    "channel": channel.name,
                    "sku": sku,
                    "external_id": line.get("asin") or line.get("asin1"),
                    "warehouse_location": place,
                    "quantity_available": 0,
                    "quantity_reserved": None,
                    "quantity_inbound": None,
                    "quantity_on_hand": None,
                    "quantity_unavailable": None,
                    "source_updated_at": None,
                },
            )
            sellable = (line.get("warehouse-condition-code") or "SELLABLE").upper() == "SELLABLE"
            column = "quantity_available" if sellable else "quantity_unavailable"
            row[column] = plus(row[column], quantity)
        except BadValueError as error:
            bad.append(rejected(line.get("seller-sku") or "(unknown)", error, line))
    rows = Rows("inventory")
    rows.extend(list(found.values()))
    return Normalized({"inventory": rows.frame()}, tuple(bad), (), len(lines))
