"""When to reorder, how much, and how likely stock runs out first: from the distribution of summed demand.

The protection interval is lead time plus review period; the reorder point is the service-level quantile of
demand over it, safety stock what that holds above the mean (Silver, Pyke & Thomas, ch. 6-7). Quantiles come
from `models.cumulative`, so errors that hang together from day to day are already in them. A supplier who is not
always as quick widens them: demand over an uncertain time is the mixture of demand over the possible times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from models.base import Floats, Ints
from models.cumulative import CHANCES, column

WINDOWS = (7, 14, 30)
LEAD_STEPS = (-1.645, -1.036, -0.674, -0.385, -0.126, 0.126, 0.385, 0.674, 1.036, 1.645)  # normal deciles
LONGEST_COVER = 999  # days: beyond this, "no end in sight"

_AT_ONCE = 5000  # items whose mixtures are in memory together

RESULT_SCHEMA: dict[str, type[pl.DataType]] = {
    "mean_daily": pl.Float64,
    "safety_stock": pl.Float64,
    "reorder_point": pl.Float64,
    "order_quantity": pl.Float64,
    "order_by_date": pl.Date,
    "days_of_cover": pl.Float64,
    "stockout_date": pl.Date,
    "p_stockout_lead_time": pl.Float64,
    "p_stockout_7d": pl.Float64,
    "p_stockout_14d": pl.Float64,
    "p_stockout_30d": pl.Float64,
}


@dataclass(frozen=True)
class Demand:
    """Summed demand of each item: quantiles items × leads × chances, and means items × leads. Lead 0 is nothing."""

    leads: Ints
    quantiles: Floats
    means: Floats

    def at(self, lead: Floats) -> tuple[Floats, Floats]:
        """(quantiles items × chances, means) at a lead time per item, in days; beyond the last lead the mean
        goes on at its pace and the spread grows with the root of time."""
        last = int(self.leads[-1])
        inside = np.minimum(lead, last)
        right = np.clip(np.searchsorted(self.leads, inside), 1, len(self.leads) - 1)
        left = right - 1
        share = (inside - self.leads[left]) / (self.leads[right] - self.leads[left])
        rows = np.arange(len(lead))
        low, high = self.quantiles[rows, left], self.quantiles[rows, right]
        quantiles = low + share[:, None] * (high - low)
        means = self.means[rows, left] + share * (self.means[rows, right] - self.means[rows, left])
        beyond = np.maximum(lead / last, 1.0)
        further = means * beyond
        quantiles = further[:, None] + (quantiles - means[:, None]) * np.sqrt(beyond)[:, None]
        return np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=1), further

    def drawn(self, lead: Floats, offsets: Floats) -> Floats:
        """Demand over a time that varies, `lead` and one of `offsets` (items × possibilities, in days), each as likely:
        items × values, rising, each as likely."""
        steps = _between(np.linspace(0.01, 0.99, 99))
        values = np.concatenate(
            [self.at(np.maximum(lead + days, 0.5))[0] @ steps for days in offsets.T], axis=1
        )
        values.sort(axis=1)
        return values

    def quantile_over(self, lead: Floats, offsets: Floats, chance: Floats) -> Floats:
        """Demand that is not exceeded with `chance` (per item) over a time that varies, as in `drawn`."""
        found = np.empty(len(lead))
        for first in range(0, len(lead), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            some = Demand(self.leads, self.quantiles[part], self.means[part])
            found[part] = quantile_of(some.drawn(lead[part], offsets[part]), chance[part])
        return found

    def exceeds(self, lead: Floats, stock: Floats) -> Floats:
        """Probability that demand over `lead` days takes all of `stock`; 1 where there is none and it sells."""
        quantiles, means = self.at(lead)
        chance = np.empty(len(lead))
        for row, (values, units) in enumerate(zip(quantiles, stock, strict=True)):
            chance[row] = _beyond(values, float(units))
        none_left = stock <= 0
        return np.where(none_left, (means > 0).astype(np.float64), chance)


def reorder(
    position: pl.DataFrame,
    forecast: pl.DataFrame,
    cumulative: pl.DataFrame,
    *,
    lead_time_days: float,
    lead_time_sd_days: float = 0.0,
    review_days: float = 1.0,
    service_level: float = 0.95,
    past_delays: Sequence[float] = (),
    now_date: date,
) -> pl.DataFrame:
    """One row per row of `position` (a SKU on a channel): its columns and those of RESULT_SCHEMA, in units and days.

    `position`: `series_id`, `available`, and optionally `inbound`, `deliveries` (of `models.supply.expected`; null
    where nothing is known of them) or `inbound_days` (until all of it arrives; default half the lead time),
    `lead_time_days`, `lead_time_sd_days`, `service_level`, `pack_size`, `min_order_quantity`. `forecast`: forecast
    rows (the ensemble is used where there are several models). `cumulative`: as `ForecastResult.cumulative`.
    `past_delays`: by how many days past orders missed their usual time; where there are any, they stand for the lead
    time's spread instead of a normal one of `lead_time_sd_days`.
    A series without a forecast gets nulls. `order_quantity` is 0 while stock and inbound are above the reorder point.
    `order_by_date` is the last day an order keeps the service level: at the reorder point there is a review period
    left until then. Null when beyond a year.
    """
    if not 0.5 <= service_level < 1:
        raise ValueError(f"service_level must be from 0.5 to under 1, not {service_level}")
    if lead_time_days <= 0 or review_days < 0:
        raise ValueError("lead_time_days must be positive and review_days not negative")
    known = position.filter(pl.col("series_id").is_in(cumulative["series_id"].unique().to_list()))
    if known.is_empty():
        return position.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in RESULT_SCHEMA.items())
    demand = summed(known["series_id"].to_list(), cumulative)
    stock = _number(known, "available", 0.0)
    inbound = _number(known, "inbound", 0.0)
    lead = _number(known, "lead_time_days", lead_time_days)
    spread = _number(known, "lead_time_sd_days", lead_time_sd_days)
    wanted = _number(known, "service_level", service_level)
    coming = _deliveries(known, inbound, lead)
    protected = lead + review_days
    offsets = possible_delays(spread, past_delays)
    point = np.ceil(demand.quantile_over(protected, offsets, wanted) - 1e-9)
    last_point = demand.quantile_over(lead, offsets, wanted)
    _, protected_mean = demand.at(protected)
    on_hand_or_coming = stock + inbound
    mean_daily = _mean_daily(known["series_id"].to_list(), forecast)
    up_to = point + np.ceil(mean_daily * max(review_days, 1.0))
    missing = np.where(on_hand_or_coming <= point, np.maximum(up_to - on_hand_or_coming, 0.0), 0.0)
    missing = np.where(mean_daily > 0, missing, 0.0)
    quantity = _in_packs(missing, _number(known, "pack_size", 1.0), _number(known, "min_order_quantity", 0.0))
    cover = _days_until(demand, stock, mean_daily)
    reached = stock
    for days, units in coming:
        # What is on its way helps only if the shelf is not empty before it arrives.
        reached = np.where((units > 0) & ~(cover < days), reached + units, reached)
        cover = np.where(reached > stock, _days_until(demand, reached, mean_daily), cover)
    until_point = _days_until(demand, on_hand_or_coming - last_point, mean_daily, median=False)
    chances = {
        window: _chance(demand, np.full(len(lead), float(window)), stock, coming) for window in WINDOWS
    }
    result = known.with_columns(
        mean_daily=pl.Series(mean_daily),
        safety_stock=pl.Series(np.maximum(point - protected_mean, 0.0)),
        reorder_point=pl.Series(point),
        order_quantity=pl.Series(quantity),
        order_by_date=_dates(now_date, until_point, 365),
        days_of_cover=pl.Series(cover).fill_nan(None),
        stockout_date=_dates(now_date, cover, LONGEST_COVER),
        p_stockout_lead_time=pl.Series(_chance(demand, lead, stock, coming)),
        p_stockout_7d=pl.Series(chances[7]),
        p_stockout_14d=pl.Series(np.maximum(chances[14], chances[7])),
        p_stockout_30d=pl.Series(np.maximum.reduce([chances[7], chances[14], chances[30]])),
    )
    unknown = position.filter(~pl.col("series_id").is_in(known["series_id"].to_list()))
    return pl.concat([result, unknown], how="diagonal")


def quantile_of(drawn: Floats, chance: Floats) -> Floats:
    """The value that a share `chance` (per item) of the rising values of `Demand.drawn` lies below."""
    at = np.clip(chance * (drawn.shape[1] + 1) - 1, 0, drawn.shape[1] - 1)
    low = np.floor(at).astype(np.int64)
    rows = np.arange(len(drawn))
    high = np.minimum(low + 1, drawn.shape[1] - 1)
    found: Floats = drawn[rows, low] + (at - low) * (drawn[rows, high] - drawn[rows, low])
    return found


def possible_delays(spread: Floats, past_delays: Sequence[float]) -> Floats:
    """Items × possibilities: by how many days the time may differ from its mean, each as likely."""
    if len(past_delays):
        middles = (np.arange(20) + 0.5) / 20
        return np.tile(np.quantile(np.asarray(past_delays, dtype=np.float64), middles), (len(spread), 1))
    if not (spread > 0).any():
        return np.zeros((len(spread), 1))
    return np.outer(spread, LEAD_STEPS)


def _between(chances: Floats) -> Floats:
    """CHANCES × chances: what quantiles at CHANCES are multiplied with to give those at `chances`."""
    return np.array([np.interp(chances, CHANCES, one) for one in np.eye(len(CHANCES))])


def summed(ids: list[str], cumulative: pl.DataFrame) -> Demand:
    """Summed demand of `ids`, each of which is in `cumulative`."""
    leads = np.array(sorted(cumulative["lead_days"].unique().to_list()))
    ordered = pl.DataFrame({"series_id": ids}).with_row_index("_item").join(
        cumulative, on="series_id", how="left"
    ).sort("_item", "lead_days")  # fmt: skip
    names = [column(chance) for chance in CHANCES]
    values = ordered.select(names).to_numpy().reshape(len(ids), len(leads), len(names))
    means = ordered["mean"].to_numpy().reshape(len(ids), len(leads))
    nothing = np.zeros((len(ids), 1, len(names)))
    return Demand(
        leads=np.concatenate([[0], leads]),
        quantiles=np.concatenate([nothing, values], axis=1),
        means=np.concatenate([nothing[:, :, 0], means], axis=1),
    )


def _number(frame: pl.DataFrame, name: str, default: float) -> Floats:
    if name not in frame.columns:
        return np.full(frame.height, default)
    filled = frame[name].cast(pl.Float64).fill_null(default)
    values: Floats = filled.to_numpy().copy()
    return values


def _mean_daily(ids: list[str], forecast: pl.DataFrame) -> Floats:
    """Mean units a day over the next four weeks of the forecast."""
    rows = forecast
    if "model" in forecast.columns and "ensemble" in forecast["model"].unique().to_list():
        rows = forecast.filter(pl.col("model") == "ensemble")
    means = rows.sort("date").group_by("series_id").agg(mean=pl.col("yhat").head(28).mean())
    joined = pl.DataFrame({"series_id": ids}).join(means, on="series_id", how="left", maintain_order="left")
    values: Floats = joined["mean"].fill_null(0.0).to_numpy().copy()
    return values


def _deliveries(known: pl.DataFrame, inbound: Floats, lead: Floats) -> list[tuple[Floats, Floats]]:
    """(days until it arrives, units) per item of the first delivery, the second and so on; 0 units: there is none."""
    arrives = _number(known, "inbound_days", np.nan)
    first = (np.where(np.isnan(arrives), np.ceil(lead / 2), arrives), inbound)
    if "deliveries" not in known.columns:
        return [first]
    told = known["deliveries"].to_list()
    most = max((len(each) for each in told if each), default=0)
    found = []
    for place in range(most):
        days, units = np.full(len(lead), np.inf), np.zeros(len(lead))
        for row, each in enumerate(told):
            if each and place < len(each):
                days[row], units[row] = each[place]["days"], each[place]["units"]
        found.append((days, units))
    unknown = np.array([each is None for each in told])
    return [(first[0], np.where(unknown, first[1], 0.0)), *found] if unknown.any() else found


def _chance(demand: Demand, window: Floats, stock: Floats, coming: list[tuple[Floats, Floats]]) -> Floats:
    """Chance to run out within the window: before one of the deliveries arrives, or after the last of them."""
    worst, there = np.zeros(len(window)), stock
    for days, units in coming:
        comes = (units > 0) & (days < window)
        before = demand.exceeds(np.minimum(window, np.maximum(days, 1e-6)), there)
        worst = np.where(comes, np.maximum(worst, before), worst)
        there = np.where(comes, there + units, there)
    value: Floats = np.maximum(worst, demand.exceeds(window, there))
    return value


def _beyond(quantiles: Floats, units: float) -> float:
    """1 - distribution function at `units`, from quantiles; a geometric tail above the last."""
    last = float(quantiles[-1])
    if units > last:
        middle = float(quantiles[len(quantiles) // 2])
        return float((1 - CHANCES[-1]) * np.exp(-(units - last) / max((last - middle) / 2.5, 1e-6)))
    grid = np.concatenate([[0.0], quantiles])
    chances = np.concatenate([[0.0], CHANCES])
    at = int(np.searchsorted(grid, units, side="left"))
    at = min(max(at, 1), len(grid) - 1)
    width = grid[at] - grid[at - 1]
    share = (units - grid[at - 1]) / width if width > 0 else 1.0
    return float(1 - (chances[at - 1] + share * (chances[at] - chances[at - 1])))


def _days_until(demand: Demand, units: Floats, mean_daily: Floats, *, median: bool = True) -> Floats:
    """Days until summed demand (median, or mean) has taken `units`; NaN when it never does, 0 when it has."""
    middle = CHANCES.index(0.50)
    days = np.full(len(units), np.nan)
    for row, wanted in enumerate(units):
        path = demand.quantiles[row, :, middle] if median else demand.means[row]
        # the median of rare demand stays 0 for weeks although it does sell: the mean decides there
        path = demand.means[row] if path[-1] <= 0 else path
        if wanted <= 0:
            days[row] = 0.0 if mean_daily[row] > 0 else np.nan
        elif path[-1] > wanted:
            days[row] = float(np.interp(wanted, np.maximum.accumulate(path), demand.leads))
        elif path[-1] > 0:
            days[row] = min(demand.leads[-1] * wanted / path[-1], LONGEST_COVER)
    return days


def _in_packs(missing: Floats, pack: Floats, least: Floats) -> Floats:
    whole = np.maximum(pack, 1.0)
    asked = np.where(missing > 0, np.maximum(missing, least), 0.0)
    value: Floats = np.maximum(np.ceil(asked / whole - 1e-9), 0.0) * whole
    return value


def _dates(now: date, days: Floats, most: float) -> pl.Series:
    return pl.Series(
        [now + timedelta(days=int(value)) if np.isfinite(value) and value < most else None for value in days],
        dtype=pl.Date,
    )
