"""Add how orders were sent and delivered.

One statement per operation, each re-runnable: ClickHouse has no transactions for DDL.

Revision 0009, revises 0008.
"""

# ruff: noqa: E501 (comments of columns are kept on one line)
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import (
    Date,
    DateTime64,
    Float64,
    Int64,
    LowCardinality,
    Nullable,
    String,
    UInt64,
)
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_KEYS = ("channel_id", "ship_country", "ship_region", "fulfilled_by", "week")


def upgrade() -> None:
    op.create_table(
        "delivery_performance",
        sa.Column(
            "week",
            Date,
            nullable=False,
            comment="Monday of the week the orders were placed in, by the channel's business day.",
        ),
        sa.Column("channel_id", UInt64, nullable=False, comment="channels.channel_id."),
        sa.Column(
            "ship_country",
            LowCardinality(String),
            nullable=False,
            comment="ISO 3166 alpha-2; empty: not known.",
        ),
        sa.Column("ship_region", String, nullable=False, comment="State or province; empty: not known."),
        sa.Column(
            "fulfilled_by",
            LowCardinality(String),
            nullable=False,
            comment="marketplace or merchant; empty: not known.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "orders",
            Int64,
            nullable=False,
            comment="Orders placed, without those cancelled; replacements are among them.",
        ),
        sa.Column(
            "shipped_on_time", Int64, nullable=False, comment="Sent by the instant promised to the buyer."
        ),
        sa.Column("shipped_late", Int64, nullable=False, comment="Sent after it, or still open after it."),
        sa.Column(
            "shipping_unknown",
            Int64,
            nullable=False,
            comment="No promise is told, or not when a finished order was sent.",
        ),
        sa.Column(
            "shipped_on_time_rate",
            Nullable(Float64),
            comment="shipped_on_time / (shipped_on_time + shipped_late).",
        ),
        sa.Column(
            "shipped", Int64, nullable=False, comment="Orders of which is told when the last of it was sent."
        ),
        sa.Column("days_to_ship", Nullable(Float64), comment="Their mean days from order to sending."),
        sa.Column(
            "delivered_on_time",
            Int64,
            nullable=False,
            comment="Delivered by the instant promised to the buyer.",
        ),
        sa.Column("delivered_late", Int64, nullable=False, comment="Delivered after it."),
        sa.Column(
            "delivery_unknown",
            Int64,
            nullable=False,
            comment="No promise is told, or it has passed and no delivery is told.",
        ),
        sa.Column(
            "delivered_late_rate",
            Nullable(Float64),
            comment="delivered_late / (delivered_late + delivered_on_time).",
        ),
        sa.Column(
            "delivered", Int64, nullable=False, comment="Orders of which is told when the last of it arrived."
        ),
        sa.Column("days_to_deliver", Nullable(Float64), comment="Their mean days from order to delivery."),
        schema="analytics",
        comment="How orders of 52 weeks were sent and delivered. Grain: week, channel_id, ship_country, ship_region, fulfilled_by. Counts add up; weigh days_to_ship by shipped, days_to_deliver by delivered. What each channel tells: docs/customers.md.",
        clickhousedb_engine=MergeTree(order_by=_KEYS),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table("delivery_performance", schema="analytics", clickhousedb_engine=MergeTree(order_by=_KEYS))
