"""Walmart reconciliation reports → fees: what Walmart keeps of a sale, and what it charges besides.

An amount is a fee by its "Amount Type": commissions and anything called fee. What belongs to the buyer's money
(price, shipping, tax) is no fee; it is counted from the orders. An amount type nobody has seen yet is noted and left
out.
Rows have no id of their own: the transaction's key, the order line and the amount type make one.
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.base import Context, Page
from connectors.canonical import Normalized
from connectors.walmart.gather import Gathered
from connectors.walmart.payload import member
from connectors.walmart.settlements import Row, amount, posted_on, rows
from connectors.walmart.values import FieldError, at, text

_OF_THE_BUYER = ("product", "shipping", "total walmart funded savings", "gift wrap", "tax")
_NO_MONEY_OF_A_SALE = frozenset(["paymentsummary", "reserve", "releasereserve"])


def fees(page: Page, context: Context) -> Normalized:
    """Fees of one report. Raises ProtocolError when it is no report; one bad row is refused alone."""
    gathered = _Fees(context)
    for row in rows(page.body, "walmart fees"):
        try:
            gathered.add(row)
        except FieldError as error:
            gathered.refuse(row, error.field, error.reason)
    return gathered.normalized()


class _Fees(Gathered):
    frames = ("fees",)
    identity = "transactionkey"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._zone = ZoneInfo(context.home.timezone)
        self._seen: Counter[str] = Counter()

    def key(self, raw: Any) -> Any:
        return member(raw, "transactionkey") or member(raw, "purchaseorder")

    def add(self, row: Row) -> None:
        kind = row.get("amounttype", "")
        self.records += 1
        if row.get("transactiontype", "").replace(" ", "").lower() in _NO_MONEY_OF_A_SALE:
            return
        if not _is_fee(kind):
            if not kind.lower().startswith(_OF_THE_BUYER):
                self.note("fees.Amount Type", kind or "(none)")
            return
        try:
            self._add(row, kind)
        except FieldError:
            self.records -= 1
            raise

    def _add(self, row: Row, kind: str) -> None:
        given = amount(row)
        day = posted_on(row)
        midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        order, line = text(row.get("purchaseorder")), text(row.get("purchaseorderline"))
        identity = "/".join(
            part or ""
            for part in (
                row.get("transactionkey"),
                day.isoformat(),
                row.get("transactiontype"),
                order,
                line,
                kind,
            )
        )
        self._seen[identity] += 1
        if self._seen[identity] > 1:
            identity += f"/{self._seen[identity]}"
        described = text(row.get("transactiondescription"), "Transaction Description")
        self.rows["fees"].append(
            (
                self.channel,
                identity,
                order,
                line,
                text(row.get("partneritemid"), "Partner Item Id sku"),
                kind if kind.lower().startswith("commission") else described or kind,
                Decimal(0) - given,
                text(row.get("currency")) or self.home.currency,
                at(midnight),
            )
        )


def _is_fee(kind: str) -> bool:
    folded = kind.lower()
    return folded.startswith("commission") or "fee" in folded
