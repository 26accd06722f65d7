"""What is usual for a day: the mean of its weekday, with or without a promotion; and how far past days were from it.

Everything is causal: a past day is compared with the 26 weeks before it, a day ahead with those before its origin.
"""

from dataclasses import dataclass

import numpy as np

from models.base import Bools, Floats, Ints
from models.panel import Panel

WEEKS = 26
OPEN_SHARE = 0.9  # of a weekday's days with sales from which a day without any says "closed"
FEW = 5
LEAST_KNOWN = 6  # such days before it


@dataclass(frozen=True)
class Usual:
    """Running sums over one panel by weekday and promotion; `index`: units of a calendar day over what was usual.

    `shut`: of the series that nearly always sell on its weekday, the share without a sale on that calendar day, NaN
    where fewer than FEW such series are known. `sells`: which those are, series × column.
    """

    on: tuple[Floats, Floats]
    off: tuple[Floats, Floats]
    expected: Floats  # running sum of what was usual on known days
    sold: Floats  # running sum of what was sold on the same days
    index: Floats
    shut: Floats
    sells: Bools
    first_day: int

    def mean(self, rows: Ints, last: Ints, promo: Floats, weeks: int) -> Floats:
        """Mean units of column `last` and the same weekdays before it, of days with a promotion or without."""
        return np.where(promo > 0, weekly(*self.on, rows, last, weeks), weekly(*self.off, rows, last, weeks))

    def pace(self, rows: Ints, t: Ints, window: int, scale: Floats) -> Floats:
        """Units of the last `window` days over what was usual for them; `scale` of both steadies small numbers."""
        first = np.maximum(t - window + 1, 0)
        sold = self.sold[rows, t + 1] - self.sold[rows, first]
        expected = self.expected[rows, t + 1] - self.expected[rows, first]
        value: Floats = (sold + scale) / (expected + scale)
        return value

    def on_day(self, day: Ints, until: Ints) -> Floats:
        """`index` of calendar days, NaN for days after `until` or outside the panel."""
        at = day - self.first_day
        out = np.full(len(day), np.nan)
        inside = (at >= 0) & (at < len(self.index)) & (day <= until)
        out[inside] = self.index[at[inside]]
        return out

    def own(self, rows: Ints, column: Ints, y: Floats, scale: Floats, last: Ints) -> Floats:
        """A series' units of a past column over what was usual for it then; NaN after `last` or before the panel."""
        out = np.full(len(rows), np.nan)
        inside = (column >= 0) & (column <= last)
        row, at, unit = rows[inside], column[inside], 0.1 * scale[inside]
        usual = self.expected[row, at + 1] - self.expected[row, at]
        out[inside] = np.clip((y[row, at] + unit) / (usual + unit), 0, 5)
        return out


def usual_of(panel: Panel, filled: Floats, known: Floats, on_promo: Floats) -> Usual:
    """Sums of a panel whose units are `filled` where `known`."""
    on = by_weekday(filled * on_promo), by_weekday(known * on_promo)
    off = by_weekday(filled * (1 - on_promo)), by_weekday(known * (1 - on_promo))
    before = np.where(on_promo > 0, _before(*on), _before(*off))
    both = np.isfinite(before) & (known > 0)
    expected, sold = np.where(both, before, 0.0), np.where(both, filled, 0.0)
    weekdays = by_weekday(known)
    sells = _before(by_weekday((filled > 0).astype(np.float64)), weekdays, LEAST_KNOWN) >= OPEN_SHARE
    first = int(panel.end.min()) - panel.days + 1
    span = int(panel.end.max()) - first + 1
    level = expected.sum(axis=1) / np.maximum((expected > 0).sum(axis=1), 1)
    weight = 1 / np.sqrt(np.maximum(level, 1e-3))[:, None]
    sums = np.zeros((4, span))
    parts = (sold * weight, expected * weight, (sells & both & (filled == 0)) * 1.0, (sells & both) * 1.0)
    for end in np.unique(panel.end):
        rows = np.flatnonzero(panel.end == end)
        begin = int(end) - panel.days + 1 - first
        for number, values in enumerate(parts):
            sums[number, begin : begin + panel.days] += values[rows].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        index, shut = sums[0] / sums[1], np.where(sums[3] >= FEW, sums[2] / sums[3], np.nan)
    return Usual(on, off, running(expected), running(sold), index, shut, sells, first)


def by_weekday(values: Floats) -> Floats:
    """Column c + 7 holds the total of columns c, c-7, c-14 …; the first 7 columns are 0."""
    out = np.zeros((values.shape[0], values.shape[1] + 7))
    out[:, 7:] = values
    for column in range(14, out.shape[1]):
        out[:, column] += out[:, column - 7]
    return out


def weekly(total: Floats, count: Floats, rows: Ints, last: Ints, weeks: int) -> Floats:
    """Mean of column `last` and the same weekday of the weeks before; NaN where nothing is known."""
    most = total.shape[1] - 1
    high = np.clip(last + 7, 0, most)
    low = last + 7 - 7 * weeks
    low = np.where(low < 0, (last + 7) % 7, np.minimum(low, most))
    number = count[rows, high] - count[rows, low]
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = (total[rows, high] - total[rows, low]) / number
    value[number == 0] = np.nan
    return value


def _before(total: Floats, count: Floats, least: int = 1) -> Floats:
    """For each column the mean of the same weekday in the WEEKS before it; NaN where fewer than `least` are known."""
    span = 7 * (WEEKS + 1)
    sums, numbers = np.zeros_like(total), np.zeros_like(count)
    sums[:, 7:], numbers[:, 7:] = total[:, :-7], count[:, :-7]
    if total.shape[1] > span:
        sums[:, span:] -= total[:, :-span]
        numbers[:, span:] -= count[:, :-span]
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = sums / numbers
    value[numbers < least] = np.nan
    return value[:, 7:]


def running(values: Floats) -> Floats:
    out = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out
