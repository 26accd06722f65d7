"""The shop's own figures by day, to hold what was loaded against.

Orders are counted by `ordersCount`; units and money come from its own sales report (ShopifyQL, table `sales`, API
2025-10 and later), which needs the scope `read_reports` and access to protected customer data of level 2. Without
them the report is left out and each row says why. It books what an edit adds to an order on the day of the edit.

Orders older than 60 days are invisible without the scope `read_all_orders`: the shop would count none and say
nothing, so such days have no row. Nor has a day whose count the shop calls an estimate.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from connectors.base import CONTROL_TOTALS, Channel
from connectors.client import ChannelClient
from connectors.errors import ProtocolError, RequestRejectedError
from connectors.shopify import queries
from connectors.shopify.ask import ask, call, data_of
from connectors.shopify.scopes import ALL_ORDERS, WALL, granted

log = logging.getLogger(__name__)

_AT_ONCE = 30  # days counted by one query


class _Count(msgspec.Struct):
    count: int
    precision: str


class _Table(msgspec.Struct):
    rows: list[dict[str, Any]]


class _Report(msgspec.Struct, rename="camel"):
    parse_errors: list[str]
    table_data: _Table | None


class _Sales(NamedTuple):
    """A day of the report; None: the shop does not say."""

    units: int | None = None
    gross: Decimal | None = None


def control_totals(client: ChannelClient, channel: Channel, first: date, last: date) -> pl.DataFrame:
    """What the shop counts for each of its business days from `first` to `last`, both included: orders, units, and
    goods before discounts and tax. Cancelled orders count, test orders and gift cards do not. Raises ConnectorError.
    """
    zone = ZoneInfo(channel.timezone)
    first = max(first, _visible_since(client, zone) or first)
    rows: list[Mapping[str, Any]] = []
    untold: str | None = None
    while first <= last:
        end = min(first + timedelta(days=_AT_ONCE - 1), last)
        days = [first + timedelta(days=number) for number in range((end - first).days + 1)]
        sales: Mapping[date, _Sales] = {}
        if untold is None:
            sales, untold = _reported(client, first, end)
        for day, count in zip(days, _counts(client, days, zone), strict=True):
            if count.precision == "EXACT":
                rows.append(_row(channel, day, count.count, sales.get(day, _Sales()), untold))
        first = end + timedelta(days=1)
    return pl.DataFrame(rows, schema=CONTROL_TOTALS, orient="row")


def _row(channel: Channel, day: date, orders: int, sales: _Sales, untold: str | None) -> Mapping[str, Any]:
    return {
        "channel": channel.name,
        "business_date": day,
        "basis": "ordered",
        "currency": channel.currency,
        "orders": orders,
        "units": sales.units,
        "gross_amount": sales.gross,
        "includes_cancelled": True,
        "edits_apart": True,
        "untold": untold,
    }


def _reported(client: ChannelClient, first: date, last: date) -> tuple[dict[date, _Sales], str | None]:
    """The sales report by day; without it, nothing and why. Another failure than a refusal is raised."""
    try:
        return {
            date.fromisoformat(str(row["day"])[:10]): _sales(row) for row in _report(client, first, last)
        }, None
    except RequestRejectedError as error:  # a missing scope is one, too
        why = f"the shop's sales report is refused, orders are counted alone: {error}"
        log.warning("%s: %s", client.account.name, why)
        return {}, why
    except (KeyError, ValueError, ArithmeticError, msgspec.MsgspecError) as error:
        raise ProtocolError(f"{client.account.name} SalesReport: not the expected table: {error}") from error


def _report(client: ChannelClient, first: date, last: date) -> list[dict[str, Any]]:
    asked = {"query": queries.sales_report(first, last)}
    told = ask(client, "SalesReport", queries.SALES_REPORT, asked)["shopifyqlQuery"]
    report = msgspec.json.decode(told, type=_Report)
    if report.table_data is None:
        raise RequestRejectedError("; ".join(report.parse_errors)[:200] or "no table in the answer")
    return report.table_data.rows


def _sales(row: Mapping[str, Any]) -> _Sales:
    return _Sales(int(_number(row["quantity_ordered"])), _number(row["gross_sales"]))


def _number(value: str | float | None) -> Decimal:
    """A figure of the report, told as text; a day without sales may have none."""
    return Decimal(str(value or 0))


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
