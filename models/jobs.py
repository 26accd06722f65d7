"""What a worker process is asked to do: each function loads the panel, runs one member on some rows, answers arrays."""

from pathlib import Path
from typing import Any

import numpy as np

from models.base import Effort, Floats, Ints, Origin
from models.panel import Panel

Answer = dict[int, Floats]
Countries = dict[str, str]  # by channel


def baselines(
    folder: Path, plain: Path, members: list[str], origins: list[Origin], horizon: int
) -> dict[str, Answer]:
    """The members that cost next to nothing, together; all but the naive see demand without promotions."""
    from models.baseline import SeasonalNaive, Tsb, WeekdayMean
    from models.ets_model import Ets

    return {
        model.name: model.forecast(Panel.load(where), origins, horizon)
        for model, where in (
            (SeasonalNaive(), folder),
            (WeekdayMean(), plain),
            (Tsb(), plain),
            (Ets(), plain),
        )
        if model.name in members
    }


def prophet_own(
    folder: Path, rows: Ints, origins: list[Origin], horizon: int, countries: Countries
) -> Answer:
    """Own Prophet fits of some series."""
    from models.prophet_model import ProphetModel

    return ProphetModel(countries).forecast(Panel.load(folder).take(rows), origins, horizon)


def prophet_groups(
    folder: Path, origins: list[Origin], horizon: int, countries: Countries, most: int
) -> Answer:
    """Group Prophet fits for every series."""
    from models.prophet_model import ProphetGroups

    return ProphetGroups(countries, most).forecast(Panel.load(folder), origins, horizon)


def arima_fit(folder: Path, rows: Ints, trained_at: int) -> dict[str, tuple[int, list[float]]]:
    """SARIMAX orders and parameters of some series."""
    from models.sarimax_model import fit_many

    return fit_many(Panel.load(folder).cut(trained_at), rows)


def arima_forecast(
    folder: Path,
    rows: Ints,
    origins: list[Origin],
    horizon: int,
    parameters: dict[str, tuple[int, list[float]]],
    typical: tuple[int, list[float]],
) -> Answer:
    """Kalman forecasts of some series from cached parameters."""
    from models.sarimax_model import Arima

    return Arima(parameters, typical).forecast(Panel.load(folder).take(rows), origins, horizon)


def gradient_boosted(
    folder: Path,
    origins: list[Origin],
    horizon: int,
    effort: Effort,
    seed: int,
    trained: dict[int, list[str]],
) -> tuple[Answer, dict[int, list[str]]]:
    """Boosted means, and the boosters as text by `trained_at`."""
    from models.gradient_boosted import GradientBoosted

    model = GradientBoosted(effort, seed)
    model.trained = dict(trained)
    return model.forecast(Panel.load(folder), origins, horizon), model.trained


def lstm(
    folder: Path,
    origins: list[Origin],
    horizon: int,
    effort: Effort,
    seed: int,
    stored: dict[str, Any] | None,
    kept: dict[str, Any] | None,
) -> tuple[Answer, dict[int, dict[str, Floats]], dict[str, Any] | None]:
    """LSTM means and quantiles, and the network's state to store. `stored` answers as it is, `kept` is trained on."""
    from models.lstm_model import Lstm

    model = Lstm(effort, seed, kept)
    if stored is not None:
        model.weights, model.normal, model.frozen = stored["weights"], stored["normal"], True
    result = model.distribution(Panel.load(folder), origins, horizon)
    state = None if model.weights is None or model.normal is None else {
        "weights": model.weights, "normal": model.normal}  # fmt: skip
    return result.mean, result.bounds, state


def chunks(rows: Ints, size: int) -> list[Ints]:
    """The rows in pieces of about `size`, none much smaller than another."""
    return [part for part in np.array_split(rows, max(1, round(len(rows) / size))) if len(part)]
