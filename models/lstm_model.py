"""One global LSTM over all series (TensorFlow/Keras): a mean and five quantiles for every day ahead.

The encoder reads half a year in weekly steps (seven scaled days, what was known of them, promotions, season);
each day ahead is answered from its state and that day's own features, all steps at once. Weights are kept and
warm-started. TensorFlow is imported for training alone, and callers train in a process of its own; asking is numpy.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.base import QUANTILES, Effort, Floats, Ints, Origin
from models.features import History, history, origin_features, target_features
from models.gradient_boosted import draw
from models.panel import Panel

WEEKS = 26
STEPS_PER_WINDOW = 7  # days ahead asked of each training window: a sample, so that windows can be many
HEADS = ("mean", "lo95", "lo80", "median", "hi80", "hi95")
PROBABILITIES = (QUANTILES["lo95"], QUANTILES["lo80"], 0.5, QUANTILES["hi80"], QUANTILES["hi95"])
WINDOWS = {"quick": 9_000, "full": 20_000}
EPOCHS = {"quick": 9, "full": 12}
WARM_EPOCHS = {"quick": 3, "full": 4}
UNITS = 40
MOST = 30.0
BATCH = 128
POWER = 1.4  # of the Tweedie deviance
LAYERS = ("encoder", "state", "ahead", "joined", "heads")


@dataclass
class LstmResult:
    """What the network said: by offset the means, and for each quantile name the bounds before calibration."""

    mean: dict[int, Floats] = field(default_factory=dict)
    bounds: dict[int, dict[str, Floats]] = field(default_factory=dict)


class Lstm:
    """Trained at the earliest origin, then warm-started at each later `trained_at`.

    `kept`: weights and moments of an earlier run, from which the newest training alone goes on: it has seen days that
    past origins must not know.
    """

    name = "lstm"

    def __init__(self, effort: Effort = "quick", seed: int = 7, kept: dict[str, Any] | None = None) -> None:
        self.effort = effort
        self.seed = seed
        self.kept = kept
        self.weights: list[Floats] | None = None
        self.normal: tuple[Floats, Floats] | None = None
        self.frozen = False

    def forecast(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> dict[int, Floats]:
        """Means by offset; NaN where there was too little to learn from."""
        return self.distribution(panel, origins, horizon).mean

    def distribution(self, panel: Panel, origins: Sequence[Origin], horizon: int) -> LstmResult:
        """Means and quantiles by offset, series × horizon."""
        result = LstmResult()
        network: Any = None
        for trained_at in sorted({origin.trained_at for origin in origins}, reverse=True):
            kept = None if trained_at else self.kept
            network = self._trained(network, panel.cut(trained_at), horizon, kept)
            for offset in (o.offset for o in origins if o.trained_at == trained_at):
                values = self._ask(history(panel.cut(offset)), horizon)
                result.mean[offset] = values[0]
                result.bounds[offset] = dict(zip(HEADS[1:], values[1:], strict=True))
        return result

    def _trained(self, network: Any, panel: Panel, horizon: int, kept: dict[str, Any] | None) -> Any:
        """The network after more training: from `kept`, else from the one given, else from nothing."""
        if self.frozen:
            return None
        _settle(self.seed)
        h = history(panel)
        sample = _windows(h, horizon, WINDOWS[self.effort], self.seed)
        if sample is None:
            return network
        rows, t, step, target, weight = sample
        warm = network is not None or kept is not None
        if kept is not None:
            self.normal = kept["normal"]
        far = self._features(h, rows, t, step, learn=not warm)
        near = _encoder(h, rows, t)
        if network is None:
            network = _network(near.shape[1], near.shape[2], far.shape[2], UNITS)
        if kept is not None:
            _give(network, kept["weights"])
        _fit(network, near, far, target, weight, epochs=(WARM_EPOCHS if warm else EPOCHS)[self.effort],
             rate=0.0006 if warm else 0.003, seed=self.seed)  # fmt: skip
        self.weights = [
            np.asarray(values) for name in LAYERS for values in network.get_layer(name).get_weights()
        ]
        some = near[:4], far[:4]
        if not np.allclose(network([*some], training=False), answer(self.weights, *some), atol=1e-3):
            raise RuntimeError("this Keras orders its weights in another way; lstm_model.answer must follow")
        return network

    def _features(self, h: History, rows: Ints, t: Ints, step: Ints, *, learn: bool) -> Floats:
        """Features of days ahead, windows × steps × features, standardised by the first training's moments."""
        steps = step.shape[1]
        flat_rows, flat_t = np.repeat(rows, steps), np.repeat(t, steps)
        names, ahead = target_features(h, flat_rows, flat_t, step.ravel())
        x = np.hstack([ahead, _weekdays(names, ahead), _relative(step.ravel())])
        _, at_origin = origin_features(h, rows, t)
        x = np.hstack([x, np.repeat(at_origin, steps, axis=0)])
        unknown = ~np.isfinite(x)
        x = np.where(unknown, np.nan, np.sign(x) * np.log1p(np.abs(x)))
        if learn or self.normal is None:
            with np.errstate(invalid="ignore"):
                count = np.maximum((~unknown).sum(axis=0), 1)
                mean = np.nansum(x, axis=0) / count
                spread = np.sqrt(np.nansum((x - mean) ** 2, axis=0) / count)
            self.normal = (mean, np.maximum(spread, 1e-3))
        mean, spread = self.normal
        x = np.nan_to_num(np.clip((x - mean) / spread, -5, 5))
        return x.reshape(len(rows), steps, -1).astype(np.float32)

    def _ask(self, h: History, horizon: int) -> Floats:
        count = h.panel.size
        out = np.full((len(HEADS), count, horizon), np.nan)
        if self.weights is None:
            return out
        for first in range(0, count, 2_000):
            rows = np.arange(first, min(first + 2_000, count))
            t = np.full(len(rows), h.panel.days - 1)
            step = np.tile(np.arange(1, horizon + 1), (len(rows), 1))
            far = self._features(h, rows, t, step, learn=False)
            values = answer(self.weights, _encoder(h, rows, t), far)
            out[:, rows] = np.moveaxis(values, 2, 0) * h.scale(rows, t)[None, :, None]
        out[:, h.count[:, -1] == 0] = np.nan
        return out


