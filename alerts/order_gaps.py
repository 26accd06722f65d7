"""How far orders are off, and whether chance explains it: windows of one subject in, the worst gap out. Pure.

Rows as in `alerts.demand_rules`. Two things must hold: far off in per cent, and improbable (Poisson or negative
binomial tail). The windows of a subject are a few looks at the same hours, so the limit is shared out over them. A
stretch without any order begins with every order, so its limit follows from how many orders come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, exp, lgamma, log, sqrt
from typing import Any

from alerts.thresholds import DemandThresholds

Row = Mapping[str, Any]

DROP, SPIKE = "drop", "spike"
# A trend has longer to show: a rise over days is not an anomaly but a trend.
_LONGEST_SPIKE_HOURS = 24
_KINDS = 3  # of subjects that share the false alarms of a month: channels, categories, SKUs
_MOST_CHANCE = 0.01  # of a silence: however few orders come, a likelier one is no news


@dataclass(frozen=True)
class Limits:
    """Thresholds of a subject, and how improbable its silence has to be."""

    own: DemandThresholds
    quiet: float

    def chance(self, row: Row) -> float:
        """The probability from which on a row of this kind is news."""
        return self.quiet if row.get("is_quiet") else self.own.max_probability


@dataclass(frozen=True)
class Gap:
    """A window of one subject on one channel that is far off, or (`holding`) not yet back to normal."""

    row: Row
    direction: str
    probability: float
    limits: Limits
    holding: bool

    @property
    def hourly(self) -> float:
        """Orders an hour that are missing or too many."""
        return abs(float(self.row["observed"]) - float(self.row["expected"])) / hours_of(self.row)


def find_gap(windows: Sequence[Row], direction: str, limits: Limits) -> Gap | None:
    """The most convincing window of those that are off in this direction, if the latest one agrees."""
    least = limits.own.min_expected
    if direction == SPIKE:
        windows = [row for row in windows if hours_of(row) <= _LONGEST_SPIKE_HOURS]
        enough = [row for row in windows if row["observed"] >= least * (1 + limits.own.spike_rate)]
    else:
        enough = [row for row in windows if row["expected"] >= least]
    if not enough or not _is_off(enough[0], direction, limits.own, slack=0.5):
        return None
    looked_at = sum(not row.get("is_quiet") for row in enough)
    for slack in (1.0, 0.5):
        off = [row for row in enough if _is_off(row, direction, limits.own, slack)]
        chances = [_chance(row) * (1 if row.get("is_quiet") else looked_at) for row in off]
        # The most improbable for what it is; of equals the shortest.
        convincing = [
            (chance / limits.chance(row), hours_of(row)) for chance, row in zip(chances, off, strict=True)
        ]
        if not convincing:
            continue
        place = convincing.index(min(convincing))
        row, chance = off[place], chances[place]
        if _improbable(row, chance, limits, slack):
            return Gap(row, direction, min(1.0, chance), limits, holding=slack < 1)
    return None


def quiet_limit(limits: DemandThresholds, orders_a_month: float) -> float:
    """How improbable a stretch without orders has to be. One begins with every order, so as many are judged in a month
    as orders come: with this limit their false alarms together are those allowed, whatever the size of the merchant."""
    if orders_a_month <= 0:
        return limits.max_probability
    return min(limits.quiet_false_alarms / _KINDS / orders_a_month, _MOST_CHANCE)


def _is_off(row: Row, direction: str, limits: DemandThresholds, slack: float) -> bool:
    observed, expected = float(row["observed"]), max(float(row["expected"]), 1e-9)
    if direction == DROP:
        return observed <= expected * (1 - limits.drop_rate * slack)
    return observed >= expected * (1 + limits.spike_rate * slack)


def _improbable(row: Row, chance: float, limits: Limits, slack: float) -> bool:
    if row.get("score") is not None:
        return bool(row["score"] >= limits.own.min_score * slack)
    return bool(chance <= limits.chance(row) ** slack)


def _chance(row: Row) -> float:
    return tail(float(row["observed"]), max(float(row["expected"]), 1e-9), spread_of(row))


def tail(observed: float, expected: float, spread: float = 1.0) -> float:
    """Probability of a count at least this far off in its direction: Poisson, or negative binomial when
    the variance is `spread` times the mean. Exact sums for small counts, a normal tail above 10,000."""
    if expected > 10_000 or observed > 10_000:
        z = abs(observed - expected) / sqrt(expected * spread)
        return 0.5 * erfc(z / sqrt(2))
    low = sum(_mass(count, expected, spread) for count in range(int(observed) + 1))
    if observed < expected:
        return min(1.0, low)
    return max(0.0, min(1.0, 1.0 - low + _mass(int(observed), expected, spread)))


def _mass(count: int, expected: float, spread: float) -> float:
    if spread <= 1.001:
        return exp(count * log(expected) - expected - lgamma(count + 1))
    size = expected / (spread - 1)
    return exp(
        lgamma(count + size)
        - lgamma(size)
        - lgamma(count + 1)
        - size * log(spread)
        + count * log((spread - 1) / spread)
    )


def hours_of(row: Row) -> float:
    """How long a window is."""
    return float(row.get("hours") or (24 if row["period"] == "day" else 1))


def spread_of(row: Row) -> float:
    """Variance of the count over its mean."""
    return max(1.0, float(row.get("spread") or 1.0))
