"""`/orders/2026-01-01` of the sandbox, and the order lines of the all-orders report."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.sandbox.amazon_gate import (
    TOO_FRESH,
    ApiError,
    Ask,
    amount,
    digits,
    invalid,
    iso,
    page_token,
    read_token,
)
from connectors.sandbox.faults import bend
from connectors.sandbox.world import Line, Market, Order, World

STATUSES = "PENDING_AVAILABILITY PENDING UNSHIPPED PARTIALLY_SHIPPED SHIPPED CANCELLED UNFULFILLABLE".split()
DATA_SETS = [
    "BUYER", "RECIPIENT", "PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "TAX",
    "PAYMENT", "FULFILLMENT_ORDERS",
]  # fmt: skip
RETENTION = timedelta(days=730)
SHIP_BY, DELIVER_BY = timedelta(days=2), timedelta(days=6)  # what buyers are promised, from the order on
_MILLION = 10**7
_TICK = timedelta(microseconds=1)
_TOKEN_LIFE = timedelta(hours=24)
_CHUNK = 2000
_ZERO = Decimal(0)


def order_id(number: int) -> str:
    """Amazon's 3-7-7 form of an order's number."""
    return f"{113 + number // _MILLION:03d}-{(number * 7654321 + 1234567) % _MILLION:07d}-{number % _MILLION:07d}"


def order_number(identity: str) -> int | None:
    """The number behind `order_id`; None for what is no id of this world."""
    first, _, rest = identity.partition("-")
    last = rest.rpartition("-")[2]
    if not (first.isdigit() and last.isdigit()):
        return None
    number = (int(first) - 113) * _MILLION + int(last)
    return number if number >= 0 and order_id(number) == identity else None


def item_id(order: Order, line: Line) -> str:
    """Amazon's id of an order's line."""
    return f"{order.number:010d}{line.number:04d}"


def asin(product_number: int) -> str:
    """An ASIN: `B0` and eight digits or capitals."""
    alphabet, rest, value = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "", product_number * 104729 + 36**7
    for _ in range(8):
        value, place = divmod(value, 36)
        rest = alphabet[place] + rest
    return f"B0{rest}"


def status_of(order: Order) -> str:
    """The order's fulfilment status."""
    if order.cancelled_at is not None:
        return "CANCELLED"
    if order.paid_at is None:
        return "PENDING"
    return "SHIPPED" if order.shipped_at is not None else "UNSHIPPED"


# -- endpoints ---------------------------------------------------------------------------------------------


def search(ask: Ask) -> dict[str, Any]:
    """`GET /orders/2026-01-01/orders`."""
    created, updated = ask.instant("createdAfter"), ask.instant("lastUpdatedAfter")
    created_before = ask.instant("createdBefore", settled=True)
    updated_before = ask.instant("lastUpdatedBefore", settled=True)
    if (created is None) == (updated is None):
        raise invalid("Exactly one of createdAfter and lastUpdatedAfter must be given.")
    if created is not None and updated_before is not None:
        raise invalid("lastUpdatedBefore cannot be given with createdAfter.")
    if updated is not None and created_before is not None:
        raise invalid("createdBefore cannot be given with lastUpdatedAfter.")
    start, end = (created or updated), (created_before or updated_before)
    if end is not None and start is not None and end < start:
        raise invalid("The end of the window lies before its start.")
    limit = ask.whole("maxResultsPerPage", 100, 100)
    included = ask.listed("includedData", 20, DATA_SETS)
    statuses = ask.listed("fulfillmentStatuses", 20, STATUSES)
    fulfilled_by = ask.listed("fulfilledBy", 2, ["MERCHANT", "AMAZON"])
    markets = ask.markets()
    fingerprint = ask.fingerprint(["paginationToken", "maxResultsPerPage", "includedData"])
    token = _token(ask, fingerprint)
    # Without an end the server cuts off, and the cut-off stays the same for all pages of the search.
    until = end or (datetime.fromisoformat(token["until"]) if token else ask.now - TOO_FRESH)
    late = ask.fault.seconds if ask.fault is not None and ask.fault.kind == "late" else 0.0
    visible = min(until, ask.now - timedelta(seconds=late)) if late else until
    found, following = _page(
        ask, markets, start, visible, token=token, limit=limit, by_creation=created is not None
    )
    if statuses or fulfilled_by:
        names = {"merchant": "MERCHANT", "marketplace": "AMAZON"}
        found = [
            (market, order)
            for market, order in found
            if (not statuses or status_of(order) in statuses)
            and (not fulfilled_by or names[order.fulfilled_by] in fulfilled_by)
        ]
    records = [order_record(order, market, included) for market, order in found]
    answer: dict[str, Any] = {"orders": bend(records, ask.fault)}
    if following is not None:
        given = {"until": until.isoformat(), "made": ask.now.isoformat(), "query": fingerprint}
        answer["pagination"] = {"nextToken": page_token(**following, **given)}
        if _is(ask, "repeat") and token:
            answer["pagination"] = {"nextToken": ask.param("paginationToken")}
    answer["createdBefore" if created is not None else "lastUpdatedBefore"] = iso(until)
    return answer


