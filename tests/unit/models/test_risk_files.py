"""Stock-out risk of a merchant's own rows: what they may look like, and what rank and rate come out."""

import numpy as np
import polars as pl
import pytest

from models import files, risk
from models.base import SeriesError
from tests.reference import reference
from tests.unit.models.test_anomaly_and_risk import items

HEADER = "item_id,on_hand,inbound,lead_time_days,sales_30d,sales_90d,forecast_30d,forecast_90d"


def backorders():
    raw = pl.read_parquet(reference("data/backorders/sample_10k.parquet"))
    return raw.select(
        item_id=pl.col("sku").cast(pl.String),
        on_hand="national_inv",
        inbound="in_transit_qty",
        lead_time_days="lead_time",
        sales_30d="sales_1_month",
        sales_90d="sales_3_month",
        forecast_30d=pl.col("forecast_3_month") / 3,
        forecast_90d="forecast_3_month",
        stockout="went_on_backorder",
    )


def test_the_formula_and_the_trained_model_rank_real_items():
    from sklearn import metrics

    rows = backorders()
    learn, held = rows[::2], rows[1::2]
    truth = held["stockout"].eq("Yes").to_numpy()

    plain = risk.score(held)["probability"].to_numpy()
    said = risk.score(held, risk.train(learn))
    trained = said["probability"].to_numpy()

    assert metrics.average_precision_score(truth, plain) > 0.70
    assert metrics.average_precision_score(truth, trained) > 0.77
    assert metrics.f1_score(truth, said["risk"].eq("high").to_numpy()) > 0.72
    assert abs(trained.mean() - truth.mean()) < 0.02


def test_rows_rich_in_stock_outs_are_brought_back_to_the_rate_of_life():
    rows = items(4000, seed=5)
    positives, rest = rows.filter(pl.col("stockout") == 1), rows.filter(pl.col("stockout") == 0)
    life = pl.concat([positives.head(positives.height // 20), rest])
    rate = float(life["stockout"].mean())

    enriched = risk.score(life, risk.train(rows))["probability"].mean()
    corrected = risk.score(life, risk.train(rows, base_rate=rate))["probability"].mean()

    assert enriched > 1.5 * rate
    assert corrected == pytest.approx(rate, rel=0.35)


def test_a_file_with_odd_ids_gaps_debts_and_further_columns_is_scored_in_order(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text(
        f" {HEADER.upper()},note\n"
        '00123,10,0,14,30,90,30,90,x\n"Tee, grün",-5,,NaN,0,0,0,0,\nz,0,0,7,0,0,0,0,\nq,900,0,,3,9,3,9,\n'
        "huge,1e30,0,8,1e300,90,1e300,90,\n"
    )
    result = risk.score(files.read_table(path))

    assert result["item_id"].to_list() == ["00123", "Tee, grün", "z", "q", "huge"]
    assert result["risk"].to_list() == ["high", "high", "low", "low", "low"]
    assert result["probability"].is_finite().all()
    assert result["probability"].is_between(0, 1).all()
    assert result["probability"][1] == 1.0


def test_a_trained_model_scores_rows_without_its_further_columns(tmp_path):
    rows = items(400).with_columns(shelf=pl.Series(np.arange(400) % 7), frozen=pl.lit("No"))
    model = risk.train(rows)

    result = risk.score(rows.drop("shelf", "frozen", "stockout"), model)

    assert {"shelf", "frozen"} <= set(model.columns)
    assert result["probability"].is_finite().all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.drop("on_hand"), r"\['on_hand'\] are missing"),
        (lambda rows: rows.with_columns(stockout=0), "0 stock-outs among 400 rows: at least 20"),
        (lambda rows: rows.head(25), "at least 20 of each"),
        (
            lambda rows: rows.with_columns(sales_30d=float("inf")),
            "'i0': sales_30d is 'inf', which is no finite",
        ),
        (lambda rows: rows.with_columns(stockout=pl.lit("maybe")), "row 1: stockout is not 0 or 1"),
    ],
)
def test_rows_nothing_can_be_learned_from_are_named(change, says):
    with pytest.raises(SeriesError, match=says):
        risk.train(change(items(400)))


def test_rows_that_cannot_be_scored_are_told_beside_those_that_are():
    rows = items(3).with_columns(on_hand=pl.Series(["5", "many", None])).vstack(
        items(1).with_columns(item_id=pl.lit(" "), on_hand=pl.lit("5"))
    )  # fmt: skip
    left, told = risk.sound(rows)
    assert risk.score(left)["item_id"].to_list() == ["i0", "i2"]
    assert told == [
        "row 2, item 'i1': on_hand is 'many', which is no finite number",
        "row 4, item ' ': item_id is empty",
    ]
