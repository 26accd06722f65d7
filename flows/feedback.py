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
from warehouse import insight

SAID = Asset(key="postgres://wharf/core/feedback")
FEEDBACK = Asset(key="clickhouse://wharf/analytics/product_feedback")


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
    read = reviews.read(insight.feedback(connections.postgres(), day))
    products = read.group_by("sku").agg(pl.col("product_id").max())
    improve = (
        reviews.suggestions(read)
        .with_columns(pl.col("quotes").list.join("\n"))
        .join(products, on="sku", how="left")
    )
    counted = reviews.by_month(read)
    frames = {"product_feedback": counted, "improvement_suggestions": improve}
    with closing(connections.clickhouse()) as client:
        rows = {table: insight.publish(client, table, frame, now) for table, frame in frames.items()}
    shown = improve.head(50).select(
        "sku", "topic", "complaints", pl.col("share").round(2), "advice", "quotes"
    )
    inert = [{**row, "quotes": report.inert(row["quotes"])} for row in shown.to_dicts()]
    report.table(
        "improvement-suggestions", inert, "What to improve, with the newest complaints word for word"
    )
    if counted.filter(pl.col("topic") != "all").height:
        report.page(
            "feedback", report.picture(customer_plots.topics_plot(counted), "topics"), "What buyers speak of"
        )
    return rows
