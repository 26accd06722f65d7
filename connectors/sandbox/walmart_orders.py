"""`/v3/orders` and `/v3/returns` of the sandbox: purchase orders and returns as the world stands now."""

import uuid
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from connectors.sandbox.faults import bend
from connectors.sandbox.state import SandboxState
from connectors.sandbox.walmart_gate import ApiError, Ask, iso, ms
from connectors.sandbox.world import Line, Order, Refund, RefundLine

NODE_TYPES = {"SellerFulfilled": "merchant", "WFSFulfilled": "marketplace", "3PLFulfilled": None}
RETENTION = timedelta(days=180)
CREATED_DEFAULT = timedelta(days=7)
MOST_ORDERS = 10_000
_FIRST_PURCHASE_ORDER = 3_000_000_000_000
_FIRST_CUSTOMER_ORDER = 2_000_000_000_000
_FIRST_RETURN = 170_000_000_000_000
_CHUNK = 5_000
PLACEHOLDER = "nocxemail@walmartone.com"


def purchase_order_id(order: Order) -> str:
    return str(_FIRST_PURCHASE_ORDER + order.number)


def customer_order_id(order: Order) -> str:
    return order.external_number or str(_FIRST_CUSTOMER_ORDER + order.number)


class Orders:
    """The order endpoints over one running sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._fulfilled_by: dict[int, str] = {}  # never changes, and the filter needs it for every order
        self._returns: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    @property
    def _channel(self) -> str | None:
        market = next(iter(self._state.markets("walmart")), None)
        return market.channel if market else None

    def listing(self, ask: Ask) -> Response:
        """`GET /v3/orders`. The cursor is a query string that carries everything; nothing may be added to it."""
        limit = ask.whole("limit", 100, 200)
        node_type = ask.param("shipNodeType") or "SellerFulfilled"
        if node_type not in NODE_TYPES:
            raise ApiError(
                400, "INVALID_REQUEST_PARAM.GMP_ORDER_API", "shipNodeType is unknown", "shipNodeType"
            )
        numbers = self._matching(ask, node_type)
        start = self._position(ask, numbers)
        if ask.fault is not None and ask.fault.kind == "repeat":
            start = 0
        if not numbers:
            raise ApiError(
                404, "CONTENT_NOT_FOUND.GMP_ORDER_API", "No orders found for the search criteria provided"
            )
        chosen = numbers[start : start + limit]
        found = self._state.world.orders(chosen, ask.now)
        has_more = start + limit < min(len(numbers), MOST_ORDERS)
        meta: dict[str, Any] = {"totalCount": len(numbers), "limit": limit}
        if has_more:
            meta["nextCursor"] = self._cursor(ask, limit, node_type, found[-1], start + limit)
        replacements = ask.param("replacementInfo") == "true"
        records = bend([order_record(order, replacements) for order in found], ask.fault)
        return ask.answer({"list": {"meta": meta, "elements": {"order": records}}}, "list")

    def one(self, ask: Ask) -> Response:
        """`GET /v3/orders/{purchaseOrderId}`."""
        given = ask.request.path_params["purchase_order_id"]
        number = int(given) - _FIRST_PURCHASE_ORDER if given.isdigit() else -1
        channel = self._channel
        known = channel and number in set(self._state.world.orders_between(channel, ask.now))
        if not known:
            raise ApiError(
                404, "CONTENT_NOT_FOUND.GMP_ORDER_API", "No such purchase order", "purchaseOrderId"
            )
        order = self._state.world.orders([number], ask.now)[0]
        return ask.answer({"order": order_record(order, ask.param("replacementInfo") == "true")}, "order")

    def _matching(self, ask: Ask, node_type: str) -> list[int]:
        """Numbers of the orders the question is about, by (updated, number)."""
        channel = self._channel
        if channel is None or NODE_TYPES[node_type] is None:
            return []
        created = ask.instant("createdStartDate") or ask.now - CREATED_DEFAULT
        until = ask.instant("lastModifiedEndDate")
        since = ask.instant("lastModifiedStartDate")
        if since and until and since > until:
            raise ApiError(
                400,
                "INVALID_REQUEST_PARAM.GMP_ORDER_API",
                "lastModifiedStartDate is after its end",
                "lastModifiedEndDate",
            )
        if ask.fault is not None and ask.fault.kind == "late":
            hidden = ask.now - timedelta(seconds=ask.fault.seconds)
            until = min(until or hidden, hidden)
        numbers = self._state.world.orders_between(
            channel,
            ask.now,
            updated_since=since,
            updated_until=until,
            created_since=max(created, ask.now - RETENTION),
            created_until=ask.instant("createdEndDate"),
        )
        return self._of_node(numbers, NODE_TYPES[node_type], ask.now)

    def _of_node(self, numbers: Sequence[int], fulfilled_by: str | None, now: datetime) -> list[int]:
        unknown = [number for number in numbers if number not in self._fulfilled_by]
        for start in range(0, len(unknown), _CHUNK):
            for order in self._state.world.orders(unknown[start : start + _CHUNK], now):
                self._fulfilled_by[order.number] = order.fulfilled_by
        return [number for number in numbers if self._fulfilled_by[number] == fulfilled_by]

    def _position(self, ask: Ask, numbers: list[int]) -> int:
        """Where the cursor points: behind the order it names, also when that one has left the window since."""
        so_index, po_index = ask.param("soIndex"), ask.param("poIndex")
        if so_index is None or po_index is None:
            return 0
        if not (so_index.isdigit() and po_index.isdigit() and ask.param("sellerId")):
            raise ApiError(400, "INVALID_CURSOR.GMP_ORDER_API", "Invalid cursor", "nextCursor")
        last = int(po_index) - _FIRST_PURCHASE_ORDER
        if last in numbers:
            return numbers.index(last) + 1
        after = datetime.fromtimestamp(int(so_index) / 1_000_000, UTC)
        low, high = 0, len(numbers)
        while low < high:
            middle = (low + high) // 2
            order = self._state.world.orders([numbers[middle]], ask.now)[0]
            if (order.updated_at, order.number) <= (after, last):
                low = middle + 1
            else:
                high = middle
        return low

    def _cursor(self, ask: Ask, limit: int, node_type: str, last: Order, position: int) -> str:
        kept = (
            "createdStartDate",
            "createdEndDate",
            "lastModifiedStartDate",
            "lastModifiedEndDate",
            "replacementInfo",
        )
        query = {
            "limit": limit,
            "hasMoreElements": "true",
            "soIndex": int(last.updated_at.timestamp() * 1_000_000),
            "poIndex": purchase_order_id(last),
            "partnerId": "10000000001",
            "sellerId": "101",
            "shipNodeType": node_type,
            **{name: ask.param(name) for name in kept if ask.param(name)},
        }
        return "?" + urlencode(query)

    def returns(self, ask: Ask) -> Response:
        """`GET /v3/returns`. Dates only in pairs; the cursor is a query string and good for one answer each."""
        limit = ask.whole("limit", 10, 200)
        session, offset = ask.param("returnsCursor"), ask.whole("offset", 0, 10**9, 0)
        if session is None:
            found = self._returned(ask)
            session = uuid.uuid4().hex
            self._returns[session] = found
            while len(self._returns) > 32:
                self._returns.popitem(last=False)
        elif session in self._returns:
            found = self._returns[session]
        else:
            raise ApiError(400, "INVALID_CURSOR.GMP_RETURN_API", "Invalid cursor", "nextCursor")
        if ask.fault is not None and ask.fault.kind == "repeat":
            offset = 0
        cursor = ""
        if offset + limit < len(found):
            cursor = "?" + urlencode({"returnsCursor": session, "offset": offset + limit, "limit": limit})
        return ask.answer(
            {
                "meta": {"totalCount": len(found), "limit": limit, "nextCursor": cursor},
                "returnOrders": bend(found[offset : offset + limit], ask.fault),
            },
            "returns",
        )

    def _returned(self, ask: Ask) -> list[dict[str, Any]]:
        spans = []
        for kind in ("returnLastModified", "returnCreation"):
            start, end = ask.instant(f"{kind}StartDate"), ask.instant(f"{kind}EndDate")
            if (start is None) != (end is None):
                raise ApiError(
                    400,
                    "INVALID_REQUEST_PARAM.GMP_RETURN_API",
                    f"{kind}StartDate and {kind}EndDate go together",
                    f"{kind}EndDate" if end is None else f"{kind}StartDate",
                )
            if start is not None and end is not None:
                spans.append((start, end))
        channel = self._channel
        if channel is None:
            return []
        since = max((start for start, _ in spans), default=ask.now - RETENTION)
        until = min((end for _, end in spans), default=ask.now)
        numbers = self._state.world.orders_between(channel, ask.now, updated_since=since)
        found: list[tuple[datetime, dict[str, Any]]] = []
        for first in range(0, len(numbers), _CHUNK):
            for order in self._state.world.orders(numbers[first : first + _CHUNK], ask.now):
                for index, refund in enumerate(order.refunds):
                    if since <= refund.at < until and any(line.quantity for line in refund.lines):
                        found.append((refund.at, return_record(order, refund, index)))
        return [record for _, record in sorted(found, key=lambda pair: (pair[0], pair[1]["returnOrderId"]))]


def order_record(order: Order, replacement_info: bool) -> dict[str, Any]:
    """An order in the API's shape. Cancelled lines have zero charges, as at Walmart."""
    alive = [line for line in order.lines if not _is_cancelled(order, line)]
    carrier = alive[0] if alive else None  # shipping is charged on a line
    record: dict[str, Any] = {
        "purchaseOrderId": purchase_order_id(order),
        "customerOrderId": customer_order_id(order),
        "customerEmailId": _email(order),
        "orderDate": ms(order.created_at),
        "mart": "WALMART_US",
        "isGuest": order.customer is None,
        "shippingInfo": {
            "phone": "0000000000" if not alive else "5555550100",
            "estimatedDeliveryDate": ms(order.created_at + timedelta(days=5)),
            "estimatedShipDate": ms(order.created_at + timedelta(days=2)),
            "methodCode": "Standard",
            "postalAddress": {
                "name": "Sandbox Buyer",
                "address1": "1 Example Street",
                "city": "Springfield",
                "state": order.region or "",
                "postalCode": "00000",
                "country": "USA" if order.country == "US" else order.country,
                "addressType": "RESIDENTIAL",
            },
        },
        "orderLines": {"orderLine": [_line_record(order, line, line is carrier) for line in order.lines]},
        "shipNode": {"type": "WFSFulfilled" if order.fulfilled_by == "marketplace" else "SellerFulfilled"},
    }
    if order.customer is not None:
        record["buyerId"] = str(uuid.UUID(int=order.customer, version=4))
    if replacement_info:
        record["orderType"] = "REPLACEMENT" if order.is_replacement else "REGULAR"
        if order.replaces is not None:
            record["originalCustomerOrderID"] = str(_FIRST_CUSTOMER_ORDER + order.replaces)
    return record


