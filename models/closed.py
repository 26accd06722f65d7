"""Days ahead on which nothing can be sold: weekdays a shop never opens, holidays on which it stayed shut before.

Learned from the history alone. A holiday moves with the date or with Easter; it counts as shut where nine of ten
series that nearly always sell on that weekday sold nothing, or fewer of them and the series itself.
"""

import numpy as np

from models.base import Bools, Floats, Ints
from models.days import MOVING, from_easter, same_date_before, same_easter_before
from models.features import History

LEAST_WEEKS = 8
WEEKS = 26
YEARS = 3
ALL_SHUT, SOME_SHUT = 0.9, 0.3
BUSY = 0.5  # share of days with sales from which a weekday without any is a closed one


def closed_ahead(h: History, horizon: int) -> Bools:
    """Series × horizon: True where nothing is expected to be sold because nothing is open."""
    weekday = _closed_weekdays(h)
    step = np.arange(1, horizon + 1)
    closed: Bools = weekday[:, step % 7]
    for offset in np.unique(h.panel.end):
        rows = np.flatnonzero(h.panel.end == offset)
        for number in step:
            day = int(offset) + int(number)
            closed[rows, number - 1] |= _kept_shut(h, rows, day)
    return closed


def _closed_weekdays(h: History) -> Bools:
    """Series × 7 (column k: the k-th day after the last, 0 the last itself): never a sale on this weekday."""
    width = h.panel.days
    sold, known = np.zeros((h.panel.size, 7)), np.zeros((h.panel.size, 7))
    for back in range(min(7 * WEEKS, width)):
        column = width - 1 - back
        sold[:, -back % 7] += h.y[:, column] > 0
        known[:, -back % 7] += h.known[:, column]
    dense = sold.sum(axis=1) / np.maximum(known.sum(axis=1), 1) * 7 / 6 >= BUSY
    own: Bools = (sold == 0) & (known >= LEAST_WEEKS) & dense[:, None]
    if len(np.unique(h.panel.end)) == 1:  # columns are the same weekday for all
        everyone = (sold.sum(axis=0) == 0) & (sold.sum() >= 500) & (known.max(axis=0) >= LEAST_WEEKS)
        own |= everyone[None, :]
    return own


def _kept_shut(h: History, rows: Ints, day: int) -> Bools:
    """Of some rows: shut on the like of this day, in the last year that can tell."""
    found: Bools = np.zeros(len(rows), dtype=np.bool_)
    for by_easter in (False, True):
        like = np.array([day])
        if by_easter and int(from_easter(like)[0]) not in MOVING:
            continue
        for _ in range(YEARS):
            like = same_easter_before(like) if by_easter else same_date_before(like)
            if not by_easter and int(from_easter(like)[0]) in MOVING:
                continue  # shut for Easter, not for its date
            share = _shut(h, int(like[0]))
            if np.isfinite(share):
                if share >= ALL_SHUT:
                    found[:] = True
                elif share >= SOME_SHUT:
                    column = h.panel.days - 1 - (h.panel.end[rows] - int(like[0]))
                    inside = (column >= 0) & (column < h.panel.days)
                    row, at = rows[inside], column[inside]
                    found[inside] |= h.usual.sells[row, at] & (h.y[row, at] == 0)
                break
    return found


def _shut(h: History, day: int) -> float:
    at = day - h.usual.first_day
    values: Floats = h.usual.shut
    return float(values[at]) if 0 <= at < len(values) else float("nan")
