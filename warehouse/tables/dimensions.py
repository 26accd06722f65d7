"""ClickHouse, database `analytics`: channels, products, cohorts and rates, and the journal of moved days."""

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import Bool, Date, Int64, String, UInt64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree
from sqlalchemy import Table

from warehouse.tables.analytics import code, column, instant, metadata, money, optional, rate

exchange_rates = Table(
    "exchange_rates",
    metadata,
    column("date", Date, "Calendar day.", clickhousedb_codec="Delta, ZSTD(1)"),
    column("currency", code(), "ISO 4217 currency the rate starts from."),
    column("reporting_currency", code(), "ISO 4217 currency the rate leads to."),
    optional(
        "rate", rate(), "reporting_currency for one unit of currency; null: held, none published lately."
    ),
    optional("rate_date", Date, "Day the rate was published for: weekends take the last one before."),
    MergeTree(order_by=("currency", "date")),
    comment="The rate in force on each day and currency with sales, fees or costs. Grain: date, currency.",
)

channels = Table(
    "channels",
    metadata,
    column("channel_id", UInt64, "Key; the same id as in PostgreSQL."),
    column("name", code(), "Unique name, e.g. amazon-us."),
    column("platform", code(), "amazon, shopify or walmart."),
    column("account", code(), "Seller account."),
    column("currency", code(), "ISO 4217 currency the channel sells in."),
    column("timezone", code(), "IANA time zone of its business day."),
    column("is_active", Bool, "False: no longer synced."),
    optional("last_sync_at", instant(), "Last committed sync of any resource: figures are as of then."),
    optional("complete_until", Date, "Last business day whose orders were read to its end."),
    MergeTree(order_by="channel_id"),
    comment="Places we sell. Grain: channel_id.",
)

products = Table(
    "products",
    metadata,
    column("product_id", UInt64, "Key; the same id as in PostgreSQL; 0 stands for lines without a product."),
    column("sku", String, "The merchant's SKU."),
    optional("name", String, "Name."),
    optional("category", String, "Category."),
    optional("brand", String, "Brand."),
    optional("cost_price", money(), "Unit cost; null where no source says."),
    optional("cost_currency", String, "ISO 4217 currency of cost_price."),
    column("is_stub", Bool, "True: sold or stocked, but in no catalogue yet."),
    column("created_at", instant(), "First seen."),
    column("updated_at", instant(), "Last change."),
    MergeTree(order_by="product_id"),
    comment="Products across channels. Grain: product_id.",
)

customer_cohorts = Table(
    "customer_cohorts",
    metadata,
    column("cohort_month", Date, "First day of the month of the first purchase."),
    column("customer_key", String, "Keyed pseudonym of a customer; no name, no address."),
    column(
        "first_purchase_date", Date, "Business day of the first order, on any channel and in any currency."
    ),
    column("total_orders", Int64, "Orders that are not wholly cancelled, in this currency."),
    column("lifetime_value", money(), "Sum of total_revenue of the customer's orders in this currency."),
    column("currency", code(), "ISO 4217 currency of lifetime_value."),
    MergeTree(order_by=("cohort_month", "customer_key", "currency")),
    comment="Customers by month of first purchase. Grain: customer_key, currency. Marketplaces that hide "
    "their buyers (Amazon) give few or no keys.",
)

restatements = Table(
    "restatements",
    metadata,
    column("order_date", Date, "The business day that moved after it had been published."),
    column("channel_id", UInt64, "channels.channel_id."),
    column("currency", code(), "ISO 4217 currency of revenue_delta."),
    column("kind", code(), "Why: sale (arrived late), edit, cancellation, refund, return."),
    column("orders", Int64, "Orders behind it."),
    column("units_delta", Int64, "Change of total_units."),
    column("revenue_delta", money(), "Change of total_revenue."),
    column("recorded_at", instant(), "When we learned of it."),
    column("run_id", UInt64, "ops.runs.id in PostgreSQL; 0: unknown."),
    MergeTree(order_by=("order_date", "channel_id", "recorded_at")),
    comment="Which published past day moved, by how much and why. Grain: run_id, channel_id, order_date, "
    "currency, kind.",
)
