"""Prophet: a stiff trend, weekly and (from 14 months on) yearly season, promotion and price where they vary.

Own fits for the series that matter most, one fit per group shared out by level for the rest. Uncertainty
sampling is off: the intervals are learned from past errors instead. Prophet leaves a folder per fit in the
temporary directory until its process ends, so each fit clears what it left.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models.base import Bools, Floats, Ints, Origin
from models.features import calm
from models.panel import EPOCH, Panel

YEARLY_FROM = 425  # days of history under which a yearly season is noise
MOST_DAYS = 1_100
GROUP_SIZE = 20


class ProphetModel:
    """Fits each series of the panel for each origin: a refit is the only way Prophet learns a new day."""

    name = "prophet"

    def __init__(self, countries: Mapping[str, str] | None = None) -> None:
        self.countries = countries or {}

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset; a series whose fit fails is NaN."""
        out: dict[int, Floats] = {}
        for origin in origins:
            cut = panel.cut(origin.offset)
            y = calm(cut.y)
            values = np.full((panel.size, horizon), np.nan)
            for row in range(panel.size):
                covariates = {name: known[row] for name, known in cut.known.items() if name == "promo"}
                country = country_of(cut, row, self.countries)
                values[row] = fit_one(y[row], int(cut.end[row]), covariates, horizon, country)
            out[origin.offset] = values
        return out


class ProphetGroups:
    """One fit per group of series that end on the same day, shared out by each series' recent level."""

    name = "prophet"

    def __init__(self, countries: Mapping[str, str] | None = None, most_groups: int = 40) -> None:
        self.countries = countries or {}
        self.most_groups = most_groups

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset for every series."""
        out: dict[int, Floats] = {}
        for origin in origins:
            cut = panel.cut(origin.offset)
            y, values = calm(cut.y), np.full((panel.size, horizon), np.nan)
            for rows in groups(cut, self.most_groups):
                level = np.nan_to_num(np.nanmean(np.nan_to_num(y[rows, -91:], nan=np.nan), axis=1))
                known = np.isfinite(y[rows])
                share = known * level[:, None]
                with np.errstate(invalid="ignore", divide="ignore"):
                    # units per unit of level among the series known that day: gaps do not read as falls
                    total = np.nan_to_num(y[rows]).sum(axis=0) / share.sum(axis=0)
                total[share.sum(axis=0) <= 0.3 * level.sum()] = np.nan
                promo = cut.known.get("promo")
                covariates = {} if promo is None else {"promo": promo[rows].mean(axis=0)}
                country = country_of(cut, int(rows[0]), self.countries)
                ahead = fit_one(total, int(cut.end[rows[0]]), covariates, horizon, country)
                values[rows] = level[:, None] * ahead[None, :]
            out[origin.offset] = values
        return out


def country_of(panel: Panel, row: int, countries: Mapping[str, str]) -> str | None:
    """Whose public holidays count for a series; None where that is not known or not a country of `holidays`."""
    if not countries:
        return None
    import holidays

    code = countries.get(panel.channels[panel.channel[row]], countries.get(""))
    return code if code in holidays.list_supported_countries(include_aliases=False) else None


def groups(panel: Panel, most: int) -> list[Ints]:
    """Rows that may share a fit: same last day, same category and channel where that leaves groups large enough."""
    key = panel.category * len(panel.channels) + panel.channel
    if len(np.unique(key)) > max(1, min(most, panel.size // GROUP_SIZE)):
        key = panel.category
    if len(np.unique(key)) > max(1, min(most, panel.size // GROUP_SIZE)):
        key = np.zeros(panel.size, dtype=np.int64)
    ends = np.unique(panel.end)
    if len(ends) > most:  # many different last days: only the commonest are fitted
        numbers = [(panel.end == end).sum() for end in ends]
        ends = ends[np.argsort(numbers)[::-1][:most]]
    found = [np.flatnonzero((panel.end == end) & (key == one)) for end in ends for one in np.unique(key)]
    return [rows for rows in found if len(rows)]


def fit_one(
    y: Floats, end: int, covariates: dict[str, Floats], horizon: int, country: str | None = None
) -> Floats:
    """The `horizon` days after day number `end`; NaN where there are under 14 known days or the fit fails."""
    known = np.isfinite(y)
    known[: max(0, len(y) - MOST_DAYS)] = False
    if known.sum() < 14 or np.nansum(y[known]) == 0:
        return np.full(horizon, 0.0 if known.sum() >= 14 else np.nan)
    used = {name: values for name, values in covariates.items() if _teaches(values[: len(y)], y, known)}
    try:
        return _fit_predict(y, known, end, used, horizon, country)
    except (RuntimeError, ValueError, OSError, KeyError, np.linalg.LinAlgError):
        return np.full(horizon, np.nan)
    finally:
        clear_left_behind()


def _fit_predict(
    y: Floats, known: Bools, end: int, covariates: dict[str, Floats], horizon: int, country: str | None
) -> Floats:
    import pandas as pd
    from prophet import Prophet

    for name in ("cmdstanpy", "prophet", "prophet.plot"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    columns = np.flatnonzero(known)
    dates = pd.to_datetime([EPOCH + timedelta(days=end - (len(y) - 1) + int(c)) for c in columns])
    frame = pd.DataFrame({"ds": dates, "y": y[columns]})
    span = int(columns[-1] - columns[0]) + 1
    model: Any = Prophet(
        n_changepoints=10,
        changepoint_prior_scale=0.01,
        weekly_seasonality=span >= 21,
        yearly_seasonality=span >= YEARLY_FROM,
        daily_seasonality=False,
        uncertainty_samples=0,
    )
    if country is not None:
        model.add_country_holidays(country_name=country)
    for name, values in covariates.items():
        frame[name] = values[columns]
        model.add_regressor(name, mode="multiplicative" if name == "promo" else "additive")
    model.fit(frame)
    ahead = pd.DataFrame(
        {"ds": pd.to_datetime([EPOCH + timedelta(days=end + 1 + k) for k in range(horizon)])}
    )
    for name, values in covariates.items():
        ahead[name] = values[len(y) : len(y) + horizon]
    said: Floats = np.maximum(model.predict(ahead)["yhat"].to_numpy(dtype=np.float64), 0.0)
    return said


def _teaches(values: Floats, y: Floats, known: Bools) -> bool:
    """A covariate helps only if it changed often enough in the known past."""
    seen = values[known]
    return bool(np.isfinite(seen).all() and ((seen > seen.mean()).sum() >= 10) and seen.std() > 1e-6)


def clear_left_behind() -> None:
    """Remove the folders of finished fits from this process's Stan directory."""
    import cmdstanpy

    root = Path(cmdstanpy._TMPDIR)
    if root.is_dir():
        for left in root.iterdir():
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
