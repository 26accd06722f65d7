"""`wharf forecast run|backtest --input` as strangers call it: columns, order and sums of what is written."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from deployments.cli import app
from models.files import write_table
from tests.models_factories import shop

COLUMNS = ["series_id", "date", "model", "yhat", "lo80", "hi80", "lo95", "hi95"]
CHEAP = ["--members", "seasonal_naive,weekday_mean,ets", "--workers", "1"]


@pytest.fixture
def given(tmp_path):
    """Columns in another order than the contract names them, two categories."""
    frame = shop(count=6, days=150).with_columns(
        category=pl.when(pl.col("series_id").str.starts_with("rare")).then(pl.lit("b")).otherwise(pl.lit("a"))
    )
    file = tmp_path / "in.parquet"
    write_table(frame.select("y", "category", "date", "series_id"), file)
    return file


def wharf(*words):
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_a_forecast_and_its_totals_are_written_as_promised(given, tmp_path):
    out, totals = tmp_path / "out.csv", tmp_path / "totals.csv"

    wharf("forecast", "run", "--input", given, "--horizon", 7, "--output", out, "--totals", totals, *CHEAP)

    said = pl.read_csv(out)
    assert said.columns == COLUMNS
    assert said.height == 6 * 7 * 5  # three members, fixed, ensemble
    blend = said.filter(model="ensemble").group_by("date").agg(pl.col("yhat").sum()).sort("date")
    added_up = pl.read_csv(totals)
    assert set(added_up["level"]) == {"total", "category"}
    for level in ("total", "category"):
        mine = added_up.filter(level=level).group_by("date").agg(pl.col("yhat").sum()).sort("date")
        assert mine["yhat"].to_list() == pytest.approx(blend["yhat"].to_list(), abs=1e-4)


def test_a_backtest_says_what_came_and_how_every_level_did(given, tmp_path):
    out = tmp_path / "out.csv"
    asked = ("forecast", "backtest", "--input", given, "--horizon", 7, "--folds", 2, "--output", out, *CHEAP)

    told = json.loads(wharf(*asked, "--json"))

    rows = pl.read_csv(out)
    assert set(rows.columns) == {*COLUMNS, "cutoff", "y"}
    assert rows["cutoff"].n_unique() == 2
    assert {row["level"] for row in told["by_level"]} == {"series", "category", "total"}
    assert {"mase", "rmsse", "bias", "wql", "cover80", "fva"} <= set(told["by_level"][0])
