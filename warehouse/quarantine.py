"""Refused records: which there are, one in full, and marking those that were loaded after all."""

from collections.abc import Iterable
from typing import Any

import polars as pl
from sqlalchemy import Engine, text

from warehouse import frames
from warehouse.errors import WarehouseError
from warehouse.frames import INSTANT


class UnknownRecordError(WarehouseError):
    """There is no refused record of that number."""


def listed(engine: Engine, *, limit: int = 1000, everything: bool = False) -> pl.DataFrame:
    """Records refused and not loaded since (or all of them), newest first."""
    return frames.query(
        engine,
        "SELECT id, account, channel, resource, natural_key, field, reason, times, last_refused_at, replayed_at,"
        " run_id FROM ops.quarantine WHERE replayed_at IS NULL OR %(everything)s ORDER BY id DESC LIMIT %(limit)s",
        {
            "id": pl.Int64,
            "account": pl.String,
            "channel": pl.String,
            "resource": pl.String,
            "natural_key": pl.String,
            "field": pl.String,
            "reason": pl.String,
            "times": pl.Int64,
            "last_refused_at": INSTANT,
            "replayed_at": INSTANT,
            "run_id": pl.Int64,
        },
        limit=limit,
        everything=everything,
    )


def show(engine: Engine, record_id: int) -> dict[str, Any]:
    """One refused record in full. Raises UnknownRecordError."""
    with engine.connect() as connection:
        row = (
            connection.execute(text("SELECT * FROM ops.quarantine WHERE id = :id"), {"id": record_id})
            .mappings()
            .first()
        )
    if row is None:
        raise UnknownRecordError(
            f"there is no refused record {record_id}; `wharf quarantine list` shows them"
        )
    return dict(row)


def waiting(
    engine: Engine, *, account: str | None = None, resource: str | None = None
) -> list[dict[str, Any]]:
    """Refused records to try again: id, account, channel, resource, natural_key and the raw record."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT id, account, channel, resource, natural_key, raw FROM ops.quarantine"
                " WHERE replayed_at IS NULL AND (CAST(:account AS text) IS NULL OR account = :account)"
                " AND (CAST(:resource AS text) IS NULL OR resource = :resource) ORDER BY id"
            ),
            {"account": account, "resource": resource},
        )
        return [dict(row) for row in rows.mappings()]


def accept(engine: Engine, record_ids: Iterable[int], *, account: str | None = None) -> int:
    """Go on without these records, or without all of `account`: they hold no publishing back; returns how many."""
    with engine.begin() as connection:
        return connection.execute(
            text(
                "UPDATE ops.quarantine SET accepted_at = clock_timestamp() WHERE replayed_at IS NULL"
                " AND accepted_at IS NULL AND (id = ANY (:ids) OR account = CAST(:account AS text))"
            ),
            {"ids": sorted(record_ids), "account": account},
        ).rowcount


def mark_replayed(engine: Engine, record_ids: Iterable[int]) -> int:
    """These were loaded after all; returns how many were still waiting."""
    with engine.begin() as connection:
        return connection.execute(
            text(
                "UPDATE ops.quarantine SET replayed_at = clock_timestamp()"
                " WHERE id = ANY (:ids) AND replayed_at IS NULL"
            ),
            {"ids": sorted(record_ids)},
        ).rowcount
