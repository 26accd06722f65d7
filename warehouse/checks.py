"""Assertions on loaded and on published data, each marked fail or warn."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from warehouse import frames, rates, sql
from warehouse.frames import MONEY
from warehouse.tables.analytics import DATABASE

_SHOWN = 5

# Where a query looks: everywhere, or at the days that changed. Days are found by block ranges, so that a sync pays
# for those it moved, however long the history is.
_EVERYWHERE = {"{orders}": "core.orders", "{events}": "core.sales_events", "{of}": ""}
_CHANGED = {
    f"{{{name}}}": f"(SELECT t.* FROM core.{table} t JOIN ops.dirty_days d"
    " ON d.channel_id = t.channel_id AND d.day = t.order_date)"
    for name, table in {"orders": "orders", "events": "sales_events"}.items()
}
_CHANGED["{of}"] = f"WHERE order_id IN (SELECT id FROM {_CHANGED['{orders}']} o)"
# Each query counts rows that should not be there.
_AFTER_LOAD: tuple[tuple[str, Literal["fail", "warn"], str, str], ...] = (
    (
        "ledger events belong to an order",
        "fail",
        "SELECT count(*) FROM {events} e WHERE NOT EXISTS (SELECT FROM core.orders o WHERE o.id = e.order_id)",
        "events without an order",
    ),
    (
        "orders belong to a channel",
        "fail",
        "SELECT count(*) FROM {orders} o WHERE NOT EXISTS (SELECT FROM core.channels c WHERE c.id = o.channel_id)",
        "orders without a channel",
    ),
    (
        "business days fit the channel's time zone",
        "warn",
        "SELECT count(*) FROM {orders} o JOIN core.channels c ON c.id = o.channel_id"
        " WHERE o.order_date <> (o.ordered_at AT TIME ZONE c.timezone)::date",
        "orders on another day than the channel's time zone says",
    ),
    (
        "units refunded were sold",
        "warn",
        "SELECT count(*) FROM {orders} o JOIN core.order_items i ON i.order_id = o.id"
        " WHERE i.refunded_quantity + i.cancelled_quantity > i.quantity",
        "lines with more units refunded and cancelled than ordered",
    ),
    (
        "orders have lines",
        "warn",
        "SELECT count(*) FROM {orders} o WHERE o.status <> 'pending'"
        " AND NOT EXISTS (SELECT FROM core.order_items i WHERE i.order_id = o.id)",
        "orders without a line",
    ),
    (
        "products are in a catalogue",
        "warn",
        "SELECT count(*) FROM core.products WHERE is_stub",
        "products sold or stocked that no catalogue names",
    ),
)
# Nothing of an orphan says on which day it is: only a look at all of them finds it.
_ORPHANS: tuple[str, Literal["fail", "warn"], str, str] = (
    "order lines belong to an order",
    "fail",
    "SELECT count(*) FROM core.order_items i WHERE NOT EXISTS (SELECT FROM core.orders o WHERE o.id = i.order_id)",
    "lines without an order",
)


@dataclass(frozen=True)
class CheckResult:
    """One assertion: `ok`, or what was found instead."""

    name: str
    severity: Literal["fail", "warn"]
    ok: bool
    detail: str

    def row(self) -> dict[str, Any]:
        """One line of a table for people."""
        return asdict(self)


def after_load(engine: Engine, *, changed_days: bool = False) -> list[CheckResult]:
    """What must hold in core after every load: of everything, or of all orders of the business days that changed and
    are not published yet."""
    checks = _AFTER_LOAD if changed_days else (*_AFTER_LOAD, _ORPHANS)
    results = []
    with engine.connect() as connection:
        for name, severity, query, what in checks:
            found = int(connection.scalar(text(_looking(query, changed_days))) or 0)
            results.append(CheckResult(name, severity, found == 0, f"{found} {what}" if found else "none"))
    return [*results, ledger_balances(engine, changed_days=changed_days)]


def ledger_balances(engine: Engine, *, changed_days: bool = False) -> CheckResult:
    """Every line's events add up to its state."""
    query = sql.read("ledger_imbalance").replace("{line_sales}", sql.read("line_sales"))
    with engine.connect() as connection:
        rows = connection.execute(
            text(_looking(query.replace("{items}", "core.order_items"), changed_days))
        ).all()
    detail = "; ".join(f"order {row.order_id} line {row.line_id}" for row in rows[:_SHOWN])
    return CheckResult("ledger adds up to the lines", "fail", not rows, detail or "every line")


