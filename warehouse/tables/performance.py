"""ClickHouse, database `analytics`: which regions grow, what products earn, how orders arrive. Replaced once a day.

Methods: docs/customers.md.
"""

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import Bool, Date, Float64, Int64, String, UInt64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree
from sqlalchemy import Table

from warehouse.tables.analytics import code, column, instant, keys, metadata, money, optional

_CURRENCY = "ISO 4217 currency of every amount in the row."
_AS_OF = "When this was computed."

region_performance = Table(
    "region_performance",
    metadata,
    column("channel_id", UInt64, "channels.channel_id."),
    column("ship_country", code(), "ISO 3166 alpha-2; empty: not known."),
    column("ship_region", String, "State or province; empty: not known."),
    column("currency", code(), _CURRENCY),
    column("as_of", instant(), _AS_OF),
    column("num_orders", Int64, "Orders of 91 days."),
    column("total_units", Int64, "Their units."),
    column("total_revenue", money(), "Their revenue, refunds taken out."),
    column("revenue_share", Float64, "Of the channel's revenue in this currency, 0 to 1."),
    optional("avg_order", money(), "total_revenue / num_orders."),
    optional("refund_rate", Float64, "Refunded share of gross revenue, 0 to 1."),
    column("revenue_prev_91d", money(), "Revenue of the 91 days before."),
    optional("growth", Float64, "total_revenue / revenue_prev_91d - 1; null without a sale then."),
    optional(
        "growth_beside_channel", Float64, "growth less that of the whole channel: what is the region's own."
    ),
    MergeTree(order_by=("channel_id", "ship_country", "ship_region", "currency")),
    comment="Sales by place against the 91 days before. Grain: channel_id, ship_country, ship_region, currency.",
)

profitability = Table(
    "profitability",
    metadata,
    *keys(),
    column("currency", code(), _CURRENCY),
    column("as_of", instant(), _AS_OF),
    column("total_units", Int64, "Units of 365 days, as things happened."),
    column("net_sales", money(), "After discounts, before tax, shipping and refunds."),
    column("refunded", money(), "Net revenue given back."),
    column("fees", money(), "What the channel charged, booked on the product."),
    column("fee_share", money(), "Its part, by net_sales, of fees the channel booked on no product."),
    column(
        "shipping_paid", money(), "Its part, by net_sales, of the shipping buyers paid. Not in contribution."
    ),
    optional("goods_cost", money(), "Units at cost; null where a cost is unknown."),
    optional("contribution", money(), "net_sales - refunded - fees - fee_share - goods_cost."),
    optional("contribution_rate", Float64, "contribution / (net_sales - refunded)."),
    optional("is_loss", Bool, "contribution below 0."),
    MergeTree(order_by=("product_id", "channel_id", "currency")),
    comment="What each product earns on each channel after fees, refunds and cost of goods. Grain: channel_id, "
    "product_id, currency.",
)

delivery_performance = Table(
    "delivery_performance",
    metadata,
    column("week", Date, "Monday of the week the orders were placed in, by the channel's business day."),
    column("channel_id", UInt64, "channels.channel_id."),
    column("ship_country", code(), "ISO 3166 alpha-2; empty: not known."),
    column("ship_region", String, "State or province; empty: not known."),
    column("fulfilled_by", code(), "marketplace or merchant; empty: not known."),
    column("as_of", instant(), _AS_OF),
    column("orders", Int64, "Orders placed, without those cancelled; replacements are among them."),
    column("shipped_on_time", Int64, "Sent by the instant promised to the buyer."),
    column("shipped_late", Int64, "Sent after it, or still open after it."),
    column("shipping_unknown", Int64, "No promise is told, or not when a finished order was sent."),
    optional("shipped_on_time_rate", Float64, "shipped_on_time / (shipped_on_time + shipped_late)."),
    column("shipped", Int64, "Orders of which is told when the last of it was sent."),
    optional("days_to_ship", Float64, "Their mean days from order to sending."),
    column("delivered_on_time", Int64, "Delivered by the instant promised to the buyer."),
    column("delivered_late", Int64, "Delivered after it."),
    column("delivery_unknown", Int64, "No promise is told, or it has passed and no delivery is told."),
    optional("delivered_late_rate", Float64, "delivered_late / (delivered_late + delivered_on_time)."),
    column("delivered", Int64, "Orders of which is told when the last of it arrived."),
    optional("days_to_deliver", Float64, "Their mean days from order to delivery."),
    MergeTree(order_by=("channel_id", "ship_country", "ship_region", "fulfilled_by", "week")),
    comment="How orders of 52 weeks were sent and delivered. Grain: week, channel_id, ship_country, ship_region, "
    "fulfilled_by. Counts add up; weigh days_to_ship by shipped, days_to_deliver by delivered. What each channel "
    "tells: docs/customers.md.",
)

NAMES = ("region_performance", "profitability")  # derived in ClickHouse
