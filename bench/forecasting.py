"""Backtest the forecasts on published demand sets and print what each model reached.

    python -m bench.forecasting --data DATA [--sets or2 m5 sid promo] [--effort quick|full] [--limit N] [--peers]

DATA holds the folders named in bench/forecasting_sets.py. Two origins of 28 days; weights and intervals come from
earlier origins only. `--peers` adds statsforecast's AutoETS, AutoCES, DynamicOptimizedTheta, MSTL(7, 364) and the
median of the first three on the same folds (the `bench` dependency group; slow, which is one of the results).
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

from bench.forecasting_sets import SETS, SIZES
from models import forecast
from models.base import ForecastSettings, check_series
from models.metrics import naive_scale, score_frame
from models.panel import build_panel

COLUMNS = ("wape", "rmsse", "bias", "wql", "cover80", "cover95", "below_hi80", "below_hi95", "fva")


def measure(
    name: str, series: pl.DataFrame, horizon: int, folds: int, settings: ForecastSettings, peers: bool
) -> Any:
    """(scores by model, scores by class and model, seconds on the wall, CPU seconds with all child processes)."""
    began, spent = time.perf_counter(), _cpu()
    result = forecast.backtest(series, horizon, folds, settings=settings, progress=_say)
    wall, cpu = time.perf_counter() - began, _cpu() - spent
    scores = result.scores
    if peers:
        began = _cpu()
        theirs = peer_scores(series, horizon, folds, settings)
        sys.stdout.write(f"{name}: peers took {_cpu() - began:.0f} CPU seconds, wharf {cpu:.0f}\n")
        scores = pl.concat([scores, theirs], how="diagonal")
    return scores, result.by_class, wall, cpu, result.notes


def peer_scores(series: pl.DataFrame, horizon: int, folds: int, settings: ForecastSettings) -> pl.DataFrame:
    """statsforecast's entries on the same origins, clipped at 0, with their native bounds."""
    from statsforecast import StatsForecast
    from statsforecast.models import MSTL, AutoCES, AutoETS, DynamicOptimizedTheta

    checked = check_series(series)
    panel, _ = build_panel(checked, 0, settings, common_end=True)
    frames = []
    for fold in range(folds, 0, -1):
        offset = horizon * fold
        cut = panel.cut(offset)
        truth = panel.truth(offset, horizon)
        able = [row for row in range(panel.size) if cut.days - cut.start[row] >= 28]
        long = pl.concat([
            pl.DataFrame({"unique_id": panel.ids[row], "ds": np.arange(cut.start[row], cut.days),
                          "y": np.nan_to_num(cut.y[row, cut.start[row] :])})
            for row in able
        ])  # fmt: skip
        models = [AutoETS(season_length=7), AutoCES(season_length=7), DynamicOptimizedTheta(season_length=7)]
        if min(cut.days - cut.start[row] for row in able) > 2 * 364:
            models.append(MSTL(season_length=[7, 364]))
        said = StatsForecast(models=models, freq=1, n_jobs=1).forecast(df=long, h=horizon, level=[80, 95])
        absolute, squared = naive_scale(cut.y, 7, 1), naive_scale(cut.y, 1, 2)
        keys = {"series_id": np.repeat([panel.ids[row] for row in able], horizon), "cutoff": fold,
                "y": truth[able].ravel(), "scale_abs": np.repeat(absolute[able], horizon),
                "scale_sq": np.repeat(squared[able], horizon)}  # fmt: skip
        names = [str(model) for model in models]
        values = {
            f"sf_{model}": {
                "yhat": said[model], "lo80": said[f"{model}-lo-80"], "hi80": said[f"{model}-hi-80"],
                "lo95": said[f"{model}-lo-95"], "hi95": said[f"{model}-hi-95"],
            }
            for model in names
        }  # fmt: skip
        first = [f"sf_{model}" for model in names[:3]]
        values["sf_median"] = {
            column: pl.Series(np.median([values[model][column].to_numpy() for model in first], axis=0))
            for column in values[first[0]]
        }
        for model, columns in values.items():
            clipped = {column: np.maximum(data.to_numpy(), 0.0) for column, data in columns.items()}
            frames.append(pl.DataFrame({**keys, **clipped}).with_columns(model=pl.lit(model)))
    return score_frame(pl.concat(frames))


def main() -> None:
    """Print a table per set and write bench-results/forecasting.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("."), help="not needed for `promo`, which is simulated"
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--effort", default="quick", choices=["quick", "full"])
    parser.add_argument("--limit", type=int, help="series per set (default: as in docs/forecasting.md)")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--horizon", type=int, default=28)
    parser.add_argument("--seed", type=int, default=3, help="which series are drawn")
    parser.add_argument("--drop-days", type=int, default=0, help="days to cut off the end: other origins")
    parser.add_argument("--without", nargs="+", default=[], help="columns to withhold, e.g. promo")
    parser.add_argument("--peers", action="store_true")
    asked = parser.parse_args()
    results = {}
    for name in asked.sets:
        series = SETS[name](asked.data, asked.limit or SIZES[name], asked.seed).drop(
            asked.without, strict=False
        )
        last = series["date"].max()
        if asked.drop_days and last is not None:
            series = series.filter(pl.col("date") <= pl.lit(last).dt.offset_by(f"-{asked.drop_days}d"))
        settings = ForecastSettings(effort=asked.effort)
        scores, by_class, wall, cpu, notes = measure(
            name, series, asked.horizon, asked.folds, settings, asked.peers
        )
        size = series["series_id"].n_unique()
        with pl.Config(
            tbl_rows=60, tbl_cols=20, float_precision=3, tbl_width_chars=180, tbl_hide_dataframe_shape=True
        ):
            sys.stdout.write(f"\n{name}: {size} series, {wall:.0f} s on the wall, {cpu:.0f} CPU seconds\n")
            sys.stdout.write(f"{scores.sort('wape').select('model', *COLUMNS)}\n")
            mine = by_class.filter(pl.col("model") == "ensemble").select("class", *COLUMNS, "days")
            sys.stdout.write(f"{mine}\n" + "".join(f"  {note}\n" for note in notes))
            sys.stdout.flush()
        results[name] = {"series": size, "wall": wall, "cpu": cpu, "scores": scores.to_dicts()}
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / f"forecasting-{asked.effort}.json").write_text(json.dumps(results, indent=1, default=str))


def _cpu() -> float:
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def _say(what: str, done: int, total: int) -> None:
    sys.stderr.write(f"  {done}/{total} {what}\n")


if __name__ == "__main__":
    main()
