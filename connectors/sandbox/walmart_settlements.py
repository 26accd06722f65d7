"""Reconciliation reports of the sandbox: every second Tuesday, what was shipped and given back in two weeks."""

import csv
import io
import zipfile
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from starlette.responses import Response

from connectors.sandbox.state import SandboxState
from connectors.sandbox.truth import all_orders
from connectors.sandbox.walmart_gate import ApiError, Ask
from connectors.sandbox.walmart_orders import customer_order_id, purchase_order_id
from connectors.sandbox.world import Line, Market, Order, Refund

COMMISSION = Decimal("0.15")
PERIOD = timedelta(days=14)
_FIRST_TUESDAY = date(2009, 1, 6)
_CENT = Decimal("0.01")
COLUMNS = (
    "Period Start Date", "Period End Date", "Total Payable", "Currency", "Transaction Key",
    "Transaction Posted Timestamp", "Transaction Type", "Transaction Description", "Customer Order #",
    "Customer Order line #", "Purchase Order #", "Purchase Order line #", "Amount", "Amount Type", "Ship Qty",
    "Commission Rate", "Transaction Reason Description", "Partner Item Id", "Partner GTIN", "Partner Item Name",
    "Product Tax Code", "Ship to State", "Ship to City", "Ship to Zipcode", "Contract Category", "Product Type",
    "Commission Rule", "Shipping Method", "Fulfillment Type", "Fulfillment Details",
)  # fmt: skip

Row = dict[str, object]


class Settlements:
    """The report endpoints over one running sandbox. Reports of the past never change, so they are made once."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._made: tuple[date, dict[date, list[Row]]] | None = None

    def dates(self, ask: Ask) -> Response:
        """`GET /v3/report/reconreport/availableReconFiles`."""
        self._check_version(ask)
        dates = [f"{at:%m%d%Y}" for at in sorted(self._reports(ask), reverse=True)]
        return ask.answer({"availableApReportDates": dates}, "availableReportDates")

    def file(self, ask: Ask) -> Response:
        """`GET /v3/report/reconreport/reconFile`: a ZIP with one CSV."""
        self._check_version(ask)
        written = ask.param("reportDate") or ""
        found = {f"{at:%m%d%Y}": (at, rows) for at, rows in self._reports(ask).items()}.get(written)
        if found is None:
            raise ApiError(404, "CONTENT_NOT_FOUND.GMP_REPORT_API", "No report for that date", "reportDate")
        at, rows = found
        name = f"10000000001_{at.isoformat()}T23:09:54.438+0000"
        headers = {"Content-Disposition": f"attachment; filename={name}.zip"}
        return Response(_packed(name, rows), headers=headers, media_type="application/octet-stream")

    @staticmethod
    def _check_version(ask: Ask) -> None:
        if ask.param("reportVersion") != "v1":
            raise ApiError(
                400, "INVALID_REQUEST_PARAM.GMP_REPORT_API", "only v1 reports are kept", "reportVersion"
            )

    def _reports(self, ask: Ask) -> dict[date, list[Row]]:
        """Rows by report date, of every fortnight that is over; empty ones are not reported."""
        market = next(iter(self._state.markets("walmart")), None)
        if market is None:
            return {}
        newest = ask.now.astimezone(ZoneInfo(market.timezone)).date()
        if self._made is None or self._made[0] != newest:
            self._made = newest, self._make(market, ask.now, newest)
        return self._made[1]

    def _make(self, market: Market, now: datetime, newest: date) -> dict[date, list[Row]]:
        zone = ZoneInfo(market.timezone)
        made: dict[date, list[Row]] = {}

        def book(at: datetime, order: Order, rows: list[Row]) -> None:
            day = at.astimezone(zone).date()
            settled = _FIRST_TUESDAY + PERIOD * ((day - _FIRST_TUESDAY) // PERIOD + 1)
            if settled > newest:
                return
            period = {
                "Period Start Date": _us(settled - PERIOD),
                "Period End Date": _us(settled - timedelta(1)),
            }
            common = {
                "Currency": order.currency,
                "Transaction Key": f"{day:%Y_%m_%d}_{purchase_order_id(order)}",
                "Transaction Posted Timestamp": _us(day),
                "Customer Order #": customer_order_id(order),
                "Purchase Order #": purchase_order_id(order),
                "Ship to State": order.region or "",
            }
            made.setdefault(settled, []).extend({**period, **common, **row} for row in rows)

        for order in all_orders(self._state.world, market.channel, now):
            if order.shipped_at is None or order.is_replacement:
                continue
            for line in order.lines:
                book(order.shipped_at, order, _sold(order, line))
            for refund in order.refunds:
                book(refund.at, order, _given_back(order, refund))
        for settled, rows in made.items():
            payable = sum((Decimal(str(row["Amount"])) for row in rows), Decimal(0))
            summary = {
                "Transaction Type": "PaymentSummary",
                "Total Payable": payable,
                "Currency": market.currency,
            }
            rows.insert(0, {**summary, "Transaction Posted Timestamp": _us(settled)})
        return made


def _sold(order: Order, line: Line) -> list[Row]:
    kept = line.quantity - line.cancelled
    if kept <= 0:
        return []
    price = line.quantity * line.unit_price * kept / line.quantity
    discount = line.discount * kept / line.quantity
    amounts = [
        ("Product Price", price),
        ("Product Discount", -discount),
        ("Product tax", line.tax),
        ("Product tax withheld", -line.tax),
        ("Commission on Product", -(price - discount) * COMMISSION),
    ]
    if line is order.lines[0] and order.shipping:
        amounts += [("Shipping", order.shipping), ("Commission on Shipping", -order.shipping * COMMISSION)]
    if order.fulfilled_by == "marketplace":
        amounts.append(("Fee/Reimbursement", -Decimal("3.45") * kept))
    return _rows(order, line, "Sale", kept, amounts)


def _given_back(order: Order, refund: Refund) -> list[Row]:
    rows: list[Row] = []
    for part in refund.lines:
        line = next(line for line in order.lines if line.number == part.line_number)
        amounts = [
            ("Product Price", -part.amount),
            ("Product tax", -part.tax),
            ("Product tax withheld", part.tax),
            ("Commission on Product", part.amount * COMMISSION),
        ]
        rows += _rows(order, line, "Refund", part.quantity, amounts)
    return rows


def _rows(order: Order, line: Line, kind: str, units: int, amounts: list[tuple[str, Decimal]]) -> list[Row]:
    where = "Walmart Fulfilled" if order.fulfilled_by == "marketplace" else "Seller Fulfilled"
    return [
        {
            "Transaction Type": kind,
            "Transaction Description": "WFS Fulfillment fee" if "Fee" in name else "Purchase",
            "Customer Order line #": line.number,
            "Purchase Order line #": line.number,
            "Amount": amount.quantize(_CENT, ROUND_HALF_UP),
            "Amount Type": name,
            "Ship Qty": units,
            "Commission Rate": COMMISSION if name.startswith("Commission") else "",
            "Partner Item Id": line.sku or "",
            "Partner Item Name": line.title,
            "Fulfillment Type": where,
        }
        for name, amount in amounts
        if amount
    ]


def _packed(name: str, rows: list[Row]) -> bytes:
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", table.getvalue())
    return packed.getvalue()


def _us(day: date) -> str:
    return f"{day:%m/%d/%Y}"
