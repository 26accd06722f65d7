"""Walmart's endpoints, described: how pages are asked for, how far back they reach, what they become."""

from datetime import timedelta

from connectors.base import Resource
from connectors.walmart import normalize, order_pages, pages, settlements

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            name="orders",
            platform="walmart",
            frames=("orders", "order_items"),
            pages=order_pages.orders,
            normalize=normalize.orders,
            lookback=timedelta(hours=1),
            retention=order_pages.RETENTION,
        ),
        Resource(
            name="returns",
            platform="walmart",
            frames=("returns", "refunds"),
            pages=pages.returns,
            normalize=normalize.returns,
            lookback=timedelta(hours=1),
            retention=order_pages.RETENTION,
        ),
        Resource(
            name="products",
            platform="walmart",
            frames=("products",),
            pages=pages.items,
            normalize=normalize.products,
            kind="snapshot",
        ),
        Resource(
            name="inventory",
            platform="walmart",
            frames=("inventory",),
            pages=pages.inventory,
            normalize=normalize.inventory,
            kind="snapshot",
            confirm_empty=True,
        ),
        Resource(
            name="fees",
            platform="walmart",
            frames=("fees",),
            pages=settlements.reports,
            normalize=normalize.fees,
            lookback=settlements.PERIOD + timedelta(days=2),  # reports are written again
        ),
    )
}
