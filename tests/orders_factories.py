"""Weeks of invented trade: orders that come as a Poisson process in a weekly shape, straight into `core`."""

from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Engine, text

HOUR = timedelta(hours=1)
# By hour of the day; what a shop of the evening looks like.
DAY_SHAPE = np.array([2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 9, 9, 9, 9, 10, 11, 13, 14, 13, 10, 7, 4]) / 7.0
WEEK_SHAPE = np.array([1.0, 0.95, 0.9, 0.95, 1.0, 1.2, 1.15])


def usual(at: datetime, per_hour: float) -> float:
    """Orders an hour that starts at `at` brings on average."""
    return float(per_hour * DAY_SHAPE[at.hour] * WEEK_SHAPE[at.weekday()])


def counts(rng: np.random.Generator, until: datetime, per_hour: float, weeks: int = 5) -> dict[datetime, int]:
    """Orders of each hour of the weeks before `until`."""
    hours = [until - HOUR * back for back in range(weeks * 168, 0, -1)]
    return {at: int(rng.poisson(usual(at, per_hour))) for at in hours}


def channel(engine: Engine, name: str, skus: dict[str, str]) -> int:
    """A channel of the account before the dash, selling `skus` (SKU: category) with 500 of each; its id."""
    account = name.split("-", 1)[0]
    with engine.begin() as connection:
        channel_id = connection.scalar(
            text(
                "INSERT INTO core.channels (name, platform, account, currency, timezone)"
                " VALUES (:name, :account, :account, 'USD', 'UTC') RETURNING id"
            ),
            {"name": name, "account": account},
        )
        for sku, category in skus.items():
            connection.execute(
                text(
                    "WITH p AS (INSERT INTO core.products (sku, name, category) VALUES (:sku, :sku, :category)"
                    " ON CONFLICT (sku) DO UPDATE SET category = EXCLUDED.category RETURNING id),"
                    " l AS (INSERT INTO core.channel_products (channel_id, product_id, external_id, is_active)"
                    " SELECT :channel, id, :sku, true FROM p)"
                    " INSERT INTO core.inventory (product_id, channel_id, warehouse_location, quantity_available)"
                    " SELECT id, :channel, 'main', 500 FROM p"
                ),
                {"sku": sku, "category": category, "channel": channel_id},
            )
    assert channel_id is not None
    return int(channel_id)


def place(engine: Engine, channel_id: int, sku: str, hours: dict[datetime, int]) -> None:
    """That many orders of one SKU in each hour, evenly from its beginning to its end."""
    at = [hour + HOUR * (number + 0.5) / many for hour, many in hours.items() for number in range(many)]
    with engine.begin() as connection:
        connection.execute(
            text(
                "WITH new AS (INSERT INTO core.orders (channel_id, external_id, ordered_at, order_date,"
                " source_updated_at, status, is_replacement, is_test)"
                " SELECT :channel, :sku || t, t, t::date, t, 'open', false, false"
                " FROM unnest(CAST(:at AS timestamptz[])) t RETURNING id)"
                " INSERT INTO core.order_items (order_id, line_id, product_id, sku, quantity, cancelled_quantity,"
                " refunded_quantity, tax_included, is_gift_card)"
                " SELECT n.id, '1', p.id, p.sku, 1, 0, 0, false, false FROM new n, core.products p WHERE p.sku = :sku"
            ),
            {"channel": channel_id, "sku": sku, "at": at},
        )


def read_up_to(engine: Engine, account: str, instant: datetime) -> None:
    """Says that every order of the account before `instant` has been read."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.watermarks (account, resource, read_until, updated_at) VALUES (:a, 'orders', :t, :t)"
                " ON CONFLICT (account, resource) DO UPDATE SET read_until = EXCLUDED.read_until"
            ),
            {"a": account, "t": instant},
        )
