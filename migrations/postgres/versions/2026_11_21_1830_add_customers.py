"""Add what channels count of their registered customers.

Revision 0012, revises 0011.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("customer_key", sa.Text(), nullable=False, comment="Keyed pseudonym; never a name."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the channel got to know the customer.",
        ),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Last change at the channel.",
        ),
        sa.Column(
            "orders_count", sa.BigInteger(), nullable=True, comment="Orders in the customer's lifetime."
        ),
        sa.Column(
            "amount_spent", sa.Numeric(18, 4), nullable=True, comment="Spent in the customer's lifetime."
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency of amount_spent."),
        sa.Column("country", sa.Text(), nullable=True, comment="ISO alpha-2 country of the default address."),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.CheckConstraint("orders_count >= 0", name=op.f("ck_customers_orders_count_not_negative")),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_customers_channel_id")),
        sa.PrimaryKeyConstraint("channel_id", "customer_key", name=op.f("pk_customers")),
        schema="core",
        comment="What a channel counts of its registered customers, also of the past it no longer shows; keyed "
        "pseudonyms, the same as in core.orders. Grain: (channel_id, customer_key).",
    )


def downgrade() -> None:
    op.drop_table("customers", schema="core")
