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
MONTHLY = ("daily_sales_summary", "daily_sales_as_happened", "inventory_daily", "forecast_accuracy")


def _money() -> Any:
    return Decimal(18, 4)


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
        _column("total_units", Int64, "Units sold: ordered less cancelled; refunded units still count here."),
        _column("refunded_units", Int64, "Units refunded, out of total_units."),
        _optional(
            "avg_price", _money(), "(gross_revenue - discount_amount) / total_units; null without units."
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
