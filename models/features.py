"""What the global models see of a series at an origin and of a day ahead: scaled, and never the future.

All values are computed from running sums over the panel, so that any number of (series, origin, step) triples
costs one gather each. Steps are counted from 1; origin column `t` is the last known day.
"""

from dataclasses import dataclass

import numpy as np

from models.base import Bools, Floats, Ints
from models.days import (
    MOVING,
    NEAR_EASTER,
    calendar,
    from_easter,
    promotion_runs,
    same_date_before,
    same_easter_before,
)
from models.panel import Panel
from models.week_profile import Usual, by_weekday, running, usual_of, weekly

YEAR = 364  # 52 weeks: the same weekday a year ago
WINDOWS = (7, 14, 28, 56, 182, 364)
PACES = (7, 14, 28, 91)
SCALE_WINDOW = 91
MOST_OVER_USUAL = 20.0


def calm(y: Floats) -> Floats:
    """Units with lone spikes lowered: no day counts for more than 20 times what a day with sales brought before.

    A typing error of 10⁹ units would otherwise be the scale of everything; a real best day passes. Each day is
    judged by the days before it alone, so cutting the future off changes nothing. The first five days with sales
    are judged together once they are known.
    """
    wild = np.flatnonzero(_has_spike(y)) if y.shape[1] else np.zeros(0, dtype=np.int64)
    if not len(wild):
        return y
    out = y.copy()
    out[wild] = _calmed(y[wild])
    return out


def _has_spike(y: Floats) -> Bools:
    """Series with a day over the limit of `calm`: the walk through the days changes no other."""
    units = np.nan_to_num(y)
    sale = units > 0
    number = np.cumsum(sale, axis=1, dtype=np.int32)
    before, sold = number - sale, np.cumsum(units, axis=1) - units
    found: Bools = np.any((before >= 5) & (units * before > MOST_OVER_USUAL * sold * (1 - 1e-12)), axis=1)
    rows = np.flatnonzero(number[:, -1] >= 5)
    first = np.stack([units[rows, (number[rows] >= k).argmax(axis=1)] for k in range(1, 6)])
    found[rows] |= first.max(axis=0) > MOST_OVER_USUAL * np.median(first, axis=0)
    return found


def _calmed(y: Floats) -> Floats:
    out = y.copy()
    number, total = np.zeros(len(y)), np.zeros(len(y))
    first = np.full((len(y), 5), np.inf)
    for column in range(y.shape[1]):
        today = out[:, column]
        sale = today > 0
        if not sale.any():
            continue
        started = number >= 5
        limit = np.where(started, MOST_OVER_USUAL * total / np.maximum(number, 1), np.inf)
        np.minimum(today, limit, out=today, where=sale & started)
        early = np.flatnonzero(sale & ~started)
        if len(early):
            first[early, number[early].astype(np.int64)] = today[early]
        number += sale
        total += np.where(sale, np.nan_to_num(today), 0.0)
        just = np.flatnonzero(sale & (number == 5))
        for row in just:
            middle = MOST_OVER_USUAL * float(np.median(first[row]))
            past = out[row, : column + 1]
            np.minimum(past, middle, out=past, where=np.isfinite(past))
            total[row] = float(np.nansum(past))
    return out


