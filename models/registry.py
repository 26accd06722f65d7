"""Trained models on disk: one folder a version, named by the last day seen and a hash of everything in it.

A version holds the network's weights, the boosters, ARIMA parameters, the error table and the interval tables,
with a manifest: span, horizon, covariates, labels, settings. A forecast made from it can be made again.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.base import ForecastSettings
from models.cumulative import CumulativeCalibration
from models.intervals import Calibration
from models.panel import EPOCH, Panel
from models.reconcile import Spread

if TYPE_CHECKING:
    from models.forecast import Learned

MANIFEST = "manifest.json"
FORMAT = 4
STALE_AFTER = 28  # days of newer data after which weights are trained again (measured: 28 to 56 lose nothing)
KEPT = 4


class RegistryError(ValueError):
    """Stored models are asked for and there are none that fit, or they are damaged."""


@dataclass(frozen=True)
class Stored:
    """A version read back: `models` for members.collect, tables for the blend and the bounds."""

    version: str
    models: dict[str, Any]
    table: pl.DataFrame
    bounds: dict[str, Calibration]
    sums: CumulativeCalibration
    skill: pl.DataFrame
    spreads: dict[str, Spread]

    def learned(self, make: "Callable[..., Learned]") -> "Learned":
        """The tables as `forecast.Learned`."""
        return make(self.table, self.bounds, self.sums, self.skill, self.spreads)


def keep(
    folder: Path,
    panel: Panel,
    horizon: int,
    settings: ForecastSettings,
    state: dict[str, Any],
    learned: "Learned",
) -> str:
    """Store a version and return its name; it appears whole or not at all. The newest few are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    if network := state.get("lstm"):
        arrays = {f"weight_{n:02d}": values for n, values in enumerate(network["weights"])}
        np.savez(partial / "lstm.npz", mean=network["normal"][0], spread=network["normal"][1], **arrays)
    texts = state.get("gradient_boosted", {}).get(0, [])
    for number, text in enumerate(texts):
        (partial / f"boosted_{number}.txt").write_text(text)
    (partial / "arima.json").write_text(json.dumps(state.get("arima")))
    learned.table.write_parquet(partial / "errors.parquet")
    learned.skill.write_parquet(partial / "skill.parquet")
    tables = {
        "bounds": {name: c.to_json() for name, c in learned.bounds.items()},
        "sums": learned.sums.to_json(),
        "spreads": {level: spread.to_json() for level, spread in learned.spreads.items()},
    }
    (partial / "tables.json").write_text(json.dumps(tables))
    digest = _digest(partial)
    last = EPOCH + timedelta(days=int(panel.end.max()))
    manifest = {
        "format": FORMAT,
        "hash": digest,
        "data_from": (EPOCH + timedelta(days=int(panel.end.max()) - panel.days + 1)).isoformat(),
        "data_until": last.isoformat(),
        "series": panel.size,
        "horizon": horizon,
        "boosters": len(texts),
        **_fits(panel, settings),
        "settings": {k: v for k, v in asdict(settings).items() if k not in ("workers", "origin", "retrain")},
        "scores": learned.table.filter(pl.col("block") == 0)
        .select("class", "member", "wape", "rmsse")
        .to_dicts(),
    }
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str))
    version = f"{last.isoformat()}-{digest[:10]}"
    target = folder / version
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    for old in versions(folder)[KEPT:]:
        shutil.rmtree(folder / old, ignore_errors=True)
    return version


def versions(folder: Path) -> list[str]:
    """Names of stored versions, newest data first."""
    if not folder.is_dir():
        return []
    return sorted(
        (path.parent.name for path in folder.glob(f"*/{MANIFEST}") if path.parent.name != ".partial"),
        reverse=True,
    )


def manifest_of(folder: Path, version: str) -> dict[str, Any]:
    """What a stored version says of itself: hash, data_from, data_until, series, scores, settings …"""
    manifest: dict[str, Any] = json.loads((folder / version / MANIFEST).read_text())
    return manifest


def fitting(folder: Path, panel: Panel, horizon: int, settings: ForecastSettings) -> Stored | None:
    """The newest version that was trained for such series, covers the horizon and is not stale; else None."""
    for version, manifest, age in _like(folder, panel, settings):
        if age <= STALE_AFTER and manifest["horizon"] >= horizon:
            try:
                return _read(folder / version, manifest)
            except (OSError, KeyError, ValueError):
                continue  # a damaged version is as good as none: train again
    return None


def network(folder: Path, panel: Panel, settings: ForecastSettings) -> dict[str, Any] | None:
    """The newest LSTM trained for such series, however old, from which a training may go on; else None."""
    for version, _, _ in _like(folder, panel, settings):
        if found := _network(folder / version):
            return found
    return None


def _like(
    folder: Path, panel: Panel, settings: ForecastSettings
) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Sound versions for series with these columns and labels that have seen no later day, newest data first:
    (name, manifest, days of newer data)."""
    for version in versions(folder):
        try:
            manifest = manifest_of(folder, version)
            age = int(panel.end.max()) - (date.fromisoformat(manifest["data_until"]) - EPOCH).days
            usable = (
                manifest["format"] == FORMAT
                and age >= 0
                and all(manifest[key] == value for key, value in _fits(panel, settings).items())
                and manifest["hash"] == _digest(folder / version)
            )
        except (OSError, KeyError, ValueError):
            continue
        if usable:
            yield version, manifest, age


def _fits(panel: Panel, settings: ForecastSettings) -> dict[str, Any]:
    return {
        "known": sorted(panel.known),
        "categories": list(panel.categories),
        "channels": list(panel.channels),
        "members": list(settings.members),
        "effort": settings.effort,
        "seed": settings.seed,
    }


def _read(path: Path, manifest: dict[str, Any]) -> Stored:
    models: dict[str, Any] = {}
    if found := _network(path):
        models["lstm"] = found
    if manifest["boosters"]:
        texts = [(path / f"boosted_{n}.txt").read_text() for n in range(manifest["boosters"])]
        models["gradient_boosted"] = {0: texts}
    if arima := json.loads((path / "arima.json").read_text()):
        models["arima"] = arima
    tables = json.loads((path / "tables.json").read_text())
    return Stored(
        version=path.name,
        models=models,
        table=pl.read_parquet(path / "errors.parquet"),
        bounds={name: Calibration.from_json(values) for name, values in tables["bounds"].items()},
        sums=CumulativeCalibration.from_json(tables["sums"]),
        skill=pl.read_parquet(path / "skill.parquet"),
        spreads={level: Spread(**values) for level, values in tables["spreads"].items()},
    )


def _network(path: Path) -> dict[str, Any] | None:
    if not (path / "lstm.npz").exists():
        return None
    with np.load(path / "lstm.npz") as arrays:
        names = sorted(name for name in arrays.files if name.startswith("weight_"))
        return {"weights": [arrays[name] for name in names], "normal": (arrays["mean"], arrays["spread"])}


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.name != MANIFEST:
            total.update(file.name.encode())
            total.update(file.read_bytes())
    return total.hexdigest()
