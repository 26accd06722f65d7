"""The order and product CSVs of the Shopify admin."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.base import Page
from connectors.canonical import Normalized
from connectors.errors import ConfigurationError, ProtocolError
from connectors.exports import shopify_orders
from connectors.shopify.stored import normalize_stored
from tests.reference import reference
from tests.shopify_factories import context, only

HEADER = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Subtotal,Shipping,Taxes,Total,"
    "Discount Code,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,"
    "Lineitem taxable,Billing Name,Billing Country,Shipping Province,Shipping Country,Cancelled at,"
    "Refunded Amount,Id,Lineitem discount,Gift Recipient"
).split(",")
MORE = (
    "Name",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem sku",
    "Lineitem taxable",
    "Lineitem discount",
)


def row(**changes: str) -> dict[str, str]:
    values = {
        "Name": "#1001",
        "Email": "Ann@Example.com",
        "Financial Status": "paid",
        "Paid at": "2024-05-01 10:00:00 +0000",
        "Fulfillment Status": "fulfilled",
        "Fulfilled at": "2024-05-02 09:00:00 +0000",
        "Currency": "USD",
        "Subtotal": "19.98",
        "Shipping": "5.00",
        "Taxes": "0.00",
        "Total": "24.98",
        "Discount Amount": "0.00",
        "Created at": "2024-05-01 05:58:12 -0400",
        "Lineitem quantity": "2",
        "Lineitem name": "Crew Tee - Black / S",
        "Lineitem price": "9.99",
        "Lineitem sku": "TEE-BLK-S",
        "Lineitem taxable": "true",
        "Billing Name": "Ann Example",
        "Billing Country": "United States",
        "Shipping Province": "IL",
        "Shipping Country": "US",
        "Refunded Amount": "0.00",
        "Id": "5001",
        "Lineitem discount": "0.00",
        "Gift Recipient": "Ann Example",
    }
    return {**values, **{name.replace("_", " "): value for name, value in changes.items()}}


def more(**changes: str) -> dict[str, str]:
    """A row that continues an order: only its line's columns are filled."""
    whole = row(**changes)
    return {name: whole[name] for name in MORE}


def csv(*rows: dict[str, str]) -> bytes:
    lines = [",".join(HEADER)]
    lines += [",".join(f'"{each.get(name, "")}"' for name in HEADER) for each in rows]
    return "\n".join(lines).encode()


def read(*rows: dict[str, str]) -> Normalized:
    return shopify_orders.orders(Page(csv(*rows), kind="csv"), context())


def test_rows_that_continue_an_order_are_its_lines():
    second = more(Lineitem_quantity="1", Lineitem_name="Mug", Lineitem_price="10.00", Lineitem_sku="MUG")

    normalized = read(row(Subtotal="29.98", Total="34.98"), second, row(Name="#1002", Id="5002"))

    orders = normalized.frame("orders")
    assert orders["external_id"].to_list() == ["5001", "5002"]
    items = normalized.frame("order_items")
    assert items.select("order_external_id", "line_id", "sku").rows() == [
        ("5001", "1", "TEE-BLK-S"),
        ("5001", "2", "MUG"),
        ("5002", "1", "TEE-BLK-S"),
    ]
    first = orders.row(0, named=True)
    assert (first["order_number"], first["customer_ref"]) == ("#1001", "email:Ann@Example.com")
    assert (first["subtotal"], first["total"], first["status"]) == (
        Decimal("29.9800"),
        Decimal("34.9800"),
        "completed",
    )
    assert (first["ship_country"], first["ship_region"]) == ("US", "IL")
    assert first["ordered_at"] == datetime(2024, 5, 1, 9, 58, 12, tzinfo=UTC)


def test_what_the_api_brought_is_newer_than_the_file():
    fulfilled = datetime(2024, 5, 2, 9, tzinfo=UTC)

    assert only(read(row()).frame("orders"))["source_updated_at"] < fulfilled


def test_an_orders_discount_is_spread_over_its_lines_to_the_cent():
    lines = [row(Subtotal="26.98", Discount_Amount="3.00", Total="31.98")]
    lines += [
        more(Lineitem_quantity="1", Lineitem_price="5.00"),
        more(Lineitem_quantity="1", Lineitem_price="5.00"),
    ]

    normalized = read(*lines)

    items = normalized.frame("order_items")
    assert items["discount"].sum() == Decimal("3.0000")
    assert items["discount"].to_list() == [Decimal("2.0000"), Decimal("0.5000"), Decimal("0.5000")]
    assert only(normalized.frame("orders"))["discount"] == Decimal("3.0000")


def test_tax_on_top_and_tax_included_are_told_by_the_total():
    on_top = read(row(Shipping="0.00", Taxes="3.80", Total="23.78")).frame("order_items")
    included = read(row(Shipping="0.00", Taxes="3.19", Total="19.98")).frame("order_items")

    assert (only(on_top)["net_amount"], only(on_top)["tax_included"]) == (Decimal("19.9800"), False)
    assert (only(included)["net_amount"], only(included)["tax_included"]) == (Decimal("16.7900"), True)


