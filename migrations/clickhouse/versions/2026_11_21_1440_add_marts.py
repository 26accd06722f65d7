"""Add what analysts expect beside daily sales: money in one currency, fees and margin, orders by channel and region,
refunds by their day, products now, the funnel, and exchange rates.

One statement per operation, each re-runnable: ClickHouse has no transactions for DDL.

Revision 0002, revises 0001.
"""

# ruff: noqa: E501 (comments of columns are kept on one line)
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import (
    Date,
    Decimal,
    Float64,
    Int64,
    LowCardinality,
    Nullable,
    String,
    UInt64,
)
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "daily_channel_sales",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day of the order in the channel's time zone.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column("channel_id", UInt64, nullable=False, comment="channels.channel_id."),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "num_orders",
            Int64,
            nullable=False,
            comment="Distinct orders with a unit not cancelled; adds up over days and channels.",
        ),
        sa.Column(
            "orders_placed",
            Int64,
            nullable=False,
            comment="Every order placed, cancelled ones included, tests left out.",
        ),
        sa.Column(
            "orders_cancelled",
            Int64,
            nullable=False,
            comment="Of orders_placed: cancelled as a whole by now.",
        ),
        sa.Column(
            "units_ordered",
            Int64,
            nullable=False,
            comment="Units of orders_placed as ordered: before cancellations and refunds.",
        ),
        sa.Column(
            "units_cancelled",
            Int64,
            nullable=False,
            comment="Of units_ordered: those of orders cancelled as a whole.",
        ),
        sa.Column(
            "ordered_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Goods as ordered: before discounts, tax, shipping, cancellations.",
        ),
        sa.Column(
            "cancelled_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Of ordered_amount: orders cancelled as a whole.",
        ),
        sa.Column(
            "shipping_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Shipping charged on orders not cancelled.",
        ),
        sa.Column(
            "tax_amount", Decimal(18, 4), nullable=False, comment="Tax charged on orders not cancelled."
        ),
        sa.Column(
            "num_customers",
            Int64,
            nullable=False,
            comment="Distinct customers of num_orders where the channel tells; never add over days.",
        ),
        sa.Column("total_units", Int64, nullable=False, comment="As in daily_sales_summary."),
        sa.Column("gross_revenue", Decimal(18, 4), nullable=False, comment="As in daily_sales_summary."),
        sa.Column("discount_amount", Decimal(18, 4), nullable=False, comment="As in daily_sales_summary."),
        sa.Column("refunded_amount", Decimal(18, 4), nullable=False, comment="As in daily_sales_summary."),
        sa.Column("total_revenue", Decimal(18, 4), nullable=False, comment="As in daily_sales_summary."),
        sa.Column(
            "avg_order_value",
            Nullable(Decimal(18, 4)),
            nullable=True,
            comment="total_revenue / num_orders; null without orders.",
        ),
        schema="analytics",
        comment="Sales and orders of a channel by business day of the order. Grain: date, channel_id, currency. Use this, not daily_sales_summary, to count orders.",
        clickhousedb_engine=MergeTree(
            order_by=("channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "daily_fees",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day the channel booked the fee.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column(
            "fee_type", LowCardinality(String), nullable=False, comment="The channel's own name of the fee."
        ),
        sa.Column("currency", LowCardinality(String), nullable=False, comment="ISO 4217 currency of amount."),
        sa.Column(
            "amount", Decimal(18, 4), nullable=False, comment="Positive: a cost; negative: given back."
        ),
        sa.Column("num_fees", Int64, nullable=False, comment="Charges behind it."),
        schema="analytics",
        comment="What channels charge, by the day they booked it. Grain: date, channel_id, product_id, fee_type, currency. product_id 0: not for one product (storage, subscription).",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "fee_type", "currency"),
            partition_by=sa.text("toYYYYMM(date)"),
        ),
        if_not_exists=True,
    )
    op.create_table(
        "daily_funnel",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day the checkout was begun or the order placed.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column(
            "channel_id",
            UInt64,
            nullable=False,
            comment="channels.channel_id. Only channels that tell of checkouts.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "checkouts",
            Int64,
            nullable=False,
            comment="Checkouts left at least for a while, as the channel tells of them.",
        ),
        sa.Column("recovered_checkouts", Int64, nullable=False, comment="Of those: became an order later."),
        sa.Column("abandoned_checkouts", Int64, nullable=False, comment="Of those: no order so far."),
        sa.Column(
            "abandoned_amount",
            Decimal(18, 4),
            nullable=False,
            comment="What the abandoned ones would have cost.",
        ),
        sa.Column(
            "recovered_amount",
            Decimal(18, 4),
            nullable=False,
            comment="What the recovered ones would have cost.",
        ),
        sa.Column("num_orders", Int64, nullable=False, comment="Orders placed on the day, tests left out."),
        sa.Column(
            "completion_rate",
            Nullable(Float64),
            nullable=True,
            comment="num_orders / (num_orders + abandoned_checkouts), 0 to 1; null without either.",
        ),
        schema="analytics",
        comment="From checkout to order. Grain: date, channel_id, currency.",
        clickhousedb_engine=MergeTree(
            order_by=("channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "daily_margin",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day on which it happened.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "total_units",
            Int64,
            nullable=False,
            comment="Units sold, less cancelled, as in daily_sales_as_happened.",
        ),
        sa.Column(
            "net_sales",
            Decimal(18, 4),
            nullable=False,
            comment="gross_revenue - discount_amount of daily_sales_as_happened.",
        ),
        sa.Column(
            "refunded_net_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Revenue given back, as in daily_sales_as_happened.",
        ),
        sa.Column(
            "fees_amount",
            Decimal(18, 4),
            nullable=False,
            comment="daily_fees.amount of the day; positive: a cost.",
        ),
        sa.Column(
            "goods_cost",
            Nullable(Decimal(18, 4)),
            nullable=True,
            comment="total_units x products.cost_price, converted by the day's rate; null: unknown.",
        ),
        sa.Column(
            "contribution_margin",
            Nullable(Decimal(18, 4)),
            nullable=True,
            comment="net_sales - refunded_net_amount - fees_amount - goods_cost; null where goods_cost is.",
        ),
        sa.Column(
            "units_without_cost",
            Int64,
            nullable=False,
            comment="total_units where goods_cost is null, else 0.",
        ),
        schema="analytics",
        comment="Contribution margin as it happened. Grain: date, channel_id, product_id, currency. Goods that came back keep their cost; the cost is today's. Fees for no single product stand under product_id 0.",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "daily_refunds",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day of the REFUND in the channel's time zone.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column("refunded_units", Int64, nullable=False, comment="Units refunded."),
        sa.Column(
            "refunded_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Given back for items, tax included; positive.",
        ),
        sa.Column(
            "refunded_net_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Part of refunded_amount that undoes revenue (without tax).",
        ),
        sa.Column(
            "num_orders", Int64, nullable=False, comment="Distinct orders refunded; do not add over products."
        ),
        sa.Column(
            "avg_days_to_refund",
            Float64,
            nullable=False,
            comment="Days from order to refund, every order and product alike.",
        ),
        schema="analytics",
        comment="Refunds by the day they were given. Grain: date, channel_id, product_id, currency.",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "daily_region_sales",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day of the order in the channel's time zone.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column("channel_id", UInt64, nullable=False, comment="channels.channel_id."),
        sa.Column(
            "ship_country",
            LowCardinality(String),
            nullable=False,
            comment="ISO 3166 alpha-2; empty: not told.",
        ),
        sa.Column(
            "ship_region",
            LowCardinality(String),
            nullable=False,
            comment="State or province; empty: not told.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "num_orders",
            Int64,
            nullable=False,
            comment="Distinct orders with a unit not cancelled; adds up over regions.",
        ),
        sa.Column("total_units", Int64, nullable=False, comment="As in daily_sales_summary."),
        sa.Column("gross_revenue", Decimal(18, 4), nullable=False, comment="As in daily_sales_summary."),
        sa.Column("refunded_amount", Decimal(18, 4), nullable=False, comment="As in daily_sales_summary."),
        sa.Column("total_revenue", Decimal(18, 4), nullable=False, comment="As in daily_sales_summary."),
        schema="analytics",
        comment="Sales by where they were shipped and business day of the order. Grain: date, channel_id, ship_country, ship_region, currency.",
        clickhousedb_engine=MergeTree(
            order_by=("channel_id", "ship_country", "ship_region", "date", "currency"),
            partition_by=sa.text("toYYYYMM(date)"),
        ),
        if_not_exists=True,
    )
    op.create_table(
        "daily_sales_reporting",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day of the order in the channel's time zone.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column(
            "currency", LowCardinality(String), nullable=False, comment="ISO 4217 currency of the sale."
        ),
        sa.Column(
            "reporting_currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row (WHARF_CURRENCY).",
        ),
        sa.Column(
            "rate",
            Nullable(Decimal(24, 12)),
            nullable=True,
            comment="reporting_currency for one unit of currency; null: none is known, amounts are held.",
        ),
        sa.Column(
            "rate_date",
            Nullable(Date),
            nullable=True,
            comment="Day the rate was published for: the last one on or before `date`.",
        ),
        sa.Column(
            "total_revenue",
            Nullable(Decimal(18, 4)),
            nullable=True,
            comment="daily_sales_summary.total_revenue x rate; null without a rate.",
        ),
        sa.Column(
            "gross_revenue",
            Nullable(Decimal(18, 4)),
            nullable=True,
            comment="daily_sales_summary.gross_revenue x rate; null without a rate.",
        ),
        sa.Column(
            "refunded_amount",
            Nullable(Decimal(18, 4)),
            nullable=True,
            comment="daily_sales_summary.refunded_amount x rate; null without a rate.",
        ),
        sa.Column("total_units", Int64, nullable=False, comment="As in daily_sales_summary."),
        schema="analytics",
        comment="daily_sales_summary in one currency. Grain: date, channel_id, product_id, currency. A day without an exchange rate has null amounts and is never guessed; count them before adding up.",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "exchange_rates",
        sa.Column("date", Date, nullable=False, comment="Calendar day.", clickhousedb_codec="Delta, ZSTD(1)"),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency the rate starts from.",
        ),
        sa.Column(
            "reporting_currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency the rate leads to.",
        ),
        sa.Column(
            "rate",
            Nullable(Decimal(24, 12)),
            nullable=True,
            comment="reporting_currency for one unit of currency; null: held, none published lately.",
        ),
        sa.Column(
            "rate_date",
            Nullable(Date),
            nullable=True,
            comment="Day the rate was published for: weekends take the last one before.",
        ),
        schema="analytics",
        comment="The rate in force on each day and currency with sales, fees or costs. Grain: date, currency.",
        clickhousedb_engine=MergeTree(order_by=("currency", "date")),
        if_not_exists=True,
    )
    op.create_table(
        "product_performance",
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "as_of", Date, nullable=False, comment="Last whole business day counted: channels.complete_until."
        ),
        sa.Column("first_sale_date", Date, nullable=False, comment="First order day with a unit."),
        sa.Column("last_sale_date", Date, nullable=False, comment="Last order day with a unit."),
        sa.Column("units_7d", Int64, nullable=False, comment="Units in the 7 days up to as_of."),
        sa.Column("units_28d", Int64, nullable=False, comment="Units in the 28 days up to as_of."),
        sa.Column("units_prev_28d", Int64, nullable=False, comment="Units in the 28 days before those."),
        sa.Column("units_90d", Int64, nullable=False, comment="Units in the 90 days up to as_of."),
        sa.Column("units_365d", Int64, nullable=False, comment="Units in the 365 days up to as_of."),
        sa.Column(
            "revenue_28d", Decimal(18, 4), nullable=False, comment="total_revenue in the 28 days up to as_of."
        ),
        sa.Column(
            "revenue_prev_28d",
            Decimal(18, 4),
            nullable=False,
            comment="total_revenue in the 28 days before those.",
        ),
        sa.Column(
            "revenue_90d", Decimal(18, 4), nullable=False, comment="total_revenue in the 90 days up to as_of."
        ),
        sa.Column(
            "revenue_365d",
            Decimal(18, 4),
            nullable=False,
            comment="total_revenue in the 365 days up to as_of.",
        ),
        sa.Column(
            "velocity_28d",
            Float64,
            nullable=False,
            comment="units_28d / 28, out-of-stock days counted; see inventory_health.velocity.",
        ),
        sa.Column(
            "units_growth_28d",
            Nullable(Float64),
            nullable=True,
            comment="units_28d / units_prev_28d - 1; null when nothing sold before.",
        ),
        sa.Column(
            "refund_rate_90d",
            Nullable(Float64),
            nullable=True,
            comment="Refunded units / units of the 90 days; null without units.",
        ),
        sa.Column(
            "revenue_rank_28d",
            Int64,
            nullable=False,
            comment="1: most revenue_28d on the channel in this currency.",
        ),
        sa.Column(
            "revenue_share_365d",
            Nullable(Float64),
            nullable=True,
            comment="Share of the channel's revenue_365d in this currency, 0 to 1.",
        ),
        sa.Column(
            "abc_class",
            Nullable(String),
            nullable=True,
            comment="A: the products that make 80 % of revenue_365d, B: the next 15 %, C: the rest.",
        ),
        schema="analytics",
        comment="How each product sells on each channel, now. Grain: product_id, channel_id, currency.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "currency")),
        if_not_exists=True,
    )
    op.add_column(
        "channels",
        sa.Column(
            "complete_until",
            Nullable(Date),
            nullable=True,
            comment="Last business day whose orders were read to its end.",
        ),
        schema="analytics",
    )
    op.add_column(
        "products",
        sa.Column(
            "cost_currency", Nullable(String), nullable=True, comment="ISO 4217 currency of cost_price."
        ),
        schema="analytics",
    )


def downgrade() -> None:
    op.drop_column("products", "cost_currency", schema="analytics")
    op.drop_column("channels", "complete_until", schema="analytics")
    op.drop_table(
        "product_performance",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "currency")),
    )
    op.drop_table(
        "exchange_rates", schema="analytics", clickhousedb_engine=MergeTree(order_by=("currency", "date"))
    )
    op.drop_table(
        "daily_sales_reporting",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "daily_region_sales",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("channel_id", "ship_country", "ship_region", "date", "currency"),
            partition_by=sa.text("toYYYYMM(date)"),
        ),
    )
    op.drop_table(
        "daily_refunds",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "daily_margin",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "daily_funnel",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "daily_fees",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "fee_type", "currency"),
            partition_by=sa.text("toYYYYMM(date)"),
        ),
    )
    op.drop_table(
        "daily_channel_sales",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