@dataclass(frozen=True)
class History:
    """Running sums over one panel; column k of a sum holds the total of columns 0 … k-1."""

    panel: Panel
    y: Floats
    known: Floats
    total: Floats
    count: Floats
    squares: Floats
    sold: Floats
    weekly_total: Floats
    weekly_count: Floats
    promo_total: Floats
    promo_count: Floats
    since_sale: Floats
    year_ratio_total: Floats
    year_first: int
    price_total: Floats | None
    usual: Usual
    promo_runs: tuple[Floats, Floats, Floats] | None

    def mean(self, rows: Ints, last: Ints, window: int) -> Floats:
        """Mean known units of the `window` days up to and with column `last`; NaN where nothing is known."""
        return self._between(self.total, self.count, rows, last - window + 1, last + 1)

    def _between(self, total: Floats, count: Floats, rows: Ints, first: Ints, stop: Ints) -> Floats:
        width = self.panel.days
        first, stop = np.clip(first, 0, width), np.clip(stop, 0, width)
        number = count[rows, stop] - count[rows, first]
        with np.errstate(invalid="ignore", divide="ignore"):
            value: Floats = (total[rows, stop] - total[rows, first]) / number
        value[number == 0] = np.nan
        return value

    def same_weekday(self, rows: Ints, last: Ints, weeks: int) -> Floats:
        """Mean known units of column `last` and the same weekday of the weeks before."""
        return weekly(self.weekly_total, self.weekly_count, rows, last, weeks)

    def scale(self, rows: Ints, t: Ints) -> Floats:
        """The series' level: its mean of the last 91 known days, a little of its whole mean, never 0."""
        recent = np.nan_to_num(self.mean(rows, t, SCALE_WINDOW))
        whole = np.nan_to_num(self.mean(rows, t, self.panel.days))
        value: Floats = 0.9 * recent + 0.1 * whole + 0.02
        return value


def history(panel: Panel) -> History:
    """Running sums of a panel, spikes calmed."""
    y = calm(panel.y)
    known = np.isfinite(y).astype(np.float64)
    filled = np.nan_to_num(y)
    width = panel.days
    promo = panel.known.get("promo")
    on_promo = np.zeros_like(known) if promo is None else (promo[:, :width] > 0).astype(np.float64)
    sold_at = np.where(filled > 0, np.arange(width)[None, :], -1)
    since = np.arange(width)[None, :] - np.maximum.accumulate(sold_at, axis=1)
    first, ratio = _year_index(panel, filled, known)
    price = panel.known.get("price")
    return History(
        panel=panel,
        y=y,
        known=known,
        total=running(filled),
        count=running(known),
        squares=running(filled**2),
        sold=running((filled > 0).astype(np.float64)),
        weekly_total=by_weekday(filled),
        weekly_count=by_weekday(known),
        promo_total=running(filled * on_promo),
        promo_count=running(known * on_promo),
        since_sale=since.astype(np.float64),
        year_ratio_total=ratio,
        year_first=first,
        usual=usual_of(panel, filled, known, on_promo),
        promo_runs=None if promo is None else promotion_runs(promo),
        price_total=None if price is None else running(np.nan_to_num(price[:, :width])),
    )


def _year_index(panel: Panel, filled: Floats, known: Floats) -> tuple[int, Floats]:
    """Running sums of all demand by calendar day (series weighted alike up to a root), per category.

    Returns the first day number and an array (1 + categories) × days + 1; row 0 is everything.
    """
    first = int(panel.end.min()) - panel.days + 1
    span = int(panel.end.max()) - first + 1
    level = filled.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    weight = known / np.sqrt(np.maximum(level, 1e-3))[:, None]
    sums = np.zeros((1 + len(panel.categories), span))
    for shift in np.unique(panel.end):
        rows = np.flatnonzero(panel.end == shift)
        begin = int(shift) - panel.days + 1 - first
        block = filled[rows] * weight[rows]
        sums[0, begin : begin + panel.days] += block.sum(axis=0)
        np.add.at(sums[:, begin : begin + panel.days], 1 + panel.category[rows], block)
    return first, running(sums)


