"""The all-orders report: lines of text become the same frames as the API's answers."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.amazon import normalize
from connectors.base import Page
from connectors.errors import ProtocolError
from tests.amazon_factories import DE, ORDER, US, context, one, read_report, report, report_line

D = Decimal


def test_lines_of_one_order_become_one_order():
    read = read_report(
        report_line(
            item_price="20.00", quantity="2", item_tax="1.60", shipping_price="4.00", shipping_tax="0.30"
        ),
        report_line(sku="SKU-2", item_price="5.00", item_promotion_discount="1.00"),
    )
    row = one(read, "orders")

    assert (row["channel"], row["status"], row["fulfilled_by"]) == ("amazon-us", "completed", "marketplace")
    assert (row["subtotal"], row["shipping"], row["tax"], row["discount"]) == (D(25), D(4), D("1.90"), D(1))
    assert row["total"] == D("29.90")
    lines = read.frame("order_items")
    assert lines["line_id"].to_list() == ["SKU-1#1", "SKU-2#1"]
    assert lines["net_amount"].to_list() == [D(20), D(4)]
    assert lines["unit_price"].to_list() == [D(10), D(5)]


def test_two_equal_lines_of_one_order_are_two_items():
    read = read_report(report_line(), report_line())
    assert read.frame("order_items")["line_id"].to_list() == ["SKU-1#1", "SKU-1#2"]
    assert one(read, "orders")["subtotal"] == D(20)


def test_an_order_that_stands_twice_in_the_report_counts_once():
    other = report_line(amazon_order_id="113-9")
    read = read_report(report_line(), other, report_line())
    assert read.frame("order_items").height == 2
    assert "twice" in read.notes[0]


def test_of_two_states_of_an_order_the_newest_counts_as_a_whole():
    old = {"last_updated_date": "2026-02-02T00:00:00+00:00"}
    new = {"last_updated_date": "2026-02-05T00:00:00+00:00"}
    read = read_report(report_line(**new), report_line(**old), report_line(sku="SKU-2", **old))
    assert read.frame("order_items")["sku"].to_list() == ["SKU-1"]


def test_an_item_can_be_cancelled_in_an_order_that_was_shipped():
    read = read_report(report_line(), report_line(sku="SKU-2", item_status="Cancelled", quantity="3"))
    assert one(read, "orders")["status"] == "completed"
    assert read.frame("order_items")["cancelled_quantity"].to_list() == [0, 3]


def test_a_cancelled_line_without_a_price_leaves_the_orders_total_known():
    gone = report_line(sku="B", **{"item-status": "Cancelled", "item-price": "", "item-tax": ""})
    read = read_report(report_line(), gone)

    [order] = read.frame("orders").to_dicts()
    assert order["total"] == read.frame("order_items")["total"][0] is not None


def test_a_cancelled_order_without_units_or_prices_divides_by_nothing():
    read = read_report(
        report_line(order_status="Cancelled", item_status="", quantity="0", item_price="", currency="")
    )
    row = one(read, "orders")
    assert (row["status"], row["total"], row["currency"]) == ("cancelled", None, None)
    assert one(read, "order_items")["unit_price"] is None


def test_a_pending_line_makes_the_orders_total_unknown():
    read = read_report(
        report_line(order_status="Pending"), report_line(order_status="Pending", sku="B", item_price="")
    )
    assert one(read, "orders")["total"] is None
    assert one(read, "orders")["status"] == "pending"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Shipped - Delivered to Buyer", "completed"),
        ("Shipped - Returned to Seller", "completed"),
        ("Pending - Waiting for Pick Up", "pending"),
        ("Shipping", "open"),
        ("Unshipped", "open"),
        ("Cancelled", "cancelled"),
    ],
)
def test_statuses_of_the_report(text, status):
    row = one(read_report(report_line(order_status=text)), "orders")
    assert (row["status"], row["fulfillment_status"]) == (status, text)


def test_vat_is_inside_the_prices_of_a_german_line():
    read = read_report(
        report_line(sales_channel="Amazon.de", item_price="11.90", item_tax="1.90", currency="EUR")
    )
    assert one(read, "orders")["channel"] == "amazon-de"
    assert one(read, "orders")["total"] == D("11.90")
    assert one(read, "order_items")["net_amount"] == D("10.00")


def test_orders_of_other_shops_are_not_sales():
    read = read_report(report_line(), report_line(amazon_order_id="S01-1", sales_channel="Non-Amazon US"))
    assert read.frame("orders")["external_id"].to_list() == [ORDER]
    assert "other shops" in read.notes[0]


@pytest.mark.parametrize(
    ("charset", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("cp1252", "cp1252"),
        ("cp1252", "utf-8"),
        ("cp1252", "no-such-set"),
    ],
)
def test_titles_survive_whatever_the_charset(charset, named):
    read = read_report(report_line(product_name='Café "Größe" 5'), charset=charset, named=named)
    assert one(read, "order_items")["title"] == 'Café "Größe" 5'


def test_japanese_reports():
    read = read_report(report_line(product_name="充電器 表"), charset="shift_jis", named="windows-31j")
    assert one(read, "order_items")["title"] == "充電器 表"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-01T10:00:00+09:00", datetime(2026, 2, 1, 1, tzinfo=UTC)),
        ("2026-02-01T10:00:00Z", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("2026-02-01 10:00:00 PST", datetime(2026, 2, 1, 18, tzinfo=UTC)),
        ("2026-02-01 10:00:00 JST", datetime(2026, 2, 1, 1, tzinfo=UTC)),
    ],
)
def test_instants_of_a_report(text, expected):
    assert one(read_report(report_line(purchase_date=text)), "orders")["ordered_at"] == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "x"},
        {"quantity": ""},
        {"quantity": "-1"},
        {"item_price": "NaN"},
        {"item_price": "1e30"},
        {"purchase_date": "yesterday"},
        {"last_updated_date": ""},
    ],
)
def test_a_bad_line_refuses_its_whole_order_and_no_other(changes):
    read = read_report(
        report_line(),
        report_line(sku="SKU-2", ship_city="Springfield", **changes),
        report_line(amazon_order_id="113-9"),
    )
    assert read.frame("orders")["external_id"].to_list() == ["113-9"]
    assert read.frame("order_items")["order_external_id"].to_list() == ["113-9"]
    [refused] = read.rejected
    assert refused.natural_key == ORDER
    assert refused.field == next(iter(changes)).replace("_", "-")
    assert "Springfield" not in refused.raw
    assert read.records == 2


def test_a_report_that_lost_a_column_is_an_error():
    body = report(report_line()).replace(b"last-updated-date", b"something-else")
    with pytest.raises(ProtocolError, match="last-updated-date"):
        normalize.orders(Page(body, "tsv"), context())


def test_a_short_line_and_the_old_header_are_read():
    header, line = report(report_line()).decode().split("\r\n")[:2]
    short = "\n".join(["\t".join(header.split("\t")[:29]), "\t".join(line.split("\t")[:20])])
    row = one(normalize.orders(Page(short.encode(), "tsv"), context()), "orders")
    assert (row["total"], row["ship_country"]) == (D(10), None)


def test_a_spreadsheets_copy_with_commas_is_read():
    header, line = report(report_line(product_name="Pens, blue")).decode().split("\r\n")[:2]
    fields = [f'"{field}"' if "," in field else field for field in line.split("\t")]
    body = f"{header.replace(chr(9), ',')}\n{','.join(fields)}\n".encode()
    assert one(normalize.orders(Page(body, "csv"), context()), "order_items")["title"] == "Pens, blue"


def test_an_empty_report_is_empty():
    assert normalize.orders(Page(b"", "tsv"), context(US, DE)).frame("orders").is_empty()
    assert normalize.orders(Page(report(), "tsv"), context()).frame("orders").is_empty()


def test_lines_without_sku_are_told_apart_by_asin():
    read = read_report(report_line(sku=""), report_line(sku="", asin="B000000002"), report_line(sku=""))
    assert read.frame("order_items")["line_id"].to_list() == [
        "asin:B000000001#1",
        "asin:B000000002#1",
        "asin:B000000001#2",
    ]
