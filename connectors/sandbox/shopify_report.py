"""The shop's own sales report: ShopifyQL over the table `sales`, by day.

Shopify books by the day of the event: goods on the day the order was placed, what an edit adds on the day of the
edit. Cancelled orders stay in, gift cards and test orders never were. Only the form of query below is understood;
any other is answered by `parseErrors`, as Shopify answers what it cannot parse.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from connectors.sandbox.world import Market, Order, World

_QUERY = re.compile(
    r"FROM sales SHOW (?P<metrics>\w+(?:\s*,\s*\w+)*) TIMESERIES day"
    r" SINCE (?P<since>\d{4}-\d\d-\d\d) UNTIL (?P<until>\d{4}-\d\d-\d\d)(?: ORDER BY day(?: ASC)?)?",
    re.IGNORECASE,
)
_COLUMNS = {
    "orders": ("INTEGER", "Orders"),
    "quantity_ordered": ("INTEGER", "Quantity ordered"),
    "gross_sales": ("MONEY", "Gross sales"),
}


class _Sales(NamedTuple):
    orders: int = 0
    quantity_ordered: int = 0
    gross_sales: Decimal = Decimal(0)


def report(query: str, world: World, market: Market, now: datetime) -> dict[str, Any]:
    """A ShopifyqlQueryResponse. Every value is text, as Shopify's are."""
    asked = _QUERY.fullmatch(" ".join(query.split()))
    if asked is None:
        return {"tableData": None, "parseErrors": ["Line 1 Column 1: mismatched input"]}
    metrics = [name.strip() for name in asked["metrics"].split(",")]
    if unknown := [name for name in metrics if name not in _COLUMNS]:
        return {"tableData": None, "parseErrors": [f"Line 1 Column 17: Invalid column name '{unknown[0]}'"]}
    first, last = date.fromisoformat(asked["since"]), date.fromisoformat(asked["until"])
    kinds = {"day": ("DAY_TIMESTAMP", "Day"), **{name: _COLUMNS[name] for name in metrics}}
    return {
        "tableData": {
            "columns": [
                {"name": name, "dataType": kind, "displayName": shown, "subType": None}
                for name, (kind, shown) in kinds.items()
            ],
            "rows": [
                {"day": f"{day}", **{name: f"{getattr(sales, name)}" for name in metrics}}
                for day, sales in _days(world, market, first, last, now)
            ],
        },
        "parseErrors": [],
    }


def _days(
    world: World, market: Market, first: date, last: date, now: datetime
) -> Iterator[tuple[date, _Sales]]:
    zone = ZoneInfo(market.timezone)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        begin = datetime(day.year, day.month, day.day, tzinfo=zone)
        following = day + timedelta(days=1)
        end = min(datetime(following.year, following.month, following.day, tzinfo=zone), now)
        yield day, _sales_between(world, market, begin, end) if begin < end else _Sales()


def _sales_between(world: World, market: Market, begin: datetime, end: datetime) -> _Sales:
    """What the orders that changed in a span came to at its end, less what they were at its begin."""
    just_before = timedelta(microseconds=1)
    numbers = world.orders_between(market.channel, end - just_before, updated_since=begin)
    after = world.orders(numbers, end - just_before)
    before = world.orders([o.number for o in after if o.created_at < begin], begin - just_before)
    placed = sum(order.created_at >= begin for order in after)
    return _Sales(
        placed,
        sum(map(_units, after)) - sum(map(_units, before)),
        sum((_gross(order, market) for order in after), Decimal(0))
        - sum((_gross(order, market) for order in before), Decimal(0)),
    )


def _units(order: Order) -> int:
    return sum(line.quantity for line in order.lines)


def _gross(order: Order, market: Market) -> Decimal:
    """Goods as ordered, before discounts and without tax."""
    included = (line.tax if market.tax_included else Decimal(0) for line in order.lines)
    return sum((line.unit_price * line.quantity for line in order.lines), Decimal(0)) - sum(included)