def _email(order: Order) -> str:
    if order.customer is None:
        return PLACEHOLDER
    return f"{uuid.UUID(int=order.customer, version=4).hex.upper()}@relay.walmart.com"


def _is_cancelled(order: Order, line: Line) -> bool:
    return order.cancelled_at is not None or line.cancelled >= line.quantity


def _line_record(order: Order, line: Line, carries_shipping: bool) -> dict[str, Any]:
    cancelled = _is_cancelled(order, line)
    nothing = Decimal(0)
    gross = nothing if cancelled else line.quantity * line.unit_price
    charges = [_charge(order, "PRODUCT", "ItemPrice", gross, nothing if cancelled else line.tax)]
    if line.discount and not cancelled:
        charges.append(_charge(order, "PRODUCT", "SubscriptionDiscount", -line.discount, nothing))
    if carries_shipping and order.shipping:
        charges.append(_charge(order, "SHIPPING", "Shipping", order.shipping, order.shipping_tax))
    record: dict[str, Any] = {
        "lineNumber": str(line.number),
        "item": {"productName": line.title, "sku": line.sku or "", "condition": "New"},
        "charges": {"charge": charges},
        "orderLineQuantity": _units(line.quantity),
        "statusDate": ms(order.updated_at),
        "orderLineStatuses": {"orderLineStatus": _statuses(order, line)},
        "fulfillment": {"fulfillmentOption": "DELIVERY", "shipMethod": "STANDARD"},
    }
    refund_charges = _refund_charges(order, line)
    if refund_charges:
        record["refund"] = {
            "refundId": f"R{purchase_order_id(order)}-{line.number}",
            "refundComments": "sandbox",
            "refundCharges": {"refundCharge": refund_charges},
        }
    return record


