"""Add what buyers say.

Revision 0009, revises 0008.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column(
            "feedback_id", sa.Text(), nullable=False, comment="Id of the statement, unique in the channel."
        ),
        sa.Column(
            "order_external_id",
            sa.Text(),
            nullable=True,
            comment="The order it is about, if it names one.",
        ),
        sa.Column(
            "product_id",
            sa.BigInteger(),
            nullable=True,
            comment="core.products.id; null: not for one product.",
        ),
        sa.Column(
            "sku",
            sa.Text(),
            nullable=True,
            comment="SKU as the channel states it, else the only one of the order; null: several.",
        ),
        sa.Column(
            "rating", sa.SmallInteger(), nullable=True, comment="1 (worst) to 5 stars; null: text alone."
        ),
        sa.Column(
            "text",
            sa.Text(),
            nullable=True,
            comment="The buyer's words without ways to reach him; null: stars alone.",
        ),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was said; the start of that day where the source names a day.",
        ),
        sa.Column(
            "posted_date",
            sa.Date(),
            nullable=False,
            comment="Business day of posted_at in the channel's time zone.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_feedback_rating_stars")),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_feedback_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("channel_id", "feedback_id", name=op.f("uq_feedback_channel_id_feedback_id")),
        schema="core",
        comment="What buyers said of orders; nothing says who. Grain: (channel_id, feedback_id).",
    )


def downgrade() -> None:
    op.drop_table("feedback", schema="core")
