"""Listings to frame `products`: one row per SKU and marketplace it is listed in.

A page of the connector holds an answer of searchListingsItems and, where it was asked for, the catalog's
answer about the same ASINs (brand, category, barcode). Several SKUs may share one ASIN (own and Amazon's
fulfilment): the first of a read has the ASIN as its `external_id`, every further one "<ASIN>/<SKU>", so that no
listing takes another's place. A page says which SKU the earlier pages gave its ASINs to (`owners`).
Sources: models listingsItems_2021-08-01, catalogItems_2022-04-01; report GET_MERCHANT_LISTINGS_ALL_DATA.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from connectors.amazon.normalize.decoding import Decoded, keyed, page, page_decoder, storable, untyped
from connectors.amazon.normalize.flat_file import read_lines
from connectors.amazon.normalize.values import (
    BadValueError,
    Channels,
    Notes,
    Rows,
    instant,
    key,
    money,
    rejected,
    text,
)
from connectors.base import Context
from connectors.canonical import Normalized
from connectors.errors import ProtocolError


class _Money(msgspec.Struct):
    amount: Any = None
    currencyCode: str | None = None


class _Summary(msgspec.Struct):
    marketplaceId: str
    asin: str | None = None
    productType: str | None = None
    status: list[str] | None = None
    itemName: str | None = None
    lastUpdatedDate: Any = None


class _Offer(msgspec.Struct):
    marketplaceId: str | None = None
    offerType: str | None = None
    price: _Money | None = None


class Listing(msgspec.Struct):
    """A listing of the merchant. Required is what the model requires, and nothing else."""

    sku: str | int
    summaries: list[_Summary] | None = None
    offers: list[_Offer] | None = None
    attributes: dict[str, Any] | None = None


class _Class(msgspec.Struct):
    displayName: str | None = None
    parent: "_Class | None" = None


class _Classes(msgspec.Struct):
    marketplaceId: str | None = None
    classifications: list[_Class] | None = None


class _CatalogSummary(msgspec.Struct):
    marketplaceId: str | None = None
    brand: str | None = None
    brandName: str | None = None  # 2020-12-01
    itemName: str | None = None
    browseClassification: _Class | None = None


class _Identifier(msgspec.Struct):
    identifierType: str | None = None
    type: str | None = None  # 2020-12-01, in small letters
    identifier: str | int | None = None


class _Identifiers(msgspec.Struct):
    marketplaceId: str | None = None
    identifiers: list[_Identifier] | None = None


class CatalogItem(msgspec.Struct):
    """What Amazon's catalog knows of an ASIN."""

    asin: str
    summaries: list[_CatalogSummary] | None = None
    classifications: list[_Classes] | None = None
    identifiers: list[_Identifiers] | None = None
    attributes: dict[str, Any] | None = None


class _Answer(msgspec.Struct):
    items: list[Listing]


class _CatalogAnswer(msgspec.Struct):
    items: list[CatalogItem] = []


class Composed(msgspec.Struct):
    """A page of the connector: both answers as they came, and the marketplace they were asked for."""

    marketplaceId: str
    listings: msgspec.Raw
    catalog: msgspec.Raw = msgspec.Raw(b"null")
    owners: dict[str, str] = {}  # ASIN: the SKU that has it as its external id


_composed = msgspec.json.Decoder(Composed)
_listings = page_decoder(_Answer)
_catalog = page_decoder(_CatalogAnswer)


def composed_page(body: bytes, context: Context) -> Normalized:
    """Frame of a page of the connector."""
    try:
        parts = _composed.decode(body)
    except msgspec.MsgspecError:
        # One of the two is not strict JSON: made strict, its bad record is found and its neighbours load.
        plain = untyped(body, "listings")
        try:
            parts = _composed.decode(msgspec.json.encode(storable(plain)))
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"amazon listings: the page is not one of ours: {error}") from error
    decoded = listings_of(bytes(parts.listings))
    catalog = bytes(parts.catalog)
    known = [] if catalog == b"null" else catalog_of(catalog).records
    return product_frames(decoded, known, context, asked_for=parts.marketplaceId, owners=parts.owners)


def listings_of(body: bytes) -> Decoded[Listing]:
    """Typed listings of an answer of searchListingsItems."""
    return page(
        body,
        decode=lambda raw: _listings.decode(raw).items,
        kind=Listing,
        records_of=_items,
        key_of=keyed("sku"),
        what="searchListingsItems",
    )


