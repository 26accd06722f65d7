"""ClickHouse, database `analytics`: stock as it was and is, forecasts and how right they were."""

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import Bool, Date, Float64, Int64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree
from sqlalchemy import Table, text

from warehouse.tables.analytics import code, column, instant, keys, metadata, optional

inventory_daily = Table(
    "inventory_daily",
    metadata,
    column("date", Date, "Business day in the channel's time zone.", clickhousedb_codec="Delta, ZSTD(1)"),
    *keys(),
    column("closing_units", Int64, "Sellable units at the end of the day (now, for today); never below 0."),
    column("in_stock", Bool, "Something was sellable at some time of the day."),
    MergeTree(order_by=("product_id", "channel_id", "date"), partition_by=text("toYYYYMM(date)")),
    comment="Stock by day since it was first observed. Grain: date, channel_id, product_id.",
)

inventory_health = Table(
    "inventory_health",
    metadata,
    *keys(),
    column("as_of", instant(), "When this was computed."),
    column("quantity_available", Int64, "Sellable units now, all places; never below 0."),
    column("quantity_reserved", Int64, "Promised to orders."),
    column("quantity_inbound", Int64, "On the way."),
    optional("reorder_point", Int64, "Order when available falls to this."),
    column("units_sold_28d", Int64, "Units sold in the 28 days before today."),
    column("days_in_stock_28d", Int64, "Of those days, the ones with something sellable."),
    column("stockout_days_28d", Int64, "Of those days, the ones with nothing sellable."),
    optional("velocity", Float64, "Units a day while in stock: units_sold_28d / days_in_stock_28d."),
    optional("days_of_cover", Float64, "quantity_available / velocity; null when nothing sells."),
    optional("sell_through", Float64, "units_sold_28d / (units_sold_28d + quantity_available), 0 to 1."),
    MergeTree(order_by=("product_id", "channel_id")),
    comment="Stock against recent sales, now. Grain: channel_id, product_id.",
)

forecasts = Table(
    "forecasts",
    metadata,
    column("forecast_date", Date, "The day forecast."),
    *keys(),
    column("model_type", code(), "prophet, lstm, arima, ensemble, …; ensemble is the one to use."),
    column("predicted_units", Float64, "Expected (mean) units."),
    column("lower_80", Float64, "10 % quantile."),
    column("upper_80", Float64, "90 % quantile."),
    column("lower_95", Float64, "2.5 % quantile."),
    column("upper_95", Float64, "97.5 % quantile."),
    column("generated_at", instant(), "When the forecast was made."),
    MergeTree(order_by=("product_id", "channel_id", "model_type", "forecast_date")),
    comment="Latest forecast of every series. Grain: forecast_date, channel_id, product_id, model_type.",
)

forecast_accuracy = Table(
    "forecast_accuracy",
    metadata,
    column("date", Date, "The day forecast, now past.", clickhousedb_codec="Delta, ZSTD(1)"),
    *keys(),
    column("model_type", code(), "prophet, lstm, arima, ensemble, …"),
    column("generated_at", instant(), "When the forecast was made."),
    column("horizon_days", Int64, "Days between making the forecast and the day."),
    column("units", Int64, "Units sold."),
    column("in_stock", Bool, "False: sales were capped by stock; leave the row out of accuracy."),
    column("predicted_units", Float64, "What was expected."),
    column("absolute_error", Float64, "abs(units - predicted_units)."),
    column("in_80", Bool, "units lay within the 80 % interval."),
    column("in_95", Bool, "units lay within the 95 % interval."),
    MergeTree(
        order_by=("model_type", "channel_id", "product_id", "date", "generated_at"),
        partition_by=text("toYYYYMM(date)"),
    ),
    comment="Forecasts against what was sold. Grain: date, channel_id, product_id, model_type, generated_at.",
)