def one(ask: Ask) -> dict[str, Any]:
    """`GET /orders/2026-01-01/orders/{orderId}`."""
    included = ask.listed("includedData", 20, DATA_SETS)
    number = order_number(ask.request.path_params["order_id"])
    found = _known(ask.state.world, number, ask.now) if number is not None else None
    market = next((m for m in ask.state.markets("amazon") if found and m.channel == found.channel), None)
    if found is None or market is None:
        raise ApiError(404, "NotFound", "The order does not exist.")
    return {"order": bend([order_record(found, market, included)], ask.fault)[0]}


def _known(world: World, number: int, now: datetime) -> Order | None:
    try:
        found = world.orders([number], now)
    except (KeyError, IndexError, ValueError):
        return None
    return found[0] if found and found[0].number == number and found[0].created_at <= now else None


def _is(ask: Ask, kind: str) -> bool:
    return ask.fault is not None and ask.fault.kind == kind


def _token(ask: Ask, fingerprint: str) -> dict[str, Any] | None:
    given = ask.param("paginationToken")
    if given is None:
        return None
    token = read_token(given, "paginationToken")
    if token.get("query") != fingerprint:
        raise invalid("paginationToken: all parameters must be those of the request that gave the token.")
    if ask.now - datetime.fromisoformat(token["made"]) > _TOKEN_LIFE:
        raise invalid("paginationToken: the token has expired.")
    return token


def _page(
    ask: Ask,
    markets: list[Market],
    start: datetime | None,
    until: datetime,
    *,
    token: dict[str, Any] | None,
    limit: int,
    by_creation: bool,
) -> tuple[list[tuple[Market, Order]], dict[str, Any] | None]:
    """Orders of one page, market by market, and where the next one begins.

    Reading goes on behind the last (change, number) seen, so that orders which leave the window by changing
    do not push others out of sight.
    """
    world, now = ask.state.world, ask.now
    first = token["market"] if token else 0
    after = (datetime.fromisoformat(token["at"]), token["number"]) if token and token.get("at") else None
    oldest = now - RETENTION
    found: list[tuple[Market, Order]] = []
    for position in range(first, len(markets)):
        market = markets[position]
        since = max(start or oldest, oldest)
        if by_creation:
            numbers = list(
                world.orders_between(market.channel, now, created_since=since, created_until=until + _TICK)
            )
        else:
            since = max(since, after[0]) if after else since
            numbers = list(
                world.orders_between(market.channel, now, updated_since=since, updated_until=until + _TICK)
            )
        room = limit - len(found)
        chosen = _behind(world, numbers, after, room + 1, now)
        found += [(market, order) for order in chosen[:room]]
        if len(chosen) > room:
            last = found[-1][1] if found and found[-1][0] is market else None
            where = {"at": last.updated_at.isoformat(), "number": last.number} if last else {}
            return found, {"market": position, **where}
        after = None
    return found, None


def _behind(
    world: World, numbers: list[int], after: tuple[datetime, int] | None, room: int, now: datetime
) -> list[Order]:
    """The first `room` orders behind `after`, which is usually still where it was."""
    if after is None:
        return world.orders(numbers[:room], now)
    if after[1] in numbers[:_CHUNK]:
        start = numbers.index(after[1]) + 1
        return world.orders(numbers[start : start + room], now)
    # It changed meanwhile and is somewhere else.
    candidates = world.orders(numbers[: room + _CHUNK], now)
    return [order for order in candidates if (order.updated_at, order.number) > after][:room]


# -- records -----------------------------------------------------------------------------------------------


