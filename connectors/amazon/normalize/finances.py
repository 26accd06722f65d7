"""Finances to frame `refunds`: dated money given back, one row per refunded line of one transaction.

Orders carry no refunds; finances do, up to 48 hours late. Amounts are negative there and positive here.
`amount` is what the buyer got back (goods, shipping, wrapping and their tax; not Amazon's fees, not tax that
Amazon withholds), `net_amount` the goods in it before tax. A refund names its line by SKU only: `line_id` is
"<sku>#<n>", the n-th line of the transaction with that SKU, as in the orders report.
A deferred refund is told again when it is released: both carry the id of the first.
Sources: models finances_2024-06-19 and financesV0.
"""

from collections import Counter
from typing import Any

import msgspec

from connectors.amazon.normalize.decoding import Decoded, keyed, page, page_decoder
from connectors.amazon.normalize.fees import fees_of
from connectors.amazon.normalize.transactions import (
    Answer,
    Breakdown,
    Transaction,
    order_of,
    place_of,
    product_of,
    token_of,
    transaction_key,
)
from connectors.amazon.normalize.values import (
    BadValueError,
    Channels,
    Notes,
    Rows,
    instant,
    key,
    magnitude,
    money,
    plus,
    rejected,
    signed_units,
    text,
)
from connectors.base import Context
from connectors.canonical import Normalized

# Transactions that give a buyer his money back.
_REFUNDS = {
    "refund",
    "chargeback",
    "chargebackrefund",
    "guaranteeclaim",
    "a-to-zguaranteeclaim",
    "atozguaranteeclaim",
}
# Containers whose content the buyer never sees: Amazon's fees, and what they hold.
_FEES = (
    "amazonfees",
    "fbafees",
    "expenses",
    "commission",
    "refundcommission",
    "refundedexpenses",
    "amazonfee",
)


_decoder = page_decoder(Answer)


def transactions(body: bytes, context: Context) -> Normalized:
    """Frames refunds and fees of one answer of listTransactions."""

    def plain(answer: Any) -> list[Any] | None:
        if not isinstance(answer, dict):
            return None
        payload = answer.get("payload", answer)
        found = payload.get("transactions") if isinstance(payload, dict) else None
        return found if isinstance(found, list) else [] if isinstance(answer.get("payload"), dict) else None

    decoded = page(
        body,
        decode=lambda raw: _decoder.decode(raw).payload.transactions or [],
        kind=Transaction,
        records_of=plain,
        key_of=keyed("transactionId"),
        what="listTransactions",
    )
    return transaction_frames(decoded, context)


def transaction_frames(decoded: Decoded[Transaction], context: Context) -> Normalized:
    """Frames refunds and fees of typed transactions."""
    notes = Notes()
    channels = Channels(context, notes)
    bad = list(decoded.rejected)
    rows: dict[tuple[str, str, str | None], dict[str, Any]] = {}
    charged: dict[tuple[str, str], dict[str, Any]] = {}
    for position, transaction in enumerate(decoded.records):
        try:
            for fee in fees_of(transaction, channels):
                charged[fee["channel"], fee["fee_id"]] = fee
            if (transaction.transactionType or "").replace(" ", "").lower() not in _REFUNDS:
                continue
            for row in _rows(transaction, channels, notes):
                rows[row["order_external_id"], row["refund_id"], row["line_id"]] = row
        except BadValueError as error:
            bad.append(rejected(transaction.transactionId or "(unknown)", error, decoded.original(position)))
    table, fees = Rows("refunds"), Rows("fees")
    table.extend(list(rows.values()))
    fees.extend(list(charged.values()))
    return Normalized({"refunds": table.frame(), "fees": fees.frame()}, tuple(bad), notes.all(), decoded.seen)


