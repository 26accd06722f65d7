"""Keep which order line a refund is for beside the name the source gave it.

Amazon's finances name a line by SKU and place, its orders by an id of their own.

Revision 0003, revises 0002.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "refunds",
        sa.Column(
            "order_line_id",
            sa.Text(),
            nullable=True,
            comment="core.order_items.line_id of that line: some sources name a line by SKU and place, e.g. MUG#1.",
        ),
        schema="core",
    )
    op.execute("UPDATE core.refunds SET order_line_id = line_id")
    op.alter_column("refunds", "order_line_id", nullable=False, schema="core")
    op.alter_column(
        "refunds",
        "line_id",
        comment="The line as the source names it here; empty for the order as a whole.",
        existing_comment="The order line; empty for the order as a whole.",
        schema="core",
    )


def downgrade() -> None:
    op.alter_column(
        "refunds",
        "line_id",
        comment="The order line; empty for the order as a whole.",
        existing_comment="The line as the source names it here; empty for the order as a whole.",
        schema="core",
    )
    op.drop_column("refunds", "order_line_id", schema="core")
