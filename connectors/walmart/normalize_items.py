"""Walmart items → products, one row per item. There is no updated-at: rows carry the instant of the read."""

import json
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import Normalized, Rejected
from connectors.walmart.normalize_orders import frame
from connectors.walmart.payload import UNUSUAL, Raw, blame, find, member, parse, refuse, within
from connectors.walmart.shapes import Item, ItemPage, convert
from connectors.walmart.values import FieldError, money, shown, text

_DECODER = msgspec.json.Decoder(ItemPage)
_PUBLISHED = frozenset(
    ["PUBLISHED", "UNPUBLISHED", "STAGE", "SYSTEM_PROBLEM", "IN_PROGRESS", "READY_TO_PUBLISH", "INPROGRESS"]
)
_LIFECYCLES = frozenset(["ACTIVE", "ARCHIVED", "RETIRED"])


def products(page: Page, context: Context) -> Normalized:
    """Items of one page of `/v3/items`. Brand, cost and the numeric item id are not in this API.

    Raises ProtocolError when the page cannot be parsed at all; one bad item is refused alone.
    """
    rows = _Rows(context)
    raws: list[Raw] | None = None
    try:
        found = _DECODER.decode(page.body).ItemResponse
    except UNUSUAL:
        rows.add_raw(records(page.body))
    else:
        for index, item in enumerate(found):
            try:
                rows.add(item)
            except FieldError as error:
                raws = raws or records(page.body)
                rows.refuse(raws[index], error.field, error.reason)
    return rows.normalized()


def products_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Items of decoded records."""
    rows = _Rows(context)
    rows.add_raw(raws)
    return rows.normalized()


def records(body: bytes) -> list[Raw]:
    """The item objects in a body."""
    return find_items(parse(body, "walmart items"))


def find_items(parsed: Any) -> list[Raw]:
    """The item objects in decoded JSON or XML, whatever wraps them."""
    for path in (("ItemResponse",), ("ItemResponses", "ItemResponse")):
        listed = within(parsed, *path)
        if listed is not None:
            return listed
    described = {"productname", "wpid", "publishedstatus", "price", "upc", "gtin", "producttype"}
    whole = list(find(parsed, lambda names: "sku" in names and bool(described & names)))
    return whole or list(find(parsed, lambda names: "sku" in names or {"wpid", "productname"} <= names))


class _Rows:
    def __init__(self, context: Context) -> None:
        self.channel = context.home.name
        self.fetched_at = context.fetched_at
        self.products: list[tuple[Any, ...]] = []
        self.rejected: list[Rejected] = []
        self.notes: dict[str, None] = {}
        self.records = 0

    def add_raw(self, raws: list[Raw]) -> None:
        for raw in raws:
            try:
                self.add(convert(raw, Item))
            except msgspec.ValidationError as error:
                self.refuse(raw, *blame(error))
            except FieldError as error:
                self.refuse(raw, error.field, error.reason)

    def refuse(self, raw: Raw, field_name: str, reason: str) -> None:
        self.records += 1
        self.rejected.append(refuse(raw, member(raw, "sku"), field_name, reason))

    def add(self, item: Item) -> None:
        """Appends one item. Raises FieldError."""
        sku = text(item.sku, "sku")
        if sku is None:
            raise FieldError("sku", "missing")
        price = item.price.amount if item.price else None
        name = text(item.productName, "productName")
        published = (item.publishedStatus or "").strip().upper()
        lifecycle = (item.lifecycleStatus or "").strip().upper()
        for value, known, where in (
            (published, _PUBLISHED, "products.publishedStatus"),
            (lifecycle, _LIFECYCLES, "products.lifecycleStatus"),
        ):
            if value and value not in known:
                self.notes[f"unknown value {shown(value)} in {where}"] = None
        self.products.append(
            (
                self.channel,
                text(item.wpid) or sku,
                sku,
                name,
                name,
                text(item.productType, "productType") or _shelf(item.shelf),
                None,
                text(item.upc) or text(item.gtin),
                None if price is None else money(price, "price.amount"),
                text(item.price.currency) if item.price else None,
                None,
                published == "PUBLISHED" and lifecycle in ("ACTIVE", ""),
                self.fetched_at,
            )
        )
        self.records += 1

    def normalized(self) -> Normalized:
        return Normalized(
            frames={"products": frame("products", self.products)},
            rejected=tuple(self.rejected),
            notes=tuple(self.notes),
            records=self.records,
        )


def _shelf(shelf: str | None) -> str | None:
    """The last level of a shelf: a JSON array inside a string, such as '["Home Page","Toys","Puzzles"]'."""
    plain = text(shelf, "shelf")
    if plain is None or not plain.startswith("["):
        return plain
    try:
        levels = json.loads(plain)
    except ValueError:
        return plain
    return text(str(levels[-1]), "shelf") if levels else None