def _rows(transaction: Transaction, channels: Channels, notes: Notes) -> list[dict[str, Any]]:
    order_id = order_of(transaction)
    if order_id is None:
        notes.add("refunds that name no order are left out")
        return []
    posted = instant(transaction.postedDate, "postedDate", required=True)
    shared = {
        "channel": channels.name(place_of(transaction, channels)),
        "order_external_id": order_id,
        "refund_id": transaction_key(transaction, posted),
        "refunded_at": posted,
        "source_updated_at": posted,
    }
    numbers: Counter[str] = Counter()
    rows = []
    for item in transaction.items or ():
        told = _Given.of(item.breakdowns, notes)
        if not told.found:
            continue  # told for the whole transaction only, see below
        product = product_of(item)
        token = token_of(product)
        numbers[token] += 1
        rows.append(
            shared
            | {
                "line_id": f"{token}#{numbers[token]}",
                "quantity": magnitude(
                    signed_units(product.quantityShipped, "items.contexts.quantityShipped")
                ),
                "amount": told.amount,
                "net_amount": told.net,
                "currency": told.currency or _currency(transaction),
            }
        )
    if not rows:
        told = _Given.of(transaction.breakdowns, notes)
        total = transaction.totalAmount
        whole = money(total.currencyAmount, "totalAmount.currencyAmount") if total else None
        rows.append(
            shared
            | {
                "line_id": None,
                "quantity": None,
                "amount": told.amount if told.found else magnitude(whole),
                "net_amount": told.net if told.found else None,
                "currency": told.currency or _currency(transaction),
            }
        )
    return rows


def _currency(transaction: Transaction) -> str | None:
    return transaction.totalAmount.currencyCode if transaction.totalAmount else None


class _Given:
    """What the buyer got back in one breakdown: all of it, and the goods before tax."""

    def __init__(self) -> None:
        self._goods = self._other = 0
        self.found = False
        self.currency: str | None = None

    @classmethod
    def of(cls, breakdowns: list[Breakdown] | None, notes: Notes) -> "_Given":
        given = cls()
        for breakdown in breakdowns or ():
            given._walk(breakdown, notes)
        return given

    @property
    def amount(self) -> int:
        return -(self._goods + self._other)

    @property
    def net(self) -> int:
        return -self._goods

    def _walk(self, breakdown: Breakdown, notes: Notes) -> None:
        name = (breakdown.breakdownType or "").replace(" ", "").lower()
        if name.startswith(_FEES) or name.endswith(("chargeback", "fee")):
            return
        if name.startswith(("marketplacefacilitator", "lowvaluegoodstax", "taxwithheld")):
            return  # withheld by Amazon on both ways; the buyer's tax stands beside it
        if breakdown.breakdowns:
            for part in breakdown.breakdowns:
                self._walk(part, notes)
            return
        amount = breakdown.breakdownAmount
        value = money(amount.currencyAmount, "breakdowns.currencyAmount") if amount else None
        if value is None:
            return
        self.found = True
        self.currency = self.currency or (amount.currencyCode if amount else None)
        if _is_goods(name):
            self._goods += value
        else:
            self._other += value
            if not any(word in name for word in ("tax", "shipping", "wrap", "vat")) and value:
                notes.add(f"unknown value {breakdown.breakdownType} in refunds.breakdownType")


def _is_goods(name: str) -> bool:
    """Whether a leaf is price or discount of the goods themselves, before tax."""
    if "tax" in name or "shipping" in name or "wrap" in name:
        return False
    return name in {
        "productcharges",
        "principal",
        "sales",
        "refundedsales",
        "promorebates",
        "promo",
        "discount",
    } or (name.startswith(("ourprice", "goodwill", "restocking")) or name.endswith("principal"))


# -- finances v0 -------------------------------------------------------------------------------------------


class _V0Amount(msgspec.Struct):
    CurrencyCode: str | None = None
    CurrencyAmount: Any = None


class _Charge(msgspec.Struct):
    ChargeType: str | None = None
    ChargeAmount: _V0Amount | None = None


