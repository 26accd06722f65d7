"""The network of an earlier training is where the next one begins, but only where it knows nothing too soon."""

from types import SimpleNamespace

import numpy as np
import pytest

from models import lstm_model, registry
from models.base import ForecastSettings, Origin, check_series
from models.champion import error_table, series_skill
from models.cumulative import CumulativeCalibration
from models.forecast import Learned
from models.lstm_model import LAYERS, Lstm
from models.panel import build_panel
from tests.models_factories import shop

SETTINGS = ForecastSettings(members=("lstm",))


class Untrained:
    """A network of fixed first weights that learns nothing: what it says is what it was given."""

    compiled = True

    def __init__(self, weeks: int, inputs: int, features: int, units: int) -> None:
        rng = np.random.default_rng(1)
        shapes = {
            "encoder": [(inputs, 4 * units), (units, 4 * units), (4 * units,)],
            "state": [(units, 64), (64,)],
            "ahead": [(features, 64), (64,)],
            "joined": [(64, 48), (48,)],
            "heads": [(48, 6), (6,)],
        }
        self.layers = {name: Layer([rng.normal(0, 0.1, shape) for shape in shapes[name]]) for name in LAYERS}

    def get_layer(self, name):
        return self.layers[name]

    def __call__(self, inputs, *, training):
        return lstm_model.answer([w for layer in self.layers.values() for w in layer.weights], *inputs)


class Layer(SimpleNamespace):
    def __init__(self, weights):
        super().__init__(weights=weights)

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


@pytest.fixture(autouse=True)
def untrained(monkeypatch):
    monkeypatch.setattr(lstm_model, "_network", Untrained)
    monkeypatch.setattr(lstm_model, "_settle", lambda seed: None)
    monkeypatch.setattr(lstm_model, "_fit", lambda *arguments, **named: None)


def panel_of(days=120):
    return build_panel(check_series(shop(days=days)), 14, SETTINGS)[0]


def asked(model, panel):
    return model.forecast(panel, [Origin(14, 14), Origin(0, 0)], 14)


def trained(panel):
    """A first model, and its network with other weights: as if it had learned something."""
    first = Lstm()
    asked(first, panel)
    return {"weights": [0.5 * values for values in first.weights], "normal": first.normal}


def test_the_newest_training_goes_on_from_the_kept_network_and_a_past_one_does_not_see_it():
    panel = panel_of()
    kept = trained(panel)
    fresh, warm = Lstm(), Lstm(kept=kept)

    cold, found = asked(fresh, panel), asked(warm, panel)

    np.testing.assert_array_equal(found[14], cold[14])
    assert not np.allclose(found[0], cold[0])
    for mine, theirs in zip(warm.weights, kept["weights"], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def store(folder, panel, state):
    learned = Learned(error_table([], []), {}, CumulativeCalibration(), series_skill([], panel.ids))
    return registry.keep(folder, panel, 14, SETTINGS, {"lstm": state}, learned)


def test_the_kept_network_is_the_newest_for_such_series_that_knows_no_later_day(tmp_path):
    panel = panel_of()
    old, new = trained(panel), trained(panel)
    new["weights"] = [values + 1 for values in new["weights"]]
    store(tmp_path, panel.cut(60), old)
    store(tmp_path, panel, new)

    def weight(of, settings=SETTINGS):
        found = registry.network(tmp_path, of, settings)
        return None if found is None else found["weights"][0]

    np.testing.assert_array_equal(weight(panel), new["weights"][0])
    np.testing.assert_array_equal(weight(panel.cut(7)), old["weights"][0])  # older than a forecast may use
    assert weight(panel.cut(90)) is None
    assert weight(panel, ForecastSettings(members=("lstm",), effort="full")) is None
