"""Orders of a long window by the all-orders report: asked for, waited for, downloaded and parted."""

import gzip
import tempfile
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from connectors.amazon import reports
from connectors.amazon.reports import ALL_ORDERS, Wanted, parts
from connectors.canonical import Normalized
from connectors.errors import (
    ChannelUnavailableError,
    DeferredError,
    RequestRejectedError,
)
from tests.amazon_bench import bench
from tests.amazon_factories import FETCHED, US, Shop, report, report_line, sale


def _comparable(read: Normalized) -> pl.DataFrame:
    """What the API and the report must agree on, by order and SKU."""
    items = read.frame("order_items")
    return (
        items.group_by("order_external_id", "sku")
        .agg(
            (pl.col("quantity") - pl.col("cancelled_quantity")).sum().alias("units"),
            (
                pl.col("net_amount")
                * (pl.col("quantity") - pl.col("cancelled_quantity"))
                / pl.col("quantity")
            ).sum(),
        )
        .sort("order_external_id", "sku")
    )


def test_the_report_of_a_long_window_says_the_same_as_the_api():
    lines = sale(5).lines
    partly = (replace(lines[0], cancelled=1, cancelled_at=FETCHED), lines[1])
    shop = Shop(
        sale(1),
        sale(2, cancelled_at=FETCHED, shipped_at=None),
        sale(3, is_replacement=True),
        sale(5, lines=partly),
    )
    with bench(shop) as it:
        by_api = it.read("orders", FETCHED - timedelta(days=3))
        by_report = it.read("orders", FETCHED - timedelta(days=90))
        assert it.asked("createReport") == 3
    assert _comparable(by_api).equals(_comparable(by_report))
    columns = [
        "channel",
        "external_id",
        "status",
        "currency",
        "total",
        "fulfilled_by",
        "ship_country",
        "ordered_at",
    ]
    ours, theirs = (read.frame("orders").select(columns).sort("external_id") for read in (by_api, by_report))
    assert ours.drop("total").equals(theirs.drop("total"))


def test_a_report_that_was_cancelled_has_no_data():
    with bench(Shop()) as it:
        assert it.read("orders", FETCHED - timedelta(days=40)).records == 0


def test_a_report_that_failed_says_why():
    with bench(Shop(sale(1))) as it:
        it.break_("getReport", "poison", field="processingStatus", value="FATAL")
        with pytest.raises(RequestRejectedError, match="could not be generated"):
            it.read("orders", FETCHED - timedelta(days=20))


def test_a_report_asked_for_too_often_is_waited_for_and_not_asked_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reports, "_reason", lambda *_: "The report was requested too frequently.")
    with bench(Shop(sale(1))) as it:
        it.break_("getReport", "poison", field="processingStatus", value="FATAL")
        with pytest.raises(DeferredError, match="deferred until"):
            it.read("orders", FETCHED - timedelta(days=20))
        assert it.asked("createReport") == 1


def test_a_download_that_is_cut_starts_over():
    with bench(Shop(*(sale(number) for number in range(1, 60)))) as it:
        it.break_("download", "cut", size=300)
        read = it.read("orders", FETCHED - timedelta(days=20))
    assert read.frame("orders").height == 59


def test_the_accounts_token_never_goes_to_the_report_store():
    with bench(Shop(sale(1))) as it:
        it.read("orders", FETCHED - timedelta(days=20))
        # The sandbox refuses a download that carries it.
        assert it.state.requests.counts()["amazon.download"] == {200: 1}


@pytest.mark.parametrize("packed", [True, False])
def test_parts_of_a_report_hold_whole_orders_wherever_their_lines_stand(packed):
    lines = [report_line(amazon_order_id=f"113-{number % 40}", sku=f"S{number}") for number in range(400)]
    body = report(*lines)
    wanted = Wanted(ALL_ORDERS, (US,), extra=("marketplace-id", US))
    with tempfile.TemporaryFile() as file:
        file.write(gzip.compress(body) if packed else body)
        pages = list(parts(file, "utf-8", wanted, packed=packed, part_size=4000))
    assert len(pages) > 3
    orders = [{line.split(b"\t")[0] for line in page.body.splitlines()[1:]} for page in pages]
    assert sum(len(found) for found in orders) == 40
    assert sum(len(page.body.splitlines()) - 1 for page in pages) == 400
    assert all(line.endswith(US.encode()) for page in pages for line in page.body.splitlines()[1:])


def test_a_broken_archive_is_an_error():
    with tempfile.TemporaryFile() as file:
        file.write(gzip.compress(report(report_line()))[:-9])
        with pytest.raises(ChannelUnavailableError, match="broken"):
            list(parts(file, "utf-8", Wanted(ALL_ORDERS, (US,)), packed=True))
