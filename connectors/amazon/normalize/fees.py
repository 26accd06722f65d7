"""Finances to frame `fees`: what Amazon takes, one row per fee of each line of a transaction.

Amounts are negative in the source when Amazon takes and positive when it gives back after a refund; here a cost is
positive. Fees stand below containers such as `AmazonFees`, as deep as Amazon likes: a fee is the last breakdown that
has a name of its own, and what stands below it (`Base`, `Tax`, `Discount`) are its parts.
A fee's line is "<sku>#<n>", as a refund's. A deferred transaction is told again when it is released: both have the id
of the first, and so have their fees. Source: model finances_2024-06-19.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from connectors.amazon.normalize.transactions import (
    Breakdown,
    Transaction,
    order_of,
    place_of,
    product_of,
    token_of,
    transaction_key,
)
from connectors.amazon.normalize.values import Channels, instant, money, text

_CONTAINERS = {"amazonfees", "fbafees", "expenses", "refundedexpenses", "fees"}
_PARTS = {"base", "tax", "discount", "promotion", "credit", "adjustment"}
# Transactions that are a fee as a whole: storage, subscription, advertising.
_CHARGES = {"servicefee", "servicefees", "productadspayment", "sellerdealpayment", "couponpayment"}


def fees_of(transaction: Transaction, channels: Channels) -> list[dict[str, Any]]:
    """Rows of `fees` of one transaction. Raises BadValueError."""
    posted = instant(transaction.postedDate, "postedDate", required=True)
    order_id = order_of(transaction)
    key = transaction_key(transaction, posted)
    shared = {
        "channel": channels.name(place_of(transaction, channels)),
        "order_external_id": order_id,
        "posted_at": posted,
    }
    rows: list[dict[str, Any]] = []
    numbers: Counter[str] = Counter()
    for item in transaction.items or ():
        product = product_of(item)
        token = token_of(product)
        numbers[token] += 1
        line_id = f"{token}#{numbers[token]}"
        about = {"line_id": line_id if order_id else None, "sku": text(product.sku)}
        rows += [shared | about | fee for fee in _named(f"{key}/{line_id}", item.breakdowns)]
    whole: dict[str, Any] = {"line_id": None, "sku": None}
    if not rows:
        rows = [shared | whole | fee for fee in _named(key, transaction.breakdowns)]
    kind = (transaction.transactionType or "").replace(" ", "").replace("_", "").lower()
    total = transaction.totalAmount
    if not rows and kind in _CHARGES and total is not None:
        taken = money(total.currencyAmount, "totalAmount.currencyAmount")
        if taken:
            name = text(transaction.description) or text(transaction.transactionType)
            fee = {"fee_id": key, "fee_type": name, "amount": -taken, "currency": total.currencyCode}
            rows.append(shared | whole | fee)
    return rows


def _named(key: str, breakdowns: list[Breakdown] | None) -> Iterator[dict[str, Any]]:
    """Fees with ids that are stable and their own: a second fee of one name on a line is numbered."""
    seen: Counter[str] = Counter()
    for breakdown in breakdowns or ():
        for name, amount, currency in _fees(breakdown, inside=False):
            seen[name] += 1
            suffix = f"#{seen[name]}" if seen[name] > 1 else ""
            fee_id = f"{key}/{name}{suffix}"
            yield {"fee_id": fee_id, "fee_type": name, "amount": -amount, "currency": currency}


def _fees(breakdown: Breakdown, *, inside: bool) -> Iterator[tuple[str, int, str | None]]:
    """Name, amount and currency of the fees at or below a breakdown."""
    name = (breakdown.breakdownType or "").replace(" ", "")
    below = breakdown.breakdowns or []
    folded = name.lower()
    has_parts = bool(below) and all(_is_part(part) for part in below)
    if (folded in _CONTAINERS and below and not has_parts) or (inside and below and not has_parts):
        for part in below:
            yield from _fees(part, inside=True)
    elif inside or folded in _CONTAINERS:
        amount = breakdown.breakdownAmount
        value = money(amount.currencyAmount, "breakdowns.currencyAmount") if amount else None
        if value:
            yield name, value, amount.currencyCode if amount else None
    else:
        for part in below:
            yield from _fees(part, inside=False)


def _is_part(breakdown: Breakdown) -> bool:
    return (breakdown.breakdownType or "").replace(" ", "").lower() in _PARTS