def origin_features(h: History, rows: Ints, t: Ints) -> tuple[list[str], Floats]:
    """Names and values (row × feature) of what is known of a series on the evening of column `t`."""
    s = h.scale(rows, t)
    columns: dict[str, Floats] = {"log_scale": np.log(s)}
    for window in WINDOWS:
        columns[f"mean_{window}"] = h.mean(rows, t, window) / s
    for back in range(7):
        columns[f"back_{back}"] = _at(h.y, rows, t - back) / s
    for window in (28, 91):
        mean = np.nan_to_num(h.mean(rows, t, window))
        square = np.nan_to_num(h._between(h.squares, h.count, rows, t - window + 1, t + 1))
        columns[f"spread_{window}"] = np.sqrt(np.maximum(square - mean**2, 0)) / s
        columns[f"sold_{window}"] = h._between(h.sold, h.count, rows, t - window + 1, t + 1)
    for window in PACES:
        columns[f"pace_{window}"] = h.usual.pace(rows, t, window, s)
    columns["since_sale"] = np.log1p(h.since_sale[rows, t])
    columns["age"] = np.log1p(t - h.panel.start[rows])
    columns["known_28"] = (h.count[rows, t + 1] - h.count[rows, np.maximum(t - 27, 0)]) / 28
    year_ago = h.mean(rows, t - YEAR, 28)
    columns["year_ago_level"] = year_ago / s
    columns["category"] = h.panel.category[rows].astype(np.float64)
    columns["channel"] = h.panel.channel[rows].astype(np.float64)
    if "promo" in h.panel.known:
        columns["promo_share"] = _share(h, rows, t, 28)
        columns["promo_lift"] = promo_lift(h, rows, t)
    return list(columns), np.column_stack(list(columns.values()))


def target_features(h: History, rows: Ints, t: Ints, step: Ints) -> tuple[list[str], Floats]:
    """Names and values (row × feature) of the day `step` after column `t`: calendar, same days before, plans."""
    s = h.scale(rows, t)
    target = t + step
    last_same = target - 7 * np.ceil(step / 7).astype(np.int64)
    columns: dict[str, Floats] = {
        "step": step.astype(np.float64),
        "same_1": _at(h.y, rows, last_same) / s,
    }
    for weeks in (4, 8, 26):
        columns[f"same_{weeks}"] = h.same_weekday(rows, last_same, weeks) / s
    day = h.panel.end[rows] - (h.panel.days - 1) + target
    columns |= calendar(day)
    columns |= _usual_features(h, rows, t, target, last_same)
    around = h._between(h.total, h.count, rows, target - YEAR - 3, target - YEAR + 4)
    base = h.mean(rows, t - YEAR, 28)
    columns["year_week"] = around / s
    columns["year_same"] = _at(h.y, rows, target - YEAR) / s
    columns["year_growth"] = np.clip(around / (base + 0.1 * s), 0, 10)
    columns["year_fortnight"] = h._between(h.total, h.count, rows, target - YEAR - 14, target - YEAR + 15) / s
    columns["all_growth"] = _group_growth(h, np.zeros_like(rows), h.panel.day(t, rows), day)
    if len(h.panel.categories) > 1:
        columns["category_growth"] = _group_growth(h, 1 + h.panel.category[rows], h.panel.day(t, rows), day)
    for name, values in h.panel.known.items():
        now = _at(values, rows, target)
        if name == "price":
            usual = _usual_price(h, rows, t)
            columns["price_ratio"] = np.clip(now / usual, 0, 5)
            columns["price_log"] = np.log1p(now)
        else:
            columns[name] = now
            columns[f"{name}_before"] = _at(values, rows, target - 1)
            columns[f"{name}_after"] = _at(values, rows, np.minimum(target + 1, values.shape[1] - 1))
    if h.promo_runs is not None:
        for name, values in zip(("promo_day", "promo_left", "promo_since"), h.promo_runs, strict=True):
            columns[name] = _at(values, rows, target)
        lift = promo_lift(h, rows, t)
        on = columns["promo"] > 0
        share = _share(h, rows, t, SCALE_WINDOW)
        columns["promo_expect"] = np.where(on, lift, 1.0) / (1 + share * (lift - 1))
    return list(columns), np.column_stack(list(columns.values()))


