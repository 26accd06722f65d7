"""Create the schemas core, ops and staging with their first tables.

Revision 0001, revises .
"""

# ruff: noqa: E501 (comments of columns are kept on one line)
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS core")
    op.execute("CREATE SCHEMA IF NOT EXISTS staging")
    op.execute("CREATE SEQUENCE ops.dirty_versions")
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column(
            "alert_type",
            sa.Text(),
            nullable=False,
            comment="stockout, low_stock, restock, trending, anomaly, …",
        ),
        sa.Column("severity", sa.Text(), nullable=False, comment="critical, warning or info."),
        sa.Column(
            "product_id", sa.BigInteger(), nullable=True, comment="core.products.id, where it is about one."
        ),
        sa.Column(
            "channel_id", sa.BigInteger(), nullable=True, comment="core.channels.id, where it is about one."
        ),
        sa.Column("title", sa.Text(), nullable=False, comment="One line."),
        sa.Column("message", sa.Text(), nullable=False, comment="What is the case and what to do."),
        sa.Column("action_url", sa.Text(), nullable=True, comment="Where to act."),
        sa.Column(
            "is_read",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Seen by somebody.",
        ),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="Episode began."),
        sa.Column(
            "resolved_at", sa.DateTime(timezone=True), nullable=True, comment="Episode ended; null: open."
        ),
        sa.Column(
            "fingerprint", sa.Text(), nullable=False, comment="What it is about; unique among open episodes."
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="open, acknowledged, snoozed or resolved."),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True, comment="Somebody took it."),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True, comment="Quiet until then."),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), nullable=False, comment="Last change of the episode."
        ),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="The numbers behind it.",
        ),
        sa.CheckConstraint("severity IN ('critical', 'warning', 'info')", name=op.f("ck_alerts_severity")),
        sa.CheckConstraint(
            "state IN ('open', 'acknowledged', 'snoozed', 'resolved')", name=op.f("ck_alerts_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        schema="core",
        comment="Alerts. Grain: one episode, from opened_at to resolved_at.",
    )
    op.create_index(
        "uq_alerts_open_fingerprint",
        "alerts",
        ["fingerprint"],
        unique=True,
        schema="core",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("name", sa.Text(), nullable=False, comment="Unique name, e.g. amazon-us."),
        sa.Column("platform", sa.Text(), nullable=False, comment="amazon, shopify or walmart."),
        sa.Column(
            "account", sa.Text(), nullable=False, comment="The seller account this channel belongs to."
        ),
        sa.Column(
            "external_id", sa.Text(), nullable=True, comment="The source's id: marketplace id, shop name."
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 currency the channel sells in."),
        sa.Column(
            "timezone", sa.Text(), nullable=False, comment="IANA time zone that decides the business day."
        ),
        sa.Column(
            "is_active",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="False: no longer synced.",
        ),
        sa.Column(
            "last_sync_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Commit of the last sync of any resource.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("name", name=op.f("uq_channels_name")),
        schema="core",
        comment="A place we sell, such as amazon-us. Grain: name.",
    )
    op.create_table(
        "forecast_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id."),
        sa.Column("generated_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made."),
        sa.Column("history_until", sa.Date(), nullable=True, comment="Last day of sales it knew."),
        sa.Column("horizon_days", sa.BigInteger(), nullable=False, comment="Days ahead."),
        sa.Column("series", sa.BigInteger(), nullable=False, comment="Series forecast."),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Rows stored."),
        sa.Column(
            "scores",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Backtest scores by model, seasonal naive beside them.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast_runs")),
        sa.UniqueConstraint("generated_at", name=op.f("uq_forecast_runs_generated_at")),
        schema="core",
        comment="Forecasts made. Grain: generated_at.",
    )
    op.create_table(
        "forecasts",
        sa.Column("product_id", sa.BigInteger(), nullable=False, comment="core.products.id."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("forecast_date", sa.Date(), nullable=False, comment="The day forecast."),
        sa.Column("model_type", sa.Text(), nullable=False, comment="prophet, lstm, arima, ensemble, …"),
        sa.Column(
            "predicted_units",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="Expected (mean) units.",
        ),
        sa.Column(
            "lower_80",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="10 % quantile.",
        ),
        sa.Column(
            "upper_80",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="90 % quantile.",
        ),
        sa.Column(
            "lower_95",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="2.5 % quantile.",
        ),
        sa.Column(
            "upper_95",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=False,
            comment="97.5 % quantile.",
        ),
        sa.Column("generated_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made."),
        sa.PrimaryKeyConstraint(
            "product_id",
            "channel_id",
            "generated_at",
            "model_type",
            "forecast_date",
            name=op.f("pk_forecasts"),
        ),
        schema="core",
        comment="Expected units per day. Grain: (product_id, channel_id, generated_at, model_type, forecast_date).",
    )
    op.create_index(
        op.f("ix_forecasts_generated_at"), "forecasts", ["generated_at"], unique=False, schema="core"
    )
    op.create_table(
        "inventory_history",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("product_id", sa.BigInteger(), nullable=False, comment="core.products.id."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("warehouse_location", sa.Text(), nullable=False, comment="The source's place."),
        sa.Column("quantity_available", sa.BigInteger(), nullable=False, comment="Sellable from then on."),
        sa.Column("quantity_reserved", sa.BigInteger(), nullable=True, comment="Promised to orders."),
        sa.Column("quantity_inbound", sa.BigInteger(), nullable=True, comment="On the way."),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The source's version clock.",
        ),
        sa.Column(
            "observed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Since when we know it: the snapshot's instant.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that saw it."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_history")),
        schema="core",
        comment="Every observed change of stock. Grain: one row per change and place.",
    )
    op.create_index(
        op.f("ix_inventory_history_product_id_channel_id_observed_at"),
        "inventory_history",
        ["product_id", "channel_id", "observed_at"],
        unique=False,
        schema="core",
    )
    op.create_table(
        "order_items",
        sa.Column(
            "id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the row."
        ),
        sa.Column("order_id", sa.BigInteger(), nullable=False, comment="core.orders.id."),
        sa.Column("line_id", sa.Text(), nullable=False, comment="The source's line id, unique in the order."),
        sa.Column(
            "product_id",
            sa.BigInteger(),
            nullable=True,
            comment="core.products.id; null: a line without a product.",
        ),
        sa.Column("sku", sa.Text(), nullable=True, comment="SKU as the channel states it."),
        sa.Column("external_id", sa.Text(), nullable=True, comment="The channel's product id."),
        sa.Column("title", sa.Text(), nullable=True, comment="Title at the time of the order."),
        sa.Column(
            "quantity",
            sa.BigInteger(),
            nullable=False,
            comment="Units ordered, cancelled and refunded ones included.",
        ),
        sa.Column(
            "cancelled_quantity", sa.BigInteger(), nullable=False, comment="Units taken out before shipping."
        ),
        sa.Column(
            "refunded_quantity",
            sa.BigInteger(),
            nullable=False,
            comment="Units refunded: max(stated, sum of refunds).",
        ),
        sa.Column(
            "unit_price",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Before discounts; with tax if tax_included.",
        ),
        sa.Column(
            "discount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Of the whole line; positive.",
        ),
        sa.Column("tax", sa.Numeric(precision=18, scale=4), nullable=True, comment="Of the whole line."),
        sa.Column(
            "total",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="quantity x unit_price - discount + tax.",
        ),
        sa.Column(
            "refunded_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Given back for this line, tax included: max(stated, sum of refunds). Positive.",
        ),
        sa.Column(
            "net_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="For `quantity` units: after discounts, before tax and shipping. The line's revenue as sold.",
        ),
        sa.Column(
            "refunded_net_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Part of refunded_amount that undoes net_amount.",
        ),
        sa.Column(
            "stated_refunded_quantity",
            sa.BigInteger(),
            nullable=True,
            comment="Refunded units the order states.",
        ),
        sa.Column(
            "stated_refunded_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Refunded amount the order states.",
        ),
        sa.Column(
            "stated_refunded_net_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Its net part, as stated.",
        ),
        sa.Column("tax_included", sa.Boolean(), nullable=False, comment="Prices contain tax."),
        sa.Column("is_gift_card", sa.Boolean(), nullable=False, comment="A liability, not revenue."),
        sa.CheckConstraint(
            "unit_price <> 'NaN' AND discount <> 'NaN' AND tax <> 'NaN' AND total <> 'NaN' AND refunded_amount <> 'NaN' AND net_amount <> 'NaN' AND refunded_net_amount <> 'NaN'",
            name=op.f("ck_order_items_numbers_only"),
        ),
        sa.CheckConstraint(
            "quantity >= 0 AND cancelled_quantity >= 0 AND refunded_quantity >= 0",
            name=op.f("ck_order_items_quantities"),
        ),
        sa.PrimaryKeyConstraint("order_id", "line_id", name=op.f("pk_order_items")),
        schema="core",
        comment="Order lines, newest version each. Grain: (order_id, line_id).",
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="The source's order id."),
        sa.Column("order_number", sa.Text(), nullable=True, comment="The number buyers and sellers see."),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False, comment="When it was placed."),
        sa.Column(
            "order_date",
            sa.Date(),
            nullable=False,
            comment="Business day of ordered_at in the channel's time zone.",
        ),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Version clock: the source's last change.",
        ),
        sa.Column(
            "customer_key", sa.Text(), nullable=True, comment="Keyed pseudonym of the buyer; never a name."
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="pending, open, completed or cancelled."),
        sa.Column("fulfillment_status", sa.Text(), nullable=True, comment="As the source says."),
        sa.Column("fulfilled_by", sa.Text(), nullable=True, comment="marketplace, merchant or null."),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency of every amount here."),
        sa.Column(
            "subtotal",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Before discounts, tax and shipping.",
        ),
        sa.Column("discount", sa.Numeric(precision=18, scale=4), nullable=True, comment="Positive."),
        sa.Column("shipping", sa.Numeric(precision=18, scale=4), nullable=True, comment="Shipping charged."),
        sa.Column("tax", sa.Numeric(precision=18, scale=4), nullable=True, comment="Tax charged."),
        sa.Column("total", sa.Numeric(precision=18, scale=4), nullable=True, comment="What the buyer paid."),
        sa.Column(
            "refunded",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Positive; given back so far, tax included.",
        ),
        sa.Column("ship_country", sa.Text(), nullable=True, comment="ISO 3166 alpha-2."),
        sa.Column("ship_region", sa.Text(), nullable=True, comment="State or province."),
        sa.Column(
            "is_replacement", sa.Boolean(), nullable=False, comment="Free replacement: no sale, no money."
        ),
        sa.Column("is_test", sa.Boolean(), nullable=False, comment="Test order: kept, counted nowhere."),
        sa.Column(
            "cancelled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Null: not cancelled, or not told when.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.CheckConstraint(
            "status IN ('pending', 'open', 'completed', 'cancelled')", name=op.f("ck_orders_status")
        ),
        sa.CheckConstraint(
            "subtotal <> 'NaN' AND discount <> 'NaN' AND shipping <> 'NaN' AND tax <> 'NaN' AND total <> 'NaN' AND refunded <> 'NaN'",
            name=op.f("ck_orders_numbers_only"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("channel_id", "external_id", name=op.f("uq_orders_channel_id_external_id")),
        schema="core",
        comment="Orders, newest version each. Grain: (channel_id, external_id).",
    )
    op.create_index(
        "ix_orders_order_date",
        "orders",
        ["order_date"],
        unique=False,
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.create_table(
        "products",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("sku", sa.Text(), nullable=False, comment="The merchant's SKU; unique."),
        sa.Column("name", sa.Text(), nullable=True, comment="Newest name any listing states."),
        sa.Column("category", sa.Text(), nullable=True, comment="Newest category any listing states."),
        sa.Column("brand", sa.Text(), nullable=True, comment="Newest brand any listing states."),
        sa.Column("barcode", sa.Text(), nullable=True, comment="Newest barcode any listing states."),
        sa.Column(
            "cost_price",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Unit cost; null where no source says.",
        ),
        sa.Column(
            "is_stub",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="True: seen on an order or in stock, in no catalogue yet.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="First seen.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Last change of this row.",
        ),
        sa.CheckConstraint("cost_price <> 'NaN'", name=op.f("ck_products_numbers_only")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("sku", name=op.f("uq_products_sku")),
        schema="core",
        comment="One product across channels. Grain: merchant SKU.",
    )
    op.create_table(
        "restatements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that moved it."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("order_date", sa.Date(), nullable=False, comment="The day that moved."),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 currency of revenue_delta."),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="Why: sale (late), edit, cancellation, refund, return."
        ),
        sa.Column("events", sa.BigInteger(), nullable=False, comment="Ledger events behind it."),
        sa.Column("orders", sa.BigInteger(), nullable=False, comment="Orders behind it."),
        sa.Column("units_delta", sa.BigInteger(), nullable=False, comment="Change of units sold."),
        sa.Column(
            "revenue_delta",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Change of total_revenue.",
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, comment="When."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restatements")),
        schema="core",
        comment="Past days that moved after they were published: by how much and why. Grain: (run, channel, order_date, currency, kind).",
    )
    op.create_index(
        op.f("ix_restatements_channel_id_order_date"),
        "restatements",
        ["channel_id", "order_date"],
        unique=False,
        schema="core",
    )
    op.create_table(
        "sales_events",
        sa.Column(
            "id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Order of recording."
        ),
        sa.Column("order_id", sa.BigInteger(), nullable=False, comment="core.orders.id."),
        sa.Column(
            "line_id",
            sa.Text(),
            nullable=False,
            comment="core.order_items.line_id, also after the line is gone.",
        ),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column(
            "product_id", sa.BigInteger(), nullable=True, comment="core.products.id; null: no product."
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="sale, edit, cancellation, refund or return."),
        sa.Column("reference", sa.Text(), nullable=False, comment="Refund id for dated refunds, else empty."),
        sa.Column(
            "happened_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it happened; the source's update instant where it does not say.",
        ),
        sa.Column(
            "happened_date",
            sa.Date(),
            nullable=False,
            comment="Business day of happened_at in the channel's zone.",
        ),
        sa.Column("order_date", sa.Date(), nullable=False, comment="Business day of the order."),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 currency of the amounts."),
        sa.Column(
            "units",
            sa.BigInteger(),
            nullable=False,
            comment="Change of units sold (cancelled ones taken out).",
        ),
        sa.Column(
            "gross_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Change of revenue before discounts and tax.",
        ),
        sa.Column(
            "discount_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Change of discounts.",
        ),
        sa.Column(
            "net_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Change of gross less discounts.",
        ),
        sa.Column("refunded_units", sa.BigInteger(), nullable=False, comment="Change of units refunded."),
        sa.Column(
            "refunded_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Change of money given back, tax included.",
        ),
        sa.Column(
            "refunded_net_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Its part before tax and shipping.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that recorded it."),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), nullable=False, comment="When we learned of it."
        ),
        sa.CheckConstraint(
            "gross_amount <> 'NaN' AND discount_amount <> 'NaN' AND net_amount <> 'NaN' AND refunded_amount <> 'NaN' AND refunded_net_amount <> 'NaN'",
            name=op.f("ck_sales_events_numbers_only"),
        ),
        sa.CheckConstraint(
            "kind IN ('sale', 'edit', 'cancellation', 'refund', 'return')", name=op.f("ck_sales_events_kind")
        ),
        sa.PrimaryKeyConstraint("order_id", "id", name=op.f("pk_sales_events")),
        schema="core",
        comment="Immutable ledger of sales with two dates. Grain: one event of one order line. Per line, events add up to its state.",
    )
    op.create_index(
        "ix_sales_events_happened_date",
        "sales_events",
        ["happened_date"],
        unique=False,
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.create_index(
        "ix_sales_events_order_date",
        "sales_events",
        ["order_date"],
        unique=False,
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.create_table(
        "backfill_slices",
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account."),
        sa.Column("resource", sa.Text(), nullable=False, comment="Resource."),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="Included."),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="Excluded."),
        sa.Column("state", sa.Text(), nullable=False, comment="pending, running, done or failed."),
        sa.Column(
            "attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Times tried."
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id of the last try."),
        sa.Column("message", sa.Text(), nullable=True, comment="Why it failed."),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Last change.",
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'done', 'failed')", name=op.f("ck_backfill_slices_state")
        ),
        sa.PrimaryKeyConstraint("account", "resource", "since", "until", name=op.f("pk_backfill_slices")),
        schema="ops",
        comment="Parts of backfills. Grain: (account, resource, since, until).",
    )
    op.create_table(
        "dirty_days",
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("day", sa.Date(), nullable=False, comment="Order date or date something happened."),
        sa.Column(
            "version",
            sa.BigInteger(),
            nullable=False,
            comment="Grows with each change; only what was seen is cleared.",
        ),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False, comment="Last marked."),
        sa.PrimaryKeyConstraint("channel_id", "day", name=op.f("pk_dirty_days")),
        schema="ops",
        comment="Days to publish again. Grain: (channel_id, day).",
    )
    op.create_table(
        "leases",
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account."),
        sa.Column("resource", sa.Text(), nullable=False, comment="Resource."),
        sa.Column("token", sa.BigInteger(), nullable=False, comment="Fencing token: grows with every claim."),
        sa.Column("owner", sa.Text(), nullable=False, comment="Host, process, run."),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False, comment="Claimed."),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=False, comment="Free for others from then on."
        ),
        sa.PrimaryKeyConstraint("account", "resource", name=op.f("pk_leases")),
        schema="ops",
        comment="Who may write, judged by this clock. Grain: (account, resource).",
    )
    op.create_table(
        "observations",
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("resource", sa.Text(), nullable=False, comment="Resource."),
        sa.Column(
            "observed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="End of the last window committed.",
        ),
        sa.Column(
            "held_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Answers are held back as suspect since then; null: trusted.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id."),
        sa.PrimaryKeyConstraint("channel_id", "resource", name=op.f("pk_observations")),
        schema="ops",
        comment="Last successful look at a channel. Grain: (channel_id, resource).",
    )
    op.create_table(
        "provider_health",
        sa.Column("way", sa.Text(), nullable=False, comment="email, sms, slack or webhook."),
        sa.Column(
            "health",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Since when it fails, until when it asked for quiet.",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="Last change."),
        sa.PrimaryKeyConstraint("way", name=op.f("pk_provider_health")),
        schema="ops",
        comment="How each way of notifying is doing. Grain: way.",
    )
    op.create_table(
        "published_days",
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("day", sa.Date(), nullable=False, comment="Business day."),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False, comment="Last published."),
        sa.Column(
            "units", sa.BigInteger(), nullable=False, comment="Units of that order date, as published."
        ),
        sa.Column(
            "revenue",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="total_revenue of that order date, currencies added.",
        ),
        sa.PrimaryKeyConstraint("channel_id", "day", name=op.f("pk_published_days")),
        schema="ops",
        comment="Days published to ClickHouse. Grain: (channel_id, day).",
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account."),
        sa.Column(
            "channel", sa.Text(), nullable=False, comment="Channel name, or empty where it cannot be told."
        ),
        sa.Column("resource", sa.Text(), nullable=False, comment="Resource."),
        sa.Column("natural_key", sa.Text(), nullable=False, comment="Which record."),
        sa.Column("field", sa.Text(), nullable=False, comment="Which field."),
        sa.Column("reason", sa.Text(), nullable=False, comment="What is wrong with it."),
        sa.Column(
            "raw",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The record, without personal data.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that first refused it."),
        sa.Column(
            "times",
            sa.BigInteger(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Runs that refused it.",
        ),
        sa.Column(
            "refused_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="First refused.",
        ),
        sa.Column(
            "last_refused_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Last refused.",
        ),
        sa.Column(
            "replayed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Loaded after all; null: waiting.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        schema="ops",
        comment="Records refused, personal data already taken out. Grain while not replayed: (account, channel, resource, natural_key, field, reason).",
    )
    op.create_index(
        "uq_quarantine_open",
        "quarantine",
        ["account", "channel", "resource", "natural_key", "field", "reason"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("replayed_at IS NULL"),
    )
    op.create_table(
        "rate_buckets",
        sa.Column("key", sa.Text(), nullable=False, comment="Account and operation."),
        sa.Column(
            "per_second", sa.Double(), nullable=False, comment="Tokens restored a second, as last declared."
        ),
        sa.Column("burst", sa.Double(), nullable=False, comment="Most tokens it holds."),
        sa.Column(
            "learned",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True: the channel told us; declared rates no longer count.",
        ),
        sa.Column(
            "full_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it would be full if nobody asked.",
        ),
        sa.Column(
            "blocked_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The channel refused until then.",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_buckets")),
        schema="ops",
        comment="Rate budgets shared by all workers of an account. Grain: key.",
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="sync, backfill, import, rollup, forecast, alerts, …"
        ),
        sa.Column("account", sa.Text(), nullable=True, comment="Seller account, where it is for one."),
        sa.Column("resource", sa.Text(), nullable=True, comment="orders, products, inventory, …"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True, comment="Window start, included."),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True, comment="Window end, excluded."),
        sa.Column("flow_run_id", sa.Text(), nullable=True, comment="The orchestrator's id of the run."),
        sa.Column("owner", sa.Text(), nullable=True, comment="Host and process."),
        sa.Column(
            "outcome", sa.Text(), nullable=False, comment="running, done, failed, deferred or degraded."
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Started.",
        ),
        sa.Column(
            "heartbeat_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Last sign of life.",
        ),
        sa.Column(
            "finished_at", sa.DateTime(timezone=True), nullable=True, comment="Ended; null: running or died."
        ),
        sa.Column(
            "rows_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="Rows staged."
        ),
        sa.Column(
            "rows_inserted",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows new in core.",
        ),
        sa.Column(
            "rows_updated",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows changed in core.",
        ),
        sa.Column(
            "rows_unchanged",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows already known.",
        ),
        sa.Column(
            "rows_quarantined",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Records refused.",
        ),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Further counts, by name.",
        ),
        sa.Column("message", sa.Text(), nullable=True, comment="What happened and what to do next."),
        sa.CheckConstraint(
            "outcome IN ('running', 'done', 'failed', 'deferred', 'degraded')", name=op.f("ck_runs_outcome")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        schema="ops",
        comment="What ran and how it ended. Grain: one run.",
    )
    op.create_index(
        op.f("ix_runs_account_resource_started_at"),
        "runs",
        ["account", "resource", "started_at"],
        unique=False,
        schema="ops",
    )
    op.create_table(
        "schema_notes",
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account."),
        sa.Column("resource", sa.Text(), nullable=False, comment="Resource."),
        sa.Column("note", sa.Text(), nullable=False, comment="What is new or missing."),
        sa.Column(
            "times", sa.BigInteger(), server_default=sa.text("1"), nullable=False, comment="Runs that saw it."
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="First seen.",
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Last seen.",
        ),
        sa.PrimaryKeyConstraint("account", "resource", "note", name=op.f("pk_schema_notes")),
        schema="ops",
        comment="Drift seen in answers, once a kind. Grain: (account, resource, note).",
    )
    op.create_table(
        "suppressed_recipients",
        sa.Column("way", sa.Text(), nullable=False, comment="email, sms, slack or webhook."),
        sa.Column("recipient", sa.Text(), nullable=False, comment="As in the routes."),
        sa.Column("reason", sa.Text(), nullable=True, comment="In the provider's words."),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="First seen."),
        sa.PrimaryKeyConstraint("way", "recipient", name=op.f("pk_suppressed_recipients")),
        schema="ops",
        comment="Addresses providers refuse: blocked, unsubscribed. Grain: (way, recipient).",
    )
    op.create_table(
        "watermarks",
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account."),
        sa.Column("resource", sa.Text(), nullable=False, comment="Resource."),
        sa.Column(
            "read_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Everything changed before it has been read.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that moved it."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it moved."),
        sa.PrimaryKeyConstraint("account", "resource", name=op.f("pk_watermarks")),
        schema="ops",
        comment="How far we have read. Grain: (account, resource).",
    )
    op.create_table(
        "carts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("external_id", sa.Text(), nullable=False, comment="The source's id."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="Begun."),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The source's version clock.",
        ),
        sa.Column(
            "completed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Became an order; null: abandoned.",
        ),
        sa.Column("customer_key", sa.Text(), nullable=True, comment="Keyed pseudonym."),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency."),
        sa.Column(
            "total", sa.Numeric(precision=18, scale=4), nullable=True, comment="What it would have cost."
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.CheckConstraint("total <> 'NaN'", name=op.f("ck_carts_numbers_only")),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_carts_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carts")),
        sa.UniqueConstraint("channel_id", "external_id", name=op.f("uq_carts_channel_id_external_id")),
        schema="core",
        comment="Checkouts begun. Grain: (channel_id, external_id).",
    )
    op.create_table(
        "channel_products",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="Where it is listed."),
        sa.Column("product_id", sa.BigInteger(), nullable=False, comment="What is listed."),
        sa.Column(
            "external_id",
            sa.Text(),
            nullable=False,
            comment="The channel's id: ASIN, variant id, item id, or SKU.",
        ),
        sa.Column("sku", sa.Text(), nullable=True, comment="The SKU as this channel states it."),
        sa.Column(
            "listing_title", sa.Text(), nullable=True, comment="Title of the listing; buyer-facing text."
        ),
        sa.Column(
            "listing_price",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Price asked, in `currency`.",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency of the price."),
        sa.Column("name", sa.Text(), nullable=True, comment="Product name this listing states."),
        sa.Column("category", sa.Text(), nullable=True, comment="Category this listing states."),
        sa.Column("brand", sa.Text(), nullable=True, comment="Brand this listing states."),
        sa.Column("barcode", sa.Text(), nullable=True, comment="Barcode this listing states."),
        sa.Column(
            "cost_price",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Unit cost this listing states.",
        ),
        sa.Column(
            "is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False, comment="Offered now."
        ),
        sa.Column(
            "is_stub",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True: known from an order line only, in no catalogue yet.",
        ),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The source's version clock.",
        ),
        sa.CheckConstraint(
            "listing_price <> 'NaN' AND cost_price <> 'NaN'", name=op.f("ck_channel_products_numbers_only")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["core.channels.id"], name=op.f("fk_channel_products_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["core.products.id"], name=op.f("fk_channel_products_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_products")),
        sa.UniqueConstraint(
            "channel_id", "external_id", name=op.f("uq_channel_products_channel_id_external_id")
        ),
        schema="core",
        comment="A listing. Grain: (channel_id, external_id).",
    )
    op.create_index(
        op.f("ix_channel_products_product_id"),
        "channel_products",
        ["product_id"],
        unique=False,
        schema="core",
    )
    op.create_table(
        "inventory",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("product_id", sa.BigInteger(), nullable=False, comment="core.products.id."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("warehouse_location", sa.Text(), nullable=False, comment="The source's place, e.g. FBA."),
        sa.Column(
            "quantity_available",
            sa.BigInteger(),
            nullable=False,
            comment="Sellable now; negative means 0 sellable.",
        ),
        sa.Column("quantity_reserved", sa.BigInteger(), nullable=True, comment="Promised to orders."),
        sa.Column("quantity_inbound", sa.BigInteger(), nullable=True, comment="On the way here."),
        sa.Column("quantity_on_hand", sa.BigInteger(), nullable=True, comment="Physically here."),
        sa.Column("quantity_unavailable", sa.BigInteger(), nullable=True, comment="Damaged or held."),
        sa.Column("reorder_point", sa.BigInteger(), nullable=True, comment="Units, from the latest plan."),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The source's version clock.",
        ),
        sa.Column(
            "absent_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Complete snapshots no longer name it since then; its quantities are zero.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_inventory_channel_id")),
        sa.ForeignKeyConstraint(["product_id"], ["core.products.id"], name=op.f("fk_inventory_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory")),
        sa.UniqueConstraint(
            "product_id",
            "channel_id",
            "warehouse_location",
            name=op.f("uq_inventory_product_id_channel_id_warehouse_location"),
        ),
        schema="core",
        comment="Stock now. Grain: (product_id, channel_id, warehouse_location).",
    )
    op.create_table(
        "inventory_plans",
        sa.Column("product_id", sa.BigInteger(), nullable=False, comment="core.products.id."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column(
            "mean_daily",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Expected units a day.",
        ),
        sa.Column(
            "lead_time_days",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="From order to shelf.",
        ),
        sa.Column(
            "service_level",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Wanted chance of no stock-out, 0 to 1.",
        ),
        sa.Column(
            "safety_stock",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Units kept against uncertainty.",
        ),
        sa.Column(
            "reorder_point",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Order when available and inbound fall to this.",
        ),
        sa.Column(
            "order_quantity",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="How many to order now; 0: none.",
        ),
        sa.Column(
            "order_by_date", sa.Date(), nullable=True, comment="Last day an order keeps the service level."
        ),
        sa.Column(
            "days_of_cover",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="How long the stock lasts.",
        ),
        sa.Column("stockout_date", sa.Date(), nullable=True, comment="Expected day of running out."),
        sa.Column(
            "p_stockout_lead_time",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Chance within the lead time, 0 to 1.",
        ),
        sa.Column(
            "p_stockout_7d",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Chance within 7 days, 0 to 1.",
        ),
        sa.Column(
            "p_stockout_14d",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Chance within 14 days, 0 to 1.",
        ),
        sa.Column(
            "p_stockout_30d",
            sa.Numeric(precision=18, scale=4, asdecimal=False),
            nullable=True,
            comment="Chance within 30 days, 0 to 1.",
        ),
        sa.Column(
            "planned_at", sa.DateTime(timezone=True), nullable=False, comment="When the plan was made."
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["core.channels.id"], name=op.f("fk_inventory_plans_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["core.products.id"], name=op.f("fk_inventory_plans_product_id")
        ),
        sa.PrimaryKeyConstraint("product_id", "channel_id", name=op.f("pk_inventory_plans")),
        schema="core",
        comment="When and how much to reorder. Grain: (product_id, channel_id).",
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column(
            "order_external_id",
            sa.Text(),
            nullable=False,
            comment="The source's order id; the order may come later.",
        ),
        sa.Column("refund_id", sa.Text(), nullable=False, comment="The source's refund id."),
        sa.Column(
            "line_id", sa.Text(), nullable=False, comment="The order line; empty for the order as a whole."
        ),
        sa.Column("quantity", sa.BigInteger(), nullable=False, comment="Units refunded."),
        sa.Column(
            "amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Positive, tax and shipping included.",
        ),
        sa.Column(
            "net_amount",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Part that undoes item revenue.",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency."),
        sa.Column(
            "refunded_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When; null where the source is silent.",
        ),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The source's version clock.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.CheckConstraint("amount <> 'NaN' AND net_amount <> 'NaN'", name=op.f("ck_refunds_numbers_only")),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_refunds_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint(
            "channel_id",
            "order_external_id",
            "refund_id",
            "line_id",
            name=op.f("uq_refunds_channel_id_order_external_id_refund_id_line_id"),
        ),
        schema="core",
        comment="Dated refunds by line. Grain: (channel_id, order_external_id, refund_id, line_id).",
    )
    op.create_table(
        "returns",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="core.channels.id."),
        sa.Column("return_id", sa.Text(), nullable=False, comment="The source's return id."),
        sa.Column(
            "return_line_id",
            sa.Text(),
            nullable=False,
            comment="The source's line of it; empty where it has none.",
        ),
        sa.Column("order_external_id", sa.Text(), nullable=True, comment="The order it belongs to."),
        sa.Column("line_id", sa.Text(), nullable=True, comment="The order line it belongs to."),
        sa.Column("product_id", sa.BigInteger(), nullable=True, comment="core.products.id."),
        sa.Column("sku", sa.Text(), nullable=True, comment="SKU as the channel states it."),
        sa.Column("quantity", sa.BigInteger(), nullable=False, comment="Units coming back."),
        sa.Column("refunded_quantity", sa.BigInteger(), nullable=True, comment="Units of them refunded."),
        sa.Column(
            "amount", sa.Numeric(precision=18, scale=4), nullable=True, comment="Refunded for them; positive."
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 currency."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why, in the source's words."),
        sa.Column("status", sa.Text(), nullable=True, comment="As the source says."),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True, comment="When."),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The source's version clock.",
        ),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id that wrote this version."),
        sa.CheckConstraint("amount <> 'NaN'", name=op.f("ck_returns_numbers_only")),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_returns_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returns")),
        sa.UniqueConstraint(
            "channel_id",
            "return_id",
            "return_line_id",
            name=op.f("uq_returns_channel_id_return_id_return_line_id"),
        ),
        schema="core",
        comment="Returned goods. Grain: (channel_id, return_id, return_line_id).",
    )
    op.create_table(
        "sku_map",
        sa.Column("channel_id", sa.BigInteger(), nullable=False, comment="Where the SKU is used."),
        sa.Column("channel_sku", sa.Text(), nullable=False, comment="The SKU as the channel states it."),
        sa.Column("sku", sa.Text(), nullable=False, comment="The merchant's SKU it stands for."),
        sa.ForeignKeyConstraint(["channel_id"], ["core.channels.id"], name=op.f("fk_sku_map_channel_id")),
        sa.PrimaryKeyConstraint("channel_id", "channel_sku", name=op.f("pk_sku_map")),
        schema="core",
        comment="A channel's SKU for a merchant SKU. Grain: (channel_id, channel_sku).",
    )
    op.create_table(
        "trained_models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("name", sa.Text(), nullable=False, comment="Model, e.g. lstm."),
        sa.Column("version", sa.Text(), nullable=False, comment="Version, e.g. an instant."),
        sa.Column(
            "trained_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When.",
        ),
        sa.Column("data_from", sa.Date(), nullable=True, comment="First day trained on."),
        sa.Column("data_until", sa.Date(), nullable=True, comment="Last day trained on."),
        sa.Column("series", sa.BigInteger(), nullable=False, comment="Series trained on."),
        sa.Column(
            "scores",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Backtest scores.",
        ),
        sa.Column("sha256", sa.Text(), nullable=False, comment="Hash of the stored file."),
        sa.Column("path", sa.Text(), nullable=False, comment="Where it is stored, below the model folder."),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="ops.runs.id."),
        sa.ForeignKeyConstraint(["run_id"], ["ops.runs.id"], name=op.f("fk_trained_models_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trained_models")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_trained_models_name_version")),
        schema="core",
        comment="Trained models: data span, scores, hash. Grain: (name, version).",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column(
            "idempotency_key", sa.Text(), nullable=False, comment="The same message is never queued twice."
        ),
        sa.Column("alert_id", sa.BigInteger(), nullable=True, comment="core.alerts.id."),
        sa.Column("way", sa.Text(), nullable=False, comment="email, sms, slack or webhook."),
        sa.Column(
            "recipient",
            sa.Text(),
            nullable=False,
            comment="Name of the recipient in the routes, or an address.",
        ),
        sa.Column("severity", sa.Text(), nullable=False, comment="critical, warning or info."),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What to send, rendered or to render.",
        ),
        sa.Column(
            "state",
            sa.Text(),
            server_default=sa.text("'pending'"),
            nullable=False,
            comment="Where it stands.",
        ),
        sa.Column(
            "attempts",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Times claimed for sending.",
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Not before; while sending: claim expires.",
        ),
        sa.Column(
            "not_before", sa.DateTime(timezone=True), nullable=True, comment="When it could first be sent."
        ),
        sa.Column(
            "fingerprint", sa.Text(), nullable=True, comment="The episode it speaks of; null: several."
        ),
        sa.Column("provider_id", sa.Text(), nullable=True, comment="The provider's id of the message."),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the last attempt failed; no secrets."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Queued.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Last change.",
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'accepted', 'delivered', 'undelivered', 'failed', 'unknown', 'cancelled')",
            name=op.f("ck_outbox_state"),
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["core.alerts.id"], name=op.f("fk_outbox_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_outbox_idempotency_key")),
        schema="ops",
        comment="Messages to send and what became of them. Grain: idempotency_key.",
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["next_attempt_at"],
        unique=False,
        schema="ops",
        postgresql_where=sa.text("state IN ('pending', 'sending')"),
    )
    op.create_table(
        "cart_items",
        sa.Column("cart_id", sa.BigInteger(), nullable=False, comment="core.carts.id."),
        sa.Column("line_id", sa.Text(), nullable=False, comment="The source's line id."),
        sa.Column("product_id", sa.BigInteger(), nullable=True, comment="core.products.id."),
        sa.Column("sku", sa.Text(), nullable=True, comment="SKU as the channel states it."),
        sa.Column("external_id", sa.Text(), nullable=True, comment="The channel's product id."),
        sa.Column("title", sa.Text(), nullable=True, comment="Title shown."),
        sa.Column("quantity", sa.BigInteger(), nullable=False, comment="Units."),
        sa.Column("total", sa.Numeric(precision=18, scale=4), nullable=True, comment="Of the line."),
        sa.CheckConstraint("total <> 'NaN'", name=op.f("ck_cart_items_numbers_only")),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["core.carts.id"], name=op.f("fk_cart_items_cart_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cart_id", "line_id", name=op.f("pk_cart_items")),
        schema="core",
        comment="Lines of checkouts. Grain: (cart_id, line_id).",
    )


