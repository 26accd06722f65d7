"""Finances, sales metrics and sellers of the sandbox."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.sandbox.amazon_gate import TOO_FRESH, Ask, amount, invalid, iso, page_token, read_token
from connectors.sandbox.amazon_orders import asin, order_id
from connectors.sandbox.amazon_refunds import MoneyIndex
from connectors.sandbox.faults import bend
from connectors.sandbox.world import Line, Market, Order, Refund, RefundLine

PAGE = 100
SPAN = timedelta(days=180)
_CHUNK = 1000
_GRANULARITIES = ["Hour", "Day", "Week", "Month", "Year", "Total"]
_FEE = Decimal("0.15")  # of the goods, before tax
_FULFILMENT = Decimal("3.22")  # a unit that Amazon sends
_CENT = Decimal("0.01")
_ZERO = Decimal(0)


class Finances:
    """`/finances/2024-06-19/transactions`: what was sent and what was given back, with Amazon's fees."""

    def __init__(self, index: MoneyIndex) -> None:
        self._index = index

    def transactions(self, ask: Ask) -> dict[str, Any]:
        after, before = ask.instant("postedAfter", settled=True), ask.instant("postedBefore", settled=True)
        if after is None:
            raise invalid("postedAfter is required.")
        fingerprint = ask.fingerprint(["nextToken"])
        token = None
        if (given := ask.param("nextToken")) is not None:
            token = read_token(given, "nextToken")
            if token.get("query") != fingerprint:
                raise invalid("nextToken: all parameters must be those of the request that gave the token.")
        before = before or (datetime.fromisoformat(token["until"]) if token else ask.now - TOO_FRESH)
        if before <= after:
            raise invalid("postedBefore must be later than postedAfter.")
        posted = self._posted(ask, after, before) if before - after <= SPAN else []
        seen = (datetime.fromisoformat(token["at"]), token["number"], token["refund"]) if token else None
        waiting = [entry for entry in posted if seen is None or entry[0] > seen]
        if ask.fault is not None and ask.fault.kind == "repeat":
            waiting = posted
        chosen = waiting[:PAGE]
        by_market: dict[tuple[datetime, int, int], dict[str, Any]] = {}
        for market in {entry[1].channel: entry[1] for entry in chosen}.values():
            entries = [entry for entry, place in chosen if place is market]
            for (order, refund), entry in zip(self._index.movements(entries, ask.now), entries, strict=True):
                by_market[entry] = (
                    _refund(order, refund, market) if refund else _shipment(order, entry[0], market)
                )
        payload: dict[str, Any] = {"transactions": bend([by_market[entry] for entry, _ in chosen], ask.fault)}
        if len(waiting) > PAGE:
            at, number, refund_number = chosen[-1][0]
            where = {"at": at.isoformat(), "number": number, "refund": refund_number}
            payload["nextToken"] = page_token(**where, until=before.isoformat(), query=fingerprint)
        return {"payload": payload}

    def _posted(
        self, ask: Ask, after: datetime, before: datetime
    ) -> list[tuple[tuple[datetime, int, int], Market]]:
        asked = ask.param("marketplaceId")
        found = [
            (entry, market)
            for market in ask.state.markets("amazon")
            if asked is None or market.external_id == asked
            for entry in self._index.between(market.channel, after, before, ask.now)
        ]
        return sorted(found, key=lambda pair: pair[0])


