"""The roll-up over a long history: what one changed day costs when a month holds many order lines.

    python -m bench.history [--items 10000000 30000000]

A publication replaces whole months, so its cost is that of the months it touches. `items` are of 24 months, and the
benchmark makes one such month (a 24th of them: 2.5 lines an order, 2,000 products, one channel) directly in `core`,
then publishes one changed day of it, from the ledger to every mart. All the history is 24 such months.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Engine, text

from bench.loading import Source, wharf
from deployments.local.data import data_services
from warehouse import engines, rollup, schema
from warehouse.rates import Reporting

MONTHS = 24
FIRST = date(2026, 3, 1)
SEED_ORDERS = 2_000  # loaded in the usual way: they bring the channel and its products
_CHANGED = datetime(2026, 3, 15, tzinfo=UTC).date()
_FILL = (
    """
    INSERT INTO core.orders (
        id, channel_id, external_id, ordered_at, order_date, source_updated_at, status, currency, subtotal, discount,
        shipping, tax, total, ship_country, is_replacement, is_test
    )
    OVERRIDING SYSTEM VALUE
    SELECT 1000000 + n, c.id, 'h' || n, d.at, (d.at AT TIME ZONE c.timezone)::date, d.at, 'completed', 'USD', 50, 0, 5,
           4, 59, 'US', false, false
    FROM generate_series(1, CAST(:orders AS bigint)) n
    CROSS JOIN core.channels c
    CROSS JOIN LATERAL (SELECT CAST(:first AS timestamptz) + n * (interval '30 days' / :orders) AS at) d
    """,
    """
    INSERT INTO core.order_items (
        order_id, line_id, product_id, sku, quantity, cancelled_quantity, refunded_quantity, unit_price, discount, tax,
        total, net_amount, tax_included, is_gift_card
    )
    SELECT o.id, l::text, p.id, p.sku, 1 + o.id % 3, 0, 0, 19.99, 0, 1.6, 21.59, 19.99 * (1 + o.id % 3), false, false
    FROM core.orders o
    CROSS JOIN LATERAL generate_series(1, 2 + o.id % 2) l
    JOIN core.products p ON p.id = 1 + (o.id * 7919 + l * 104729) % (SELECT max(id) FROM core.products)
    WHERE o.id > 1000000
    """,
    """
    INSERT INTO core.sales_events (
        order_id, line_id, channel_id, product_id, kind, reference, happened_at, happened_date, order_date, currency,
        units, gross_amount, discount_amount, net_amount, refunded_units, refunded_amount, refunded_net_amount,
        recorded_at
    )
    SELECT o.id, i.line_id, o.channel_id, i.product_id, 'sale', '', o.ordered_at, o.order_date, o.order_date, 'USD',
           i.quantity, i.net_amount, 0, i.net_amount, 0, 0, 0, now()
    FROM core.orders o
    JOIN core.order_items i ON i.order_id = o.id
    WHERE o.id > 1000000
    """,
    "ANALYZE core.orders, core.order_items, core.sales_events",
)


def main() -> int:
    """Prints the table and writes bench-results/history.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000_000])
    found = [_measured(items) for items in parser.parse_args().items]
    sys.stdout.write(f"{pl.DataFrame(found)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "history.json").write_text(json.dumps({"load": os.getloadavg(), "runs": found}, indent=1) + "\n")
    return 0


def _measured(items: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="history") as folder,
        data_services(Path(folder), database_url=None, clickhouse_url=None) as services,
    ):
        schema.upgrade(services.database_url, services.clickhouse_url)
        wharf(services.database_url)(Source(SEED_ORDERS))
        engine, client = engines.postgres(services.database_url), engines.clickhouse(services.clickhouse_url)
        lines = _fill(engine, round(items / MONTHS / 2.5))
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            done = rollup.publish(engine, client, [_CHANGED], reporting=Reporting("USD"))
            seconds.append(time.perf_counter() - began)
        client.close()
        engine.dispose()
    median = sorted(seconds)[1]
    return {
        "items of 24 months": items, "items of the month": lines, "rows published": done.rows,
        "one changed day, s": round(median, 1), "whole history, s": round(median * MONTHS),
    }  # fmt: skip


def _fill(engine: Engine, orders: int) -> int:
    with engine.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement), {"orders": orders, "first": FIRST})
        return int(
            connection.scalar(text("SELECT count(*) FROM core.sales_events WHERE order_id > 1000000")) or 0
        )


if __name__ == "__main__":
    sys.exit(main())
