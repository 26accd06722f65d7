"""Tell of each order when it was to be sent and delivered, and when it was.

Orders read before this have nothing there until their source tells them again (`wharf backfill`).

Revision 0014, revises 0013.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | Sequence[str] | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_COLUMNS = {
    "ship_by_at": "Promised to the buyer: sent by then. Null: not told, as are the three below.",
    "deliver_by_at": "Promised: delivered by then.",
    "shipped_at": "When the last of it was sent.",
    "delivered_at": "When the last of it arrived.",
}


def upgrade() -> None:
    for name, comment in _COLUMNS.items():
        op.add_column(
            "orders",
            sa.Column(name, sa.DateTime(timezone=True), nullable=True, comment=comment),
            schema="core",
        )


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.drop_column("orders", name, schema="core")
