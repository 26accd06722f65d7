"""The shop's own count of orders, to hold what was loaded against. The API counts orders, not units or money.

Orders older than 60 days are invisible without the scope `read_all_orders`: the shop would count none and say
nothing, so such days have no row. Nor has a day whose count the shop calls an estimate.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from connectors.base import CONTROL_TOTALS, Channel
from connectors.client import ChannelClient
from connectors.errors import ProtocolError
from connectors.shopify import queries
from connectors.shopify.ask import call, data_of
from connectors.shopify.scopes import ALL_ORDERS, WALL, granted

_AT_ONCE = 30  # days counted by one query


class _Count(msgspec.Struct):
    count: int
    precision: str


def control_totals(client: ChannelClient, channel: Channel, first: date, last: date) -> pl.DataFrame:
    """How many orders the shop counts for each of its business days from `first` to `last`, both included.

    By the day the order was placed, cancelled orders counted and test orders not. Raises ConnectorError.
    """
    zone = ZoneInfo(channel.timezone)
    first = max(first, _visible_since(client, zone) or first)
    rows = []
    while first <= last:
        end = min(first + timedelta(days=_AT_ONCE - 1), last)
        days = [first + timedelta(days=number) for number in range((end - first).days + 1)]
        for day, count in zip(days, _counts(client, days, zone), strict=True):
            if count.precision == "EXACT":
                rows.append(_row(channel, day, count.count))
        first = end + timedelta(days=1)
    return pl.DataFrame(rows, schema=CONTROL_TOTALS, orient="row")


def _row(channel: Channel, day: date, orders: int) -> Mapping[str, Any]:
    return {
        "channel": channel.name,
        "business_date": day,
        "basis": "ordered",
        "currency": channel.currency,
        "orders": orders,
        "units": None,
        "gross_amount": None,
        "includes_cancelled": True,
    }


def _visible_since(client: ChannelClient, zone: ZoneInfo) -> date | None:
    """The first whole day whose orders the app may see; None when it may see all."""
    scopes, answer = granted(client)
    if ALL_ORDERS in scopes:
        return None
    try:
        now = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        raise ProtocolError(
            f"{client.account.name} Scopes: the answer does not say when it was given"
        ) from None
    return (now - WALL).astimezone(zone).date() + timedelta(days=1)


def _counts(client: ChannelClient, days: list[date], zone: ZoneInfo) -> Iterator[_Count]:
    spans = {f"d{number}": queries.placed_within(*_span(day, zone)) for number, day in enumerate(days)}
    document = queries.order_counts(len(days))
    told = data_of(client, "OrderCounts", client.send(call(client, "OrderCounts", document, spans)))
    for name in spans:
        try:
            yield msgspec.json.decode(told[name], type=_Count)
        except (KeyError, msgspec.MsgspecError) as error:
            raise ProtocolError(f"{client.account.name} OrderCounts: a day has no count: {error}") from error


def _span(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    following = day + timedelta(days=1)
    start, end = (datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC) for d in (day, following))
    return start, end
