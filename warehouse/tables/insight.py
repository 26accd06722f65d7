"""ClickHouse, database `analytics`: who buys, what goes together, where carts are left, what buyers say.

Methods and sources: docs/customers.md.
"""

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import Date, Float64, Int64, String, UInt64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree
from sqlalchemy import Table, text

from warehouse.tables.analytics import code, column, instant, keys, metadata, money, optional

_PRICE_BAND = "Price of a unit: 0-10, 10-25, 25-50, 50-100, 100-250, 250+."
_CURRENCY = "ISO 4217 currency of every amount in the row."
_AS_OF = "When this was computed."

customer_value = Table(
    "customer_value",
    metadata,
    column("customer_key", String, "Keyed pseudonym of a customer; no name, no address."),
    column("currency", code(), _CURRENCY),
    column("as_of", instant(), _AS_OF),
    column("first_date", Date, "Business day of the first order in this currency."),
    column("last_date", Date, "Business day of the last one."),
    column("orders", Int64, "Orders that are not wholly cancelled."),
    column("revenue", money(), "Sum of their total_revenue: refunds taken out."),
    column("recency_days", Int64, "Days since last_date."),
    column("r_score", Int64, "1 to 5, the fifth of all customers by recency; 5: bought last."),
    column("f_score", Int64, "1 to 5 by orders; 5: most."),
    column("m_score", Int64, "1 to 5 by revenue; 5: most."),
    optional("segment", code(), "VIP, loyal, active, at risk or lost; null under 20 customers."),
    optional(
        "alive", Float64, "Chance of being a customer still, 0 to 1 (BG/NBD); null under 50 repeat customers."
    ),
    optional("buys_30d", Float64, "Chance of an order within 30 days, 0 to 1; null as alive."),
    optional("expected_orders", Float64, "Days with an order expected in the next 365; null as alive."),
    optional(
        "likely_orders", Float64, "The median instead: for one customer; do not add it up. Null as alive."
    ),
    optional(
        "expected_value", money(), "Revenue expected of the next 365 days (Gamma-Gamma); null as alive."
    ),
    MergeTree(order_by=("customer_key", "currency")),
    comment="What each customer bought and will still buy. Grain: customer_key, currency. Replaced whole. "
    "Marketplaces that hide their buyers (Amazon) give few or no keys.",
)

cohort_retention = Table(
    "cohort_retention",
    metadata,
    column("cohort_month", Date, "First day of the month of the first order in this currency."),
    column("months_since", Int64, "0: the month of the first order; the newest month is not over yet."),
    column("currency", code(), _CURRENCY),
    column("as_of", instant(), _AS_OF),
    column("customers", Int64, "Customers of the cohort; the same in all its rows."),
    column("active", Int64, "Of them, those with an order in this month."),
    column("orders", Int64, "Their orders in it."),
    column("revenue", money(), "Total_revenue of those orders."),
    MergeTree(order_by=("currency", "cohort_month", "months_since")),
    comment="How many come back. Grain: cohort_month, months_since, currency. Months without any are there.",
)

bought_together = Table(
    "bought_together",
    metadata,
    column("product_id", UInt64, "products.product_id of what is in the basket."),
    column("other_product_id", UInt64, "products.product_id of what goes with it."),
    column("as_of", instant(), _AS_OF),
    column("rank", Int64, "1: the other product that goes best with it, by confidence."),
    column("orders_both", Int64, "Orders with both, 365 days, all channels."),
    column("orders_product", Int64, "Orders with product_id."),
    column("orders_other", Int64, "Orders with other_product_id."),
    column("support", Float64, "orders_both / all orders."),
    column("confidence", Float64, "orders_both / orders_product: share that takes the other along."),
    column("lift", Float64, "confidence / share of all orders with the other; 1: no more than chance."),
    MergeTree(order_by=("product_id", "rank")),
    comment="Products bought in one order more than chance would. Grain: product_id, other_product_id.",
)

daily_cart_events = Table(
    "daily_cart_events",
    metadata,
    column("date", Date, "Day of the event, in WHARF_TIMEZONE.", clickhousedb_codec="Delta, ZSTD(1)"),
    column("hour", Int64, "0 to 23, in WHARF_TIMEZONE."),
    column("product_id", UInt64, "products.product_id; 0: no product has the SKU."),
    column("sku", String, "SKU as the shop sent it."),
    column("price_band", code(), _PRICE_BAND + " By the mean of the hour; empty: not told."),
    column("as_of", instant(), _AS_OF),
    column("views", Int64, "Sessions that looked at it; do not add sessions over hours or products."),
    column("adds", Int64, "Sessions that put it into the cart."),
    column("removes", Int64, "Sessions that took it out again."),
    column("checkouts", Int64, "Sessions that began to check it out."),
    column("purchases", Int64, "Sessions that bought it."),
    column("units_added", Int64, "Units put into carts."),
    column("units_purchased", Int64, "Units bought."),
    column(
        "abandoned", Int64, "Of adds: sessions that did not buy it within 24 hours after; known a day later."
    ),
    MergeTree(order_by=("sku", "date", "hour"), partition_by=text("toYYYYMM(date)")),
    comment="The own shop's funnel by product and hour. Grain: date, hour, sku.",
)

