"""What buyers say: tone, topics and what to improve, from feedback of every channel and file → ClickHouse."""

from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from prefect import flow
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import connections, report
from models import customer_plots, reviews
from warehouse import insight, publisher

SAID = Asset(key="postgres://wharf/core/feedback")
FEEDBACK = Asset(key="clickhouse://wharf/analytics/product_feedback")
PATIENCE_SECONDS = 45.0  # for a publication under way: an erasure is done within a minute


@flow(name="feedback", flow_run_name=report.by_day("feedback"))
def feedback(day: date | None = None) -> State[Any]:
    """Read all that was said up to a day.

    Args:
        day: The day. Empty: today.
    """
    now = datetime.now(UTC)
    rows = publish(day or now.date(), now)
    if not rows["product_feedback"]:
        return Completed(name="NothingToDo", message="nobody said anything yet", data=rows)
    return Completed(message=f"{rows['improvement_suggestions']} suggestions", data=rows)


@materialize(FEEDBACK, asset_deps=[SAID], name="publish-feedback", cache_policy=NO_CACHE)
def publish(day: date, now: datetime) -> dict[str, int]:
    """Tone and topics of all texts, counted by product and month, and what to improve; the texts stay in here."""
    rows, counted, improve = republish(day, now)
    report.wrote(**rows)
    # No quotes: an artifact stays in Prefect's database, whoever is erased
    shown = improve.head(50).select("sku", "topic", "complaints", pl.col("share").round(2), "advice")
    report.table(
        "improvement-suggestions", shown.to_dicts(),
        "What to improve; the complaints word for word are in analytics.improvement_suggestions",
    )  # fmt: skip
    if counted.filter(pl.col("topic") != "all").height:
        picture = report.picture(customer_plots.topics_plot(counted), "topics")
        report.page("feedback", picture, "What buyers speak of")
    return rows


def republish(day: date, now: datetime) -> tuple[dict[str, int], pl.DataFrame, pl.DataFrame]:
    """Both tables anew: rows by table, counts by month, suggestions. Read and published within the publisher's lock, so
    that nothing read before an erasure is published after it."""
    engine = connections.postgres()
    with closing(connections.clickhouse()) as client, publisher.only_publisher(
        engine, patience_seconds=PATIENCE_SECONDS
    ) as lock:  # fmt: skip
        read = reviews.read(insight.feedback(engine, day))
        products = read.group_by("sku").agg(pl.col("product_id").max())
        quoted = reviews.suggestions(read).with_columns(pl.col("quotes").list.join("\n"))
        improve = quoted.join(products, on="sku", how="left")
        counted = reviews.by_month(read)
        rows = {}
        for table, frame in {"product_feedback": counted, "improvement_suggestions": improve}.items():
            lock.still_held()
            rows[table] = insight.publish(client, table, frame, now)
    return rows, counted, improve