def _shipment(order: Order, at: datetime, market: Market) -> dict[str, Any]:
    """What a sent order brought: the goods, their tax, and what Amazon takes for it."""
    currency = order.currency
    items = []
    for line in order.lines:
        kept = line.quantity - line.cancelled
        if kept <= 0:
            continue
        share = Decimal(kept) / line.quantity
        tax = (line.tax * share).quantize(_CENT)
        net = ((line.unit_price * line.quantity - line.discount) * share).quantize(_CENT)
        if market.tax_included:
            net -= tax
        taken = [_fee("Commission", -(net * _FEE).quantize(_CENT), currency)]
        if order.fulfilled_by == "marketplace":
            taken.append(_fee("FBAPerUnitFulfillmentFee", -_FULFILMENT * kept, currency))
        whole = sum((fee["breakdownAmount"]["currencyAmount"] for fee in taken), _ZERO)
        breakdowns = [
            _part("ProductCharges", net, currency, [_part("OurPricePrincipal", net, currency)]),
            _part("AmazonFees", whole, currency, taken),
        ]
        if tax:
            breakdowns.append(_part("Tax", tax, currency, [_part("OurPriceTax", tax, currency)]))
        identifier = {
            "itemRelatedIdentifierName": "ORDER_ADJUSTMENT_ITEM_ID",
            "itemRelatedIdentifierValue": f"{order.number}{line.number:04d}",
        }
        items.append(
            {
                "description": line.title,
                "relatedIdentifiers": [identifier],
                "breakdowns": breakdowns,
                "contexts": [_context(order, line, kept)],
            }
        )
    return {
        "transactionType": "Shipment",
        "transactionId": f"S{order.number:010d}",
        "transactionStatus": "RELEASED",
        "description": "Order Payment",
        "postedDate": iso(at),
        "relatedIdentifiers": [
            {"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": order_id(order.number)}
        ],
        "totalAmount": {
            "currencyCode": currency,
            "currencyAmount": sum((_worth(item) for item in items), _ZERO),
        },
        "marketplaceDetails": _place(market),
        "items": items,
        "breakdowns": [],
    }


def _refund(order: Order, refund: Refund, market: Market) -> dict[str, Any]:
    currency = order.currency
    items = [_item(order, part, currency, number) for number, part in enumerate(refund.lines)]
    parts = []
    if refund.shipping:
        leaf = _part("ShippingPrincipal", -refund.shipping, currency)
        if items:
            items[0]["breakdowns"].append(_part("Shipping", -refund.shipping, currency, [leaf]))
        else:
            parts.append(_part("Shipping", -refund.shipping, currency, [leaf]))
    total = sum((_worth(item) for item in items), _ZERO) - (refund.shipping if not items else _ZERO)
    return {
        "transactionType": "Refund",
        "transactionId": f"R{order.number:010d}-{refund.number:03d}",
        "transactionStatus": "RELEASED",
        "description": "Refund Order",
        "postedDate": iso(refund.at),
        "relatedIdentifiers": [
            {"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": order_id(order.number)},
            {
                "relatedIdentifierName": "REFUND_ID",
                "relatedIdentifierValue": f"{order.number}{refund.number}",
            },
        ],
        "totalAmount": {"currencyCode": currency, "currencyAmount": total},
        "marketplaceDetails": _place(market),
        "items": items,
        "breakdowns": parts,
    }


def _place(market: Market) -> dict[str, Any]:
    return {"marketplaceId": market.external_id, "marketplaceName": MARKETPLACES[market.external_id].domain}


def _worth(item: dict[str, Any]) -> Decimal:
    return sum((part["breakdownAmount"]["currencyAmount"] for part in item["breakdowns"]), _ZERO)


def _item(order: Order, part: RefundLine, currency: str, number: int) -> dict[str, Any]:
    line = next(line for line in order.lines if line.number == part.line_number)
    fee = (part.amount * _FEE).quantize(_CENT)
    breakdowns = [
        _part("ProductCharges", -part.amount, currency, [_part("OurPricePrincipal", -part.amount, currency)]),
        _part("AmazonFees", fee, currency, [_fee("Commission", fee, currency)]),
    ]
    if part.tax:
        breakdowns.append(_part("Tax", -part.tax, currency, [_part("OurPriceTax", -part.tax, currency)]))
    return {
        "description": line.title,
        "relatedIdentifiers": [
            {
                "itemRelatedIdentifierName": "ORDER_ADJUSTMENT_ITEM_ID",
                "itemRelatedIdentifierValue": f"{order.number}{line.number:04d}{number}",
            }
        ],
        "breakdowns": breakdowns,
        "contexts": [_context(order, line, part.quantity)],
    }


def _context(order: Order, line: Line, quantity: int) -> dict[str, Any]:
    context: dict[str, Any] = {
        "contextType": "ProductContext",
        "asin": asin(line.product_number),
        "quantityShipped": quantity,
        "fulfillmentNetwork": "AFN" if order.fulfilled_by == "marketplace" else "MFN",
    }
    if line.sku is not None:
        context["sku"] = line.sku
    return context


