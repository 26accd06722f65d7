"""Events of the own shop: taken in once each, published as a funnel by product and hour, deleted when they are old."""

from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from prefect import flow
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from connectors.privacy import pseudonym
from flows import connections, report
from flows.instants import Instant
from models import customer_plots, funnel, sessions
from warehouse import cart_events as store
from warehouse import insight, publisher
from warehouse.cart_events import CartEvent
from warehouse.rollup_tables import month_of, months_between, next_month

FUNNEL = Asset(key="clickhouse://wharf/analytics/daily_cart_events")
EVENTS = Asset(key="postgres://wharf/core/cart_events")
OPEN = Asset(key="clickhouse://wharf/analytics/open_carts")
LEARN_DAYS = 30  # of visits
PATIENCE_SECONDS = 120.0  # for a publication under way


@flow(name="cart-events", flow_run_name="cart-events")
def cart_events(now: Instant | None = None) -> State[Any]:
    """Publish the months in which something came in, and carts that have become old enough to count as left.

    Args:
        now: The instant to judge by. Empty: now. Without a zone: UTC.
    """
    now = now or datetime.now(UTC)
    gone = store.forget(connections.postgres(), now, connections.settings().event_days)
    rows, carts = publish(now), publish_open(now)
    if rows is None and not gone:
        return Completed(name="NothingToDo", message="the shop sent no events since the last time", data=0)
    told = f"{rows or 0:,} rows of daily_cart_events, {carts:,} of open_carts, {gone:,} old events deleted"
    return Completed(message=told, data=rows or 0)


@materialize(FUNNEL, asset_deps=[EVENTS], name="publish-cart-events", cache_policy=NO_CACHE)
def publish(now: datetime) -> int | None:
    """Every month from the first one that changed to now, whole, the newest last; None when nothing changed."""
    engine, zone = connections.postgres(), connections.settings().timezone
    rows = 0
    with closing(connections.clickhouse()) as client:
        first = store.earliest_unpublished(engine, client)
        if first is None:
            return None
        # Yesterday's carts are judged by today's purchases.
        began = min(first, now) - funnel.PATIENCE - timedelta(hours=1)
        today = now.astimezone(ZoneInfo(zone)).date()
        with publisher.only_publisher(engine, patience_seconds=PATIENCE_SECONDS) as lock:
            for month in months_between(began.astimezone(ZoneInfo(zone)).date(), today):
                start, end = _midnight(month, zone), _midnight(next_month(month), zone)
                hours = funnel.by_hour(store.events(engine, start, end), zone, now)
                lock.still_held()
                rows += store.publish(
                    client, month, hours.filter(pl.col("date").dt.month() == month.month), now
                )
        report.wrote(rows=rows)
        _show(hours.filter(pl.col("date") >= month_of(today)))
    return rows


@materialize(OPEN, asset_deps=[EVENTS], name="publish-open-carts", cache_policy=NO_CACHE)
def publish_open(now: datetime) -> int:
    """What lies in carts that may still be bought, and how likely that is, learned from the visits of LEARN_DAYS."""
    engine, zone = connections.postgres(), connections.settings().timezone
    events = store.events(engine, now - timedelta(days=LEARN_DAYS), now)
    model = sessions.train(events, now, zone)
    waiting = sessions.open_visits(events, now, zone).select("session_key")
    in_carts = sessions.in_carts(events.join(waiting, on="session_key", how="semi"))
    unknown = waiting.with_columns(likelihood=pl.lit(None, pl.Float64))
    chance = sessions.predict(model, events, now, zone) if model is not None else unknown
    carts = sessions.by_product(in_carts, chance)
    with closing(connections.clickhouse()) as client:
        rows = insight.publish(client, "open_carts", carts, now)
    report.wrote(rows=rows)
    if model is not None:
        report.table("visits-that-buy", list(model.scores), "Which visits buy: on the newest ones, by method")
    if carts.height:
        shown = carts.sort("amount", descending=True).head(50)
        report.table("open-carts", shown.to_dicts(), "In carts now, and what is expected to be bought of it")
    return rows


def take(events: list[CartEvent]) -> int:
    """Store what a shop sent; returns how many were new. Raises SQLAlchemyError, and then nothing is stored."""
    return store.store(connections.postgres(), events)


def session_key(session: str) -> str:
    """What a session is known by here."""
    return pseudonym(f"session:{session}", connections.settings().pseudonym_key)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


def _show(hours: pl.DataFrame) -> None:
    """This month's funnel by product, and as a picture."""
    steps = [*funnel.STEPS.values(), "abandoned"]
    products = hours.group_by("sku").agg(pl.col(*steps).sum()).sort("adds", "sku", descending=[True, False])
    report.table("cart-events", products.head(100).to_dicts(), "Sessions of this month, by product and step")
    if products["adds"].sum():
        picture = report.picture(customer_plots.funnel_plot(hours), "funnel of the own shop")
        report.page("cart-events-funnel", picture, "The own shop's funnel of this month")
