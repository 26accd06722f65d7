"""`core`: what a sale costs besides the goods, and what currencies are worth."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Day, Id, Key, Money, UtcDateTime, numbers_only
from warehouse.tables.core import NOW


class Fee(Base):
    """One charge of a channel. Grain: (channel, fee_id)."""

    __tablename__ = "fees"
    __table_args__ = (
        UniqueConstraint("channel_id", "fee_id"),
        Index(
            "ix_fees_posted_date",
            "posted_date",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 16},
        ),
        numbers_only("amount"),
        {
            "schema": "core",
            "comment": "What channels charge: commissions, fulfilment, … Grain: (channel_id, fee_id).",
        },
    )

    id: Mapped[Id]
    channel_id: Mapped[Key] = mapped_column(ForeignKey("core.channels.id"), comment="core.channels.id.")
    fee_id: Mapped[Code] = mapped_column(comment="The source's id of the charge, unique in the channel.")
    order_external_id: Mapped[Code | None] = mapped_column(comment="The order it was charged for, if any.")
    line_id: Mapped[Code | None] = mapped_column(comment="The order line as the source names it, if any.")
    product_id: Mapped[Key | None] = mapped_column(comment="core.products.id; null: not for one product.")
    sku: Mapped[Code | None] = mapped_column(comment="SKU as the channel states it.")
    fee_type: Mapped[Code] = mapped_column(comment="What for, in the source's word.")
    amount: Mapped[Money] = mapped_column(comment="Positive: charged to us; negative: given back to us.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency.")
    posted_at: Mapped[UtcDateTime] = mapped_column(comment="When the channel booked it.")
    posted_date: Mapped[Day] = mapped_column(comment="Business day of posted_at in the channel's time zone.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that wrote this version.")


class ExchangeRate(Base):
    """What one unit of a currency is worth. Grain: (reporting_currency, currency, date)."""

    __tablename__ = "exchange_rates"
    __table_args__ = (
        PrimaryKeyConstraint("reporting_currency", "currency", "date"),
        CheckConstraint("rate > 0 AND rate <> 'NaN'", name="rate_positive"),
        {
            "schema": "core",
            "comment": "Published exchange rates; days without one have no row. "
            "Grain: (reporting_currency, currency, date).",
        },
    )

    reporting_currency: Mapped[Code] = mapped_column(comment="ISO 4217 currency the rate leads to.")
    currency: Mapped[Code] = mapped_column(comment="ISO 4217 currency the rate starts from.")
    date: Mapped[Day] = mapped_column(comment="The day it was published for.")
    rate: Mapped[Decimal] = mapped_column(
        Numeric(24, 12), comment="Units of reporting_currency for one unit of currency."
    )
    source: Mapped[Code] = mapped_column(comment="File name or feed it came from.")
    loaded_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="When it was loaded.")
