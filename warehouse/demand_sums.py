"""The distribution of summed demand from the latest forecast: what reorder points and alerts are judged by."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl
from sqlalchemy import Engine, text

from warehouse.load import copy_frame

_SERIES = "ch.name || '|' || p.sku"


def save(engine: Engine, frame: pl.DataFrame, *, generated_at: datetime) -> int:
    """Replace what is kept of the series in `frame` (series_id "<channel>|<sku>", lead_days, mean, quantiles q…);
    returns rows.

    Series of channels or products the warehouse does not know are left out.
    """
    names = [name for name in frame.columns if name.startswith("q")]
    rows = frame.select(
        "series_id", "lead_days", mean_units="mean", quantiles=pl.struct(names).struct.json_encode()
    )
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TEMP TABLE incoming (series_id text, lead_days bigint, mean_units numeric, quantiles jsonb)"
                " ON COMMIT DROP"
            )
        )
        copy_frame(connection, "incoming", rows)
        connection.execute(
            text(
                "DELETE FROM core.demand_sums d USING core.channels ch, core.products p"
                " WHERE ch.id = d.channel_id AND p.id = d.product_id"
                f" AND {_SERIES} IN (SELECT series_id FROM incoming)"
            )
        )
        found = connection.execute(
            text(
                "INSERT INTO core.demand_sums (product_id, channel_id, lead_days, mean_units, quantiles, generated_at)"
                " SELECT p.id, ch.id, i.lead_days, i.mean_units, i.quantiles, :at FROM incoming i"
                " JOIN core.channels ch ON ch.name = split_part(i.series_id, '|', 1)"
                # by its own column: compared as one text, every row would meet every product
                " JOIN core.products p ON p.sku = substr(i.series_id, strpos(i.series_id, '|') + 1)"
            ),
            {"at": generated_at},
        )
    return found.rowcount


def forget(engine: Engine, *, before: datetime) -> int:
    """Drop what no forecast has renewed since an instant; returns rows dropped."""
    with engine.begin() as connection:
        return connection.execute(
            text("DELETE FROM core.demand_sums WHERE generated_at < :before"), {"before": before}
        ).rowcount


def latest(engine: Engine, products: Sequence[int] | None = None) -> pl.DataFrame:
    """What `save` kept, in the same columns; no rows before the first forecast. `products`: of these; None: of all."""
    with engine.connect() as connection:
        found = connection.execute(
            text(
                f"SELECT {_SERIES} AS series_id, d.lead_days, d.mean_units, d.quantiles FROM core.demand_sums d"
                " JOIN core.channels ch ON ch.id = d.channel_id JOIN core.products p ON p.id = d.product_id"
                " WHERE CAST(:products AS bigint[]) IS NULL OR d.product_id = ANY(CAST(:products AS bigint[]))"
                " ORDER BY 1, 2"
            ),
            {"products": None if products is None else list(products)},
        ).mappings()
        rows = [
            {
                "series_id": row["series_id"],
                "lead_days": row["lead_days"],
                "mean": float(row["mean_units"]),
                **row["quantiles"],
            }
            for row in found
        ]
    schema = {"series_id": pl.String, "lead_days": pl.Int64, "mean": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=schema) if rows else pl.DataFrame(schema=schema)
