"""Create the tables analysts read.

One statement per operation, each re-runnable: ClickHouse has no transactions for DDL.

Revision 0001, revises .
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

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("channel_id", UInt64, nullable=False, comment="Key; the same id as in PostgreSQL."),
        sa.Column("name", LowCardinality(String), nullable=False, comment="Unique name, e.g. amazon-us."),
        sa.Column("platform", LowCardinality(String), nullable=False, comment="amazon, shopify or walmart."),
        sa.Column("account", LowCardinality(String), nullable=False, comment="Seller account."),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency the channel sells in.",
        ),
        sa.Column(
            "timezone", LowCardinality(String), nullable=False, comment="IANA time zone of its business day."
        ),
        sa.Column("is_active", Bool, nullable=False, comment="False: no longer synced."),
        sa.Column(
            "last_sync_at",
            Nullable(DateTime64(3, "UTC")),
            comment="Last committed sync of any resource: figures are as of then.",
        ),
        schema="analytics",
        comment="Places we sell. Grain: channel_id.",
        clickhousedb_engine=MergeTree(order_by="channel_id"),
        if_not_exists=True,
    )
    op.create_table(
        "customer_cohorts",
        sa.Column(
            "cohort_month", Date, nullable=False, comment="First day of the month of the first purchase."
        ),
        sa.Column(
            "customer_key",
            String,
            nullable=False,
            comment="Keyed pseudonym of a customer; no name, no address.",
        ),
        sa.Column(
            "first_purchase_date",
            Date,
            nullable=False,
            comment="Business day of the first order, on any channel and in any currency.",
        ),
        sa.Column(
            "total_orders",
            Int64,
            nullable=False,
            comment="Orders that are not wholly cancelled, in this currency.",
        ),
        sa.Column(
            "lifetime_value",
            Decimal(18, 4),
            nullable=False,
            comment="Sum of total_revenue of the customer's orders in this currency.",
        ),
        sa.Column(
            "currency", LowCardinality(String), nullable=False, comment="ISO 4217 currency of lifetime_value."
        ),
        schema="analytics",
        comment="Customers by month of first purchase. Grain: customer_key, currency. Marketplaces that hide their buyers (Amazon) give few or no keys.",
        clickhousedb_engine=MergeTree(order_by=("cohort_month", "customer_key", "currency")),
        if_not_exists=True,
    )
    op.create_table(
        "daily_sales_as_happened",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day of the event in the channel's time zone.",
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
            "total_revenue",
            Decimal(18, 4),
            nullable=False,
            comment="gross_revenue - discount_amount - refunded_net_amount: after discounts, before tax and shipping, cancelled and refunded items taken out. Gift cards, test and replacement orders are no revenue.",
        ),
        sa.Column(
            "gross_revenue",
            Decimal(18, 4),
            nullable=False,
            comment="Before discounts, tax and refunds; cancelled units taken out.",
        ),
        sa.Column(
            "discount_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Discounts on the units counted in total_units; positive.",
        ),
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
            "total_units",
            Int64,
            nullable=False,
            comment="Units sold: ordered less cancelled; refunded units still count here.",
        ),
        sa.Column("refunded_units", Int64, nullable=False, comment="Units refunded, out of total_units."),
        sa.Column(
            "avg_price",
            Nullable(Decimal(18, 4)),
            comment="(gross_revenue - discount_amount) / total_units; null without units.",
        ),
        sa.Column(
            "num_orders",
            Int64,
            nullable=False,
            comment="Orders that came to have a unit of the product on this day, less those that lost their last one.",
        ),
        schema="analytics",
        comment="The same measures booked on the day each sale, edit, refund or cancellation HAPPENED. Grain: date, channel_id, product_id, currency. Over all time it adds up to daily_sales_summary; values may be negative.",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "daily_sales_summary",
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
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column(
            "total_revenue",
            Decimal(18, 4),
            nullable=False,
            comment="gross_revenue - discount_amount - refunded_net_amount: after discounts, before tax and shipping, cancelled and refunded items taken out. Gift cards, test and replacement orders are no revenue.",
        ),
        sa.Column(
            "gross_revenue",
            Decimal(18, 4),
            nullable=False,
            comment="Before discounts, tax and refunds; cancelled units taken out.",
        ),
        sa.Column(
            "discount_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Discounts on the units counted in total_units; positive.",
        ),
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
            "total_units",
            Int64,
            nullable=False,
            comment="Units sold: ordered less cancelled; refunded units still count here.",
        ),
        sa.Column("refunded_units", Int64, nullable=False, comment="Units refunded, out of total_units."),
        sa.Column(
            "avg_price",
            Nullable(Decimal(18, 4)),
            comment="(gross_revenue - discount_amount) / total_units; null without units.",
        ),
        sa.Column(
            "num_orders",
            Int64,
            nullable=False,
            comment="Distinct orders with at least one unit of the product not cancelled. Do not add over products: an order with two products counts in both rows.",
        ),
        schema="analytics",
        comment="Sales by business day of the ORDER. Grain: date, channel_id, product_id, currency. Later cancellations, edits and refunds change the day of the order; restatements says which days moved.",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "forecast_accuracy",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="The day forecast, now past.",
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
            "model_type", LowCardinality(String), nullable=False, comment="prophet, lstm, arima, ensemble, …"
        ),
        sa.Column(
            "generated_at", DateTime64(3, "UTC"), nullable=False, comment="When the forecast was made."
        ),
        sa.Column(
            "horizon_days", Int64, nullable=False, comment="Days between making the forecast and the day."
        ),
        sa.Column("units", Int64, nullable=False, comment="Units sold."),
        sa.Column(
            "in_stock",
            Bool,
            nullable=False,
            comment="False: sales were capped by stock; leave the row out of accuracy.",
        ),
        sa.Column("predicted_units", Float64, nullable=False, comment="What was expected."),
        sa.Column("absolute_error", Float64, nullable=False, comment="abs(units - predicted_units)."),
        sa.Column("in_80", Bool, nullable=False, comment="units lay within the 80 % interval."),
        sa.Column("in_95", Bool, nullable=False, comment="units lay within the 95 % interval."),
        schema="analytics",
        comment="Forecasts against what was sold. Grain: date, channel_id, product_id, model_type, generated_at.",
        clickhousedb_engine=MergeTree(
            order_by=("model_type", "channel_id", "product_id", "date", "generated_at"),
            partition_by=sa.text("toYYYYMM(date)"),
        ),
        if_not_exists=True,
    )
    op.create_table(
        "forecasts",
        sa.Column("forecast_date", Date, nullable=False, comment="The day forecast."),
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
            "model_type",
            LowCardinality(String),
            nullable=False,
            comment="prophet, lstm, arima, ensemble, …; ensemble is the one to use.",
        ),
        sa.Column("predicted_units", Float64, nullable=False, comment="Expected (mean) units."),
        sa.Column("lower_80", Float64, nullable=False, comment="10 % quantile."),
        sa.Column("upper_80", Float64, nullable=False, comment="90 % quantile."),
        sa.Column("lower_95", Float64, nullable=False, comment="2.5 % quantile."),
        sa.Column("upper_95", Float64, nullable=False, comment="97.5 % quantile."),
        sa.Column(
            "generated_at", DateTime64(3, "UTC"), nullable=False, comment="When the forecast was made."
        ),
        schema="analytics",
        comment="Latest forecast of every series. Grain: forecast_date, channel_id, product_id, model_type.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "model_type", "forecast_date")),
        if_not_exists=True,
    )
    op.create_table(
        "inventory_daily",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day in the channel's time zone.",
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
            "closing_units",
            Int64,
            nullable=False,
            comment="Sellable units at the end of the day (now, for today); never below 0.",
        ),
        sa.Column(
            "in_stock", Bool, nullable=False, comment="Something was sellable at some time of the day."
        ),
        schema="analytics",
        comment="Stock by day since it was first observed. Grain: date, channel_id, product_id.",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "inventory_health",
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
            "quantity_available",
            Int64,
            nullable=False,
            comment="Sellable units now, all places; never below 0.",
        ),
        sa.Column("quantity_reserved", Int64, nullable=False, comment="Promised to orders."),
        sa.Column("quantity_inbound", Int64, nullable=False, comment="On the way."),
        sa.Column("reorder_point", Nullable(Int64), comment="Order when available falls to this."),
        sa.Column("units_sold_28d", Int64, nullable=False, comment="Units sold in the 28 days before today."),
        sa.Column(
            "days_in_stock_28d",
            Int64,
            nullable=False,
            comment="Of those days, the ones with something sellable.",
        ),
        sa.Column(
            "stockout_days_28d",
            Int64,
            nullable=False,
            comment="Of those days, the ones with nothing sellable.",
        ),
        sa.Column(
            "velocity",
            Nullable(Float64),
            comment="Units a day while in stock: units_sold_28d / days_in_stock_28d.",
        ),
        sa.Column(
            "days_of_cover",
            Nullable(Float64),
            comment="quantity_available / velocity; null when nothing sells.",
        ),
        sa.Column(
            "sell_through",
            Nullable(Float64),
            comment="units_sold_28d / (units_sold_28d + quantity_available), 0 to 1.",
        ),
        schema="analytics",
        comment="Stock against recent sales, now. Grain: channel_id, product_id.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
        if_not_exists=True,
    )
    op.create_table(
        "products",
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="Key; the same id as in PostgreSQL; 0 stands for lines without a product.",
        ),
        sa.Column("sku", String, nullable=False, comment="The merchant's SKU."),
        sa.Column("name", Nullable(String), comment="Name."),
        sa.Column("category", Nullable(String), comment="Category."),
        sa.Column("brand", Nullable(String), comment="Brand."),
        sa.Column("cost_price", Nullable(Decimal(18, 4)), comment="Unit cost; null where no source says."),
        sa.Column("is_stub", Bool, nullable=False, comment="True: sold or stocked, but in no catalogue yet."),
        sa.Column("created_at", DateTime64(3, "UTC"), nullable=False, comment="First seen."),
        sa.Column("updated_at", DateTime64(3, "UTC"), nullable=False, comment="Last change."),
        schema="analytics",
        comment="Products across channels. Grain: product_id.",
        clickhousedb_engine=MergeTree(order_by="product_id"),
        if_not_exists=True,
    )
    op.create_table(
        "restatements",
        sa.Column(
            "order_date",
            Date,
            nullable=False,
            comment="The business day that moved after it had been published.",
        ),
        sa.Column("channel_id", UInt64, nullable=False, comment="channels.channel_id."),
        sa.Column(
            "currency", LowCardinality(String), nullable=False, comment="ISO 4217 currency of revenue_delta."
        ),
        sa.Column(
            "kind",
            LowCardinality(String),
            nullable=False,
            comment="Why: sale (arrived late), edit, cancellation, refund, return.",
        ),
        sa.Column("orders", Int64, nullable=False, comment="Orders behind it."),
        sa.Column("units_delta", Int64, nullable=False, comment="Change of total_units."),
        sa.Column("revenue_delta", Decimal(18, 4), nullable=False, comment="Change of total_revenue."),
        sa.Column("recorded_at", DateTime64(3, "UTC"), nullable=False, comment="When we learned of it."),
        sa.Column("run_id", UInt64, nullable=False, comment="ops.runs.id in PostgreSQL; 0: unknown."),
        schema="analytics",
        comment="Which published past day moved, by how much and why. Grain: run_id, channel_id, order_date, currency, kind.",
        clickhousedb_engine=MergeTree(order_by=("order_date", "channel_id", "recorded_at")),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table(
        "restatements",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("order_date", "channel_id", "recorded_at")),
    )
    op.drop_table("products", schema="analytics", clickhousedb_engine=MergeTree(order_by="product_id"))
    op.drop_table(
        "inventory_health",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
    )
    op.drop_table(
        "inventory_daily",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "forecasts",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "model_type", "forecast_date")),
    )
    op.drop_table(
        "forecast_accuracy",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("model_type", "channel_id", "product_id", "date", "generated_at"),
            partition_by=sa.text("toYYYYMM(date)"),
        ),
    )
    op.drop_table(
        "daily_sales_summary",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "daily_sales_as_happened",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "customer_cohorts",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("cohort_month", "customer_key", "currency")),
    )
    op.drop_table("channels", schema="analytics", clickhousedb_engine=MergeTree(order_by="channel_id"))
