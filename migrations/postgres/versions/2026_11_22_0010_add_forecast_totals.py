"""Keep what the forecasts add up to by category, channel and in all.

Revision 0015, revises 0014.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | Sequence[str] | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    def measure(name: str, comment: str) -> sa.Column[float]:
        return sa.Column(name, sa.Numeric(18, 4, asdecimal=False), nullable=False, comment=comment)

    op.create_table(
        "forecast_totals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column(
            "level", sa.Text(), nullable=False, comment="total, channel, category, channel and category."
        ),
        sa.Column("channel_id", sa.BigInteger(), nullable=True, comment="core.channels.id; null: all."),
        sa.Column("category", sa.Text(), nullable=True, comment="Null: all; empty: products without one."),
        sa.Column("forecast_date", sa.Date(), nullable=False, comment="The day forecast."),
        sa.Column("series", sa.BigInteger(), nullable=False, comment="Forecasts added up."),
        measure("predicted_units", "Expected (mean) units: their sum."),
        measure("lower_80", "10 % quantile."),
        measure("upper_80", "90 % quantile."),
        measure("lower_95", "2.5 % quantile."),
        measure("upper_95", "97.5 % quantile."),
        sa.Column(
            "generated_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the newest of them was made.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast_totals")),
        sa.UniqueConstraint(
            "level",
            "channel_id",
            "category",
            "forecast_date",
            name=op.f("uq_forecast_totals_level_channel_id_category_forecast_date"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="core",
        comment="Exact sums of the newest ensemble forecast of every series, with bounds of their own. "
        "Grain: (level, channel_id, category, forecast_date).",
    )
    op.add_column(
        "forecast_runs",
        sa.Column(
            "spreads",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="How wide the bounds of totals are, by level, from the backtest.",
        ),
        schema="core",
    )


def downgrade() -> None:
    op.drop_column("forecast_runs", "spreads", schema="core")
    op.drop_table("forecast_totals", schema="core")
