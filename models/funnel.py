"""Where carts are left: the own shop's events by product and hour, checkouts left by product, hour, price and segment.

Frames in, frames out.
"""

from datetime import datetime, timedelta

import polars as pl

PATIENCE = timedelta(hours=24)  # between the cart and the purchase; later, it was left
STEPS = {
    "product_view": "views",
    "add_to_cart": "adds",
    "remove_from_cart": "removes",
    "checkout": "checkouts",
    "purchase": "purchases",
}
BANDS = {10: "0-10", 25: "10-25", 50: "25-50", 100: "50-100", 250: "100-250"}
_CELL = ["date", "hour", "sku"]


def by_hour(events: pl.DataFrame, zone: str, now: datetime) -> pl.DataFrame:
    """One row per date, hour (of `zone`) and sku: sessions at each step, units, carts left by `now`, and price_band.

    `events`: kind, happened_at, session_key, sku, product_id, quantity, price. A session counts once per hour and
    product. `price_band` is of the mean price told in the hour, empty when none was.
    `abandoned` counts sessions of `adds` without a purchase of the product within PATIENCE of putting it there.
    """
    local = pl.col("happened_at").dt.convert_time_zone(zone)
    dated = events.with_columns(date=local.dt.date(), hour=local.dt.hour().cast(pl.Int64))
    units = pl.col("quantity")
    counted = dated.group_by(_CELL).agg(
        pl.col("product_id").first(),
        price_band(pl.col("price").mean()).alias("price_band"),
        *(
            pl.col("session_key").filter(pl.col("kind") == kind).n_unique().cast(pl.Int64).alias(name)
            for kind, name in STEPS.items()
        ),
        units_added=units.filter(pl.col("kind") == "add_to_cart").sum(),
        units_purchased=units.filter(pl.col("kind") == "purchase").sum(),
    )
    visit = ["session_key", "sku"]
    added = (
        dated.filter(pl.col("kind") == "add_to_cart")
        .group_by("session_key", *_CELL)
        .agg(added_at=pl.col("happened_at").max())
        .filter(pl.col("added_at") + PATIENCE <= now)
        .sort("added_at")
    )
    bought = (
        dated.filter(pl.col("kind") == "purchase").select(*visit, bought_at="happened_at").sort("bought_at")
    )
    left = (
        added.join_asof(
            bought, left_on="added_at", right_on="bought_at", by=visit, strategy="forward", tolerance=PATIENCE,
            check_sortedness=False,
        )
        .group_by(_CELL)
        .agg(abandoned=pl.col("bought_at").is_null().sum().cast(pl.Int64))
    )  # fmt: skip
    return counted.join(left, on=_CELL, how="left").with_columns(pl.col("abandoned").fill_null(0)).sort(_CELL)


def price_band(price: pl.Expr) -> pl.Expr:
    """The band of BANDS a unit's price lies in; empty where it is not known."""
    band = pl.when(price.is_null()).then(pl.lit("")).otherwise(pl.lit("250+"))
    for limit, name in reversed(BANDS.items()):
        band = pl.when(price < limit).then(pl.lit(name)).otherwise(band)
    return band


def left_by(carts: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
    """One row per date, hour, channel_id, product_id, currency, price_band and segment: carts, recovered, units_left,
    amount_left, recoverable_amount.

    `carts`: one row per checkout left and product (`warehouse.insight.carts_left`); `segments`: customer_key,
    currency, segment.
    """
    price = pl.col("amount").cast(pl.Float64) / pl.col("units")
    known = carts.join(
        segments.select("customer_key", "currency", "segment"), on=["customer_key", "currency"], how="left"
    ).with_columns(price_band=price_band(price), segment=pl.col("segment").fill_null(""))
    is_left = ~pl.col("is_recovered")
    return (
        known.group_by("date", "hour", "channel_id", "product_id", "currency", "price_band", "segment")
        .agg(
            carts=pl.len().cast(pl.Int64),
            recovered=pl.col("is_recovered").sum().cast(pl.Int64),
            units_left=pl.col("units").filter(is_left).sum(),
            amount_left=pl.col("amount").filter(is_left).sum(),
            recoverable_amount=pl.col("amount").filter("is_reachable").sum(),
        )
        .sort("date", "hour", "channel_id", "product_id", "price_band", "segment")
    )


def conversion(orders: pl.DataFrame, carts: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
    """One row per channel_id, currency, hour and segment: orders, left_checkouts, recovered, conversion, amount_left.

    `orders`: channel_id, currency, hour, customer_key, orders. `carts`: `warehouse.insight.carts_left` of the same
    days. `segments`: customer_key, currency, segment.
    """
    cell = ["channel_id", "currency", "hour", "segment"]
    known = segments.select("customer_key", "currency", "segment")

    def segmented(frame: pl.DataFrame) -> pl.DataFrame:
        joined = frame.join(known, on=["customer_key", "currency"], how="left")
        return joined.with_columns(pl.col("segment").fill_null(""))

    whole = carts.group_by("cart_id", "channel_id", "currency", "hour", "customer_key").agg(
        pl.col("is_recovered").first(), pl.col("amount").sum()
    )
    is_left = ~pl.col("is_recovered")
    left = segmented(whole).group_by(cell).agg(
        left_checkouts=is_left.sum().cast(pl.Int64),
        recovered=pl.col("is_recovered").sum().cast(pl.Int64),
        amount_left=pl.col("amount").filter(is_left).sum().cast(pl.Float64),
    )  # fmt: skip
    placed = segmented(orders).group_by(cell).agg(pl.col("orders").sum().cast(pl.Int64))
    both = placed.join(left, on=cell, how="full", coalesce=True).with_columns(
        pl.col("orders", "left_checkouts", "recovered", "amount_left").fill_null(0)
    )
    begun = pl.col("orders") + pl.col("left_checkouts")
    return both.filter(begun > 0).with_columns(conversion=pl.col("orders") / begun).sort(cell)
