"""Who may write for an account and resource now. Judged by the database's clock; renewed from a thread.

Every claim gets a new fencing token. A merge checks its token inside its transaction and holds the lease row
until it commits, so a paused holder that wakes up after losing the lease can write nothing. A holder stopped inside
its merge keeps that row locked: its session carries the token in its name, and whoever wants the lease after it has
run out ends that session if it only waits for its client.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg2.errors
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from warehouse import owners
from warehouse.errors import LeaseHeldError, LeaseLostError
from warehouse.load import end_sessions

EXPIRY_SECONDS = 30.0
_RENEWALS_PER_EXPIRY = 3
_PATIENCE = "SET LOCAL lock_timeout = '2s'"  # with the end of a merge; who is still at it is asked for then
# A session that was told to end gives its locks back in its own time.
_ENDING = "SET LOCAL lock_timeout = '60s'"

_CLAIM = """
    INSERT INTO ops.leases AS l (account, resource, token, owner, claimed_at, expires_at)
    VALUES (:account, :resource, 1, :owner, clock_timestamp(), clock_timestamp() + make_interval(secs => :expiry))
    ON CONFLICT (account, resource) DO UPDATE SET
        token = l.token + 1, owner = EXCLUDED.owner, claimed_at = clock_timestamp(),
        expires_at = clock_timestamp() + make_interval(secs => :expiry)
    WHERE l.expires_at <= clock_timestamp()
    RETURNING token
"""
_EXTEND = """
    UPDATE ops.leases SET expires_at = clock_timestamp() + make_interval(secs => :expiry)
    WHERE account = :account AND resource = :resource AND token = :token
"""
_RELEASE = """
    UPDATE ops.leases SET expires_at = clock_timestamp()
    WHERE account = :account AND resource = :resource AND token = :token
"""
_TAKE = """
    UPDATE ops.leases SET expires_at = clock_timestamp()
    WHERE account = :account AND resource = :resource AND owner = :owner AND expires_at > clock_timestamp()
"""
# A merge runs statement after statement: a session whose server waits for its client for as long as a renewal takes
# belongs to a client that is stopped, or gone without a word.
_END_SILENT = """
    SELECT pg_terminate_backend(a.pid)
    FROM ops.leases l
    JOIN pg_stat_activity a
      ON a.application_name = left(concat_ws(':', 'wharf:merge', l.token, l.account, l.resource), 63)
    WHERE l.account = :account AND l.resource = :resource AND l.expires_at <= clock_timestamp()
      AND a.datname = current_database() AND a.pid <> pg_backend_pid()
      AND (a.state LIKE 'idle in transaction%' OR a.wait_event_type = 'Client')
      AND a.state_change < clock_timestamp() - make_interval(secs => :expiry / 3.0)
"""
_NAME = "SELECT set_config('application_name', left(:name, 63), true)"
_HOLDER = "SELECT owner, expires_at FROM ops.leases WHERE account = :account AND resource = :resource"


@dataclass(frozen=True)
class Lease:
    """The right to write for `account` and `resource`, as long as `token` is the newest."""

    account: str
    resource: str
    token: int
    owner: str
    expiry_seconds: float = EXPIRY_SECONDS
    lost: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @property
    def is_lost(self) -> bool:
        """True once a renewal found that it is no longer ours; work may stop early."""
        return self.lost.is_set()


@contextlib.contextmanager
def hold(
    engine: Engine, account: str, resource: str, owner: str, *, expiry_seconds: float = EXPIRY_SECONDS
) -> Iterator[Lease]:
    """Hold the lease while the block runs; it is renewed meanwhile and given back at the end.

    Raises LeaseHeldError when somebody else holds it. From a holder on this machine that was killed it is taken
    at once, from one elsewhere when it expires. A predecessor's stuck staging sessions are ended.
    """
    lease = _claim(engine, account, resource, owner, expiry_seconds)
    stop = threading.Event()
    renewer = threading.Thread(
        target=_renew, args=(engine, lease, stop), daemon=True, name=f"lease-{resource}"
    )
    renewer.start()
    try:
        end_sessions(engine, account, resource)
        yield lease
    finally:
        stop.set()
        renewer.join(timeout=5)
        with contextlib.suppress(SQLAlchemyError):  # it expires by itself
            _change(engine, _RELEASE, lease)


def fence(connection: Connection, lease: Lease) -> None:
    """Raise LeaseLostError unless `lease` is still ours; from here to the commit nobody can take it.

    The transaction is named after the lease's token meanwhile.
    """
    name = f"wharf:merge:{lease.token}:{lease.account}:{lease.resource}"
    connection.execute(text(_NAME), {"name": name})
    found = connection.execute(text(_EXTEND + " AND expires_at > clock_timestamp()"), _values(lease)).rowcount
    if found != 1:
        lease.lost.set()
        raise LeaseLostError(
            f"the lease on {lease.account}/{lease.resource} ran out or was taken over; nothing was written"
        )


def extend(connection: Connection, lease: Lease) -> None:
    """Count the lease from now, at the end of a long transaction."""
    connection.execute(text(_EXTEND), _values(lease))


def holder(engine: Engine, account: str, resource: str) -> str | None:
    """Who holds the lease now; None: nobody."""
    with engine.connect() as connection:
        owner = connection.scalar(
            text(_HOLDER + " AND expires_at > clock_timestamp()"), {"account": account, "resource": resource}
        )
    return None if owner is None else str(owner)


def _claim(engine: Engine, account: str, resource: str, owner: str, expiry: float) -> Lease:
    values = {"account": account, "resource": resource, "owner": owner, "expiry": expiry}
    try:
        token = _take(engine, values, _PATIENCE)
    except OperationalError as error:
        if not isinstance(error.orig, psycopg2.errors.LockNotAvailable):
            raise
        with engine.begin() as connection:
            ended = connection.execute(text(_END_SILENT), values).all()
        if not ended:
            raise LeaseHeldError(
                f"{account}/{resource} is being merged by another run; try again later"
            ) from None
        token = _take(engine, values, _ENDING)
    if token is None:
        other = holder(engine, account, resource)
        if owners.is_gone(other):
            with engine.begin() as connection:
                connection.execute(text(_TAKE), {**values, "owner": other})
                token = connection.scalar(text(_CLAIM), values)
    if token is None:
        other = other or "another run"
        raise LeaseHeldError(f"{account}/{resource} is being worked on by {other}; try again later")
    return Lease(account, resource, int(token), owner, expiry)


def _take(engine: Engine, values: dict[str, object], patience: str) -> int | None:
    """The token of a new claim; None when somebody else holds the lease. `patience`: with a merge."""
    with engine.begin() as connection:
        connection.execute(text(patience))
        token: int | None = connection.scalar(text(_CLAIM), values)
    return token


def _renew(engine: Engine, lease: Lease, stop: threading.Event) -> None:
    while not stop.wait(lease.expiry_seconds / _RENEWALS_PER_EXPIRY):
        try:
            renewed = _change(engine, _EXTEND + " AND expires_at > clock_timestamp()", lease)
        except SQLAlchemyError:
            continue  # the database is away; the next turn tells whether the lease survived it
        if not renewed:
            lease.lost.set()
            return


def _change(engine: Engine, statement: str, lease: Lease) -> bool:
    with engine.begin() as connection:
        return connection.execute(text(statement), _values(lease)).rowcount == 1


def _values(lease: Lease) -> dict[str, object]:
    return {
        "account": lease.account,
        "resource": lease.resource,
        "token": lease.token,
        "expiry": lease.expiry_seconds,
    }
