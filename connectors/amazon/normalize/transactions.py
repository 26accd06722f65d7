"""Transactions of finances 2024-06-19: their shape, and what refunds and fees both read of them."""

from typing import Any

import msgspec

from connectors.amazon.normalize.values import Channels, text


class Amount(msgspec.Struct):
    """Money; negative when it leaves the seller."""

    currencyAmount: Any = None
    currencyCode: str | None = None


class Breakdown(msgspec.Struct):
    """An amount and what it consists of, as deep as Amazon likes."""

    breakdownType: str | None = None
    breakdownAmount: Amount | None = None
    breakdowns: list["Breakdown"] | None = None


class ProductContext(msgspec.Struct):
    """Which goods an item of a transaction is about."""

    contextType: str | None = None
    asin: str | None = None
    sku: str | int | None = None
    quantityShipped: Any = None


class Item(msgspec.Struct):
    """One line of a transaction."""

    totalAmount: Amount | None = None
    breakdowns: list[Breakdown] | None = None
    contexts: list[ProductContext] | None = None


class Identifier(msgspec.Struct):
    """What else a transaction belongs to: an order, a refund, the deferred transaction it releases."""

    relatedIdentifierName: str | None = None
    relatedIdentifierValue: str | int | None = None


class Marketplace(msgspec.Struct):
    """Where it happened."""

    marketplaceId: str | None = None
    marketplaceName: str | None = None


class Transaction(msgspec.Struct):
    """A movement of money. The model requires nothing; without an order it is no refund of a sale."""

    transactionType: str | None = None
    transactionId: str | None = None
    description: str | None = None
    postedDate: Any = None
    relatedIdentifiers: list[Identifier] | None = None
    totalAmount: Amount | None = None
    marketplaceDetails: Marketplace | None = None
    sellingPartnerMetadata: Marketplace | None = None
    items: list[Item] | None = None
    breakdowns: list[Breakdown] | None = None


class Payload(msgspec.Struct):
    """The list of a page."""

    transactions: list[Transaction] | None = None


class Answer(msgspec.Struct):
    """A page of listTransactions."""

    payload: Payload


def order_of(transaction: Transaction) -> str | None:
    """The order it belongs to; None for what belongs to none."""
    return _identifier(transaction, "ORDER_ID")


def transaction_key(transaction: Transaction, posted: int | None) -> str:
    """Its id; for a released one that of the deferred transaction, because both tell the same movement."""
    deferred = _identifier(transaction, "DEFERRED_TRANSACTION_ID")
    found = deferred or text(transaction.transactionId) or _identifier(transaction, "REFUND_ID")
    return found or f"{order_of(transaction)}@{posted}"


def place_of(transaction: Transaction, channels: Channels) -> str | None:
    """The marketplace it happened in."""
    place = transaction.marketplaceDetails or Marketplace()
    seller = transaction.sellingPartnerMetadata or Marketplace()
    return place.marketplaceId or channels.by_domain(place.marketplaceName) or seller.marketplaceId


def product_of(item: Item) -> ProductContext:
    """The goods an item is about."""
    contexts = item.contexts or []
    return next((c for c in contexts if c.contextType in ("ProductContext", None)), ProductContext())


def token_of(product: ProductContext) -> str:
    """What names a line, because transactions know no order-item id: its SKU, else its ASIN."""
    return text(product.sku) or (f"asin:{product.asin}" if product.asin else "?")


def _identifier(transaction: Transaction, name: str) -> str | None:
    named = {
        i.relatedIdentifierName: text(i.relatedIdentifierValue) for i in transaction.relatedIdentifiers or ()
    }
    return named.get(name)
