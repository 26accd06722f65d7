"""ClickHouse, database `analytics`: what to buy, move and watch. Each table is replaced whole once a day.

Methods and sources: docs/inventory.md.
"""

from clickhouse_connect.cc_sqlalchemy.datatypes.sqltypes import Bool, Date, Float64, Int64, String, UInt64
from clickhouse_connect.cc_sqlalchemy.ddl.tableengine import MergeTree
from sqlalchemy import Table

from warehouse.tables.analytics import code, column, instant, keys, metadata, money, optional

_CURRENCY = "ISO 4217 currency of every amount in the row."
_AS_OF = "When this was computed."

sku_classes = Table(
    "sku_classes",
    metadata,
    *keys(),
    column("as_of", instant(), _AS_OF),
    column(
        "abc", code(), "A: the SKUs that make the first 80 % of value_share, B: the next 15 %, C: the rest."
    ),
    column(
        "xyz", code(), "X: weekly units vary by up to half their mean, Y: up to their mean, Z: more or new."
    ),
    column("basis", code(), "What ABC counts: margin, or revenue where a cost of the channel is unknown."),
    column("currency", code(), _CURRENCY),
    column("value_share", Float64, "Share of the channel's margin or revenue of 365 days, 0 to 1."),
    column("revenue_365d", money(), "Units x net price per unit, 365 days."),
    optional(
        "margin_365d", money(), "Units x (net price - unit cost), 365 days; null where no cost is known."
    ),
    column("units_91d", Int64, "Units sold in 91 days."),
    column("velocity", Float64, "Units a day while in stock, 91 days."),
    optional(
        "weekly_cv", Float64, "Standard deviation of weekly units over their mean; null under 8 whole weeks."
    ),
    optional("sell_through", Float64, "units_91d / (units_91d + sellable now), 0 to 1."),
    optional("days_of_cover", Float64, "Sellable now / velocity; null when nothing sells."),
    column("stockout_days_91d", Int64, "Days of the 91 with nothing sellable."),
    column("lost_units_91d", Float64, "velocity x stockout_days_91d: what would have sold."),
    optional("lost_revenue_91d", money(), "lost_units_91d at the mean net price."),
    optional("last_sold", Date, "Last day with a sale, within 365 days."),
    column("is_slow", Bool, "More than 180 days of cover."),
    column("is_dead", Bool, "In stock, not sold for 180 days, and known for longer than that."),
    optional("stock_value", money(), "Sellable units at unit cost."),
    MergeTree(order_by=("product_id", "channel_id")),
    comment="ABC and XYZ classes, velocity, cover, dead stock, revenue lost by stock-outs. "
    "Grain: channel_id, product_id.",
)

replenishment = Table(
    "replenishment",
    metadata,
    *keys(),
    column("as_of", instant(), _AS_OF),
    column("available", Int64, "Sellable now."),
    column("inbound", Int64, "On the way."),
    column("mean_daily", Float64, "Units expected a day, next four weeks."),
    column("lead_time_days", Float64, "Days from ordering to having."),
    column("service_level", Float64, "Chance wanted that an order cycle passes without a stock-out."),
    column("safety_stock", Float64, "Units above the mean of demand over lead time and review."),
    column("reorder_point", Float64, "Order when available and inbound fall to this."),
    column(
        "optimal_stock",
        Float64,
        "Units that lie there on average at this service: safety stock, half a cycle.",
    ),
    column("order_up_to", Float64, "Units that available and inbound shall reach with an order."),
    column("order_quantity", Float64, "Order now; 0: nothing."),
    optional("order_amount", money(), "order_quantity at unit cost; null where the cost is unknown."),
    column("currency", code(), _CURRENCY),
    optional("order_by_date", Date, "Last day an order keeps the service level; null beyond a year."),
    optional("stockout_date", Date, "Expected day of running out."),
    optional("days_of_cover", Float64, "How long stock lasts by the forecast."),
    column("within_budget", Bool, "False: nothing to order, or the budget went to more urgent orders."),
    MergeTree(order_by=("product_id", "channel_id")),
    comment="What to order now, per channel. Grain: channel_id, product_id.",
)

