"""The bar and the cheap members: seasonal naive, weekday means, TSB. All series at once."""

from collections.abc import Sequence

import numpy as np

from models.base import Floats, Origin
from models.features import calm
from models.panel import Panel
from models.week_profile import by_weekday, running, weekly


class SeasonalNaive:
    """The last known week again: each day ahead sells what the same weekday sold last."""

    name = "seasonal_naive"

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset; a weekday never seen gets the series' mean, a series never seen 0."""
        return {origin.offset: _naive(panel.cut(origin.offset), horizon) for origin in origins}


class WeekdayMean:
    """Mean of the last eight known days of the same weekday: the fallback when a better member fails."""

    name = "weekday_mean"

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset."""
        y = calm(panel.y)
        filled, known = np.nan_to_num(y), np.isfinite(y).astype(np.float64)
        sums = by_weekday(filled), by_weekday(known), running(filled), running(known)
        return {o.offset: weekday_mean(sums, panel.days - 1 - o.offset, horizon) for o in origins}


class Tsb:
    """Teunter-Syntetos-Babai: smoothed chance of a sale times smoothed size; decays when an item dies.

    Source: Teunter, Syntetos & Babai (2011). Flat over the horizon, so only a member for intermittent demand.
    """

    name = "tsb"

    def __init__(self, size_rate: float = 0.1, chance_rate: float = 0.03) -> None:
        self.size_rate = size_rate
        self.chance_rate = chance_rate

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset, one walk through the days for all origins."""
        y = calm(panel.y)
        wanted = {panel.days - 1 - origin.offset: origin.offset for origin in origins}
        chance, size = np.zeros(panel.size), np.zeros(panel.size)
        days, sales = np.zeros(panel.size), np.zeros(panel.size)
        out: dict[int, Floats] = {}
        for column in range(panel.days):
            today = y[:, column]
            seen, sale = np.isfinite(today), today > 0
            days += seen
            sales += sale
            # running means until the slow rates take over
            chance_rate = np.maximum(self.chance_rate, 1 / np.maximum(days, 1))
            size_rate = np.maximum(self.size_rate, 1 / np.maximum(sales, 1))
            chance = np.where(seen, chance + chance_rate * (sale - chance), chance)
            size = np.where(sale, size + size_rate * (np.nan_to_num(today) - size), size)
            if column in wanted:
                out[wanted[column]] = np.repeat((chance * size)[:, None], horizon, axis=1)
        for origin in origins:
            out.setdefault(origin.offset, np.full((panel.size, horizon), np.nan))
        return out


def _naive(panel: Panel, horizon: int) -> Floats:
    y = panel.y
    week = np.full((panel.size, 7), np.nan)
    for back in range(min(8 * 7, panel.days)):
        slot = 6 - back % 7
        value = y[:, panel.days - 1 - back]
        week[:, slot] = np.where(np.isnan(week[:, slot]), value, week[:, slot])
    week = np.where(np.isnan(week), _mean(y)[:, None], week)
    return week[:, np.arange(horizon) % 7]


def weekday_mean(
    sums: tuple[Floats, Floats, Floats, Floats], last: int, horizon: int, weeks: int = 8
) -> Floats:
    """Mean of the same weekday over the `weeks` up to column `last`, series × horizon; 0 where nothing is known.

    `sums`: units and known days, by_weekday and running.
    """
    weekly_total, weekly_count, total, count = sums
    size = len(total)
    if last < 0:
        return np.zeros((size, horizon))
    out = np.empty((size, horizon))
    rows = np.arange(size)
    for slot in range(min(7, horizon)):
        column = np.full(size, last + slot - 6)
        out[:, slot::7] = weekly(weekly_total, weekly_count, rows, column, weeks)[:, None]
    first = max(last - 55, 0)
    number = count[:, last + 1] - count[:, first]
    whole = np.where(number > 0, (total[:, last + 1] - total[:, first]) / np.maximum(number, 1), 0.0)
    return np.where(np.isnan(out), whole[:, None], out)


def _mean(y: Floats) -> Floats:
    known = np.isfinite(y).sum(axis=1)
    value: Floats = np.nansum(y, axis=1) / np.maximum(known, 1)
    return value
