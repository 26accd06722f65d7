"""A merchant's own lines, played back through three marketplaces."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from connectors.exports.mapping import MappingError
from connectors.sandbox import truth
from connectors.sandbox.replay import ReplayWorld
from connectors.sandbox.world import Order
from tests.order_file_factories import sold, write_csv
from tests.reference import reference

ROWS = [
    *(
        sold(f"1{n:03d}", "mug", 2, "6.95", Date=f"2024-03-{n % 28 + 1:02d} 10:00:00", Customer="C-1")
        for n in range(60)
    ),
    sold("2000", "MUG", 1, "7.05", Title="Mug", Date="2024-04-02 10:00:00", Customer="42"),
    sold(
        "2000", "Tea", 3, "0.1255", Title="", Date="2024-04-02 10:01:00", Customer="42", Country="Unspecified"
    ),
    sold("2001", "mug", 1, "6.95", Date="2024-04-03 10:00:00", Customer=""),
    sold("2002", "mug", -1, "7.05", Date="2024-04-05 09:00:00", Customer="42"),
]
END = datetime(2024, 5, 1, tzinfo=UTC)


def world(tmp_path: Path, rows: Sequence[dict[str, object]] = ROWS) -> ReplayWorld:
    return ReplayWorld([write_csv(tmp_path / "lines.csv", rows)])


def every_order(replay: ReplayWorld, now: datetime = END) -> dict[str | None, Order]:
    found = [order for market in replay.markets for order in truth.all_orders(replay, market.channel, now)]
    return {order.external_number: order for order in found}


def test_orders_are_spread_over_three_marketplaces_always_in_the_same_way(tmp_path: Path):
    replay = world(tmp_path)
    where = {number: order.channel for number, order in every_order(replay).items()}

    assert [market.platform for market in replay.markets] == ["amazon", "shopify", "walmart"]
    assert set(where.values()) == {market.channel for market in replay.markets}
    fewer = every_order(world(tmp_path, ROWS[30:]))
    assert all(where[number] == order.channel for number, order in fewer.items())


def test_an_order_is_the_files_to_the_last_place_and_nothing_is_added(tmp_path: Path):
    order = every_order(world(tmp_path))["2000"]

    assert order.created_at == datetime(2024, 4, 2, 10, tzinfo=UTC)
    assert order.customer == 42
    assert order.currency == "EUR"
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("MUG", 1, Decimal("7.05")),
        ("TEA", 3, Decimal("0.1255")),
    ]
    assert all(line.tax == line.discount == 0 for line in order.lines)
    assert order.shipping == order.shipping_tax == 0


def test_a_customer_without_a_number_is_a_guest(tmp_path: Path):
    orders = every_order(world(tmp_path))

    assert orders["2001"].customer is None
    assert orders["1001"].customer == orders["1002"].customer is not None


def test_a_cancellation_becomes_a_refund_at_its_instant(tmp_path: Path):
    replay = world(tmp_path)
    at = datetime(2024, 4, 5, 9, tzinfo=UTC)

    (refund,) = every_order(replay)["2000"].refunds
    assert refund.at == at
    (part,) = refund.lines
    assert (part.line_number, part.quantity, part.amount) == (1, 1, Decimal("7.05"))
    before = every_order(replay, at - timedelta(seconds=1))["2000"]
    assert before.refunds == ()
    assert before.updated_at < every_order(replay, at)["2000"].updated_at == at


def test_only_what_has_happened_is_visible(tmp_path: Path):
    replay = world(tmp_path)

    assert len(every_order(replay, replay.first_instant - timedelta(seconds=1))) == 0
    assert len(every_order(replay, datetime(2024, 4, 1, tzinfo=UTC))) == 60
    assert replay.last_instant == datetime(2024, 4, 5, 9, tzinfo=UTC)


def test_products_have_their_most_frequent_title_and_price(tmp_path: Path):
    replay = world(tmp_path)
    sold_here = {p.sku: p for market in replay.markets for p in replay.products(market.channel, END)}

    assert set(sold_here) == {"MUG", "TEA"}
    assert (sold_here["MUG"].title, sold_here["MUG"].price) == ("The mug", Decimal("6.95"))
    assert sold_here["TEA"].title == "TEA"
    assert all(
        not replay.products(market.channel, replay.first_instant - timedelta(1)) for market in replay.markets
    )


def test_stock_follows_recent_sales(tmp_path: Path):
    replay = world(tmp_path)
    channel = replay.markets[0].channel

    busy = replay.stock(channel, datetime(2024, 4, 1, 9, tzinfo=UTC))
    quiet = replay.stock(channel, datetime(2024, 9, 1, 9, tzinfo=UTC))

    assert busy
    assert sum(level.on_hand for level in busy) > sum(level.on_hand for level in quiet) == 0
    assert replay.stock(channel, datetime(2024, 4, 1, 21, tzinfo=UTC)) == busy


def test_the_truth_is_the_files_revenue(tmp_path: Path):
    figures = truth.expected(world(tmp_path), END)

    sales = 60 * 2 * Decimal("6.95") + Decimal("7.05") + 3 * Decimal("0.1255") + Decimal("6.95")
    assert figures["gross"].sum() == sales
    assert figures["revenue"].sum() == sales - Decimal("7.05")


def test_files_without_a_sale_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="no sale"):
        world(tmp_path, [sold("1", "A", -1, "2")])
    with pytest.raises(MappingError, match="cannot tell which column"):
        ReplayWorld([write_csv(tmp_path / "b.csv", ROWS, header=("Order", "Date"))])


def test_the_published_retail_files_add_up_to_the_cent():
    paths = [reference(f"data/online_retail_ii/year_{years}.parquet") for years in ("2009_2010", "2010_2011")]
    replay = ReplayWorld(paths)
    now = replay.last_instant
    figures = truth.expected(replay, now, ["walmart-us"])

    # The same by a few lines of Polars. Prices have at most three places: whole thousandths are exact.
    first, second = (pl.read_parquet(path) for path in paths)
    second = second.rename({"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"})
    lines = pl.concat([first, second.join(first, on="Invoice", how="anti")]).with_columns(
        sku=pl.col("StockCode").str.strip_chars().str.to_uppercase(),
        price=(pl.col("Price") * 1000).round().cast(pl.Int64),
    )
    no_product = r"^(POST|DOT|M|C2|C3|D|S|B|BANK CHARGES|ADJUST2?|AMAZONFEE|CRUK|PADS|TEST.*|GIFT.*)$"
    sales = lines.filter(
        ~pl.col("Invoice").str.starts_with("C"),
        ~pl.col("sku").str.contains(no_product),
        pl.col("Quantity") > 0,
        pl.col("price") > 0,
    )
    counts = [len(replay.orders_between(market.channel, now)) for market in replay.markets]
    assert sum(counts) == sales["Invoice"].n_unique()
    assert len(replay.book.lines) == len(sales)

    here = [order.external_number for order in truth.all_orders(replay, "walmart-us", now)]
    by_sku = (
        sales.filter(pl.col("Invoice").is_in(here))
        .group_by("sku")
        .agg(units=pl.col("Quantity").sum(), gross=(pl.col("Quantity") * pl.col("price")).sum())
    )
    found = figures.group_by("sku").agg(
        pl.col("units").sum(), gross=(pl.col("gross") * 1000).sum().cast(pl.Int64)
    )
    assert found.sort("sku").equals(by_sku.sort("sku"))
    taken_back = replay.accounted.row(by_predicate=pl.col("reason") == "cancellation of a sale", named=True)
    assert int(replay.book.refund_lines.amount.sum()) == -taken_back["amount"] * 10_000
    assert replay.accounted["lines"].sum() == 525_461 + 541_909
