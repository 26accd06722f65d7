"""ClickHouse, database `analytics`: which regions grow, what products earn. Replaced whole once a day.

Methods: docs/customers.md.
"""

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import Bool, Float64, Int64, String, UInt64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree
from sqlalchemy import Table

from warehouse.tables.rollup import _code, _column, _instant, _keys, _money, _optional, metadata

_CURRENCY = "ISO 4217 currency of every amount in the row."
_AS_OF = "When this was computed."

region_performance = Table(
    "region_performance",
    metadata,
    _column("channel_id", UInt64, "channels.channel_id."),
    _column("ship_country", _code(), "ISO 3166 alpha-2; empty: not known."),
    _column("ship_region", String, "State or province; empty: not known."),
    _column("currency", _code(), _CURRENCY),
    _column("as_of", _instant(), _AS_OF),
    _column("num_orders", Int64, "Orders of 91 days."),
    _column("total_units", Int64, "Their units."),
    _column("total_revenue", _money(), "Their revenue, refunds taken out."),
    _column("revenue_share", Float64, "Of the channel's revenue in this currency, 0 to 1."),
    _optional("avg_order", _money(), "total_revenue / num_orders."),
    _optional("refund_rate", Float64, "Refunded share of gross revenue, 0 to 1."),
    _column("revenue_prev_91d", _money(), "Revenue of the 91 days before."),
    _optional("growth", Float64, "total_revenue / revenue_prev_91d - 1; null without a sale then."),
    _optional(
        "growth_beside_channel", Float64, "growth less that of the whole channel: what is the region's own."
    ),
    MergeTree(order_by=("channel_id", "ship_country", "ship_region", "currency")),
    comment="Sales by place against the 91 days before. Grain: channel_id, ship_country, ship_region, currency.",
)

profitability = Table(
    "profitability",
    metadata,
    *_keys(),
    _column("currency", _code(), _CURRENCY),
    _column("as_of", _instant(), _AS_OF),
    _column("total_units", Int64, "Units of 365 days, as things happened."),
    _column("net_sales", _money(), "After discounts, before tax, shipping and refunds."),
    _column("refunded", _money(), "Net revenue given back."),
    _column("fees", _money(), "What the channel charged, booked on the product."),
    _column("fee_share", _money(), "Its part, by net_sales, of fees the channel booked on no product."),
    _column(
        "shipping_paid", _money(), "Its part, by net_sales, of the shipping buyers paid. Not in contribution."
    ),
    _optional("goods_cost", _money(), "Units at cost; null where a cost is unknown."),
    _optional("contribution", _money(), "net_sales - refunded - fees - fee_share - goods_cost."),
    _optional("contribution_rate", Float64, "contribution / (net_sales - refunded)."),
    _optional("is_loss", Bool, "contribution below 0."),
    MergeTree(order_by=("product_id", "channel_id", "currency")),
    comment="What each product earns on each channel after fees, refunds and cost of goods. Grain: channel_id, "
    "product_id, currency.",
)

NAMES = ("region_performance", "profitability")
