"""Add what the own shop tells of carts, and where the segments of customers lie.

Revision 0008, revises 0007.
"""

# ruff: noqa: E501 (comments of columns are kept on one line)
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "cart_events",
        sa.Column(
            "event_id",
            sa.Text(),
            nullable=False,
            comment="The shop's id of the event; the first of two with one id counts.",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="product_view, add_to_cart, remove_from_cart, checkout or purchase.",
        ),
        sa.Column(
            "happened_at", sa.DateTime(timezone=True), nullable=False, comment="When, as the shop says."
        ),
        sa.Column(
            "session_key", sa.Text(), nullable=False, comment="Keyed pseudonym of the visit; never a name."
        ),
        sa.Column("sku", sa.Text(), nullable=False, comment="SKU as the shop states it."),
        sa.Column("quantity", sa.BigInteger(), nullable=False, comment="Units."),
        sa.Column(
            "price",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Of a unit, as shown; null: not told.",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency of price."),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it reached us.",
        ),
        sa.CheckConstraint(
            "kind IN ('product_view', 'add_to_cart', 'remove_from_cart', 'checkout', 'purchase')",
            name=op.f("ck_cart_events_kind"),
        ),
        sa.CheckConstraint("price <> 'NaN'", name=op.f("ck_cart_events_numbers_only")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_cart_events_quantity_positive")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_cart_events")),
        schema="core",
        comment="What the own shop tells: views, carts, purchases. Grain: event_id.",
    )
    op.create_index(
        "ix_cart_events_happened_at",
        "cart_events",
        ["happened_at"],
        unique=False,
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.create_index(
        op.f("ix_cart_events_session_key_sku"),
        "cart_events",
        ["session_key", "sku"],
        unique=False,
        schema="core",
    )
    op.create_table(
        "segment_centres",
        sa.Column(
            "currency", sa.Text(), nullable=False, comment="ISO 4217 currency of the customers' orders."
        ),
        sa.Column("segment", sa.Text(), nullable=False, comment="Name of the segment."),
        sa.Column(
            "recency",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="Of log days since the last order.",
        ),
        sa.Column(
            "frequency",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="Of log orders.",
        ),
        sa.Column(
            "amount",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="Of log revenue.",
        ),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False, comment="When."),
        sa.CheckConstraint(
            "recency <> 'NaN' AND frequency <> 'NaN' AND amount <> 'NaN'",
            name=op.f("ck_segment_centres_numbers_only"),
        ),
        sa.PrimaryKeyConstraint("currency", "segment", name=op.f("pk_segment_centres")),
        schema="core",
        comment="Where the segments of customers start from next time, so that names keep their meaning. Standard deviations from the mean customer. Grain: (currency, segment).",
    )


def downgrade() -> None:
    op.drop_table("segment_centres", schema="core")
    op.drop_table("cart_events", schema="core")
