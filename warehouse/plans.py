"""Reorder plans into core, and the reorder point beside the stock it is for."""

from datetime import datetime

import polars as pl
from sqlalchemy import Engine, text

from warehouse import frames
from warehouse.frames import INSTANT
from warehouse.load import copy_frame

_NUMBERS = (
    "mean_daily",
    "lead_time_days",
    "service_level",
    "safety_stock",
    "reorder_point",
    "order_quantity",
    "days_of_cover",
    "p_stockout_lead_time",
    "p_stockout_7d",
    "p_stockout_14d",
    "p_stockout_30d",
)
_DATES = ("order_by_date", "stockout_date")


def save(engine: Engine, frame: pl.DataFrame, generated_at: datetime) -> int:
    """Replace the plans of the (product_id, channel_id) rows in `frame`; returns how many.

    Any of the columns of core.inventory_plans may be there; others are ignored, missing ones are null.
    """
    columns = [name for name in (*_NUMBERS, *_DATES) if name in frame.columns]
    numbers = [pl.col(name).cast(pl.Float64).fill_nan(None) for name in columns if name in _NUMBERS]
    rows = (
        frame.drop_nulls(["product_id", "channel_id"])
        .unique(["product_id", "channel_id"], keep="first", maintain_order=True)
        .select("product_id", "channel_id", *numbers, *(name for name in columns if name in _DATES))
    )
    kinds = ", ".join(f"{name} {'date' if name in _DATES else 'numeric'}" for name in rows.columns[2:])
    names = ", ".join(rows.columns)
    updates = ", ".join(
        f"{name} = EXCLUDED.{name}" for name in (*_NUMBERS, *_DATES, "planned_at") if name in rows.columns
    )
    absent = ", ".join(f"{name} = NULL" for name in (*_NUMBERS, *_DATES) if name not in rows.columns)
    changes = ", ".join(part for part in (updates, "planned_at = EXCLUDED.planned_at", absent) if part)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TEMP TABLE incoming (product_id bigint, channel_id bigint"
                f"{', ' if kinds else ''}{kinds}) ON COMMIT DROP"
            )
        )
        copy_frame(connection, "incoming", rows)
        saved = connection.execute(
            text(
                f"INSERT INTO core.inventory_plans ({names}, planned_at) SELECT {names}, :at FROM incoming"
                f" ON CONFLICT (product_id, channel_id) DO UPDATE SET {changes}"
            ),
            {"at": generated_at},
        ).rowcount
        connection.execute(
            text(
                "UPDATE core.inventory i SET reorder_point = ceil(p.reorder_point) FROM core.inventory_plans p"
                " WHERE p.product_id = i.product_id AND p.channel_id = i.channel_id"
                " AND i.reorder_point IS DISTINCT FROM ceil(p.reorder_point)"
            )
        )
    return saved


def latest(engine: Engine) -> pl.DataFrame:
    """The plan of each product and channel, with its series_id."""
    columns = ", ".join(f"i.{name}" for name in (*_NUMBERS, *_DATES))
    return frames.query(
        engine,
        f"SELECT c.name || '|' || p.sku AS series_id, i.product_id, i.channel_id, {columns}, i.planned_at"
        " FROM core.inventory_plans i JOIN core.channels c ON c.id = i.channel_id"
        " JOIN core.products p ON p.id = i.product_id ORDER BY 1",
        {
            "series_id": pl.String,
            "product_id": pl.Int64,
            "channel_id": pl.Int64,
            **dict.fromkeys(_NUMBERS, pl.Float64),
            **dict.fromkeys(_DATES, pl.Date),
            "planned_at": INSTANT,
        },
    )
