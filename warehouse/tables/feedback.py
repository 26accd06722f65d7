"""`core.feedback`: what buyers say, without who they are."""

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Day, Id, Key, Small, UtcDateTime


class Feedback(Base):
    """One statement of a buyer. Grain: (channel, feedback_id)."""

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("channel_id", "feedback_id"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating_stars"),
        {
            "schema": "core",
            "comment": "What buyers said of orders; nothing says who. Grain: (channel_id, feedback_id).",
        },
    )

    id: Mapped[Id]
    channel_id: Mapped[Key] = mapped_column(ForeignKey("core.channels.id"), comment="core.channels.id.")
    feedback_id: Mapped[Code] = mapped_column(comment="Id of the statement, unique in the channel.")
    order_external_id: Mapped[Code | None] = mapped_column(comment="The order it is about, if it names one.")
    product_id: Mapped[Key | None] = mapped_column(comment="core.products.id; null: not for one product.")
    sku: Mapped[Code | None] = mapped_column(
        comment="SKU as the channel states it, else the only one of the order; null: several."
    )
    rating: Mapped[Small | None] = mapped_column(comment="1 (worst) to 5 stars; null: text alone.")
    text: Mapped[Code | None] = mapped_column(
        comment="The buyer's words without ways to reach him; null: stars alone."
    )
    posted_at: Mapped[UtcDateTime] = mapped_column(
        comment="When it was said; the start of that day where the source names a day."
    )
    posted_date: Mapped[Day] = mapped_column(comment="Business day of posted_at in the channel's time zone.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")
