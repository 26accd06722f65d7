"""Whom we must not know again: consulted by every merge, and applied again after a restore.

A customer is remembered by the SHA-256 of his keyed pseudonym, an order by that of its id. Neither tells
anybody who was erased; both are enough to know him when he arrives again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from warehouse.load import Staging
from warehouse.tables import metadata
from warehouse.tables import staging as staged

CUSTOMER, ORDER = "customer", "order"


class Tombstone(NamedTuple):
    """One row of ops.tombstones; `account` empty: in every account."""

    kind: str
    digest: str
    account: str = ""


def digest(value: str) -> str:
    """What is kept of a pseudonym or an order id."""
    return hashlib.sha256(value.encode()).hexdigest()


def _hash(column: str) -> str:
    return f"encode(sha256(convert_to({column}, 'UTF8')), 'hex')"


# Whose rows, by kind of tombstone: the column a digest is of.
_COLUMN = {CUSTOMER: "r.customer_key", ORDER: "r.external_id"}


def bury(connection: Connection, tombstones: Iterable[Tombstone]) -> int:
    """Remember them; returns how many were new."""
    rows = [stone._asdict() for stone in tombstones]
    if not rows:
        return 0
    return connection.execute(
        text(
            "INSERT INTO ops.tombstones (kind, digest, account)"
            " SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:digests AS text[]), CAST(:accounts AS text[]))"
            " ON CONFLICT DO NOTHING"
        ),
        {name + "s": [row[name] for row in rows] for name in Tombstone._fields},
    ).rowcount


def known(connection: Connection) -> list[Tombstone]:
    """All of them."""
    rows = connection.execute(text("SELECT kind, digest, account FROM ops.tombstones ORDER BY 1, 2, 3"))
    return [Tombstone(*row) for row in rows]


def forget_staged(connection: Connection, staging: Staging) -> int:
    """Take whoever was erased out of staged rows, before they are merged; returns how many rows that were."""
    frames = [frame for frame in staging.rows if "customer_key" in staged.COLUMNS[frame]]
    said = staging.has("feedback")
    if not (frames or said) or not connection.scalar(text("SELECT EXISTS (SELECT FROM ops.tombstones)")):
        return 0
    gone = _unsay(connection, staged.table(staging.load_id, "feedback"), "c.name = f.channel") if said else 0
    return gone + sum(
        _forget(
            connection,
            staged.table(staging.load_id, frame),
            "c.name = r.channel",
            kinds=(CUSTOMER, ORDER) if frame == "orders" else (CUSTOMER,),
            also=("ship_region",) if frame == "orders" else (),
        )
        for frame in frames
    )


def forget_stored(connection: Connection) -> dict[str, int]:
    """Take everybody erased out of every table that names customers; returns the rows changed, by table.

    What is a merchant's own record (orders, carts) stays without its customer; what is only about the customer
    goes. Refused records of his orders go, too, and what he said of them.
    """
    changed = {}
    for table in metadata.sorted_tables:
        if "customer_key" not in table.columns:
            continue
        name = f"{table.schema}.{table.name}"
        changed[name] = _forget(
            connection,
            name,
            "c.id = r.channel_id" if "channel_id" in table.columns else None,
            kinds=(CUSTOMER, ORDER) if name == "core.orders" else (CUSTOMER,),
            also=("ship_region",) if "ship_region" in table.columns else (),
            keep=bool(table.columns["customer_key"].nullable),
        )
    changed["core.feedback"] = _unsay(connection, "core.feedback", "c.id = f.channel_id")
    of_order = _hash("split_part(q.natural_key, chr(47), 1)")
    of_customer = f"q.resource = 'customers' AND t.digest = {_hash('q.natural_key')}"
    changed["ops.quarantine"] = connection.execute(
        text(
            "DELETE FROM ops.quarantine q USING ops.tombstones t"
            f" WHERE t.account IN ('', q.account) AND (t.kind = 'order' AND t.digest = {of_order}"
            f" OR t.kind = 'customer' AND {of_customer})"
        )
    ).rowcount
    return {name: rows for name, rows in changed.items() if rows}


def _unsay(connection: Connection, table: str, channel: str) -> int:
    """Delete what was said of erased orders. `channel` joins a statement to its channel."""
    return connection.execute(
        text(
            f"DELETE FROM {table} f USING ops.tombstones t, core.channels c"
            f" WHERE {channel} AND t.kind = 'order' AND t.account IN ('', c.account)"
            f" AND t.digest = {_hash('f.order_external_id')}"
        )
    ).rowcount


def _forget(
    connection: Connection,
    table: str,
    channel: str | None,
    *,
    kinds: Sequence[str],
    also: Sequence[str],
    keep: bool = True,
) -> int:
    """Rows of `table` that lost their customer, or, without `keep`, went. `channel` joins a row to its channel."""
    empty = ", ".join(f"{column} = NULL" for column in ("customer_key", *also))
    change = f"UPDATE {table} r SET {empty} FROM" if keep else f"DELETE FROM {table} r USING"
    rows = 0
    for kind in kinds:
        among = "ops.tombstones t" if channel is None else "ops.tombstones t, core.channels c"
        account = "t.account = ''" if channel is None else f"{channel} AND t.account IN ('', c.account)"
        rows += connection.execute(
            text(
                f"{change} {among} WHERE r.customer_key IS NOT NULL AND {account}"
                f" AND t.kind = :kind AND t.digest = {_hash(_COLUMN[kind])}"
            ),
            {"kind": kind},
        ).rowcount
    return rows
