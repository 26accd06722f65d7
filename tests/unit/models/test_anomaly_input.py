"""Time stamps and values as real files have them."""

from datetime import datetime

import polars as pl
import pytest

from models.anomaly import detect
from models.base import SeriesError

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
    from models.anomaly import _instants

    assert _instants(frame["timestamp"]).to_list() == [AT, AT]


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


def test_what_cannot_be_read_is_named():
    with pytest.raises(SeriesError, match="'never'"):
        detect(pl.DataFrame({"timestamp": ["2024-01-31", "never"], "value": [1, 2]}))
    with pytest.raises(SeriesError, match="'many'"):
        detect(pl.DataFrame({"timestamp": ["2024-01-31"], "value": ["many"]}))


def test_a_constant_series_has_no_anomaly():
    rows = {"timestamp": list(range(0, 3600 * 2000, 3600)), "value": [7.0] * 2000}
    assert detect(pl.DataFrame(rows))["is_anomaly"].sum() == 0
