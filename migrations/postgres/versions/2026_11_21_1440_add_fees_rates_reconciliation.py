"""Add fees, exchange rates, the reconciliation ledger, the currency of costs, records given up on purpose.

Revision 0006, revises 0005.
"""

# ruff: noqa: E501 (comments of columns are kept on one line)
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "products",
        sa.Column("cost_currency", sa.Text(), nullable=True, comment="ISO 4217 currency of cost_price."),
        schema="core",
    )
    op.execute(
        """
        UPDATE core.products p SET cost_currency = n.currency
        FROM (
            SELECT product_id,
                   (array_agg(currency ORDER BY source_updated_at DESC NULLS LAST, channel_id, external_id))[1]
                       AS currency
            FROM core.channel_products WHERE cost_price IS NOT NULL GROUP BY product_id
        ) n
        WHERE p.id = n.product_id AND p.cost_price IS NOT NULL
        """
    )
    op.add_column(
        "quarantine",
        sa.Column(
            "accepted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Somebody decided to go without it: it holds no publishing back.",
        ),
        schema="ops",
    )
    op.create_table(
        "exchange_rates",
        sa.Column(
            "reporting_currency", sa.Text(), nullable=False, comment="ISO 4217 currency the rate leads to."
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 currency the rate starts from."),
        sa.Column("date", sa.Date(), nullable=False, comment="The day it was published for."),
        sa.Column(
            "rate",
            sa.Numeric(precision=24, scale=12),
            nullable=False,
            comment="Units of reporting_currency for one unit of currency.",
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="File name or feed it came from."),
        sa.Column(
            "loaded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was loaded.",
        ),
        sa.CheckConstraint("rate > 0 AND rate <> 'NaN'", name=op.f("ck_exchange_rates_rate_positive")),
        sa.PrimaryKeyConstraint("reporting_currency", "currency", "date", name=op.f("pk_exchange_rates")),
        schema="core",
        comment="Published exchange rates; days without one have no row. Grain: (reporting_currency, currency, date).",
    )
    op.create_table(
        "reconciliation",
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("day", sa.Date(), nullable=False, comment="Business day in the channel's time zone."),
        sa.Column(
            "measure", sa.Text(), nullable=False, comment="orders, units, … as the source's control names it."
        ),
        sa.Column(
            "currency", sa.Text(), nullable=True, comment="ISO 4217 currency of an amount; null: a count."
        ),
        sa.Column(
            "theirs",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="At the source; null: it does not say.",
        ),
        sa.Column(
            "ours",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="In core, counted the way the source counts.",
        ),
        sa.Column(
            "published",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="In ClickHouse; null: not published there.",
        ),
        sa.Column(
            "delta",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="ours - theirs; null when the source does not say.",
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="agrees, explained, repaired or differs."),
        sa.Column(
            "explanation", sa.Text(), nullable=True, comment="Why it may differ; null: nothing explains it."
        ),
        sa.Column(
            "attempts",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Times the day was read again because of it, in a row.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that looked last."),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Last looked at.",
        ),
        sa.Column(
            "differs_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="First unexplained; null: it is not.",
        ),
        sa.CheckConstraint(
            "state IN ('agrees', 'explained', 'repaired', 'differs')", name=op.f("ck_reconciliation_state")
        ),
        sa.PrimaryKeyConstraint("channel_id", "day", "measure", name=op.f("pk_reconciliation")),
        schema="ops",
        comment="Orders and totals at the source, in core and in ClickHouse, last look. Grain: (channel_id, day, measure).",
    )
    op.create_index(
        "ix_reconciliation_open",
        "reconciliation",
        ["day"],
        unique=False,
        schema="ops",
        postgresql_where=sa.text("state = 'differs'"),
    )
    op.create_table(
        "fees",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column(
            "fee_id",
            sa.Text(),
            nullable=False,
            comment="The source's id of the charge, unique in the channel.",
        ),
        sa.Column(
            "order_external_id", sa.Text(), nullable=True, comment="The order it was charged for, if any."
        ),
        sa.Column(
            "line_id", sa.Text(), nullable=True, comment="The order line as the source names it, if any."
        ),
        sa.Column(
            "product_id",
            sa.BigInteger(),
            nullable=True,
            comment="core.products.id; null: not for one product.",
        ),
        sa.Column("sku", sa.Text(), nullable=True, comment="SKU as the channel states it."),
        sa.Column("fee_type", sa.Text(), nullable=False, comment="What for, in the source's word."),
        sa.Column(
            "amount",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Positive: charged to us; negative: given back to us.",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency."),
        sa.Column(
            "posted_at", sa.DateTime(timezone=True), nullable=False, comment="When the channel booked it."
        ),
        sa.Column(
            "posted_date",
            sa.Date(),
            nullable=False,
            comment="Business day of posted_at in the channel's time zone.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.CheckConstraint("amount <> 'NaN'", name=op.f("ck_fees_numbers_only")),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_fees_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fees")),
        sa.UniqueConstraint("channel_id", "fee_id", name=op.f("uq_fees_channel_id_fee_id")),
        schema="core",
        comment="What channels charge: commissions, fulfilment, … Grain: (channel_id, fee_id).",
    )
    op.create_index(
        "ix_fees_posted_date",
        "fees",
        ["posted_date"],
        unique=False,
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )


def downgrade() -> None:
    op.drop_column("quarantine", "accepted_at", schema="ops")
    op.drop_column("products", "cost_currency", schema="core")
    op.drop_index(
        "ix_fees_posted_date",
        table_name="fees",
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.drop_table("fees", schema="core")
    op.drop_index(
        "ix_reconciliation_open",
        table_name="reconciliation",
        schema="ops",
        postgresql_where=sa.text("state = 'differs'"),
    )
    op.drop_table("reconciliation", schema="ops")
    op.drop_table("exchange_rates", schema="core")
