"""The backtest's pictures are of the best, the middle and the worst series that sold enough to be judged."""

import polars as pl

from flows.forecast_pictures import best_middle_worst


def rows(errors, sold=20.0):
    return pl.DataFrame(
        [
            {"series_id": series, "model": model, "y": sold, "yhat": sold + error}
            for series, error in errors.items()
            for model in ("ensemble", "seasonal_naive")
        ]
    )


def test_series_are_ranked_by_error_and_rare_ones_left_out():
    found = rows({"b": 4.0, "a": -1.0, "e": 30.0, "c": -6.0, "d": 9.0})
    rare = rows({"rare": 500.0}, sold=2.0)
    assert best_middle_worst(pl.concat([found, rare])) == [("Best", "a"), ("Middle", "c"), ("Worst", "e")]


def test_one_series_takes_one_place_and_none_takes_none():
    assert best_middle_worst(rows({"only": 1.0})) == [("Worst", "only")]
    assert best_middle_worst(rows({"x": 1.0}, sold=0.0)) == []
