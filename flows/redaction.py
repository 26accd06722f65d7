"""Erasing a person everywhere, telling a person what we hold, and the daily upkeep of both promises.

Who it is never becomes a parameter of a flow: Prefect keeps those in clear. Only the upkeep, which names nobody,
is a flow; the others are called by the command and by the marketplaces' webhooks.
"""

import json
import os
import re
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from sqlalchemy import text

from connectors.errors import ConfigurationError
from connectors.privacy import pseudonym
from connectors.registry import PLATFORMS
from flows import connections, feedback, report
from warehouse import redaction, rollup, runs, tombstones
from warehouse.redaction import Person
from warehouse.tombstones import Tombstone

_KEY = re.compile("^[0-9a-f]{32}$")
_FILE = "tombstones.csv"


@dataclass
class Redacted:
    """What an erasure did. Rows by table; `notes` say what is left for a person to do."""

    rows: dict[str, int] = field(default_factory=dict)
    published_rows: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def person(customers: Iterable[str], account: str | None = None, orders: Collection[str] = ()) -> Person:
    """Everything we could know somebody by.

    Each of `customers` is an e-mail address, a customer's id on a marketplace ("123", "shopify:123",
    "gid://shopify/Customer/123") or a customer_key. Raises ConfigurationError for an account there is not.
    """
    if account:
        _check_account(account)
    keys: set[str] = set()
    words: set[str] = set()
    for given in customers:
        name = given.strip()
        if not name:
            continue
        if _KEY.match(name.removeprefix("key:")):
            keys.add(name.removeprefix("key:"))
            continue
        words.add(name)
        keys |= {
            pseudonym(reference, connections.settings().pseudonym_key) for reference in _references(name)
        }
    if not keys and not orders:
        raise ConfigurationError("say who: an e-mail address, a marketplace's customer id or a customer_key")
    return Person(frozenset(keys), frozenset(map(str, orders)), frozenset(words), account or "")


def redact(who: Person) -> Redacted:
    """Erase somebody from both databases, for good. Safe to repeat."""
    started = time.monotonic()
    engine = connections.postgres()
    run = runs.start(engine, "redact", account=who.account or None)
    try:
        erased = redaction.erase(engine, who)
        _remember(erased.stones)
        with closing(connections.clickhouse()) as client:
            published = redaction.purge(engine, client, erased.stones)
            if published and who.account:  # what he did elsewhere stays known
                rollup.publish(engine, client, [datetime.now(UTC).date()])
        if erased.rows.get("core.feedback"):  # his words are quoted
            feedback.republish(datetime.now(UTC).date(), datetime.now(UTC))
    except BaseException as error:
        runs.finish(engine, run, "failed", message=f"{type(error).__name__}; run `wharf redact` again")
        raise
    runs.finish(engine, run, "done", counts={**erased.rows, "clickhouse": published})
    done = Redacted(erased.rows, published, round(time.monotonic() - started, 2))
    if any("@" in word for word in who.words) and not any(":" in w or w.isdigit() for w in who.words):
        done.notes.append(
            "Shopify names registered customers by id, not by address: give that id as well, if he has one there"
        )
    done.notes.append(
        "files exported by hand and provider suppression lists are not ours to reach: see docs/security.md"
    )
    return done


def redact_account(account: str) -> Redacted:
    """Erase everybody who ever bought in an account."""
    keys = redaction.customers_of(connections.postgres(), account)
    return redact(Person(keys, account=account)) if keys else Redacted()


