from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models.base import ForecastSettings, SeriesError, check_series
from models.files import read_series, write_forecast
from models.panel import build_panel
from tests.models_factories import START, series


def csv(tmp_path, text):
    path = tmp_path / "in.csv"
    path.write_text(text)
    return path


def test_reads_unsorted_rows_with_text_dates_and_empty_units(tmp_path):
    path = csv(tmp_path, "series_id,date,y,promo\na,2024-01-02,,1\na,2024-01-01,3,0\n")

    frame = read_series(path)

    assert frame["date"].to_list() == [date(2024, 1, 1), date(2024, 1, 2)]
    assert frame["y"].to_list() == [3.0, None]


def test_numbers_as_ids_and_nan_units_are_understood(tmp_path):
    frame = read_series(csv(tmp_path, "series_id,date,y\n17,2024-01-01,NaN\n17,2024-01-02,4.5\n"))

    assert frame["series_id"].to_list() == ["17", "17"]
    assert frame["y"].to_list() == [None, 4.5]


def test_parquet_reads_like_csv(tmp_path):
    path = tmp_path / "in.parquet"
    series("a", [1, 2, 3]).write_parquet(path)

    assert read_series(path)["y"].to_list() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("series_id,date\na,2024-01-01\n", "column 'y' is missing"),
        ("series_id,date,y\n", "no rows"),
        ("series_id,date,y\na,2024-01-01,-2\n", "y is negative"),
        ("series_id,date,y\na,2024-01-01,two\nb,2024-01-01,2\n", "'two', which is no number"),
        ("series_id,date,y\na,01/02/2024,2\n", "is not like 2024-12-31"),
        ("series_id,date,y\na,2024-01-01,2\na,2024-01-01,3\n", "more than once"),
        ("series_id,date,y\n,2024-01-01,2\n", "series_id is empty"),
        ("series_id,date,y\na,,2\n", "date is empty"),
        ("series_id,date,y,in_stock\na,2024-01-01,2,0.5\n", "in_stock is not 0 or 1"),
    ],
)
def test_faults_are_named(tmp_path, text, says):
    with pytest.raises(SeriesError, match=says) as caught:
        read_series(csv(tmp_path, text))

    assert "in.csv" in str(caught.value)


def test_a_missing_or_unreadable_file_is_one_line(tmp_path):
    with pytest.raises(SeriesError, match="no such file"):
        read_series(tmp_path / "none.csv")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet")
    with pytest.raises(SeriesError, match="cannot be read"):
        read_series(broken)


def test_infinite_units_are_refused():
    with pytest.raises(SeriesError, match="infinite"):
        check_series(series("a", [1.0, float("inf")]))


def test_missing_days_are_zero_and_out_of_stock_days_are_unknown():
    frame = series("a", [4, 5, 6, 7, 8], in_stock=[1, 1, 0, 1, 1]).filter(pl.col("y") != 5)

    panel, _ = build_panel(check_series(frame), 7, ForecastSettings())

    np.testing.assert_array_equal(panel.y, [[4, 0, np.nan, 7, 8]])


def test_each_series_ends_on_its_own_last_known_day():
    frame = pl.concat([series("a", [1, 2, 3, None, None]), series("b", [1, 2, 3, 4, 5])])

    panel, _ = build_panel(check_series(frame), 2, ForecastSettings())

    assert panel.dates_ahead(0, 1) == [date(2024, 1, 4)]
    assert panel.dates_ahead(1, 1) == [date(2024, 1, 6)]


def test_a_common_origin_leaves_the_days_since_unknown():
    frame = pl.concat([series("a", [1, 2, 3]), series("b", [1, 2, 3, 4, 5])])

    panel, _ = build_panel(check_series(frame), 2, ForecastSettings(origin=date(2024, 1, 5)))

    np.testing.assert_array_equal(panel.y[0], [1, 2, 3, np.nan, np.nan])


def test_zeros_before_the_first_sale_are_no_demand():
    panel, _ = build_panel(check_series(series("a", [0, 0, 2, 0])), 1, ForecastSettings())

    assert panel.days == 2
    np.testing.assert_array_equal(panel.y[0], [2, 0])


def test_a_column_that_is_not_known_ahead_is_not_used():
    frame = series("a", [1, 2, 3, None, None], promo=[0, 1, 0, 1, 0], visitors=[9, 8, 7, np.nan, np.nan])

    panel, notes = build_panel(check_series(frame), 2, ForecastSettings())

    assert list(panel.known) == ["promo"]
    np.testing.assert_array_equal(panel.known["promo"], [[0, 1, 0, 1, 0]])
    assert any("visitors" in note for note in notes)


def test_a_price_holds_until_the_next():
    frame = series("a", [1, 2, 3, None], price=[np.nan, 2.0, np.nan, 3.0])

    panel, _ = build_panel(check_series(frame), 1, ForecastSettings())

    np.testing.assert_array_equal(panel.known["price"], [[2, 2, 2, 3]])


def test_forecasts_are_written_whole(tmp_path):
    path = tmp_path / "out.csv"

    write_forecast(pl.DataFrame({"series_id": ["a"], "date": [START], "yhat": [1.5]}), path)

    assert pl.read_csv(path).rows() == [("a", "2024-01-01", 1.5)]
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_settings_refuse_what_does_not_exist():
    with pytest.raises(ValueError, match="unknown forecast members"):
        ForecastSettings(members=("oracle",))
    with pytest.raises(ValueError, match="workers"):
        ForecastSettings(workers=0)


def test_months_without_rows_are_not_known_where_days_without_sales_have_rows():
    rest = timedelta(days=1)
    weeks = [3.0, 4.0, 5.0, 0.0, 5.0, 6.0, 7.0] * 20
    gap = pl.col("date").is_between(START + 20 * rest, START + 40 * rest)
    short = pl.col("date").is_between(START + 50 * rest, START + 55 * rest)
    told = pl.concat([series("a", weeks).filter(~gap & ~short), *(series(name, weeks) for name in "bcd")])
    rare = series("rare", ([2.0] + [0.0] * 19) * 7)

    panel, notes = build_panel(check_series(told), 0, ForecastSettings())

    assert np.isnan(panel.y[0]).sum() == 21
    assert np.isnan(panel.y[1:]).sum() == 0
    assert panel.y[0, 50:56].tolist() == [0.0] * 6
    assert any("gaps" in note for note in notes)
    # No row, no sale: in a file of sales alone, though a day cancelled out, and of a rare seller among others.
    sales_only = pl.concat([told.filter(pl.col("y") > 0), series("e", [1.0, 0.0, 1.0])])
    among_others = pl.concat([*(series(name, weeks) for name in "rstuvwxyz"), rare.filter(pl.col("y") > 0)])
    for frame in (sales_only, among_others):
        _, notes = build_panel(check_series(frame), 0, ForecastSettings())
        assert not any("gaps" in note for note in notes)


def test_rows_a_week_apart_are_pointed_out():
    weekly_rows = series("w", [5.0, 6.0, 7.0, 8.0] * 35).gather_every(7)

    _, notes = build_panel(check_series(weekly_rows), 0, ForecastSettings())
    _, daily = build_panel(check_series(series("d", [5.0, 0.0] * 50)), 0, ForecastSettings())

    assert notes == ["rows are 7 days apart: the days between are taken as days without a sale"]
    assert daily == []
