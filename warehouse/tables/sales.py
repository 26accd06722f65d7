"""ClickHouse, database `analytics`: sales, refunds, fees, margin and funnel by day.

Partitioned by month and ordered by product first: a month is rebuilt in well under a second, and one product's
history is a short range of each part.
"""

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import Date, Float64, Int64, String, UInt64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree
from sqlalchemy import Table, text

from warehouse.tables.analytics import code, column, keys, metadata, money, optional, rate


def _sales(name: str, comment: str, day: str, orders: str) -> Table:
    return Table(
        name,
        metadata,
        column("date", Date, day, clickhousedb_codec="Delta, ZSTD(1)"),
        *keys(),
        column("currency", code(), "ISO 4217 currency of every amount in the row."),
        column(
            "total_revenue",
            money(),
            "gross_revenue - discount_amount - refunded_net_amount: after discounts, before tax and shipping, "
            "cancelled and refunded items taken out. Gift cards, test and replacement orders are no revenue.",
        ),
        column("gross_revenue", money(), "Before discounts, tax and refunds; cancelled units taken out."),
        column("discount_amount", money(), "Discounts on the units counted in total_units; positive."),
        column("refunded_amount", money(), "Given back for items, tax included; positive."),
        column("refunded_net_amount", money(), "Part of refunded_amount that undoes revenue (without tax)."),
        column(
            "total_units",
            Int64,
            "Units sold: ordered less cancelled; refunded units and those of replacements still count here.",
        ),
        column("refunded_units", Int64, "Units refunded, out of total_units."),
        optional(
            "avg_price",
            money(),
            "(gross_revenue - discount_amount) / units that are no replacement; null without such units.",
        ),
        column("num_orders", Int64, orders),
        MergeTree(
            order_by=("product_id", "channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")
        ),
        comment=comment,
    )


daily_sales_summary = _sales(
    "daily_sales_summary",
    "Sales by business day of the ORDER. Grain: date, channel_id, product_id, currency. Later cancellations, "
    "edits and refunds change the day of the order; restatements says which days moved.",
    "Business day of the order in the channel's time zone.",
    "Distinct orders with at least one unit of the product not cancelled. Do not add over products: an order "
    "with two products counts in both rows.",
)

daily_sales_as_happened = _sales(
    "daily_sales_as_happened",
    "The same measures booked on the day each sale, edit, refund or cancellation HAPPENED. Grain: date, "
    "channel_id, product_id, currency. Over all time it adds up to daily_sales_summary; values may be negative.",
    "Business day of the event in the channel's time zone.",
    "Orders that came to have a unit of the product on this day, less those that lost their last one.",
)