def disclose(who: Person) -> dict[str, Any]:
    """What we hold about somebody, in words a person can read. Names and addresses are not kept, so there are none."""
    with connections.postgres().connect() as connection:
        orders = connection.execute(
            text(
                "SELECT o.id, c.name AS channel, o.external_id AS order_id, o.order_number, o.ordered_at, o.status,"
                " o.currency, o.total, o.refunded, o.ship_country, o.ship_region, o.customer_key"
                " FROM core.orders o JOIN core.channels c ON c.id = o.channel_id"
                " WHERE (o.customer_key = ANY (:keys) OR o.external_id = ANY (:orders))"
                " AND (:account = '' OR c.account = :account) ORDER BY o.ordered_at"
            ),
            {"keys": sorted(who.keys), "orders": sorted(who.orders), "account": who.account},
        )
        told = [dict(row) for row in orders.mappings()]
        lines = connection.execute(
            text(
                "SELECT order_id, sku, title, quantity, unit_price, total FROM core.order_items"
                " WHERE order_id = ANY (:ids) ORDER BY order_id, line_id"
            ),
            {"ids": [order["id"] for order in told]},
        )
        of: dict[int, list[dict[str, Any]]] = {}
        for line in lines.mappings():
            kept = dict(line)
            of.setdefault(kept.pop("order_id"), []).append(kept)
        carts = connection.execute(
            text(
                "SELECT c.name AS channel, k.external_id AS cart_id, k.created_at, k.completed_at, k.currency, k.total"
                " FROM core.carts k JOIN core.channels c ON c.id = k.channel_id"
                " WHERE k.customer_key = ANY (:keys) AND (:account = '' OR c.account = :account)"
                " ORDER BY k.created_at"
            ),
            {"keys": sorted(who.keys), "account": who.account},
        )
        known = connection.execute(
            text(
                "SELECT c.name AS channel, k.created_at, k.orders_count, k.amount_spent, k.currency, k.country"
                " FROM core.customers k JOIN core.channels c ON c.id = k.channel_id"
                " WHERE k.customer_key = ANY (:keys) AND (:account = '' OR c.account = :account) ORDER BY 1"
            ),
            {"keys": sorted(who.keys), "account": who.account},
        )
        return {
            "kept": "orders and carts under a pseudonym; no name, address, e-mail or phone number is stored",
            "orders": [{**order, "items": of.get(order.pop("id"), [])} for order in told],
            "carts": [dict(row) for row in carts.mappings()],
            "registered": [dict(row) for row in known.mappings()],
        }


@flow(name="privacy", flow_run_name="privacy")
def upkeep() -> State[Any]:
    """Drop refused records that are old enough, and hold everybody erased erased, whatever was restored meanwhile."""
    engine = connections.postgres()
    expired = redaction.expire(engine, connections.settings().raw_days)
    again = reapply()
    report.table(
        "privacy",
        [{"records expired": expired, "rows of erased people": sum(again.values())}],
        "Privacy upkeep",
    )
    return Completed(
        message=f"{expired} refused records expired, {sum(again.values())} rows of erased people"
    )


def reapply(more: Sequence[Tombstone] = ()) -> dict[str, int]:
    """Set every tombstone this machine remembers, and `more`, and apply them; returns rows changed by table.

    After a restore this is what keeps people erased who were erased after the backup was made.
    """
    engine = connections.postgres()
    with engine.begin() as connection:
        tombstones.bury(connection, [*_remembered(), *more])
        changed = tombstones.forget_stored(connection)
        stones = tombstones.known(connection)
    with closing(connections.clickhouse()) as client:
        published = redaction.purge(engine, client, [stone for stone in stones if not stone.account])
        if any(stone.account for stone in stones) and changed:
            rollup.publish(engine, client, [datetime.now(UTC).date()])
    if changed.get("core.feedback"):
        feedback.republish(datetime.now(UTC).date(), datetime.now(UTC))
    _remember(stones)
    return {**changed, **({"clickhouse": published} if published else {})}


def _references(name: str) -> set[str]:
    """How the marketplaces' readers would have called somebody known as `name`."""
    if name.startswith("gid://"):
        kind, _, number = name.rpartition("/")
        return {f"{kind.split('/')[2]}:{number}"}
    if ":" in name:
        return {name}
    if "@" in name:
        return {f"email:{name}"}
    with connections.postgres().connect() as connection:
        channels = connection.scalars(text("SELECT name FROM core.channels")).all()
    return {f"{prefix}:{name}" for prefix in (*PLATFORMS, *channels)}


def _check_account(name: str) -> None:
    with connections.postgres().connect() as connection:
        known = set(connection.scalars(text("SELECT DISTINCT account FROM core.channels")))
    known |= set(connections.accounts())
    if name not in known:
        raise ConfigurationError(
            f"there is no account {name!r}; there are {', '.join(sorted(known)) or 'none'}"
        )


def _path() -> Path:
    return connections.settings().home.absolute() / _FILE


def _remembered() -> list[Tombstone]:
    """Tombstones beside the database: they outlive it."""
    path = _path()
    if not path.exists():
        return []
    rows = [line.split(",", 2) for line in path.read_text().splitlines() if line]
    return [Tombstone(kind, digest, account) for kind, digest, account in rows]


def _remember(stones: Sequence[Tombstone]) -> None:
    known = set(_remembered())
    new = [stone for stone in dict.fromkeys(stones) if stone not in known]
    if not new:
        return
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write("".join(f"{','.join(stone)}\n" for stone in new))
        file.flush()
        os.fsync(file.fileno())


def as_json(told: dict[str, Any]) -> str:
    """A disclosure as a file for a person: instants in ISO 8601, money as decimal text."""

    def plain(value: Any) -> str:
        return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)

    return json.dumps(told, indent=2, default=plain, ensure_ascii=False)
