"""Planning and customer insight at size: `python -m bench.planning [--skus 20000] [--orders 1000000]`.

An invented catalogue on three channels, two years of orders and ten months of weekly stock go straight into the tables;
then what the deployments do every night. Seconds, and the most memory this process had until then.
"""

import argparse
import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Engine, text

from deployments.local.data import data_services
from models.cumulative import CHANCES, column
from warehouse import demand_sums, engines, schema, shipping
from warehouse.load import copy_frame

CHANNELS = ("amazon-us", "shopify-shop", "walmart-us")
TODAY = date(2026, 11, 1)
HISTORY_DAYS, STOCK_WEEKS = 730, 44
LEADS = (7, 14, 21, 30, 60)
NORMAL = (-1.645, -1.282, -0.674, 0.0, 0.674, 0.842, 1.282, 1.645, 1.96, 2.326)
LINES_AN_ORDER = 1.25
CUSTOMERS_AN_ORDER = 0.3
BLOCK = 200_000


def fill(engine: Engine, skus: int, orders: int, seed: int = 7) -> int:
    """Everything the flows read; returns series."""
    rng = np.random.default_rng(seed)
    popular = rng.pareto(1.2, skus) + 0.05
    shop = np.array([0.6, 0.25, 0.15])
    daily = np.outer(shop, popular / popular.sum()) * orders * LINES_AN_ORDER * 1.3 / HISTORY_DAYS
    with engine.begin() as connection:
        for name in CHANNELS:
            connection.execute(
                text(
                    "INSERT INTO core.channels (name, platform, account, currency, timezone)"
                    " VALUES (:name, :platform, 'bench', 'USD', 'UTC')"
                ),
                {"name": name, "platform": name.partition("-")[0]},
            )
        copy_frame(connection, "core.products", pl.DataFrame({
            "id": np.arange(1, skus + 1), "sku": [f"SKU-{n:05d}" for n in range(1, skus + 1)],
            "name": [f"Thing {n}" for n in range(1, skus + 1)],
            "category": [f"category {n % 12}" for n in range(skus)], "is_stub": False,
        }))  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO core.channel_products (channel_id, product_id, external_id, listing_price, currency,"
                " cost_price) SELECT c.id, p.id, p.sku, 20, 'USD', 9 FROM core.channels c, core.products p"
            )
        )
        for frames in (_sales(rng, skus, orders, popular, shop), _stock(rng, skus, daily)):
            for table, frame in frames:
                copy_frame(connection, table, frame)
        connection.execute(
            text(
                "INSERT INTO core.inventory (product_id, channel_id, warehouse_location, quantity_available,"
                " quantity_inbound) SELECT DISTINCT ON (product_id, channel_id) product_id, channel_id,"
                " warehouse_location, quantity_available, quantity_inbound FROM core.inventory_history"
                " ORDER BY product_id, channel_id, observed_at DESC"
            )
        )
    _forecasts(engine, skus, daily)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return skus * len(CHANNELS)


def _sales(
    rng: np.random.Generator, skus: int, orders: int, popular: Any, shop: Any
) -> Iterator[tuple[str, pl.DataFrame]]:
    first = datetime.combine(TODAY - timedelta(days=HISTORY_DAYS), datetime.min.time(), UTC)
    for begin in range(0, orders, BLOCK):
        ids = np.arange(begin + 1, min(begin + BLOCK, orders) + 1)
        seconds = (ids * (HISTORY_DAYS * 86_400 / orders)).astype(np.int64)
        ticks = pl.Series((seconds + int(first.timestamp()) - 1) * 1_000_000)
        at = ticks.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        channel = rng.choice(3, len(ids), p=shop) + 1
        handling = pl.Series(rng.exponential(86_400_000_000, len(ids)).astype(np.int64)).cast(
            pl.Duration("us")
        )
        buyer = rng.integers(0, int(orders * CUSTOMERS_AN_ORDER), len(ids))
        yield "core.orders", pl.DataFrame({
            "id": ids, "channel_id": channel, "external_id": [f"o{n}" for n in ids], "ordered_at": at,
            "order_date": at.dt.date(), "source_updated_at": at, "customer_key": [f"{n:032x}" for n in buyer],
            "status": "completed", "currency": "USD", "is_replacement": False, "is_test": False,
            "ship_country": "US", "ship_region": [f"S{place:02d}" for place in rng.integers(0, 50, len(ids))],
            "fulfilled_by": "merchant", "ship_by_at": at + timedelta(days=2),
            "shipped_at": at + handling,
        })  # fmt: skip
        lines = 1 + (rng.random(len(ids)) < LINES_AN_ORDER - 1)
        owner = np.repeat(np.arange(len(ids)), lines)
        units = 1 + (rng.random(len(owner)) < 0.2) + (rng.random(len(owner)) < 0.05)
        price = np.where(rng.random(len(owner)) < 0.1, 16.0, 20.0) * units
        when = at.gather(owner)
        yield "core.sales_events", pl.DataFrame({
            "order_id": ids[owner], "line_id": pl.int_range(len(owner), eager=True).cast(pl.String),
            "channel_id": channel[owner], "product_id": rng.choice(skus, len(owner), p=popular / popular.sum()) + 1,
            "kind": "sale", "reference": "", "happened_at": when, "happened_date": when.dt.date(),
            "order_date": when.dt.date(), "currency": "USD", "units": units, "gross_amount": price,
            "discount_amount": 0.0, "net_amount": price, "refunded_units": 0, "refunded_amount": 0.0,
            "refunded_net_amount": 0.0, "recorded_at": when,
        })  # fmt: skip


