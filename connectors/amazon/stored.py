"""Stored payloads to frames: what a seller kept of Amazon's answers, whatever it was wrapped in.

Recognised by shape: Orders 2026-01-01 and v0 (orders and, apart, their lines), FBA inventory, listings, catalog,
finances 2024-06-19 and v0; as one record, a page, a list, with or without `payload` around it, JSON or JSON lines;
reports as text; the XML of the orders report and of MWS.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl

from connectors.amazon.marketplaces import MARKETPLACES, channels_of
from connectors.amazon.normalize import finances, orders_2026, orders_v0
from connectors.amazon.normalize.all_orders import all_orders_report
from connectors.amazon.normalize.decoding import Decoded, each, keyed, untyped
from connectors.amazon.normalize.feedback import feedback_report
from connectors.amazon.normalize.listings import CatalogItem, Listing, listings_report, product_frames
from connectors.amazon.normalize.orders_2026_shapes import Order
from connectors.amazon.normalize.returned import returns_report
from connectors.amazon.normalize.stock import Listing as StockListing
from connectors.amazon.normalize.stock import Summary, listing_frames, stock_report, summary_frames
from connectors.amazon.normalize.transactions import Transaction
from connectors.amazon.normalize.values import text
from connectors.amazon.xml_orders import records_of_xml
from connectors.base import Account, Context
from connectors.canonical import Normalized, conform, merge_normalized
from connectors.errors import ConfigurationError, ProtocolError

RESOURCES = ("orders", "products", "inventory", "returns", "refunds", "feedback")
_WRAPPERS = ("payload", "body", "response", "data", "result", "Payload")
_TEXT_READERS = {
    "orders": all_orders_report,
    "products": listings_report,
    "inventory": stock_report,
    "returns": returns_report,
    "feedback": feedback_report,
}


def stored_context(fetched_at: datetime) -> Context:
    """A context for payloads of no particular account: every marketplace, the United States first."""
    return Context(Account("amazon", "amazon", "", "", {}, channels_of(MARKETPLACES)), fetched_at)


def normalize_stored(resource: str, bodies: list[tuple[str, bytes]], context: Context) -> Normalized:
    """Frames of stored payloads, (file name, content) each.

    Raises ConfigurationError when the resource is unknown or a file holds nothing of it.
    """
    if resource not in RESOURCES:
        raise ConfigurationError(f"amazon has no resource {resource!r}; there are {', '.join(RESOURCES)}")
    found = _Found()
    parts: list[Normalized] = []
    for name, body in bodies:
        try:
            if _is_text(body):
                parts.append(_read_text(resource, name, body, context))
            else:
                found.take_file(name, body)
        except ProtocolError as error:
            raise ConfigurationError(f"{name}: {error}") from error
    parts.append(found.frames(resource, context))
    return merge_normalized(parts)


def _read_text(resource: str, name: str, body: bytes, context: Context) -> Normalized:
    reader = _TEXT_READERS.get(resource)
    if reader is None:
        raise ConfigurationError(f"{name}: {resource} are read from JSON, and this is none")
    return reader(body, "utf-8", context)


def _is_text(body: bytes) -> bool:
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"[", b"<", b"")


def _documents(body: bytes, name: str) -> list[Any]:
    """The JSON documents of a file: one, or one a line."""
    lines = [line for line in body.splitlines() if line.strip()]
    try:
        documents = [untyped(body, name)]
    except ProtocolError:
        if len(lines) < 2:
            raise
        documents = [untyped(line, f"{name} line {number}") for number, line in enumerate(lines, 1)]
    return documents


class _Found:
    """Records by what they are, gathered from all files: an order and its lines may lie in two of them."""

    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.v0_orders: list[Any] = []
        self.v0_items: dict[str, list[Any]] = {}
        self.v0_gifts: dict[tuple[str, str], dict[str, Any]] = {}  # wrapping of a line, told apart from it
        self.v0_beside: dict[str, dict[str, Any]] = {}  # address and buyer of an order, told apart from it
        self.summaries: dict[str | None, list[Any]] = {}
        self.listings: list[Any] = []
        self.catalog: list[Any] = []
        self.transactions: list[Any] = []
        self.v0_events: list[Any] = []

    def take_file(self, name: str, body: bytes) -> None:
        """Keeps the records of a file. Raises ConfigurationError when there are none that are known."""
        documents = records_of_xml(body) if body.lstrip().startswith(b"<") else _documents(body, name)
        if not self._any(documents, self.take):
            raise ConfigurationError(f"{name}: this is no answer of Amazon that Wharf knows")

    def take(self, document: Any) -> bool:
        """Keeps the records of a document; False when it is nothing known."""
        if isinstance(document, list):
            return self._any(document, self.take)
        if not isinstance(document, dict):
            return False
        return (
            self._page(document)
            or self._record(document)
            or self._notification(document)
            or self._wrapped(document)
            or self._deep(document)
        )

    def _page(self, document: dict[str, Any]) -> bool:
        if isinstance(document.get("orders"), list):
            self.orders += document["orders"]
        elif isinstance(document.get("order"), dict):
            self.orders.append(document["order"])
        elif isinstance(document.get("Orders"), list):
            self.v0_orders += document["Orders"]
        elif "OrderItems" in document and "PurchaseDate" not in document:
            return self._lines(document)
        elif isinstance(document.get("inventorySummaries"), list):
            granularity = document.get("granularity")
            place = text(granularity.get("granularityId")) if isinstance(granularity, dict) else None
            self.summaries.setdefault(place, []).extend(document["inventorySummaries"])
        elif isinstance(document.get("transactions"), list):
            self.transactions += document["transactions"]
        elif isinstance(document.get("FinancialEvents"), dict):
            for name in finances.V0_LISTS:
                events = document["FinancialEvents"].get(name)
                self.v0_events += events if isinstance(events, list) else []
        elif isinstance(document.get("items"), list) and not _is_transaction(document):
            return self._any(document["items"], self._record)
        else:
            return False
        return True

    def _lines(self, document: dict[str, Any]) -> bool:
        """An answer of getOrderItems, or of getOrderItemsBuyerInfo; somebody's own tool may keep the order beside."""
        lines, order = document["OrderItems"], document.get("Order")
        if not isinstance(lines, list):
            return False
        order_id = document.get("AmazonOrderId")
        if isinstance(order, dict) and self._record(order):
            order_id = order_id or order.get("AmazonOrderId")
        for line in lines:
            if _is_buyer_info(line):
                self.v0_gifts[str(order_id), str(line.get("OrderItemId"))] = line
            else:
                self.v0_items.setdefault(str(order_id or "(unknown)"), []).append(line)
        return True

    def _record(self, record: Any) -> bool:
        if not isinstance(record, dict):
            return False
        if "orderId" in record and ("orderItems" in record or "salesChannel" in record):
            self.orders.append(record)
        elif "AmazonOrderId" in record and ("PurchaseDate" in record or "OrderStatus" in record):
            self.v0_orders.append(record)
        elif "AmazonOrderId" in record and record.keys() & {"ShippingAddress", "BuyerEmail", "BuyerName"}:
            about = {"BuyerInfo": {"BuyerEmail": record["BuyerEmail"]}} if record.get("BuyerEmail") else {}
            if record.get("ShippingAddress"):
                about["ShippingAddress"] = record["ShippingAddress"]
            self.v0_beside.setdefault(str(record["AmazonOrderId"]), {}).update(about)
        elif "OrderItemId" in record and "QuantityOrdered" in record:
            self.v0_items.setdefault(str(record.get("AmazonOrderId", "(unknown)")), []).append(record)
        elif "ShipmentItemAdjustmentList" in record:
            self.v0_events.append(record)
        elif _is_transaction(record):
            self.transactions.append(record)
        elif "sellerSku" in record or "inventoryDetails" in record:
            self.summaries.setdefault(None, []).append(record)
        elif "sku" in record:
            self.listings.append(record)
        elif "asin" in record:
            self.catalog.append(record)
        else:
            return False
        return True

    def _notification(self, document: dict[str, Any]) -> bool:
        """ORDER_CHANGE says an order's ids, state and units, and no money."""
        change = document.get("OrderChangeNotification")
        summary = change.get("Summary") if isinstance(change, dict) else None
        if not isinstance(change, dict) or not isinstance(summary, dict):
            return False
        trigger = change.get("OrderChangeTrigger")
        lines = summary.get("OrderItems")
        self.v0_orders.append(
            {
                **summary,
                "AmazonOrderId": change.get("AmazonOrderId"),
                "LastUpdateDate": (trigger if isinstance(trigger, dict) else {}).get("TimeOfOrderChange")
                or summary.get("PurchaseDate"),
                "FulfillmentChannel": summary.get("FulfillmentType"),
                "OrderItems": [
                    {**line, "QuantityOrdered": line.get("Quantity")}
                    for line in (lines if isinstance(lines, list) else [])
                    if isinstance(line, dict)
                ],
            }
        )
        return True

    def _wrapped(self, document: dict[str, Any]) -> bool:
        inner = [document[name] for name in _WRAPPERS if isinstance(document.get(name), dict | list)]
        return bool(inner) and self._any(inner, self.take)

    def _deep(self, document: dict[str, Any]) -> bool:
        """Answers kept under names of somebody's own, such as {"get_orders": {"json": {"payload": …}}}."""
        inner = [value for value in document.values() if value and isinstance(value, dict | list)]
        return bool(inner) and self._any(inner, self.take)

    @staticmethod
    def _any(entries: list[Any], take: Callable[[Any], bool]) -> bool:
        """Takes every entry; whether one was known, or there was none to know."""
        taken = [take(entry) for entry in entries]
        return any(taken) or not taken

    # -- frames --------------------------------------------------------------------------------------------

    def frames(self, resource: str, context: Context) -> Normalized:
        """What was found of a resource."""
        if resource == "orders":
            return self._orders(context)
        if resource == "products":
            catalog = each(self.catalog, CatalogItem, keyed("asin"))
            read = product_frames(each(self.listings, Listing, keyed("sku")), catalog.records, context)
            return Normalized(read.frames, read.rejected + tuple(catalog.rejected), read.notes, read.records)
        if resource == "inventory":
            parts = [
                summary_frames(each(records, Summary, keyed("sellerSku", "fnSku")), place, context)
                for place, records in self.summaries.items()
            ]
            parts.append(listing_frames(each(self.listings, StockListing, keyed("sku")), context))
            return merge_normalized(parts)
        given_back = merge_normalized(
            [
                finances.transaction_frames(
                    each(self.transactions, Transaction, keyed("transactionId")), context
                ),
                finances.events_v0(each(self.v0_events, finances.V0Event, keyed("AmazonOrderId")), context),
            ]
        )
        return given_back if resource == "refunds" else _as_returns(given_back)

    def _orders(self, context: Context) -> Normalized:
        parts = [orders_2026.order_frames(each(self.orders, Order, keyed("orderId")), context)]
        if self.v0_orders or self.v0_items:
            told = [
                {**record, **self.v0_beside.get(str(record.get("AmazonOrderId")), {})}
                if isinstance(record, dict)
                else record
                for record in self.v0_orders
            ]
            placed: Decoded[orders_v0.Order] = each(told, orders_v0.Order, orders_v0.order_key)
            items = {
                order_id: each(
                    [self._wrapped_as_gift(order_id, record) for record in records],
                    orders_v0.Item,
                    orders_v0.item_key,
                )
                for order_id, records in self.v0_items.items()
            }
            parts.append(orders_v0.orders_v0(placed, items, context))
        return merge_normalized(parts)

    def _wrapped_as_gift(self, order_id: str, line: Any) -> Any:
        gift = self.v0_gifts.get((order_id, str(line.get("OrderItemId")))) if isinstance(line, dict) else None
        return line if gift is None else {**line, "BuyerInfo": gift}


