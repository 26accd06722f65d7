"""What a correct journey must end up with: sales figures straight from the world, past every connector.

Grain of `expected`: one row per (channel, business day of the market, SKU); a line without SKU has a null
one. All money is in the market's currency, after discounts and before tax and shipping:

- `gross`: as ordered, before discounts; replacements bring none
- `net`: as ordered, after discounts
- `cancelled`, `refunded`: the part of `net` taken back, booked on the day of the order
- `revenue` = net - cancelled - refunded
- `units` = ordered - cancelled, replacements included; `refunded_units` are still among them
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from connectors.sandbox.world import Market, Order, World

_CHUNK = 5_000
_ZERO = Decimal(0)
_PLACES = Decimal("0.0001")
_MONEY = ("gross", "net", "cancelled", "refunded", "revenue")
_COUNTS = ("orders", "units", "cancelled_units", "refunded_units")

EXPECTED = pl.Schema(
    {
        "channel": pl.String(),
        "currency": pl.String(),
        "date": pl.Date(),
        "sku": pl.String(),
        **{name: pl.Int64() for name in _COUNTS},
        **{name: pl.Decimal(18, 4) for name in _MONEY},
    }
)


@dataclass
class _Sum:
    """One cell of the table. `orders` counts orders that have at least one line here, cancelled ones too."""

    orders: int = 0
    units: int = 0
    cancelled_units: int = 0
    refunded_units: int = 0
    gross: Decimal = _ZERO
    net: Decimal = _ZERO
    cancelled: Decimal = _ZERO
    refunded: Decimal = _ZERO


def expected(world: World, now: datetime, channels: Sequence[str] | None = None) -> pl.DataFrame:
    """The figures of every channel (or of `channels`) as of `now`, sorted by channel, date and SKU."""
    rows: list[dict[str, Any]] = []
    for market in world.markets:
        if channels is not None and market.channel not in channels:
            continue
        for (day, sku), cell in _cells(world, market, now).items():
            revenue = cell.net - cell.cancelled - cell.refunded
            money = {"gross": cell.gross, "net": cell.net, "cancelled": cell.cancelled}
            money |= {"refunded": cell.refunded, "revenue": revenue}
            rows.append(
                {"channel": market.channel, "currency": market.currency, "date": day, "sku": sku}
                | {name: getattr(cell, name) for name in _COUNTS}
                | {name: amount.quantize(_PLACES) for name, amount in money.items()}
            )
    return pl.DataFrame(rows, schema=EXPECTED).sort("channel", "date", "sku", nulls_last=True)


def all_orders(world: World, channel: str, now: datetime) -> Iterator[Order]:
    """Every order of a channel as it stands at `now`, a few thousand in memory at a time."""
    numbers = world.orders_between(channel, now)
    for start in range(0, len(numbers), _CHUNK):
        yield from world.orders(numbers[start : start + _CHUNK], now)


def _cells(world: World, market: Market, now: datetime) -> dict[tuple[date, str | None], _Sum]:
    zone = ZoneInfo(market.timezone)
    cells: dict[tuple[date, str | None], _Sum] = defaultdict(_Sum)
    for order in all_orders(world, market.channel, now):
        day = order.created_at.astimezone(zone).date()
        sku_of = {line.number: line.sku for line in order.lines}
        for sku in set(sku_of.values()):
            cells[day, sku].orders += 1
        for line in order.lines:
            cell = cells[day, line.sku]
            gone = line.quantity if order.cancelled_at is not None else line.cancelled
            cell.units += line.quantity - gone
            cell.cancelled_units += gone
            if order.is_replacement:
                continue
            net = line.unit_price * line.quantity - line.discount - (line.tax if market.tax_included else 0)
            cell.gross += net + line.discount
            cell.net += net
            cell.cancelled += net * gone / line.quantity if line.quantity else _ZERO
        for refund in order.refunds:
            for part in refund.lines:
                cell = cells[day, sku_of[part.line_number]]
                cell.refunded_units += part.quantity
                cell.refunded += part.amount
    return cells


def summary(world: World, now: datetime, channels: Sequence[str] | None = None) -> dict[str, Any]:
    """The same figures by channel and business day with totals, ready for JSON (money as strings).

    `orders` here counts orders, each once, cancelled ones included.
    """
    figures = expected(world, now, channels)
    sums = [pl.col(name).sum() for name in (*_COUNTS[1:], *_MONEY)]
    by_day = figures.group_by("channel", "date").agg(sums).sort("channel", "date")
    answer: dict[str, Any] = {"now": now.isoformat(), "channels": {}}
    for market in world.markets:
        if channels is not None and market.channel not in channels:
            continue
        zone = ZoneInfo(market.timezone)
        orders: dict[date, int] = defaultdict(int)
        for order in all_orders(world, market.channel, now):
            orders[order.created_at.astimezone(zone).date()] += 1
        days = [
            {"orders": orders[row["date"]], **_json(row)}
            for row in by_day.filter(channel=market.channel).drop("channel").to_dicts()
        ]
        total = figures.filter(channel=market.channel).select(sums).row(0, named=True)
        answer["channels"][market.channel] = {
            "currency": market.currency,
            "totals": {"orders": sum(orders.values()), **_json(total)},
            "days": days,
        }
    return answer


def _json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, int) else str(value) for name, value in row.items()}
