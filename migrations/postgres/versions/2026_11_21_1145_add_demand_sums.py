"""Keep the distribution of summed demand, so that stock is judged by it whenever stock changes.

Revision 0002, revises 0001.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "demand_sums",
        sa.Column("product_id", sa.BigInteger(), nullable=False, comment="core.products.id."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("lead_days", sa.BigInteger(), nullable=False, comment="Days summed over."),
        sa.Column(
            "mean_units",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="Expected units.",
        ),
        sa.Column(
            "quantiles",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Units by quantile: q050 is the 5 % one, q990 the 99 % one.",
        ),
        sa.Column(
            "generated_at", sa.DateTime(timezone=True), nullable=False, comment="When the forecast was made."
        ),
        sa.PrimaryKeyConstraint("product_id", "channel_id", "lead_days", name=op.f("pk_demand_sums")),
        schema="core",
        comment="Summed demand over the days after generated_at, from the latest forecast. "
        "Grain: (product_id, channel_id, lead_days).",
    )


def downgrade() -> None:
    op.drop_table("demand_sums", schema="core")
