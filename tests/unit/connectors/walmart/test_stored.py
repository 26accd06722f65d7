"""Stored payloads and downloaded files, whatever they were saved as."""

import io
import json
import re
import zipfile

import pytest

from connectors import stored
from connectors.base import Page
from connectors.errors import ConfigurationError
from connectors.exports.walmart_orders import orders as exported
from connectors.exports.walmart_orders import pages
from connectors.stored import UnreadableFileError
from tests.walmart_factories import charge, context, line, only, order, orders_page, page, refund, rows

CSV = (
    "PO#,Order#,Order Date,Ship By,Line#,UPC,Status,Item Description,Qty,SKU,Item Cost,Shipping Cost,Tax,State,"
    "Fulfillment Entity,Replacement Order\n"
    '108820,2000123,2022-03-14,2022-03-15,1,0012,Shipped,"Café Mug, blue",2,00123,"$1,020.00",4.99,80.1,CA,'
    "Seller Fulfilled,No\n"
    "108820,2000123,2022-03-14,2022-03-15,2,0012,Cancelled,Tea,1,9,0,0,0,CA,Seller Fulfilled,No\n"
    "\n"
    "99,1,soon,,1,,Created,x,1,s,1,1,1,TX,WFS,No\n"
    "100,2,03/15/2022 11:30 PM,,1,,Delivered,x,1,s,5,,,TX,WFS,Yes\n"
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WHARF_SECRET_KEY", raising=False)

    def write(*bodies):
        paths = []
        for number, body in enumerate(bodies):
            path = tmp_path / f"{number}.dat"
            path.write_bytes(body if isinstance(body, bytes) else body.encode())
            paths.append(path)
        return paths

    return write


def test_one_object_in_the_warehouses_names(files):
    priced = order("1", line(refund=refund(charge(-0.015), refund_id="r")), orderDate="2026-03-01T03:00:00Z")
    got = stored.normalize_files(
        "walmart", "orders", files(orders_page(priced, order("2", orderDate="?")).body)
    )
    assert set(got) == {"orders", "order_items", "refunds", "quarantined", "notes"}
    (row,) = got["orders"]
    assert (row["total"], row["refunded"]) == ("10.00", "0.015")
    assert (row["ordered_at"], row["order_date"]) == ("2026-03-01T03:00:00Z", "2026-02-28")
    assert len(row["customer_key"]) == 32
    assert "customer_ref" not in row
    assert row["cancelled_at"] is None
    assert got["order_items"][0]["order_id"] == "1"
    assert got["quarantined"] == [{"natural_key": "2", "field": "orderDate", "reason": "not an instant: '?'"}]
    json.dumps(got)


def test_pseudonyms_follow_the_merchants_key(files, monkeypatch):
    paths = files(orders_page(order("1")).body)
    first = stored.normalize_files("walmart", "orders", paths)["orders"][0]["customer_key"]
    monkeypatch.setenv("WHARF_SECRET_KEY", "another")
    assert stored.normalize_files("walmart", "orders", paths)["orders"][0]["customer_key"] != first


def test_json_lines_and_xml_and_repeats(files):
    lines = json.dumps(order("1")) + "\n" + json.dumps(order("2")) + "\n{broken\n"
    xml = (
        "<order><purchaseOrderId>3</purchaseOrderId><orderDate>2026-01-01T00:00:00Z</orderDate><orderLines><orderLine>"
        "<lineNumber>1</lineNumber><orderLineQuantity><amount>1</amount></orderLineQuantity></orderLine></orderLines>"
        "</order>"
    )
    got = stored.normalize_files(
        "walmart", "orders", files(lines, xml, json.dumps(order("1", orderType="REPLACEMENT")))
    )
    assert [row["external_id"] for row in got["orders"]] == ["2", "3", "1"]
    assert got["orders"][-1]["is_replacement"] is True
    assert got["quarantined"][0]["natural_key"] == "0.dat line 3"


@pytest.mark.parametrize(
    "body", ["{", b"", '{"nothing": 1}', b"\x00\xff", "hello\nworld", "<html/>", b"PK\x03\x04 no", "a,b\n1"]
)
@pytest.mark.parametrize("platform", ["amazon", "shopify", "walmart"])
def test_what_is_no_answer_is_an_error_that_names_the_file_on_every_platform(files, platform, body):
    with pytest.raises(
        UnreadableFileError, match=rf"not readable as orders of {platform}: .*0\.dat"
    ) as caught:
        stored.normalize_files(platform, "orders", files(body))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("platform", ["amazon", "shopify", "walmart"])
def test_an_answer_without_records_is_no_error(files, platform):
    assert stored.normalize_files(platform, "orders", files("[]"))["orders"] == []


ITEM_REPORT = (
    b"SKU,Item ID,Product Name,Price,Currency,Publish Status,Lifecycle Status\na,1,A,5,USD,PUBLISHED,ACTIVE\n"
)
ONE_RETURN = {"returnOrders": [{"returnOrderId": "1", "returnOrderLines": [{"returnOrderLineNumber": 1}]}]}


@pytest.mark.parametrize(
    ("platform", "body", "said"),
    [
        (
            "shopify",
            '{"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "data": null}',
            "THROTTLED: Throttled",
        ),
        ("shopify", '{"errors": "Invalid API key"}', "Invalid API key"),
        (
            "amazon",
            '{"errors": [{"code": "QuotaExceeded", "message": "Too often."}]}',
            "QuotaExceeded: Too often.",
        ),
        ("walmart", '{"errors": {"error": [{"code": "X.GMP", "info": "No content"}]}}', "X.GMP: No content"),
        ("walmart", '{"error": [{"code": "Y.GMP", "description": "Unauthorized"}]}', "Y.GMP: Unauthorized"),
    ],
)
def test_an_answer_that_is_an_error_is_told_as_one(files, platform, body, said):
    with pytest.raises(UnreadableFileError, match=rf"0\.dat: the answer says {re.escape(said)}$"):
        stored.normalize_files(platform, "orders", files(body))


def test_what_went_wrong_beside_records_is_a_note(files):
    body = {"data": {"orders": {"nodes": [{"id": "1", "createdAt": "2026-03-01T00:00:00Z"}]}}}
    got = stored.normalize_files(
        "shopify", "orders", files(json.dumps({**body, "errors": [{"message": "Access denied for refunds"}]}))
    )
    assert [row["external_id"] for row in got["orders"]] == ["1"]
    assert got["notes"] == ["0.dat: the answer says Access denied for refunds"]


@pytest.mark.parametrize(
    ("resource", "body", "name"),
    [
        ("products", page({"ItemResponse": [{"sku": "a", "productName": "A"}]}).body, "products"),
        ("products", ITEM_REPORT, "products"),
        ("inventory", page({"sku": "a", "quantity": {"amount": 3}}).body, "inventory"),
        ("inventory", b"SKU\tInventory Count\na\t3\n", "inventory"),
        ("returns", page(ONE_RETURN).body, "returns"),
    ],
)
def test_other_resources(files, resource, body, name):
    got = stored.normalize_files("walmart", resource, files(body))
    assert len(got[name]) == 1
    assert got["quarantined"] == []
    if name == "products":
        assert got[name][0]["listing_title"] == "A"


def test_walmart_has_no_carts(files):
    got = stored.normalize_files("walmart", "carts", files("{}"))
    assert (got["carts"], got["notes"]) == ([], ["walmart has no carts"])


@pytest.mark.parametrize(("platform", "resource"), [("ebay", "orders"), ("walmart", "dreams")])
def test_unknown_words_are_configuration_errors(files, platform, resource):
    with pytest.raises(ConfigurationError, match="there is no"):
        stored.normalize_files(platform, resource, [])


@pytest.mark.parametrize(
    ("value", "text"),
    [("12.5000", "12.50"), ("0.3333", "0.3333"), ("0.0150", "0.015"), ("0", "0.00"), ("-3", "-3.00")],
)
def test_money_text(value, text):
    from decimal import Decimal

    assert stored.money(Decimal(value)) == text


def test_seller_center_export():
    got = exported(Page(CSV.encode(), kind="csv"), context())
    first, third = rows(got, "orders")
    assert (first["external_id"], first["order_number"], first["fulfillment_status"]) == (
        "108820",
        "2000123",
        "SHIPPED",
    )
    assert [str(first[name]) for name in ("subtotal", "shipping", "tax", "total")] == [
        "1020.0000",
        "4.9900",
        "80.1000",
        "1105.0900",
    ]
    assert (first["customer_ref"], first["fulfilled_by"]) == (None, "merchant")
    assert third["ordered_at"].isoformat() == "2022-03-16T06:30:00+00:00"
    assert (third["is_replacement"], third["fulfilled_by"]) == (True, "marketplace")
    assert third["fulfillment_status"] == "DELIVERED"
    assert third["delivered_at"] is None  # the file does not say when
    mug, tea, _ = rows(got, "order_items")
    assert (mug["sku"], mug["title"], mug["quantity"], mug["unit_price"]) == (
        "00123",
        "Café Mug, blue",
        2,
        510,
    )
    assert tea["cancelled_quantity"] == 1
    assert [(refused.natural_key, refused.field) for refused in got.rejected] == [("99", "orderDate")]


def test_seller_center_export_from_a_file(files):
    (path,) = files(CSV)
    (part,) = pages(path)
    assert rows(exported(part, context()), "orders") == rows(
        exported(Page(CSV.encode()), context()), "orders"
    )


def test_seller_center_export_is_recognised_by_its_columns(files):
    got = stored.normalize_files("walmart", "orders", files(CSV))
    assert [row["external_id"] for row in got["orders"]] == ["108820", "100"]
    with pytest.raises(UnreadableFileError, match=r"1\.dat: .*no column PO#"):
        stored.normalize_files("walmart", "orders", files(CSV, "a,b\n1,2\n"))


def test_seller_center_export_as_a_workbook():
    rows_ = [
        ["PO#", "Order Date", "Line#", "SKU", "Qty", "Item Cost", "Status"],
        ["7", "44634", "1.0", "0042", "1", "9.5", "Created"],
    ]
    shared = [cell for row in rows_ for cell in row]
    cells = iter(range(len(shared)))
    sheet = "".join(
        f'<row r="{r}">'
        + "".join(f'<c r="{chr(65 + c)}{r}" t="s"><v>{next(cells)}</v></c>' for c in range(len(row)))
        + "</row>"
        for r, row in enumerate(rows_, 1)
    )
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "xl/sharedStrings.xml",
            f"<sst {space}>" + "".join(f"<si><t>{s}</t></si>" for s in shared) + "</sst>",
        )
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{sheet}</sheetData></worksheet>"
        )
    got = exported(Page(buffer.getvalue(), kind="csv"), context())
    assert only(got, "orders")["ordered_at"].isoformat() == "2022-03-14T07:00:00+00:00"
    assert only(got, "order_items")["sku"] == "0042"
    assert only(got, "order_items")["line_id"] == "1"


def test_walmarts_own_example_of_released_orders_says_no_ship_node_as_a_list(files):
    shown = stored.normalize_files("walmart", "orders", files(json.dumps(order(shipNode=[]))))

    assert [row["fulfilled_by"] for row in shown["orders"]] == [None]
    assert not shown["quarantined"]


def test_a_charge_of_type_discount_is_a_discount_of_the_goods_or_their_shipping(files):
    charges = [charge(amount=20), charge(5, kind="SHIPPING", name="Shipping")]
    charges += [
        charge(-2, kind="DISCOUNT", name="COUPON_DISC"),
        charge(-1, kind="DISCOUNT", name="SHIP_DISC"),
    ]
    body = order("1", line(charges={"charge": charges}))

    shown = stored.normalize_files("walmart", "orders", files(json.dumps(body)))

    assert (shown["orders"][0]["discount"], shown["order_items"][0]["net_amount"]) == ("3.00", "18.00")
    assert not shown["notes"]
