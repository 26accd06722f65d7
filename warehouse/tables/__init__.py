"""Every table: importing this module fills `metadata` (PostgreSQL) and `rollup.metadata` (ClickHouse)."""

from warehouse.tables import (
    alerts,
    core,
    customers,
    feedback,
    forecast,
    insight,
    ledger,
    money,
    ops,
    performance,
    planning,
    privacy,
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
    "feedback",
    "forecast",
    "insight",
    "ledger",
    "metadata",
    "money",
    "ops",
    "performance",
    "planning",
    "privacy",
    "shop",
    "stock",
]