transfer_suggestions = Table(
    "transfer_suggestions",
    metadata,
    column("product_id", UInt64, "products.product_id."),
    column("from_channel_id", UInt64, "channels.channel_id whose stock gives."),
    column("to_channel_id", UInt64, "channels.channel_id whose stock gets."),
    column("as_of", instant(), _AS_OF),
    column("units", Int64, "Units to move."),
    column("saved", Float64, "Margin the move saves, in the receiving channel's currency."),
    column("cost", Float64, "What the move costs."),
    column("arrives_in_days", Float64, "Days until the units can be sold there."),
    MergeTree(order_by=("product_id", "to_channel_id")),
    comment="Moves between channels' stocks that save more than they cost. Grain: product_id, from_channel_id, "
    "to_channel_id.",
)

stockout_risk = Table(
    "stockout_risk",
    metadata,
    *keys(),
    column("horizon_days", Int64, "7, 14 or 30."),
    column("as_of", instant(), _AS_OF),
    column("probability", Float64, "Chance to run out within the horizon unless more is ordered, 0 to 1."),
    column("risk", code(), "high, medium or low."),
    column(
        "method",
        code(),
        "learned: from past stock; forecast: from the forecast. The better on newest weeks.",
    ),
    optional("learned_probability", Float64, "By the classifier; null until enough history to learn from."),
    optional("forecast_probability", Float64, "By the distribution of forecast demand."),
    MergeTree(order_by=("product_id", "channel_id", "horizon_days")),
    comment="Chance of running out. Grain: channel_id, product_id, horizon_days.",
)

price_effects = Table(
    "price_effects",
    metadata,
    column("category", String, "Category; all: every product."),
    column("as_of", instant(), _AS_OF),
    column("elasticity", Float64, "Percent of units for one percent of price; usually negative."),
    column("elasticity_lo95", Float64, "Lower end of its 95 % interval."),
    column("elasticity_hi95", Float64, "Upper end."),
    column("promo_lift", Float64, "Factor on units on promoted days at the same price; 1: none seen."),
    column("promo_lo95", Float64, "Lower end of its 95 % interval."),
    column("promo_hi95", Float64, "Upper end."),
    column("rows", Int64, "Days and SKUs it rests on."),
    column("items", Int64, "SKUs and channels it rests on."),
    column(
        "is_prior", Bool, "Too few price changes: the interval is mostly what is known of goods in general."
    ),
    MergeTree(order_by="category"),
    comment="Effect of price and promotion on units. Grain: category.",
)

warehouse_allocation = Table(
    "warehouse_allocation",
    metadata,
    *keys(),
    column("warehouse_location", String, "The channel's place, e.g. FBA."),
    column("as_of", instant(), _AS_OF),
    column("available", Int64, "Sellable there now."),
    column("left_daily", Float64, "Units that left it a day in 91 days, while something was there."),
    column("demand_share", Float64, "Its part of the channel's demand by what left it, 0 to 1."),
    column("order_units", Int64, "Of replenishment.order_quantity: what shall go there."),
    column("moved_in", Int64, "Units that shall come from another place of the channel; below 0: go there."),
    optional("days_of_cover", Float64, "available / its part of the forecast; null where nothing sells."),
    MergeTree(order_by=("product_id", "channel_id", "warehouse_location")),
    comment="How an order is spread over a channel's places, and what to move between them; only where there are "
    "several. Grain: channel_id, product_id, warehouse_location.",
)

season_orders = Table(
    "season_orders",
    metadata,
    *keys(),
    column("as_of", instant(), _AS_OF),
    column("until", Date, "Last day of the season asked for."),
    column("expected_units", Float64, "Mean of what will sell until then."),
    column("service_level", Float64, "Critical ratio: (price - cost) / (price - salvage)."),
    column("season_units", Int64, "Units to have for the season: the ratio's quantile of demand."),
    column("order_units", Int64, "season_units less what is there and coming."),
    column("currency", code(), _CURRENCY),
    column("unit_price", money(), "Asked now."),
    column("unit_cost", money(), "What a unit costs."),
    column("expected_profit", money(), "Of the season with season_units, what is left over sold at salvage."),
    MergeTree(order_by=("product_id", "channel_id")),
    comment="One order for a season that cannot be repeated (newsvendor): the newest answer of the deployment "
    "season-order. Grain: channel_id, product_id.",
)

NAMES = (
    "sku_classes",
    "replenishment",
    "transfer_suggestions",
    "stockout_risk",
    "price_effects",
    "warehouse_allocation",
    "season_orders",
)
