"""Backtest the forecasts on published demand sets, side by side with statsforecast, and print what each reached.

    python -m bench.forecasting --data DATA [--sets or2 m5 sid promo items] [--size sample|full] [--no-peers]

DATA holds the folders named in bench/forecasting_sets.py; `promo` and `items` are simulated and need none. Origins of
28 days; weights, pruning and bounds come from earlier origins only. `--drop-days 112` scores other, earlier days,
`--seed 11` draws other series. statsforecast's answers are kept in bench-results/peers: a second run asks only Wharf.
`--without promo` withholds a column; `--stock-outs 0.15` makes that share of days empty shelves, flagged; `--members
ets tsb` leaves the others out.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.forecasting_peers import peers
from bench.forecasting_sets import SETS, SIZES, with_stock_outs
from models import forecast
from models.base import MEMBERS, ForecastSettings, check_series
from models.champion import CLASSES, demand_class
from models.metrics import naive_scale, score_frame
from models.panel import build_panel

OUT = Path("bench-results")
COLUMNS = ("wape", "rmsse", "bias", "wql", "cover80", "cover95", "below_hi80", "below_hi95", "fva")


def measure(series: pl.DataFrame, asked: argparse.Namespace) -> dict[str, Any]:
    """Scores by model and by class, wall and CPU seconds (children included) of Wharf, CPU seconds of the peers."""
    began, spent = time.perf_counter(), _cpu()
    members = [name for name in MEMBERS if name in asked.members or name == "seasonal_naive"]  # the bar stays
    settings = ForecastSettings(members=tuple(members), effort=asked.effort, workers=asked.workers)
    given = with_stock_outs(series, asked.stock_outs) if asked.stock_outs else series
    result = forecast.backtest(given, asked.horizon, asked.folds, settings=settings, progress=_say)
    wall, cpu = time.perf_counter() - began, _cpu() - spent
    rows, seconds = result.frame, dict[str, float]()
    if asked.peers:
        theirs, seconds = peers(series, asked.horizon, asked.folds, OUT / "peers")
        keys = ["series_id", "date", "cutoff"]
        truth = rows.filter(pl.col("model") == "ensemble").select(*keys, "y")
        rows = pl.concat([rows, theirs.join(truth, on=keys)], how="diagonal")
    rows = rows.join(_scales(series, asked), on=["series_id", "cutoff"])
    return {
        "series": series["series_id"].n_unique(),
        "wall": wall,
        "cpu": cpu,
        "peers_cpu": seconds,
        "scores": score_frame(rows).sort("wape"),
        "by_class": score_frame(rows, ("class", "model")),
        "notes": result.notes,
    }


def ratios(scores: pl.DataFrame) -> dict[str, float]:
    """The ensemble over the fixed blend and, measure by measure, over the best of statsforecast; fixed over it too."""
    by = {row["model"]: row for row in scores.to_dicts()}
    found = {f"{m}/fixed": by["ensemble"][m] / by["fixed"][m] for m in ("wape", "rmsse", "wql")}
    if theirs := [row for model, row in by.items() if model.startswith("sf_")]:
        found |= {f"{m}/sf": by["ensemble"][m] / min(r[m] for r in theirs) for m in ("wape", "rmsse", "wql")}
    return found


def _scales(series: pl.DataFrame, asked: argparse.Namespace) -> pl.DataFrame:
    """What MASE and RMSSE divide by, and the demand class, of each series at each origin."""
    panel, _ = build_panel(check_series(series), 0, ForecastSettings(), common_end=True)
    parts = []
    for offset in (asked.horizon * fold for fold in range(asked.folds, 0, -1)):
        cut = panel.cut(offset)
        parts.append(
            pl.DataFrame({
                "series_id": list(panel.ids),
                "cutoff": pl.Series(cut.end.astype(np.int32)).cast(pl.Date),
                "class": np.array(CLASSES)[demand_class(cut)],
                "scale_abs": naive_scale(cut.y, 7, 1),
                "scale_sq": naive_scale(cut.y, 1, 2),
            })
        )  # fmt: skip
    return pl.concat(parts)


def show(name: str, found: dict[str, Any]) -> None:
    """The set's table, the ensemble by class, the ratios."""
    theirs = ", ".join(f"{model} {seconds:.0f}" for model, seconds in found["peers_cpu"].items())
    with pl.Config(
        tbl_rows=60, tbl_cols=20, float_precision=3, tbl_width_chars=180, tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
    ):  # fmt: skip
        sys.stdout.write(
            f"\n{name}: {found['series']} series, {found['wall']:.0f} s on the wall, {found['cpu']:.0f} CPU seconds"
            f"{'; ' + theirs if theirs else ''}\n{found['scores'].select('model', *COLUMNS)}\n"
        )
        mine = found["by_class"].filter(pl.col("model") == "ensemble").select("class", *COLUMNS, "days")
        sys.stdout.write(f"{mine}\n" + "".join(f"  {note}\n" for note in found["notes"]))
        sys.stdout.flush()


def main() -> None:
    """Print a table per set and the ratios of all, and write bench-results/forecasting-….json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("."))
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--size", default="sample", choices=list(SIZES))
    parser.add_argument("--limit", type=int, help="series per set instead of the size's")
    parser.add_argument("--effort", default="quick", choices=["quick", "full"])
    parser.add_argument(
        "--members", nargs="+", default=list(MEMBERS), choices=MEMBERS, help="which of them forecast"
    )
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--horizon", type=int, default=28)
    parser.add_argument("--seed", type=int, default=3, help="which series are drawn")
    parser.add_argument("--drop-days", type=int, default=0, help="days to cut off the end: other origins")
    parser.add_argument("--without", nargs="+", default=[], help="columns to withhold, e.g. promo")
    parser.add_argument(
        "--stock-outs", type=float, default=0.0, help="share of days made out of stock, flagged"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    asked = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    results, lines = {}, []
    for name in asked.sets:
        series = SETS[name](asked.data, asked.limit or SIZES[asked.size][name], asked.seed)
        series = series.drop(asked.without, strict=False)
        if asked.drop_days:
            last = pl.col("date").max().dt.offset_by(f"-{asked.drop_days}d")
            series = series.filter(pl.col("date") <= last)
        found = measure(series, asked)
        show(name, found)
        lines.append({"set": name, **ratios(found["scores"])})
        tables = {key: found[key].to_dicts() for key in ("scores", "by_class")}
        results[name] = {**found, **tables, "ratios": lines[-1]}
        label = f"{asked.size}-{asked.effort}-seed{asked.seed}-drop{asked.drop_days}"
        changed = [*asked.without, *([f"out{asked.stock_outs:g}"] if asked.stock_outs else [])]
        changed += asked.members if len(asked.members) < len(MEMBERS) else []
        label = "-".join([label, *changed])
        (OUT / f"forecasting-{label}.json").write_text(json.dumps(results, indent=1, default=str))
    table = pl.DataFrame(lines)
    numbers = [column for column in table.columns if column != "set"]
    means = table.select(pl.lit("geometric mean").alias("set"), pl.col(numbers).log().mean().exp())
    with pl.Config(float_precision=3, tbl_width_chars=160, tbl_hide_dataframe_shape=True):
        sys.stdout.write(
            f"\nensemble over fixed 40/40/20, and over the best of statsforecast\n{pl.concat([table, means])}\n"
        )


def _cpu() -> float:
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def _say(what: str, done: int, total: int) -> None:
    sys.stderr.write(f"  {done}/{total} {what}\n")


if __name__ == "__main__":
    main()
