"""Which regions grow, what products earn after fees, refunds and cost of goods, how orders arrive → ClickHouse."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from prefect import flow
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import connections, report
from models import performance_plots
from warehouse import performance as tables
from warehouse import publisher, shipping
from warehouse.tables.performance import NAMES

EARNED = Asset(key="clickhouse://wharf/analytics/profitability")
PATIENCE_SECONDS = 300.0  # for a publication under way
DELIVERY_WEEKS, SHOWN_WEEKS = 52, 13


@flow(name="performance", flow_run_name=report.by_day("performance"))
def performance(day: date | None = None) -> State[Any]:
    """Regions and products over the last quarter and year, and how their orders were sent and delivered.

    Args:
        day: The first day that does not count. Empty: today.
    """
    now = datetime.now(UTC)
    rows = publish(day or now.date(), now)
    if not any(rows.values()):
        return Completed(name="NothingToDo", message="nothing was sold in the last year", data=rows)
    return Completed(
        message=", ".join(f"{count:,} rows of {table}" for table, count in rows.items()), data=rows
    )


@materialize(EARNED, asset_deps=[report.ROLLUPS], name="publish-performance", cache_policy=NO_CACHE)
def publish(day: date, now: datetime) -> dict[str, int]:
    """All tables, within the publisher's lock, and their pictures."""
    rows, engine = {}, connections.postgres()
    monday = day - timedelta(days=day.weekday())
    sent = shipping.weeks(engine, monday - timedelta(weeks=DELIVERY_WEEKS), day, now)
    with closing(connections.clickhouse()) as client:
        with publisher.only_publisher(engine, patience_seconds=PATIENCE_SECONDS) as lock:
            for table in NAMES:
                rows[table] = tables.publish(client, table, day, now, lock.still_held)
            rows["delivery_performance"] = shipping.publish(client, sent, now, lock.still_held)
        regions, earned = tables.regions(client), tables.earnings(client)
    report.wrote(**rows)
    _show(regions, earned, sent)
    return rows


def _show(regions: pl.DataFrame, earned: pl.DataFrame, sent: pl.DataFrame) -> None:
    """The run's artifacts: the tables' tops, and a page with the pictures."""
    rounded = pl.col(pl.Float64).round(3)
    report.table(
        "regions", regions.with_columns(rounded).to_dicts(), "Largest regions, against 91 days before"
    )
    lossy = earned.filter(pl.col("contribution") < 0).sort("contribution").head(50)
    report.table("losses", lossy.with_columns(rounded).to_dicts(), "What lost money on a channel in a year")
    parts = []
    if regions.height:
        parts.append(report.picture(performance_plots.regions_plot(regions), "regions"))
    # Where no cost is known at all, only products without a sale (refunds alone) have a contribution.
    if earned.filter(pl.col("net_sales") > 0)["contribution"].count():
        parts.append(report.picture(performance_plots.earnings_plot(earned), "what products earn"))
    recent = sent.filter(pl.col("week") > pl.col("week").max() - timedelta(weeks=SHOWN_WEEKS))
    places = shipping.summed(recent, "channel", "fulfilled_by", "ship_country", "ship_region")
    report.table(
        "deliveries",
        places.sort("orders", descending=True).head(50).with_columns(rounded).to_dicts(),
        f"How orders of {SHOWN_WEEKS} weeks were sent and delivered, largest places first",
    )
    if sent.filter(pl.col("shipped") + pl.col("delivered") > 0).height:
        by_week = shipping.summed(sent, "channel", "week")
        parts.append(report.picture(performance_plots.delivery_plot(by_week, places), "deliveries"))
    unknown = earned["contribution"].null_count()
    if unknown:
        parts.append(f"{unknown} products on channels have no known cost; they are in no picture.")
    report.page(
        "performance", "\n\n".join(parts) or "Nothing was sold.", "Regions, what products earn, deliveries"
    )