cart_abandonment = Table(
    "cart_abandonment",
    metadata,
    column("date", Date, "Business day the checkout was begun.", clickhousedb_codec="Delta, ZSTD(1)"),
    column("hour", Int64, "0 to 23, in the channel's time zone."),
    *keys(),
    column("currency", code(), _CURRENCY),
    column("price_band", code(), _PRICE_BAND),
    column("segment", code(), "customer_value.segment of whose cart it is; empty: not known."),
    column("as_of", instant(), _AS_OF),
    column("carts", Int64, "Checkouts left with the product in them; a cart counts once per product."),
    column("recovered", Int64, "Of them, those bought after all."),
    column("units_left", Int64, "Units in carts not bought."),
    column("amount_left", money(), "What those units would have cost."),
    column(
        "recoverable_amount",
        money(),
        "Part of amount_left a reminder can still reach: left within 30 days by a known customer without an "
        "order since.",
    ),
    MergeTree(order_by=("channel_id", "product_id", "date", "hour")),
    comment="Checkouts that were left, by product, hour, price and segment. Grain: date, hour, channel_id, "
    "product_id, currency, price_band, segment. Only channels that tell of checkouts (Shopify).",
)

checkout_conversion = Table(
    "checkout_conversion",
    metadata,
    column("channel_id", UInt64, "channels.channel_id."),
    column("currency", code(), _CURRENCY),
    column("hour", Int64, "0 to 23, in the channel's time zone."),
    column("segment", code(), "customer_value.segment of who ordered or left; empty: not known."),
    column("as_of", instant(), _AS_OF),
    column("orders", Int64, "Orders of 91 days that are not wholly cancelled."),
    column("left_checkouts", Int64, "Checkouts of 91 days that were left and not bought after all."),
    column("recovered", Int64, "Of the orders, those whose checkout had been left before."),
    column("conversion", Float64, "orders / (orders + left_checkouts), 0 to 1."),
    column("amount_left", money(), "What the left checkouts would have cost."),
    MergeTree(order_by=("channel_id", "currency", "hour", "segment")),
    comment="How many checkouts end in an order, by hour and segment. Grain: channel_id, currency, hour, segment. "
    "Only channels that tell of checkouts (Shopify).",
)

open_carts = Table(
    "open_carts",
    metadata,
    column("product_id", UInt64, "products.product_id; 0: no product has the SKU."),
    column("sku", String, "SKU as the shop sent it."),
    column("currency", code(), "ISO 4217 currency of every amount in the row; empty: the shop did not say."),
    column("as_of", instant(), _AS_OF),
    column("sessions", Int64, "Visits with it in the cart, no purchase, and a step within the last day."),
    column("units", Int64, "Units in those carts."),
    column("amount", money(), "Their price."),
    optional(
        "likelihood", Float64, "Mean chance of a purchase within a day, 0 to 1; null: too few past visits."
    ),
    optional(
        "expected_amount", money(), "What is expected to be bought without a reminder; null as likelihood."
    ),
    optional("at_stake", money(), "amount - expected_amount: what a reminder could still win."),
    MergeTree(order_by=("sku", "currency")),
    comment="What lies in the own shop's carts now and how likely it is bought. Grain: sku, currency.",
)

product_feedback = Table(
    "product_feedback",
    metadata,
    column("product_id", UInt64, "products.product_id; 0: no product has the SKU, or it names none."),
    column("sku", String, "SKU the feedback names; empty: none."),
    column("month", Date, "First day of the month it was written in."),
    column("topic", code(), "What it speaks of; all: every feedback; one may have several topics."),
    column("as_of", instant(), _AS_OF),
    column("feedback", Int64, "Ratings and texts; with a topic: texts that speak of it."),
    column("rated", Int64, "Of them, with a rating."),
    optional("mean_rating", Float64, "1 to 5; null without any."),
    column("negative", Int64, "1 or 2 stars, or read as negative."),
    column("neutral", Int64, "3 stars, or read as neutral."),
    column("positive", Int64, "4 or 5 stars, or read as positive."),
    MergeTree(order_by=("sku", "month", "topic")),
    comment="What buyers say, by product, month and topic. Grain: sku, month, topic. Read topic = 'all' for totals.",
)

improvement_suggestions = Table(
    "improvement_suggestions",
    metadata,
    column("product_id", UInt64, "products.product_id; 0: no product has the SKU, or it names none."),
    column("sku", String, "SKU the feedback names; empty: about the seller."),
    column("topic", code(), "What is complained of."),
    column("as_of", instant(), _AS_OF),
    column("complaints", Int64, "Negative texts about it."),
    column("share", Float64, "complaints / texts about the SKU, 0 to 1."),
    column("advice", String, "What to do."),
    column(
        "quotes",
        String,
        "Newest complaints, word for word, shortened, one a line; addresses and numbers removed.",
    ),
    MergeTree(order_by=("sku", "topic")),
    comment="What to improve, with the words it was read from. Grain: sku, topic.",
)

NAMES = (
    "customer_value",
    "cohort_retention",
    "bought_together",
    "cart_abandonment",
    "product_feedback",
    "improvement_suggestions",
    "checkout_conversion",
    "open_carts",
)
