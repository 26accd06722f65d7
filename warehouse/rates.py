"""Exchange rates to the reporting currency: keeping them, and which is in force on a day.

A day takes the last rate published on or before it, if that is at most `stale_days` old: over a weekend Friday's.
A day without such a rate has none; amounts in that currency are then held, never guessed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from warehouse import frames
from warehouse.load import copy_frame
from warehouse.merge_steps import mark_days
from warehouse.rates_file import RATE, SCHEMA
from warehouse.tables.analytics import DATABASE

STALE_DAYS = 7


@dataclass(frozen=True)
class Reporting:
    """The currency reports are in, and how old a rate may be."""

    currency: str = "USD"
    stale_days: int = STALE_DAYS


@dataclass(frozen=True)
class Imported:
    """What an import of rates did."""

    rates: int
    changed: int
    currencies: int
    first: date | None
    last: date | None
    days_to_publish: int


def save(engine: Engine, rates: pl.DataFrame, reporting: Reporting, source: str) -> Imported:
    """Keep `rates`; a corrected one replaces the old. Days whose sales they touch are published again."""
    incoming = rates.unique(["currency", "date"], keep="last", maintain_order=True)
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TEMP TABLE t_rates (currency text, date date, rate numeric(24,12)) ON COMMIT DROP")
        )
        copy_frame(connection, "t_rates", incoming)
        changed = connection.execute(
            text(_UPSERT), {"reporting": reporting.currency, "source": source[:200]}
        ).all()
        days = 0
        if changed:
            connection.execute(
                text(
                    "CREATE TEMP TABLE t_rated ON COMMIT DROP AS SELECT * FROM unnest(CAST(:currencies AS text[]),"
                    " CAST(:dates AS date[])) AS r (currency, date)"
                ),
                {"currencies": [row.currency for row in changed], "dates": [row.date for row in changed]},
            )
            days = mark_days(connection, _TOUCHED, stale=reporting.stale_days)
    first, last = incoming["date"].min(), incoming["date"].max()
    assert first is None or isinstance(first, date)
    assert last is None or isinstance(last, date)
    return Imported(incoming.height, len(changed), incoming["currency"].n_unique(), first, last, days)


def stored(engine: Engine, reporting: str) -> pl.DataFrame:
    """Every rate kept for `reporting`: currency, date, rate."""
    return frames.query(
        engine,
        "SELECT currency, date, rate FROM core.exchange_rates WHERE reporting_currency = %(reporting)s"
        " ORDER BY currency, date",
        dict(SCHEMA),
        reporting=reporting,
    )


def in_force(rates: pl.DataFrame, needed: pl.DataFrame, reporting: Reporting) -> pl.DataFrame:
    """One row per calendar day of each currency `needed` (currency, first, last): rate and rate_date, or nulls."""
    days = (
        needed.with_columns(date=pl.date_ranges("first", "last"))
        .explode("date")
        .select("currency", "date")
        .unique()
        .sort("currency", "date")
    )
    known = rates.with_columns(rate_date="date").sort("currency", "date")
    found = days.sort("date").join_asof(
        known.sort("date"),
        on="date",
        by="currency",
        strategy="backward",
        tolerance=timedelta(days=reporting.stale_days),
        check_sortedness=False,
    )
    own = pl.col("currency") == reporting.currency
    return found.select(
        "date",
        "currency",
        reporting_currency=pl.lit(reporting.currency),
        rate=pl.when(own).then(pl.lit(Decimal(1)).cast(RATE)).otherwise(pl.col("rate")),
        rate_date=pl.when(own).then("date").otherwise("rate_date"),
    ).sort("currency", "date")


def held_days(client: Client) -> list[tuple[str, date]]:
    """(currency, day) with sales whose amounts are held for want of a rate."""
    return [
        (str(row[0]), row[1])
        for row in client.query(
            f"SELECT DISTINCT toString(currency), date FROM {DATABASE}.daily_sales_reporting"
            " WHERE rate IS NULL ORDER BY 1, 2"
        ).result_rows
    ]


def spans(days: Iterable[tuple[str, date]]) -> list[str]:
    """(currency, day) pairs for a person: "JPY 2026-03-02 to 2026-03-05 (4 days)"."""
    found: list[tuple[str, date, date]] = []
    for currency, day in sorted(set(days)):
        if found and found[-1][0] == currency and day - found[-1][2] <= timedelta(days=1):
            found[-1] = (currency, found[-1][1], day)
        else:
            found.append((currency, day, day))
    return [
        f"{currency} {first}" + (f" to {last} ({(last - first).days + 1} days)" if last > first else "")
        for currency, first, last in found
    ]


_UPSERT = """
    INSERT INTO core.exchange_rates AS r (reporting_currency, currency, date, rate, source)
    SELECT :reporting, t.currency, t.date, t.rate, :source FROM t_rates t
    WHERE t.currency <> :reporting ORDER BY t.currency, t.date
    ON CONFLICT (reporting_currency, currency, date) DO UPDATE SET
        rate = EXCLUDED.rate, source = EXCLUDED.source, loaded_at = clock_timestamp()
    WHERE r.rate <> EXCLUDED.rate
    RETURNING currency, date
"""
# Days with money in a currency one of whose rates is new, from that rate's day to as long as it stays in force.
_TOUCHED = """
    SELECT DISTINCT e.channel_id, d.day
    FROM (SELECT currency, min(date) AS first, max(date) + CAST(:stale AS int) AS last FROM t_rated GROUP BY 1) r
    JOIN core.sales_events e ON e.currency = r.currency AND e.order_date BETWEEN r.first AND r.last
    CROSS JOIN LATERAL (VALUES (e.order_date), (e.happened_date)) d (day)
    UNION
    SELECT f.channel_id, f.posted_date
    FROM (SELECT currency, min(date) AS first, max(date) + CAST(:stale AS int) AS last FROM t_rated GROUP BY 1) r
    JOIN core.fees f ON f.currency = r.currency AND f.posted_date BETWEEN r.first AND r.last
"""