def order_record(order: Order, market: Market, included: list[str]) -> dict[str, Any]:
    """An order as searchOrders tells it, with the data sets asked for."""
    status, place = status_of(order), MARKETPLACES[market.external_id]
    priced = "PROCEEDS" in included and status != "PENDING"
    record: dict[str, Any] = {
        "orderId": order_id(order.number),
        "createdTime": iso(order.created_at),
        "lastUpdatedTime": iso(order.updated_at),
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": market.external_id,
            "marketplaceName": place.domain,
        },
        "orderItems": [
            _item(order, line, market, included, status, first=position == 0)
            for position, line in enumerate(order.lines)
        ],
    }
    if order.external_number:
        record["orderAliases"] = [{"aliasId": order.external_number, "aliasType": "SELLER_ORDER_ID"}]
    if order.replaces is not None and order.is_replacement:
        record["associatedOrders"] = [
            {"orderId": order_id(order.replaces), "associationType": "REPLACEMENT_ORIGINAL_ID"}
        ]
    if "BUYER" in included and order.fulfilled_by == "merchant" and order.customer is not None:
        record["buyer"] = {"buyerEmail": f"b{order.customer:09d}@marketplace.{place.domain.lower()}"}
    if "RECIPIENT" in included and status != "PENDING":
        address = {"countryCode": order.country, "addressType": "RESIDENTIAL"}
        if order.region:
            address["stateOrRegion"] = order.region
        record["recipient"] = {"deliveryAddress": address}
    if priced:
        totals = [_paid(order, line, market, first=n == 0) for n, line in enumerate(order.lines)]
        record["proceeds"] = {"grandTotal": amount(sum(totals, _ZERO), order.currency)}
    if "FULFILLMENT" in included:
        record["fulfillment"] = {
            "fulfillmentStatus": status,
            "fulfilledBy": "AMAZON" if order.fulfilled_by == "marketplace" else "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
        }
        if status not in {"PENDING", "CANCELLED"}:
            windows = {"shipByWindow": SHIP_BY, "deliverByWindow": DELIVER_BY}
            record["fulfillment"] |= {
                name: {
                    "earliestDateTime": iso(order.created_at),
                    "latestDateTime": iso(order.created_at + promised),
                }
                for name, promised in windows.items()
            }
    if "PACKAGES" in included and order.fulfilled_by == "merchant" and order.shipped_at is not None:
        record["packages"] = [_package(order, order.shipped_at)]
    return record


def _package(order: Order, shipped_at: datetime) -> dict[str, Any]:
    """Everything in one."""
    return {
        "packageReferenceId": "1",
        "createdTime": iso(shipped_at),
        "packageStatus": {"status": "DELIVERED" if order.delivered_at else "SHIPPED"},
        "carrier": "UPS",
        "shipTime": iso(shipped_at),
        "shippingService": "Ground",
        "trackingNumber": f"1Z{order.number:016d}",
        "packageItems": [
            {"orderItemId": item_id(order, line), "quantity": line.quantity - line.cancelled}
            for line in order.lines
            if line.quantity > line.cancelled
        ],
    }


def _item(
    order: Order, line: Line, market: Market, included: list[str], status: str, *, first: bool
) -> dict[str, Any]:
    gone = line.quantity if order.cancelled_at is not None else line.cancelled
    product: dict[str, Any] = {"asin": asin(line.product_number), "title": line.title}
    if line.sku is not None:
        product["sellerSku"] = line.sku
    item: dict[str, Any] = {
        "orderItemId": item_id(order, line),
        "quantityOrdered": line.quantity,
        "product": product,
    }
    if status != "PENDING":
        unit_price = _ZERO if order.is_replacement else line.unit_price
        product["price"] = {"unitPrice": amount(unit_price, order.currency)}
    if "PROCEEDS" in included and status != "PENDING":
        item["proceeds"] = _proceeds(order, line, market, first=first)
    if "CANCELLATION" in included and gone:
        item["cancellation"] = {
            "cancellationExecution": {"cancelledBy": "BUYER", "cancelReason": "Changed mind"}
        }
    if "FULFILLMENT" in included:
        kept = line.quantity - gone
        sent = kept if status == "SHIPPED" else 0
        item["fulfillment"] = {"quantityFulfilled": sent, "quantityUnfulfilled": kept - sent}
    return item


def _proceeds(order: Order, line: Line, market: Market, *, first: bool) -> dict[str, Any]:
    currency = order.currency
    parts: list[dict[str, Any]] = []

    def add(kind: str, value: Decimal, **details: Decimal) -> None:
        part: dict[str, Any] = {"type": kind, "subtotal": amount(value, currency)}
        if details:
            part["detailedBreakdowns"] = [
                {"subtype": name, "value": amount(share, currency)}
                for name, share in details.items()
                if share
            ]
        parts.append(part)

    if order.is_replacement:
        add("ITEM", _ZERO)
    else:
        add("ITEM", line.unit_price * line.quantity)
        shipping, shipping_tax = (order.shipping, order.shipping_tax) if first else (_ZERO, _ZERO)
        if shipping:
            add("SHIPPING", shipping)
        if line.tax or shipping_tax:
            add("TAX", line.tax + shipping_tax, ITEM=line.tax, SHIPPING=shipping_tax)
        if line.discount:
            add("DISCOUNT", -line.discount, ITEM=-line.discount)
    total = _paid(order, line, market, first=first)
    return {"proceedsTotal": amount(total, currency), "breakdowns": parts}


