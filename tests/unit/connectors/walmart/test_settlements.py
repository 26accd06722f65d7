"""Reconciliation reports: fees by order line, and Walmart's own totals."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from connectors.base import CONTROL_TOTALS, Page, Window
from connectors.canonical import KEYS
from connectors.errors import ProtocolError
from connectors.registry import control_totals, open_client
from connectors.sandbox import truth
from connectors.sandbox.app import serving
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.state import SandboxState
from connectors.walmart.normalize import fees
from connectors.walmart.resources import RESOURCES
from connectors.walmart.settlements import report_date
from tests.walmart_factories import account, context, only, rows

TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)


def report(*lines: dict[str, object], packed: bool = True) -> Page:
    base = {
        "Transaction Key": "2026_03_01_1", "Transaction Posted Timestamp": "03/01/2026", "Transaction Type": "Sale",
        "Purchase Order #": "3000001", "Purchase Order line #": "1", "Partner Item Id": "SKU-1", "Currency": "USD",
        "Amount": "-1.50", "Amount Type": "Commission on Product", "Transaction Description": "Purchase",
        "Ship to City": "Springfield", "Customer Order #": "2000001",
    }  # fmt: skip
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(base))
    writer.writeheader()
    writer.writerows({**base, **line} for line in lines)
    body = table.getvalue().encode()
    if packed:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("report.csv", body)
        body = archive.getvalue()
    return Page(body, kind="csv")


@pytest.mark.parametrize("packed", [True, False])
def test_a_commission_is_a_cost_of_its_order_line_on_the_day_it_was_booked(packed):
    row = only(fees(report({}, packed=packed), context()), "fees")
    assert (row["order_external_id"], row["line_id"], row["sku"]) == ("3000001", "1", "SKU-1")
    assert (row["fee_type"], row["amount"], row["currency"]) == (
        "Commission on Product",
        Decimal("1.5"),
        "USD",
    )
    assert row["posted_at"] == datetime(2026, 3, 1, 8, tzinfo=UTC)  # midnight in Los Angeles


def test_only_what_walmart_takes_is_a_fee():
    got = fees(
        report(
            {"Amount Type": "Product Price", "Amount": "10"},
            {"Amount Type": "Product tax withheld", "Amount": "-1"},
            {"Transaction Type": "PaymentSummary", "Amount": "", "Amount Type": ""},
            {"Transaction Type": "Refund", "Amount": "1.50"},
            {"Amount Type": "Fee/Reimbursement", "Amount": "-3.45", "Transaction Description": "WFS Storage fee",
             "Purchase Order #": "", "Purchase Order line #": "", "Partner Item Id": ""},
            {"Amount Type": "Mystery", "Amount": "-9"},
        ),
        context(),
    )  # fmt: skip
    assert [(row["fee_type"], row["amount"], row["order_external_id"]) for row in rows(got, "fees")] == [
        ("Commission on Product", Decimal("-1.5"), "3000001"),  # given back with the refund
        ("WFS Storage fee", Decimal("3.45"), None),
    ]
    assert got.notes == ("unknown value Mystery in fees.Amount Type",)
    assert got.records == 6


def test_equal_rows_are_different_fees_and_the_same_report_gives_the_same_ids():
    twice = rows(fees(report({}, {}), context()), "fees")
    assert len({row["fee_id"] for row in twice}) == 2
    assert rows(fees(report({}, {}), context()), "fees") == twice


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"Amount": "NaN"}, "Amount"),
        ({"Amount": "many"}, "Amount"),
        ({"Amount": ""}, "Amount"),
        ({"Transaction Posted Timestamp": "soon"}, "Transaction Posted Timestamp"),
    ],
)
def test_a_bad_row_is_refused_alone(broken, field):
    got = fees(report({}, broken), context())
    assert len(rows(got, "fees")) == 1
    assert [(refused.natural_key, refused.field) for refused in got.rejected] == [("2026_03_01_1", field)]
    assert got.records == 2
    assert {"shiptocity", "customerorder"}.isdisjoint(json.loads(got.rejected[0].raw))


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 broken", b"a,b\n1,2\n", b"\x00\xff"])
def test_what_is_no_report_is_an_error(body):
    with pytest.raises(ProtocolError):
        fees(Page(body, kind="csv"), context())


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("11032026", date(2026, 11, 3)),
        ("20261103", date(2026, 11, 3)),
        ("2026-11-03", date(2026, 11, 3)),
        ("x", None),
    ],
)
def test_report_dates_are_read_in_either_order(written, at):
    assert report_date(written) == at


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(7, today=TODAY.date(), skus=30, days=60, orders_per_day=12)


@pytest.fixture(scope="module")
def client(world) -> Iterator[object]:
    state = SandboxState(world, pace=600)
    state.clock.freeze(TODAY)
    with serving(state) as url, open_client(account(f"{url}/walmart", 600)) as opened:
        yield opened


def test_the_sandboxs_fees_are_those_of_its_orders(client, world):
    resource = RESOURCES["fees"]
    pages = list(resource.pages(client, Window(None, TODAY)))
    got = pl.concat([resource.normalize(page, context()).frame("fees") for page in pages])
    assert len(pages) > 2
    assert got.height == got.unique(KEYS["fees"]).height > 100
    known = {str(3_000_000_000_000 + order.number) for order in truth.all_orders(world, "walmart-us", TODAY)}
    assert set(got["order_external_id"]) <= known
    late = list(resource.pages(client, Window(TODAY - timedelta(days=15), TODAY)))
    assert 1 <= len(late) < len(pages)


def test_walmarts_own_totals(client, world):
    channel = client.account.channels[0]
    totals = control_totals(client, channel, date(2026, 10, 1), date(2026, 11, 19))
    assert dict(totals.schema) == dict(CONTROL_TOTALS)
    ordered = totals.filter(basis="ordered").select("business_date", "orders")
    days = truth.summary(world, TODAY)["channels"]["walmart-us"]["days"]
    told = {str(day): orders for day, orders in ordered.iter_rows()}
    assert {day["date"]: day["orders"] for day in days if day["date"] in told} == {
        day: orders for day, orders in told.items() if orders
    }
    assert sum(told.values()) > 100
    posted = totals.filter(basis="posted")
    sold = sum(
        line.unit_price * (line.quantity - line.cancelled)
        for order in truth.all_orders(world, "walmart-us", TODAY)
        if order.shipped_at
        and not order.is_replacement
        and "2026-10-01"
        <= f"{order.shipped_at.astimezone(ZoneInfo('America/Los_Angeles')):%Y-%m-%d}"
        < "2026-11-17"
        for line in order.lines
    )
    assert posted["gross_amount"].sum() == sold > 0
    assert posted["units"].sum() >= posted["orders"].sum() > 0
