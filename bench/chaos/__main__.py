"""Kills, faults and poison against the real stack.

    python -m bench.chaos [--trials N] [--seed S] [--only KIND…] [--add], or make chaos N=…

Real PostgreSQL and ClickHouse, the code flows run, sandbox marketplaces over HTTP. After each trial every order line,
stock level and business day in both databases is compared with what happened in the sandbox's world. Prints a line a
trial and a table, writes bench-results/chaos.json; status 1 when a row was wrong or a mutant went unnoticed. --only
runs some kinds, --add counts the trials written before with the new ones: many can be run in slices.
"""

import argparse
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import polars as pl

from bench.chaos import crashes, scenarios
from bench.chaos.crashes import Server
from bench.chaos.scenarios import MOMENTS, Trial
from bench.chaos.stage import NotDoneError, Stage, open_stage
from connectors.sandbox.generated import GeneratedWorld
from deployments.local.data import data_services

TODAY = date(2026, 3, 10)
KINDS = (
    "mutants",
    "kills at moments",
    "kills at random",
    "faulty source",
    "poison",
    "pauses",
    "late news",
    "server crashes",
    "dead elsewhere",
    "stopped in its merge",
    "same instant",
)


def main() -> int:
    """Runs every scenario; N trials of the most frequent ones, and of the others in proportion."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--trials", type=int, default=20, help="kills at random, and as many at chosen moments"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--only", nargs="*", choices=KINDS, default=KINDS, metavar="KIND", help=", ".join(KINDS)
    )
    parser.add_argument("--add", action="store_true", help="to the trials in bench-results/chaos.json")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no trial after so long")
    parser.add_argument("--home", type=Path, help="folder for the databases; a temporary one without")
    options = parser.parse_args()
    began = time.monotonic()
    out = Path("bench-results") / "chaos.json"
    before: dict[str, Any] = json.loads(out.read_text()) if options.add and out.exists() else {}
    trials = [Trial(**row) for row in before.get("each", [])]
    with (
        tempfile.TemporaryDirectory(prefix="chaos") as folder,
        data_services(options.home or Path(folder), database_url=None, clickhouse_url=None) as services,
    ):
        server = Server(options.home or Path(folder), services.ensure)
        world = GeneratedWorld(
            options.seed, today=TODAY, skus=8, days=30, orders_per_day=12, future_days=30 + 5 * options.trials
        )
        with open_stage(services.database_url, services.clickhouse_url, world) as stage:
            every = _all(stage, server, random.Random(options.seed), options.trials, options.only)
            for trial in every:
                trials.append(trial)
                _say(trial, time.monotonic() - began)
                if time.monotonic() - began > options.minutes * 60:
                    break
            started = stage.import_seconds
    table = summary(trials)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=140, fmt_str_lengths=80,
                   tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True):  # fmt: skip
        sys.stdout.write(f"{table}\n")
    sys.stdout.write(f"Recovery is from a process's start; a cold interpreter adds {started:.1f} s here.\n")
    out.parent.mkdir(exist_ok=True)
    seconds = round(before.get("seconds", 0) + time.monotonic() - began)
    result: dict[str, Any] = {
        "seed": options.seed, "trials": options.trials, "seconds": seconds,
        "load": os.getloadavg(), "cold_start_seconds": started, "figures": table.to_dicts(),
        "each": [asdict(trial) for trial in trials],
    }  # fmt: skip
    out.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(trial.wrong for trial in trials))


def _all(
    stage: Stage, server: Server, chance: random.Random, count: int, only: Sequence[str]
) -> Iterator[Trial]:
    """Every scenario of `only` in turn; one that breaks off is told and the next one begins anew."""
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
        "server crashes": crashes.server_crashes(stage, chance, few, server),
        "dead elsewhere": crashes.dead_elsewhere(stage),
        "stopped in its merge": crashes.stopped_in_its_merge(stage, chance),
        "same instant": scenarios.same_instant(stage, chance),
    }.items():
        if name not in only:
            continue
        try:
            if not begun and name != "mutants":
                scenarios.beginning(stage)
                begun = True
            yield from trials
        except (NotDoneError, OSError) as error:
            begun = False
            yield Trial("scenarios that broke off", name, [str(error)[:500]])


def summary(trials: list[Trial]) -> pl.DataFrame:
    """One row per figure: how often it was tried, kills, how many rows were wrong, the 95th percentile of recovery."""
    rows = pl.DataFrame(
        [(t.figure, t.kills, len(t.wrong), t.recovery) for t in trials],
        schema={"figure": pl.String, "kills": pl.Int64, "wrong": pl.Int64, "recovery": pl.Float64},
        orient="row",
    )
    return (
        rows.group_by("figure", maintain_order=True)
        .agg(
            pl.len().alias("runs"),
            pl.col("kills").sum(),
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
