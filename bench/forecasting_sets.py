"""The demand sets the forecasts are measured on, as series frames. Sources: docs/forecasting.md."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

NOT_PRODUCTS = (
    r"^(POST|DOT|M|C2|C3|D|S|B|PADS|CRUK|BANK CHARGES|ADJUST2?|AMAZONFEE|TEST.*|GIFT.*|DCGS.*|SP.*)$"
)


def online_retail(data: Path, limit: int, seed: int) -> pl.DataFrame:
    """Units per SKU and day of a UK gift shop, two years; SKUs a year old with at least 40 days of sales."""
    names = ["invoice", "sku", "title", "quantity", "at", "price", "customer", "country"]
    files = [data / "online_retail_ii" / f"year_{years}.parquet" for years in ("2009_2010", "2010_2011")]
    old, new = (
        pl.read_parquet(file).rename(dict(zip(pl.read_parquet(file).columns, names, strict=True)))
        for file in files
    )
    new = new.filter(~pl.col("invoice").is_in(old["invoice"].unique().to_list()))
    sold = (
        pl.concat([old.with_columns(pl.col("at").cast(pl.Datetime("us"))), new], how="vertical_relaxed")
        .with_columns(pl.col("sku").str.to_uppercase(), date=pl.col("at").cast(pl.Date))
        .filter(~pl.col("invoice").str.starts_with("C"), pl.col("quantity") > 0, pl.col("price") > 0)
        .filter(~pl.col("sku").str.contains(NOT_PRODUCTS))
        .group_by("sku", "date")
        .agg(y=pl.col("quantity").sum().cast(pl.Float64))
    )
    span = sold.group_by("sku").agg(first=pl.col("date").min(), days=pl.len()).sort("sku")
    able = span.filter(pl.col("days") >= 40, pl.col("first") <= date(2010, 12, 9))["sku"].to_list()
    chosen = _choose(able, limit, seed)
    return _dense(sold.filter(pl.col("sku").is_in(chosen)).rename({"sku": "series_id"}), date(2011, 12, 9))


def m5(data: Path, limit: int, seed: int) -> pl.DataFrame:
    """Units per item and Walmart store, the last three years, with the shelf price."""
    daily = pl.read_parquet(data / "m5_walmart_sample" / "daily.parquet")
    frame = daily.filter(pl.col("date") > daily["date"].max() - timedelta(days=1096)).select(
        series_id=pl.concat_str("item_id", "store_id", separator="|"),
        date="date",
        y=pl.col("value").cast(pl.Float64),
        price="sell_price",
        category="dept_id",
        channel="store_id",
    )
    chosen = _choose(sorted(frame["series_id"].unique()), limit, seed)
    return frame.filter(pl.col("series_id").is_in(chosen)).sort("series_id", "date")


def store_items(data: Path, limit: int, seed: int) -> pl.DataFrame:
    """Units per store and item, 3.2 years; very regular, widely taken to be simulated."""
    frame = pl.read_parquet(data / "store_item_demand" / "train_stores_1_4.parquet").select(
        series_id=pl.format("s{}|i{}", "store", "item"), date="date", y=pl.col("sales").cast(pl.Float64)
    )
    chosen = _choose(sorted(frame["series_id"].unique()), limit, seed)
    return frame.filter(pl.col("series_id").is_in(chosen), pl.col("date") >= date(2014, 10, 15)).sort(
        "series_id", "date"
    )


def promotions(data: Path, limit: int, seed: int) -> pl.DataFrame:
    """Simulated shops with promotion weeks known ahead, closed Sundays and holidays, and a yearly season."""
    rng = np.random.default_rng(seed)
    days = [date(2022, 6, 1) + timedelta(days=k) for k in range(942)]
    weekday = np.array([day.weekday() for day in days])
    year = np.array([day.timetuple().tm_yday for day in days]) / 365.25 * 2 * np.pi
    closed = (weekday == 6) | np.array(
        [(day.month, day.day) in {(12, 25), (12, 26), (1, 1), (5, 1)} for day in days]
    )
    frames = []
    for shop in range(limit):
        promo = np.zeros(len(days))
        for week in range(0, len(days) // 7):
            if rng.random() < 0.45:
                promo[week * 7 + (7 - weekday[0]) % 7 :][:5] = 1
        season = (
            1
            + rng.uniform(0.05, 0.3) * np.sin(year + rng.uniform(0, 0.6))
            + 0.25 * np.exp(-((year - 6.1) ** 2) / 0.05)
        )
        week = 1 + 0.25 * rng.standard_normal(7)
        level = rng.lognormal(2.5, 0.8) * np.exp(np.cumsum(rng.normal(0, 0.006, len(days))))
        mean = level * season * np.clip(week[weekday], 0.3, 2) * (1 + promo * rng.uniform(0.2, 1.1)) * ~closed
        units = rng.negative_binomial(60, 60 / (60 + np.maximum(mean, 1e-9))) * ~closed
        frames.append(
            pl.DataFrame(
                {"series_id": f"shop{shop:03d}", "date": days, "y": units.astype(float), "promo": promo}
            )
        )
    return pl.concat(frames)


SETS: dict[str, Callable[[Path, int, int], pl.DataFrame]] = {
    "or2": online_retail,
    "m5": m5,
    "sid": store_items,
    "promo": promotions,
}
SIZES = {"or2": 250, "m5": 70, "sid": 100, "promo": 60}


def _choose(names: list[str], limit: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return sorted(rng.choice(names, size=min(limit, len(names)), replace=False).tolist())


def _dense(sold: pl.DataFrame, last: date) -> pl.DataFrame:
    grid = sold.group_by("series_id").agg(date=pl.date_range(pl.col("date").min(), last)).explode("date")
    return (
        grid.join(sold, on=["series_id", "date"], how="left")
        .with_columns(pl.col("y").fill_null(0.0))
        .sort("series_id", "date")
    )
