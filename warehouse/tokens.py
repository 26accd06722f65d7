"""Tokens that change each time they are renewed: one sealed text an account, changed by one process at a time.

In PostgreSQL and not in a file: workers on several machines share an account, and two of them renewing would retire
each other's tokens; and a commit is the atomic, durable write that a file would have to imitate.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

_READ = """
    SELECT sealed, extract(epoch FROM expires_at - clock_timestamp())::float AS seconds_left
    FROM ops.tokens WHERE account = :account AND seed = :seed
"""
_WRITE = """
    INSERT INTO ops.tokens AS t (account, seed, sealed, expires_at, changed_at)
    VALUES (:account, :seed, :sealed, clock_timestamp() + make_interval(secs => :seconds), clock_timestamp())
    ON CONFLICT (account) DO UPDATE SET
        seed = EXCLUDED.seed, sealed = EXCLUDED.sealed, expires_at = EXCLUDED.expires_at,
        changed_at = EXCLUDED.changed_at
"""


@dataclass(frozen=True)
class Turn:
    """An account's tokens while this transaction lasts; nobody else may change them."""

    connection: Connection
    account: str
    seed: str

    def read(self) -> tuple[str, float] | None:
        """The sealed text kept last and the seconds until its end; None where it began with another seed."""
        row = self.connection.execute(text(_READ), {"account": self.account, "seed": self.seed}).one_or_none()
        return None if row is None else (str(row.sealed), float(row.seconds_left))

    def write(self, sealed: str, seconds: float) -> None:
        """Keeps `sealed`, which ends in so many seconds; durable once the turn has ended."""
        self.connection.execute(
            text(_WRITE), {"account": self.account, "seed": self.seed, "sealed": sealed, "seconds": seconds}
        )


@contextmanager
def turn(engine: Engine, account: str, seed: str) -> Iterator[Turn]:
    """Waits for the account's turn. Of `seed`, what the tokens began with, a digest is kept."""
    with engine.begin() as connection:
        _lock(connection, account)
        yield Turn(connection, account, hashlib.sha256(seed.encode()).hexdigest())


def reseal(engine: Engine, seal: Callable[[str], str]) -> int:
    """Write the tokens of every account anew through `seal`; returns how many."""
    with engine.connect() as connection:
        accounts = connection.scalars(text("SELECT account FROM ops.tokens ORDER BY account")).all()
    for account in accounts:
        with engine.begin() as connection:
            _lock(connection, account)
            where = {"account": account}
            kept = connection.scalar(text("SELECT sealed FROM ops.tokens WHERE account = :account"), where)
            connection.execute(
                text("UPDATE ops.tokens SET sealed = :sealed WHERE account = :account"),
                where | {"sealed": seal(str(kept))},
            )
    return len(accounts)


def _lock(connection: Connection, account: str) -> None:
    """Until the transaction ends."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('tokens ' || :account, 0))"), {"account": account}
    )
