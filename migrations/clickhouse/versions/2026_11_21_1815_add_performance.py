"""Add performance of regions and products, conversion, open carts, orders for a season, and places of a channel.

One statement per operation, each re-runnable: ClickHouse has no transactions for DDL.

Revision 0006, revises 0005.
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

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "warehouse_allocation",
        sa.Column(
            "channel_id", UInt64, nullable=False, comment="channels.channel_id; the same id as in PostgreSQL."
        ),
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; the same id as in PostgreSQL; 0: a line without one.",
        ),
        sa.Column("warehouse_location", String, nullable=False, comment="The channel's place, e.g. FBA."),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column("available", Int64, nullable=False, comment="Sellable there now."),
        sa.Column(
            "left_daily",
            Float64,
            nullable=False,
            comment="Units that left it a day in 91 days, while something was there.",
        ),
        sa.Column(
            "demand_share",
            Float64,
            nullable=False,
            comment="Its part of the channel's demand by what left it, 0 to 1.",
        ),
        sa.Column(
            "order_units",
            Int64,
            nullable=False,
            comment="Of replenishment.order_quantity: what shall go there.",
        ),
        sa.Column(
            "moved_in",
            Int64,
            nullable=False,
            comment="Units that shall come from another place of the channel; below 0: go there.",
        ),
        sa.Column(
            "days_of_cover",
            Nullable(Float64),
            comment="available / its part of the forecast; null where nothing sells.",
        ),
        schema="analytics",
        comment="How an order is spread over a channel's places, and what to move between them; only where there are several. Grain: channel_id, product_id, warehouse_location.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "warehouse_location")),
        if_not_exists=True,
    )
    op.create_table(
        "season_orders",
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
        sa.Column("until", Date, nullable=False, comment="Last day of the season asked for."),
        sa.Column("expected_units", Float64, nullable=False, comment="Mean of what will sell until then."),
        sa.Column(
            "service_level",
            Float64,
            nullable=False,
            comment="Critical ratio: (price - cost) / (price - salvage).",
        ),
        sa.Column(
            "season_units",
            Int64,
            nullable=False,
            comment="Units to have for the season: the ratio's quantile of demand.",
        ),
        sa.Column(
            "order_units", Int64, nullable=False, comment="season_units less what is there and coming."
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column("unit_price", Decimal(18, 4), nullable=False, comment="Asked now."),
        sa.Column("unit_cost", Decimal(18, 4), nullable=False, comment="What a unit costs."),
        sa.Column(
            "expected_profit",
            Decimal(18, 4),
            nullable=False,
            comment="Of the season with season_units, what is left over sold at salvage.",
        ),
        schema="analytics",
        comment="One order for a season that cannot be repeated (newsvendor): the newest answer of the deployment season-order. Grain: channel_id, product_id.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
        if_not_exists=True,
    )
    op.create_table(
        "checkout_conversion",
        sa.Column("channel_id", UInt64, nullable=False, comment="channels.channel_id."),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column("hour", Int64, nullable=False, comment="0 to 23, in the channel's time zone."),
        sa.Column(
            "segment",
            LowCardinality(String),
            nullable=False,
            comment="customer_value.segment of who ordered or left; empty: not known.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "orders", Int64, nullable=False, comment="Orders of 91 days that are not wholly cancelled."
        ),
        sa.Column(
            "left_checkouts",
            Int64,
            nullable=False,
            comment="Checkouts of 91 days that were left and not bought after all.",
        ),
        sa.Column(
            "recovered",
            Int64,
            nullable=False,
            comment="Of the orders, those whose checkout had been left before.",
        ),
        sa.Column(
            "conversion", Float64, nullable=False, comment="orders / (orders + left_checkouts), 0 to 1."
        ),
        sa.Column(
            "amount_left", Decimal(18, 4), nullable=False, comment="What the left checkouts would have cost."
        ),
        schema="analytics",
        comment="How many checkouts end in an order, by hour and segment. Grain: channel_id, currency, hour, segment. Only channels that tell of checkouts (Shopify).",
        clickhousedb_engine=MergeTree(order_by=("channel_id", "currency", "hour", "segment")),
        if_not_exists=True,
    )
    op.create_table(
        "open_carts",
        sa.Column(
            "product_id", UInt64, nullable=False, comment="products.product_id; 0: no product has the SKU."
        ),
        sa.Column("sku", String, nullable=False, comment="SKU as the shop sent it."),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row; empty: the shop did not say.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "sessions",
            Int64,
            nullable=False,
            comment="Visits with it in the cart, no purchase, and a step within the last day.",
        ),
        sa.Column("units", Int64, nullable=False, comment="Units in those carts."),
        sa.Column("amount", Decimal(18, 4), nullable=False, comment="Their price."),
        sa.Column(
            "likelihood",
            Nullable(Float64),
            comment="Mean chance of a purchase within a day, 0 to 1; null: too few past visits.",
        ),
        sa.Column(
            "expected_amount",
            Nullable(Decimal(18, 4)),
            comment="What is expected to be bought without a reminder; null as likelihood.",
        ),
        sa.Column(
            "at_stake",
            Nullable(Decimal(18, 4)),
            comment="amount - expected_amount: what a reminder could still win.",
        ),
        schema="analytics",
        comment="What lies in the own shop's carts now and how likely it is bought. Grain: sku, currency.",
        clickhousedb_engine=MergeTree(order_by=("sku", "currency")),
        if_not_exists=True,
    )
    op.create_table(
        "region_performance",
        sa.Column("channel_id", UInt64, nullable=False, comment="channels.channel_id."),
        sa.Column(
            "ship_country",
            LowCardinality(String),
            nullable=False,
            comment="ISO 3166 alpha-2; empty: not known.",
        ),
        sa.Column("ship_region", String, nullable=False, comment="State or province; empty: not known."),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column("num_orders", Int64, nullable=False, comment="Orders of 91 days."),
        sa.Column("total_units", Int64, nullable=False, comment="Their units."),
        sa.Column(
            "total_revenue", Decimal(18, 4), nullable=False, comment="Their revenue, refunds taken out."
        ),
        sa.Column(
            "revenue_share",
            Float64,
            nullable=False,
            comment="Of the channel's revenue in this currency, 0 to 1.",
        ),
        sa.Column("avg_order", Nullable(Decimal(18, 4)), comment="total_revenue / num_orders."),
        sa.Column("refund_rate", Nullable(Float64), comment="Refunded share of gross revenue, 0 to 1."),
        sa.Column(
            "revenue_prev_91d", Decimal(18, 4), nullable=False, comment="Revenue of the 91 days before."
        ),
        sa.Column(
            "growth",
            Nullable(Float64),
            comment="total_revenue / revenue_prev_91d - 1; null without a sale then.",
        ),
        sa.Column(
            "growth_beside_channel",
            Nullable(Float64),
            comment="growth less that of the whole channel: what is the region's own.",
        ),
        schema="analytics",
        comment="Sales by place against the 91 days before. Grain: channel_id, ship_country, ship_region, currency.",
        clickhousedb_engine=MergeTree(order_by=("channel_id", "ship_country", "ship_region", "currency")),
        if_not_exists=True,
    )
    op.create_table(
        "profitability",
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
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column("total_units", Int64, nullable=False, comment="Units of 365 days, as things happened."),
        sa.Column(
            "net_sales",
            Decimal(18, 4),
            nullable=False,
            comment="After discounts, before tax, shipping and refunds.",
        ),
        sa.Column("refunded", Decimal(18, 4), nullable=False, comment="Net revenue given back."),
        sa.Column(
            "fees", Decimal(18, 4), nullable=False, comment="What the channel charged, booked on the product."
        ),
        sa.Column(
            "fee_share",
            Decimal(18, 4),
            nullable=False,
            comment="Its part, by net_sales, of fees the channel booked on no product.",
        ),
        sa.Column(
            "shipping_paid",
            Decimal(18, 4),
            nullable=False,
            comment="Its part, by net_sales, of the shipping buyers paid. Not in contribution.",
        ),
        sa.Column(
            "goods_cost", Nullable(Decimal(18, 4)), comment="Units at cost; null where a cost is unknown."
        ),
        sa.Column(
            "contribution",
            Nullable(Decimal(18, 4)),
            comment="net_sales - refunded - fees - fee_share - goods_cost.",
        ),
        sa.Column("contribution_rate", Nullable(Float64), comment="contribution / (net_sales - refunded)."),
        sa.Column("is_loss", Nullable(Bool), comment="contribution below 0."),
        schema="analytics",
        comment="What each product earns on each channel after fees, refunds and cost of goods. Grain: channel_id, product_id, currency.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "currency")),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table(
        "profitability",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "currency")),
    )
    op.drop_table(
        "region_performance",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("channel_id", "ship_country", "ship_region", "currency")),
    )
    op.drop_table(
        "open_carts", schema="analytics", clickhousedb_engine=MergeTree(order_by=("sku", "currency"))
    )
    op.drop_table(
        "checkout_conversion",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("channel_id", "currency", "hour", "segment")),
    )
    op.drop_table(
        "season_orders",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id")),
    )
    op.drop_table(
        "warehouse_allocation",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("product_id", "channel_id", "warehouse_location")),
    )
