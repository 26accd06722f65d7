"""How soon a fall of orders could be told at all: by one who knows what every hour should bring and what the fall is.

Orders come by chance at a known rate. Who knows that rate, and the share of it that is left in the trouble, does best
by adding up the evidence for it (CUSUM: Page 1954, optimal by Moustakides 1986): time speaks for the trouble by the
orders it should have brought, every order against it. For a trouble that leaves none it is the time since the last
order, in orders that should have come. The limit is the one that is passed for nothing as often as Wharf may be: once a
month by channels, categories and SKUs together, so a third of that by each.
"""

from datetime import datetime

import numpy as np
import polars as pl

from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.orderbook import DAY, ticks

KINDS = 3  # channels, categories, SKUs
DAYS_A_MONTH = 30
_LEAD_IN = 45 * DAY  # of orders before a trouble: the evidence is long back at nothing by then
_DRAWN = 4_000_000  # orders that set the limit


class Oracle:
    """Watches one channel, or one SKU on it, for a trouble that leaves a share `kept` of its orders."""

    def __init__(self, world: GeneratedWorld, channel: str, sku: str | None, kept: float) -> None:
        self._kept = kept
        market = next(at for at, each in enumerate(world.markets) if each.channel == channel)
        lines, orders = world.book.lines, world.book.orders
        own = orders.channel[lines.order] == market
        expected = np.where(world._in_stock, world._wanted_lines, 0.0)
        daily = expected[market].sum(axis=0)
        if sku is not None:
            product = world.book.skus.index(sku)
            own &= lines.product == product
            daily = expected[market, product]
        # Lines share orders: as many orders as there were, spread over the days as the lines were to be expected.
        history = (world.today - world.first_day).days
        midnights = world._midnights[market]
        daily = daily * len(np.unique(lines.order[own])) / daily[:history].sum()
        month = slice(history - DAYS_A_MONTH, history)
        self.a_day = float(daily[month].mean())
        # Expected orders up to each local hour; every day has the profile of all orders there were.
        length = np.diff(midnights, append=midnights[-1] + DAY)
        day = np.searchsorted(midnights, orders.created[orders.channel == market], side="right") - 1
        at = (orders.created[orders.channel == market] - midnights[day]) * 24 // length[day]
        profile = np.bincount(np.minimum(at, 23), minlength=24) / len(
            at
        )  # what comes after the last day: its last hour
        begins = midnights[:, None] + length[:, None] * np.arange(24) / 24
        self._hours = np.append(begins.ravel(), midnights[-1] + length[-1])
        self._reached = np.concatenate([[0.0], np.cumsum(daily[:, None] * profile)])
        self._limit = limit(kept, KINDS * float(expected[:, :, month].sum()))

    def hours_until_told(self, left: pl.DataFrame, start: datetime, most: int) -> float | None:
        """Hours from `start` until the evidence of the lines that are `left` (created_at) passes the limit; None: not
        within `most`."""
        begin = ticks(start)
        at = left["created_at"].unique().sort().dt.epoch("us").to_numpy()
        came = np.interp(at[at > begin - _LEAD_IN], self._hours, self._reached)
        begun = float(np.interp(begin, self._hours, self._reached))
        evidence, since = 0.0, float(came[0])
        for each in [*came[1:].tolist(), np.inf]:
            before = evidence + (1 - self._kept) * (each - since)
            if each > begun and before >= self._limit:
                told = max(since + (self._limit - evidence) / (1 - self._kept), begun)
                hours = float(np.interp(told, self._reached, self._hours) - begin) * 24 / DAY
                return hours if hours <= most else None
            evidence = max(before + np.log(self._kept), 0.0) if self._kept else 0.0
            since = each
        raise AssertionError("what goes on for ever is told some day")


def limit(kept: float, orders: float) -> float:
    """Evidence that is passed for nothing once in so many orders at the usual rate."""
    if not kept:
        return float(np.log(orders))  # as many stretches as orders, each longer than x with exp(-x)
    rng = np.random.default_rng(1)
    steps = (1 - kept) * rng.exponential(size=_DRAWN)  # before each order; the order itself takes log(kept)
    path = np.cumsum(steps + np.log(kept))
    floor = np.minimum.accumulate(np.minimum(np.concatenate([[0.0], path[:-1]]), 0.0))
    peaks = path - np.log(kept) - floor
    run = np.cumsum(np.diff(floor, prepend=0.0) < 0)  # a new floor: the evidence began anew
    highest = np.zeros(int(run[-1]) + 1)
    np.maximum.at(highest, run, peaks)
    return float(np.sort(highest)[-max(round(_DRAWN / orders), 1)])
