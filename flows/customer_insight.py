"""Who buys and comes back, what is bought together, which carts are left → ClickHouse. Pseudonyms only."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from prefect import flow, get_run_logger
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import connections, report
from models import basket, customer_plots, funnel, lifetime, performance_plots, retention, segments
from warehouse import insight, publisher

CUSTOMERS = Asset(key="clickhouse://wharf/analytics/customer_value")
BASKETS = Asset(key="clickhouse://wharf/analytics/bought_together")
AHEAD_DAYS = 365
BASKET_DAYS = 365
CONVERSION_DAYS = 91
PATIENCE_SECONDS = 300.0  # for a publication under way


@flow(name="customer-insight", flow_run_name=report.by_day("customer-insight"))
def customer_insight(day: date | None = None) -> State[Any]:
    """Customers, baskets and carts as of the end of a day.

    Args:
        day: The day. Empty: today.
    """
    now = datetime.now(UTC)
    rows = {**customers_and_carts(day or now.date(), now), **baskets(day or now.date(), now)}
    if not any(rows.values()):
        return Completed(
            name="NothingToDo", message="no orders of known customers and no baskets yet", data=rows
        )
    told = ", ".join(f"{count:,} rows of {table}" for table, count in rows.items())
    return Completed(message=told, data=rows)


@materialize(CUSTOMERS, asset_deps=[report.CORE], name="customers-and-carts", cache_policy=NO_CACHE)
def customers_and_carts(day: date, now: datetime) -> dict[str, int]:
    """Value, segments and retention per currency, and the carts of each segment; the frames stay in here."""
    engine = connections.postgres()
    orders = insight.customer_orders(engine, day)
    valued, kept, centres, notes = [], [], {}, []
    for (currency,), part in orders.partition_by("currency", as_dict=True).items():
        of_currency, centres[str(currency)], told = _valued(part, str(currency), day)
        valued.append(of_currency)
        kept.append(retention.cohorts(part, day).with_columns(currency=pl.lit(currency)))
        notes += told
    customers = pl.concat(valued) if valued else _NOBODY
    cohorts = pl.concat(kept) if kept else retention.cohorts(orders, day).with_columns(currency=pl.lit(""))
    left = insight.carts_left(engine, now)
    carts = funnel.left_by(left, customers)
    since = day - timedelta(days=CONVERSION_DAYS)
    recent = left.filter(pl.col("date").is_between(since, day))
    converted = funnel.conversion(insight.orders_by_hour(engine, since, day), recent, customers)
    with closing(connections.clickhouse()) as client, publisher.only_publisher(
        engine, patience_seconds=PATIENCE_SECONDS
    ) as lock:  # fmt: skip
        customers = customers.join(insight.known_customers(engine), on="customer_key", how="semi")
        frames = {
            "customer_value": customers.rename({"amount": "revenue"}),
            "cohort_retention": cohorts,
            "cart_abandonment": carts,
            "checkout_conversion": converted,
        }
        rows = {}
        for table, frame in frames.items():
            lock.still_held()
            rows[table] = insight.publish(client, table, frame, now)
    for currency, found in centres.items():
        insight.keep_centres(engine, currency, found, now)
    for note in notes:
        get_run_logger().info(note)
    report.wrote(**rows)
    _show(customers, cohorts, carts, converted, notes)
    return rows


@materialize(BASKETS, asset_deps=[report.CORE], name="baskets", cache_policy=NO_CACHE)
def baskets(day: date, now: datetime) -> dict[str, int]:
    """What goes with what, in the orders of a year."""
    engine = connections.postgres()
    found = basket.pairs(insight.baskets(engine, day - timedelta(days=BASKET_DAYS), day))
    with closing(connections.clickhouse()) as client:
        rows = {"bought_together": insight.publish(client, "bought_together", found, now)}
    report.wrote(**rows)
    best = found.sort("orders_both", "lift", descending=True).filter(pl.col("rank") == 1).head(50)
    names = insight.names(engine).select("product_id", "name")
    shown = best.join(names, on="product_id", how="left").join(
        names.rename({"product_id": "other_product_id", "name": "goes with"}),
        on="other_product_id",
        how="left",
    )
    columns = ["name", "goes with", "orders_both", pl.col("confidence", "lift").round(3)]
    report.table(
        "bought-together", shown.select(columns).to_dicts(), "What is bought together, most orders first"
    )
    return rows


def _valued(orders: pl.DataFrame, currency: str, day: date) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Customers of one currency, where their segments lie, and what could not be said."""
    notes = []
    customers = lifetime.summarize(orders, day)
    try:
        customers = lifetime.value(customers, lifetime.fit(customers), AHEAD_DAYS)
    except lifetime.TooFewCustomersError as few:
        notes.append(f"{currency}: no expectations, {few}")
        unknown = ("alive", "buys_30d", "expected_orders", "likely_orders", "expected_value")
        customers = customers.with_columns(pl.lit(None, pl.Float64).alias(name) for name in unknown)
    scored = segments.rfm(customers.with_columns(as_of=pl.lit(day)))
    grouped, centres = segments.segment(scored, insight.centres(connections.postgres(), currency))
    if centres.is_empty():
        notes.append(f"{currency}: no segments, {customers.height} customers are too few ({segments.FEWEST})")
    return grouped.drop("as_of").with_columns(currency=pl.lit(currency)), centres, notes


