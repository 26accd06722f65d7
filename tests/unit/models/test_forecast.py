from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from models import forecast, members
from models.base import FORECAST_SCHEMA, ForecastSettings
from models.registry import RegistryError
from tests.models_factories import CHEAP, START, awkward, broken_rows, series, shop, weekly

QUICK = ForecastSettings(members=CHEAP)


@pytest.fixture(scope="module")
def awkward_result():
    return forecast.run(awkward(), 14, settings=QUICK)


def test_every_awkward_series_is_answered_within_the_contract(awkward_result):
    frame = awkward_result.frame

    assert dict(frame.schema) == {name: dtype() for name, dtype in FORECAST_SCHEMA.items()}
    assert broken_rows(frame).is_empty()
    counts = frame.group_by("series_id", "model").len()
    assert counts["len"].unique().to_list() == [14]
    assert counts.height == awkward()["series_id"].n_unique() * (len(CHEAP) + 2)


def test_a_spike_is_not_the_level_of_what_follows(awkward_result):
    means = (
        awkward_result.frame.filter(pl.col("model") == "ensemble")
        .group_by("series_id")
        .agg(pl.col("yhat").mean())
    )
    mean = dict(means.iter_rows())

    assert mean["zero"] == pytest.approx(0.0, abs=0.01)
    assert mean["constant"] == pytest.approx(3.0, rel=0.05)
    assert mean["spike"] < 20
    assert mean["last day spike"] < 50


def test_forecast_days_follow_the_last_known_day(awkward_result):
    first = awkward_result.frame.group_by("series_id").agg(pl.col("date").min())

    assert dict(first.iter_rows())["three"] == START + timedelta(days=3)


def test_sums_rise_with_chance_and_lead(awkward_result):
    sums = awkward_result.cumulative
    quantiles = sums.select(pl.col("^q.*$")).to_numpy()

    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (
        sums.group_by("series_id").agg(rising=pl.col("q950").diff().drop_nulls().min() >= 0)["rising"].all()
    )
    assert (quantiles >= 0).all()


def test_the_past_never_sees_the_future():
    frame = shop(days=200)
    cutoff = START + timedelta(days=199 - 28)
    rng = np.random.default_rng(0)
    other = frame.with_columns(
        y=pl.when(pl.col("date") > cutoff)
        .then(pl.lit(pl.Series(rng.integers(0, 400, frame.height).astype(float))))
        .otherwise("y")
    )

    before = forecast.backtest(frame, 28, 1, settings=QUICK).frame
    after = forecast.backtest(other, 28, 1, settings=QUICK).frame

    assert before["cutoff"].unique().to_list() == [cutoff]
    assert before["y"].to_list() != after["y"].to_list()
    assert before.drop("y").equals(after.drop("y"))


def test_a_later_fold_may_learn_from_an_earlier_one_but_not_from_itself():
    frame = shop(days=260)
    cutoff = START + timedelta(days=259 - 28)
    other = frame.with_columns(y=pl.when(pl.col("date") > cutoff).then(pl.col("y") * 3 + 1).otherwise("y"))

    before, after = (forecast.backtest(f, 28, 2, settings=QUICK).frame.drop("y") for f in (frame, other))

    assert before["cutoff"].n_unique() == 2
    assert before.equals(after)


def test_same_input_same_forecast():
    first, second = (forecast.run(shop(), 21, settings=QUICK) for _ in range(2))

    assert first.frame.equals(second.frame)
    assert first.cumulative.equals(second.cumulative)


def test_row_order_does_not_matter():
    frame = shop()

    assert forecast.run(frame, 7, settings=QUICK).frame.equals(
        forecast.run(frame.sample(fraction=1.0, shuffle=True, seed=1), 7, settings=QUICK).frame
    )


def test_backtest_beats_the_bar_and_is_calibrated_on_regular_demand():
    frame = pl.concat([weekly(f"s{n}", 300, level=20, seed=n) for n in range(25)])

    scores = (
        forecast.backtest(frame, 14, 2, settings=QUICK)
        .scores.filter(pl.col("model") == "ensemble")
        .row(0, named=True)
    )

    assert scores["fva"] > 0.1
    assert abs(scores["bias"]) < 0.05
    assert 0.7 < scores["cover80"] < 0.9
    assert 0.9 < scores["cover95"] < 0.99