def _stock(rng: np.random.Generator, skus: int, daily: Any) -> Iterator[tuple[str, pl.DataFrame]]:
    """Shelves that empty at the pace of sales and are filled again, some late."""
    for channel in range(len(CHANNELS)):
        weekly = daily[channel] * 7
        shelf, coming, due = np.ceil(weekly * 6) + 2, np.zeros(skus), np.zeros(skus)
        for week in range(STOCK_WEEKS):
            here = (due <= week) & (coming > 0)
            shelf, coming = shelf + np.where(here, coming, 0), np.where(here, 0, coming)
            shelf = np.maximum(shelf - rng.poisson(weekly), 0)
            short = (shelf < weekly * 3) & (coming == 0) & (rng.random(skus) < 0.7)
            coming = np.where(short, np.ceil(weekly * 8) + 2, coming)
            due = np.where(short, week + 2 + (rng.random(skus) < 0.1) * 2, due)
            at = datetime.combine(TODAY, datetime.min.time(), UTC) - timedelta(weeks=STOCK_WEEKS - week)
            yield "core.inventory_history", pl.DataFrame({
                "product_id": np.arange(1, skus + 1), "channel_id": channel + 1, "warehouse_location": "main",
                "quantity_available": shelf.astype(np.int64), "quantity_inbound": coming.astype(np.int64),
                "observed_at": pl.Series([at]).cast(pl.Datetime("us", "UTC")).gather(np.zeros(skus, dtype=np.int64)),
            })  # fmt: skip


def _forecasts(engine: Engine, skus: int, daily: Any) -> None:
    now = datetime.combine(TODAY, datetime.min.time(), UTC)
    names = [f"{channel}|SKU-{n:05d}" for channel in CHANNELS for n in range(1, skus + 1)]
    sums = []
    for lead in LEADS:
        mean = daily.ravel() * lead
        spread = np.sqrt(1.7 * mean + (0.25 * mean) ** 2)
        chances = {column(c): np.maximum(mean + z * spread, 0) for c, z in zip(CHANCES, NORMAL, strict=True)}
        sums.append(pl.DataFrame({"series_id": names, "lead_days": lead, "mean": mean, **chances}))
    demand_sums.save(engine, pl.concat(sums), generated_at=now)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO core.forecasts (product_id, channel_id, forecast_date, model_type, predicted_units,"
                " lower_80, upper_80, lower_95, upper_95, generated_at) SELECT d.product_id, d.channel_id,"
                " CAST(:day AS date) + n, 'ensemble', d.mean_units / 7, 0, d.mean_units, 0, d.mean_units, :now"
                " FROM core.demand_sums d, generate_series(0, 27) n WHERE d.lead_days = 7"
            ),
            {"day": TODAY, "now": now},
        )


def deliveries(engine: Engine, now: datetime) -> int:
    """How the orders of a year were sent, by week and place; rows."""
    return shipping.weeks(engine, TODAY - timedelta(weeks=52), TODAY, now).height


def main() -> int:
    """Print the table and write bench-results/planning.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skus", type=int, default=2_000)
    parser.add_argument("--orders", type=int, default=100_000)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def timed(what: str, work: Callable[[], object]) -> None:
        began, busy = time.perf_counter(), time.process_time()
        told = work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        spent, busy = time.perf_counter() - began, time.process_time() - busy
        rows.append(
            {
                "what": what,
                "seconds": round(spent, 1),
                "own cpu s": round(busy, 1),
                "peak MB": peak,
                "told": str(told)[:90],
            }
        )
        sys.stdout.write(f"{rows[-1]}\n")
        sys.stdout.flush()

    with (
        tempfile.TemporaryDirectory(prefix="planning") as folder,
        data_services(Path(folder), database_url=None, clickhouse_url=None) as services,
    ):
        schema.upgrade(services.database_url, services.clickhouse_url)
        os.environ |= {
            "DATABASE_URL": services.database_url,
            "CLICKHOUSE_URL": services.clickhouse_url,
            "WHARF_HOME": folder,
            "WHARF_SECRET_KEY": "a key for the benchmark alone",  # pragma: allowlist secret
        }
        engine = engines.postgres(services.database_url)
        timed("filling the tables", lambda: fill(engine, options.skus, options.orders))
        engine.dispose()
        from flows import connections, customer_insight, inventory_planning, report, stock_risk

        # Logs and artifacts need a Prefect server, which is not what is measured; pictures are made all the same.
        for module in (customer_insight, inventory_planning, stock_risk):
            vars(module)["get_run_logger"] = logging.getLogger
        for shown in ("table", "page"):
            setattr(report, shown, lambda *_arguments: None)
        connections.forget()
        now = datetime.combine(TODAY, datetime.min.time(), UTC)
        timed("inventory-planning", lambda: inventory_planning.plan.fn(TODAY, now, None))
        timed("performance: deliveries of a year", lambda: deliveries(connections.postgres(), now))
        timed("customer-insight: customers", lambda: customer_insight.customers_and_carts.fn(TODAY, now))
        timed("customer-insight: baskets", lambda: customer_insight.baskets.fn(TODAY, now))
        connections.forget()
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    result = {"skus": options.skus, "orders": options.orders, "load": os.getloadavg(), "rows": rows}
    (out / "planning.json").write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
