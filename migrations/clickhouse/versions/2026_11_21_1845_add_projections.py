"""Keep sums beside the rows of three marts, for questions that read all of them.

Revision 0007, revises 0006.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_PROJECTIONS = {
    "daily_margin": (
        "by_product",
        "SELECT product_id, currency, sum(net_sales), sum(refunded_net_amount), sum(fees_amount), sum(goods_cost),"
        " sum(contribution_margin), sum(units_without_cost), sum(total_units) GROUP BY product_id, currency",
    ),
    "forecast_accuracy": (
        "by_model",
        "SELECT model_type, horizon_days, in_stock, count(), sum(units), sum(absolute_error), avg(in_80)"
        " GROUP BY model_type, horizon_days, in_stock",
    ),
    "customer_cohorts": (
        "by_cohort",
        "SELECT cohort_month, currency, count(), countIf(total_orders > 1), sum(lifetime_value)"
        " GROUP BY cohort_month, currency",
    ),
}


def upgrade() -> None:
    for table, (name, query) in _PROJECTIONS.items():
        op.execute(f"ALTER TABLE analytics.{table} ADD PROJECTION IF NOT EXISTS {name} ({query})")
        op.execute(f"ALTER TABLE analytics.{table} MATERIALIZE PROJECTION {name} SETTINGS mutations_sync = 2")


def downgrade() -> None:
    for table, (name, _) in _PROJECTIONS.items():
        op.execute(
            f"ALTER TABLE analytics.{table} DROP PROJECTION IF EXISTS {name} SETTINGS mutations_sync = 2"
        )
