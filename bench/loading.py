"""Orders and items from parsed frames to merged rows: first, unchanged and 5 % changed, beside dlt, psycopg2 and COPY.

    python -m bench.loading [--orders 200000]

The same rows for everybody, two and a half items an order, in batches of 10,000 orders; making them is not counted.
Ours also keeps the newest version whatever the order of arrival, the sales ledger, products, the days to publish and
the run, which no other case does. Raw COPY only appends to a table with a primary key: the floor, not a way to load.
Each case has a process and a database of its own. Versions: row versions the unchanged load wrote.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg2
from psycopg2.extras import execute_values
from sqlalchemy import Connection, create_engine, make_url, text

from deployments.local.data import data_services
from warehouse import channels, leases, merge, owners, runs, schema
from warehouse.batch import Span
from warehouse.engines import postgres
from warehouse.load import Staging
from warehouse.tables import staging as tables

BATCH = 10_000
ITEMS_AN_ORDER = 2.5
DAYS = 365
T0 = datetime(2025, 1, 1, tzinfo=UTC)
PHASES = ("first", "unchanged", "5 % changed")
CASES = ("wharf", "dlt defaults", "dlt tuned", "dlt Arrow", "psycopg2 execute_values", "raw COPY")
_KINDS: dict[str, pl.DataType] = {
    tables.TEXT: pl.String(),
    tables.COUNT: pl.Int64(),
    tables.FLAG: pl.Boolean(),
    tables.MONEY: pl.Decimal(18, 4),
    tables.INSTANT: pl.Datetime("us", "UTC"),
}
_KEYS = {"orders": ("channel", "external_id"), "order_items": ("channel", "order_external_id", "line_id")}
Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Shop:
    """The one channel."""

    name: str = "shopify-bench"
    platform: str = "shopify"
    external_id: str = "bench"
    currency: str = "USD"
    timezone: str = "America/New_York"


class Source:
    """Batches of frames; every 20th order has changed when `is_changed`.

    `seconds` and `busy` (of the processor): what making them took.
    """

    def __init__(self, orders: int, *, is_changed: bool = False) -> None:
        self._orders, self._is_changed = orders, is_changed
        self.seconds, self.busy, self.rows = 0.0, 0.0, 0

    def __iter__(self) -> Iterator[Frames]:
        for first in range(0, self._orders, BATCH):
            began, busy = time.perf_counter(), time.process_time()
            made = self._made(first, min(BATCH, self._orders - first))
            self.rows += sum(frame.height for frame in made.values())
            self.seconds += time.perf_counter() - began
            self.busy += time.process_time() - busy
            yield made

    def _made(self, first: int, count: int) -> Frames:
        rng = np.random.default_rng(first)
        number = np.arange(first, first + count)
        changed = (number % 20 == 0) & self._is_changed
        at = T0.timestamp() * 1e6 + number * (DAYS * 86_400e6 / self._orders)
        key = pl.Series([f"o{n}" for n in number])
        lines = np.where(number % 2 == 0, 2, 3)
        quantity = rng.integers(1, 4, lines.sum())
        price = rng.integers(500, 9_000, lines.sum()) / 100
        owner = np.repeat(np.arange(count), lines)
        net = np.round(price * quantity, 2)
        subtotal = np.bincount(owner, net, count)
        orders = _frame("orders", count, {
            "channel": Shop.name, "external_id": key, "order_number": key, "currency": "USD",
            "ordered_at": _instants(at), "source_updated_at": _instants(at + changed * 86_400e6),
            "status": np.where(changed, "completed", "open"), "subtotal": subtotal, "discount": 0, "shipping": 4.99,
            "tax": np.round(subtotal * 0.08, 2), "total": np.round(subtotal * 1.08 + 4.99, 2), "ship_country": "US",
            "is_replacement": False, "is_test": False,
        })  # fmt: skip
        items = _frame("order_items", len(owner), {
            "channel": Shop.name, "order_external_id": key.gather(owner),
            "line_id": pl.Series(np.concatenate([np.arange(n) for n in lines])).cast(pl.String),
            "sku": pl.Series([f"SKU-{n:04d}" for n in rng.integers(0, 2_000, len(owner))]),
            "title": "A thing that is sold", "quantity": quantity, "cancelled_quantity": 0,
            "refunded_quantity": (changed[owner]).astype(np.int64), "unit_price": price, "discount": 0,
            "net_amount": net,
            "total": np.round(net * 1.08, 2), "tax": np.round(net * 0.08, 2), "tax_included": False,
            "refunded_amount": np.where(changed[owner], price, 0),
            "refunded_net_amount": np.where(changed[owner], price, 0), "is_gift_card": False,
        })  # fmt: skip
        return {"orders": orders, "order_items": items}


def _instants(ticks: Any) -> pl.Series:
    return pl.Series(ticks.astype(np.int64)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _frame(name: str, height: int, values: dict[str, Any]) -> pl.DataFrame:
    """A staging frame; what `values` do not name is null."""
    columns = []
    for column, kind in tables.COLUMNS[name].items():
        value = values.get(column)
        many = isinstance(value, pl.Series | np.ndarray)
        series = pl.Series(column, value) if many else pl.Series(column, [value] * height)
        columns.append(series.cast(_KINDS[kind]))
    return pl.DataFrame(columns)


# -- the cases: each gives a function that loads a source -------------------------------------------------------


def wharf(url: str) -> Callable[[Source], None]:
    """Ours, as an ingest does it: a lease, staging, one transaction."""
    schema.upgrade(url, None)
    engine = postgres(url)
    channels.ensure(engine, "bench", [Shop()])
    window = Span(T0, T0 + timedelta(days=DAYS + 2))

    def load(source: Source) -> None:
        with leases.hold(engine, "bench", "orders", owners.current()) as lease:
            run = runs.start(engine, "sync", account="bench", resource="orders", window=window)
            with Staging(engine, f"r{run.id}", account="bench", resource="orders") as staging:
                for frames in source:
                    staging.add(frames)
                merge.commit(engine, staging, run=run, lease=lease, window=window, advance_watermark=True)
            runs.finish(engine, run, "done")

    return load


def psycopg2_values(url: str) -> Callable[[Source], None]:
    """The usual upsert: a statement a thousand rows, newest version wins."""
    connection = psycopg2.connect(_plain(url))
    _own_tables(connection)

    def load(source: Source) -> None:
        for frames in source:
            with connection, connection.cursor() as cursor:
                for name, frame in frames.items():
                    columns = ", ".join(frame.columns)
                    keys = ", ".join(_KEYS[name])
                    values = ", ".join(f"{c} = excluded.{c}" for c in frame.columns if c not in _KEYS[name])
                    execute_values(
                        cursor,
                        f"INSERT INTO {name} ({columns}) VALUES %s"
                        f" ON CONFLICT ({keys}) DO UPDATE SET {values}",
                        frame.rows(),
                        page_size=1000,
                    )

    return load


def raw_copy(url: str) -> Callable[[Source], None]:
    """CSV into empty tables with a primary key."""
    connection = psycopg2.connect(_plain(url))

    def load(source: Source) -> None:
        _own_tables(connection)
        for frames in source:
            with connection, connection.cursor() as cursor:
                for name, frame in frames.items():
                    body = io.BytesIO()
                    frame.write_csv(body, include_header=False)
                    body.seek(0)
                    cursor.copy_expert(
                        f"COPY {name} ({', '.join(frame.columns)}) FROM STDIN (FORMAT csv)", body
                    )

    return load


def dlt_pipeline(url: str, *, tuned: bool = False, arrow: bool = False) -> Callable[[Source], None]:
    """dlt's merge of rows; tuned: through CSV files, the newest version kept; arrow: given tables, not rows."""
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "DLT_DATA_DIR": tempfile.mkdtemp(prefix="dlt"),
    }
    import dlt

    place = dlt.destinations.postgres(_plain(url))
    pipeline = dlt.pipeline("bench", destination=place, dataset_name="loaded")

    def load(source: Source) -> None:
        kept: dict[str, list[pl.DataFrame]] = {name: [] for name in _KEYS}
        for frames in source:
            for name, frame in frames.items():
                kept[name].append(frame)

        def rows(name: str) -> Iterator[Any]:
            for frame in kept[name]:
                yield frame.to_arrow(compat_level=pl.CompatLevel.oldest()) if arrow else frame.to_dicts()

        resources = [
            dlt.resource(
                rows(name),
                name=name,
                primary_key=list(keys),
                write_disposition="merge",
                columns={"source_updated_at": {"dedup_sort": "desc"}} if tuned and name == "orders" else None,
            )
            for name, keys in _KEYS.items()
        ]
        pipeline.run(resources, loader_file_format="csv" if tuned else None)

    return load


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _own_tables(connection: Any) -> None:
    with connection, connection.cursor() as cursor:
        for name, keys in _KEYS.items():
            columns = ", ".join(f"{column} {kind}" for column, kind in tables.COLUMNS[name].items())
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            cursor.execute(f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({', '.join(keys)}))")


