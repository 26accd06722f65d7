"""What a correct journey must end up with: sales figures straight from the world, past every connector.

Grain of `expected`: one row per (channel, business day of the market, SKU); a line without SKU has a null
one. All money is in the market's currency, after discounts and before tax and shipping:

- `gross`: before discounts, `net`: after them, both of what was not cancelled; replacements bring none
- `refunded`: the part of `net` given back, booked on the day of the order
- `revenue` = net - refunded
- `units` = ordered - cancelled, replacements included; `refunded_units` are still among them
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
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
_MONEY = ("gross", "net", "refunded", "revenue")
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


@dataclass(slots=True)
class _Sum:
    """One cell. `orders` counts orders that have at least one line here, cancelled ones too."""

    orders: int = 0
    units: int = 0
    cancelled_units: int = 0
    refunded_units: int = 0
    gross: Decimal = _ZERO
    net: Decimal = _ZERO
    refunded: Decimal = _ZERO

    @property
    def revenue(self) -> Decimal:
        return self.net - self.refunded


def expected(world: World, now: datetime, channels: Sequence[str] | None = None) -> pl.DataFrame:
    """The figures of every channel (or of `channels`) as of `now`, sorted by channel, date and SKU."""
    parts = [EXPECTED.to_frame()]
    for market in world.markets:
        if channels is None or market.channel in channels:
            cells = _cells(world, market, now, by_sku=True)
            days, skus = zip(*cells, strict=True) if cells else ((), ())
            columns = {"channel": [market.channel] * len(days), "currency": [market.currency] * len(days)}
            columns |= {"date": list(days), "sku": list(skus), **_columns(cells.values())}
            parts.append(pl.DataFrame(columns, schema=EXPECTED))
    return pl.concat(parts).sort("channel", "date", "sku", nulls_last=True)


def _columns(cells: Collection[_Sum]) -> dict[str, list[Any]]:
    """Counts and money of the cells, one list per column."""
    columns: dict[str, list[Any]] = {name: [getattr(cell, name) for cell in cells] for name in _COUNTS}
    for name in _MONEY:
        columns[name] = [getattr(cell, name).quantize(_PLACES) for cell in cells]
    return columns


def all_orders(world: World, channel: str, now: datetime) -> Iterator[Order]:
    """Every order of a channel as it stands at `now`, a few thousand in memory at a time."""
    numbers = world.orders_between(channel, now)
    for start in range(0, len(numbers), _CHUNK):
        yield from world.orders(numbers[start : start + _CHUNK], now)


def _cells(
    world: World, market: Market, now: datetime, *, by_sku: bool
) -> dict[tuple[date, str | None], _Sum]:
    """The sums of one market by business day and SKU, or (SKU null) by business day alone."""
    zone = ZoneInfo(market.timezone)
    cells: dict[tuple[date, str | None], _Sum] = defaultdict(_Sum)
    for order in all_orders(world, market.channel, now):
        day = order.created_at.astimezone(zone).date()
        cell_of = {line.number: cells[day, line.sku if by_sku else None] for line in order.lines}
        for cell in {id(cell): cell for cell in cell_of.values()}.values():
            cell.orders += 1
        for line in order.lines:
            cell = cell_of[line.number]
            gone = line.quantity if order.cancelled_at is not None else line.cancelled
            cell.units += line.quantity - gone
            cell.cancelled_units += gone
            if order.is_replacement:
                continue
            net = line.unit_price * line.quantity - line.discount - (line.tax if market.tax_included else 0)
            if gone:
                kept = line.quantity - gone
                cell.gross += (net + line.discount) * kept / line.quantity
                cell.net += net * kept / line.quantity
            else:
                cell.gross += net + line.discount
                cell.net += net
        for refund in order.refunds:
            for part in refund.lines:
                cell = cell_of[part.line_number]
                cell.refunded_units += part.quantity
                cell.refunded += part.amount
    return cells


def summary(world: World, now: datetime, channels: Sequence[str] | None = None) -> dict[str, Any]:
    """The same figures by channel and business day with totals, ready for JSON (money as strings).

    `orders` counts each order once, cancelled ones and replacements included.
    """
    answer: dict[str, Any] = {"now": now.isoformat(), "channels": {}}
    for market in world.markets:
        if channels is not None and market.channel not in channels:
            continue
        cells = {day: cell for (day, _), cell in sorted(_cells(world, market, now, by_sku=False).items())}
        answer["channels"][market.channel] = {
            "currency": market.currency,
            "totals": {name: _json(sum(values)) for name, values in _columns(cells.values()).items()},
            "days": [
                {
                    "date": day.isoformat(),
                    **{name: _json(values[0]) for name, values in _columns([cell]).items()},
                }
                for day, cell in cells.items()
            ],
        }
    return answer


def _json(value: int | Decimal) -> int | str:
    return value if isinstance(value, int) else str(value)
