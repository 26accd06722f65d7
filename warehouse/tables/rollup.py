"""ClickHouse, database `analytics`: what analysts look at. Every table reads correctly as it stands.

All are plain MergeTree tables whose partitions are replaced whole (see `warehouse.rollup`), so there is one
row per key without FINAL. Sales are partitioned by month and ordered by product first: a month is rebuilt in
well under a second, and one product's history is a short range of each part.
"""

from typing import Any

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
from sqlalchemy import Column, MetaData, Table, text

DATABASE = "analytics"
STAGE_SUFFIX = "__stage"

metadata = MetaData(schema=DATABASE)

# Tables rebuilt by month of their `date` column; all others are replaced as one unit.
MONTHLY = (
    "daily_sales_summary",
    "daily_sales_as_happened",
    "daily_sales_reporting",
    "daily_channel_sales",
    "daily_region_sales",
    "daily_refunds",
    "daily_fees",
    "daily_margin",
    "daily_funnel",
    "inventory_daily",
    "forecast_accuracy",
)


def _money() -> Any:
    return Decimal(18, 4)


def _rate() -> Any:
    return Decimal(24, 12)


def _instant() -> Any:
    return DateTime64(3, "UTC")


def _code() -> Any:
    return LowCardinality(String)


def _column(name: str, kind: Any, comment: str, **options: Any) -> Column[Any]:
    return Column(name, kind, comment=comment, nullable=False, **options)


def _optional(name: str, kind: Any, comment: str) -> Column[Any]:
    return Column(name, Nullable(kind), comment=comment)


def _keys() -> tuple[Column[Any], Column[Any]]:
    return (
        _column("channel_id", UInt64, "channels.channel_id; the same id as in PostgreSQL."),
        _column(
            "product_id", UInt64, "products.product_id; the same id as in PostgreSQL; 0: a line without one."
        ),
    )


