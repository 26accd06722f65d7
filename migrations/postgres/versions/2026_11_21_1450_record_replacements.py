"""Record the units of replacements in the ledger: they leave the stock, and are no sale.

Revision 0007, revises 0006.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_BEFORE = "kind IN ('sale', 'edit', 'cancellation', 'refund', 'return')"
_AFTER = "kind IN ('sale', 'replacement', 'edit', 'cancellation', 'refund', 'return')"
_COMMENT_BEFORE = "sale, edit, cancellation, refund or return."
_COMMENT_AFTER = "sale, replacement (units only), edit, cancellation, refund or return."


def upgrade() -> None:
    _allow(_AFTER, _COMMENT_AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM core.sales_events WHERE kind = 'replacement'")
    _allow(_BEFORE, _COMMENT_BEFORE)


def _allow(kinds: str, comment: str) -> None:
    name = op.f("ck_sales_events_kind")
    op.drop_constraint(name, "sales_events", schema="core", type_="check")
    op.create_check_constraint(name, "sales_events", kinds, schema="core")
    op.alter_column("sales_events", "kind", existing_type=sa.Text(), comment=comment, schema="core")