daily_sales_reporting = Table(
    "daily_sales_reporting",
    metadata,
    column(
        "date",
        Date,
        "Business day of the order in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    *keys(),
    column("currency", code(), "ISO 4217 currency of the sale."),
    column("reporting_currency", code(), "ISO 4217 currency of every amount in the row (WHARF_CURRENCY)."),
    optional(
        "rate", rate(), "reporting_currency for one unit of currency; null: none is known, amounts are held."
    ),
    optional("rate_date", Date, "Day the rate was published for: the last one on or before `date`."),
    optional("total_revenue", money(), "daily_sales_summary.total_revenue x rate; null without a rate."),
    optional("gross_revenue", money(), "daily_sales_summary.gross_revenue x rate; null without a rate."),
    optional("refunded_amount", money(), "daily_sales_summary.refunded_amount x rate; null without a rate."),
    column("total_units", Int64, "As in daily_sales_summary."),
    MergeTree(order_by=("product_id", "channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="daily_sales_summary in one currency. Grain: date, channel_id, product_id, currency. A day without "
    "an exchange rate has null amounts and is never guessed; count them before adding up.",
)

daily_channel_sales = Table(
    "daily_channel_sales",
    metadata,
    column(
        "date",
        Date,
        "Business day of the order in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    column("channel_id", UInt64, "channels.channel_id."),
    column("currency", code(), "ISO 4217 currency of every amount in the row."),
    column("num_orders", Int64, "Distinct orders with a unit not cancelled; adds up over days and channels."),
    column("orders_placed", Int64, "Every order placed, cancelled ones included, tests left out."),
    column("orders_cancelled", Int64, "Of orders_placed: cancelled as a whole by now."),
    column("units_ordered", Int64, "Units of orders_placed as ordered: before cancellations and refunds."),
    column("units_cancelled", Int64, "Of units_ordered: those of orders cancelled as a whole."),
    column("ordered_amount", money(), "Goods as ordered: before discounts, tax, shipping, cancellations."),
    column("cancelled_amount", money(), "Of ordered_amount: orders cancelled as a whole."),
    column("shipping_amount", money(), "Shipping charged on orders not cancelled."),
    column("tax_amount", money(), "Tax charged on orders not cancelled."),
    column(
        "num_customers",
        Int64,
        "Distinct customers of num_orders where the channel tells; never add over days.",
    ),
    column("total_units", Int64, "As in daily_sales_summary."),
    column("gross_revenue", money(), "As in daily_sales_summary."),
    column("discount_amount", money(), "As in daily_sales_summary."),
    column("refunded_amount", money(), "As in daily_sales_summary."),
    column("total_revenue", money(), "As in daily_sales_summary."),
    optional("avg_order_value", money(), "total_revenue / num_orders; null without orders."),
    MergeTree(order_by=("channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="Sales and orders of a channel by business day of the order. Grain: date, channel_id, currency. "
    "Use this, not daily_sales_summary, to count orders.",
)

daily_region_sales = Table(
    "daily_region_sales",
    metadata,
    column(
        "date",
        Date,
        "Business day of the order in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    column("channel_id", UInt64, "channels.channel_id."),
    column("ship_country", code(), "ISO 3166 alpha-2; empty: not told."),
    column("ship_region", code(), "State or province; empty: not told."),
    column("currency", code(), "ISO 4217 currency of every amount in the row."),
    column("num_orders", Int64, "Distinct orders with a unit not cancelled; adds up over regions."),
    column("total_units", Int64, "As in daily_sales_summary."),
    column("gross_revenue", money(), "As in daily_sales_summary."),
    column("refunded_amount", money(), "As in daily_sales_summary."),
    column("total_revenue", money(), "As in daily_sales_summary."),
    MergeTree(
        order_by=("channel_id", "ship_country", "ship_region", "date", "currency"),
        partition_by=text("toYYYYMM(date)"),
    ),
    comment="Sales by where they were shipped and business day of the order. "
    "Grain: date, channel_id, ship_country, ship_region, currency.",
)

daily_refunds = Table(
    "daily_refunds",
    metadata,
    column(
        "date",
        Date,
        "Business day of the REFUND in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    *keys(),
    column("currency", code(), "ISO 4217 currency of every amount in the row."),
    column("refunded_units", Int64, "Units refunded."),
    column("refunded_amount", money(), "Given back for items, tax included; positive."),
    column("refunded_net_amount", money(), "Part of refunded_amount that undoes revenue (without tax)."),
    column("num_orders", Int64, "Distinct orders refunded; do not add over products."),
    column("avg_days_to_refund", Float64, "Days from order to refund, every order and product alike."),
    MergeTree(order_by=("product_id", "channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="Refunds by the day they were given. Grain: date, channel_id, product_id, currency.",
)

daily_fees = Table(
    "daily_fees",
    metadata,
    column("date", Date, "Business day the channel booked the fee.", clickhousedb_codec="Delta, ZSTD(1)"),
    *keys(),
    column("fee_type", code(), "The channel's own name of the fee."),
    column("currency", code(), "ISO 4217 currency of amount."),
    column("amount", money(), "Positive: a cost; negative: given back."),
    column("num_fees", Int64, "Charges behind it."),
    MergeTree(
        order_by=("product_id", "channel_id", "date", "fee_type", "currency"),
        partition_by=text("toYYYYMM(date)"),
    ),
    comment="What channels charge, by the day they booked it. Grain: date, channel_id, product_id, fee_type, "
    "currency. product_id 0: not for one product (storage, subscription).",
)

daily_margin = Table(
    "daily_margin",
    metadata,
    column("date", Date, "Business day on which it happened.", clickhousedb_codec="Delta, ZSTD(1)"),
    *keys(),
    column("currency", code(), "ISO 4217 currency of every amount in the row."),
    column("total_units", Int64, "Units sold, less cancelled, as in daily_sales_as_happened."),
    column("net_sales", money(), "gross_revenue - discount_amount of daily_sales_as_happened."),
    column("refunded_net_amount", money(), "Revenue given back, as in daily_sales_as_happened."),
    column("fees_amount", money(), "daily_fees.amount of the day; positive: a cost."),
    optional(
        "goods_cost",
        money(),
        "total_units x products.cost_price, converted by the day's rate; null: unknown.",
    ),
    optional(
        "contribution_margin",
        money(),
        "net_sales - refunded_net_amount - fees_amount - goods_cost; null where goods_cost is.",
    ),
    column("units_without_cost", Int64, "total_units where goods_cost is null, else 0."),
    MergeTree(order_by=("product_id", "channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="Contribution margin as it happened. Grain: date, channel_id, product_id, currency. Goods that came "
    "back keep their cost; the cost is today's. Fees for no single product stand under product_id 0.",
)

product_performance = Table(
    "product_performance",
    metadata,
    *keys(),
    column("currency", code(), "ISO 4217 currency of every amount in the row."),
    column("as_of", Date, "Last whole business day counted: channels.complete_until."),
    column("first_sale_date", Date, "First order day with a unit."),
    column("last_sale_date", Date, "Last order day with a unit."),
    column("units_7d", Int64, "Units in the 7 days up to as_of."),
    column("units_28d", Int64, "Units in the 28 days up to as_of."),
    column("units_prev_28d", Int64, "Units in the 28 days before those."),
    column("units_90d", Int64, "Units in the 90 days up to as_of."),
    column("units_365d", Int64, "Units in the 365 days up to as_of."),
    column("revenue_28d", money(), "total_revenue in the 28 days up to as_of."),
    column("revenue_prev_28d", money(), "total_revenue in the 28 days before those."),
    column("revenue_90d", money(), "total_revenue in the 90 days up to as_of."),
    column("revenue_365d", money(), "total_revenue in the 365 days up to as_of."),
    column(
        "velocity_28d", Float64, "units_28d / 28, out-of-stock days counted; see inventory_health.velocity."
    ),
    optional("units_growth_28d", Float64, "units_28d / units_prev_28d - 1; null when nothing sold before."),
    optional("refund_rate_90d", Float64, "Refunded units / units of the 90 days; null without units."),
    column("revenue_rank_28d", Int64, "1: most revenue_28d on the channel in this currency."),
    optional("revenue_share_365d", Float64, "Share of the channel's revenue_365d in this currency, 0 to 1."),
    optional(
        "abc_class", String, "A: the products that make 80 % of revenue_365d, B: the next 15 %, C: the rest."
    ),
    MergeTree(order_by=("product_id", "channel_id", "currency")),
    comment="How each product sells on each channel, now. Grain: product_id, channel_id, currency.",
)

daily_funnel = Table(
    "daily_funnel",
    metadata,
    column(
        "date",
        Date,
        "Business day the checkout was begun or the order placed.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    column("channel_id", UInt64, "channels.channel_id. Only channels that tell of checkouts."),
    column("currency", code(), "ISO 4217 currency of every amount in the row."),
    column("checkouts", Int64, "Checkouts left at least for a while, as the channel tells of them."),
    column("recovered_checkouts", Int64, "Of those: became an order later."),
    column("abandoned_checkouts", Int64, "Of those: no order so far."),
    column("abandoned_amount", money(), "What the abandoned ones would have cost."),
    column("recovered_amount", money(), "What the recovered ones would have cost."),
    column("num_orders", Int64, "Orders placed on the day, tests left out."),
    optional(
        "completion_rate",
        Float64,
        "num_orders / (num_orders + abandoned_checkouts), 0 to 1; null without either.",
    ),
    MergeTree(order_by=("channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="From checkout to order. Grain: date, channel_id, currency.",
)
