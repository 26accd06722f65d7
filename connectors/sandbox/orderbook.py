"""All orders of a world in columns: who asks for a span gets numbers, who asks for numbers gets objects.

Rows are sorted by instant and an order's number is its row + 1. Instants are microseconds since 1970 (UTC),
money is in ten-thousandths of the currency's unit, `NEVER` is an event that does not happen.
"""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from connectors.sandbox.world import Line, Market, Order, Refund, RefundLine

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = int(np.iinfo(np.int64).max)
SCALE = 10_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def ticks(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // _TICK


def instant(value: int) -> datetime:
    """The aware instant of `ticks`."""
    return _EPOCH + timedelta(microseconds=value)


@functools.lru_cache(maxsize=100_000)
def money(value: int) -> Decimal:
    """Ten-thousandths as Decimal, with two places where two say it all."""
    return Decimal(value // 100).scaleb(-2) if value % 100 == 0 else Decimal(value).scaleb(-4)


@dataclass
class _Columns:
    """A table of columns of one length."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))


@dataclass
class OrderColumns(_Columns):
    """One row per order, sorted by `created`."""

    channel: Ints  # position in the world's markets
    created: Ints
    customer: Ints  # -1: a guest
    country: Ints  # position in `OrderBook.countries`
    region: Ints  # position in `OrderBook.regions`; -1: none
    shipping: Ints
    shipping_tax: Ints
    paid: Ints
    shipped: Ints
    delivered: Ints
    cancelled: Ints
    by_marketplace: Flags
    replaces: Ints  # number of an order; 0: none


@dataclass
class LineColumns(_Columns):
    """One row per order line, sorted by `order` (a row of OrderColumns). Amounts are for the whole line."""

    order: Ints
    product: Ints  # position in the book's SKUs
    has_sku: Flags
    quantity: Ints
    unit_price: Ints
    discount: Ints
    tax: Ints
    cancelled: Ints  # units
    cancelled_at: Ints
    edited_at: Ints  # when `added` of the units came on top
    added: Ints


@dataclass
class RefundColumns(_Columns):
    """One row per refund, sorted by `order`, then `at`."""

    order: Ints
    at: Ints
    shipping: Ints
    is_return: Flags


@dataclass
class RefundLineColumns(_Columns):
    """One row per refunded line, sorted by `refund` (a row of RefundColumns)."""

    refund: Ints
    line_number: Ints
    quantity: Ints
    amount: Ints
    tax: Ints


@dataclass(frozen=True)
class _ChannelIndex:
    """The orders of one channel and, side by side, all instants at which each changed."""

    rows: Ints
    created: Ints
    changes: Ints  # of the first order, of the second, …
    starts: Ints  # where each order's changes begin


class OrderBook:
    """Answers the World's questions about orders from columns. Safe for threads; nothing in it changes."""

    def __init__(
        self,
        markets: Sequence[Market],
        orders: OrderColumns,
        lines: LineColumns,
        refunds: RefundColumns,
        refund_lines: RefundLineColumns,
        *,
        skus: Sequence[str],
        titles: Sequence[str],
        countries: Sequence[str],
        regions: Sequence[str] = (),
        external_numbers: Sequence[str] | None = None,
    ) -> None:
        self.orders, self.lines, self.refunds, self.refund_lines = orders, lines, refunds, refund_lines
        self.skus, self.titles = skus, titles
        self.countries, self.regions = countries, regions
        self.external_numbers = external_numbers
        self._markets = tuple(markets)
        self._line_start = _starts(lines.order, len(orders))
        self._refund_start = _starts(refunds.order, len(orders))
        self._refund_line_start = _starts(refund_lines.refund, len(refunds))
        self._changes, self._change_start = self._all_changes()
        self._channels = {
            market.channel: self._index(np.flatnonzero(orders.channel == position))
            for position, market in enumerate(self._markets)
        }
        self._updated: dict[tuple[str, int], Ints] = {}
        self._lock = threading.Lock()

    def between(
        self,
        channel: str,
        now: datetime,
        *,
        updated_since: datetime | None = None,
        updated_until: datetime | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
    ) -> list[int]:
        """Numbers as `World.orders_between` defines them."""
        index = self._channels[channel]
        first = 0 if created_since is None else int(np.searchsorted(index.created, ticks(created_since)))
        last = int(np.searchsorted(index.created, ticks(now), side="right"))
        if created_until is not None:
            last = min(last, int(np.searchsorted(index.created, ticks(created_until))))
        if first >= last:
            return []
        updated = self._updated_at(channel, ticks(now))[first:last]
        fits = np.ones(last - first, dtype=bool)
        if updated_since is not None:
            fits &= updated >= ticks(updated_since)
        if updated_until is not None:
            fits &= updated < ticks(updated_until)
        rows, updated = index.rows[first:last][fits], updated[fits]
        numbers: list[int] = (rows[np.lexsort((rows, updated))] + 1).tolist()
        return numbers

    def materialize(self, numbers: Sequence[int], now: datetime) -> list[Order]:
        """Those orders at `now`. Raises KeyError for a number that does not exist, or not yet."""
        if not numbers:
            return []
        at = ticks(now)
        rows = np.asarray(numbers, dtype=np.int64) - 1
        if rows.min() < 0 or rows.max() >= len(self.orders) or (self.orders.created[rows] > at).any():
            raise KeyError("no such order yet")
        lines = self._lines_of(rows, at)
        columns = [getattr(self.orders, column.name)[rows].tolist() for column in fields(self.orders)]
        return [
            self._order(row, at, values, lines[position])
            for position, (row, values) in enumerate(
                zip(rows.tolist(), zip(*columns, strict=True), strict=True)
            )
        ]

    def _order(self, row: int, at: int, values: tuple[int, ...], lines: tuple[Line, ...]) -> Order:
        (channel, created, customer, country, region, shipping, shipping_tax, paid, shipped, delivered,
         cancelled, by_marketplace, replaces) = values  # fmt: skip
        market = self._markets[channel]
        changes = self._changes[self._change_start[row] : self._change_start[row + 1]].tolist()
        return Order(
            number=row + 1,
            external_number=self.external_numbers[row] if self.external_numbers is not None else None,
            channel=market.channel,
            created_at=instant(created),
            updated_at=instant(max(change for change in changes if change <= at)),
            customer=customer if customer >= 0 else None,
            country=self.countries[country],
            region=self.regions[region] if region >= 0 else None,
            currency=market.currency,
            lines=lines,
            shipping=money(shipping),
            shipping_tax=money(shipping_tax),
            paid_at=_seen(paid, at),
            shipped_at=_seen(shipped, at),
            delivered_at=_seen(delivered, at),
            cancelled_at=_seen(cancelled, at),
            refunds=self._refunds_of(row, at),
            fulfilled_by="marketplace" if by_marketplace else "merchant",
            is_replacement=replaces != 0,
            replaces=replaces or None,
        )

    def _lines_of(self, rows: Ints, at: int) -> list[tuple[Line, ...]]:
        begins, ends = self._line_start[rows], self._line_start[rows + 1]
        counts = ends - begins
        chosen = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        table = self.lines
        names = (
            "product",
            "has_sku",
            "unit_price",
            "quantity",
            "discount",
            "tax",
            "cancelled",
            "cancelled_at",
        )
        columns = {name: getattr(table, name)[chosen] for name in names}
        early = (table.edited_at[chosen] > at) & (table.added[chosen] > 0)
        if early.any():
            before = columns["quantity"] - np.where(early, table.added[chosen], 0)
            for name in ("discount", "tax"):
                columns[name] = np.where(
                    early, _cents(columns[name] * before / columns["quantity"]), columns[name]
                )
            columns["quantity"] = before
        gone = columns["cancelled_at"] <= at
        columns["cancelled"] = np.where(gone, np.minimum(columns["cancelled"], columns["quantity"]), 0)
        made: list[Line] = []
        order_starts = (np.cumsum(counts) - counts).tolist()
        positions = (np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + 1).tolist()
        for number, product, has_sku, price, quantity, discount, tax, cancelled, cancelled_at in zip(
            positions, *(columns[name].tolist() for name in names), strict=True
        ):
            made.append(
                Line(
                    number,
                    product + 1,
                    self.skus[product] if has_sku else None,
                    self.titles[product],
                    quantity,
                    money(price),
                    money(discount),
                    money(tax),
                    cancelled,
                    _seen(cancelled_at, at),
                )
            )
        return [
            tuple(made[start : start + count])
            for start, count in zip(order_starts, counts.tolist(), strict=True)
        ]

    def _refunds_of(self, row: int, at: int) -> tuple[Refund, ...]:
        begin, end = self._refund_start[row], self._refund_start[row + 1]
        found = []
        for refund in range(int(begin), int(end)):
            when = int(self.refunds.at[refund])
            if when > at:
                continue
            part = slice(self._refund_line_start[refund], self._refund_line_start[refund + 1])
            table = self.refund_lines
            parts = zip(
                table.line_number[part].tolist(),
                table.quantity[part].tolist(),
                table.amount[part].tolist(),
                table.tax[part].tolist(),
                strict=True,
            )
            found.append(
                Refund(
                    number=refund + 1,
                    at=instant(when),
                    lines=tuple(
                        RefundLine(n, quantity, money(amount), money(tax))
                        for n, quantity, amount, tax in parts
                    ),
                    shipping=money(int(self.refunds.shipping[refund])),
                    is_return=bool(self.refunds.is_return[refund]),
                )
            )
        return tuple(found)

    def _all_changes(self) -> tuple[Ints, Ints]:
        """Every instant at which an order changes, order by order."""
        orders, lines, refunds = self.orders, self.lines, self.refunds
        rows = np.arange(len(orders))
        clocks = (orders.created, orders.paid, orders.shipped, orders.delivered, orders.cancelled)
        row = np.concatenate([*[rows] * len(clocks), lines.order, lines.order, refunds.order])
        when = np.concatenate([*clocks, lines.cancelled_at, lines.edited_at, refunds.at])
        happens = when != NEVER
        row, when = row[happens], when[happens]
        by_row = np.argsort(row, kind="stable")
        return when[by_row], _starts(row[by_row], len(orders))

    def _index(self, rows: Ints) -> _ChannelIndex:
        begins, ends = self._change_start[rows], self._change_start[rows + 1]
        counts = ends - begins
        chosen = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        return _ChannelIndex(
            rows, self.orders.created[rows], self._changes[chosen], np.cumsum(counts) - counts
        )

    def _updated_at(self, channel: str, now: int) -> Ints:
        """Last change up to `now` of every order of the channel (0 for those of the future)."""
        with self._lock:
            known = self._updated.get((channel, now))
        if known is not None:
            return known
        index = self._channels[channel]
        seen = np.where(index.changes <= now, index.changes, 0)
        updated: Ints = np.maximum.reduceat(seen, index.starts) if len(index.starts) else seen
        with self._lock:
            if len(self._updated) >= 8:  # a page or two of every channel asks for the same instant
                self._updated.pop(next(iter(self._updated)))
            self._updated[channel, now] = updated
        return updated


def _starts(owner: Ints, owners: int) -> Ints:
    """Where the rows of each owner begin in a table sorted by owner; one more entry for the end."""
    return np.searchsorted(owner, np.arange(owners + 1)).astype(np.int64)


def _seen(when: int, now: int) -> datetime | None:
    return instant(when) if when <= now else None


def _cents(amount: NDArray[np.float64]) -> Ints:
    return (np.rint(amount / 100) * 100).astype(np.int64)
