"""Mapping files, and guessing without one."""

from pathlib import Path

import pytest

from connectors.exports.countries import country_code
from connectors.exports.mapping import MappingError, bundled_mapping, infer_mapping, read_mapping

COLUMNS = """
[columns]
order = "Bestellung"
instant = "Datum"
sku = ["Artikel", "Art.-Nr."]
quantity = "Menge"
price = "Preis"
"""


def test_a_mapping_names_columns_zone_and_currency(tmp_path: Path):
    path = tmp_path / "shop.toml"
    path.write_text('currency = "EUR"\ntimezone = "Europe/Berlin"\n' + COLUMNS)

    mapping = read_mapping(path)

    assert (mapping.currency, mapping.timezone) == ("EUR", "Europe/Berlin")
    assert mapping.column("sku", ["Datum", "Art.-Nr."], "f") == "Art.-Nr."
    assert mapping.column("customer", ["Datum"], "f") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[columns", "not a TOML file"),
        ('[columns]\norder = "A"', "columns.instant: Field required"),
        ('currency = "euro"' + COLUMNS, "currency"),
        ('timezone = "Europe/Bärlin"' + COLUMNS, "'Europe/Bärlin' is unknown"),
        ('colour = "red"' + COLUMNS, "colour: Extra inputs"),
        (COLUMNS + '[not_products]\npatterns = ["("]', "no regular expression"),
    ],
)
def test_a_wrong_mapping_is_one_line_that_says_what_is_wrong(tmp_path: Path, text: str, says: str):
    path = tmp_path / "wrong.toml"
    path.write_text(text)

    with pytest.raises(MappingError) as caught:
        read_mapping(path)

    assert says in str(caught.value)
    assert "wrong.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_mapping_is_named(tmp_path: Path):
    with pytest.raises(MappingError, match=r"gone\.toml: the mapping cannot be read"):
        read_mapping(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    "header",
    [
        ["order_id", "created_at", "sku", "qty", "unit_price"],
        ["Order Number", "Order Date", "Product SKU", "Quantity", "Price", "Country", "E-Mail"],
        ["amazon-order-id", "purchase-date", "sku", "quantity", "item-price", "currency"],
    ],
)
def test_well_known_names_are_understood(header: list[str]):
    mapping = infer_mapping(header, "lines.csv")

    assert mapping.column("order", header, "lines.csv") == header[0]
    assert mapping.column("instant", header, "lines.csv") == header[1]


@pytest.mark.parametrize(
    "header",
    [
        ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"],
        [
            "InvoiceNo",
            "StockCode",
            "Description",
            "Quantity",
            "InvoiceDate",
            "UnitPrice",
            "CustomerID",
            "Country",
        ],
    ],
)
def test_the_two_releases_of_online_retail_bring_their_own_mapping(header: list[str]):
    mapping = infer_mapping(header, "f")

    assert mapping == bundled_mapping("online_retail")
    assert (mapping.currency, mapping.timezone, mapping.cancellations.prefix) == ("GBP", "Europe/London", "C")


def test_what_cannot_be_guessed_is_named_with_what_there_is():
    with pytest.raises(MappingError) as caught:
        infer_mapping(["order_id", "when", "sku", "qty"], "lines.csv")

    text = str(caught.value)
    assert "instant and the price" in text
    assert "order_id, when, sku, qty" in text
    assert "mapping file" in text


def test_codes_and_patterns_match_whole_codes_of_any_case():
    import re

    expression = bundled_mapping("online_retail").not_products.expression

    assert expression is not None
    for code in ("POST", "m", "BANK CHARGES", "gift_0001_20", "TEST002"):
        assert re.search(expression, code)
    for code in ("85123A", "MUG", "DOTS", "POSTER"):
        assert not re.search(expression, code)


@pytest.mark.parametrize(
    ("name", "code"),
    [("EIRE", "IE"), ("United Kingdom", "GB"), ("uk", "GB"), ("DE", "DE"), ("USA", "US"), ("RSA", "ZA"),
     ("Unspecified", None), ("European Community", None), (None, None)],
)  # fmt: skip
def test_countries(name: str | None, code: str | None):
    assert country_code(name) == code
