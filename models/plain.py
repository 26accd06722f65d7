"""Demand as it would have been without promotions and holidays, for members that know only the past units.

Units of promotion days are divided by the series' lift, days on which everyone was shut are not known; what such a
member says is then multiplied by the lift on the promotion days ahead.
"""

from dataclasses import replace

import numpy as np

from models.base import Bools, Floats
from models.features import YEAR, history
from models.panel import Panel

ALL_SHUT = 0.9
STEADY = 14  # promotion days of the average lift that every series is taken to have seen
MOST = 10.0


def plain_demand(panel: Panel, learned_at: int) -> tuple[Panel, Floats | None]:
    """The panel without promotions and holidays, and the lift, series × (days + known ahead): 1 on common days.

    No lift where promotions are not known. It is learned, weekday by weekday, from the days up to `learned_at` days
    before the end.
    """
    y = panel.y.copy()
    _forget_holidays(panel, y)
    promo = panel.known.get("promo")
    if promo is None:
        return replace(panel, y=y), None
    on = promo > 0
    factor = np.where(on, _lift(y, on, panel.days - learned_at)[:, None], 1.0)
    return replace(panel, y=y / factor[:, : panel.days]), factor


def _forget_holidays(panel: Panel, y: Floats) -> None:
    """Days on which series that nearly always sell sold nothing all together are made unknown for them."""
    usual = history(panel).usual
    shut = np.nan_to_num(usual.shut) >= ALL_SHUT
    if shut.any():
        at = panel.end[:, None] - (panel.days - 1) + np.arange(panel.days)[None, :] - usual.first_day
        y[shut[at] & usual.sells & (y == 0)] = np.nan


def _lift(y: Floats, on: Bools, stop: int) -> Floats:
    """Per series, units on promotion days over what the same weekdays bring without, in the year before `stop`."""
    first = max(0, stop - YEAR)
    seen, promoted = y[:, first:stop], on[:, first:stop]
    brought, expected, days = np.zeros(len(y)), np.zeros(len(y)), np.zeros(len(y))
    for weekday in range(7):
        units, flags = seen[:, weekday::7], promoted[:, weekday::7]
        known = np.isfinite(units)
        off = known & ~flags
        with np.errstate(invalid="ignore", divide="ignore"):
            usual = np.where(off, units, 0.0).sum(axis=1) / off.sum(axis=1)
        told = np.isfinite(usual)
        number = np.where(told, (known & flags).sum(axis=1), 0)
        brought += np.where(told, np.where(known & flags, units, 0.0).sum(axis=1), 0.0)
        expected += number * np.nan_to_num(usual)
        days += number
    if not expected.sum():
        return np.ones(len(y))
    common = brought.sum() / expected.sum()
    level = expected / np.maximum(days, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = (brought + STEADY * common * level) / (expected + STEADY * level)
    found: Floats = np.clip(np.where(np.isfinite(lift), lift, common), 1 / MOST, MOST)
    return found
