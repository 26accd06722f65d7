"""Bounds that keep their promise: split-conformal on past errors, averaged with LSTM quantiles, and corrected.

Residuals are scaled by the series' own spread, pooled by demand class and horizon block, and their quantiles
laid around the forecast. Where there is a network, half of each bound is its quantile, and the average is shifted by
how far past truth lay from it (conformalised quantile regression): bounds corrected one by one and then averaged are
steadier than either, and so too wide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.base import QUANTILES, Bools, Floats, Ints
from models.champion import CLASSES, SMALLEST_CLASS, Past, block_of

NORMAL = {"lo95": -1.96, "lo80": -1.2816, "hi80": 1.2816, "hi95": 1.96}
NETWORK_SHARE = 0.5
# How far a foreseen closed day, which never misses, counts in what the bounds promise. All: of open days too many lie
# outside; not at all: of all days too few do. Where every sixth day is closed, half misses neither by 2 points.
CLOSED_COUNTS = 0.5
RECENT = 0.5  # weight of errors a month older: what held at Christmas says little of March
FAMILY = {0: (0, 1), 1: (0, 1), 2: (2, 3), 3: (2, 3), 4: (0, 1, 2, 3, 4)}


@dataclass
class Calibration:
    """By (bound, class, block): quantiles of scaled residuals, and the shift of their average with the network's."""

    residual: dict[str, dict[tuple[int, int], float]] = field(default_factory=dict)
    average: dict[str, dict[tuple[int, int], float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, dict[str, dict[str, float]]]:
        """Keys as text, for the registry."""
        return {
            part: {
                b: {f"{g},{k}": v for (g, k), v in table.items()} for b, table in getattr(self, part).items()
            }
            for part in ("residual", "average")
        }

    @staticmethod
    def from_json(stored: Mapping[str, Mapping[str, Mapping[str, float]]]) -> "Calibration":
        """What `to_json` gave."""

        def table(values: Mapping[str, float]) -> dict[tuple[int, int], float]:
            return {(int(key.split(",")[0]), int(key.split(",")[1])): value for key, value in values.items()}

        return Calibration(**{
            part: {bound: table(values) for bound, values in bounds.items()} for part, bounds in stored.items()
        })  # fmt: skip


def cell_unit(spread: Floats, level: Floats, yhat: Floats) -> Floats:
    """The size of a usual error, series × horizon: the spread, more where more is expected, as counts behave."""
    base = np.maximum(spread, 0.02 * level + 1e-3)[:, None]
    usual = level[:, None] + 1e-6
    value: Floats = base * np.clip(np.sqrt((yhat + 0.1 * usual) / (1.1 * usual)), 0.4, 3.0)
    return value


def calibrate(
    pasts: Sequence[Past], said: Sequence[Floats], network: Sequence[Mapping[str, Floats]] | None
) -> Calibration:
    """Learn from past origins; `said` is the forecast whose errors count, `network` the LSTM's bounds there."""
    result = Calibration()
    if not pasts:
        return result
    blocks = block_of(pasts[0].y.shape[1])
    group = np.concatenate([past.group for past in pasts])
    newest = min(past.offset for past in pasts)
    weight = np.concatenate([np.full(len(p.group), RECENT ** ((p.offset - newest) / 28)) for p in pasts])
    closed = np.vstack([past.closed for past in pasts])
    y, yhat = np.vstack([past.y for past in pasts]), np.vstack(list(said))
    units = np.vstack([cell_unit(p.spread, p.level, f) for p, f in zip(pasts, said, strict=True)])
    y[np.concatenate([past.unsold for past in pasts])] = np.nan

    def table(gap: Floats, chance: float) -> dict[tuple[int, int], float]:
        return _table(gap / units, weight, group, blocks, closed, chance)

    for bound, chance in QUANTILES.items():
        result.residual[bound] = table(y - yhat, chance)
        if network is not None:
            own = yhat + _spread_out(result.residual[bound], group, blocks, NORMAL[bound]) * units
            theirs = np.vstack([one[bound] for one in network])
            result.average[bound] = table(y - _average(own, theirs, bound), chance)
    return result


def _table(
    scaled: Floats, weight: Floats, group: Ints, blocks: Ints, closed: Bools, chance: float
) -> dict[tuple[int, int], float]:
    table = {}
    for one in range(len(CLASSES)):
        rows = _rows(group, one)
        for block in np.unique(blocks):
            cells = scaled[rows][:, blocks == block]
            known = np.isfinite(cells)
            if known.sum() >= 20:
                weights = np.broadcast_to(weight[rows][:, None], cells.shape)[known]
                shut = closed[rows][:, blocks == block].sum()
                open_share = 1 - CLOSED_COUNTS * shut / (shut + known.sum())
                table[(one, int(block))] = conformal_quantile(
                    cells[known], _of_open_days(chance, open_share), weights
                )
    return table


def _of_open_days(chance: float, open_share: float) -> float:
    """The chance among open days that is `chance` among all: closed ones lie outside of no bound."""
    return chance / open_share if chance < 0.5 else 1 - (1 - chance) / open_share


def _average(own: Floats, network: Floats, bound: str) -> Floats:
    """The mean of both bounds; NaN where the network has no answer.

    A lower bound of 0 stays 0: a rare seller has a day of 0 more often than any lower bound may be missed.
    """
    value = (1 - NETWORK_SHARE) * np.maximum(own, 0) + NETWORK_SHARE * network
    return np.where((network <= 0) & (QUANTILES[bound] < 0.5), 0.0, value)


def _rows(group: Ints, one: int) -> Bools:
    """Series of a class, or of its family where the class is small, or all."""
    rows: Bools = group == one
    if rows.sum() < SMALLEST_CLASS:
        rows = np.isin(group, FAMILY[one])
    return rows if rows.sum() >= SMALLEST_CLASS else np.ones(len(group), dtype=np.bool_)


def conformal_quantile(errors: Floats, chance: float, weights: Floats | None = None) -> float:
    """The quantile with the finite-sample step outwards: ⌈(n+1)·p⌉-th smallest above the middle, mirrored below.

    With weights, n is their effective number (Kish), and the quantile that of the weighted errors.
    """
    order = np.argsort(errors, kind="stable")
    weights = np.ones(len(errors)) if weights is None else weights[order]
    below = np.cumsum(weights) / weights.sum()
    n = weights.sum() ** 2 / (weights**2).sum()
    share = chance * (n + 1) / n if chance >= 0.5 else (chance * (n + 1) - 1) / n
    place = (
        int(np.searchsorted(below, share - 1e-9))
        if chance >= 0.5
        else int(np.searchsorted(below, share + 1e-9))
    )
    return float(errors[order[min(place, len(errors) - 1)]])


def bounds_of(
    calibration: Calibration,
    group: Ints,
    yhat: Floats,
    spread: Floats,
    level: Floats,
    network: Mapping[str, Floats] | None,
) -> dict[str, Floats]:
    """lo95, lo80, hi80, hi95, series × horizon, as learned: not yet widened to hold the mean."""
    units, blocks = cell_unit(spread, level, yhat), block_of(yhat.shape[1])
    out = {}
    for bound in QUANTILES:
        shift = _spread_out(calibration.residual.get(bound, {}), group, blocks, NORMAL[bound])
        value = yhat + shift * units
        if network is not None and bound in calibration.average:
            correction = _spread_out(calibration.average[bound], group, blocks, 0.0)
            helped = _average(value, network[bound], bound) + correction * units
            value = np.where(np.isfinite(helped), helped, value)
        out[bound] = np.maximum(value, 0.0)
    return out


def _spread_out(table: Mapping[tuple[int, int], float], group: Ints, blocks: Ints, default: float) -> Floats:
    """Table values over series × horizon; a block never seen uses the furthest that was, a little wider."""
    out = np.full((len(group), len(blocks)), default)
    for one in np.unique(group):
        seen = sorted(block for cls, block in table if cls == one)
        for block in np.unique(blocks):
            usable = [b for b in seen if b <= block] or seen
            if usable:
                wider = 1.0 + 0.1 * max(0, int(block) - usable[-1])
                out[np.ix_(group == one, blocks == block)] = table[(int(one), usable[-1])] * wider
    return out


def ordered(yhat: Floats, bounds: Mapping[str, Floats]) -> dict[str, Floats]:
    """0 ≤ lo95 ≤ lo80 ≤ yhat ≤ hi80 ≤ hi95: bounds give way to the mean, never the other way."""
    lo80 = np.clip(bounds["lo80"], 0.0, yhat)
    hi80 = np.maximum(bounds["hi80"], yhat)
    return {
        "lo80": lo80,
        "hi80": hi80,
        "lo95": np.clip(bounds["lo95"], 0.0, lo80),
        "hi95": np.maximum(bounds["hi95"], hi80),
    }