def _statuses(order: Order, line: Line) -> list[dict[str, Any]]:
    gone = line.quantity if order.cancelled_at is not None else line.cancelled
    if order.delivered_at:
        name = "Delivered"
    elif order.shipped_at:
        name = "Shipped"
    else:
        name = "Acknowledged" if order.paid_at else "Created"
    statuses = []
    if line.quantity > gone:
        status: dict[str, Any] = {"status": name, "statusQuantity": _units(line.quantity - gone)}
        if order.shipped_at:
            status["trackingInfo"] = {
                "shipDateTime": ms(order.shipped_at),
                "carrierName": {"carrier": "UPS"},
                "methodCode": "Standard",
                "trackingNumber": f"1Z{order.number:016d}",
            }
        statuses.append(status)
    if gone or not statuses:
        statuses.append(
            {
                "status": "Cancelled",
                "statusQuantity": _units(gone),
                "cancellationReason": "CUSTOMER_REQUESTED_SELLER_TO_CANCEL",
            }
        )
    return statuses


def _units(quantity: int) -> dict[str, str]:
    return {"unitOfMeasurement": "EACH", "amount": str(quantity)}


def _charge(order: Order, kind: str, name: str, amount: Decimal, tax: Decimal) -> dict[str, Any]:
    charge: dict[str, Any] = {"chargeType": kind, "chargeName": name, "chargeAmount": _amount(order, amount)}
    if tax:
        charge["tax"] = {"taxName": "Tax1", "taxAmount": _amount(order, tax)}
    return charge


