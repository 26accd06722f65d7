"""`core`: the sales ledger with two dates, and the journal of past days that moved."""

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Day, Id, Key, Money, UtcDateTime, numbers_only

KINDS = ("sale", "replacement", "edit", "cancellation", "refund", "return")


class SalesEvent(Base):
    """What happened to an order line and when; never changed. The sum of a line's events is its state."""

    __tablename__ = "sales_events"
    __table_args__ = (
        # One index serves the look-up by order and the key; days are found by block ranges, which cost
        # next to nothing to keep while events arrive roughly by day.
        PrimaryKeyConstraint("order_id", "id"),
        Index(
            "ix_sales_events_order_date",
            "order_date",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 16},
        ),
        Index(
            "ix_sales_events_happened_date",
            "happened_date",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 16},
        ),
        CheckConstraint(f"kind IN {KINDS!r}", name="kind"),
        numbers_only(
            "gross_amount", "discount_amount", "net_amount", "refunded_amount", "refunded_net_amount"
        ),
        {
            "schema": "core",
            "comment": "Immutable ledger of sales with two dates. Grain: one event of one order line. "
            "Per line, events add up to its state.",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), comment="Order of recording.")
    order_id: Mapped[Key] = mapped_column(comment="core.orders.id.")
    line_id: Mapped[Code] = mapped_column(comment="core.order_items.line_id, also after the line is gone.")
    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    product_id: Mapped[Key | None] = mapped_column(comment="core.products.id; null: no product.")
    kind: Mapped[Code] = mapped_column(
        comment="sale, replacement (units only), edit, cancellation, refund or return."
    )
    reference: Mapped[Code] = mapped_column(comment="Refund id for dated refunds, else empty.")
    happened_at: Mapped[UtcDateTime] = mapped_column(
        comment="When it happened; the source's update instant where it does not say."
    )
    happened_date: Mapped[Day] = mapped_column(comment="Business day of happened_at in the channel's zone.")
    order_date: Mapped[Day] = mapped_column(comment="Business day of the order.")
    currency: Mapped[Code] = mapped_column(comment="ISO 4217 currency of the amounts.")
    units: Mapped[Count] = mapped_column(comment="Change of units sold (cancelled ones taken out).")
    gross_amount: Mapped[Money] = mapped_column(comment="Change of revenue before discounts and tax.")
    discount_amount: Mapped[Money] = mapped_column(comment="Change of discounts.")
    net_amount: Mapped[Money] = mapped_column(comment="Change of gross less discounts.")
    refunded_units: Mapped[Count] = mapped_column(comment="Change of units refunded.")
    refunded_amount: Mapped[Money] = mapped_column(comment="Change of money given back, tax included.")
    refunded_net_amount: Mapped[Money] = mapped_column(comment="Its part before tax and shipping.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that recorded it.")
    recorded_at: Mapped[UtcDateTime] = mapped_column(comment="When we learned of it.")


class Restatement(Base):
    """A published past day moved. Grain: one row per run, channel, day, currency and kind."""

    __tablename__ = "restatements"
    __table_args__ = (
        Index(None, "channel_id", "order_date"),
        {
            "schema": "core",
            "comment": "Past days that moved after they were published: by how much and why. "
            "Grain: (run, channel, order_date, currency, kind).",
        },
    )

    id: Mapped[Id]
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that moved it.")
    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    order_date: Mapped[Day] = mapped_column(comment="The day that moved.")
    currency: Mapped[Code] = mapped_column(comment="ISO 4217 currency of revenue_delta.")
    kind: Mapped[Code] = mapped_column(comment="Why: sale (late), edit, cancellation, refund, return.")
    events: Mapped[Count] = mapped_column(comment="Ledger events behind it.")
    orders: Mapped[Count] = mapped_column(comment="Orders behind it.")
    units_delta: Mapped[Count] = mapped_column(comment="Change of units sold.")
    revenue_delta: Mapped[Money] = mapped_column(comment="Change of total_revenue.")
    recorded_at: Mapped[UtcDateTime] = mapped_column(comment="When.")
