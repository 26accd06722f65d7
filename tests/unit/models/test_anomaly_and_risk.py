from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from bench.anomalies import AnomalySettings, ewma_chart, run, summary, z_score
from models import risk
from models.anomaly import detect
from models.base import SeriesError
from tests.reference import reference

START = datetime(2024, 1, 1, tzinfo=UTC)


def orders_an_hour(hours=24 * 35, seed=1):
    """Orders by hour with a daily and a weekly shape."""
    rng = np.random.default_rng(seed)
    at = [START + timedelta(hours=n) for n in range(hours)]
    mean = np.array([40 + 30 * np.sin((t.hour - 8) / 24 * 2 * np.pi) + 10 * (t.weekday() >= 5) for t in at])
    return pl.DataFrame({"timestamp": at, "value": rng.poisson(mean).astype(float)})


def with_outage(frame, first, hours):
    index = pl.int_range(pl.len())
    return frame.with_columns(
        value=pl.when(index.is_between(first, first + hours - 1)).then(0.0).otherwise("value")
    )


def test_an_outage_is_seen_while_it_lasts_and_the_night_is_not_one():
    first = 24 * 30 + 12
    result = detect(with_outage(orders_an_hour(), first, 5))

    alarms = [row for row, odd in enumerate(result["is_anomaly"]) if odd]
    assert any(first <= row < first + 5 for row in alarms)
    assert len(alarms) <= 3


def test_what_is_expected_follows_the_time_of_day():
    result = detect(orders_an_hour())
    late = result.tail(24 * 7)

    assert (late["expected"] - late["value"]).abs().mean() < 10


def test_a_row_is_judged_by_the_rows_before_it():
    frame = with_outage(orders_an_hour(), 700, 6)

    whole, part = detect(frame), detect(frame.head(703))

    assert whole.head(703).equals(part)


def test_text_times_gaps_repeats_and_empty_values_are_read():
    frame = pl.DataFrame(
        {"timestamp": ["2024-01-01 02:00:00", "2024-01-01T01:00", "2024-01-01", "2024-01-01"],
         "value": [1.0, None, 2.0, float("nan")]}
    )  # fmt: skip
    result = detect(frame)

    assert result.columns == ["timestamp", "value", "expected", "score", "is_anomaly"]
    assert result["timestamp"].to_list()[-1] == "2024-01-01 02:00:00"
    assert result["score"].is_between(0, 1).all()
    assert not result["is_anomaly"].any()


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pl.DataFrame({"timestamp": ["soon"], "value": [1.0]}), "'soon'"),
        (pl.DataFrame({"time": ["2024-01-01"], "value": [1.0]}), "'timestamp' is missing"),
        (pl.DataFrame({"timestamp": [], "value": []}), "no rows"),
    ],
)
def test_faulty_rows_are_named(frame, says):
    with pytest.raises(SeriesError, match=says):
        detect(frame)


def test_constant_and_wild_series_end_with_finite_scores():
    for values in ([5.0] * 300, [0.0] * 299 + [1e12]):
        frame = orders_an_hour(300).with_columns(value=pl.Series(values))
        result = detect(frame)
        assert result["score"].is_finite().all()
    assert result["is_anomaly"].to_list()[-1]


def test_the_rule_beats_a_z_score_and_an_ewma_chart_on_the_benchmark():
    data = reference("data/nab/labels/combined_windows.json").parents[1]
    rules = {
        "wharf": lambda frame, at, values: detect(frame, AnomalySettings())["is_anomaly"].to_numpy(),
        "z": lambda frame, at, values: z_score(values),
        "ewma": lambda frame, at, values: ewma_chart(values),
    }
    rows = summary(run(data, rules), ["rule"])
    score = dict(rows.select("rule", "score").iter_rows())
    false = dict(rows.select("rule", "false").iter_rows())

    assert score["wharf"] > score["z"] + 8
    assert score["wharf"] > score["ewma"] + 8
    assert false["wharf"] < false["z"]


def items(count=400, seed=2):
    """Items whose stock-outs follow from stock, lead time and noise."""
    rng = np.random.default_rng(seed)
    rate, lead = rng.lognormal(0.5, 0.8, count), rng.integers(3, 40, count).astype(float)
    on_hand = rng.gamma(1.2, 30, count).round()
    noisy = rate * rng.lognormal(0, 0.3, count)
    return pl.DataFrame({
        "item_id": [f"i{n}" for n in range(count)], "on_hand": on_hand, "inbound": np.zeros(count),
        "lead_time_days": lead, "sales_30d": (noisy * 30).round(), "sales_90d": (noisy * 90).round(),
        "forecast_30d": rate * 30, "forecast_90d": rate * 90,
        "stockout": (rng.poisson(rate * lead) > on_hand).astype(int),
    })  # fmt: skip


def test_risk_without_training_falls_with_stock_and_rises_with_lead_time():
    one = items(1)
    frames = [
        one.with_columns(on_hand=pl.lit(float(units)), lead_time_days=pl.lit(20.0))
        for units in (0, 30, 300, 9000)
    ]
    chances = risk.score(pl.concat(frames).with_columns(item_id=pl.Series(list("abcd"))))[
        "probability"
    ].to_list()

    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.999
    assert chances[-1] < 0.01


def test_risk_keeps_the_order_of_items_and_names_levels():
    frame = items(50)
    result = risk.score(frame.drop("stockout"))

    assert result["item_id"].to_list() == frame["item_id"].to_list()
    assert result["probability"].is_between(0, 1).all()
    assert set(result["risk"]) <= {"high", "medium", "low"}


def test_trained_risk_is_calibrated_finds_most_and_survives_the_disk(tmp_path):
    model = risk.train(items(800, seed=3))
    model.save(tmp_path / "risk.json")
    again = risk.RiskModel.load(tmp_path / "risk.json")
    unseen = items(600, seed=4)

    said = risk.score(unseen, again)
    truth = unseen["stockout"].to_numpy()
    called = (said["risk"] == "high").to_numpy()
    hits = (called & (truth == 1)).sum()

    assert model.scores["f1"] > 0.8
    assert 2 * hits / (called.sum() + truth.sum()) > 0.8
    assert abs(said["probability"].mean() - truth.mean()) < 0.06
    assert said.equals(risk.score(unseen, model))


def test_risk_names_what_is_wrong(tmp_path):
    with pytest.raises(SeriesError, match="inbound"):
        risk.score(items(5).drop("inbound"))
    with pytest.raises(SeriesError, match="'i0': on_hand is 'few'"):
        risk.score(items(3).with_columns(on_hand=pl.lit("few")))
    with pytest.raises(SeriesError, match="at least 20"):
        risk.train(items(10))
    (tmp_path / "risk.json").write_text("{}")
    with pytest.raises(SeriesError, match="no risk model"):
        risk.RiskModel.load(tmp_path / "risk.json")
