"""Measure forecasts when the truth arrives, and say which models made each.

Revision 0011, revises 0010.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | Sequence[str] | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    measure = sa.Numeric(precision=18, scale=4, asdecimal=False)
    op.create_table(
        "forecast_accuracy",
        sa.Column("date", sa.Date(), nullable=False, comment="The day forecast, now past."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("model_type", sa.Text(), nullable=False, comment="prophet, lstm, arima, ensemble, …"),
        sa.Column(
            "horizon_week",
            sa.BigInteger(),
            nullable=False,
            comment="Whole weeks between making the forecast and the day.",
        ),
        sa.Column(
            "is_sample",
            sa.Boolean(),
            nullable=False,
            comment="Series the models learn from, which backtests measure.",
        ),
        sa.Column(
            "forecasts",
            sa.BigInteger(),
            nullable=False,
            comment="Forecasts of this day that were compared.",
        ),
        sa.Column("units", measure, nullable=False, comment="Units sold, counted once per forecast."),
        sa.Column(
            "absolute_error",
            measure,
            nullable=False,
            comment="Sum of abs(predicted - sold); over units it is WAPE.",
        ),
        sa.Column(
            "signed_error",
            measure,
            nullable=False,
            comment="Sum of predicted - sold; over units it is bias.",
        ),
        sa.Column("in_80", sa.BigInteger(), nullable=False, comment="Forecasts whose 80 % interval held."),
        sa.Column("in_95", sa.BigInteger(), nullable=False, comment="Forecasts whose 95 % interval held."),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False, comment="When it was measured."),
        sa.PrimaryKeyConstraint(
            "date",
            "channel_id",
            "model_type",
            "horizon_week",
            "is_sample",
            name=op.f("pk_forecast_accuracy"),
        ),
        schema="core",
        comment="Forecasts of a past day against what was sold, days out of stock left out. "
        "Grain: (date, channel_id, model_type, horizon_week, is_sample).",
    )
    op.add_column(
        "forecast_runs",
        sa.Column(
            "model_version",
            sa.Text(),
            nullable=True,
            comment="core.trained_models.version it was made with.",
        ),
        schema="core",
    )


def downgrade() -> None:
    op.drop_column("forecast_runs", "model_version", schema="core")
    op.drop_table("forecast_accuracy", schema="core")