class _Promotion(msgspec.Struct):
    PromotionType: str | None = None
    PromotionAmount: _V0Amount | None = None


class _V0Item(msgspec.Struct):
    SellerSKU: str | int | None = None
    OrderItemId: str | int | None = None
    OrderAdjustmentItemId: str | int | None = None
    QuantityShipped: Any = None
    ItemChargeAdjustmentList: list[_Charge] | None = None
    PromotionAdjustmentList: list[_Promotion] | None = None


class V0Event(msgspec.Struct):
    """A refund, guarantee claim or chargeback of v0."""

    AmazonOrderId: str | None = None
    PostedDate: Any = None
    MarketplaceName: str | None = None
    ShipmentItemAdjustmentList: list[_V0Item] | None = None


V0_LISTS = ("RefundEventList", "GuaranteeClaimEventList", "ChargebackEventList")
_V0_GOODS = {"principal", "goodwill", "restockingfee", "exportcharge"}


def events_v0(decoded: Decoded[V0Event], context: Context) -> Normalized:
    """Frame of v0 refund events."""
    notes = Notes()
    channels = Channels(context, notes)
    bad = list(decoded.rejected)
    table = Rows("refunds")
    for position, event in enumerate(decoded.records):
        try:
            table.extend(_v0_rows(event, channels))
        except BadValueError as error:
            bad.append(rejected(event.AmazonOrderId or "(unknown)", error, decoded.original(position)))
    return Normalized({"refunds": table.frame()}, tuple(bad), notes.all(), decoded.seen)


def _v0_rows(event: V0Event, channels: Channels) -> list[dict[str, Any]]:
    order_id = key(event.AmazonOrderId, "AmazonOrderId")
    posted = instant(event.PostedDate, "PostedDate", required=True)
    numbers: Counter[str] = Counter()
    rows = []
    for item in event.ShipmentItemAdjustmentList or ():
        goods = other = 0
        currency = None
        for charge in item.ItemChargeAdjustmentList or ():
            value = _v0_amount(charge.ChargeAmount, "ItemChargeAdjustmentList") or 0
            currency = currency or (charge.ChargeAmount.CurrencyCode if charge.ChargeAmount else None)
            kind = (charge.ChargeType or "").lower()
            if kind in _V0_GOODS:
                goods += value
            elif not kind.endswith("chargeback"):
                other += value
        for promotion in item.PromotionAdjustmentList or ():
            value = _v0_amount(promotion.PromotionAmount, "PromotionAdjustmentList") or 0
            if "shipping" in (promotion.PromotionType or "").lower():
                other += value
            else:
                goods += value
        if goods + other > 0 and _is_positive(item):
            goods, other = -goods, -other
        token = text(item.SellerSKU) or "?"
        numbers[token] += 1
        rows.append(
            {
                "channel": channels.name(channels.by_domain(event.MarketplaceName)),
                "order_external_id": order_id,
                "refund_id": text(item.OrderAdjustmentItemId) or f"{order_id}@{posted}",
                "line_id": text(item.OrderItemId) or f"{token}#{numbers[token]}",
                "quantity": magnitude(signed_units(item.QuantityShipped, "QuantityShipped")),
                "amount": -(goods + other),
                "net_amount": -goods,
                "currency": currency,
                "refunded_at": posted,
                "source_updated_at": posted,
            }
        )
    return rows


def _is_positive(item: _V0Item) -> bool:
    """Whether the event writes what was given back without a sign, as Amazon's own examples do."""
    return all(
        (_v0_amount(charge.ChargeAmount, "ItemChargeAdjustmentList") or 0) >= 0
        for charge in item.ItemChargeAdjustmentList or ()
        if (charge.ChargeType or "").lower() == "principal"
    )


def _v0_amount(value: _V0Amount | None, field: str) -> int | None:
    return plus(money(value.CurrencyAmount, f"{field}.CurrencyAmount")) if value is not None else None
