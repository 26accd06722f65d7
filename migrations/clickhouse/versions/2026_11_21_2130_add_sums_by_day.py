"""Keep sums by day beside the sales in one currency and the refunds.

Revision 0008, revises 0007.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_PROJECTIONS = {
    "daily_sales_reporting": (
        "SELECT date, any(reporting_currency), sum(total_revenue), sum(total_units), countIf(coalesce(rate, 0) = 0)"
        " GROUP BY date"
    ),
    "daily_refunds": (
        "SELECT date, currency, sum(refunded_units), sum(refunded_amount), sum(avg_days_to_refund * num_orders),"
        " sum(num_orders) GROUP BY date, currency"
    ),
}


def upgrade() -> None:
    for table, query in _PROJECTIONS.items():
        op.execute(f"ALTER TABLE analytics.{table} ADD PROJECTION IF NOT EXISTS by_day ({query})")
        op.execute(f"ALTER TABLE analytics.{table} MATERIALIZE PROJECTION by_day SETTINGS mutations_sync = 2")


def downgrade() -> None:
    for table in _PROJECTIONS:
        op.execute(
            f"ALTER TABLE analytics.{table} DROP PROJECTION IF EXISTS by_day SETTINGS mutations_sync = 2"
        )