def _show(
    customers: pl.DataFrame,
    cohorts: pl.DataFrame,
    carts: pl.DataFrame,
    converted: pl.DataFrame,
    notes: list[str],
) -> None:
    """The run's artifacts: a table of segments, carts left, and a page with the picture of the main currency."""
    by_segment = customers.group_by("currency", "segment").agg(
        customers=pl.len(),
        orders=pl.col("orders").sum(),
        revenue=pl.col("amount").sum().round(2),
        mean_days_since_order=pl.col("recency_days").mean().round(0),
        mean_chance_to_buy_30d=pl.col("buys_30d").mean().round(3),
        expected_value_next_year=pl.col("expected_value").sum().round(2),
    )
    order = list(segments.PROTOTYPES)
    rows = sorted(
        by_segment.to_dicts(),
        key=lambda row: (
            row["currency"],
            order.index(row["segment"]) if row["segment"] in order else len(order),
        ),
    )
    report.table("customer-segments", rows, "Customers by segment; all figures of people are of pseudonyms")
    lost = carts.group_by("currency", "product_id").agg(
        pl.col("carts", "recovered", "units_left").sum(),
        pl.col("amount_left", "recoverable_amount").cast(pl.Float64).sum(),
    )
    report.table(
        "carts-left",
        lost.sort("recoverable_amount", "amount_left", descending=True).head(50).to_dicts(),
        "Checkouts left, by product: what a reminder can still reach first",
    )
    if customers.is_empty():
        report.page("customer-insight", "No orders of customers who can be told apart.", "Customers")
        return
    currency = customers["currency"].value_counts(sort=True)["currency"][0]
    main, of_main = (
        customers.filter(pl.col("currency") == currency),
        cohorts.filter(pl.col("currency") == currency),
    )
    picture = customer_plots.cohorts_plot(of_main, main, f"Customers who come back, {currency}")
    text = f"{main.height:,} customers, {retention.repeat_rate(main) or 0:.1%} of them bought more than once."
    parts = [report.picture(picture, "cohorts and segments"), text, report.bullet_list(notes)]
    if converted.height:
        main_currency = converted.group_by("currency").agg(pl.col("orders").sum()).sort("orders").row(-1)[0]
        of_currency = converted.filter(pl.col("currency") == main_currency)
        parts.append(report.picture(performance_plots.conversion_plot(of_currency), "conversion"))
    page = "\n\n".join(parts)
    report.page("customer-insight", page, "Who comes back, and who they are")


_NOBODY = pl.DataFrame(
    schema={
        "customer_key": pl.String,
        "currency": pl.String,
        "first_date": pl.Date,
        "last_date": pl.Date,
        "orders": pl.Int64,
        "amount": pl.Float64,
        "recency_days": pl.Int64,
        **dict.fromkeys(("r_score", "f_score", "m_score"), pl.Int64),
        "segment": pl.String,
        **dict.fromkeys(
            ("alive", "buys_30d", "expected_orders", "likely_orders", "expected_value"), pl.Float64
        ),
    }
)