def test_shipping_and_untaxed_lines_have_their_part_or_none_of_the_taxes():
    lines = [
        row(
            Lineitem_quantity="1",
            Lineitem_price="10.00",
            Subtotal="20.00",
            Shipping="10.00",
            Taxes="2.00",
            Total="32.00",
        )
    ]
    lines.append(more(Lineitem_quantity="1", Lineitem_price="10.00", Lineitem_taxable="false"))

    assert read(*lines).frame("order_items")["tax"].to_list() == [Decimal("1.0000"), Decimal("0.0000")]


def test_a_currency_without_cents_is_spread_in_whole_units():
    lines = [
        row(
            Currency="JPY",
            Lineitem_quantity="1",
            Lineitem_price="1000",
            Subtotal="2000",
            Shipping="0",
            Taxes="181",
            Total="2000",
        )
    ]
    lines.append(more(Lineitem_quantity="1", Lineitem_price="1000"))

    tax = read(*lines).frame("order_items")["tax"].to_list()

    assert sorted(tax) == [Decimal("90.0000"), Decimal("91.0000")]


def test_a_whole_refund_takes_every_line_back_without_a_date():
    normalized = read(row(Financial_Status="refunded", Refunded_Amount="24.98"))

    item = only(normalized.frame("order_items"))
    assert (item["refunded_quantity"], item["refunded_net_amount"]) == (2, Decimal("19.9800"))
    assert normalized.frame("refunds").height == 0


def test_a_partial_refund_is_known_of_the_order_only():
    normalized = read(row(Financial_Status="partially_refunded", Refunded_Amount="9.99"))

    assert only(normalized.frame("orders"))["refunded"] == Decimal("9.9900")
    assert only(normalized.frame("order_items"))["refunded_quantity"] is None
    assert len(normalized.notes) == 1


def test_a_cancelled_order():
    normalized = read(row(Cancelled_at="2024-05-01 12:00:00 +0000", Refunded_Amount="24.98"))

    assert only(normalized.frame("orders"))["status"] == "cancelled"
    item = only(normalized.frame("order_items"))
    assert (item["cancelled_quantity"], item["refunded_quantity"]) == (2, None)


def test_a_bad_order_is_refused_without_its_people_and_the_others_load():
    normalized = read(row(Subtotal="nineteen"), row(Name="#1002", Id="5002"))

    assert normalized.frame("orders")["external_id"].to_list() == ["5002"]
    (refused,) = normalized.rejected
    assert (refused.natural_key, refused.field) == ("5001", "subtotal")
    assert "Ann" not in refused.raw
    assert normalized.records == 2


def test_orders_without_an_id_keep_their_name_and_a_note_says_so():
    normalized = read(row(Id=""))

    assert only(normalized.frame("orders"))["external_id"] == "#1001"
    assert any("without an Id" in note for note in normalized.notes)


def test_a_table_of_something_else_is_refused():
    with pytest.raises(ProtocolError, match="order export"):
        shopify_orders.orders(Page(b"Colour,Size\nred,L\n", kind="csv"), context())
    with pytest.raises(ConfigurationError, match=r"x\.csv"):
        normalize_stored("orders", [("x.csv", b"Colour,Size\nred,L\n")], context())


def test_the_export_is_recognised_among_stored_payloads():
    normalized = normalize_stored("orders", [("orders.csv", csv(row()))], context())

    assert only(normalized.frame("orders"))["external_id"] == "5001"


@pytest.mark.parametrize(
    ("name", "variants"), [("apparel.csv", 22), ("home-and-garden.csv", 21), ("jewelery.csv", 23)]
)
def test_published_product_files(name: str, variants: int):
    path = reference(f"data/shopify_product_csvs/{name}")

    normalized = normalize_stored("products", [(name, path.read_bytes())], context())

    frame = normalized.frame("products")
    assert normalized.rejected == ()
    assert frame.height == frame["external_id"].n_unique() == variants
    assert frame["price"].null_count() == 0
    assert frame["name"].null_count() == 0


def test_options_make_a_variants_title_and_id():
    body = b"Handle,Title,Vendor,Type,Published,Option1 Value,Variant SKU,Variant Price,Image Src\n"
    body += b"mug,Mug,Acme,Kitchen,true,Blue,M-B,9.90,a.jpg\nmug,,,,,Red,M-R,9.50,\nmug,,,,,,,,b.jpg\n"

    frame = shopify_orders.products(Page(body, kind="csv"), context()).frame("products")

    assert frame.select("external_id", "sku", "title", "brand").rows() == [
        ("mug/Blue", "M-B", "Mug - Blue", "Acme"),
        ("mug/Red", "M-R", "Mug - Red", "Acme"),
    ]
