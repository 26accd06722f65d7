"""The order export of Walmart's Seller Center (CSV or XLSX, one row per order line) → canonical frames.

Columns as Seller Center names them: PO#, Order#, Order Date, Line#, SKU, Item Description, Qty, Item Cost,
Shipping Cost, Tax, Status, State, Fulfillment Entity, Replacement Order and others we do not need. The file has
no instant of change, so its rows carry the order's own date as `source_updated_at`: whatever the API brought is
newer and wins. Item Cost and Tax are read as totals of the line, like the API's charges. No e-mail is in the file,
so no customer either.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.errors import ProtocolError
from connectors.exports.sheet import Row, rows
from connectors.files import read_plain
from connectors.walmart.normalize_orders import orders_from_records
from connectors.walmart.payload import Raw

_FORMATS = (
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y",
    "%m/%d/%y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d-%b-%Y",
)
_FIRST_SERIAL, _LAST_SERIAL = 36_526, 73_415  # 2000 to 2100 as Excel counts days
_ALIASES = {
    "po": ("po", "ponumber", "purchaseorder", "purchaseorderid", "purchaseordernumber"),
    "order": ("order", "ordernumber", "orderid", "customerorderid", "customerorder", "walmartorder"),
    "date": ("orderdate", "orderplaceddate", "ordereddate", "orderplaced"),
    "line": ("line", "linenumber", "poline", "lineid"),
    "sku": ("sku", "itemsku", "sellersku"),
    "title": ("itemdescription", "productname", "itemname", "description"),
    "quantity": ("qty", "quantity", "orderedqty"),
    "price": ("itemcost", "itemprice", "itemsubtotal", "cost"),
    "shipping": ("shippingcost", "shippingprice", "shipping"),
    "tax": ("tax", "itemtax", "totaltax"),
    "discount": ("discount", "discountamount", "sellerdiscount"),
    "status": ("status", "orderstatus", "linestatus"),
    "state": ("state", "shiptostate"),
    "country": ("country", "shiptocountry"),
    "entity": ("fulfillmententity", "shipnodetype", "fulfillmenttype", "fulfilledby"),
    "replacement": ("replacementorder", "isreplacement", "ordertype"),
}


def pages(path: Path) -> Iterator[Page]:
    """The file as one page: rows of an order may stand anywhere in it. Seller Center gives at most some thousands."""
    yield Page(read_plain(path), "csv")


def orders(page: Page, context: Context) -> Normalized:
    """Orders of an export file. Rows of one PO# are one order; a row that cannot be read refuses its order.

    Raises ProtocolError when the file is no table or names no PO# column.
    """
    return orders_from_records(records(page.body, context), context)


def records(body: bytes, context: Context) -> list[Raw]:
    """The file's orders in the shape of the API's."""
    table = rows(body, "walmart order export")
    if table and not any(_get(row, "po") for row in table):
        raise ProtocolError("walmart order export: no column PO#: is it the order export of Seller Center?")
    grouped: dict[str, list[Row]] = {}
    for row in table:
        grouped.setdefault(_get(row, "po") or "", []).append(row)
    zone = ZoneInfo(context.home.timezone)
    return [_order(lines, context.home.currency, zone) for lines in grouped.values()]


def _order(lines: list[Row], currency: str, zone: ZoneInfo) -> Raw:
    first = lines[0]
    at = _instant(_get(first, "date"), zone)
    entity = (_get(first, "entity") or "").lower()
    node = "WFSFulfilled" if "wfs" in entity or "walmart" in entity else "SellerFulfilled" if entity else None
    replacement = (_get(first, "replacement") or "").lower() in ("yes", "y", "true", "1", "replacement")
    return {
        "purchaseOrderId": _get(first, "po"),
        "customerOrderId": _get(first, "order"),
        "orderDate": at,
        "orderType": "REPLACEMENT" if replacement else "REGULAR",
        "shipNode": {"type": node} if node else None,
        "shippingInfo": {
            "postalAddress": {"state": _get(first, "state"), "country": _get(first, "country") or "US"}
        },
        "orderLines": {
            "orderLine": [_line(row, number, currency) for number, row in enumerate(lines, 1)],
        },
    }


def _line(row: Row, number: int, currency: str) -> Raw:
    charges = [
        _charge("PRODUCT", "ItemPrice", _amount(_get(row, "price")), _amount(_get(row, "tax")), currency),
        _charge("PRODUCT", "Discount", _amount(_get(row, "discount")), None, currency),
        _charge("SHIPPING", "Shipping", _amount(_get(row, "shipping")), None, currency),
    ]
    return {
        "lineNumber": _whole(_get(row, "line")) or str(number),
        "item": {"productName": _get(row, "title"), "sku": _get(row, "sku")},
        "charges": {"charge": [charge for charge in charges if charge]},
        "orderLineQuantity": {"amount": _get(row, "quantity")},
        "orderLineStatuses": {
            "orderLineStatus": [{"status": _get(row, "status")}] if _get(row, "status") else []
        },
    }


def _charge(kind: str, name: str, amount: Any, tax: Any, currency: str) -> Raw | None:
    if amount is None:
        return None
    charge: Raw = {
        "chargeType": kind,
        "chargeName": name,
        "chargeAmount": {"amount": amount, "currency": currency},
    }
    if tax is not None:
        charge["tax"] = {"taxAmount": {"amount": tax, "currency": currency}}
    return charge


def _get(row: Row, name: str) -> str | None:
    return next((row[alias] for alias in _ALIASES[name] if row.get(alias)), None)


def _amount(value: str | None) -> Decimal | str | None:
    """A sum such as "$1,234.50" or "(3.00)"; what is no number is passed on and refused by name."""
    if value is None:
        return None
    plain = re.sub(r"[$,\s]|USD", "", value)
    if plain.startswith("(") and plain.endswith(")"):
        plain = "-" + plain[1:-1]
    try:
        return Decimal(plain)
    except InvalidOperation:
        return value


def _whole(value: str | None) -> str | None:
    """ "1.0", as spreadsheets write whole numbers, is line 1."""
    return value.removesuffix(".0") if value else None


def _instant(value: str | None, zone: ZoneInfo) -> str | None:
    """ISO 8601 of a date in any spelling of the export; a day without a time begins in the channel's zone."""
    if value is None:
        return None
    try:
        serial = float(value)
    except ValueError:
        pass
    else:
        if _FIRST_SERIAL <= serial < _LAST_SERIAL:
            at = datetime(1899, 12, 30, tzinfo=zone) + timedelta(days=serial)
            return at.replace(microsecond=0).astimezone(UTC).isoformat()
        return value
    plain = re.sub(r"\s+[A-Z]{2,4}T$", "", value)
    found = _parsed(plain)
    if found is None:
        return value
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC).isoformat()


def _parsed(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        for layout in _FORMATS:
            try:
                return datetime.strptime(value, layout)  # noqa: DTZ007 the channel's zone is set by the caller
            except ValueError:
                continue
        return None
    return (
        found
        if isinstance(found, datetime)
        else datetime.combine(date.fromisoformat(value), datetime.min.time())
    )
