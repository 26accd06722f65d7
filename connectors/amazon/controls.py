"""Amazon's own totals, to hold what was loaded against. Source: model sales_v1 (getOrderMetrics)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.base import Channel
from connectors.budget import Rate
from connectors.client import Call, ChannelClient
from connectors.errors import ProtocolError

_RATE = Rate(0.5, 15)
_SPAN = 90  # days asked for at once; the API reaches back two years


@dataclass(frozen=True)
class DayTotal:
    """What Amazon counts for one business day of a channel: ordered and not cancelled, before refunds."""

    channel: str
    date: date
    orders: int
    items: int
    units: int
    sales: Decimal  # of the goods as ordered, before discounts
    currency: str


class _Money(msgspec.Struct):
    amount: Any
    currencyCode: str


class _Metric(msgspec.Struct):
    interval: str
    unitCount: int
    orderItemCount: int
    orderCount: int
    totalSales: _Money


class _Answer(msgspec.Struct):
    payload: list[_Metric]


_decoder = msgspec.json.Decoder(_Answer, strict=False, float_hook=Decimal)


def day_totals(client: ChannelClient, channel: Channel, first: date, last: date) -> Iterator[DayTotal]:
    """One total for each business day of `channel` from `first` to `last`, both included."""
    zone = ZoneInfo(channel.timezone)
    while first <= last:
        end = min(first + timedelta(days=_SPAN), last + timedelta(days=1))
        interval = f"{_midnight(first, zone).isoformat()}--{_midnight(end, zone).isoformat()}"
        call = Call(
            "getOrderMetrics",
            _RATE,
            "sales/v1/orderMetrics",
            params=(
                ("marketplaceIds", channel.external_id),
                ("interval", interval),
                ("granularity", "Day"),
                ("granularityTimeZone", channel.timezone),
            ),
        )
        try:
            answer = _decoder.decode(client.send(call).body)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"{client.account.name} getOrderMetrics: {error}") from error
        for metric in answer.payload:
            start = datetime.fromisoformat(metric.interval.partition("--")[0])
            yield DayTotal(
                channel=channel.name,
                date=start.astimezone(zone).date(),
                orders=metric.orderCount,
                items=metric.orderItemCount,
                units=metric.unitCount,
                sales=Decimal(str(metric.totalSales.amount)),
                currency=metric.totalSales.currencyCode,
            )
        first = end


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
