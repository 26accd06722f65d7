"""How fast we may ask: one token bucket per account and operation, kept as a single instant (GCRA).

The bucket is described by the rate a channel publishes or tells us in its answers. A reservation is made
before a request is sent and says how long to wait, so the permitted rate is reached and never exceeded.
`LocalBudget` serves one process; `warehouse.budget` keeps the same arithmetic in PostgreSQL, shared by
every worker of an account.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Rate:
    """Restores `per_second` tokens a second, holds at most `burst`."""

    per_second: float
    burst: float

    def faster(self, pace: float) -> "Rate":
        """The same bucket on a clock that runs `pace` times as fast (sandboxes only)."""
        return Rate(self.per_second * pace, self.burst)


@dataclass
class Bucket:
    """State of one bucket. `full_at` is when it would be full if nobody asked; all in seconds of one clock."""

    rate: Rate
    full_at: float = 0.0
    blocked_until: float = 0.0

    def wait(self, cost: float, now: float) -> float:
        """Seconds until `cost` tokens may be spent."""
        interval = 1 / self.rate.per_second
        ready = max(self.full_at, now) + (cost - self.rate.burst) * interval
        return max(ready, self.blocked_until, now) - now

    def take(self, cost: float, now: float) -> None:
        """Spend `cost` tokens, borrowing from the future what is not there yet."""
        self.full_at = max(self.full_at, now, self.blocked_until) + cost / self.rate.per_second


class RateBudget(Protocol):
    """Where buckets are kept."""

    def reserve(self, key: str, rate: Rate, cost: float, max_wait: float) -> float:
        """Seconds to wait before sending; nothing is taken when that exceeds `max_wait`."""

    def learn(self, key: str, rate: Rate | None = None, available: float | None = None) -> None:
        """The channel told us its rate, or how many tokens are left."""

    def block(self, key: str, seconds: float) -> None:
        """The channel refused: nobody sends for `seconds`."""


class LocalBudget:
    """Buckets of one process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: dict[str, Bucket] = {}
        self._learned: dict[str, Rate] = {}
        self._lock = threading.Lock()

    def reserve(self, key: str, rate: Rate, cost: float, max_wait: float) -> float:
        with self._lock:
            now = self._now()
            bucket = self._buckets.setdefault(key, Bucket(rate))
            bucket.rate = self._learned.get(key, rate)
            wait = bucket.wait(min(cost, bucket.rate.burst), now)
            if wait <= max_wait:
                bucket.take(cost, now)
            return wait

    def learn(self, key: str, rate: Rate | None = None, available: float | None = None) -> None:
        with self._lock:
            if rate is not None and rate.per_second > 0:
                self._learned[key] = rate
            bucket = self._buckets.get(key)
            if bucket is not None and available is not None:
                missing = max(bucket.rate.burst - available, 0)
                # Only ever stricter: answers overtake each other, and an old one must not refill the bucket.
                bucket.full_at = max(bucket.full_at, self._now() + missing / bucket.rate.per_second)

    def block(self, key: str, seconds: float) -> None:
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is not None:
                bucket.blocked_until = max(bucket.blocked_until, self._now() + seconds)


class Background:
    """A budget for work that can wait: it leaves part of every bucket to those who cannot, such as the live sync.

    It asks for its request and that part together, and puts the part back; what is asked for in between by others
    only makes it wait a little longer. Several workers may share the buckets behind it.
    """

    def __init__(
        self,
        budget: RateBudget,
        *,
        keep: float = 0.1,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._budget = budget
        self._keep = keep
        self._now, self._sleep = now, sleep

    def reserve(self, key: str, rate: Rate, cost: float, max_wait: float) -> float:
        """Waits itself until there is room, 0 then; more than `max_wait` when there will be none in that time."""
        spare = max(min(self._keep * rate.burst, rate.burst - cost), 0.0)
        started = self._now()
        while (wait := self._budget.reserve(key, rate, cost + spare, 0.0)) > 0:
            if self._now() - started + wait > max_wait:
                return max_wait + wait
            self._sleep(wait)
        self._budget.reserve(key, rate, -spare, 0.0)
        return 0.0

    def learn(self, key: str, rate: Rate | None = None, available: float | None = None) -> None:
        self._budget.learn(key, rate, available)

    def block(self, key: str, seconds: float) -> None:
        self._budget.block(key, seconds)