def downgrade() -> None:
    op.drop_table("cart_items", schema="core")
    op.drop_index(
        "ix_outbox_due",
        table_name="outbox",
        schema="ops",
        postgresql_where=sa.text("state IN ('pending', 'sending')"),
    )
    op.drop_table("outbox", schema="ops")
    op.drop_table("trained_models", schema="core")
    op.drop_table("sku_map", schema="core")
    op.drop_table("returns", schema="core")
    op.drop_table("refunds", schema="core")
    op.drop_table("inventory_plans", schema="core")
    op.drop_table("inventory", schema="core")
    op.drop_index(op.f("ix_channel_products_product_id"), table_name="channel_products", schema="core")
    op.drop_table("channel_products", schema="core")
    op.drop_table("carts", schema="core")
    op.drop_table("watermarks", schema="ops")
    op.drop_table("suppressed_recipients", schema="ops")
    op.drop_table("schema_notes", schema="ops")
    op.drop_index(op.f("ix_runs_account_resource_started_at"), table_name="runs", schema="ops")
    op.drop_table("runs", schema="ops")
    op.drop_table("rate_buckets", schema="ops")
    op.drop_index(
        "uq_quarantine_open",
        table_name="quarantine",
        schema="ops",
        postgresql_where=sa.text("replayed_at IS NULL"),
    )
    op.drop_table("quarantine", schema="ops")
    op.drop_table("published_days", schema="ops")
    op.drop_table("provider_health", schema="ops")
    op.drop_table("observations", schema="ops")
    op.drop_table("leases", schema="ops")
    op.drop_table("dirty_days", schema="ops")
    op.drop_table("backfill_slices", schema="ops")
    op.drop_index(
        "ix_sales_events_order_date",
        table_name="sales_events",
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.drop_index(
        "ix_sales_events_happened_date",
        table_name="sales_events",
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.drop_table("sales_events", schema="core")
    op.drop_index(op.f("ix_restatements_channel_id_order_date"), table_name="restatements", schema="core")
    op.drop_table("restatements", schema="core")
    op.drop_table("products", schema="core")
    op.drop_index(
        "ix_orders_order_date",
        table_name="orders",
        schema="core",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    )
    op.drop_table("orders", schema="core")
    op.drop_table("order_items", schema="core")
    op.drop_index(
        op.f("ix_inventory_history_product_id_channel_id_observed_at"),
        table_name="inventory_history",
        schema="core",
    )
    op.drop_table("inventory_history", schema="core")
    op.drop_index(op.f("ix_forecasts_generated_at"), table_name="forecasts", schema="core")
    op.drop_table("forecasts", schema="core")
    op.drop_table("forecast_runs", schema="core")
    op.drop_table("channels", schema="core")
    op.drop_index(
        "uq_alerts_open_fingerprint",
        table_name="alerts",
        schema="core",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.drop_table("alerts", schema="core")
    op.execute("DROP SEQUENCE ops.dirty_versions")
    op.execute("DROP SCHEMA staging CASCADE")
    op.execute("DROP SCHEMA core")
