"""Erasing a person: out of PostgreSQL in one transaction, then out of ClickHouse, and never back in.

The sales stay: they are the merchant's own figures, and say nothing of a person once nobody is named beside them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clickhouse_connect.driver.client import Client
from sqlalchemy import Connection, Engine, text

from warehouse import load, publisher, tombstones
from warehouse.tables.analytics import DATABASE
from warehouse.tombstones import CUSTOMER, ORDER, Tombstone

# Free text a person could stand in, should somebody have typed him there. Big tables have none.
_PROSE = {
    "core.alerts": ("title", "message", "action_url", "facts"),
    "core.feedback": ("text",),
    "ops.outbox": ("payload", "last_error"),
    "ops.runs": ("message", "counts"),
    "ops.backfill_slices": ("message",),
    "ops.schema_notes": ("note",),
}
_JSON = {"facts", "payload", "counts"}
_SHORTEST_WORD = 6  # what is shorter stands in too many texts that mean something else


@dataclass(frozen=True)
class Person:
    """Somebody, by everything we could know him by."""

    keys: frozenset[str]  # keyed pseudonyms
    orders: frozenset[str] = frozenset()  # the source's ids of his orders, where somebody names them
    words: frozenset[str] = frozenset()  # how people write him: an address, an id
    account: str = ""  # one seller account; empty: all


@dataclass
class Erased:
    """What an erasure changed: rows by table."""

    rows: dict[str, int] = field(default_factory=dict)
    stones: list[Tombstone] = field(default_factory=list)

    @property
    def found(self) -> bool:
        return any(self.rows.values())


def erase(engine: Engine, person: Person) -> Erased:
    """Out of PostgreSQL, tombstones set; all of it or nothing. Merges wait meanwhile, and consult what is set here."""
    load.reap(engine)
    done = Erased()
    with engine.begin() as connection:
        _lock_channels(connection)
        orders = _orders_of(connection, person)
        done.stones = [
            Tombstone(CUSTOMER, tombstones.digest(key), person.account) for key in sorted(person.keys)
        ] + [Tombstone(ORDER, tombstones.digest(name), account) for account, name in orders]
        tombstones.bury(connection, done.stones)
        done.rows = tombstones.forget_stored(connection)
        for word in sorted(person.words):
            if len(word) >= _SHORTEST_WORD:
                _blacken(connection, word, done.rows)
    return done


def customers_of(engine: Engine, account: str) -> frozenset[str]:
    """The pseudonyms of everybody who ever bought in an account."""
    with engine.connect() as connection:
        return frozenset(
            connection.scalars(
                text(
                    "SELECT o.customer_key FROM core.orders o JOIN core.channels c ON c.id = o.channel_id"
                    " WHERE c.account = :account AND o.customer_key IS NOT NULL UNION"
                    " SELECT k.customer_key FROM core.carts k JOIN core.channels c ON c.id = k.channel_id"
                    " WHERE c.account = :account AND k.customer_key IS NOT NULL UNION"
                    " SELECT r.customer_key FROM core.customers r JOIN core.channels c ON c.id = r.channel_id"
                    " WHERE c.account = :account"
                ),
                {"account": account},
            )
        )


def purge(
    engine: Engine, client: Client, stones: Sequence[Tombstone], *, patience_seconds: float = 45
) -> int:
    """Delete customers with a tombstone from every ClickHouse table that names customers; returns rows deleted.

    Under the publisher's lock, so that no publication that read before the erasure can bring him back. A person
    erased in one account only may stay in a table over all accounts: those rows are recomputed by the caller.
    """
    digests = sorted({stone.digest for stone in stones if stone.kind == CUSTOMER})
    if not digests:
        return 0
    named = client.query(
        "SELECT table FROM system.columns WHERE database = {database:String} AND name = 'customer_key'",
        parameters={"database": DATABASE},
    )
    condition = "lower(hex(SHA256(customer_key))) IN {digests:Array(String)}"
    rows = 0
    with publisher.only_publisher(engine, patience_seconds=patience_seconds):
        for (table,) in named.result_rows:
            found = client.query(
                f"SELECT count() FROM {DATABASE}.{table} WHERE {condition}",
                parameters={"digests": digests},
            ).result_rows[0][0]
            if found:
                client.command(
                    f"ALTER TABLE {DATABASE}.{table} DELETE WHERE {condition} SETTINGS mutations_sync = 2",
                    parameters={"digests": digests},
                )
            rows += int(found)
    return rows


def expire(engine: Engine, days: int) -> int:
    """Drop the records themselves of what was refused more than `days` ago; that and why it was refused stays."""
    with engine.begin() as connection:
        return connection.execute(
            text(
                "UPDATE ops.quarantine SET raw = NULL WHERE raw IS NOT NULL"
                " AND refused_at < clock_timestamp() - make_interval(days => :days)"
            ),
            {"days": days},
        ).rowcount


def reseal(engine: Engine, seal: Callable[[Any], Any]) -> int:
    """Write every refused record anew through `seal`; returns how many."""
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT id, raw FROM ops.quarantine WHERE raw IS NOT NULL ORDER BY id FOR UPDATE")
        ).all()
        for row in rows:
            connection.execute(
                text("UPDATE ops.quarantine SET raw = CAST(:raw AS jsonb) WHERE id = :id"),
                {"id": row.id, "raw": seal(row.raw)},
            )
    return len(rows)


def _lock_channels(connection: Connection) -> None:
    for channel_id in connection.scalars(text("SELECT id FROM core.channels ORDER BY id")).all():
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('merge', :id))"), {"id": channel_id}
        )


def _orders_of(connection: Connection, person: Person) -> list[tuple[str, str]]:
    """(account, the source's id) of his orders: those under his pseudonyms and those named."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT c.account, o.external_id FROM core.orders o JOIN core.channels c ON c.id = o.channel_id"
            " WHERE (o.customer_key = ANY (:keys) OR o.external_id = ANY (:orders))"
            " AND (:account = '' OR c.account = :account) ORDER BY 1, 2"
        ),
        {"keys": sorted(person.keys), "orders": sorted(person.orders), "account": person.account},
    )
    found = {(str(row.account), str(row.external_id)) for row in rows}
    # Named orders we have not read yet: they must not bring him in later.
    found |= {(person.account, name) for name in person.orders - {name for _, name in found}}
    return sorted(found)


def _blacken(connection: Connection, word: str, rows: dict[str, int]) -> None:
    for table, columns in _PROSE.items():
        for column in columns:
            kind = "jsonb" if column in _JSON else "text"
            changed = connection.execute(
                text(
                    f"UPDATE {table} SET {column} = CAST(regexp_replace({column}::text, :word, '[erased]', 'gi')"
                    f" AS {kind}) WHERE {column}::text ~* :word"
                ),
                {"word": re.escape(word)},
            ).rowcount
            if changed:
                rows[table] = rows.get(table, 0) + changed
