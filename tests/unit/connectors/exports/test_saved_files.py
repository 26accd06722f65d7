"""One file says the same however a spreadsheet, a browser or a mail program saved it."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import ProtocolError
from connectors.exports import amazon_orders, walmart_orders
from connectors.exports.mapping import MappingError
from connectors.exports.order_lines import read_lines
from connectors.files import read_plain
from connectors.stored import normalize_files
from tests.order_file_factories import sold, write_csv

SHOPIFY = (
    "Name,Id,Created at,Currency,Subtotal,Shipping,Taxes,Total,Lineitem quantity,Lineitem name,Lineitem price\n"
    "#1,5001,2026-03-01 09:59:00 -0500,EUR,20.00,0.00,0.00,20.00,2,Größe M,10.00\n"
)
AMAZON = (
    "amazon-order-id\tpurchase-date\tlast-updated-date\torder-status\tproduct-name\tsku\tquantity\titem-price\n"
    "1\t2026-03-01T10:00:00+00:00\t2026-03-01T10:00:00+00:00\tShipped\tGröße M\tA\t2\t20.00\n"
)
WALMART = (
    "PO#,Order Date,Line#,SKU,Qty,Item Description,Item Cost,Status\n"
    "7,2026-03-01,1,0042,2,Größe M,20.00,Shipped\n"
)

WAYS = [
    ("plain", lambda text: text.encode()),
    ("UTF-16", lambda text: text.encode("utf-16")),
    ("gzip", lambda text: gzip.compress(text.encode())),
    ("Windows", lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()),
]
ways = pytest.mark.parametrize("saved", [way for _, way in WAYS], ids=[name for name, _ in WAYS])


@ways
@pytest.mark.parametrize(
    ("platform", "text"), [("shopify", SHOPIFY), ("amazon", AMAZON), ("walmart", WALMART)]
)
def test_an_export_is_read_however_it_was_saved(
    tmp_path: Path, platform: str, text: str, saved: Callable[[str], bytes]
):
    path = tmp_path / "orders.dat"
    path.write_bytes(saved(text))

    told = normalize_files(platform, "orders", [path])

    assert [(row["quantity"], row["title"], row["net_amount"]) for row in told["order_items"]] == [
        (2, "Größe M", "20.00")
    ]


def test_a_shopify_export_may_be_parted_by_semicolons(tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_text(SHOPIFY.replace(",", ";"))

    assert [row["total"] for row in normalize_files("shopify", "orders", [path])["orders"]] == ["20.00"]


@ways
def test_the_pages_of_an_import_hold_the_same(tmp_path: Path, saved: Callable[[str], bytes]):
    path = tmp_path / "orders.dat"
    for pages, text in ((amazon_orders.pages, AMAZON), (walmart_orders.pages, WALMART)):
        path.write_bytes(saved(text))
        (page,) = pages(path)

        assert "Größe M" in page.body.decode()


@pytest.mark.parametrize(
    "saved",
    [
        *(way for _, way in WAYS),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace(",", ";").encode(),
    ],
    ids=[*(name for name, _ in WAYS), "cp1252", "semicolons"],
)
def test_lines_of_a_merchants_own_file_too(tmp_path: Path, saved: Callable[[str], bytes]):
    plain = write_csv(tmp_path / "plain.csv", [sold("1", "A", 2, "10.50", Title="Größe")]).read_text()
    path = tmp_path / "orders.csv"
    path.write_bytes(saved(plain))

    lines = read_lines([path])

    assert lines.select("order_id", "sku", "title", "quantity", "price").rows() == [
        ("1", "A", "Größe", 2, 105_000)
    ]


def test_a_download_cut_off_says_so(tmp_path: Path):
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress(SHOPIFY.encode() * 100)[:-20])

    with pytest.raises(ProtocolError, match=r"orders\.csv\.gz: .*cut off before its end; download it again"):
        read_plain(path)
    with pytest.raises(MappingError, match="cut off before its end"):
        read_lines([path])