def catalog_of(body: bytes) -> Decoded[CatalogItem]:
    """Typed items of an answer of searchCatalogItems."""
    return page(
        body,
        decode=lambda raw: _catalog.decode(raw).items,
        kind=CatalogItem,
        records_of=_items,
        key_of=keyed("asin"),
        what="searchCatalogItems",
    )


def _items(answer: Any) -> list[Any] | None:
    return answer.get("items") if isinstance(answer, dict) else None


def product_frames(
    decoded: Decoded[Listing],
    catalog: list[CatalogItem],
    context: Context,
    *,
    asked_for: str | None = None,
    owners: Mapping[str, str] | None = None,
) -> Normalized:
    """Frame of listings, completed by what the catalog says of their ASINs."""
    notes = Notes()
    channels = Channels(context, notes)
    known = {item.asin: item for item in catalog}
    bad = list(decoded.rejected)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for position, listing in enumerate(decoded.records):
        try:
            for row in _rows(listing, known, channels, asked_for or context.home.external_id):
                rows[row["channel"], row["sku"]] = row
        except BadValueError as error:
            bad.append(rejected(text(listing.sku) or "(unknown)", error, decoded.original(position)))
    listed = {row["external_id"] for row in rows.values()}
    unlisted = [row for item in catalog if item.asin not in listed for row in _catalog_rows(item, channels)]
    table = Rows("products")
    table.extend(_told_apart([*rows.values(), *unlisted], notes, owners or {}))
    return Normalized({"products": table.frame()}, tuple(bad), notes.all(), decoded.seen)


