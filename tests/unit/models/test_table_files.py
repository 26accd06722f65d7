"""Tables as spreadsheets, programs and countries write them."""

import gzip
import io

import polars as pl
import pytest

from models import files
from models.base import SeriesError

LINES = ["item_id,name,units,price,new", "00123,café,1,2.5,true", "NA,-,,1e3,FALSE"]
TEXT = "\n".join(LINES)
READ = [("00123", "café", 1, 2.5, True), ("NA", None, None, 1000.0, False)]


def parquet():
    content = io.BytesIO()
    pl.DataFrame(READ, schema=[" Item_ID ", "name", "units", "price", "new"], orient="row").write_parquet(
        content
    )
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", " ; ").replace("2.5", "2,5").encode(),
        TEXT.replace("item_id", ' "Item_ID" ').replace("units", "UNITS").encode(),
        gzip.compress(TEXT.encode()),
        parquet(),
    ],
    ids=["utf-8", "bom", "utf-16", "windows", "crlf", "cr", "tabs", "semicolons", "names", "gzip", "parquet"],
)
def test_the_same_table_is_read_from_every_way_to_write_it(tmp_path, content):
    path = tmp_path / "table"
    path.write_bytes(content)
    frame = files.read_table(path).with_columns(pl.col("item_id").str.strip_chars())
    assert frame.columns == ["item_id", "name", "units", "price", "new"]
    assert frame.rows() == READ


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ('a,units\nx,"1,234.50"\ny,7', [1234.5, 7.0]),
        ("a;units\nx;1.234,50\ny;7", [1234.5, 7.0]),
        ("a;units\nx;1234.5\ny;7", [1234.5, 7.0]),
        ('a,units\nx,"1,234"\ny,many', ["1234", "many"]),
    ],
)
def test_numbers_with_separators_are_numbers(tmp_path, text, units):
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert files.read_table(path)["units"].to_list() == units


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n1,2,3\n", r"table.csv: line 3 has 3 fields, the header 2"),
        ("a, A\n1,2\n", r"table.csv: two columns have the same name: 'a'"),
        ("", r"table.csv: cannot be read as .csv"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, text, says):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(SeriesError, match=says):
        files.read_table(path)
