"""Walmart items → products, one row per item. There is no updated-at: rows carry the instant of the read."""

import json
from typing import Any

import msgspec

from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.walmart.gather import Gathered
from connectors.walmart.payload import Raw, find, parse, within
from connectors.walmart.shapes import Item, ItemPage
from connectors.walmart.values import FieldError, money, text

_DECODER = msgspec.json.Decoder(ItemPage)
_PUBLISHED = frozenset(
    ["PUBLISHED", "UNPUBLISHED", "STAGE", "SYSTEM_PROBLEM", "IN_PROGRESS", "READY_TO_PUBLISH", "INPROGRESS"]
)
_LIFECYCLES = frozenset(["ACTIVE", "ARCHIVED", "RETIRED"])


def products(page: Page, context: Context) -> Normalized:
    """Items of one page of `/v3/items`. Brand, cost and the numeric item id are not in this API.

    Raises ProtocolError when the page cannot be parsed at all; one bad item is refused alone.
    """
    return _Items(context).add_page(page.body, _decode, records).normalized()


def products_from_records(raws: list[Raw], context: Context) -> Normalized:
    """Items of decoded records."""
    return _Items(context).add_all(raws).normalized()


def _decode(body: bytes) -> list[Item]:
    return _DECODER.decode(body).ItemResponse


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


class _Items(Gathered):
    frames = ("products",)
    shape = Item
    shapes = (Item,)
    identity = "sku"

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
                self.note(where, value)
        self.rows["products"].append(
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
                self.fetched,
            )
        )
        self.records += 1


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