def _told_apart(
    rows: Iterable[dict[str, Any]], notes: Notes, owners: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows with one external id each: of SKUs that share an ASIN, all but its owner or the first carry theirs too."""
    taken: set[tuple[str, str]] = set()
    kept = []
    for row in sorted(rows, key=lambda row: (row["channel"], row["sku"] or "")):
        owner = owners.get(row["external_id"], row["sku"])
        if (row["channel"], row["external_id"]) in taken or (row["sku"] and owner != row["sku"]):
            notes.once("several SKUs share one ASIN", row["sku"])
            row["external_id"] = f"{row['external_id']}/{row['sku']}"
        taken.add((row["channel"], row["external_id"]))
        kept.append(row)
    return kept


def _rows(
    listing: Listing, catalog: dict[str, CatalogItem], channels: Channels, asked_for: str
) -> Iterable[dict[str, Any]]:
    sku = key(listing.sku, "sku")
    attributes = listing.attributes
    for summary in listing.summaries or [_Summary(marketplaceId=_marketplace_of(attributes) or asked_for)]:
        asin = text(summary.asin)
        item = catalog.get(asin or "")
        about = _first(item.summaries if item else None, summary.marketplaceId) or _CatalogSummary()
        place = summary.marketplaceId
        price = _price(listing.offers, place) or _own_price(attributes, place)
        title = text(summary.itemName) or _attribute(attributes, "item_name", place)
        yield {
            "channel": channels.name(summary.marketplaceId),
            "external_id": asin or sku,
            "sku": sku,
            "title": title,
            "name": text(about.itemName) or title,
            "category": _category(item, summary.marketplaceId, about) or text(summary.productType),
            "brand": text(about.brand) or text(about.brandName) or _attribute(attributes, "brand", place),
            "barcode": _barcode(item, summary.marketplaceId),
            "price": money(price.amount, "offers.price.amount") if price else None,
            "currency": price.currencyCode if price else None,
            "cost_price": None,  # Amazon does not know it
            "is_active": "BUYABLE" in (summary.status or ()),
            "source_updated_at": instant(summary.lastUpdatedDate, "summaries.lastUpdatedDate"),
        }


def _catalog_rows(item: CatalogItem, channels: Channels) -> Iterable[dict[str, Any]]:
    """What the catalog alone says of an ASIN: no SKU, price or date."""
    for about in item.summaries or [_CatalogSummary(marketplaceId=_marketplace_of(item.attributes))]:
        place = about.marketplaceId or ""
        title = text(about.itemName) or _attribute(item.attributes, "item_name", place)
        yield {
            "channel": channels.name(about.marketplaceId),
            "external_id": item.asin,
            "sku": None,
            "title": title,
            "name": title,
            "category": _category(item, place, about),
            "brand": text(about.brand)
            or text(about.brandName)
            or _attribute(item.attributes, "brand", place),
            "barcode": _barcode(item, place),
            "price": None,
            "currency": None,
            "cost_price": None,
            "is_active": None,
            "source_updated_at": None,
        }


def _values(attributes: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """The entries of one product attribute, whose form the model leaves open."""
    found = (attributes or {}).get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _attribute(attributes: dict[str, Any] | None, name: str, marketplace: str) -> str | None:
    for entry in _values(attributes, name):
        if entry.get("marketplace_id") in (marketplace, None):
            return text(entry.get("value"))
    return None


def _marketplace_of(attributes: dict[str, Any] | None) -> str | None:
    """The marketplace that the attributes of a listing without summaries speak of."""
    named = (e.get("marketplace_id") for name in attributes or () for e in _values(attributes, name))
    return next((text(place) for place in named if place), None)


def _own_price(attributes: dict[str, Any] | None, marketplace: str) -> _Money | None:
    """The consumers' price as the seller gave it."""
    for offer in _values(attributes, "purchasable_offer"):
        if offer.get("marketplace_id") not in (marketplace, None) or offer.get("audience") not in (
            "ALL",
            None,
        ):
            continue
        for price in _values(offer, "our_price"):
            for step in _values(price, "schedule"):
                return _Money(step.get("value_with_tax"), text(offer.get("currency")))
    return None


def _first(entries: list[Any] | None, marketplace: str) -> Any:
    """The entry of a marketplace, else the first one there is."""
    return next((e for e in entries or () if e.marketplaceId == marketplace), (entries or [None])[0])


def _price(offers: list[_Offer] | None, marketplace: str) -> _Money | None:
    """The consumers' price in a marketplace."""
    for offer in offers or ():
        if offer.marketplaceId in (marketplace, None) and offer.offerType in ("B2C", None):
            return offer.price
    return None


def _category(item: CatalogItem | None, marketplace: str, about: _CatalogSummary) -> str | None:
    """`Home & Kitchen > Kitchen > Mugs`: from the root down."""
    entry = _first(item.classifications if item else None, marketplace)
    leaf = entry.classifications[0] if entry and entry.classifications else about.browseClassification
    path: list[str] = []
    while leaf is not None and len(path) < 12:
        if leaf.displayName:
            path.append(leaf.displayName)
        leaf = leaf.parent
    return " > ".join(reversed(path)) or None


def _barcode(item: CatalogItem | None, marketplace: str) -> str | None:
    entry = _first(item.identifiers if item else None, marketplace)
    by_type = {
        (i.identifierType or i.type or "").upper(): text(i.identifier)
        for i in (entry.identifiers if entry else None) or ()
    }
    return next((by_type[kind] for kind in ("EAN", "UPC", "GTIN", "JAN", "ISBN") if by_type.get(kind)), None)


# -- the listings report -----------------------------------------------------------------------------------


_READ = {"seller-sku", "sku", "asin1", "asin", "product-id", "item-name", "price", "status", "open-date"}


def listings_report(body: bytes, charset: str, context: Context) -> Normalized:
    """Frame of GET_MERCHANT_LISTINGS_ALL_DATA, or of the shorter GET_FLAT_FILE_OPEN_LISTINGS_DATA (sku, asin, price,
    quantity), of the account's first marketplace.
    """
    rows, bad, seen = Rows("products"), [], 0
    notes = Notes()
    found: list[dict[str, Any]] = []
    lines = read_lines(body, charset, "listings report", _READ)
    names = {"sku": "seller-sku", "asin": "asin1"}
    if lines.columns and not {"sku", "seller-sku"} & {*lines.columns}:
        raise ProtocolError("amazon listings report: no column seller-sku; its header has changed")
    for line in lines.rename({old: new for old, new in names.items() if old in lines.columns}).iter_rows(
        named=True
    ):
        seen += 1
        try:
            sku = key(line.get("seller-sku"), "seller-sku")
            found.append(
                {
                    "channel": context.home.name,
                    "external_id": line.get("asin1") or line.get("product-id") or sku,
                    "sku": sku,
                    "title": line.get("item-name"),
                    "name": line.get("item-name"),
                    "category": None,
                    "brand": None,
                    "barcode": None,
                    "price": money((line.get("price") or "").replace(",", "."), "price"),
                    "currency": context.home.currency if line.get("price") else None,
                    "cost_price": None,
                    "is_active": (line.get("status") or "Active").lower() == "active",
                    "source_updated_at": instant(line.get("open-date"), "open-date"),
                }
            )
        except BadValueError as error:
            bad.append(rejected(line.get("seller-sku") or "(unknown)", error, line))
    unique = {row["sku"]: row for row in found}
    rows.extend(_told_apart(unique.values(), notes, {}))
    return Normalized({"products": rows.frame()}, tuple(bad), notes.all(), seen)