def _fee(kind: str, value: Decimal, currency: str) -> dict[str, Any]:
    return _part(kind, value, currency, [_part("Base", value, currency)])


def _part(
    kind: str, value: Decimal, currency: str, parts: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "breakdownType": kind,
        "breakdownAmount": {"currencyCode": currency, "currencyAmount": value},
        "breakdowns": parts or [],
    }


# -- sales metrics -----------------------------------------------------------------------------------------


def order_metrics(ask: Ask) -> dict[str, Any]:
    """`GET /sales/v1/orderMetrics`: what was ordered and not cancelled, by the day or as a whole."""
    market = ask.markets(most=1, required=True)[0]
    start, end = _interval(ask)
    granularity = ask.param("granularity")
    if granularity not in _GRANULARITIES:
        raise invalid("granularity is required.")
    zone_name = ask.param("granularityTimeZone")
    if granularity not in {"Hour", "Total"} and zone_name is None:
        raise invalid("granularityTimeZone is required for this granularity.")
    if granularity not in {"Day", "Total"}:
        raise invalid("The sandbox counts by Day or in Total.")
    try:
        zone = ZoneInfo(zone_name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid("granularityTimeZone is unknown.") from None
    spans = [(start, end)] if granularity == "Total" else list(_days(start, end, zone))
    orders = _orders(ask, market, start, end)
    return {"payload": [_metric(market, zone, span, orders) for span in spans]}


def _interval(ask: Ask) -> tuple[datetime, datetime]:
    first, _, second = (ask.param("interval") or "").partition("--")
    try:
        start, end = datetime.fromisoformat(first), datetime.fromisoformat(second)
    except ValueError:
        raise invalid("interval must be two instants with an offset, separated by two hyphens.") from None
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise invalid("interval must be two instants with an offset, separated by two hyphens.")
    return start, end


def _days(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    at = start
    while at < end:
        following = at.astimezone(zone).date() + timedelta(days=1)
        midnight = datetime(following.year, following.month, following.day, tzinfo=zone)
        yield at, min(midnight, end)
        at = midnight


def _orders(ask: Ask, market: Market, start: datetime, end: datetime) -> list[Order]:
    world = ask.state.world
    numbers = list(
        world.orders_between(
            market.channel, ask.now, created_since=start.astimezone(UTC), created_until=end.astimezone(UTC)
        )
    )
    found = []
    for position in range(0, len(numbers), _CHUNK):
        found += world.orders(numbers[position : position + _CHUNK], ask.now)
    return [order for order in found if order.cancelled_at is None]


def _metric(
    market: Market, zone: ZoneInfo, span: tuple[datetime, datetime], orders: list[Order]
) -> dict[str, Any]:
    start, end = span
    within = [order for order in orders if start <= order.created_at < end]
    lines = [line for order in within for line in order.lines]
    units = sum(line.quantity for line in lines)
    sales = sum(
        (
            line.unit_price * line.quantity
            for order in within
            if not order.is_replacement
            for line in order.lines
        ),
        _ZERO,
    )
    average = (sales / units).quantize(Decimal("0.01")) if units else _ZERO
    return {
        "interval": f"{start.astimezone(zone).isoformat()}--{end.astimezone(zone).isoformat()}",
        "unitCount": units,
        "orderItemCount": len(lines),
        "orderCount": len(within),
        "averageUnitPrice": amount(average, market.currency),
        "totalSales": amount(sales, market.currency),
    }


def participations(ask: Ask) -> dict[str, Any]:
    """`GET /sellers/v1/marketplaceParticipations`."""
    found = []
    for market in ask.state.markets("amazon"):
        place = MARKETPLACES[market.external_id]
        found.append(
            {
                "marketplace": {
                    "id": place.id,
                    "name": place.domain,
                    "countryCode": place.country,
                    "defaultCurrencyCode": place.currency,
                    "defaultLanguageCode": "en_US",
                    "domainName": f"www.{place.domain.lower()}",
                },
                "participation": {"isParticipating": True, "hasSuspendedListings": False},
                "storeName": "Wharf Demo",
            }
        )
    return {"payload": bend(found, ask.fault)}
