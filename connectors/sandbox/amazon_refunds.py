"""When money moved for the sandbox's Amazon orders, sent or given back; found once and kept up to date."""

import threading
from bisect import bisect_left, insort
from datetime import UTC, datetime

from connectors.sandbox.world import Order, Refund, World

_CHUNK = 2000
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
SHIPMENT = -1  # stands where a refund's number stands


class MoneyIndex:
    """Shipments and refunds of a channel by instant. None changes once it happened: only new ones are looked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._entries: dict[str, list[tuple[datetime, int, int]]] = {}
        self._read_to: dict[str, datetime] = {}
        self._known: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    def between(
        self, channel: str, since: datetime, until: datetime, now: datetime
    ) -> list[tuple[datetime, int, int]]:
        """(instant, order's number, refund's number or SHIPMENT) of what happened in [since, until), sorted."""
        with self._lock:
            self._look(channel, now)
            entries = self._entries.get(channel, [])
            start, end = bisect_left(entries, (since, 0, 0)), bisect_left(entries, (until, 0, 0))
            return [entry for entry in entries[start:end] if entry[0] <= now]

    def movements(
        self, entries: list[tuple[datetime, int, int]], now: datetime
    ) -> list[tuple[Order, Refund | None]]:
        """The orders behind entries in their order, each with its refund; without one it was sent."""
        numbers = sorted({number for _, number, _ in entries})
        orders = {order.number: order for order in self._world.orders(numbers, now)}
        found: list[tuple[Order, Refund | None]] = []
        for _, number, refund_number in entries:
            order = orders[number]
            refunds = {refund.number: refund for refund in order.refunds}
            found.append((order, None if refund_number == SHIPMENT else refunds[refund_number]))
        return found

    def _look(self, channel: str, now: datetime) -> None:
        since = self._read_to.get(channel)
        if since is not None and since >= now:
            return
        numbers = list(self._world.orders_between(channel, now, updated_since=since or _BEGINNING))
        entries = self._entries.setdefault(channel, [])
        for start in range(0, len(numbers), _CHUNK):
            for order in self._world.orders(numbers[start : start + _CHUNK], now):
                moved = [(refund.at, order.number, refund.number) for refund in order.refunds]
                if order.shipped_at is not None and not order.is_replacement:
                    moved.append((order.shipped_at, order.number, SHIPMENT))
                for entry in moved:
                    if entry[1:] not in self._known:
                        self._known.add(entry[1:])
                        insort(entries, entry)
        self._read_to[channel] = now