def _sales(name: str, comment: str, day: str, orders: str) -> Table:
    return Table(
        name,
        metadata,
        _column("date", Date, day, clickhousedb_codec="Delta, ZSTD(1)"),
        *_keys(),
        _column("currency", _code(), "ISO 4217 currency of every amount in the row."),
        _column(
            "total_revenue",
            _money(),
            "gross_revenue - discount_amount - refunded_net_amount: after discounts, before tax and shipping, "
            "cancelled and refunded items taken out. Gift cards, test and replacement orders are no revenue.",
        ),
        _column("gross_revenue", _money(), "Before discounts, tax and refunds; cancelled units taken out."),
        _column("discount_amount", _money(), "Discounts on the units counted in total_units; positive."),
        _column("refunded_amount", _money(), "Given back for items, tax included; positive."),
        _column(
            "refunded_net_amount", _money(), "Part of refunded_amount that undoes revenue (without tax)."
        ),
        _column(
            "total_units",
            Int64,
            "Units sold: ordered less cancelled; refunded units and those of replacements still count here.",
        ),
        _column("refunded_units", Int64, "Units refunded, out of total_units."),
        _optional(
            "avg_price",
            _money(),
            "(gross_revenue - discount_amount) / units that are no replacement; null without such units.",
        ),
        _column("num_orders", Int64, orders),
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
    _column(
        "date",
        Date,
        "Business day of the order in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    *_keys(),
    _column("currency", _code(), "ISO 4217 currency of the sale."),
    _column("reporting_currency", _code(), "ISO 4217 currency of every amount in the row (WHARF_CURRENCY)."),
    _optional(
        "rate", _rate(), "reporting_currency for one unit of currency; null: none is known, amounts are held."
    ),
    _optional("rate_date", Date, "Day the rate was published for: the last one on or before `date`."),
    _optional("total_revenue", _money(), "daily_sales_summary.total_revenue x rate; null without a rate."),
    _optional("gross_revenue", _money(), "daily_sales_summary.gross_revenue x rate; null without a rate."),
    _optional(
        "refunded_amount", _money(), "daily_sales_summary.refunded_amount x rate; null without a rate."
    ),
    _column("total_units", Int64, "As in daily_sales_summary."),
    MergeTree(order_by=("product_id", "channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="daily_sales_summary in one currency. Grain: date, channel_id, product_id, currency. A day without "
    "an exchange rate has null amounts and is never guessed; count them before adding up.",
)

daily_channel_sales = Table(
    "daily_channel_sales",
    metadata,
    _column(
        "date",
        Date,
        "Business day of the order in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    _column("channel_id", UInt64, "channels.channel_id."),
    _column("currency", _code(), "ISO 4217 currency of every amount in the row."),
    _column(
        "num_orders", Int64, "Distinct orders with a unit not cancelled; adds up over days and channels."
    ),
    _column("orders_placed", Int64, "Every order placed, cancelled ones included, tests left out."),
    _column("orders_cancelled", Int64, "Of orders_placed: cancelled as a whole by now."),
    _column("units_ordered", Int64, "Units of orders_placed as ordered: before cancellations and refunds."),
    _column("units_cancelled", Int64, "Of units_ordered: those of orders cancelled as a whole."),
    _column("ordered_amount", _money(), "Goods as ordered: before discounts, tax, shipping, cancellations."),
    _column("cancelled_amount", _money(), "Of ordered_amount: orders cancelled as a whole."),
    _column("shipping_amount", _money(), "Shipping charged on orders not cancelled."),
    _column("tax_amount", _money(), "Tax charged on orders not cancelled."),
    _column(
        "num_customers",
        Int64,
        "Distinct customers of num_orders where the channel tells; never add over days.",
    ),
    _column("total_units", Int64, "As in daily_sales_summary."),
    _column("gross_revenue", _money(), "As in daily_sales_summary."),
    _column("discount_amount", _money(), "As in daily_sales_summary."),
    _column("refunded_amount", _money(), "As in daily_sales_summary."),
    _column("total_revenue", _money(), "As in daily_sales_summary."),
    _optional("avg_order_value", _money(), "total_revenue / num_orders; null without orders."),
    MergeTree(order_by=("channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="Sales and orders of a channel by business day of the order. Grain: date, channel_id, currency. "
    "Use this, not daily_sales_summary, to count orders.",
)

daily_region_sales = Table(
    "daily_region_sales",
    metadata,
    _column(
        "date",
        Date,
        "Business day of the order in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    _column("channel_id", UInt64, "channels.channel_id."),
    _column("ship_country", _code(), "ISO 3166 alpha-2; empty: not told."),
    _column("ship_region", _code(), "State or province; empty: not told."),
    _column("currency", _code(), "ISO 4217 currency of every amount in the row."),
    _column("num_orders", Int64, "Distinct orders with a unit not cancelled; adds up over regions."),
    _column("total_units", Int64, "As in daily_sales_summary."),
    _column("gross_revenue", _money(), "As in daily_sales_summary."),
    _column("refunded_amount", _money(), "As in daily_sales_summary."),
    _column("total_revenue", _money(), "As in daily_sales_summary."),
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
    _column(
        "date",
        Date,
        "Business day of the REFUND in the channel's time zone.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    *_keys(),
    _column("currency", _code(), "ISO 4217 currency of every amount in the row."),
    _column("refunded_units", Int64, "Units refunded."),
    _column("refunded_amount", _money(), "Given back for items, tax included; positive."),
    _column("refunded_net_amount", _money(), "Part of refunded_amount that undoes revenue (without tax)."),
    _column("num_orders", Int64, "Distinct orders refunded; do not add over products."),
    _column("avg_days_to_refund", Float64, "Days from order to refund, every order and product alike."),
    MergeTree(order_by=("product_id", "channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="Refunds by the day they were given. Grain: date, channel_id, product_id, currency.",
)

daily_fees = Table(
    "daily_fees",
    metadata,
    _column("date", Date, "Business day the channel booked the fee.", clickhousedb_codec="Delta, ZSTD(1)"),
    *_keys(),
    _column("fee_type", _code(), "The channel's own name of the fee."),
    _column("currency", _code(), "ISO 4217 currency of amount."),
    _column("amount", _money(), "Positive: a cost; negative: given back."),
    _column("num_fees", Int64, "Charges behind it."),
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
    _column("date", Date, "Business day on which it happened.", clickhousedb_codec="Delta, ZSTD(1)"),
    *_keys(),
    _column("currency", _code(), "ISO 4217 currency of every amount in the row."),
    _column("total_units", Int64, "Units sold, less cancelled, as in daily_sales_as_happened."),
    _column("net_sales", _money(), "gross_revenue - discount_amount of daily_sales_as_happened."),
    _column("refunded_net_amount", _money(), "Revenue given back, as in daily_sales_as_happened."),
    _column("fees_amount", _money(), "daily_fees.amount of the day; positive: a cost."),
    _optional(
        "goods_cost",
        _money(),
        "total_units x products.cost_price, converted by the day's rate; null: unknown.",
    ),
    _optional(
        "contribution_margin",
        _money(),
        "net_sales - refunded_net_amount - fees_amount - goods_cost; null where goods_cost is.",
    ),
    _column("units_without_cost", Int64, "total_units where goods_cost is null, else 0."),
    MergeTree(order_by=("product_id", "channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="Contribution margin as it happened. Grain: date, channel_id, product_id, currency. Goods that came "
    "back keep their cost; the cost is today's. Fees for no single product stand under product_id 0.",
)

product_performance = Table(
    "product_performance",
    metadata,
    *_keys(),
    _column("currency", _code(), "ISO 4217 currency of every amount in the row."),
    _column("as_of", Date, "Last whole business day counted: channels.complete_until."),
    _column("first_sale_date", Date, "First order day with a unit."),
    _column("last_sale_date", Date, "Last order day with a unit."),
    _column("units_7d", Int64, "Units in the 7 days up to as_of."),
    _column("units_28d", Int64, "Units in the 28 days up to as_of."),
    _column("units_prev_28d", Int64, "Units in the 28 days before those."),
    _column("units_90d", Int64, "Units in the 90 days up to as_of."),
    _column("units_365d", Int64, "Units in the 365 days up to as_of."),
    _column("revenue_28d", _money(), "total_revenue in the 28 days up to as_of."),
    _column("revenue_prev_28d", _money(), "total_revenue in the 28 days before those."),
    _column("revenue_90d", _money(), "total_revenue in the 90 days up to as_of."),
    _column("revenue_365d", _money(), "total_revenue in the 365 days up to as_of."),
    _column(
        "velocity_28d", Float64, "units_28d / 28, out-of-stock days counted; see inventory_health.velocity."
    ),
    _optional("units_growth_28d", Float64, "units_28d / units_prev_28d - 1; null when nothing sold before."),
    _optional("refund_rate_90d", Float64, "Refunded units / units of the 90 days; null without units."),
    _column("revenue_rank_28d", Int64, "1: most revenue_28d on the channel in this currency."),
    _optional("revenue_share_365d", Float64, "Share of the channel's revenue_365d in this currency, 0 to 1."),
    _optional(
        "abc_class", String, "A: the products that make 80 % of revenue_365d, B: the next 15 %, C: the rest."
    ),
    MergeTree(order_by=("product_id", "channel_id", "currency")),
    comment="How each product sells on each channel, now. Grain: product_id, channel_id, currency.",
)

daily_funnel = Table(
    "daily_funnel",
    metadata,
    _column(
        "date",
        Date,
        "Business day the checkout was begun or the order placed.",
        clickhousedb_codec="Delta, ZSTD(1)",
    ),
    _column("channel_id", UInt64, "channels.channel_id. Only channels that tell of checkouts."),
    _column("currency", _code(), "ISO 4217 currency of every amount in the row."),
    _column("checkouts", Int64, "Checkouts left at least for a while, as the channel tells of them."),
    _column("recovered_checkouts", Int64, "Of those: became an order later."),
    _column("abandoned_checkouts", Int64, "Of those: no order so far."),
    _column("abandoned_amount", _money(), "What the abandoned ones would have cost."),
    _column("recovered_amount", _money(), "What the recovered ones would have cost."),
    _column("num_orders", Int64, "Orders placed on the day, tests left out."),
    _optional(
        "completion_rate",
        Float64,
        "num_orders / (num_orders + abandoned_checkouts), 0 to 1; null without either.",
    ),
    MergeTree(order_by=("channel_id", "date", "currency"), partition_by=text("toYYYYMM(date)")),
    comment="From checkout to order. Grain: date, channel_id, currency.",
)

exchange_rates = Table(
    "exchange_rates",
    metadata,
    _column("date", Date, "Calendar day.", clickhousedb_codec="Delta, ZSTD(1)"),
    _column("currency", _code(), "ISO 4217 currency the rate starts from."),
    _column("reporting_currency", _code(), "ISO 4217 currency the rate leads to."),
    _optional(
        "rate", _rate(), "reporting_currency for one unit of currency; null: held, none published lately."
    ),
    _optional("rate_date", Date, "Day the rate was published for: weekends take the last one before."),
    MergeTree(order_by=("currency", "date")),
    comment="The rate in force on each day and currency with sales, fees or costs. Grain: date, currency.",
)

channels = Table(
    "channels",
    metadata,
    _column("channel_id", UInt64, "Key; the same id as in PostgreSQL."),
    _column("name", _code(), "Unique name, e.g. amazon-us."),
    _column("platform", _code(), "amazon, shopify or walmart."),
    _column("account", _code(), "Seller account."),
    _column("currency", _code(), "ISO 4217 currency the channel sells in."),
    _column("timezone", _code(), "IANA time zone of its business day."),
    _column("is_active", Bool, "False: no longer synced."),
    _optional("last_sync_at", _instant(), "Last committed sync of any resource: figures are as of then."),
    _optional("complete_until", Date, "Last business day whose orders were read to its end."),
    MergeTree(order_by="channel_id"),
    comment="Places we sell. Grain: channel_id.",
)

products = Table(
    "products",
    metadata,
    _column("product_id", UInt64, "Key; the same id as in PostgreSQL; 0 stands for lines without a product."),
    _column("sku", String, "The merchant's SKU."),
    _optional("name", String, "Name."),
    _optional("category", String, "Category."),
    _optional("brand", String, "Brand."),
    _optional("cost_price", _money(), "Unit cost; null where no source says."),
    _optional("cost_currency", String, "ISO 4217 currency of cost_price."),
    _column("is_stub", Bool, "True: sold or stocked, but in no catalogue yet."),
    _column("created_at", _instant(), "First seen."),
    _column("updated_at", _instant(), "Last change."),
    MergeTree(order_by="product_id"),
    comment="Products across channels. Grain: product_id.",
)

customer_cohorts = Table(
    "customer_cohorts",
    metadata,
    _column("cohort_month", Date, "First day of the month of the first purchase."),
    _column("customer_key", String, "Keyed pseudonym of a customer; no name, no address."),
    _column(
        "first_purchase_date", Date, "Business day of the first order, on any channel and in any currency."
    ),
    _column("total_orders", Int64, "Orders that are not wholly cancelled, in this currency."),
    _column("lifetime_value", _money(), "Sum of total_revenue of the customer's orders in this currency."),
    _column("currency", _code(), "ISO 4217 currency of lifetime_value."),
    MergeTree(order_by=("cohort_month", "customer_key", "currency")),
    comment="Customers by month of first purchase. Grain: customer_key, currency. Marketplaces that hide "
    "their buyers (Amazon) give few or no keys.",
)

inventory_daily = Table(
    "inventory_daily",
    metadata,
    _column("date", Date, "Business day in the channel's time zone.", clickhousedb_codec="Delta, ZSTD(1)"),
    *_keys(),
    _column("closing_units", Int64, "Sellable units at the end of the day (now, for today); never below 0."),
    _column("in_stock", Bool, "Something was sellable at some time of the day."),
    MergeTree(order_by=("product_id", "channel_id", "date"), partition_by=text("toYYYYMM(date)")),
    comment="Stock by day since it was first observed. Grain: date, channel_id, product_id.",
)

inventory_health = Table(
    "inventory_health",
    metadata,
    *_keys(),
    _column("as_of", _instant(), "When this was computed."),
    _column("quantity_available", Int64, "Sellable units now, all places; never below 0."),
    _column("quantity_reserved", Int64, "Promised to orders."),
    _column("quantity_inbound", Int64, "On the way."),
    _optional("reorder_point", Int64, "Order when available falls to this."),
    _column("units_sold_28d", Int64, "Units sold in the 28 days before today."),
    _column("days_in_stock_28d", Int64, "Of those days, the ones with something sellable."),
    _column("stockout_days_28d", Int64, "Of those days, the ones with nothing sellable."),
    _optional("velocity", Float64, "Units a day while in stock: units_sold_28d / days_in_stock_28d."),
    _optional("days_of_cover", Float64, "quantity_available / velocity; null when nothing sells."),
    _optional("sell_through", Float64, "units_sold_28d / (units_sold_28d + quantity_available), 0 to 1."),
    MergeTree(order_by=("product_id", "channel_id")),
    comment="Stock against recent sales, now. Grain: channel_id, product_id.",
)

forecasts = Table(
    "forecasts",
    metadata,
    _column("forecast_date", Date, "The day forecast."),
    *_keys(),
    _column("model_type", _code(), "prophet, lstm, arima, ensemble, …; ensemble is the one to use."),
    _column("predicted_units", Float64, "Expected (mean) units."),
    _column("lower_80", Float64, "10 % quantile."),
    _column("upper_80", Float64, "90 % quantile."),
    _column("lower_95", Float64, "2.5 % quantile."),
    _column("upper_95", Float64, "97.5 % quantile."),
    _column("generated_at", _instant(), "When the forecast was made."),
    MergeTree(order_by=("product_id", "channel_id", "model_type", "forecast_date")),
    comment="Latest forecast of every series. Grain: forecast_date, channel_id, product_id, model_type.",
)

forecast_accuracy = Table(
    "forecast_accuracy",
    metadata,
    _column("date", Date, "The day forecast, now past.", clickhousedb_codec="Delta, ZSTD(1)"),
    *_keys(),
    _column("model_type", _code(), "prophet, lstm, arima, ensemble, …"),
    _column("generated_at", _instant(), "When the forecast was made."),
    _column("horizon_days", Int64, "Days between making the forecast and the day."),
    _column("units", Int64, "Units sold."),
    _column("in_stock", Bool, "False: sales were capped by stock; leave the row out of accuracy."),
    _column("predicted_units", Float64, "What was expected."),
    _column("absolute_error", Float64, "abs(units - predicted_units)."),
    _column("in_80", Bool, "units lay within the 80 % interval."),
    _column("in_95", Bool, "units lay within the 95 % interval."),
    MergeTree(
        order_by=("model_type", "channel_id", "product_id", "date", "generated_at"),
        partition_by=text("toYYYYMM(date)"),
    ),
    comment="Forecasts against what was sold. Grain: date, channel_id, product_id, model_type, generated_at.",
)

restatements = Table(
    "restatements",
    metadata,
    _column("order_date", Date, "The business day that moved after it had been published."),
    _column("channel_id", UInt64, "channels.channel_id."),
    _column("currency", _code(), "ISO 4217 currency of revenue_delta."),
    _column("kind", _code(), "Why: sale (arrived late), edit, cancellation, refund, return."),
    _column("orders", Int64, "Orders behind it."),
    _column("units_delta", Int64, "Change of total_units."),
    _column("revenue_delta", _money(), "Change of total_revenue."),
    _column("recorded_at", _instant(), "When we learned of it."),
    _column("run_id", UInt64, "ops.runs.id in PostgreSQL; 0: unknown."),
    MergeTree(order_by=("order_date", "channel_id", "recorded_at")),
    comment="Which published past day moved, by how much and why. Grain: run_id, channel_id, order_date, "
    "currency, kind.",
)