def _looking(query: str, changed_days: bool) -> str:
    for part, value in (_CHANGED if changed_days else _EVERYWHERE).items():
        query = query.replace(part, value)
    return query


def after_publish(engine: Engine, client: Client) -> list[CheckResult]:
    """ClickHouse against PostgreSQL: units and revenue by channel and day, in both tables. Days that changed
    since the publication are left out: they are announced as dirty."""
    dirty = frames.query(
        engine,
        "SELECT channel_id, day AS date FROM ops.dirty_days",
        {"channel_id": pl.Int64, "date": pl.Date},
    )
    results = []
    for table, day in (("daily_sales_summary", "order_date"), ("daily_sales_as_happened", "happened_date")):
        ours = frames.query(engine, sql.read("publish_check").replace("{day}", day), _TOTALS)
        theirs = _published(client, table)
        keys = ["channel_id", "date", "currency"]
        both = ours.join(theirs, on=keys, how="full", coalesce=True, suffix="_published").join(
            dirty, on=["channel_id", "date"], how="anti"
        )
        off = both.filter(
            (pl.col("units").fill_null(0) != pl.col("units_published").fill_null(0))
            | (pl.col("revenue").fill_null(0) != pl.col("revenue_published").fill_null(0))
        ).sort("date", descending=True)
        shown = "; ".join(
            f"channel {row['channel_id']} {row['date']}: {row['units']} units {row['revenue']} here,"
            f" {row['units_published']} units {row['revenue_published']} published"
            for row in off.head(_SHOWN).iter_rows(named=True)
        )
        detail = f"{off.height} days differ: {shown}" if off.height else f"{both.height} days agree"
        results.append(CheckResult(f"{table} equals PostgreSQL", "fail", off.is_empty(), detail))
    return [*results, rates_are_known(client)]


def rates_are_known(client: Client) -> CheckResult:
    """Every day with money in another currency than the reporting one has an exchange rate."""
    days = rates.held_days(client)
    spans = rates.spans(days)
    detail = f"{len(days)} days held: {'; '.join(spans[:_SHOWN])}" if days else "every day"
    return CheckResult("days have an exchange rate", "warn", not days, detail)


def _published(client: Client, table: str) -> pl.DataFrame:
    arrow = client.query_arrow(
        f"SELECT toInt64(channel_id) AS channel_id, date, toString(currency) AS currency,"
        f" sum(total_units) AS units, toString(sum(total_revenue)) AS revenue FROM {DATABASE}.{table}"
        " GROUP BY channel_id, date, currency"
    )
    frame = pl.from_arrow(arrow)
    assert isinstance(frame, pl.DataFrame)
    if frame.is_empty():
        return pl.DataFrame(schema=_TOTALS)
    text_columns = [pl.col(name).cast(pl.String) for name in ("currency", "revenue")]
    days = (
        pl.col("date").cast(pl.Date)
        if frame["date"].dtype != pl.UInt16
        else pl.col("date").cast(pl.Int32).cast(pl.Date)
    )
    return (
        frame.with_columns(days, *text_columns).with_columns(pl.col("revenue").cast(MONEY)).select(*_TOTALS)
    )


_TOTALS: dict[str, Any] = {
    "channel_id": pl.Int64,
    "date": pl.Date,
    "currency": pl.String,
    "units": pl.Int64,
    "revenue": MONEY,
}
