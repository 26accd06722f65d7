"""What becomes of the generated orders: paid, shipped, delivered, cancelled, edited, refunded, replaced.

Instants are ticks (microseconds), money ten-thousandths; every amount is a whole number of cents.
"""

from dataclasses import dataclass

import numpy as np

from connectors.sandbox.catalogue import CATEGORIES, Floats
from connectors.sandbox.orderbook import (
    DAY,
    NEVER,
    SECOND,
    Flags,
    Ints,
    LineColumns,
    OrderColumns,
    RefundColumns,
    RefundLineColumns,
)

HOUR = 3_600 * SECOND
CENT = 100


@dataclass
class Fates:
    """What will happen to each order, drawn before it is known which lines can be sold."""

    paid: Ints
    shipped: Ints
    delivered: Ints
    cancelled: Ints  # NEVER unless the whole order is cancelled
    line_cancel_at: Ints  # when lines of it would be cancelled one by one


def draw_fates(rng: np.random.Generator, created: Ints, by_marketplace: Flags) -> Fates:
    """Payment, shipping, delivery and cancellation of each order."""
    count = len(created)
    slow_payer = rng.random(count) < 0.03
    paid = created + _after(rng, count, 20 * SECOND, 40 * 60 * SECOND)
    paid = np.where(slow_payer, created + _after(rng, count, 2 * HOUR, 2 * DAY), paid)
    pace = np.where(by_marketplace, 0.6, 1.0)
    shipped = paid + (_after(rng, count, 4 * HOUR, 50 * HOUR) * pace).astype(np.int64) // SECOND * SECOND
    delivered = shipped + _after(rng, count, 20 * HOUR, 6 * DAY)
    cancel = rng.random(count) < 0.022
    # Somewhere between the order and its shipping, never after.
    moment = (
        created + ((shipped - created) * rng.uniform(0.05, 0.9, count)).astype(np.int64) // SECOND * SECOND
    )
    cancelled = np.where(cancel, moment, NEVER)
    return Fates(
        paid=np.where(paid < cancelled, paid, NEVER),
        shipped=np.where(cancel, NEVER, shipped),
        delivered=np.where(cancel, NEVER, delivered),
        cancelled=cancelled,
        line_cancel_at=moment,
    )


def cancel_lines(rng: np.random.Generator, quantity: Ints) -> Ints:
    """Units of each line that will be taken out although the order goes on."""
    taken = rng.random(len(quantity)) < 0.012
    part = np.maximum((quantity * rng.uniform(0.3, 1.0, len(quantity))).astype(np.int64), 1)
    return np.where(taken, part, 0)


def _after(rng: np.random.Generator, count: int, least: int, most: int) -> Ints:
    """Durations in whole seconds."""
    return rng.integers(least // SECOND, most // SECOND, count) * SECOND


def draw_refunds(
    rng: np.random.Generator,
    orders: OrderColumns,
    lines: LineColumns,
    category: Ints,
    *,
    tax_included: Flags,
    by_line: Flags,
) -> tuple[RefundColumns, RefundLineColumns]:
    """Refunds of delivered orders, days later: whole, of a line, of some units, of money only, of shipping.

    `by_line` says by market whether money can be given back on a line without goods: Shopify cannot.
    """
    start = np.searchsorted(lines.order, np.arange(len(orders) + 1))
    rate = np.array([c.refund_rate for c in CATEGORIES])[category[lines.product[start[:-1]]]]
    open_to = (orders.delivered != NEVER) & (orders.replaces == 0)
    chosen = np.flatnonzero(open_to & (rng.random(len(orders)) < rate))
    kind = rng.choice(
        ["full", "line", "units", "goodwill", "shipping"], len(chosen), p=[0.4, 0.25, 0.1, 0.2, 0.05]
    )
    delay = _after(rng, len(chosen), 2 * DAY, 26 * DAY)
    again = rng.random(len(chosen)) < 0.06
    refunds: list[tuple[int, int, int, bool]] = []
    parts: list[tuple[int, int, int, int, int]] = []

    def give(
        row: int, at: int, shipping: int, is_return: bool, given: list[tuple[int, int, int, int]]
    ) -> None:
        parts.extend((len(refunds), *part) for part in given)
        refunds.append((row, at, shipping, is_return))

    for position, row in enumerate(chosen.tolist()):
        of_row = range(int(start[row]), int(start[row + 1]))
        left = [line for line in of_row if _kept(lines, line) > 0]
        if not left:
            continue
        at = int(orders.delivered[row] + delay[position])
        included = bool(tax_included[orders.channel[row]])
        pick = left[position % len(left)]
        what = kind[position]
        if what == "shipping" and orders.shipping[row] > 0:
            give(row, at, int(orders.shipping[row]), False, [])
        elif what == "goodwill" and by_line[orders.channel[row]]:
            given = _share(lines, pick, included, 0.2)
            give(row, at, 0, False, [(pick - of_row.start + 1, 0, *given)])
            if again[position]:  # the goods come back after all: the rest
                net, tax = _share(lines, pick, included, 1.0)
                rest = (net - given[0], tax - given[1])
                give(row, at + 3 * DAY, 0, True, [(pick - of_row.start + 1, _kept(lines, pick), *rest)])
        elif what == "units" and _kept(lines, pick) > 1:
            units = _kept(lines, pick) // 2
            share = _share(lines, pick, included, units / _kept(lines, pick))
            give(row, at, 0, True, [(pick - of_row.start + 1, units, *share)])
        else:
            backs = left if what == "full" else [pick]
            whole = [
                (line - of_row.start + 1, _kept(lines, line), *_share(lines, line, included, 1.0))
                for line in backs
            ]
            give(row, at, int(orders.shipping[row]) if what == "full" else 0, True, whole)
    return _columns(refunds, parts)


def _kept(lines: LineColumns, line: int) -> int:
    return int(lines.quantity[line] - lines.cancelled[line])


def _share(lines: LineColumns, line: int, tax_included: bool, share: float) -> tuple[int, int]:
    """Net amount and tax of a share of what was kept of a line."""
    kept = _kept(lines, line) / int(lines.quantity[line])
    tax = int(lines.tax[line])
    net = int(lines.unit_price[line] * lines.quantity[line] - lines.discount[line]) - (
        tax if tax_included else 0
    )
    return round(net * kept * share / CENT) * CENT, round(tax * kept * share / CENT) * CENT


def _columns(
    refunds: list[tuple[int, int, int, bool]], parts: list[tuple[int, int, int, int, int]]
) -> tuple[RefundColumns, RefundLineColumns]:
    table = np.array([(row, at, shipping, back) for row, at, shipping, back in refunds], dtype=np.int64)
    table = table.reshape(-1, 4)
    lines = np.array(parts, dtype=np.int64).reshape(-1, 5)
    return (
        RefundColumns(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool)),
        RefundLineColumns(*(lines[:, column] for column in range(5))),
    )


def replacements(rng: np.random.Generator, orders: OrderColumns, may_replace: Flags) -> tuple[Ints, Ints]:
    """Rows of delivered orders that are sent once more, and when. `may_replace` is by market."""
    able = (orders.delivered != NEVER) & may_replace[orders.channel]
    rows = np.flatnonzero(able & (rng.random(len(orders)) < 0.008))
    return rows, orders.delivered[rows] + _after(rng, len(rows), DAY, 10 * DAY)


def tax_of(amount: Ints, rate: Floats, included: Flags) -> Ints:
    """Tax on (or inside) an amount, rounded to the cent."""
    share = np.where(included, rate / (1 + rate), rate)
    return np.rint(amount * share / CENT).astype(np.int64) * CENT
