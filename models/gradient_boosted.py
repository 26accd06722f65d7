"""One LightGBM model over all series and steps: the member that carries the blend.

Direct, not recursive: the step is a feature, so no forecast is fed back. The target is units over the series'
own level with a Tweedie loss, which gives a mean for smooth and for mostly-zero demand alike.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.base import Effort, Floats, Ints, Origin
from models.features import History, history, origin_features, target_features
from models.panel import Panel

ROWS = {"quick": 60_000, "full": 80_000}
TREES = {"quick": 160, "full": 180}
RATE = {"quick": 0.06, "full": 0.06}
POWERS = (1.2, 1.5)  # one booster each; their mean is 1 to 5 % better than either
LOOK_BACK = 420  # days of origins to learn from
CHUNK = 400_000  # rows predicted at once: bounds memory, not results
MOST = 50.0  # a day of more than 50 times the level teaches nothing else


class GradientBoosted:
    """Trained per distinct `trained_at`, then asked for every origin that may use it."""

    name = "gradient_boosted"

    def __init__(self, effort: Effort = "quick", seed: int = 7, threads: int = 1) -> None:
        self.effort = effort
        self.seed = seed
        self.threads = threads
        self.trained: dict[int, list[str]] = {}

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset; NaN where there was too little history to train on."""
        out: dict[int, Floats] = {}
        for trained_at in sorted({origin.trained_at for origin in origins}, reverse=True):
            boosters = self._boosters(panel, trained_at, horizon)
            for offset in (o.offset for o in origins if o.trained_at == trained_at):
                out[offset] = predict(boosters, history(panel.cut(offset)), horizon)
        return out

    def _boosters(self, panel: Panel, trained_at: int, horizon: int) -> list[Any]:
        import lightgbm

        if trained_at in self.trained:
            return [lightgbm.Booster(model_str=text) for text in self.trained[trained_at]]
        boosters = train(panel.cut(trained_at), horizon, self.effort, self.seed, self.threads)
        self.trained[trained_at] = [booster.model_to_string() for booster in boosters]
        return boosters


def train(panel: Panel, horizon: int, effort: Effort, seed: int, threads: int = 1) -> list[Any]:
    """Boosters fitted on a sample of (series, origin, step) up to the panel's end; none if it is too short."""
    import lightgbm

    h = history(panel)
    sample = draw(h, horizon, ROWS[effort], seed)
    if sample is None:
        return []
    rows, t, step = sample
    names, x, s = _design(h, rows, t, step)
    target = np.minimum(h.y[rows, t + step] / s, MOST)
    weight = np.clip(s, 0.05, None) ** 0.5
    boosters = []
    for number, power in enumerate(POWERS):
        settings = {
            "objective": "tweedie",
            "tweedie_variance_power": power,
            "learning_rate": RATE[effort],
            "num_leaves": 31,
            "min_data_in_leaf": max(20, len(rows) // 2000),
            "feature_fraction": 0.6,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "max_bin": 127,
            "seed": seed + number,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(
            x, target, weight=weight / weight.mean(), feature_name=names, free_raw_data=True,
            categorical_feature=[n for n in ("category", "channel") if n in names],
        )  # fmt: skip
        boosters.append(lightgbm.train(settings, data, num_boost_round=TREES[effort]))
    return boosters


def draw(h: History, horizon: int, number: int, seed: int) -> tuple[Ints, Ints, Ints] | None:
    """A sample of (series, origin column, step) with known units; newer origins as likely as older ones.

    Series are drawn alike, so a long history does not outvote a short one. None under 200 usable triples.
    """
    rng = np.random.default_rng(seed)
    width = h.panel.days
    old_enough = np.flatnonzero(h.panel.start + 14 < width - 1)
    if len(old_enough) == 0:
        return None
    rows = rng.choice(old_enough, size=int(number * 1.15))
    earliest = np.maximum(h.panel.start[rows] + 7, width - LOOK_BACK - horizon)
    step = rng.integers(1, horizon + 1, size=len(rows))
    latest = width - 1 - step
    t = (earliest + rng.random(len(rows)) * (latest - earliest + 1)).astype(np.int64)
    usable = (latest >= earliest) & (t >= 0)
    rows, t, step = rows[usable], t[usable], step[usable]
    usable = h.known[rows, t + step] > 0
    rows, t, step = rows[usable][:number], t[usable][:number], step[usable][:number]
    return (rows, t, step) if len(rows) >= 200 else None


def predict(boosters: list[Any], h: History, horizon: int) -> Floats:
    """Mean units, series × horizon, from the panel's last day."""
    count, width = h.panel.size, h.panel.days
    if not boosters:
        return np.full((count, horizon), np.nan)
    out = np.empty((count, horizon))
    per = max(1, CHUNK // horizon)
    for first in range(0, count, per):
        rows = np.repeat(np.arange(first, min(first + per, count)), horizon)
        step = np.tile(np.arange(1, horizon + 1), len(rows) // horizon)
        _, x, s = _design(h, rows, np.full(len(rows), width - 1), step)
        ratio = np.mean([booster.predict(x, num_threads=1) for booster in boosters], axis=0)
        out[first : first + per] = (ratio * s).reshape(-1, horizon)
    out[h.count[:, -1] == 0] = np.nan
    return out


def _design(h: History, rows: Ints, t: Ints, step: Ints) -> tuple[list[str], Floats, Floats]:
    origin_names, at_origin = origin_features(h, rows, t)
    target_names, at_target = target_features(h, rows, t, step)
    return origin_names + target_names, np.hstack([at_origin, at_target]), h.scale(rows, t)
