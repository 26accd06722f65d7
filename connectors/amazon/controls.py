"""Amazon's own totals, to hold what was loaded against. Source: model sales_v1 (getOrderMetrics)."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from connectors.base import CONTROL_TOTALS, Channel
from connectors.budget import Rate
from connectors.client import Call, ChannelClient
from connectors.errors import ProtocolError

RATE = Rate(0.5, 15)
_SPAN = 90  # days asked for at once; the API reaches back two years


class _Money(msgspec.Struct):
    amount: Any
    currencyCode: str


class _Metric(msgspec.Struct):
    interval: str
    unitCount: int
    orderCount: int
    totalSales: _Money


class _Answer(msgspec.Struct):
    payload: list[_Metric]


_decoder = msgspec.json.Decoder(_Answer, strict=False, float_hook=Decimal)


def control_totals(client: ChannelClient, channel: Channel, first: date, last: date) -> pl.DataFrame:
    """What Amazon counts for each business day of `channel` from `first` to `last`, both included.

    By the day of the order, refunds not taken out. Whether cancelled orders are in it, Amazon does not say.
    """
    rows = list(_days(client, channel, first, last))
    return pl.DataFrame(rows, schema=CONTROL_TOTALS, orient="row")


def _days(client: ChannelClient, channel: Channel, first: date, last: date) -> Iterator[dict[str, Any]]:
    zone = ZoneInfo(channel.timezone)
    while first <= last:
        end = min(first + timedelta(days=_SPAN), last + timedelta(days=1))
        interval = f"{_midnight(first, zone).isoformat()}--{_midnight(end, zone).isoformat()}"
        call = Call(
            "getOrderMetrics",
            RATE,
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
            yield {
                "channel": channel.name,
                "business_date": start.astimezone(zone).date(),
                "basis": "ordered",
                "currency": metric.totalSales.currencyCode,
                "orders": metric.orderCount,
                "units": metric.unitCount,
                "gross_amount": Decimal(str(metric.totalSales.amount)),
                "includes_cancelled": None,
            }
        first = end


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
