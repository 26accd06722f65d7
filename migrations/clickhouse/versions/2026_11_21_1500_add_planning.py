"""Add what planning publishes: classes of SKUs, what to order and move, risk of running out, effect of prices.

One statement per operation, each re-runnable: ClickHouse has no transactions for DDL.

Revision 0003, revises 0002.
"""

# ruff: noqa: E501 (comments of columns are kept on one line)
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import (
    Bool,
    Date,
    DateTime64,
    Decimal,
    Float64,
    Int64,
    LowCardinality,
    Nullable,
    String,
    UInt64,
)
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "sku_classes",
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "abc",
            LowCardinality(String),
            nullable=False,
            comment="A: the SKUs that make the first 80 % of value_share, B: the next 15 %, C: the rest.",
        ),
        sa.Column(
            "xyz",
            LowCardinality(String),
            nullable=False,
            comment="X: weekly units vary by up to half their mean, Y: up to their mean, Z: more or new.",
        ),
        sa.Column(
            "basis",
            LowCardinality(String),
            nullable=False,
            comment="What ABC counts: margin, or revenue where a cost of the channel is unknown.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "value_share",
            Float64,
            nullable=False,
            comment="Share of the channel's margin or revenue of 365 days, 0 to 1.",
        ),
        sa.Column(
            "revenue_365d", Decimal(18, 4), nullable=False, comment="Units x net price per unit, 365 days."
        ),
        sa.Column(
            "margin_365d",
            Nullable(Decimal(18, 4)),
            comment="Units x (net price - unit cost), 365 days; null where no cost is known.",
        ),
        sa.Column("units_91d", Int64, nullable=False, comment="Units sold in 91 days."),
        sa.Column("velocity", Float64, nullable=False, comment="Units a day while in stock, 91 days."),
        sa.Column(
            "weekly_cv",
            Nullable(Float64),
            comment="Standard deviation of weekly units over their mean; null under 8 whole weeks.",
        ),
        sa.Column(
            "sell_through", Nullable(Float64), comment="units_91d / (units_91d + sellable now), 0 to 1."
        ),
        sa.Column(
            "days_of_cover", Nullable(Float64), comment="Sellable now / velocity; null when nothing sells."
        ),
        sa.Column(
            "stockout_days_91d", Int64, nullable=False, comment="Days of the 91 with nothing sellable."
        ),
        sa.Column(
            "lost_units_91d",
            Float64,
            nullable=False,
            comment="velocity x stockout_days_91d: what would have sold.",
        ),
        sa.Column(
            "lost_revenue_91d", Nullable(Decimal(18, 4)), comment="lost_units_91d at the mean net price."
        ),
        sa.Column("last_sold", Nullable(Date), comment="Last day with a sale, within 365 days."),
        sa.Column("is_slow", Bool, nullable=False, comment="More than 180 days of cover."),
        sa.Column(
            "is_dead",
            Bool,
            nullable=False,
            comment="In stock, not sold for 180 days, and known for longer than that.",
        ),
        sa.Column("stock_value", Nullable(Decimal(18, 4)), comment="Sellable units at unit cost."),
        schema="analytics",
        comment="ABC and XYZ classes, velocity, cover, dead stock, revenue lost by stock-outs. Grain: channel_id, product_id.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
        if_not_exists=True,
    )
    op.create_table(
        "replenishment",
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column("available", Int64, nullable=False, comment="Sellable now."),
        sa.Column("inbound", Int64, nullable=False, comment="On the way."),
        sa.Column("mean_daily", Float64, nullable=False, comment="Units expected a day, next four weeks."),
        sa.Column("lead_time_days", Float64, nullable=False, comment="Days from ordering to having."),
        sa.Column(
            "service_level",
            Float64,
            nullable=False,
            comment="Chance wanted that an order cycle passes without a stock-out.",
        ),
        sa.Column(
            "safety_stock",
            Float64,
            nullable=False,
            comment="Units above the mean of demand over lead time and review.",
        ),
        sa.Column(
            "reorder_point", Float64, nullable=False, comment="Order when available and inbound fall to this."
        ),
        sa.Column(
            "optimal_stock",
            Float64,
            nullable=False,
            comment="Units that lie there on average at this service: safety stock, half a cycle.",
        ),
        sa.Column(
            "order_up_to",
            Float64,
            nullable=False,
            comment="Units that available and inbound shall reach with an order.",
        ),
        sa.Column("order_quantity", Float64, nullable=False, comment="Order now; 0: nothing."),
        sa.Column(
            "order_amount",
            Nullable(Decimal(18, 4)),
            comment="order_quantity at unit cost; null where the cost is unknown.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "order_by_date",
            Nullable(Date),
            comment="Last day an order keeps the service level; null beyond a year.",
        ),
        sa.Column("stockout_date", Nullable(Date), comment="Expected day of running out."),
        sa.Column("days_of_cover", Nullable(Float64), comment="How long stock lasts by the forecast."),
        sa.Column(
            "within_budget",
            Bool,
            nullable=False,
            comment="False: nothing to order, or the budget went to more urgent orders.",
        ),
        schema="analytics",
        comment="What to order now, per channel. Grain: channel_id, product_id.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
        if_not_exists=True,
    )
    op.create_table(
        "transfer_suggestions",
        sa.Column("product_id", UInt64, nullable=False, comment="products.product_id."),
        sa.Column(
            "from_channel_id", UInt64, nullable=False, comment="channels.channel_id whose stock gives."
        ),
        sa.Column("to_channel_id", UInt64, nullable=False, comment="channels.channel_id whose stock gets."),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column("units", Int64, nullable=False, comment="Units to move."),
        sa.Column(
            "saved",
            Float64,
            nullable=False,
            comment="Margin the move saves, in the receiving channel's currency.",
        ),
        sa.Column("cost", Float64, nullable=False, comment="What the move costs."),
        sa.Column(
            "arrives_in_days", Float64, nullable=False, comment="Days until the units can be sold there."
        ),
        schema="analytics",
        comment="Moves between channels' stocks that save more than they cost. Grain: product_id, from_channel_id, to_channel_id.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "to_channel_id")),
        if_not_exists=True,
    )
    op.create_table(
        "stockout_risk",
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column("horizon_days", Int64, nullable=False, comment="7, 14 or 30."),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "probability",
            Float64,
            nullable=False,
            comment="Chance to run out within the horizon unless more is ordered, 0 to 1.",
        ),
        sa.Column("risk", LowCardinality(String), nullable=False, comment="high, medium or low."),
        sa.Column(
            "method",
            LowCardinality(String),
            nullable=False,
            comment="learned: from past stock; forecast: from the forecast. The better on newest weeks.",
        ),
        sa.Column(
            "learned_probability",
            Nullable(Float64),
            comment="By the classifier; null until enough history to learn from.",
        ),
        sa.Column(
            "forecast_probability", Nullable(Float64), comment="By the distribution of forecast demand."
        ),
        schema="analytics",
        comment="Chance of running out. Grain: channel_id, product_id, horizon_days.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "horizon_days")),
        if_not_exists=True,
    )
    op.create_table(
        "price_effects",
        sa.Column("category", String, nullable=False, comment="Category; all: every product."),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "elasticity",
            Float64,
            nullable=False,
            comment="Percent of units for one percent of price; usually negative.",
        ),
        sa.Column("elasticity_lo95", Float64, nullable=False, comment="Lower end of its 95 % interval."),
        sa.Column("elasticity_hi95", Float64, nullable=False, comment="Upper end."),
        sa.Column(
            "promo_lift",
            Float64,
            nullable=False,
            comment="Factor on units on promoted days at the same price; 1: none seen.",
        ),
        sa.Column("promo_lo95", Float64, nullable=False, comment="Lower end of its 95 % interval."),
        sa.Column("promo_hi95", Float64, nullable=False, comment="Upper end."),
        sa.Column("rows", Int64, nullable=False, comment="Days and SKUs it rests on."),
        sa.Column("items", Int64, nullable=False, comment="SKUs and channels it rests on."),
        sa.Column(
            "is_prior",
            Bool,
            nullable=False,
            comment="Too few price changes: the interval is mostly what is known of goods in general.",
        ),
        schema="analytics",
        comment="Effect of price and promotion on units. Grain: category.",
        clickhousedb_engine=MergeTree(order_by="category"),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table("price_effects", schema="analytics", clickhousedb_engine=MergeTree(order_by="category"))
    op.drop_table(
        "stockout_risk",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "horizon_days")),
    )
    op.drop_table(
        "transfer_suggestions",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "to_channel_id")),
    )
    op.drop_table(
        "replenishment",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
    )
    op.drop_table(
        "sku_classes",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
    )