def test_stock_outs_are_not_taken_for_no_demand():
    rng = np.random.default_rng(2)
    parts, censored = [], []
    for n in range(8):
        whole = weekly(f"s{n}", 240, level=12, seed=n)
        out = rng.random(240) < 0.15
        parts.append(whole)
        censored.append(
            whole.with_columns(
                y=pl.when(pl.Series(out)).then(0.0).otherwise("y"), in_stock=pl.Series((~out).astype(float))
            )
        )
    truth = forecast.run(pl.concat(parts), 28, settings=QUICK).frame
    masked = forecast.run(pl.concat(censored), 28, settings=QUICK).frame
    as_zero = forecast.run(pl.concat(censored).drop("in_stock"), 28, settings=QUICK).frame

    def total(frame):
        return frame.filter(pl.col("model") == "ensemble")["yhat"].sum()

    assert abs(total(masked) / total(truth) - 1) < 0.03
    assert total(as_zero) / total(truth) < 0.92


def test_days_out_of_stock_are_not_scored():
    flags = [1.0] * 230 + [0.0] * 10
    frame = weekly("a", 240).with_columns(in_stock=pl.Series(flags))

    scored = forecast.backtest(frame, 14, 1, settings=QUICK).frame.filter(pl.col("model") == "ensemble")

    assert scored["y"].null_count() == 10


def test_stored_models_give_the_same_forecast_and_say_their_version(tmp_path):
    frame = shop()

    first = forecast.run(frame, 14, settings=QUICK, registry=tmp_path)
    second = forecast.run(
        frame, 14, settings=ForecastSettings(members=CHEAP, retrain=False), registry=tmp_path
    )

    assert first.version == second.version
    assert first.version is not None
    assert first.frame.equals(second.frame)


def test_a_damaged_version_is_not_used(tmp_path):
    first = forecast.run(shop(), 14, settings=QUICK, registry=tmp_path)
    (tmp_path / str(first.version) / "tables.json").write_text("{}")

    with pytest.raises(RegistryError):
        forecast.run(shop(), 14, settings=ForecastSettings(members=CHEAP, retrain=False), registry=tmp_path)


def test_a_new_product_borrows_its_category():
    old = pl.concat(
        [weekly(f"s{n}", 200, level=30, seed=n).with_columns(category=pl.lit("tea")) for n in range(6)]
    )
    quiet = pl.concat(
        [weekly(f"q{n}", 200, level=2, seed=n).with_columns(category=pl.lit("pins")) for n in range(6)]
    )
    launch = START + timedelta(days=197)
    new = [
        series(f"new {c}", [10.0] * 3, start=launch).with_columns(category=pl.lit(c)) for c in ("tea", "pins")
    ]

    result = forecast.run(pl.concat([old, quiet, *new]), 14, settings=QUICK).frame
    mean = dict(
        result.filter(pl.col("model") == "ensemble")
        .group_by("series_id")
        .agg(pl.col("yhat").mean())
        .iter_rows()
    )

    assert mean["new tea"] > 1.3 * mean["new pins"]


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="horizon"):
        forecast.run(shop(), 0, settings=QUICK)
    with pytest.raises(ValueError, match="folds"):
        forecast.backtest(shop(), 7, 0, settings=QUICK)
    with pytest.raises(ValueError, match="days of history"):
        forecast.backtest(series("a", [1.0, 2.0]), 7, 2, settings=QUICK)


def test_a_worker_that_dies_costs_its_member_alone(monkeypatch):
    def deadly(*args):
        return [replace(job, function="os:_exit", arguments={"status": 3}) if job.name == "gradient_boosted" else job
                for job in plan(*args)]  # fmt: skip

    plan = members._plan
    monkeypatch.setattr(members, "_plan", deadly)

    result = forecast.run(
        shop(days=120), 7, settings=ForecastSettings(members=("ets", "gradient_boosted"), workers=1)
    )

    assert any("gradient_boosted failed" in note and "status 3" in note for note in result.notes)
    assert result.members == ["ets"]
    assert set(result.frame["model"].unique()) == {"ets", "fixed", "ensemble"}