def _amount(order: Order, amount: Decimal) -> dict[str, Any]:
    # A JSON number, as at Walmart; the shortest text of the float is the decimal itself.
    return {"currency": order.currency, "amount": float(amount)}


def _refund_charges(order: Order, line: Line) -> list[dict[str, Any]]:
    charges = []
    for refund in order.refunds:
        for part in refund.lines:
            if part.line_number == line.number and (part.amount or part.tax):
                charges.append(_charge(order, "PRODUCT", "Item Price", -part.amount, -part.tax))
        first = refund.lines[0].line_number if refund.lines else order.lines[0].number
        if refund.shipping and first == line.number:
            charges.append(_charge(order, "SHIPPING", "Shipping Price", -refund.shipping, Decimal(0)))
    return [{"refundReason": "CustomerChangedMind", "charge": charge} for charge in charges]


def return_record(order: Order, refund: Refund, index: int) -> dict[str, Any]:
    """A refund of units as a return; one the buyer may keep when the goods did not come back."""
    lines = []
    for number, part in enumerate((part for part in refund.lines if part.quantity), 1):
        line = next(line for line in order.lines if line.number == part.line_number)
        shipping = refund.shipping if number == 1 else Decimal(0)
        lines.append(
            {
                "returnOrderLineNumber": number,
                "salesOrderLineNumber": part.line_number,
                "returnReason": "NO_LONGER_WANTED" if refund.is_return else "DAMAGED",
                "purchaseOrderId": purchase_order_id(order),
                "purchaseOrderLineNumber": part.line_number,
                "item": {"sku": line.sku or "", "productName": line.title, "condition": "New"},
                "charges": _return_charges(order, part, shipping),
                "chargeTotals": _charge_totals(order, part, shipping),
                "unitPrice": _money(order, line.unit_price),
                "quantity": {"unitOfMeasure": "EACH", "measurementValue": part.quantity},
                "returnExpectedFlag": refund.is_return,
                "isKeepIt": not refund.is_return,
                "refundedQty": part.quantity,
                "status": "COMPLETED",
                "statusTime": iso(refund.at),
                "currentRefundStatus": "REFUND_COMPLETED",
            }
        )
    total = sum((part.amount + part.tax for part in refund.lines), refund.shipping)
    return {
        "returnOrderId": str(_FIRST_RETURN + order.number * 100 + index),
        "customerEmailId": _email(order),
        "returnType": "REFUND",
        "customerOrderId": customer_order_id(order),
        "returnOrderDate": iso(refund.at),
        "returnByDate": iso(refund.at + timedelta(days=30)),
        "refundMode": "POST_RETURN",
        "totalRefundAmount": _money(order, total),
        "returnOrderLines": lines,
        "returnChannel": {"channelName": "ONLINE"},
    }


def _return_charges(order: Order, part: RefundLine, shipping: Decimal) -> list[dict[str, Any]]:
    """What is given back for one unit."""

    def charge(category: str, name: str, amount: Decimal, tax: Decimal) -> dict[str, Any]:
        return {
            "chargeCategory": category,
            "chargeName": name,
            "chargePerUnit": _money(order, amount / part.quantity),
            "isDiscount": False,
            "isBillable": True,
            "tax": [{"taxName": name, "taxPerUnit": _money(order, tax / part.quantity)}],
        }

    charges = [charge("PRODUCT", "ItemPrice", part.amount, part.tax)]
    if shipping:
        charges.append(charge("SHIPPING", "Shipping", shipping, Decimal(0)))
    return charges


def _charge_totals(order: Order, part: RefundLine, shipping: Decimal) -> list[dict[str, Any]]:
    """The same for all units of the line."""
    totals = {
        "lineUnitPrice": part.amount,
        "lineProductTaxes": part.tax,
        "lineTotalTaxes": part.tax,
        "lineShippingFee": shipping,
        "lineSubTotal": part.amount + shipping,
        "lineTotal": part.amount + shipping + part.tax,
    }
    return [{"name": name, "value": _money(order, amount)} for name, amount in totals.items()]


def _money(order: Order, amount: Decimal) -> dict[str, Any]:
    return {"currencyAmount": float(round(amount, 4)), "currencyUnit": order.currency}
