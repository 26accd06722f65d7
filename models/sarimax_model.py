"""ARIMA by statsmodels' SARIMAX: (1,0,1)(0,1,1)₇, or (0,1,1)(0,1,1)₇ where it fits better; parameters cached.

The optimiser runs on a sample of series on days up to `trained_at`; a series that was not fitted uses the
middle parameters of those that were (measured: cached parameters lose nothing). One Kalman filter pass
then answers for every origin, because the filtered state of each day is a forecast's start.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.base import Floats, Ints, Origin
from models.features import calm
from models.panel import Panel

ORDERS: tuple[tuple[tuple[int, int, int], tuple[int, int, int, int]], ...] = (
    ((1, 0, 1), (0, 1, 1, 7)),
    ((0, 1, 1), (0, 1, 1, 7)),
)
FIT_DAYS = 365
FILTER_DAYS = 240  # enough for the state to forget its start
ITERATIONS = 15
FALLBACK = np.array([0.95, -0.85, -0.95, 1.0])  # ar, ma, seasonal ma, variance: a slow level and a slow week


class Arima:
    """`parameters` by series id (order index and values); what is not there comes from `typical`."""

    name = "arima"

    def __init__(
        self,
        parameters: Mapping[str, tuple[int, Sequence[float]]] | None = None,
        typical: tuple[int, Sequence[float]] | None = None,
    ) -> None:
        self.parameters = dict(parameters or {})
        self.typical = typical

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset; NaN for series with under three weeks before an origin."""
        y = calm(panel.y)
        out = {origin.offset: np.full((panel.size, horizon), np.nan) for origin in origins}
        for row in range(panel.size):
            order, values = self._for(panel.ids[row])
            for offset, said in filter_one(
                y[row], int(panel.start[row]), order, values, out, horizon
            ).items():
                out[offset][row] = said
        return out

    def _for(self, series_id: str) -> tuple[int, Floats]:
        order, values = self.parameters.get(series_id) or self.typical or (0, FALLBACK)
        return order, np.asarray(values, dtype=np.float64)


def fit_many(panel: Panel, rows: Ints) -> dict[str, tuple[int, list[float]]]:
    """Order index and parameters of some series on all days of the panel; series that cannot be fitted are left out."""
    y = calm(panel.y)
    found: dict[str, tuple[int, list[float]]] = {}
    for row in rows:
        best = fit_one(y[row, max(int(panel.start[row]), panel.days - FIT_DAYS) :])
        if best is not None:
            found[panel.ids[row]] = best
    return found


def typical_of(parameters: Mapping[str, tuple[int, Sequence[float]]]) -> tuple[int, list[float]]:
    """The middle parameters of the order most series chose."""
    if not parameters:
        return 0, FALLBACK.tolist()
    chosen = [order for order, _ in parameters.values()]
    common = max(set(chosen), key=chosen.count)
    values = np.median([list(p) for order, p in parameters.values() if order == common], axis=0)
    return common, values.tolist()


def fit_one(y: Floats, orders: Sequence[int] = range(len(ORDERS))) -> tuple[int, list[float]] | None:
    """Order index and parameters with the lowest AIC; None under eight known weeks or when no fit converges."""
    if np.isfinite(y).sum() < 56 or np.nansum(y) == 0:
        return None
    scale = float(np.nanmean(y))
    best: tuple[float, int, list[float]] | None = None
    for order in orders:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = _model(y / scale, order).fit(
                    disp=0, maxiter=ITERATIONS, method="lbfgs", cov_type="none"
                )
        except (ValueError, np.linalg.LinAlgError, FloatingPointError):
            continue
        if (
            np.isfinite(fitted.aic)
            and np.isfinite(fitted.params).all()
            and (best is None or fitted.aic < best[0])
        ):
            best = (float(fitted.aic), order, [float(value) for value in fitted.params])
    return None if best is None else best[1:]


def filter_one(
    y: Floats, start: int, order: int, values: Floats, offsets: Mapping[int, Any], horizon: int
) -> dict[int, Floats]:
    """Forecasts of one series from several origins after one filter pass."""
    days = len(y)
    longest = max(offsets)
    first = max(start, days - longest - FILTER_DAYS)
    seen = y[first:]
    if np.isfinite(seen[: len(seen) - longest] if longest else seen).sum() < 21:
        usable = {o: v for o, v in offsets.items() if np.isfinite(y[start : days - o]).sum() >= 21}
        if len(usable) == len(offsets) or not usable:
            return {}
        return filter_one(y, start, order, values, usable, horizon)
    scale = float(np.nanmean(seen)) or 1.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _model(seen / scale, order)
            model.update(values)
            result = model.ssm.filter(conserve_memory=0)
    except (ValueError, np.linalg.LinAlgError):
        return {}
    transition, design = model.ssm["transition"], model.ssm["design"][0]
    state = result.predicted_state  # column k: what day k is expected to be, before it is seen
    out: dict[int, Floats] = {}
    for offset in offsets:
        now = state[:, len(seen) - offset]
        said = np.empty(horizon)
        for step in range(horizon):
            said[step] = design @ now
            now = transition @ now
        out[offset] = said * scale
    return out


def _model(y: Floats, order: int) -> Any:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    plain, seasonal = ORDERS[order]
    return SARIMAX(y, order=plain, seasonal_order=seasonal, enforce_stationarity=True, enforce_invertibility=True,
                   simple_differencing=False)  # fmt: skip
