"""Kills, faults and poison against the real stack.

    python -m bench.chaos [--trials N] [--seed S], or make chaos N=…

Real PostgreSQL and ClickHouse, the code flows run, sandbox marketplaces over HTTP. After each trial every order line,
stock level and business day in both databases is compared with what happened in the sandbox's world. Prints a line a
trial and a table, writes bench-results/chaos.json; status 1 when a row was wrong or a mutant went unnoticed.
"""

import argparse
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import polars as pl

from bench.chaos import scenarios
from bench.chaos.scenarios import MOMENTS, Trial
from bench.chaos.stage import NotDoneError, Stage, open_stage
from connectors.sandbox.generated import GeneratedWorld
from deployments.local.data import data_services

TODAY = date(2026, 3, 10)


def main() -> int:
    """Runs every scenario; N trials of the most frequent ones, and of the others in proportion."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--trials", type=int, default=20, help="kills at random, and as many at chosen moments"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--home", type=Path, help="folder for the databases; a temporary one without")
    options = parser.parse_args()
    began = time.monotonic()
    trials: list[Trial] = []
    with (
        tempfile.TemporaryDirectory(prefix="chaos") as folder,
        data_services(options.home or Path(folder), database_url=None, clickhouse_url=None) as services,
    ):
        world = GeneratedWorld(
            options.seed, today=TODAY, skus=8, days=30, orders_per_day=12, future_days=30 + 5 * options.trials
        )
        with open_stage(services.database_url, services.clickhouse_url, world) as stage:
            for trial in _all(stage, random.Random(options.seed), options.trials):  # noqa: S311
                trials.append(trial)
                _say(trial, time.monotonic() - began)
            started = stage.import_seconds
    table = summary(trials)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=140, fmt_str_lengths=80,
                   tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True):  # fmt: skip
        sys.stdout.write(f"{table}\n")
    sys.stdout.write(f"Recovery is from a process's start; a cold interpreter adds {started:.1f} s here.\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    result: dict[str, Any] = {
        "seed": options.seed, "trials": options.trials, "seconds": round(time.monotonic() - began),
        "load": os.getloadavg(), "cold_start_seconds": started, "figures": table.to_dicts(),
        "each": [asdict(trial) for trial in trials],
    }  # fmt: skip
    (out / "chaos.json").write_text(json.dumps(result, indent=1) + "\n")
    return int(any(trial.wrong for trial in trials))


def _all(stage: Stage, chance: random.Random, count: int) -> Iterator[Trial]:
    """Every scenario in turn; one that breaks off is told and the next one begins anew."""
    few = math.ceil(count / 5)
    at_moments = list(islice(cycle(MOMENTS), max(count, len(MOMENTS))))
    begun = False
    for name, trials in {
        "mutants": scenarios.mutants(stage, chance),
        "kills at moments": scenarios.kills_at_moments(stage, chance, at_moments),
        "kills at random": scenarios.kills_at_random(stage, chance, count),
        "faulty source": scenarios.faulty_source(stage, chance, few),
        "poison": scenarios.poison(stage, chance, count),
        "pauses": scenarios.pauses(stage, chance, few),
        "late news": scenarios.late_news(stage, chance, few),
        "dead elsewhere": scenarios.dead_elsewhere(stage),
        "same instant": scenarios.same_instant(stage, chance),
    }.items():
        try:
            if not begun and name != "mutants":
                scenarios.beginning(stage)
                begun = True
            yield from trials
        except (NotDoneError, OSError) as error:
            begun = False
            yield Trial("scenarios that broke off", name, [str(error)[:500]])


def summary(trials: list[Trial]) -> pl.DataFrame:
    """One row per figure: how often it was tried, how many rows were wrong, the 95th percentile of recovery."""
    rows = pl.DataFrame(
        [(t.figure, len(t.wrong), t.recovery) for t in trials],
        schema={"figure": pl.String, "wrong": pl.Int64, "recovery": pl.Float64},
        orient="row",
    )
    return (
        rows.group_by("figure", maintain_order=True)
        .agg(
            pl.len().alias("runs"),
            pl.col("wrong").sum().alias("wrong rows"),
            pl.col("recovery").quantile(0.95, "higher").round(1).alias("recovery p95, s"),
        )
        .sort(pl.col("figure").str.extract(r"^D(\d+)").cast(pl.Int64), nulls_last=True, maintain_order=True)
    )


def _say(trial: Trial, seconds: float) -> None:
    state = f"{len(trial.wrong)} WRONG" if trial.wrong else "right"
    sys.stdout.write(f"{seconds:6.0f} s  {state:8} {trial.figure}: {trial.case}\n")
    for line in trial.wrong[:5]:
        sys.stdout.write(f"          {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
