"""`core.customers`: what a channel itself counts of its registered customers, under pseudonyms."""

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Key, Money, UtcDateTime


class Customer(Base):
    """A registered customer of one channel. Grain: (channel, customer_key)."""

    __tablename__ = "customers"
    __table_args__ = (
        CheckConstraint("orders_count >= 0", name="orders_count_not_negative"),
        {
            "schema": "core",
            "comment": "What a channel counts of its registered customers, also of the past it no longer shows; keyed "
            "pseudonyms, the same as in core.orders. Grain: (channel_id, customer_key).",
        },
    )

    channel_id: Mapped[Key] = mapped_column(
        ForeignKey("core.channels.id"), primary_key=True, comment="core.channels.id."
    )
    customer_key: Mapped[Code] = mapped_column(primary_key=True, comment="Keyed pseudonym; never a name.")
    created_at: Mapped[UtcDateTime | None] = mapped_column(
        comment="When the channel got to know the customer."
    )
    source_updated_at: Mapped[UtcDateTime | None] = mapped_column(comment="Last change at the channel.")
    orders_count: Mapped[Count | None] = mapped_column(comment="Orders in the customer's lifetime.")
    amount_spent: Mapped[Money | None] = mapped_column(comment="Spent in the customer's lifetime.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency of amount_spent.")
    country: Mapped[Code | None] = mapped_column(comment="ISO alpha-2 country of the default address.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")