def _is_buyer_info(item: Any) -> bool:
    """Whether a line is getOrderItemsBuyerInfo's: it tells of gift wrapping and not how many units."""
    return isinstance(item, dict) and item.keys() <= {
        "OrderItemId", "BuyerCustomizedInfo", "GiftWrapPrice", "GiftWrapTax", "GiftMessageText", "GiftWrapLevel"
    }  # fmt: skip


def _is_transaction(record: dict[str, Any]) -> bool:
    return "transactionType" in record or "transactionId" in record


def _as_returns(given_back: Normalized) -> Normalized:
    """Refund transactions as rows of `returns`: money and units, no reason."""
    rows = given_back.frame("refunds")
    frame = rows.select(
        "channel",
        return_id="refund_id",
        return_line_id="line_id",
        order_external_id="order_external_id",
        line_id="line_id",
        quantity="quantity",
        refunded_quantity="quantity",
        amount="amount",
        currency="currency",
        returned_at="refunded_at",
        source_updated_at="source_updated_at",
        sku=pl.when(~pl.col("line_id").str.contains(r"^(asin:|\?)")).then(
            pl.col("line_id").str.extract(r"^(.+)#\d+$")
        ),
        reason=pl.lit(None, dtype=pl.String),
        status=pl.lit(None, dtype=pl.String),
    )
    frames = {"returns": conform(frame, "returns")}
    return Normalized(frames, given_back.rejected, given_back.notes, given_back.records)
