"""Every table: importing this module fills `metadata` (PostgreSQL) and `analytics.metadata` (ClickHouse)."""

from warehouse.tables import (
    alerts,
    core,
    customers,
    dimensions,
    feedback,
    forecast,
    insight,
    ledger,
    money,
    ops,
    outlook,
    performance,
    planning,
    privacy,
    sales,
    shop,
    stock,
)
from warehouse.tables.base import Base

metadata = Base.metadata

__all__ = [
    "Base",
    "alerts",
    "core",
    "customers",
    "dimensions",
    "feedback",
    "forecast",
    "insight",
    "ledger",
    "metadata",
    "money",
    "ops",
    "outlook",
    "performance",
    "planning",
    "privacy",
    "sales",
    "shop",
    "stock",
]
