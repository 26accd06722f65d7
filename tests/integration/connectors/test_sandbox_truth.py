"""What the connectors bring home from the sandbox is what happened in its world, to the unit and the cent.

No database: the canonical frames of all pages, the newest state of each row, added up by business day and SKU
as the warehouse's daily summary defines them, beside `truth.expected`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from connectors.base import Account, Window
from connectors.canonical import KEYS, SCHEMAS
from connectors.extract import Tally, fetch
from connectors.registry import open_client, resources_of
from connectors.sandbox import app, truth
from connectors.sandbox.replay import ReplayWorld
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import World
from connectors.settings import ConnectorSettings, accounts
from tests.order_file_factories import sold, write_csv
from tests.sandbox_factories import NOON, days, small_world

PACE = 300
FIGURES = ("units", "refunded_units", "net", "refunded")
# Where money and units come from; products and stock have no part in it.
RESOURCES = {"amazon": ("orders", "refunds"), "shopify": ("orders",), "walmart": ("orders", "returns")}


class Merchant:
    """A running sandbox and what has been read from it so far."""

    def __init__(self, state: SandboxState, url: str, home: Path) -> None:
        self.state = state
        self._accounts = _accounts(state, url, home)
        self._read_until: dict[tuple[str, str], datetime] = {}
        self._frames: dict[str, list[pl.DataFrame]] = {
            name: [] for name in ("orders", "order_items", "refunds")
        }

    def sync(self, first: datetime) -> None:
        """Everything that changed since the last sync, or since `first`, as a flow would read it."""
        now = self.state.now()
        for account in self._accounts:
            for name in RESOURCES[account.platform]:
                resource = resources_of(account.platform)[name]
                done = self._read_until.get((account.name, name))
                window = Window(done - resource.lookback if done else first, now - resource.delay)
                tally = Tally()
                with open_client(account) as client:
                    for batch in fetch(client, resource, window, key=b"k" * 32, fetched_at=now, tally=tally):
                        assert batch.rejected == ()
                        for frame, rows in batch.frames.items():
                            if frame in self._frames:
                                self._frames[frame].append(rows)
                self._read_until[account.name, name] = window.until

    def figures(self) -> pl.DataFrame:
        """channel, date, sku and FIGURES, from the newest state of each row."""
        orders, refunds = self._newest("orders"), self._newest("refunds")
        # An order's lines are those of its newest reading: a report and an API number them differently.
        of_order = pl.col("reading").max().over("channel", "order_external_id")
        items = self._newest("order_items").filter(pl.col("reading") == of_order)
        given_back = (
            _with_line_ids(refunds, items)
            .group_by("channel", "order_external_id", "line_id")
            .agg(later_units=pl.col("quantity").sum(), later_net=pl.col("net_amount").sum())
        )
        lines = items.join(
            orders.select(
                "channel", pl.col("external_id").alias("order_external_id"), "ordered_at", "is_replacement"
            ),
            on=["channel", "order_external_id"],
        ).join(given_back, on=["channel", "order_external_id", "line_id"], how="left")
        zones = {market.channel: market.timezone for market in self.state.world.markets}
        kept = pl.col("quantity") - pl.col("cancelled_quantity").fill_null(0)
        net = pl.col("net_amount").fill_null(0).cast(pl.Float64) * kept / pl.col("quantity").clip(1)
        lines = lines.with_columns(
            date=pl.col("ordered_at"),
            units=kept,
            refunded_units=pl.max_horizontal(
                pl.col("refunded_quantity").fill_null(0), pl.col("later_units").fill_null(0)
            ),
            net=pl.when("is_replacement").then(0.0).otherwise(net),
            refunded=pl.max_horizontal(
                pl.col("refunded_net_amount").fill_null(0), pl.col("later_net").fill_null(0)
            ).cast(pl.Float64),
        )
        by_channel = [
            part.with_columns(pl.col("date").dt.convert_time_zone(zones[channel]).dt.date())
            for (channel,), part in lines.group_by("channel")
        ]
        return _cells(pl.concat(by_channel))

    def not_cancelled(self) -> set[str]:
        """External ids of the orders that stand."""
        orders = self._newest("orders").filter(pl.col("status") != "cancelled")
        return set(orders["external_id"])

    def expected(self) -> pl.DataFrame:
        """The same from the world itself."""
        return _cells(truth.expected(self.state.world, self.state.now()))

    def _newest(self, name: str) -> pl.DataFrame:
        """The rows of a frame as they were last read, with the number of that `reading`."""
        parts = [
            frame.with_columns(reading=pl.lit(number)) for number, frame in enumerate(self._frames[name])
        ]
        empty = SCHEMAS[name].to_frame().rename({"customer_ref": "customer_key"}, strict=False)
        empty = empty.with_columns(reading=pl.lit(0, dtype=pl.Int32))
        return pl.concat([empty, *parts]).unique(list(KEYS[name]), keep="last", maintain_order=True)


def _with_line_ids(refunds: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Refunds that name their line only as "<sku>#<n>" get the id of the order's n-th line with that SKU."""
    order = ["channel", "order_external_id"]
    place = pl.int_range(1, pl.len() + 1).over(*order, "sku").cast(pl.String)
    lines = items.sort(*order, "line_id").select(
        *order, found="line_id", line_id=pl.concat_str(pl.col("sku").fill_null("?"), pl.lit("#"), place)
    )
    return refunds.join(lines, on=[*order, "line_id"], how="left").with_columns(
        pl.coalesce("found", "line_id").alias("line_id")
    )


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per channel, date and SKU with something in it; money in whole cents."""
    return (
        rows.group_by("channel", "date", "sku")
        .agg(pl.col(name).cast(pl.Float64).sum() for name in FIGURES)
        .with_columns((pl.col("net", "refunded") * 100).round(), pl.col("units", "refunded_units").round())
        .with_columns(pl.col(name).cast(pl.Int64) for name in FIGURES)
        .filter(pl.any_horizontal(pl.col(name) != 0 for name in FIGURES))
        .sort("channel", "date", "sku", nulls_last=True)
    )


def _accounts(state: SandboxState, url: str, home: Path) -> list[Account]:
    secrets = state.secrets
    (shop,), (walmart,) = state.markets("shopify"), state.markets("walmart")
    settings = ConnectorSettings(
        _env_file=None,
        amazon_client_id=secrets.amazon_client_id,
        amazon_client_secret=secrets.amazon_client_secret,
        amazon_refresh_token=secrets.amazon_refresh_token,
        amazon_seller_id=secrets.amazon_seller_id,
        amazon_marketplace_ids=",".join(market.external_id for market in state.markets("amazon")),
        amazon_api_url=f"{url}/amazon",
        amazon_auth_url=f"{url}/amazon/auth/o2/token",
        shopify_shop_name=shop.external_id,
        shopify_access_token=secrets.shopify_access_token,
        shopify_api_url=f"{url}/shopify",
        shopify_currency=shop.currency,
        shopify_timezone=shop.timezone,
        walmart_client_id=secrets.walmart_client_id,
        walmart_client_secret=secrets.walmart_client_secret,
        walmart_api_url=f"{url}/walmart",
        walmart_timezone=walmart.timezone,
        wharf_pace=PACE,
        wharf_home=home,
        wharf_accounts_file=home / "none.toml",
    )
    return accounts(settings)


@pytest.fixture
def merchant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Merchant]:
    world: World = request.param(tmp_path)
    state = SandboxState(world, pace=PACE)
    with app.serving(state) as url:
        yield Merchant(state, url, tmp_path)


def invented(_: Path) -> World:
    return small_world()


def replayed(folder: Path) -> World:
    rows = [
        sold(
            f"O{n}",
            f"sku-{n % 5}",
            n % 4 + 1,
            f"{n % 7}.{n % 90 + 10}",
            Date=f"2024-0{n % 3 + 3}-{n % 28 + 1:02d} 10:00:00",
        )
        for n in range(120)
    ]
    back = [
        sold(f"K{n}", f"sku-{n % 5}", -1, f"{n % 7}.{n % 90 + 10}", Date=f"2024-06-0{n % 5 + 1} 10:00:00")
        for n in range(0, 40, 3)
    ]
    return ReplayWorld([write_csv(folder / "lines.csv", [*rows, *back])])


def assert_same(found: pl.DataFrame, wanted: pl.DataFrame) -> None:
    keys = ["channel", "date", "sku"]
    both = wanted.join(found, on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_found")
    wrong = both.filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_found")) for name in FIGURES)
    )
    assert wrong.rows() == []
    assert len(wanted) > 0


def quiet(world: World, at: datetime) -> datetime:
    """The last instant up to `at` with nothing new in ten minutes: what is newer a connector leaves for later."""
    while any(
        world.orders_between(market.channel, at, updated_since=at - timedelta(minutes=10))
        for market in world.markets
    ):
        at -= timedelta(minutes=5)
    return at


def before_a_cancellation(world: World) -> datetime:
    """A quiet instant around NOON at which an order has been placed that will be cancelled later."""
    for market in world.markets:
        for order in truth.all_orders(world, market.channel, NOON + days(3)):
            if order.cancelled_at is not None and order.cancelled_at > NOON - days(5):
                at = quiet(world, order.cancelled_at - timedelta(seconds=1))
                if at > order.created_at + timedelta(minutes=10):
                    return at
    raise AssertionError("this world has no such order")


@pytest.mark.parametrize("merchant", [invented], indirect=True)
def test_syncs_of_an_invented_merchant_bring_exactly_what_happened(merchant: Merchant):
    world, clock = merchant.state.world, merchant.state.clock

    clock.freeze(before_a_cancellation(world))
    merchant.sync(first=NOON - days(155))
    before, open_then = merchant.expected(), merchant.not_cancelled()
    assert_same(merchant.figures(), before)

    # Long enough that orders which came through the small ways are refunded too.
    for later in (8, 20, 32):
        clock.freeze(quiet(world, NOON + days(later)))
        merchant.sync(first=NOON - days(155))
    after = merchant.expected()
    assert_same(merchant.figures(), after)

    changed = before.join(after, on=["channel", "date", "sku"], suffix="_after")
    assert changed.filter(pl.col("refunded") < pl.col("refunded_after")).height > 3
    assert open_then - merchant.not_cancelled()


@pytest.mark.parametrize("merchant", [replayed], indirect=True)
def test_a_replayed_file_comes_home_as_it_was(merchant: Merchant):
    first = datetime(2024, 2, 28, tzinfo=UTC)
    for end in (datetime(2024, 4, 10, tzinfo=UTC), datetime(2024, 6, 30, tzinfo=UTC)):
        merchant.state.clock.freeze(end)
        merchant.sync(first)
        assert_same(merchant.figures(), merchant.expected())
    assert merchant.figures()["refunded"].sum() > 0