def _usual_features(h: History, rows: Ints, t: Ints, target: Ints, last_same: Ints) -> dict[str, Floats]:
    """What such a weekday brings with, or without, a promotion; and what its like a year ago brought over the usual."""
    s, usual = h.scale(rows, t), h.usual
    plan = h.panel.known.get("promo")
    promo = np.zeros(len(rows)) if plan is None else np.nan_to_num(_at(plan, rows, target))
    columns = {f"usual_{weeks}": usual.mean(rows, last_same, promo, weeks) / s for weeks in (8, 26)}
    columns["expected"] = columns["usual_26"] * usual.pace(rows, t, 28, s)
    day, today = h.panel.day(target, rows), h.panel.day(t, rows)
    by_date, by_easter = same_date_before(day), same_easter_before(day)
    # shut for Easter last year says nothing of this year's date, and the other way round
    for name, like, told in (
        ("date", by_date, ~np.isin(from_easter(by_date), MOVING)),
        ("easter", by_easter, np.isin(from_easter(day), NEAR_EASTER)),
    ):
        columns[f"all_same_{name}"] = np.where(told, usual.on_day(like, today), np.nan)
        columns[f"own_same_{name}"] = np.where(told, usual.own(rows, t + like - today, h.y, s, t), np.nan)
    return columns


def promo_lift(h: History, rows: Ints, t: Ints) -> Floats:
    """Mean units on promotion days over mean units on others in the year up to `t`, shrunk towards 1.5."""
    first = np.maximum(t - YEAR, 0)
    on_units = h.promo_total[rows, t + 1] - h.promo_total[rows, first]
    on_days = h.promo_count[rows, t + 1] - h.promo_count[rows, first]
    off_units = h.total[rows, t + 1] - h.total[rows, first] - on_units
    off_days = h.count[rows, t + 1] - h.count[rows, first] - on_days
    off = (off_units + 0.1) / (off_days + 1)
    value: Floats = np.clip((on_units + 10 * 1.5 * off) / (on_days + 10) / off, 0.2, 20)
    return value


def _share(h: History, rows: Ints, t: Ints, window: int) -> Floats:
    first = np.maximum(t - window + 1, 0)
    on = h.promo_count[rows, t + 1] - h.promo_count[rows, first]
    value: Floats = on / np.maximum(h.count[rows, t + 1] - h.count[rows, first], 1)
    return value


def _usual_price(h: History, rows: Ints, t: Ints) -> Floats:
    if h.price_total is None:
        return np.full(len(rows), np.nan)
    first = np.maximum(t - SCALE_WINDOW + 1, 0)
    value: Floats = (h.price_total[rows, t + 1] - h.price_total[rows, first]) / (t + 1 - first)
    return np.maximum(value, 1e-9)


def _group_growth(h: History, group: Ints, origin_day: Ints, day: Ints) -> Floats:
    """How much more the group sold around this day last year than in the four weeks up to that year's origin."""
    sums, first = h.year_ratio_total, h.year_first

    def mean(begin: Ints, stop: Ints) -> Floats:
        low, high = np.clip(begin - first, 0, sums.shape[1] - 1), np.clip(stop - first, 0, sums.shape[1] - 1)
        days = high - low
        with np.errstate(invalid="ignore", divide="ignore"):
            value: Floats = (sums[group, high] - sums[group, low]) / days
        value[days < 5] = np.nan
        return value

    # weeks further back than the panel reaches are not known, and a week after the origin must not be read
    around = mean(day - YEAR - 3, np.minimum(day - YEAR + 4, origin_day + 1))
    base = mean(origin_day - YEAR - 27, origin_day - YEAR + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = np.clip(around / base, 0.1, 10)
    return value


def _at(values: Floats, rows: Ints, column: Ints) -> Floats:
    """Value of a column, NaN where it lies before the panel or beyond its end."""
    inside = (column >= 0) & (column < values.shape[1])
    out = np.full(len(rows), np.nan)
    out[inside] = values[rows[inside], column[inside]]
    return out
