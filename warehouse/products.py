"""SKUs that differ between channels: the mapping that makes them one product, and listings that have no other side.

A mapping counts for the past as well: order lines move to the merchant's product, and the ledger takes their sales
back where they stood and books them there. Stock follows with the next snapshot of its channel.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
from sqlalchemy import Connection, Engine, text

from warehouse import frames, merge_steps, schema, sql
from warehouse.batch import Run
from warehouse.errors import WarehouseError
from warehouse.load import Staging, copy_frame

_COLUMNS = ("channel", "channel_sku", "sku")


class MappingFileError(WarehouseError):
    """A file of SKU mappings that cannot be read; says which line and why."""


class Mapping(NamedTuple):
    """On `channel`, `channel_sku` is the merchant's `sku`."""

    channel: str
    channel_sku: str
    sku: str


@dataclass(frozen=True)
class Mapped:
    """What a mapping changed."""

    mappings: int
    changed: int
    listings: int
    order_lines: int
    days_to_publish: int


def read_file(path: Path) -> list[Mapping]:
    """Rows of a CSV with the columns channel, channel_sku and sku. Raises MappingFileError."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingFileError(f"{path}: {error}") from error
    rows = csv.DictReader(io.StringIO(content), skipinitialspace=True)
    missing = set(_COLUMNS) - {(name or "").strip() for name in rows.fieldnames or ()}
    if missing:
        raise MappingFileError(
            f"{path.name} needs the columns {', '.join(_COLUMNS)}; {', '.join(sorted(missing))} missing"
        )
    found: dict[tuple[str, str], Mapping] = {}
    for row in rows:
        values = [(row.get(name) or "").strip() for name in _COLUMNS]
        if not any(values):
            continue
        if not all(values):
            raise MappingFileError(
                f"{path.name}, line {rows.line_num}: {', '.join(_COLUMNS)} must all be given"
            )
        mapping = Mapping(*values)
        if found.setdefault(mapping[:2], mapping) != mapping:
            raise MappingFileError(
                f"{path.name}, line {rows.line_num}: {mapping.channel_sku} of {mapping.channel} stands for two SKUs"
            )
    return list(found.values())


def map_skus(engine: Engine, mappings: Sequence[Mapping], run: Run, now: datetime) -> Mapped:
    """Keep the mappings and move what is known under the channels' SKUs; all of it or nothing.

    Raises MappingFileError for a channel there is none of.
    """
    with engine.begin() as connection:
        schema.require(connection)
        names = dict(connection.execute(text("SELECT name, id FROM core.channels")).tuples().all())
        unknown = sorted({m.channel for m in mappings} - names.keys())
        if unknown:
            raise MappingFileError(
                f"there is no channel {', '.join(unknown)}; there are {', '.join(sorted(names))}"
            )
        for channel_id in sorted({names[m.channel] for m in mappings}):
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended('merge', :id))"), {"id": channel_id}
            )
        wanted = pl.DataFrame(
            [(names[m.channel], m.channel_sku, m.sku) for m in mappings],
            schema={"channel_id": pl.Int64, "channel_sku": pl.String, "sku": pl.String},
            orient="row",
        )
        connection.execute(
            text("CREATE TEMP TABLE t_map (channel_id bigint, channel_sku text, sku text) ON COMMIT DROP")
        )
        copy_frame(connection, "t_map", wanted)
        changed = connection.execute(text(_KEEP)).rowcount
        connection.execute(text(_PRODUCTS))
        moved = connection.execute(text(_LISTINGS)).scalars().all()
        lines = _move_lines(connection)
        steps = merge_steps.Steps(connection, Staging(engine, f"m{run.id}"), run.id, now, lambda *_: None)
        steps.describe(moved)
        if lines:
            steps.recount("SELECT order_id FROM t_lines")
        dirty, _ = merge_steps.close_ledger(connection, run.id)
    return Mapped(len(mappings), changed, len(moved) // 2, lines, dirty)


def unmapped(engine: Engine) -> pl.DataFrame:
    """Active listings sold under a SKU no other channel knows, while the merchant sells on several; `same_barcode`
    names products of other channels that carry the same barcode."""
    return frames.query(engine, sql.read("unmapped_listings"), _UNMAPPED)


def _move_lines(connection: Connection) -> int:
    connection.execute(text("CREATE TEMP TABLE t_lines (order_id bigint) ON COMMIT DROP"))
    return connection.execute(text(_LINES)).rowcount


_KEEP = """
    INSERT INTO core.sku_map AS m (channel_id, channel_sku, sku) SELECT channel_id, channel_sku, sku FROM t_map
    ON CONFLICT (channel_id, channel_sku) DO UPDATE SET sku = EXCLUDED.sku WHERE m.sku <> EXCLUDED.sku
"""
_PRODUCTS = """
    INSERT INTO core.products (sku) SELECT DISTINCT sku FROM t_map ORDER BY 1 ON CONFLICT (sku) DO NOTHING
"""
# Both the product a listing had and the one it has now describe themselves anew.
_LISTINGS = """
    WITH moved AS (
        UPDATE core.channel_products k SET product_id = p.id
        FROM t_map m
        JOIN core.products p ON p.sku = m.sku
        JOIN core.channel_products b ON b.channel_id = m.channel_id AND b.sku = m.channel_sku
        WHERE k.id = b.id AND k.product_id <> p.id
        RETURNING p.id AS now, b.product_id AS before
    )
    SELECT now FROM moved UNION ALL SELECT before FROM moved
"""
_LINES = """
    WITH moved AS (
        UPDATE core.order_items i SET product_id = p.id
        FROM t_map m
        JOIN core.products p ON p.sku = m.sku
        JOIN core.orders o ON o.channel_id = m.channel_id
        WHERE i.order_id = o.id AND i.sku = m.channel_sku AND i.product_id IS DISTINCT FROM p.id
        RETURNING i.order_id
    )
    INSERT INTO t_lines SELECT order_id FROM moved
"""
_UNMAPPED = {
    "channel": pl.String,
    "sku": pl.String,
    "external_id": pl.String,
    "title": pl.String,
    "barcode": pl.String,
    "same_barcode": pl.String,
}
