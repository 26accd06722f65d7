"""Settings of alerts that are kept in the database, and the events providers sent.

Thresholds and recipients can be set without a file; a provider's event that comes again is recognised.

Revision 0004, revises 0003.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "provider_events",
        sa.Column("event_id", sa.Text(), nullable=False, comment="The provider's id, or what makes it one."),
        sa.Column("way", sa.Text(), nullable=False, comment="email or sms."),
        sa.Column("provider_id", sa.Text(), nullable=True, comment="The provider's id of the message."),
        sa.Column("state", sa.Text(), nullable=False, comment="accepted, delivered or undelivered."),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="When it came."),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_provider_events")),
        schema="ops",
        comment="Events providers sent, to recognise repeats. Grain: event_id.",
    )
    op.create_index(op.f("ix_provider_events_received_at"), "provider_events", ["received_at"], schema="ops")
    op.create_table(
        "alert_thresholds",
        sa.Column("scope", sa.Text(), nullable=False, comment="all, account, category or sku."),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="Which account, category or SKU; empty for all."
        ),
        sa.Column("setting", sa.Text(), nullable=False, comment="Such as stock.critical_days."),
        sa.Column(
            "value",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="A number, true or false.",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it was set."),
        sa.CheckConstraint(
            "scope IN ('all', 'account', 'category', 'sku')", name=op.f("ck_alert_thresholds_scope")
        ),
        sa.PrimaryKeyConstraint("scope", "name", "setting", name=op.f("pk_alert_thresholds")),
        schema="ops",
        comment="Thresholds of the alert rules. Grain: (scope, name, setting).",
    )
    op.create_table(
        "alert_recipients",
        sa.Column("name", sa.Text(), nullable=False, comment="Unique name."),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="As in the routes file: email, quiet_hours, …",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it was set."),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_recipients")),
        schema="ops",
        comment="Who hears of alerts, and how. Grain: name.",
    )


def downgrade() -> None:
    op.drop_table("alert_recipients", schema="ops")
    op.drop_table("alert_thresholds", schema="ops")
    op.drop_table("provider_events", schema="ops")
