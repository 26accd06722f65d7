"""Score the anomaly rule on the Numenta benchmark's windows, beside a z-score of 3 and an EWMA chart.

    python -m bench.anomalies --data DATA/nab

A window counts as found when an alarm falls into it, earlier alarms more (NAB's sigmoid); an alarm outside costs
0.11 (NAB's standard profile), a window missed 1. 100 is perfect, 0 is never alarming. Alarms of one day are one.
The rule's settings were chosen on every other file alone (sorted by name, the first among them): the figures to
believe are those of the files held out.
"""

import argparse
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from models.anomaly import AnomalySettings, detect
from models.base import Bools, Floats


def z_score(values: Floats, limit: float = 3.0) -> Bools:
    """More than three standard deviations from the mean of everything before."""
    n = np.arange(len(values))
    total, square = (
        np.concatenate([[0], np.cumsum(values)[:-1]]),
        np.concatenate([[0], np.cumsum(values**2)[:-1]]),
    )
    mean = total / np.maximum(n, 1)
    sd = np.sqrt(np.maximum(square / np.maximum(n, 1) - mean**2, 0))
    return (np.abs(values - mean) > limit * np.maximum(sd, 1e-9)) & (n >= 100)


def ewma_chart(values: Floats, weight: float = 0.2, limit: float = 3.0) -> Bools:
    """Exponentially weighted mean outside its control limits around the mean of everything before."""
    out = np.zeros(len(values), dtype=np.bool_)
    level, total, square = float(values[0]), 0.0, 0.0
    for row, value in enumerate(values):
        level += weight * (value - level)
        if row >= 100:
            mean = total / row
            sd = max(square / row - mean**2, 0) ** 0.5 * (weight / (2 - weight)) ** 0.5
            out[row] = abs(level - mean) > limit * max(sd, 1e-9)
        total, square = total + value, square + value * value
    return out


def once_a_day(at: Floats, alarms: Bools) -> Bools:
    """Alarms with a day of silence after each: the same courtesy for every rule."""
    out, until = np.zeros(len(alarms), dtype=np.bool_), -np.inf
    for row in np.flatnonzero(alarms):
        if at[row] >= until:
            out[row], until = True, at[row] + 86_400
    return out


def judge(
    at: Floats, alarms: Bools, windows: list[tuple[float, float]], probation: int
) -> tuple[float, int, int]:
    """(NAB-like score before scaling, windows found, false alarms)."""
    score, found = 0.0, 0
    inside = np.zeros(len(at), dtype=np.bool_)
    for start, end in windows:
        within = (at >= start) & (at <= end)
        inside |= within
        hits = np.flatnonzero(within & alarms)
        if len(hits):
            position = -1.0 + (at[hits[0]] - start) / max(end - start, 1)
            score += (2 / (1 + np.exp(5 * position)) - 1) / (2 / (1 + np.exp(-5)) - 1)
            found += 1
        else:
            score -= 1
    false = int((alarms & ~inside)[probation:].sum())
    return score - 0.11 * false, found, false


def run(data: Path, rules: dict[str, Callable[[pl.DataFrame, Floats, Floats], Bools]]) -> pl.DataFrame:
    """One row per rule and kind of series."""
    labels = json.loads((data / "labels" / "combined_windows.json").read_text())
    rows = []
    for number, (name, spans) in enumerate(sorted(labels.items())):
        with gzip.open(data / "data" / f"{name}.gz") as file:
            frame = pl.read_csv(io.BytesIO(file.read()))
        instants = frame["timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
        at = instants.dt.epoch("s").to_numpy().astype(np.float64)
        values = frame["value"].to_numpy().astype(np.float64)
        windows = [tuple(pl.Series(span).str.to_datetime().dt.epoch("s").to_list()) for span in spans]
        for rule, function in rules.items():
            alarms = once_a_day(at, function(frame, at, values))
            score, found, false = judge(at, alarms, windows, int(min(0.15 * len(at), 750)))
            weeks = (at[-1] - at[0]) / (7 * 86_400)
            half = "held out" if number % 2 else "chosen on"
            rows.append({"rule": rule, "files": half, "kind": name.split("/")[0], "file": name, "raw": score,
                         "windows": len(windows), "found": found, "false": false, "weeks": weeks})  # fmt: skip
    return pl.DataFrame(rows)


def summary(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Score scaled so that silence is 0 and perfection 100."""
    return rows.group_by(by, maintain_order=True).agg(
        score=100 * (pl.col("raw").sum() + pl.col("windows").sum()) / (2 * pl.col("windows").sum()),
        found=pl.col("found").sum(),
        windows=pl.col("windows").sum(),
        false=pl.col("false").sum(),
        false_a_week=pl.col("false").sum() / pl.col("weeks").sum(),
    )


def main() -> None:
    """Print the table and write bench-results/anomalies.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    settings = AnomalySettings()
    rows = run(data, {
        "wharf": lambda frame, at, values: detect(frame, settings)["is_anomaly"].to_numpy(),
        "z-score 3": lambda frame, at, values: z_score(values),
        "EWMA chart": lambda frame, at, values: ewma_chart(values),
    })  # fmt: skip
    with pl.Config(tbl_rows=40, float_precision=2):
        sys.stdout.write(f"{summary(rows, ['rule'])}\n")
        sys.stdout.write(f"{summary(rows, ['files', 'rule']).sort('files', 'rule')}\n")
        sys.stdout.write(
            f"{summary(rows, ['rule', 'kind']).pivot(on='rule', index='kind', values='score')}\n"
        )
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    tables = {
        "all": summary(rows, ["rule"]).to_dicts(),
        "by_half": summary(rows, ["files", "rule"]).to_dicts(),
    }
    (out / "anomalies.json").write_text(json.dumps(tables, indent=1))


if __name__ == "__main__":
    main()
