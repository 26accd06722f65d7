"""Will a visit end in a purchase: `python -m bench.sessions FILE`, public sessions with a yes/no column `Revenue`.

Five folds, each judged by what the other four taught. PageValues is left out: it is the shop's own later estimate and
gives much of the answer away; the last row has it, for comparison. Beside it: product pages seen, and the base rate.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models.base import Floats
from models.probability import TREES, best_line, calibration, score

ANSWER, LEAK = "Revenue", "PageValues"


def out_of_fold(x: Floats, truth: Floats, seed: int = 7) -> Floats:
    """Calibrated probability of every row by trees and calibration that have not seen it."""
    import lightgbm
    from sklearn.model_selection import StratifiedKFold

    said = np.empty(len(truth))
    for known, held in StratifiedKFold(5, shuffle=True, random_state=seed).split(x, truth):
        learn, tune = known[known % 5 > 0], known[known % 5 == 0]
        settings = TREES | {"num_leaves": 15, "min_data_in_leaf": 40, "lambda_l2": 5.0, "seed": seed}
        booster = lightgbm.train(settings, lightgbm.Dataset(x[learn], truth[learn]), num_boost_round=120)
        corners = calibration(np.asarray(booster.predict(x[tune], num_threads=1)), truth[tune])
        said[held] = np.interp(np.asarray(booster.predict(x[held], num_threads=1)), *corners)
    return said


def judge(table: pl.DataFrame) -> list[dict[str, Any]]:
    """One row per method."""
    truth = table[ANSWER].cast(pl.Float64).to_numpy()
    coded = table.drop(ANSWER).with_columns(
        (pl.col(name).rank("dense") if kind == pl.String else pl.col(name)).cast(pl.Float64)
        for name, kind in table.drop(ANSWER).schema.items()
    )
    seen = coded["ProductRelated"].to_numpy()
    began = time.process_time()
    told = {
        "learned": out_of_fold(coded.drop(LEAK).to_numpy(), truth),
        "product pages seen": seen / (seen + float(np.median(seen))),
        "base rate": np.full(len(truth), truth.mean()),
        f"learned, with {LEAK}": out_of_fold(coded.to_numpy(), truth),
    }
    seconds = time.process_time() - began
    rows = [{"method": name} | score(truth, said, best_line(said)) for name, said in told.items()]
    rows[0]["cpu s"] = round(seconds, 1)
    return rows


def main() -> int:
    """Print the table and write bench-results/sessions.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    rows = judge((pl.read_parquet if file.suffix == ".parquet" else pl.read_csv)(file))
    with pl.Config(tbl_cols=-1, tbl_width_chars=160, float_precision=3, tbl_hide_dataframe_shape=True):
        sys.stdout.write(f"{pl.DataFrame(rows)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "sessions.json").write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