def _settle(seed: int) -> None:
    """Same seed, same forecast: one thread, deterministic kernels."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # already running: the threads were set by whoever started first
    tf.keras.utils.set_random_seed(seed)


def _network(weeks: int, inputs: int, features: int, units: int) -> Any:
    """Weekly LSTM encoder, one dense answer per day ahead; the quantiles cannot cross by construction."""
    import tensorflow as tf

    layers = tf.keras.layers
    near = layers.Input((weeks, inputs))
    far = layers.Input((None, features))
    state = layers.LSTM(units, unroll=True, name="encoder")(near)
    state = layers.Dropout(0.1)(state)
    # broadcast over the days ahead without knowing how many there are
    spread = layers.Dense(64, name="state")(state)
    ahead = layers.Dense(64, name="ahead")(far)
    joined = layers.Activation("relu")(ahead + layers.Reshape((1, 64))(spread))
    joined = layers.Dense(48, activation="relu", name="joined")(joined)
    raw = layers.Dense(len(HEADS), name="heads")(joined)
    mean = layers.Activation("softplus")(raw[..., :1])
    # each quantile adds to the one below it; a ReLU lets the low ones be exactly 0, as they are for most SKUs
    rise = layers.ReLU()(raw[..., 1:] + 0.1)
    climb = [rise[..., :1]]
    for number in range(1, len(PROBABILITIES)):
        climb.append(climb[-1] + rise[..., number : number + 1])
    return tf.keras.Model([near, far], layers.Concatenate(axis=-1)([mean, *climb]))


def _give(network: Any, weights: Sequence[Floats]) -> None:
    """Set the weights, given in the order of LAYERS."""
    rest = iter(weights)
    for name in LAYERS:
        layer = network.get_layer(name)
        layer.set_weights([next(rest) for _ in layer.weights])


def answer(weights: Sequence[Floats], near: Floats, far: Floats) -> Floats:
    """What `_network` says with these weights (in the order of LAYERS), windows × days ahead × HEADS.

    The same sums without TensorFlow: asking stored weights needs no import of nine CPU seconds and 0.7 GB.
    """
    kernel, recurrent, bias, state, state_bias, ahead, ahead_bias, mix, mix_bias, heads, heads_bias = weights
    units = len(recurrent)
    hidden, cell = np.zeros((len(near), units), near.dtype), np.zeros((len(near), units), near.dtype)
    for week in range(near.shape[1]):
        gates = near[:, week] @ kernel + hidden @ recurrent + bias
        let_in, keep, new, let_out = np.split(gates, 4, axis=1)
        cell = _sigmoid(keep) * cell + _sigmoid(let_in) * np.tanh(new)
        hidden = _sigmoid(let_out) * np.tanh(cell)
    joined = np.maximum(far @ ahead + ahead_bias + (hidden @ state + state_bias)[:, None, :], 0)
    raw = np.maximum(joined @ mix + mix_bias, 0) @ heads + heads_bias
    mean = np.logaddexp(0, raw[..., :1])
    return np.concatenate([mean, np.cumsum(np.maximum(raw[..., 1:] + 0.1, 0), axis=-1)], axis=-1).astype(
        float
    )


def _sigmoid(x: Floats) -> Floats:
    value: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return value


def _fit(
    network: Any,
    near: Floats,
    far: Floats,
    target: Floats,
    weight: Floats,
    *,
    epochs: int,
    rate: float,
    seed: int,
) -> None:
    """Adam with the rate falling to a twentieth along a cosine; compiled once, since tracing costs seconds."""
    import tensorflow as tf

    if not network.compiled:
        network.compile(optimizer=tf.keras.optimizers.Adam(rate, clipnorm=1.0), loss=_loss)
    total = max(1, epochs * -(-len(near) // BATCH))
    passed = iter(range(total + 1))

    def fall(batch: int, logs: Any = None) -> None:
        share = min(next(passed, total) / total, 1.0)
        network.optimizer.learning_rate.assign(rate * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * share))))

    order = np.random.default_rng(seed).permutation(len(near))
    both = np.stack([target, weight], axis=-1).astype(np.float32)
    network.fit(
        [near[order], far[order]], both[order], batch_size=BATCH, epochs=epochs, verbose=0, shuffle=True,
        callbacks=[tf.keras.callbacks.LambdaCallback(on_train_batch_begin=fall)],
    )  # fmt: skip


def _loss(actual: Any, said: Any) -> Any:
    """Tweedie deviance of the mean (up to terms without it) and pinball losses of the quantiles, weighted."""
    import tensorflow as tf

    y, w = actual[..., :1], actual[..., 1:]
    mean = said[..., :1] + 1e-3
    deviance = -y * mean ** (1 - POWER) / (1 - POWER) + mean ** (2 - POWER) / (2 - POWER)
    chances = tf.constant(PROBABILITIES, dtype=tf.float32)
    gap = y - said[..., 1:]
    pinball = tf.reduce_sum(tf.maximum(chances * gap, (chances - 1) * gap), axis=-1, keepdims=True)
    return tf.reduce_mean(w * (deviance + pinball))


def _windows(
    h: History, horizon: int, number: int, seed: int
) -> tuple[Ints, Ints, Ints, Floats, Floats] | None:
    """Sampled (series, origin) with a few days ahead each: rows, columns, steps, scaled targets, weights."""
    drawn = draw(h, horizon, number, seed + 1)
    if drawn is None:
        return None
    rows, t, _ = drawn
    rng = np.random.default_rng(seed)
    step = rng.integers(1, horizon + 1, size=(len(rows), min(STEPS_PER_WINDOW, horizon)))
    column = t[:, None] + step
    inside = column < h.panel.days
    at = np.minimum(column, h.panel.days - 1)
    known = inside & (h.known[rows[:, None], at] > 0)
    s = h.scale(rows, t)
    target = np.where(known, np.minimum(np.nan_to_num(h.y[rows[:, None], at]) / s[:, None], MOST), 0.0)
    weight = np.clip(s, 0.05, None) ** 0.3
    return rows, t, step, target, known * (weight / weight.mean())[:, None]


def _encoder(h: History, rows: Ints, t: Ints) -> Floats:
    """The last WEEKS weeks, windows × weeks × features: seven scaled days, their gaps, promotions, season."""
    span = WEEKS * 7
    column = t[:, None] + np.arange(-span + 1, 1)[None, :]
    inside = column >= h.panel.start[rows][:, None]
    at = np.maximum(column, 0)
    known = inside & (h.known[rows[:, None], at] > 0)
    s = h.scale(rows, t)
    y = np.where(known, np.log1p(np.nan_to_num(h.y[rows[:, None], at]) / s[:, None]), 0.0)
    parts = [y.reshape(-1, WEEKS, 7), 1.0 - known.reshape(-1, WEEKS, 7).mean(axis=2, keepdims=True)]
    if "promo" in h.panel.known:
        promo = np.where(inside, h.panel.known["promo"][rows[:, None], at] > 0, 0.0)
        parts.append(promo.reshape(-1, WEEKS, 7))
    day = h.panel.day(np.zeros(len(rows), dtype=np.int64), rows)[:, None] + column[:, 6::7]
    angle = 2 * np.pi * day / 365.25
    parts += [np.sin(angle)[:, :, None], np.cos(angle)[:, :, None]]
    return np.concatenate(parts, axis=2).astype(np.float32)


def _weekdays(names: list[str], ahead: Floats) -> Floats:
    return np.eye(7)[ahead[:, names.index("weekday")].astype(np.int64)]


def _relative(step: Ints) -> Floats:
    """Which day of the encoder's week this is: lets the network line up weekdays without knowing them."""
    return np.eye(7)[step % 7]
