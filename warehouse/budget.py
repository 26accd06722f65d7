"""Rate budgets in PostgreSQL, one bucket per account and operation, shared by every worker of an account.

The same arithmetic as the connectors' local budget (a bucket is the instant at which it would be full), in one
statement each and by the database's clock, so workers on machines whose clocks differ agree.
"""

from typing import Protocol

from sqlalchemy import Engine, text

_CREATE = """
    INSERT INTO ops.rate_buckets (key, per_second, burst, full_at)
    VALUES (:key, :per_second, :burst, clock_timestamp())
    ON CONFLICT (key) DO NOTHING
"""
# `wait` is worked out from the row as locked by this statement; nothing is taken when it is too long.
_TAKE = """
    UPDATE ops.rate_buckets b
    SET per_second = n.per_second, burst = n.burst,
        full_at = CASE WHEN n.wait <= :max_wait
                       THEN greatest(b.full_at, n.now, coalesce(b.blocked_until, n.now))
                            + make_interval(secs => n.cost / n.per_second)
                       ELSE b.full_at END
    FROM (
        SELECT k.key, k.now, k.per_second, k.burst, k.cost,
               extract(epoch FROM greatest(
                   greatest(k.full_at, k.now) + make_interval(secs => (k.cost - k.burst) / k.per_second),
                   coalesce(k.blocked_until, k.now), k.now
               ) - k.now)::float8 AS wait
        FROM (
            SELECT l.key, l.full_at, l.blocked_until, clock_timestamp() AS now,
                   CASE WHEN l.learned THEN l.per_second ELSE CAST(:per_second AS float8) END AS per_second,
                   CASE WHEN l.learned THEN l.burst ELSE CAST(:burst AS float8) END AS burst,
                   least(CAST(:cost AS float8),
                         CASE WHEN l.learned THEN l.burst ELSE CAST(:burst AS float8) END) AS cost
            FROM (SELECT * FROM ops.rate_buckets WHERE key = :key FOR UPDATE) l
        ) k
    ) n
    WHERE b.key = n.key
    RETURNING n.wait
"""
_LEARN_RATE = """
    INSERT INTO ops.rate_buckets AS b (key, per_second, burst, learned, full_at)
    VALUES (:key, :per_second, :burst, true, clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET per_second = EXCLUDED.per_second, burst = EXCLUDED.burst, learned = true
    WHERE (b.per_second, b.burst, b.learned) IS DISTINCT FROM (EXCLUDED.per_second, EXCLUDED.burst, true)
"""
# Only ever stricter: answers overtake each other, and an old one must not refill the bucket.
_LEARN_LEFT = """
    UPDATE ops.rate_buckets
    SET full_at = greatest(
        full_at, clock_timestamp() + make_interval(secs => greatest(burst - :available, 0) / per_second)
    )
    WHERE key = :key
"""
_BLOCK = """
    UPDATE ops.rate_buckets
    SET blocked_until = greatest(blocked_until, clock_timestamp() + make_interval(secs => :seconds))
    WHERE key = :key
"""


class RateLike(Protocol):
    """Restores `per_second` tokens a second, holds at most `burst`."""

    @property
    def per_second(self) -> float: ...
    @property
    def burst(self) -> float: ...


class PostgresBudget:
    """Buckets in ops.rate_buckets; fits the connectors' RateBudget protocol."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def reserve(self, key: str, rate: RateLike, cost: float, max_wait: float) -> float:
        """Seconds to wait before sending; nothing is taken when that exceeds `max_wait`."""
        values = {
            "key": key,
            "per_second": rate.per_second,
            "burst": rate.burst,
            "cost": cost,
            "max_wait": max_wait,
        }
        with self._engine.begin() as connection:
            wait = connection.scalar(text(_TAKE), values)
            if wait is None:
                connection.execute(text(_CREATE), values)
                wait = connection.scalar(text(_TAKE), values)
        assert wait is not None
        return float(wait)

    def learn(self, key: str, rate: RateLike | None = None, available: float | None = None) -> None:
        """The channel told us its rate, or how many tokens are left."""
        with self._engine.begin() as connection:
            if rate is not None and rate.per_second > 0:
                connection.execute(
                    text(_LEARN_RATE), {"key": key, "per_second": rate.per_second, "burst": rate.burst}
                )
            if available is not None:
                connection.execute(text(_LEARN_LEFT), {"key": key, "available": available})

    def block(self, key: str, seconds: float) -> None:
        """The channel refused: nobody sends for `seconds`."""
        with self._engine.begin() as connection:
            connection.execute(text(_BLOCK), {"key": key, "seconds": seconds})
