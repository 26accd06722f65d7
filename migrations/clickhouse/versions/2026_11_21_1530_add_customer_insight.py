"""Add what is known of customers: value, retention, baskets, carts, feedback.

One statement per operation, each re-runnable: ClickHouse has no transactions for DDL.

Revision 0004, revises 0003.
"""

# ruff: noqa: E501 (comments of columns are kept on one line)
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import (
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

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "customer_value",
        sa.Column(
            "customer_key",
            String,
            nullable=False,
            comment="Keyed pseudonym of a customer; no name, no address.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "first_date", Date, nullable=False, comment="Business day of the first order in this currency."
        ),
        sa.Column("last_date", Date, nullable=False, comment="Business day of the last one."),
        sa.Column("orders", Int64, nullable=False, comment="Orders that are not wholly cancelled."),
        sa.Column(
            "revenue",
            Decimal(18, 4),
            nullable=False,
            comment="Sum of their total_revenue: refunds taken out.",
        ),
        sa.Column("recency_days", Int64, nullable=False, comment="Days since last_date."),
        sa.Column(
            "r_score",
            Int64,
            nullable=False,
            comment="1 to 5, the fifth of all customers by recency; 5: bought last.",
        ),
        sa.Column("f_score", Int64, nullable=False, comment="1 to 5 by orders; 5: most."),
        sa.Column("m_score", Int64, nullable=False, comment="1 to 5 by revenue; 5: most."),
        sa.Column(
            "segment",
            LowCardinality(Nullable(String)),
            nullable=True,
            comment="VIP, loyal, active, at risk or lost; null under 20 customers.",
        ),
        sa.Column(
            "alive",
            Nullable(Float64),
            nullable=True,
            comment="Chance of being a customer still, 0 to 1 (BG/NBD); null under 50 repeat customers.",
        ),
        sa.Column(
            "buys_30d",
            Nullable(Float64),
            nullable=True,
            comment="Chance of an order within 30 days, 0 to 1; null as alive.",
        ),
        sa.Column(
            "expected_orders",
            Nullable(Float64),
            nullable=True,
            comment="Days with an order expected in the next 365; null as alive.",
        ),
        sa.Column(
            "expected_value",
            Nullable(Decimal(18, 4)),
            nullable=True,
            comment="Revenue expected of the next 365 days (Gamma-Gamma); null as alive.",
        ),
        schema="analytics",
        comment="What each customer bought and will still buy. Grain: customer_key, currency. Replaced whole. Marketplaces that hide their buyers (Amazon) give few or no keys.",
        clickhousedb_engine=MergeTree(order_by=("customer_key", "currency")),
        if_not_exists=True,
    )
    op.create_table(
        "cohort_retention",
        sa.Column(
            "cohort_month",
            Date,
            nullable=False,
            comment="First day of the month of the first order in this currency.",
        ),
        sa.Column(
            "months_since",
            Int64,
            nullable=False,
            comment="0: the month of the first order; the newest month is not over yet.",
        ),
        sa.Column(
            "currency",
            LowCardinality(String),
            nullable=False,
            comment="ISO 4217 currency of every amount in the row.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "customers", Int64, nullable=False, comment="Customers of the cohort; the same in all its rows."
        ),
        sa.Column("active", Int64, nullable=False, comment="Of them, those with an order in this month."),
        sa.Column("orders", Int64, nullable=False, comment="Their orders in it."),
        sa.Column("revenue", Decimal(18, 4), nullable=False, comment="Total_revenue of those orders."),
        schema="analytics",
        comment="How many come back. Grain: cohort_month, months_since, currency. Months without any are there.",
        clickhousedb_engine=MergeTree(order_by=("currency", "cohort_month", "months_since")),
        if_not_exists=True,
    )
    op.create_table(
        "bought_together",
        sa.Column(
            "product_id", UInt64, nullable=False, comment="products.product_id of what is in the basket."
        ),
        sa.Column(
            "other_product_id", UInt64, nullable=False, comment="products.product_id of what goes with it."
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "rank",
            Int64,
            nullable=False,
            comment="1: the other product that goes best with it, by confidence.",
        ),
        sa.Column("orders_both", Int64, nullable=False, comment="Orders with both, 365 days, all channels."),
        sa.Column("orders_product", Int64, nullable=False, comment="Orders with product_id."),
        sa.Column("orders_other", Int64, nullable=False, comment="Orders with other_product_id."),
        sa.Column("support", Float64, nullable=False, comment="orders_both / all orders."),
        sa.Column(
            "confidence",
            Float64,
            nullable=False,
            comment="orders_both / orders_product: share that takes the other along.",
        ),
        sa.Column(
            "lift",
            Float64,
            nullable=False,
            comment="confidence / share of all orders with the other; 1: no more than chance.",
        ),
        schema="analytics",
        comment="Products bought in one order more than chance would. Grain: product_id, other_product_id.",
        clickhousedb_engine=MergeTree(order_by=("product_id", "rank")),
        if_not_exists=True,
    )
    op.create_table(
        "daily_cart_events",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Day of the event, in WHARF_TIMEZONE.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column("hour", Int64, nullable=False, comment="0 to 23, in WHARF_TIMEZONE."),
        sa.Column(
            "product_id", UInt64, nullable=False, comment="products.product_id; 0: no product has the SKU."
        ),
        sa.Column("sku", String, nullable=False, comment="SKU as the shop sent it."),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "views",
            Int64,
            nullable=False,
            comment="Sessions that looked at it; do not add sessions over hours or products.",
        ),
        sa.Column("adds", Int64, nullable=False, comment="Sessions that put it into the cart."),
        sa.Column("removes", Int64, nullable=False, comment="Sessions that took it out again."),
        sa.Column("checkouts", Int64, nullable=False, comment="Sessions that began to check it out."),
        sa.Column("purchases", Int64, nullable=False, comment="Sessions that bought it."),
        sa.Column("units_added", Int64, nullable=False, comment="Units put into carts."),
        sa.Column("units_purchased", Int64, nullable=False, comment="Units bought."),
        sa.Column(
            "abandoned",
            Int64,
            nullable=False,
            comment="Of adds: sessions that did not buy it within 24 hours after; known a day later.",
        ),
        schema="analytics",
        comment="The own shop's funnel by product and hour. Grain: date, hour, sku.",
        clickhousedb_engine=MergeTree(
            order_by=("sku", "date", "hour"), partition_by=sa.text("toYYYYMM(date)")
        ),
        if_not_exists=True,
    )
    op.create_table(
        "cart_abandonment",
        sa.Column(
            "date",
            Date,
            nullable=False,
            comment="Business day the checkout was begun.",
            clickhousedb_codec="Delta, ZSTD(1)",
        ),
        sa.Column("hour", Int64, nullable=False, comment="0 to 23, in the channel's time zone."),
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
            "price_band",
            LowCardinality(String),
            nullable=False,
            comment="Price of a unit: 0-10, 10-25, 25-50, 50-100, 100-250, 250+.",
        ),
        sa.Column(
            "segment",
            LowCardinality(String),
            nullable=False,
            comment="customer_value.segment of whose cart it is; empty: not known.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "carts",
            Int64,
            nullable=False,
            comment="Checkouts left with the product in them; a cart counts once per product.",
        ),
        sa.Column("recovered", Int64, nullable=False, comment="Of them, those bought after all."),
        sa.Column("units_left", Int64, nullable=False, comment="Units in carts not bought."),
        sa.Column("amount_left", Decimal(18, 4), nullable=False, comment="What those units would have cost."),
        sa.Column(
            "recoverable_amount",
            Decimal(18, 4),
            nullable=False,
            comment="Part of amount_left a reminder can still reach: left within 30 days by a known customer without an order since.",
        ),
        schema="analytics",
        comment="Checkouts that were left, by product, hour, price and segment. Grain: date, hour, channel_id, product_id, currency, price_band, segment. Only channels that tell of checkouts (Shopify).",
        clickhousedb_engine=MergeTree(order_by=("channel_id", "product_id", "date", "hour")),
        if_not_exists=True,
    )
    op.create_table(
        "product_feedback",
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; 0: no product has the SKU, or it names none.",
        ),
        sa.Column("sku", String, nullable=False, comment="SKU the feedback names; empty: none."),
        sa.Column("month", Date, nullable=False, comment="First day of the month it was written in."),
        sa.Column(
            "topic",
            LowCardinality(String),
            nullable=False,
            comment="What it speaks of; all: every feedback; one may have several topics.",
        ),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column(
            "feedback",
            Int64,
            nullable=False,
            comment="Ratings and texts; with a topic: texts that speak of it.",
        ),
        sa.Column("rated", Int64, nullable=False, comment="Of them, with a rating."),
        sa.Column("mean_rating", Nullable(Float64), nullable=True, comment="1 to 5; null without any."),
        sa.Column("negative", Int64, nullable=False, comment="1 or 2 stars, or read as negative."),
        sa.Column("neutral", Int64, nullable=False, comment="3 stars, or read as neutral."),
        sa.Column("positive", Int64, nullable=False, comment="4 or 5 stars, or read as positive."),
        schema="analytics",
        comment="What buyers say, by product, month and topic. Grain: sku, month, topic. Read topic = 'all' for totals.",
        clickhousedb_engine=MergeTree(order_by=("sku", "month", "topic")),
        if_not_exists=True,
    )
    op.create_table(
        "improvement_suggestions",
        sa.Column(
            "product_id",
            UInt64,
            nullable=False,
            comment="products.product_id; 0: no product has the SKU, or it names none.",
        ),
        sa.Column("sku", String, nullable=False, comment="SKU the feedback names; empty: about the seller."),
        sa.Column("topic", LowCardinality(String), nullable=False, comment="What is complained of."),
        sa.Column("as_of", DateTime64(3, "UTC"), nullable=False, comment="When this was computed."),
        sa.Column("complaints", Int64, nullable=False, comment="Negative texts about it."),
        sa.Column("share", Float64, nullable=False, comment="complaints / texts about the SKU, 0 to 1."),
        sa.Column("advice", String, nullable=False, comment="What to do."),
        sa.Column(
            "quotes",
            String,
            nullable=False,
            comment="Newest complaints, word for word, shortened, one a line; addresses and numbers removed.",
        ),
        schema="analytics",
        comment="What to improve, with the words it was read from. Grain: sku, topic.",
        clickhousedb_engine=MergeTree(order_by=("sku", "topic")),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table(
        "improvement_suggestions",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("sku", "topic")),
    )
    op.drop_table(
        "product_feedback",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("sku", "month", "topic")),
    )
    op.drop_table(
        "cart_abandonment",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("channel_id", "product_id", "date", "hour")),
    )
    op.drop_table(
        "daily_cart_events",
        schema="analytics",
        clickhousedb_engine=MergeTree(
            order_by=("sku", "date", "hour"), partition_by=sa.text("toYYYYMM(date)")
        ),
    )
    op.drop_table(
        "bought_together", schema="analytics", clickhousedb_engine=MergeTree(order_by=("product_id", "rank"))
    )
    op.drop_table(
        "cohort_retention",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("currency", "cohort_month", "months_since")),
    )
    op.drop_table(
        "customer_value",
        schema="analytics",
        clickhousedb_engine=MergeTree(order_by=("customer_key", "currency")),
    )
