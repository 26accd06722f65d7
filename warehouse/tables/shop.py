"""`core`: what visitors do in the merchant's own shop, and the groups its customers fall into."""

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Measure, Money, UtcDateTime, numbers_only
from warehouse.tables.core import NOW


class CartEvent(Base):
    """One step of a session with one product. Grain: event_id."""

    __tablename__ = "cart_events"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('product_view', 'add_to_cart', 'remove_from_cart', 'checkout', 'purchase')", name="kind"
        ),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        numbers_only("price"),
        Index(None, "session_key", "sku"),
        # By block ranges: events arrive roughly in order, and keeping it costs an insert nothing.
        Index(
            "ix_cart_events_happened_at",
            "happened_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 16},
        ),
        {"schema": "core", "comment": "What the own shop tells: views, carts, purchases. Grain: event_id."},
    )

    event_id: Mapped[Code] = mapped_column(
        primary_key=True, comment="The shop's id of the event; the first of two with one id counts."
    )
    kind: Mapped[Code] = mapped_column(
        comment="product_view, add_to_cart, remove_from_cart, checkout or purchase."
    )
    happened_at: Mapped[UtcDateTime] = mapped_column(comment="When, as the shop says.")
    session_key: Mapped[Code] = mapped_column(comment="Keyed pseudonym of the visit; never a name.")
    sku: Mapped[Code] = mapped_column(comment="SKU as the shop states it.")
    quantity: Mapped[Count] = mapped_column(comment="Units.")
    price: Mapped[Money | None] = mapped_column(comment="Of a unit, as shown; null: not told.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency of price.")
    received_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="When it reached us.")


class SegmentCentre(Base):
    """Where a customer segment lay when it was last computed. Grain: (currency, segment)."""

    __tablename__ = "segment_centres"
    __table_args__ = (
        PrimaryKeyConstraint("currency", "segment"),
        numbers_only("recency", "frequency", "amount"),
        {
            "schema": "core",
            "comment": "Where the segments of customers start from next time, so that names keep their meaning. "
            "Standard deviations from the mean customer. Grain: (currency, segment).",
        },
    )

    currency: Mapped[Code] = mapped_column(comment="ISO 4217 currency of the customers' orders.")
    segment: Mapped[Code] = mapped_column(comment="Name of the segment.")
    recency: Mapped[Measure] = mapped_column(comment="Of log days since the last order.")
    frequency: Mapped[Measure] = mapped_column(comment="Of log orders.")
    amount: Mapped[Measure] = mapped_column(comment="Of log revenue.")
    computed_at: Mapped[UtcDateTime] = mapped_column(comment="When.")
