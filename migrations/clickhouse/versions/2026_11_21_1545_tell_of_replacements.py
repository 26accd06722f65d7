"""Say in the comments what replacements count for: their units are units sold, they bring no money.

Revision 0005, revises 0004.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLES = ("daily_sales_summary", "daily_sales_as_happened")
_BEFORE = {
    "total_units": "Units sold: ordered less cancelled; refunded units still count here.",
    "avg_price": "(gross_revenue - discount_amount) / total_units; null without units.",
}
_AFTER = {
    "total_units": "Units sold: ordered less cancelled; refunded units and those of replacements still count here.",
    "avg_price": "(gross_revenue - discount_amount) / units that are no replacement; null without such units.",
}


def upgrade() -> None:
    _comment(_AFTER)


def downgrade() -> None:
    _comment(_BEFORE)


def _comment(comments: dict[str, str]) -> None:
    for table in _TABLES:
        for column, comment in comments.items():
            op.execute(f"ALTER TABLE analytics.{table} COMMENT COLUMN {column} '{comment}'")
