"""Ask every member for every origin, in worker processes side by side."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models import jobs
from models.base import Floats, ForecastSettings, Ints, Origin
from models.panel import Panel
from models.plain import plain_demand
from models.workers import Failure, Job, run_here, run_jobs

OWN_PROPHET = {"quick": 40, "full": 100}
ARIMA_SAMPLE = {"quick": 16, "full": 60}
ARIMA_AT_ONCE = 500
PROPHET_GROUPS = {"quick": 12, "full": 40}
PROPHET_CHUNK = 20
PLAIN = "plain"  # folder of the panel without promotions and holidays
CHEAP = ("seasonal_naive", "weekday_mean", "tsb", "ets")
PLAIN_MEMBERS = ("weekday_mean", "tsb", "ets", "arima")  # know only past units: their promotions are put back
FEW = 25  # series that stored models answer sooner here than a worker process starts
Progress = Callable[[str, int, int], None]


@dataclass
class Collected:
    """`means`: member → offset → series × horizon. `bounds`: offset → the LSTM's quantiles. `state`: to store."""

    means: dict[str, dict[int, Floats]] = field(default_factory=dict)
    bounds: dict[int, dict[str, Floats]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)


def collect(
    panel: Panel,
    origins: Sequence[Origin],
    horizon: int,
    settings: ForecastSettings,
    *,
    stored: dict[str, Any] | None = None,
    network: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Collected:
    """All members' means for all origins; a member that fails is named in the notes and missing from the means.

    `stored`: models of an earlier run; with them nothing is trained. `network`: an earlier LSTM to train on from.
    """
    found = Collected()
    origins, stored = list(origins), stored or {}
    plain, lift = plain_demand(panel, max(origin.offset for origin in origins))
    with tempfile.TemporaryDirectory(prefix="wharf-panel-") as name:
        folder = Path(name)
        panel.save(folder)
        plain.save(folder / PLAIN)
        planned = _plan(panel, folder, origins, horizon, settings, stored, network)
        later = (
            []
            if stored or "arima" not in settings.members
            else jobs.chunks(np.arange(panel.size), ARIMA_AT_ONCE)
        )
        total, finished = len(planned) + len(later), [0]

        def done(job: Job) -> None:
            finished[0] += 1
            if progress is not None:
                progress(job.name, finished[0], total)

        def run(some: list[Job]) -> dict[str, Any]:
            here = (bool(stored) and panel.size <= FEW) or [job.name for job in some] == ["baselines"]
            return run_here(some, done) if here else run_jobs(some, settings.workers, done)

        if progress is not None and planned:
            progress("start", 0, total)
        results = run(planned)
        if later:
            found.state["arima"] = _fitted(results)
            orders = _arima(panel, folder, origins, horizon, found.state["arima"])
            planned += orders
            results |= run(orders)
        _gather(panel, origins, horizon, planned, results, found)
    for member in PLAIN_MEMBERS:
        if member in found.means:
            found.means[member] = _lifted(found.means[member], panel, lift)
    return found


def _lifted(means: dict[int, Floats], panel: Panel, lift: Floats | None) -> dict[int, Floats]:
    """Means of common days with the promotions ahead put back."""
    if lift is None:
        return means
    out = {}
    for offset, values in means.items():
        ahead = lift[:, panel.days - offset :][:, : values.shape[1]]
        out[offset] = values * ahead if ahead.shape == values.shape else values
    return out


def _plan(
    panel: Panel,
    folder: Path,
    origins: list[Origin],
    horizon: int,
    settings: ForecastSettings,
    stored: dict[str, Any],
    network: dict[str, Any] | None,
) -> list[Job]:
    """Longest first, so that the last job to end is a short one."""
    common = {"folder": folder, "origins": origins, "horizon": horizon}
    learning = {"effort": settings.effort, "seed": settings.seed}
    planned = []
    if "lstm" in settings.members:
        arguments = {**common, **learning, "stored": stored.get("lstm"), "kept": network}
        planned.append(Job("lstm", "models.jobs:lstm", arguments, alone=True))
    if "gradient_boosted" in settings.members:
        arguments = {**common, **learning, "trained": stored.get("gradient_boosted", {})}
        planned.append(Job("gradient_boosted", "models.jobs:gradient_boosted", arguments))
    if "arima" in stored and "arima" in settings.members:
        planned += _arima(panel, folder, origins, horizon, stored["arima"])
    elif "arima" in settings.members:
        earliest = max(origin.trained_at for origin in origins)
        rows = _spread_sample(panel, ARIMA_SAMPLE[settings.effort], settings.seed)
        for number, part in enumerate(jobs.chunks(rows, 30)):
            arguments = {"folder": folder / PLAIN, "rows": part, "trained_at": earliest}
            planned.append(Job(f"arima orders {number + 1}", "models.jobs:arima_fit", arguments))
    if "prophet" in settings.members:
        holidays = {"countries": dict(settings.countries)}
        grouped = {**common, **holidays, "most": PROPHET_GROUPS[settings.effort]}
        planned.append(Job("prophet groups", "models.jobs:prophet_groups", grouped))
        spaced = [origin for origin in origins if origin.offset % horizon == 0]
        recent = sorted(spaced, key=lambda origin: origin.offset)[: 2 if settings.effort == "quick" else 3]
        own = _busiest(panel, OWN_PROPHET[settings.effort])
        for number, part in enumerate(jobs.chunks(own, PROPHET_CHUNK)):
            arguments = {**common, **holidays, "origins": recent, "rows": part}
            planned.append(Job(f"prophet {number + 1}", "models.jobs:prophet_own", arguments))
    if cheap := [member for member in settings.members if member in CHEAP]:
        planned.append(
            Job("baselines", "models.jobs:baselines", {**common, "plain": folder / PLAIN, "members": cheap})
        )
    return planned


def _gather(
    panel: Panel,
    origins: list[Origin],
    horizon: int,
    planned: list[Job],
    results: dict[str, Any],
    found: Collected,
) -> None:
    for name, result in results.items():
        if isinstance(result, Failure):
            found.notes.append(f"{name} failed and is left out: {result.reason}")
    good = {name: result for name, result in results.items() if not isinstance(result, Failure)}
    if "lstm" in good:
        found.means["lstm"], found.bounds, found.state["lstm"] = good["lstm"]
    if "gradient_boosted" in good:
        found.means["gradient_boosted"], found.state["gradient_boosted"] = good["gradient_boosted"]
    found.means |= good.get("baselines", {})
    for member, whole, some in (
        ("prophet", "prophet groups", ":prophet_own"),
        ("arima", "", ":arima_forecast"),
    ):
        parts = [job for job in planned if job.function.endswith(some) and job.name in good]
        if not parts and whole not in good:
            continue
        means = {o.offset: np.full((panel.size, horizon), np.nan) for o in origins}
        means |= {offset: values.copy() for offset, values in good.get(whole, {}).items()}
        for job in parts:
            rows = job.arguments["rows"]
            for offset, values in good[job.name].items():
                means[offset][rows] = np.where(np.isfinite(values), values, means[offset][rows])
        found.means[member] = means


def _fitted(results: dict[str, Any]) -> dict[str, Any]:
    """ARIMA parameters of the series that were fitted, and the middle ones for all others."""
    from models.sarimax_model import typical_of

    fitted: dict[str, tuple[int, list[float]]] = {}
    for name, result in results.items():
        if name.startswith("arima orders") and not isinstance(result, Failure):
            fitted |= result
    return {"parameters": fitted, "typical": typical_of(fitted)}


def _arima(
    panel: Panel, folder: Path, origins: list[Origin], horizon: int, state: dict[str, Any]
) -> list[Job]:
    """Kalman forecasts of every series from orders just fitted, or stored."""
    common = {"folder": folder / PLAIN, "origins": origins, "horizon": horizon, **state}
    parts = jobs.chunks(np.arange(panel.size), ARIMA_AT_ONCE)
    return [
        Job(f"arima {number + 1}", "models.jobs:arima_forecast", {**common, "rows": part})
        for number, part in enumerate(parts)
    ]


def _busiest(panel: Panel, number: int) -> Ints:
    """The series that sold most in the last year: where an own fit is worth its price."""
    units = np.nansum(panel.y[:, -365:], axis=1)
    return np.sort(np.argsort(-units, kind="stable")[:number])


def _spread_sample(panel: Panel, number: int, seed: int) -> Ints:
    """Half the busiest series, half any others."""
    busiest = _busiest(panel, number // 2)
    others = np.setdiff1d(np.arange(panel.size), busiest)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(others, size=min(number - len(busiest), len(others)), replace=False)
    return np.sort(np.concatenate([busiest, drawn])).astype(np.int64)
