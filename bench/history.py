"""The roll-up over a long history: what one changed day costs when a month holds many order lines, and all of it.

    python -m bench.history [--items 10000000 30000000] [--months 24] [--home FOLDER]

A publication replaces whole months, so its cost is that of the months it touches. `items` are of 24 months, 2.5 lines
an order, 2,000 products, one channel. The benchmark makes the last `--months` of them directly in `core`, publishes one
changed day of one month, from the ledger to every mart, and then all months there are, in one publication. What it made
stays in `--home` for the next run; a temporary folder goes.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from bench.loading import Source, wharf
from bench.marts import publication, slowest
from deployments.local.data import DataServices, data_services
from warehouse import engines, schema

MONTHS = 24
LAST = date(2026, 3, 1)  # the last month
SEED_ORDERS = 2_000  # loaded in the usual way: they bring the channel and its products
_CHANGED = LAST.replace(day=15)
_FILL = (
    """
    INSERT INTO core.orders (
        id, channel_id, external_id, ordered_at, order_date, source_updated_at, status, currency, subtotal, discount,
        shipping, tax, total, ship_country, is_replacement, is_test
    )
    OVERRIDING SYSTEM VALUE
    SELECT :base + n, c.id, 'h' || :base + n, d.at, (d.at AT TIME ZONE c.timezone)::date, d.at, 'completed', 'USD', 50,
           0, 5, 4, 59, 'US', false, false
    FROM generate_series(1, CAST(:orders AS bigint)) n
    CROSS JOIN core.channels c
    CROSS JOIN LATERAL (SELECT CAST(:first AS timestamptz) + n * (interval '28 days' / :orders) AS at) d
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
    WHERE o.id > :base
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
    WHERE o.id > :base
    """,
)


def main() -> int:
    """Prints the table and writes bench-results/history.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000_000])
    parser.add_argument("--months", type=int, default=1)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    found = [_measured(items, options.months, options.home) for items in options.items]
    for run in found:
        sys.stdout.write("".join(f"{name:32} {value}\n" for name, value in run.items()) + "\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "history.json").write_text(json.dumps({"load": os.getloadavg(), "runs": found}, indent=1) + "\n")
    return 0


def _measured(items: int, months: int, home: Path | None) -> dict[str, Any]:
    kept = nullcontext(home) if home else tempfile.TemporaryDirectory(prefix="history")
    with (
        kept as folder,
        data_services(Path(folder), database_url=None, clickhouse_url=None) as services,
    ):
        engine, client = engines.postgres(services.database_url), engines.clickhouse(services.clickhouse_url)
        firsts = _firsts(months)
        lines = _filled(engine, services, firsts, round(items / MONTHS / 2.5))
        day = sorted(
            (publication(engine, client, [_CHANGED]) for _ in range(3)), key=lambda run: run[0].seconds
        )[1]
        before = _peak()
        whole, spent = publication(engine, client, firsts)
        client.close()
        engine.dispose()
    return {
        "items of 24 months": items, "items of the month": lines // months,
        "rows of one day's publication": day[0].rows, "one changed day, s": round(day[0].seconds, 1),
        "most of it": slowest(day[1], 6), "months": months, "rows of all": whole.rows,
        "all months, s": round(whole.seconds, 1), "most of all": slowest(spent, 6),
        "peak MB after one day": before, "after all": _peak(),
    }  # fmt: skip


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _firsts(months: int) -> list[date]:
    """Firsts of so many months up to LAST."""
    numbers = [LAST.year * 12 + LAST.month - 1 - back for back in range(months)]
    return [date(number // 12, number % 12 + 1, 1) for number in reversed(numbers)]


def _filled(engine: Engine, services: DataServices, firsts: list[date], orders: int) -> int:
    """Order lines of so many `orders` in each month, made unless they are there; how many in all."""
    count = "SELECT count(*) FROM core.sales_events WHERE order_id > 1000000"
    if not schema.current(services.database_url, None).postgres:
        schema.upgrade(services.database_url, services.clickhouse_url)
        wharf(services.database_url)(Source(SEED_ORDERS))
        for number, first in enumerate(firsts):
            _fill(engine, orders, first, 1_000_000 + number * orders)
        with engine.begin() as connection:
            connection.execute(text("ANALYZE core.orders, core.order_items, core.sales_events"))
    with engine.begin() as connection:
        return int(connection.scalar(text(count)) or 0)


def _fill(engine: Engine, orders: int, first: date, base: int) -> None:
    """One month's orders, with ids from `base` on."""
    with engine.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement), {"orders": orders, "first": first, "base": base})


if __name__ == "__main__":
    sys.exit(main())
