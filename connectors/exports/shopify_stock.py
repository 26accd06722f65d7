"""The inventory CSV of the Shopify admin → frame inventory: a row per item and location, with its quantity states.

The header tells which states may be edited ("Available (not editable)", "On hand (current)"); that is no part of the
name. "not stocked" means the item is not kept at that location: no row.
"""

import msgspec

from connectors.base import Context
from connectors.canonical import Normalized, Rejected
from connectors.exports.sheet import Row, rows
from connectors.privacy import scrub
from connectors.shopify.normalize_catalog import InventoryBook
from connectors.shopify.shapes import InventoryItem, Level, Location, Quantity
from connectors.shopify.sheets import BadValueError

# The export's state → Shopify's name of it. "Unavailable" is the sum of damaged, quality control, safety stock, other.
_STATES = {
    "available": "available",
    "committed": "committed",
    "incoming": "incoming",
    "onhand": "on_hand",
    "unavailable": "damaged",
}
_NOTES_OF_A_CELL = ("noteditable", "current")


def is_stock(names: set[str]) -> bool:
    """Whether folded column names are those of the inventory export."""
    return {"sku", "location"} <= names and any(name.startswith(("available", "onhand")) for name in names)


def inventory(body: bytes, context: Context) -> Normalized:
    """Stock of an export file. Raises ProtocolError when it is no table."""
    book = InventoryBook(context)
    rejected: list[Rejected] = []
    table = rows(body, "shopify inventory export")
    for row in table:
        try:
            level = _level(row)
            if level is not None:
                book.add(level)
        except BadValueError as error:
            text = msgspec.json.encode(scrub(row)).decode()
            rejected.append(Rejected(row.get("sku") or "unknown", error.field, error.reason, text))
    return Normalized(book.frames(), tuple(rejected), tuple(book.notes), len(table))


def _level(row: Row) -> Level | None:
    """The stock of one row; None where the item is not stocked. Raises BadValueError."""
    sku, place = row.get("sku", "").lstrip("'"), row.get("location")
    if not sku or not place:
        raise BadValueError("SKU" if not sku else "Location", "is missing")
    told = []
    for column, value in row.items():
        name = column
        for note in _NOTES_OF_A_CELL:
            name = name.removesuffix(note)
        if name in _STATES and value and value.lower() != "not stocked":
            try:
                told.append(Quantity(_STATES[name], int(value)))
            except ValueError:
                raise BadValueError(column, f"{value[:40]!r} is no number of units") from None
    if not told:
        return None
    return Level(id=place, location=Location(place), quantities=told, item=InventoryItem(id=sku, sku=sku))
