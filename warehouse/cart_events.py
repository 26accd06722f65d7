"""Events of the merchant's own shop: stored once each, read back for the funnel, published by month."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from warehouse import frames, schema, sql
from warehouse.frames import INSTANT
from warehouse.rollup_tables import replace_partition, typed

OLDEST = timedelta(days=30)  # an event that comes later than this after it happened is refused
_LATE_COMMIT = timedelta(hours=1)  # what was received before a publication may have been committed after it
_UNDECIDED = timedelta(hours=25)  # whether a younger cart was left could not be said by a publication


@dataclass(frozen=True)
class CartEvent:
    """One row of core.cart_events, without the instant of its arrival."""

    event_id: str
    kind: str
    happened_at: datetime
    session_key: str
    sku: str
    quantity: int
    price: Decimal | None
    currency: str | None


def store(engine: Engine, events: Sequence[CartEvent]) -> int:
    """Keep those whose id is new, in one transaction; returns how many were. An id is known for good."""
    if not events:
        return 0
    # In one order for all: two requests with the same ids would otherwise wait for each other in a circle.
    rows = [asdict(event) for event in sorted(events, key=lambda event: event.event_id)]
    columns = {
        "event_id": "text",
        "kind": "text",
        "happened_at": "timestamptz",
        "session_key": "text",
        "sku": "text",
        "quantity": "bigint",
        "price": "numeric",
        "currency": "text",
    }
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    with engine.begin() as connection:
        return connection.execute(
            text(
                f"INSERT INTO core.cart_events ({', '.join(columns)}) SELECT * FROM unnest({arrays})"
                " ON CONFLICT (event_id) DO NOTHING"
            ),
            {name: [row[name] for row in rows] for name in columns},
        ).rowcount


def events(engine: Engine, since: datetime, until: datetime) -> pl.DataFrame:
    """Events of `[since, until)`, and the purchases of the day after: kind, happened_at, session_key, sku, product_id
    (0: no product has the SKU), quantity, price, currency."""
    return frames.query(
        engine,
        sql.read("cart_events"),
        {
            "kind": pl.String,
            "happened_at": INSTANT,
            "session_key": pl.String,
            "sku": pl.String,
            "product_id": pl.Int64,
            "quantity": pl.Int64,
            "price": frames.MONEY,
            "currency": pl.String,
        },
        since=since,
        until=until,
    )


def forget(engine: Engine, now: datetime, keep_days: int) -> int:
    """Delete what happened more than `keep_days` ago; returns how many. That must be longer than OLDEST: an event sent
    again after it is refused as too old, so that none can count twice."""
    if timedelta(days=keep_days) <= OLDEST:
        raise ValueError(f"events must be kept for more than {OLDEST.days} days, not {keep_days}")
    with engine.begin() as connection:
        return connection.execute(
            text("DELETE FROM core.cart_events WHERE happened_at < :before"),
            {"before": now - timedelta(days=keep_days)},
        ).rowcount


def earliest_unpublished(engine: Engine, client: Client) -> datetime | None:
    """When the first event happened that came in since the last whole publication, or that it could not judge yet;
    None: there is none.

    A publication replaces every month from some instant to now, the newest last: its `as_of` says when one was whole.
    """
    schema.require_clickhouse(client)
    rows = client.query("SELECT argMax(as_of, date), count() FROM analytics.daily_cart_events").result_rows
    published = rows[0][0] if rows[0][1] else None
    with engine.connect() as connection:
        first = connection.scalar(
            text(
                "SELECT min(happened_at) FROM core.cart_events WHERE CAST(:since AS timestamptz) IS NULL"
                " OR happened_at >= CAST(:since AS timestamptz) - :undecided"
                " OR happened_at >= CAST(:since AS timestamptz) - :oldest"
                " AND received_at >= CAST(:since AS timestamptz) - :late"
            ),
            {
                "since": published,
                "undecided": _UNDECIDED,
                "oldest": OLDEST + _LATE_COMMIT,
                "late": _LATE_COMMIT,
            },
        )
    return first if isinstance(first, datetime) else None


def publish(client: Client, month: date, frame: pl.DataFrame, as_of: datetime) -> int:
    """Replace a month of daily_cart_events by `models.funnel.by_hour`'s rows of it; returns how many."""
    return replace_partition(
        client, "daily_cart_events", f"'{month:%Y%m}'", typed("daily_cart_events", frame, as_of)
    )
