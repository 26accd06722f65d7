"""ClickHouse at size: rows inserted a second, what a publication costs, and the example queries of docs/queries.

    python -m bench.marts [--rows 10000000] [--orders 200000]

`rows` of daily_sales_summary are 730 days of five channels; the other marts are filled in proportion, those derived
from it by the statements that publish them. A publication is also run from `orders` in PostgreSQL, whole and for one
day, step by step. The engine is the embedded one; queries are timed at the client, 30 times each, rows fetched.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from clickhouse_connect.driver.client import Client

from bench.loading import DAYS, T0, Source, wharf
from deployments.local.data import data_services
from warehouse import engines, marts, rollup, schema
from warehouse.batch import Published
from warehouse.rates import Reporting
from warehouse.rollup_tables import columns_of, months_between, next_month
from warehouse.tables.analytics import metadata

QUERIES = Path(__file__).parents[1] / "docs" / "queries"
CHANNELS, HISTORY, FIRST = 5, 730, date(2024, 1, 1)
BLOCK = 1_000_000
ROUNDS = 30
# A few rows of every month: threads would cost more than they bring.
ONE_SKU = (
    "SELECT date, channel_id, total_units, total_revenue FROM analytics.daily_sales_summary WHERE product_id = {}"
    " SETTINGS max_threads = 1"
)
# Marts that are not derived from the summary: how many rows, their columns and each one's value from `number`.
_DAY_OF_CHANNEL = "toDate('{first}') + intDiv(number, {channels}), number % {channels} + 1"
_ANY_CELL = "toDate('{first}') + number % {days}, number % {channels} + 1, number % {skus} + 1"
_FILL = {
    "channels": (
        "{channels}",
        "channel_id, name, platform, currency, timezone, is_active",
        "number + 1, concat('channel-', toString(number)), 'shopify', 'USD', 'UTC', true",
    ),
    "products": (
        "{skus}",
        "product_id, sku, name, cost_currency, cost_price",
        "number + 1, concat('SKU-', toString(number)), concat('Thing ', toString(number)), 'USD', 4",
    ),
    "daily_channel_sales": (
        "{days} * {channels}",
        "date, channel_id, currency, num_orders, orders_placed, orders_cancelled, total_revenue",
        f"{_DAY_OF_CHANNEL}, 'USD', 900, 950, 40, 30000",
    ),
    "daily_region_sales": (
        "{days} * {channels} * 60",
        "date, channel_id, ship_country, ship_region, currency, num_orders, total_revenue",
        "toDate('{first}') + intDiv(number, {channels} * 60), number % {channels} + 1, if(number % 2, 'US', 'CA'),"
        " toString(number % 60), 'USD', 15, 500",
    ),
    "daily_refunds": (
        "{rows} / 10",
        "date, channel_id, product_id, currency, refunded_units, refunded_amount, num_orders, avg_days_to_refund",
        f"{_ANY_CELL}, 'USD', 1, 20, 1, 8.5",
    ),
    "daily_funnel": (
        "{days} * {channels}",
        "date, channel_id, currency, checkouts, abandoned_checkouts, num_orders",
        f"{_DAY_OF_CHANNEL}, 'USD', 1500, 600, 900",
    ),
    "inventory_health": (
        "{skus} * {channels}",
        "channel_id, product_id, quantity_available, velocity, days_of_cover, sell_through",
        "number % {channels} + 1, intDiv(number, {channels}) + 1, number % 90, number % 7, number % 60,"
        " (number % 100) / 100",
    ),
    "customer_cohorts": (
        "{rows} / 5",
        "cohort_month, customer_key, first_purchase_date, total_orders, lifetime_value, currency",
        "toDate('{first}') + 30 * (number % 24), hex(sipHash64(number)), toDate('{first}') + number % {days},"
        " 1 + number % 4, 40, 'USD'",
    ),
    "forecast_accuracy": (
        "{rows} / 5",
        "date, channel_id, product_id, model_type, horizon_days, units, in_stock, predicted_units, absolute_error,"
        " in_80",
        f"{_ANY_CELL}, concat('model-', toString(number % 6)), number % 28, number % 9, true, number % 10,"
        " number % 3, number % 5 > 0",
    ),
}


def main() -> int:
    """Prints the tables and writes bench-results/marts.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=20_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="marts") as folder,
        data_services(Path(folder), database_url=None, clickhouse_url=None) as services,
    ):
        schema.upgrade(services.database_url, services.clickhouse_url)
        client = engines.clickhouse(services.clickhouse_url)
        engine = engines.postgres(services.database_url)
        wharf(services.database_url)(Source(options.orders))
        middle = T0.date() + timedelta(days=DAYS // 2)
        published = [
            _published(engine, client, "whole history", options.orders, None),
            _published(engine, client, "one changed day", options.orders, middle),
        ]
        for table in metadata.tables.values():
            client.command(f"TRUNCATE TABLE analytics.{table.name}")
        inserted = _insert(client, options.rows)
        _fill(client, options.rows)
        derived = _derive(marts.Publication(engine, client, lambda: None), options.rows)
        asked = [_asked(client, path.stem, path.read_text()) for path in sorted(QUERIES.glob("*.sql"))]
        asked.append(_asked(client, "one SKU, whole history", ONE_SKU.format(7)))
        others = [ONE_SKU.format(17 * number + 1) for number in range(ROUNDS)]
        asked.append(_asked(client, "another SKU each time", *others))
        client.close()
        engine.dispose()
    result = {"rows": options.rows, "orders": options.orders, "load": os.getloadavg(), "publication": published,
              "insert": inserted, "derived": derived, "queries": asked}  # fmt: skip
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=150, fmt_str_lengths=90,
                   tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True):  # fmt: skip
        for part in (published, [inserted], derived, asked):
            sys.stdout.write(f"{pl.DataFrame(part)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "marts.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _published(engine: Any, client: Client, what: str, orders: int, day: date | None) -> dict[str, Any]:
    """A publication by step: of everything, or of the month `day` lies in."""
    days = [T0.date() + timedelta(days=n) for n in range(DAYS)] if day is None else [day]
    done, spent = publication(engine, client, days)
    return {"published": what, "orders": orders, "months": len(done.months), "rows": done.rows,
            "seconds": round(done.seconds, 2), "most of it": slowest(spent, 4)}  # fmt: skip


def publication(engine: Any, client: Client, days: Sequence[date]) -> tuple[Published, dict[str, float]]:
    """Publish the months of `days`; and the seconds of each step."""
    spent: dict[str, float] = defaultdict(float)
    under_way, since = "lock", time.perf_counter()

    def step(name: str) -> None:
        nonlocal under_way, since
        spent[under_way] += time.perf_counter() - since
        under_way, since = name.removeprefix("swap ").split(" 20")[0], time.perf_counter()

    done = rollup.publish(engine, client, days, reporting=Reporting("USD"), on_step=step)
    step("end")
    return done, spent


def slowest(spent: dict[str, float], count: int) -> str:
    """The steps that took longest, with their seconds."""
    first = sorted(spent.items(), key=lambda entry: -entry[1])[:count]
    return ", ".join(f"{name} {seconds:.2f}" for name, seconds in first)


def _insert(client: Client, rows: int) -> dict[str, Any]:
    """The summary, month by month in blocks of a million at most, as a publication inserts it."""
    skus = max(rows // (HISTORY * CHANNELS), 1)
    rng = np.random.default_rng(1)
    seconds, count = 0.0, 0
    for days in _blocks(max(BLOCK // (skus * CHANNELS), 1)):
        size = len(days) * skus * CHANNELS
        units = rng.poisson(2, size)
        revenue = pl.Series(units * 19.99).round(2).cast(pl.Decimal(18, 4))
        zero = pl.Series([0] * size).cast(pl.Decimal(18, 4))
        epoch = (FIRST - date(1970, 1, 1)).days
        values: dict[str, Any] = {
            "date": pl.Series(np.repeat(days + epoch, skus * CHANNELS).astype(np.int32)).cast(pl.Date),
            "channel_id": np.tile(np.arange(CHANNELS) + 1, len(days) * skus),
            "product_id": np.tile(np.repeat(np.arange(skus) + 1, CHANNELS), len(days)),
            "currency": pl.Series(["USD"] * size), "total_revenue": revenue, "gross_revenue": revenue,
            "discount_amount": zero, "refunded_amount": zero, "refunded_net_amount": zero, "total_units": units,
            "refunded_units": np.zeros(size, np.int64), "avg_price": revenue, "num_orders": units,
        }  # fmt: skip
        frame = pl.DataFrame(
            [
                pl.Series(name, values[name]).cast(kind)
                for name, kind in columns_of("daily_sales_summary").items()
            ]
        )
        began = time.perf_counter()
        client.insert_arrow("daily_sales_summary", frame.to_arrow(), database="analytics")
        seconds, count = seconds + time.perf_counter() - began, count + size
    return {
        "inserted": "daily_sales_summary",
        "rows": count,
        "seconds": round(seconds, 2),
        "rows/s": round(count / seconds),
    }


def _blocks(most: int) -> Iterator[Any]:
    """Numbers of days of one month each, `most` at a time."""
    last = FIRST + timedelta(days=HISTORY)
    for month in months_between(FIRST, last - timedelta(days=1)):
        days = np.arange((month - FIRST).days, (min(next_month(month), last) - FIRST).days)
        yield from (days[start : start + most] for start in range(0, len(days), most))


def _fill(client: Client, rows: int) -> None:
    skus = max(rows // (HISTORY * CHANNELS), 1)
    for table, (count, columns, values) in _FILL.items():
        parts = {"skus": skus, "days": HISTORY, "channels": CHANNELS, "first": FIRST, "rows": rows}
        statement = (
            f"INSERT INTO analytics.{table} ({columns}) SELECT {values} FROM numbers(toUInt64({count}))"
        )
        client.command(statement.format(**parts))
    columns = ", ".join(columns_of("daily_sales_as_happened"))
    client.command(
        f"INSERT INTO analytics.daily_sales_as_happened ({columns}) SELECT {columns} FROM analytics.daily_sales_summary"
    )


def _derive(at: marts.Publication, rows: int) -> list[dict[str, Any]]:
    """What every publication rebuilds whole, and the marts derived from the summary: one month of each."""
    reporting = Reporting("USD")
    months = list(months_between(FIRST, FIRST + timedelta(days=HISTORY - 1)))
    steps: list[tuple[str, Callable[[], int]]] = [
        ("exchange_rates", lambda: marts.exchange_rates(at, reporting, months[-1:]))
    ]
    for name in marts.DERIVED:
        for month in months[:-1]:
            marts.derived(at, name, month, reporting)
        steps.append((f"{name}, one month", lambda name=name: marts.derived(at, name, months[-1], reporting)))  # type: ignore[misc]  # the loop's name is kept
    steps.append(("product_performance", lambda: marts.product_performance(at)))
    found = []
    for name, step in steps:
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            made = step()
            seconds.append(time.perf_counter() - began)
        found.append(
            {"derived": name, "from rows": rows, "rows": made, "median ms": round(sorted(seconds)[2] * 1e3)}
        )
    return found


def _asked(client: Client, name: str, *queries: str) -> dict[str, Any]:
    """How long `queries` took in turn, asked until there were ROUNDS."""
    spent = []
    rows = 0
    for query in islice(cycle(queries), ROUNDS):
        began = time.perf_counter()
        rows = client.query_arrow(query.rstrip().rstrip(";")).num_rows
        spent.append((time.perf_counter() - began) * 1e3)
    spent.sort()
    return {
        "query": name,
        "rows": rows,
        "p50 ms": round(spent[ROUNDS // 2], 1),
        "p95 ms": round(spent[int(ROUNDS * 0.95)], 1),
    }


if __name__ == "__main__":
    sys.exit(main())
