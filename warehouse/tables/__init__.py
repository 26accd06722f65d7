"""Every table: importing this module fills `metadata` (PostgreSQL) and `rollup.metadata` (ClickHouse)."""

from warehouse.tables import alerts, core, forecast, ledger, money, ops, planning, privacy, stock
from warehouse.tables.base import Base

metadata = Base.metadata

__all__ = [
    "Base",
    "alerts",
    "core",
    "forecast",
    "ledger",
    "metadata",
    "money",
    "ops",
    "planning",
    "privacy",
    "stock",
]
