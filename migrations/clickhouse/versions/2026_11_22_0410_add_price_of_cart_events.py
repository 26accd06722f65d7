"""Add the price band of what the own shop's events speak of, and the orders each customer likely places.

Months of events published before keep it empty until something comes in for them.

Revision 0010, revises 0009.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_COMMENT = (
    "Price of a unit: 0-10, 10-25, 25-50, 50-100, 100-250, 250+. By the mean of the hour; empty: not told."
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE analytics.daily_cart_events ADD COLUMN IF NOT EXISTS price_band LowCardinality(String)"
        f" COMMENT '{_COMMENT}' AFTER sku"
    )
    op.execute(
        "ALTER TABLE analytics.customer_value ADD COLUMN IF NOT EXISTS likely_orders Nullable(Float64)"
        " COMMENT 'The median instead: for one customer; do not add it up. Null as alive.' AFTER expected_orders"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE analytics.customer_value DROP COLUMN IF EXISTS likely_orders")
    op.execute("ALTER TABLE analytics.daily_cart_events DROP COLUMN IF EXISTS price_band")
