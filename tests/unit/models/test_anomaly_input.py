"""Time stamps and values as real files have them."""

from datetime import datetime

import polars as pl
import pytest

from models.anomaly import detect, judge, readable
from models.base import SeriesError
from models.instants import instants

AT = datetime(2024, 1, 31, 14)  # noqa: DTZ001 clock time as the file has it


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-01-31 14:00:00",
        "2024-01-31T14:00:00Z",
        "2024-01-31T15:00:00+01:00",
        "2024-01-31 06:00:00-0800",
        "2024-01-31 14",
        "1/31/2024 14:00",
        "2024/01/31 14:00",
        "01/31/2024 02:00 PM",
        "31/01/2024 14:00",
        "31.01.2024 14:00:00",
        "2024-01-31T15:00:00+01:00[Europe/Berlin]",
        "1706709600",
        1706709600,
        1706709600000,
        1706709600.0,
        AT,
    ],
)
def test_every_way_to_write_an_instant_is_the_same_instant(stamp):
    frame = pl.DataFrame({"timestamp": [stamp, stamp], "value": [1, 2]})
    later = detect(frame).height
    assert later == 2
    assert instants(frame["timestamp"]).to_list() == [AT, AT]


def test_rows_come_back_in_order_of_time_over_a_clock_change_with_offsets():
    stamps = ["2024-10-27T02:30:00+01:00", "2024-10-27T02:30:00+02:00"]
    found = detect(pl.DataFrame({"timestamp": stamps, "value": [2.0, 1.0]}))
    assert found["value"].to_list() == [1.0, 2.0]


@pytest.mark.parametrize("value", ["", "nan", "N/A", None])
def test_a_missing_value_is_expected_and_never_odd(value):
    rows = {"timestamp": list(range(0, 3600 * 5, 3600)), "value": ["5", "5", value, "5", "5"], "note": "x"}
    found = detect(pl.DataFrame(rows))
    assert found.columns == ["timestamp", "value", "expected", "score", "is_anomaly"]
    assert found.row(2, named=True)["value"] is None
    assert found.row(2, named=True)["expected"] == 5.0


def test_rows_that_cannot_be_read_are_told_beside_those_that_are_judged():
    frame = pl.DataFrame({
        "timestamp": ["2024-01-31", "never", "2024-02-01", "2024-02-02"], "value": ["1", "2", "many", "1e200"]
    })  # fmt: skip
    rows, told = readable(frame)
    assert judge(rows).select("timestamp", "value").rows() == [
        ("2024-01-31", 1.0), ("2024-02-01", None), ("2024-02-02", None),
    ]  # fmt: skip
    assert told == [
        "row 2: timestamp 'never' with value '2' cannot be read",
        "row 3: timestamp '2024-02-01' with value 'many' cannot be read",
        "row 4: timestamp '2024-02-02' with value '1e200' cannot be read",
    ]


def test_a_file_of_which_no_row_has_an_instant_is_refused():
    with pytest.raises(SeriesError, match="row 1: timestamp 'never'"):
        readable(pl.DataFrame({"timestamp": ["never"], "value": [1]}))


def test_the_first_number_of_a_slashed_date_is_the_month_unless_it_cannot_be():
    assert instants(pl.Series(["03/04/2024", "12/31/2024"]))[0] == datetime(2024, 3, 4)  # noqa: DTZ001 as the file has it
    assert instants(pl.Series(["03/04/2024", "31/12/2024"]))[0] == datetime(2024, 4, 3)  # noqa: DTZ001 as the file has it


def test_several_series_in_a_file_are_judged_each_by_itself():
    hours = list(range(0, 3600 * 200, 3600))
    one = pl.DataFrame({"series_id": "a", "timestamp": hours, "value": [5.0] * 150 + [9.0] + [5.0] * 49})
    two = one.with_columns(series_id=pl.lit("b"), value=pl.lit(5e6))
    mixed = pl.concat([one, two]).sort("timestamp")
    found = detect(mixed)
    assert found.columns[0] == "series_id"
    assert found.filter("is_anomaly").select("series_id", "timestamp").rows() == [("a", 150 * 3600)]
    assert detect(one).columns[0] == "timestamp"


def test_a_constant_series_has_no_anomaly():
    rows = {"timestamp": list(range(0, 3600 * 2000, 3600)), "value": [7.0] * 2000}
    assert detect(pl.DataFrame(rows))["is_anomaly"].sum() == 0