def _paid(order: Order, line: Line, market: Market, *, first: bool) -> Decimal:
    """What the buyer pays for a line; shipping goes with the first one."""
    if order.is_replacement:
        return _ZERO
    paid = line.unit_price * line.quantity - line.discount
    paid += order.shipping if first else _ZERO
    if not market.tax_included:
        paid += line.tax + (order.shipping_tax if first else _ZERO)
    return paid


# -- the report --------------------------------------------------------------------------------------------

REPORT_HEADER = (
    "amazon-order-id merchant-order-id purchase-date last-updated-date order-status fulfillment-channel "
    "sales-channel order-channel url ship-service-level product-name sku asin item-status quantity currency "
    "item-price item-tax shipping-price shipping-tax gift-wrap-price gift-wrap-tax item-promotion-discount "
    "ship-promotion-discount ship-city ship-state ship-postal-code ship-country promotion-ids "
    "is-business-order purchase-order-number price-designation"
).split()
_REPORT_STATUS = {
    "CANCELLED": "Cancelled",
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "SHIPPED": "Shipped",
}


def report_numbers(
    world: World, market: Market, since: datetime, until: datetime, now: datetime
) -> list[int]:
    """Orders of the report: changed in [since, until)."""
    return list(world.orders_between(market.channel, now, updated_since=since, updated_until=until))


def report_lines(world: World, market: Market, numbers: list[int], now: datetime) -> Iterator[str]:
    """Lines of GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL, without the header."""
    for start in range(0, len(numbers), _CHUNK):
        for order in world.orders(numbers[start : start + _CHUNK], now):
            yield from _report_order(order, market)


def _report_order(order: Order, market: Market) -> Iterator[str]:
    status = _REPORT_STATUS[status_of(order)]
    common = [
        order_id(order.number),
        order.external_number or "",
        _seconds(order.created_at),
        _seconds(order.updated_at),
        status,
        "Amazon" if order.fulfilled_by == "marketplace" else "Merchant",
        MARKETPLACES[market.external_id].domain,
        "",
        "",
        "Standard",
    ]
    ends = ["", order.region or "", "", order.country, "", "false", "", ""]
    for position, line in enumerate(order.lines):
        sku = line.sku or ""
        named = [line.title.replace("\t", " ").replace("\n", " "), sku, asin(line.product_number)]
        if status == "Pending":
            yield "\t".join([*common, *named, "Unshipped", str(line.quantity), *[""] * 9, *ends]) + "\n"
            continue
        for units, item_status in _split(order, line, status):
            share = Decimal(units) / line.quantity if line.quantity else Decimal(0)
            first = (position == 0 and item_status != "Cancelled") or (
                position == 0 and units == line.quantity
            )
            money = _report_money(order, line, units, share, first=first)
            yield "\t".join([*common, *named, item_status, str(units), order.currency, *money, *ends]) + "\n"


def _split(order: Order, line: Line, status: str) -> list[tuple[int, str]]:
    """A line's units by what became of them: the report has a line for each."""
    if order.cancelled_at is not None or line.cancelled >= line.quantity:
        return [(line.quantity, "Cancelled")]
    item_status = "Shipped" if status == "Shipped" else "Unshipped"
    kept = [(line.quantity - line.cancelled, item_status)]
    return [*kept, (line.cancelled, "Cancelled")] if line.cancelled else kept


def _report_money(order: Order, line: Line, units: int, share: Decimal, *, first: bool) -> list[str]:
    if order.is_replacement:
        return ["0.00", *[""] * 7]
    currency = order.currency

    def told(value: Decimal) -> str:
        return digits(value, currency) if value else ""

    price = digits(line.unit_price * units, currency)
    shipping, shipping_tax = (order.shipping, order.shipping_tax) if first else (_ZERO, _ZERO)
    return [
        price,
        told(line.tax * share),
        told(shipping),
        told(shipping_tax),
        "",
        "",
        told(line.discount * share),
        "",
    ]


def _seconds(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
