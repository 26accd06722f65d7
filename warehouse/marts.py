"""The marts published from core and those derived from published ones: which there are, and how each is rebuilt."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Connection, Engine, text

from warehouse import frames, rates, sql
from warehouse.rates import Reporting
from warehouse.rollup_tables import Fence, columns_of, derive_partition, next_month, replace_partition
from warehouse.tables.analytics import DATABASE

# By month of `date`, from core: the statement, and for those in two forms what to put into it.
FROM_CORE: dict[str, dict[str, str]] = {
    "daily_sales_summary": {"{day}": "order_date", "{orders}": "publish_orders_by_order_date"},
    "daily_sales_as_happened": {"{day}": "happened_date", "{orders}": "publish_orders_as_happened"},
    "daily_channel_sales": {},
    "daily_region_sales": {},
    "daily_refunds": {},
    "daily_fees": {},
    "daily_funnel": {},
}
DERIVED = ("daily_sales_reporting", "daily_margin")
_DATED = (
    "daily_sales_summary",
    "daily_sales_as_happened",
    "daily_fees",
)  # where currencies and days come from


_SPANS = f"SELECT toString(currency), min(date), max(date) FROM {DATABASE}.{{}} WHERE {{}} GROUP BY currency"
_BEHIND = f"""
    SELECT count() FROM (SELECT DISTINCT channel_id, as_of FROM {DATABASE}.product_performance) p
    JOIN {DATABASE}.channels c ON c.channel_id = p.channel_id
    WHERE c.complete_until <> p.as_of
"""


@dataclass(frozen=True)
class Publication:
    """What every step of one publication works with. `held`: channels whose changes wait (see `breaker`)."""

    engine: Engine
    client: Client
    fence: Fence
    held: frozenset[int] = frozenset()


def from_core(at: Publication, table: str, month: date, before_swap: Fence) -> int:
    """One month of `table` computed from core and swapped in; returns its rows.

    Of a held channel the rows stay as they were published.
    """
    query = sql.read("publish_days" if FROM_CORE[table] else f"publish_{table}")
    for part, value in FROM_CORE[table].items():
        query = query.replace(part, sql.read(value) if value.startswith("publish_") else value)
    query = query.replace("{day}", FROM_CORE[table].get("{day}", ""))
    query = query.replace("{ordered_days}", sql.read("ordered_days").replace("{channels}", ""))
    query = query.replace(":first", f"'{month}'").replace(":after", f"'{next_month(month)}'")
    frame = _computed(at.engine, query, table)
    if at.held:
        kept = frame.filter(~pl.col("channel_id").is_in(sorted(at.held)))
        frame = pl.concat([kept, _as_published(at, table, month)])
    return replace_partition(at.client, table, f"'{month:%Y%m}'", frame, before_swap)


def whole(at: Publication, table: str) -> int:
    """A small table computed from core and replaced as one; returns its rows."""
    frame = _computed(at.engine, sql.read(f"publish_{table}"), table)
    return replace_partition(at.client, table, "tuple()", frame, at.fence)


def exchange_rates(at: Publication, reporting: Reporting, months: Iterable[date]) -> int:
    """The rate in force on every day of every currency with money in it, `months` being published; returns rows."""
    needed = _needed(at.client, at.engine, reporting, months)
    found = rates.in_force(rates.stored(at.engine, reporting.currency), needed, reporting)
    frame = found.select(pl.col(name).cast(kind) for name, kind in columns_of("exchange_rates").items())
    return replace_partition(at.client, "exchange_rates", "tuple()", frame, at.fence)


def derived(at: Publication, table: str, month: date, reporting: Reporting) -> int:
    """One month of `table` from the tables it derives from; returns its rows."""
    values = {"first": month, "after": next_month(month), "reporting": reporting.currency}
    return derive_partition(
        at.client, table, f"'{month:%Y%m}'", sql.read(f"derive_{table}"), values, at.fence
    )


def product_performance(at: Publication) -> int:
    """How products sell now, from daily_sales_summary; returns rows."""
    return derive_partition(
        at.client, "product_performance", "tuple()", sql.read("derive_product_performance"), {}, at.fence
    )


def reporting_shown(client: Client) -> str | None:
    """The reporting currency of what is published; None: nothing is."""
    rows = client.query(f"SELECT any(reporting_currency) FROM {DATABASE}.exchange_rates HAVING count() > 0")
    return str(rows.result_rows[0][0]) if rows.result_rows else None


def months_published(client: Client) -> Iterable[date]:
    """Every month that has sales or fees in ClickHouse."""
    for table in _DATED:
        query = f"SELECT DISTINCT toStartOfMonth(date) FROM {DATABASE}.{table}"
        yield from (row[0] for row in client.query(query).result_rows)


def performance_is_due(client: Client) -> bool:
    """Whether some channel has been read to a later day than product_performance counts to."""
    return bool(client.query(_BEHIND).result_rows[0][0])


def _needed(client: Client, engine: Engine, reporting: Reporting, months: Iterable[date]) -> pl.DataFrame:
    """currency, first, last: which rates are wanted, those there are and those of `months`. Costs may be in a currency
    nothing is sold in."""
    numbers = {"months": sorted({month.year * 100 + month.month for month in months})}
    spans = list(client.query(_SPANS.format("exchange_rates", "true")).result_rows)
    for table in _DATED:
        query = _SPANS.format(table, "toYYYYMM(date) IN {months:Array(UInt32)}")
        spans += client.query(query, parameters=numbers).result_rows
    every = pl.DataFrame(
        spans, schema={"currency": pl.String, "first": pl.Date, "last": pl.Date}, orient="row"
    )
    found = every.group_by("currency").agg(pl.col("first").min(), pl.col("last").max())
    if found.is_empty():
        return found
    with engine.connect() as connection:
        costs = connection.execute(
            text("SELECT DISTINCT cost_currency FROM core.products WHERE cost_currency IS NOT NULL")
        ).scalars()
        others = {*costs, reporting.currency}
    everywhere = pl.DataFrame(
        [(currency, found["first"].min(), found["last"].max()) for currency in sorted(others)],
        schema=found.schema,
        orient="row",
    )
    both = pl.concat([found, everywhere])
    return both.group_by("currency").agg(pl.col("first").min(), pl.col("last").max())


def _computed(engine: Engine, query: str, table: str) -> pl.DataFrame:
    with engine.begin() as connection:
        _generous(connection)
        return frames.fetch(connection, query, columns_of(table))


def _generous(connection: Connection) -> None:
    connection.execute(text("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off"))


def _as_published(at: Publication, table: str, month: date) -> pl.DataFrame:
    """The rows of held channels as they stand in ClickHouse, exactly."""
    schema = columns_of(table)
    rows = at.client.query(
        f"SELECT {', '.join(schema)} FROM {DATABASE}.{table}"
        " WHERE date >= {first:Date} AND date < {after:Date} AND has({held:Array(UInt64)}, channel_id)",
        parameters={"first": month, "after": next_month(month), "held": sorted(at.held)},
    ).result_rows
    return pl.DataFrame(rows, schema=schema, orient="row")
