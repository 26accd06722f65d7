"""Why fewer orders came than usual: what carries the fall, what the records say about it, what is at stake."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import polars as pl
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows import connections, report
from models import drop
from warehouse import order_counts, read


@flow(name="explain-drop", flow_run_name="explain-drop-{channel}-{since}-to-{until}")
def explain_drop(
    channel: str,
    since: date,
    until: date,
    usual_weeks: Annotated[int, Field(ge=1, le=26)] = 4,
) -> State[Any]:
    """Compare the orders of some days with the weeks before them, part by part.

    Args:
        channel: The channel, such as amazon-us: its amounts are of one currency.
        since: First day of the fall, a business day of the channel.
        until: The day after its last one.
        usual_weeks: How many weeks before it show what is usual.
    """
    found = explain(channel, since, until, usual_weeks)
    return Completed(message=found["sentence"], data=found)


@task(name="explain", cache_policy=NO_CACHE)
def explain(channel: str, since: date, until: date, usual_weeks: int) -> dict[str, Any]:
    """The sentence, the parts and the causes; the same as tables of the run."""
    if until <= since:
        raise ValueError(f"until ({until}) must be after since ({since})")
    engine = connections.postgres()
    if channel not in (known := read.selling_channels(engine)):
        raise ValueError(f"there is no channel {channel!r}; there are {', '.join(known) or 'none yet'}")
    # Whole weeks, and the same weekdays of each: three days from a Friday on are compared with such three days.
    days = (until - since).days
    weeks_apart = -(-days // 7)
    before = pl.concat(
        order_counts.parts(engine, since - shift, until - shift, channel)
        for shift in (timedelta(weeks=weeks_apart * number) for number in range(1, usual_weeks + 1))
    )
    during = order_counts.parts(engine, since, until, channel)
    found = drop.explain(before, during, _facts(before, during, since, until), scale=1 / usual_weeks)
    parts, causes = found.parts.to_dicts(), found.causes.to_dicts()
    report.table("order-drop-parts", parts, f"What carries the fall. {found.sentence()}")
    report.table(
        "order-drop-causes",
        causes,
        f"What the records say; {found.unexplained:.0%} of it is not explained by them",
    )
    return {
        "sentence": found.sentence(),
        "missing_orders": found.missing_orders,
        "missing_revenue": found.missing_revenue,
        "unexplained": found.unexplained,
        "parts": parts,
        "causes": causes,
    }


def _facts(before: pl.DataFrame, during: pl.DataFrame, since: date, until: date) -> pl.DataFrame:
    """What happened to each SKU that sold before: days without stock, listing, price paid."""
    engine = connections.postgres()
    keys = ["channel", "sku"]

    def price(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        paid = pl.when(pl.col("units").sum() > 0).then(pl.col("revenue").sum() / pl.col("units").sum())
        return frame.group_by(keys).agg(paid.alias(name))

    listed = order_counts.listed_products(engine)
    began = datetime.combine(since, time.min, UTC)
    listed = listed.join(order_counts.channels(engine, began), on="channel_id")
    out = (
        read.out_of_stock_days(engine)
        .filter(pl.col("is_out") & (pl.col("date") >= since) & (pl.col("date") < until))
        .group_by("product_id", "channel_id")
        .agg(out_share=pl.len() / (until - since).days)
    )
    states = listed.join(out, on=["product_id", "channel_id"], how="left").select(
        *keys, "is_listed", "out_share"
    )
    return (
        price(before, "price_before")
        .join(price(during, "price_during"), on=keys, how="left")
        .join(states.unique(keys), on=keys, how="left")
    )
