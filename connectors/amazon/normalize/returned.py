"""Returns reports to frame `returns`: units that came back, one row per line of the report.

Sources: FBA customer returns (one line per unit, named by its licence plate) and the merchant's returns by
return date (one line per return, named by its RMA, with days such as `14-Jul-2025` and what was refunded). The
connector adds the column `marketplace-id`, because neither report says where the order was placed.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from connectors.amazon.normalize.flat_file import read_lines
from connectors.amazon.normalize.values import (
    BadValueError,
    Channels,
    Notes,
    Rows,
    day_start,
    instant,
    key,
    magnitude,
    money,
    rejected,
    text,
    units,
)
from connectors.base import Context
from connectors.canonical import Normalized
from connectors.errors import ProtocolError

MARKETPLACE = "marketplace-id"
# Of both reports; not the buyer's words and traces.
_READ = {
    MARKETPLACE, "order-id", "sku", "merchant-sku", "return-date", "return-request-date", "return-delivery-date",
    "license-plate-number", "amazon-rma-id", "merchant-rma-id", "quantity", "return-quantity", "reason",
    "return-reason", "status", "return-request-status", "detailed-disposition", "currency-code",
    "refunded-amount",
}  # fmt: skip


def returns_report(body: bytes, charset: str, context: Context) -> Normalized:
    """Frame of either returns report."""
    lines = read_lines(body, charset, "returns report", _READ)
    if not lines.columns:
        return Normalized()
    merchant = "return-request-date" in lines.columns
    if not merchant and "return-date" not in lines.columns:
        raise ProtocolError("amazon returns report: no column return-date; its header has changed")
    notes = Notes()
    channels = Channels(context, notes)
    rows, bad, seen = Rows("returns"), [], 0
    numbers: Counter[str] = Counter()
    for line in lines.iter_rows(named=True):
        seen += 1
        try:
            place = line.get(MARKETPLACE) or context.home.external_id
            row = _merchant_row(line, place) if merchant else _fba_row(line)
        except BadValueError as error:
            bad.append(rejected(text(line.get("order-id")) or "(unknown)", error, line))
            continue
        numbers[row["return_id"]] += 1
        row["channel"] = channels.name(line.get(MARKETPLACE))
        row["return_line_id"] = str(numbers[row["return_id"]])
        rows.extend([row])
    return Normalized({"returns": rows.frame()}, tuple(bad), notes.all(), seen)


def _fba_row(line: dict[str, Any]) -> dict[str, Any]:
    order_id, sku = key(line.get("order-id"), "order-id"), text(line.get("sku"))
    returned = instant(line.get("return-date"), "return-date", required=True)
    return {
        "return_id": text(line.get("license-plate-number")) or f"{order_id}/{sku}/{line.get('return-date')}",
        "order_external_id": order_id,
        "line_id": f"{sku or '?'}#1",
        "sku": sku,
        "quantity": units(line.get("quantity"), "quantity", required=True),
        "refunded_quantity": None,
        "amount": None,
        "currency": None,
        "reason": text(line.get("reason")),
        "status": text(line.get("status")) or text(line.get("detailed-disposition")),
        "returned_at": returned,
        "source_updated_at": returned,
    }


def _merchant_row(line: dict[str, Any], place: str) -> dict[str, Any]:
    order_id = key(line.get("order-id"), "order-id")
    sku = text(line.get("merchant-sku"))
    asked = _day(line, "return-request-date", place, required=True)
    arrived = _day(line, "return-delivery-date", place)
    rma = text(line.get("amazon-rma-id")) or text(line.get("merchant-rma-id"))
    return {
        "return_id": rma or f"{order_id}/{sku}/{line.get('return-request-date')}",
        "order_external_id": order_id,
        "line_id": f"{sku or '?'}#1",
        "sku": sku,
        "quantity": units(line.get("return-quantity"), "return-quantity", required=True),
        "refunded_quantity": None,
        "amount": magnitude(money(line.get("refunded-amount"), "refunded-amount")),
        "currency": text(line.get("currency-code")),
        "reason": text(line.get("return-reason")),
        "status": text(line.get("return-request-status")),
        "returned_at": arrived or asked,
        "source_updated_at": arrived or asked,
    }


def _day(line: dict[str, Any], field: str, place: str, *, required: bool = False) -> int | None:
    """The start of a day there; what is written in another way is an instant."""
    told = line.get(field)
    try:
        day = datetime.strptime(told or "", "%d-%b-%Y").replace(tzinfo=UTC)
    except ValueError:
        return instant(told, field, required=required)
    return day_start(day.year, day.month, day.day, place, field)
