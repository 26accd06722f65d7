"""Walmart's own totals, to hold what was loaded against.

- "ordered": how many orders `/v3/orders` says were placed on a day, cancelled ones included; it gives neither units nor
  money, and nothing of more than 180 days ago.
- "posted": what the reconciliation reports settled on a day: orders, units and price of the goods. They come every two
  weeks, so the newest days have no such row yet.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from connectors.base import CONTROL_TOTALS, Channel, Window
from connectors.client import Call, ChannelClient
from connectors.errors import ProtocolError
from connectors.walmart.order_pages import NODE_TYPES, RATE, announced, stamp
from connectors.walmart.settlements import PERIOD, amount, posted_on, reports, rows
from connectors.walmart.values import FieldError, count


def control_totals(client: ChannelClient, channel: Channel, first: date, last: date) -> pl.DataFrame:
    """Both kinds of rows for the business days from `first` to `last`; see the module."""
    found = [*_ordered(client, channel, first, last), *_posted(client, channel, first, last)]
    return pl.DataFrame(found, schema=CONTROL_TOTALS, orient="row")


def _ordered(client: ChannelClient, channel: Channel, first: date, last: date) -> Iterator[tuple[Any, ...]]:
    zone = ZoneInfo(channel.timezone)
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        orders = sum(_announced(client, node_type, begin, end) for node_type in NODE_TYPES)
        yield channel.name, day, "ordered", channel.currency, orders, None, None, True, False, None


def _announced(client: ChannelClient, node_type: str, begin: datetime, end: datetime) -> int:
    params = (
        ("createdStartDate", stamp(begin)),
        ("createdEndDate", stamp(end - timedelta(milliseconds=1))),
        ("limit", "1"),
        ("shipNodeType", node_type),
    )
    return announced(client, Call("walmart.orders", RATE, "/v3/orders", params=params))


@dataclass
class _Day:
    orders: set[str] = field(default_factory=set)
    units: int = 0
    gross: Decimal = Decimal(0)


def _posted(client: ChannelClient, channel: Channel, first: date, last: date) -> Iterator[tuple[Any, ...]]:
    zone = ZoneInfo(channel.timezone)
    # A day is settled by the report that ends its fortnight, or by the one after it.
    window = Window(_midnight(first, zone), _midnight(last, zone) + 2 * PERIOD)
    days: dict[date, _Day] = defaultdict(_Day)
    for page in reports(client, window):
        for row in rows(page.body, f"{client.account.name} control totals"):
            if row["transactiontype"].lower() == "sale" and row["amounttype"].lower() == "product price":
                try:
                    day = days[posted_on(row)]
                    day.gross += amount(row)
                    day.units += count(Decimal(row.get("shipqty") or 0), "Ship Qty") or 0
                    day.orders.add(row.get("purchaseorder", ""))
                except (FieldError, ArithmeticError) as error:
                    raise ProtocolError(f"{client.account.name} control totals: {error}") from None
    for at in sorted(days):
        if first <= at <= last:
            day = days[at]
            yield (
                channel.name, at, "posted", channel.currency, len(day.orders), day.units, day.gross, False, False, None
            )  # fmt: skip


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