_LOADERS: dict[str, Callable[[str], Callable[[Source], None]]] = {
    "wharf": wharf,
    "dlt defaults": dlt_pipeline,
    "dlt tuned": lambda url: dlt_pipeline(url, tuned=True),
    "dlt Arrow": lambda url: dlt_pipeline(url, tuned=True, arrow=True),
    "psycopg2 execute_values": psycopg2_values,
    "raw COPY": raw_copy,
}
_ROWS_IN = {
    "wharf": ("core.orders", "core.order_items", "core.sales_events"),
    "dlt defaults": ("loaded.orders", "loaded.order_items"),
    "dlt tuned": ("loaded.orders", "loaded.order_items"),
    "dlt Arrow": ("loaded.orders", "loaded.order_items"),
    "psycopg2 execute_values": ("orders", "order_items"),
}


def measure(case: str, url: str, orders: int) -> Iterator[dict[str, Any]]:
    """One row per phase of `case`."""
    load = _LOADERS[case](url)
    engine = create_engine(url)
    for phase in PHASES:
        with engine.connect() as connection:
            before = int(connection.scalar(text("SELECT txid_snapshot_xmax(txid_current_snapshot())")) or 0)
        source = Source(orders, is_changed=phase == PHASES[2])
        began, busy = time.perf_counter(), time.process_time()
        load(source)
        seconds = time.perf_counter() - began - source.seconds
        with engine.connect() as connection:
            versions = sum(_written(connection, table, before) for table in _ROWS_IN.get(case, ()))
        yield {
            "case": case, "phase": phase, "seconds": round(seconds, 2), "rows/s": round(source.rows / seconds),
            "client CPU s": round(time.process_time() - busy - source.busy, 1), "versions": versions,
            "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }  # fmt: skip


def _written(connection: Connection, table: str, before: int) -> int:
    """Rows of `table` written by transactions from `before` on; the server is young, ids have not wrapped."""
    query = f"SELECT count(*) FROM {table} WHERE xmin::text::bigint >= :before"
    return int(connection.scalar(text(query), {"before": before}) or 0)


def main() -> int:
    """Prints the table and writes bench-results/loading.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=CASES)
    parser.add_argument("--measure", metavar="CASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        for row in measure(options.measure, os.environ["DATABASE_URL"], options.orders):
            sys.stdout.write(json.dumps(row) + "\n")
        return 0
    found: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="loading") as folder,
        data_services(Path(folder), database_url=None, clickhouse_url="http://none") as services,
    ):
        for case in options.cases:
            found += _apart(case, services.database_url, options.orders)
    table = pl.DataFrame(found)
    ours = table.filter(case="wharf").select("phase", ours="rows/s")
    if not ours.is_empty():
        ratio = (pl.col("ours") / pl.col("rows/s")).round(2).alias("wharf is × as fast")
        table = (
            table.join(ours, on="phase", how="left", maintain_order="left").with_columns(ratio).drop("ours")
        )
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, tbl_hide_column_data_types=True,
                   tbl_hide_dataframe_shape=True, fmt_str_lengths=40):  # fmt: skip
        sys.stdout.write(f"{table.sort('phase', maintain_order=True)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    result = {"orders": options.orders, "load": os.getloadavg(), "cases": table.to_dicts()}
    (out / "loading.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _apart(case: str, server: str, orders: int) -> list[dict[str, Any]]:
    """The figures of `case` from a process and a database of its own."""
    name = "bench_" + case.split(maxsplit=1)[0] + case.rsplit(maxsplit=1)[-1].lower()
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    command = [sys.executable, "-m", "bench.loading", "--orders", str(orders), "--measure", case]
    environment = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr[-3000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    sys.exit(main())
