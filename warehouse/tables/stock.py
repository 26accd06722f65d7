"""`core`: stock now, every change of it, and the plans made from it."""

from datetime import date

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Id, Key, Measure, UtcDateTime


class Inventory(Base):
    """Stock now. Grain: (product, channel, warehouse_location)."""

    __tablename__ = "inventory"
    __table_args__ = (
        UniqueConstraint("product_id", "channel_id", "warehouse_location"),
        {"schema": "core", "comment": "Stock now. Grain: (product_id, channel_id, warehouse_location)."},
    )

    id: Mapped[Id]
    product_id: Mapped[Key] = mapped_column(ForeignKey("core.products.id"), comment="core.products.id.")
    channel_id: Mapped[Key] = mapped_column(ForeignKey("core.channels.id"), comment="core.channels.id.")
    warehouse_location: Mapped[Code] = mapped_column(comment="The source's place, e.g. FBA.")
    quantity_available: Mapped[Count] = mapped_column(comment="Sellable now; negative means 0 sellable.")
    quantity_reserved: Mapped[Count | None] = mapped_column(comment="Promised to orders.")
    quantity_inbound: Mapped[Count | None] = mapped_column(comment="On the way here.")
    quantity_on_hand: Mapped[Count | None] = mapped_column(comment="Physically here.")
    quantity_unavailable: Mapped[Count | None] = mapped_column(comment="Damaged or held.")
    reorder_point: Mapped[Count | None] = mapped_column(comment="Units, from the latest plan.")
    source_updated_at: Mapped[UtcDateTime | None] = mapped_column(comment="The source's version clock.")
    absent_since: Mapped[UtcDateTime | None] = mapped_column(
        comment="Complete snapshots no longer name it since then; its quantities are zero."
    )
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")


class InventoryHistory(Base):
    """Every observed change of stock. Grain: one row per change and place."""

    __tablename__ = "inventory_history"
    __table_args__ = (
        Index(None, "product_id", "channel_id", "observed_at"),
        {"schema": "core", "comment": "Every observed change of stock. Grain: one row per change and place."},
    )

    id: Mapped[Id]
    product_id: Mapped[Key] = mapped_column(comment="core.products.id.")
    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    warehouse_location: Mapped[Code] = mapped_column(comment="The source's place.")
    quantity_available: Mapped[Count] = mapped_column(comment="Sellable from then on.")
    quantity_reserved: Mapped[Count | None] = mapped_column(comment="Promised to orders.")
    quantity_inbound: Mapped[Count | None] = mapped_column(comment="On the way.")
    source_updated_at: Mapped[UtcDateTime | None] = mapped_column(comment="The source's version clock.")
    observed_at: Mapped[UtcDateTime] = mapped_column(comment="Since when we know it: the snapshot's instant.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that saw it.")


class InventoryPlan(Base):
    """When and how much to reorder, latest plan. Grain: (product, channel)."""

    __tablename__ = "inventory_plans"
    __table_args__ = (
        {"schema": "core", "comment": "When and how much to reorder. Grain: (product_id, channel_id)."},
    )

    product_id: Mapped[Key] = mapped_column(
        ForeignKey("core.products.id"), primary_key=True, comment="core.products.id."
    )
    channel_id: Mapped[Key] = mapped_column(
        ForeignKey("core.channels.id"), primary_key=True, comment="core.channels.id."
    )
    mean_daily: Mapped[Measure | None] = mapped_column(comment="Expected units a day.")
    lead_time_days: Mapped[Measure | None] = mapped_column(comment="From order to shelf.")
    service_level: Mapped[Measure | None] = mapped_column(comment="Wanted chance of no stock-out, 0 to 1.")
    safety_stock: Mapped[Measure | None] = mapped_column(comment="Units kept against uncertainty.")
    reorder_point: Mapped[Measure | None] = mapped_column(
        comment="Order when available and inbound fall to this."
    )
    order_quantity: Mapped[Measure | None] = mapped_column(comment="How many to order now; 0: none.")
    order_by_date: Mapped[date | None] = mapped_column(comment="Last day an order keeps the service level.")
    days_of_cover: Mapped[Measure | None] = mapped_column(comment="How long the stock lasts.")
    stockout_date: Mapped[date | None] = mapped_column(comment="Expected day of running out.")
    p_stockout_lead_time: Mapped[Measure | None] = mapped_column(
        comment="Chance within the lead time, 0 to 1."
    )
    p_stockout_7d: Mapped[Measure | None] = mapped_column(comment="Chance within 7 days, 0 to 1.")
    p_stockout_14d: Mapped[Measure | None] = mapped_column(comment="Chance within 14 days, 0 to 1.")
    p_stockout_30d: Mapped[Measure | None] = mapped_column(comment="Chance within 30 days, 0 to 1.")
    planned_at: Mapped[UtcDateTime] = mapped_column(comment="When the plan was made.")
