"""The demand sets the forecasts are measured on, as series frames. Sources: docs/forecasting.md."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from models.days import from_easter
from models.panel import EPOCH

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
    frame = daily.filter(pl.col("date") > pl.col("date").max().dt.offset_by("-1096d")).select(
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
    """Simulated shops of one chain: promotion weeks known ahead, closed Sundays and holidays (Easter's among them)."""
    rng = np.random.default_rng(seed)
    days = [date(2022, 11, 1) + timedelta(days=k) for k in range(964)]
    weekday = np.array([day.weekday() for day in days])
    holiday = np.array([_is_holiday(day) for day in days])
    year = np.array([day.timetuple().tm_yday for day in days]) / 365.25 * 2 * np.pi
    advent = np.array([1 + 0.5 * max(0.0, 1 - abs((date(day.year, 12, 20) - day).days) / 25) for day in days])
    before_holiday = 1 + 0.25 * np.append(holiday[1:], False)
    week_number = np.arange(len(days) + weekday[0]) // 7
    chain = rng.random(week_number[-1] + 1) < 0.5
    frames = []
    for shop in range(limit):
        own = np.where(rng.random(len(chain)) < 0.9, chain, rng.random(len(chain)) < 0.5)
        promo = (own[week_number[weekday[0] :]] & (weekday < 5)).astype(float)
        lift = rng.uniform(0.2, 0.8) * np.array([1.3, 1.0, 0.8, 0.7, 0.8, 0.0, 0.0])[weekday] * promo
        week = np.clip(1 + 0.15 * rng.standard_normal(7), 0.5, 1.6)[weekday]
        season = 1 + rng.uniform(0.02, 0.2) * np.sin(year + rng.uniform(0, 0.6))
        closed = holiday | ((weekday == 6) & (shop % 10 > 0))
        level = rng.lognormal(4.0, 0.7) * np.exp(np.cumsum(rng.normal(0, 0.004, len(days))))
        mean = level * season * week * advent * before_holiday * (1 + lift) * ~closed
        units = rng.negative_binomial(60, 60 / (60 + np.maximum(mean, 1e-9))) * ~closed
        frames.append(
            pl.DataFrame(
                {"series_id": f"shop{shop:03d}", "date": days, "y": units.astype(float), "promo": promo}
            )
        )
    return pl.concat(frames)


def priced_items(data: Path, limit: int, seed: int) -> pl.DataFrame:
    """Simulated slow and fast grocery items in four shops: price cuts known ahead, paydays, two closed days a year."""
    rng = np.random.default_rng(seed)
    days = [date(2023, 1, 15) + timedelta(days=k) for k in range(800)]
    weekday = np.array([day.weekday() for day in days])
    closed = np.array([(day.month, day.day) in {(12, 25), (1, 1)} for day in days])
    payday = np.array([1.2 if day.day in (1, 2, 15, 16) else 1.0 for day in days])
    year = np.array([day.timetuple().tm_yday for day in days]) / 365.25 * 2 * np.pi
    frames = []
    for item in range(limit):
        promo, day = np.zeros(len(days)), 0
        while day < len(days):
            day += int(rng.exponential(45))
            promo[day : day + int(rng.integers(3, 15))] = 1
            day += 15
        usual, cut = rng.lognormal(1.5, 0.6), rng.uniform(0.1, 0.4)
        week = (1 + rng.uniform(0.1, 0.5) * (weekday >= 4)) * payday
        season = 1 + rng.uniform(0, 0.3) * np.sin(year + rng.uniform(0, 6.28))
        level = rng.lognormal(1.0, 1.1) * np.exp(np.cumsum(rng.normal(0, 0.008, len(days))))
        mean = level * week * season * (1 + promo * cut * rng.uniform(1, 7)) * ~closed
        size = rng.uniform(1, 8)
        units = rng.negative_binomial(size, size / (size + np.maximum(mean, 1e-9))) * ~closed
        columns = {"date": days, "y": units.astype(float), "price": np.round(usual * (1 - cut * promo), 2)}
        labels = {"category": f"c{item // 4 % 5}", "channel": f"shop{item % 4}"}
        frames.append(
            pl.DataFrame(
                {"series_id": f"item{item // 4:03d}|{item % 4}", **columns, "promo": promo, **labels}
            )
        )
    return pl.concat(frames)


SETS: dict[str, Callable[[Path, int, int], pl.DataFrame]] = {
    "or2": online_retail,
    "m5": m5,
    "sid": store_items,
    "promo": promotions,
    "items": priced_items,
}
SIZES = {
    "sample": {"or2": 80, "m5": 70, "sid": 30, "promo": 30, "items": 40},
    "full": {"or2": 250, "m5": 70, "sid": 100, "promo": 60, "items": 200},
}


def _is_holiday(day: date) -> bool:
    """Shops of the simulated chain are shut: fixed days and those that move with Easter."""
    fixed, moving = {(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)}, {-2, 1, 39, 50}
    easter = int(from_easter(np.array([(day - EPOCH).days]))[0])
    return (day.month, day.day) in fixed or easter in moving


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


def with_stock_outs(series: pl.DataFrame, share: float, days: int = 180, seed: int = 5) -> pl.DataFrame:
    """The same with a share of the last `days` out of stock: `y` 0 and `in_stock` 0, four days at a time."""
    rng = np.random.default_rng(seed)
    out = np.zeros(series.height)
    for start in np.flatnonzero(rng.random(series.height) < share / 4.0):
        out[start : start + 4] = 1
    gone = pl.lit(pl.Series(out > 0)) & (pl.col("date") > pl.col("date").max().dt.offset_by(f"-{days}d"))
    return series.with_columns(
        y=pl.when(gone).then(0.0).otherwise("y"), in_stock=pl.when(gone).then(0.0).otherwise(1.0)
    )
