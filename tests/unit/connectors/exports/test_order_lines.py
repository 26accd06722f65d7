"""Every line of a merchant's file is accounted for."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from connectors.exports import order_lines
from connectors.exports.mapping import ColumnMapping, MappingError, bundled_mapping
from connectors.exports.order_lines import Classified, account, classify, read_lines
from tests.order_file_factories import HEADER, sold, write_csv
from tests.reference import reference

COLUMNS = dict(
    zip(
        ("order", "instant", "sku", "title", "quantity", "price", "currency", "customer", "country"),
        HEADER,
        strict=True,
    )
)


def mapping(**changes: object) -> ColumnMapping:
    return ColumnMapping.model_validate({"columns": COLUMNS, "currency": "EUR", **changes})


def sorted_out(tmp_path: Path, *files: list[dict[str, object]], **changes: object) -> Classified:
    used = mapping(**changes)
    paths = [write_csv(tmp_path / f"{number}.csv", rows) for number, rows in enumerate(files)]
    return classify(read_lines(paths, used), used)


def reasons(found: Classified) -> list[str]:
    return found.lines["reason"].to_list()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (sold("", "A", 1, "2.50"), order_lines.NO_ORDER),
        (sold("1", "A", 1, "2.50", Date="soon"), order_lines.BAD_DATE),
        (sold("1", "A", "many", "2.50"), order_lines.BAD_QUANTITY),
        (sold("1", "A", "1.5", "2.50"), order_lines.BAD_QUANTITY),
        (sold("1", "A", 1, "free"), order_lines.BAD_PRICE),
        (sold("1", "A", 1, "nan"), order_lines.BAD_PRICE),
        (sold("1", "A", 1, "0.00005"), order_lines.BAD_PRICE),
        (sold("1", " ", 1, "2.50"), order_lines.NO_SKU),
        (sold("1", "post", 1, "2.50"), order_lines.NOT_PRODUCT),
        (sold("1", "A", 0, "2.50"), order_lines.NO_QUANTITY),
        (sold("1", "A", 1, "0"), order_lines.NO_PRICE),
        (sold("1", "A", 1, "-2"), order_lines.NO_PRICE),
        (sold("1", "A", -1, "0"), order_lines.STOCK),
        (sold("C1", "A", 1, "2.50"), order_lines.BAD_CANCELLATION),
        (sold("C1", "A", -1, "2.50"), order_lines.UNMATCHED),
        (sold("1", "A", 1, "2.50"), order_lines.SALE),
    ],
)
def test_a_line_has_one_reason(tmp_path: Path, row: dict[str, object], reason: str):
    found = sorted_out(tmp_path, [row], cancellations={"prefix": "C"}, not_products={"codes": ["POST"]})

    assert reasons(found) == [reason]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-05-01 12:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T12:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T12:00:00Z", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("2024-05-01T12:00:00+05:30", datetime(2024, 5, 1, 6, 30, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 4, 30, 22, tzinfo=UTC)),
        ("01.05.2024 12:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-03-31 02:30:00", datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),  # an hour that was skipped
        ("2024-10-27 02:30:00", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),  # an hour that came twice
    ],
)
def test_instants_are_read_in_the_merchants_zone(tmp_path: Path, text: str, at: datetime):
    used = mapping(timezone="Europe/Berlin", date_formats=["%d.%m.%Y %H:%M"])

    lines = read_lines([write_csv(tmp_path / "a.csv", [sold("1", "A", 1, "1", Date=text)])], used)

    assert lines["at"].to_list() == [at]


@pytest.mark.parametrize(
    ("text", "comma", "price"),
    [
        ("6.95", False, 69500),
        ("0.0001", False, 1),
        ("1,234.50", False, 12345000),
        ("1.234,50", True, 12345000),
    ],
)
def test_prices_are_kept_to_four_places(tmp_path: Path, text: str, comma: bool, price: int):
    used = mapping(decimal_comma=comma)

    lines = read_lines([write_csv(tmp_path / "a.csv", [sold("1", "A", 1, text)])], used)

    assert lines["price"].to_list() == [price]


def test_skus_of_any_case_are_one_and_keep_their_zeros(tmp_path: Path):
    lines = read_lines(
        [write_csv(tmp_path / "a.csv", [sold("1", "00123a ", 1, "1"), sold("1", "00123A", 1, "1")])],
        mapping(),
    )

    assert lines["sku"].to_list() == ["00123A", "00123A"]


def test_customers_that_became_floats_are_numbers_again(tmp_path: Path):
    path = tmp_path / "a.parquet"
    rows = [sold("1", "A", 1, 2.5, Customer=13085.0), sold("2", "A", 1, 2.5, Customer=None)]
    pl.DataFrame(rows).write_parquet(path)

    assert read_lines([path], mapping())["customer"].to_list() == ["13085", None]


def test_an_order_that_stands_in_two_files_counts_once_but_repeated_lines_stay(tmp_path: Path):
    twice = [sold("1", "A", 1, "2"), sold("1", "A", 1, "2")]

    found = sorted_out(tmp_path, twice, [*twice, sold("2", "B", 1, "3")])

    assert reasons(found) == ["sale", "sale", order_lines.DUPLICATE, order_lines.DUPLICATE, "sale"]


def test_a_cancellation_takes_back_the_newest_sale_with_enough_units(tmp_path: Path):
    rows = [
        sold("1", "A", 5, "2", Date="2024-01-01"),
        sold("2", "A", 9, "2", Date="2024-01-02"),
        sold("3", "A", 1, "2", Date="2024-01-03"),
        sold("4", "A", 9, "2", Date="2024-01-04", Customer="8"),
        sold("5", "A", 9, "2", Date="2024-02-01"),
        sold("C9", "A", -3, "2", Date="2024-01-05"),
    ]

    found = sorted_out(tmp_path, rows, cancellations={"prefix": "C"})

    assert reasons(found)[-1] == order_lines.CANCELLATION
    assert found.cancelled.to_dicts() == [{"cancellation": 5, "sale": 1, "units": 3, "amount": 60_000}]


def test_a_sale_at_the_same_price_is_likelier(tmp_path: Path):
    rows = [
        sold("1", "A", 5, "2", Date="2024-01-01"),
        sold("2", "A", 5, "3", Date="2024-01-02"),
        sold("C9", "A", -3, "2", Date="2024-01-05"),
    ]

    assert sorted_out(tmp_path, rows, cancellations={"prefix": "C"}).cancelled["sale"].to_list() == [0]


def test_of_sales_at_other_prices_the_newest_is_taken(tmp_path: Path):
    rows = [
        sold("1", "A", 5, "4", Date="2024-01-01"),
        sold("2", "A", 5, "3", Date="2024-01-02"),
        sold("C9", "A", -3, "2", Date="2024-01-05"),
    ]

    assert sorted_out(tmp_path, rows, cancellations={"prefix": "C"}).cancelled["sale"].to_list() == [1]


def test_a_cancellation_may_need_several_sales_but_never_more_than_was_sold(tmp_path: Path):
    rows = [
        sold("1", "A", 2, "2", Date="2024-01-01"),
        sold("2", "A", 2, "2", Date="2024-01-02"),
        sold("C8", "A", -3, "2", Date="2024-01-05"),
        sold("C9", "A", -2, "2", Date="2024-01-06"),
    ]

    found = sorted_out(tmp_path, rows, cancellations={"prefix": "C"})

    assert reasons(found)[2:] == [order_lines.CANCELLATION, order_lines.UNMATCHED]
    assert found.cancelled.select("sale", "units").rows() == [(1, 2), (0, 1)]


def test_more_money_than_the_sale_brought_is_never_given_back(tmp_path: Path):
    rows = [sold("1", "A", 2, "2", Date="2024-01-01"), sold("C8", "A", -2, "3", Date="2024-01-05")]

    assert reasons(sorted_out(tmp_path, rows, cancellations={"prefix": "C"}))[1] == order_lines.UNMATCHED


def test_nobody_knows_whose_a_cancellation_without_customer_is(tmp_path: Path):
    rows = [sold("1", "A", 2, "2", Customer=""), sold("C8", "A", -2, "2", Date="2024-05-05", Customer="")]

    assert reasons(sorted_out(tmp_path, rows, cancellations={"prefix": "C"}))[1] == order_lines.UNMATCHED


def test_without_a_prefix_a_negative_line_takes_back_its_own_order_first(tmp_path: Path):
    rows = [
        sold("1", "A", 2, "2", Date="2024-01-01", Customer=""),
        sold("2", "A", 2, "2", Date="2024-01-02"),
        sold("1", "A", -1, "2", Date="2024-01-05", Customer=""),
    ]

    found = sorted_out(tmp_path, rows)

    assert found.cancelled["sale"].to_list() == [0]


def test_account_adds_up_to_all_lines(tmp_path: Path):
    rows = [
        sold("1", "A", 2, "2.5"),
        sold("1", "B", -1, "2"),
        sold("2", "A", 1, "x"),
        sold("3", "A", 1, "0.1255"),
    ]

    table = account(sorted_out(tmp_path, rows).lines)

    assert table["lines"].sum() == 4
    sales = table.row(by_predicate=pl.col("reason") == "sale", named=True)
    assert (sales["lines"], sales["units"], sales["amount"]) == (2, 3, Decimal("5.1255"))


def test_one_currency_sets_the_others_aside(tmp_path: Path):
    path = write_csv(
        tmp_path / "a.csv", [sold("1", "A", 1, 1), sold("2", "A", 1, 1), sold("3", "A", 1, 1, Currency="usd")]
    )

    found = classify(read_lines([path], mapping()), mapping(), one_currency=True)

    assert reasons(found) == ["sale", "sale", order_lines.OTHER_CURRENCY]


def test_files_that_cannot_be_read_are_one_line(tmp_path: Path):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    empty = tmp_path / "empty.csv"
    empty.touch()
    for path in (broken, empty, tmp_path / "missing.csv", tmp_path / "missing.parquet"):
        with pytest.raises(MappingError) as caught:
            read_lines([path])
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_without_a_mapped_column_says_which(tmp_path: Path):
    path = write_csv(tmp_path / "a.csv", [sold("1", "A", 1, 1)], header=HEADER[:5])

    with pytest.raises(MappingError, match="no column 'Price' for the price"):
        read_lines([path], mapping())


def test_no_file_is_an_error():
    with pytest.raises(MappingError, match="no file"):
        read_lines([])


def test_every_line_of_the_published_retail_files_is_accounted_for():
    paths = [reference(f"data/online_retail_ii/year_{years}.parquet") for years in ("2009_2010", "2010_2011")]

    found = classify(read_lines(paths), bundled_mapping("online_retail"))
    table = account(found.lines)

    assert table["lines"].sum() == 525_461 + 541_909
    lines = dict(table.select("reason", "lines").iter_rows())
    assert lines[order_lines.DUPLICATE] == 22_523
    matched = -found.lines.filter(reason=order_lines.CANCELLATION)["quantity"].sum()
    assert found.cancelled["units"].sum() == matched
    assert lines[order_lines.CANCELLATION] > 0.85 * (
        lines[order_lines.CANCELLATION] + lines[order_lines.UNMATCHED]
    )
