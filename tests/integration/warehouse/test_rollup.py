"""What ClickHouse shows is what PostgreSQL holds, however often and wherever publishing was cut off."""

import threading
from decimal import Decimal

import polars as pl
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.local_factories import eventually
from tests.warehouse_factories import DAY, HOUR, OTHER, SHOP, T0, Loader, line, order, refund, stock
from warehouse import breaker, checks, forecasts, publisher, quarantine, rollup
from warehouse.errors import PublishBusyError

TABLES = ("daily_sales_summary", "daily_sales_as_happened", "customer_cohorts", "channels", "products")


def contents(client):
    return {
        table: sorted(client.query(f"SELECT * FROM analytics.{table}").result_rows, key=str)
        for table in TABLES
    }


def agree(engine, client):
    for result in [*checks.after_publish(engine, client), *checks.after_load(engine)]:
        assert result.ok or result.severity == "warn", result.detail


def sales(loader):
    loader.load(
        {
            "orders": [
                order("A", customer_key="k1"),
                order("B", at=T0 + 40 * DAY, customer_key="k1"),
                order("C", customer_key="k2", status="cancelled", cancelled_at=T0 + DAY),
                order("D", is_test=True, customer_key="k3"),
            ],
            "order_items": [
                line("A", quantity=2, net="33.33", discount=Decimal("1.67")),
                line("A", "2", net="5"),
                line("A", "3", sku=None, net="1"),
                line("B", sku="S2"),
                line("C"),
                line("D"),
            ],
            "refunds": [refund("A", "r1", at=T0 + 30 * DAY, amount=Decimal(11))],
        }
    )


def test_a_day_is_published_as_the_contract_says(loader, client):
    sales(loader)
    published = rollup.publish(loader.engine, client)

    assert published.days == 4
    rows = client.query(
        "SELECT date, p.sku, total_revenue, gross_revenue, discount_amount, refunded_amount, refunded_net_amount,"
        " total_units, refunded_units, avg_price, num_orders, s.currency FROM analytics.daily_sales_summary s"
        " JOIN analytics.products p USING product_id ORDER BY date, p.sku"
    ).result_rows
    money = Decimal
    assert rows == [
        (T0.date(), "", money(1), money(1), 0, 0, 0, 1, 0, money(1), 1, "USD"),
        (
            T0.date(),
            "SKU-1",
            money("28.33"),
            money(40),
            money("1.67"),
            money(11),
            money(10),
            3,
            1,
            money("12.7767"),
            1,
            "USD",
        ),
        (T0.date() + 40 * DAY, "S2", money(10), money(10), 0, 0, 0, 1, 0, money(10), 1, "USD"),
    ]
    assert client.query("SELECT * FROM analytics.customer_cohorts").result_rows == [
        (T0.date().replace(day=1), "k1", T0.date(), 2, Decimal("39.33"), "USD")
    ]
    agree(loader.engine, client)


def test_both_tables_add_up_to_the_same(loader, client):
    sales(loader)
    rollup.publish(loader.engine, client)
    sums = (
        "SELECT product_id, sum(total_revenue), sum(gross_revenue), sum(discount_amount), sum(refunded_amount),"
        " sum(total_units), sum(refunded_units), sum(num_orders) FROM analytics.{} GROUP BY product_id ORDER BY 1"
    )
    by_order = client.query(sums.format("daily_sales_summary")).result_rows
    as_happened = client.query(sums.format("daily_sales_as_happened")).result_rows
    assert by_order == as_happened
    moves = client.query(
        "SELECT date, total_units, num_orders, refunded_units FROM analytics.daily_sales_as_happened"
        " JOIN analytics.products p USING product_id WHERE p.sku = 'SKU-1' ORDER BY date"
    ).result_rows
    assert moves == [(T0.date(), 4, 2, 0), (T0.date() + DAY, -1, -1, 0), (T0.date() + 30 * DAY, 0, 0, 1)]


def test_publishing_again_changes_nothing(loader, client):
    sales(loader)
    rollup.publish(loader.engine, client)
    before = contents(client)

    assert rollup.publish(loader.engine, client).days == 0
    rollup.publish(loader.engine, client, [T0.date()])
    rollup.publish_all(loader.engine, client)
    assert contents(client) == before


def test_only_the_months_that_moved_are_replaced_and_the_journal_says_so(loader, client):
    sales(loader)
    rollup.publish(loader.engine, client)
    loader.load({"refunds": [refund("B", "r9", at=T0 + 41 * DAY)]}, resource="refunds")

    published = rollup.publish(loader.engine, client)

    assert published.months == ((T0 + 40 * DAY).date().replace(day=1),)
    assert client.query(
        "SELECT order_date, kind, orders, revenue_delta FROM analytics.restatements"
    ).result_rows == [((T0 + 40 * DAY).date(), "refund", 1, Decimal(-10))]
    agree(loader.engine, client)


def test_a_reader_sees_a_day_as_it_was_or_as_it_is_and_never_half(loader, client):
    def units():
        query = "SELECT date, sum(total_units) FROM analytics.daily_sales_summary GROUP BY date ORDER BY date"
        return tuple(client.query(query).result_rows)

    sales(loader)
    rollup.publish(loader.engine, client)
    before = units()
    more = {"source_updated_at": T0 + DAY, "customer_key": "k1"}
    loader.load(
        {"orders": [order("A", **more)], "order_items": [line("A", quantity=7), line("A", "2", quantity=4)]}
    )
    seen, is_over = [units()], threading.Event()

    def watch():
        while not is_over.is_set():
            seen.append(units())

    reader = threading.Thread(target=watch)
    reader.start()
    rollup.publish(loader.engine, client, on_step=lambda _: seen.append(units()))
    is_over.set()
    reader.join()
    assert set(seen) == {before, units()}
    assert before != units()


def test_a_day_that_came_to_nothing_disappears(loader, client):
    loader.load({"orders": [order("A")], "order_items": [line("A")]})
    rollup.publish(loader.engine, client)
    loader.load({"orders": [order("A", updated=T0 + HOUR, is_test=True)], "order_items": [line("A")]})
    rollup.publish(loader.engine, client)
    assert client.query("SELECT count() FROM analytics.daily_sales_summary").result_rows == [(0,)]
    agree(loader.engine, client)


class CutOffError(Exception):
    pass


STEPS = (
    "daily_sales_summary 2026-03",
    "swap daily_sales_summary 2026-03",
    "daily_sales_as_happened 2026-03",
    "swap daily_sales_as_happened 2026-03",
    "swap daily_sales_summary 2026-04",
    "dimensions",
    "clear",
)


@pytest.mark.parametrize("at", STEPS)
def test_cut_off_anywhere_the_next_publication_heals(loader, client, at):
    sales(loader)

    def cut(step):
        if step == at:
            raise CutOffError(step)

    with pytest.raises(CutOffError):
        rollup.publish(loader.engine, client, on_step=cut)
    assert loader.one("SELECT count(*) FROM ops.dirty_days") == 4

    rollup.publish(loader.engine, client)
    agree(loader.engine, client)
    assert loader.one("SELECT count(*) FROM ops.dirty_days") == 0


def test_what_changes_while_publishing_stays_dirty(loader, client):
    sales(loader)

    def meanwhile(step):
        if step == "swap daily_sales_summary 2026-04":
            loader.load({"orders": [order("L")], "order_items": [line("L")]})

    rollup.publish(loader.engine, client, on_step=meanwhile)
    assert loader.rows("SELECT day FROM ops.dirty_days") == [(T0.date(),)]
    agree(loader.engine, client)  # announced as dirty, so no difference
    assert rollup.publish(loader.engine, client).days == 1
    agree(loader.engine, client)
    assert loader.rows("SELECT day FROM ops.dirty_days") == []


def test_one_publisher_at_a_time(loader, client):
    sales(loader)

    def second(step):
        if step == "dimensions":
            with pytest.raises(PublishBusyError):
                rollup.publish(loader.engine, client)

    rollup.publish(loader.engine, client, on_step=second)
    rollup.publish(loader.engine, client)  # the lock was given back


def test_a_publisher_that_is_stopped_is_ended_by_the_next(loader, client, monkeypatch):
    sales(loader)
    spoken = text(f"SELECT state_change FROM pg_stat_activity WHERE application_name = '{publisher._NAME}'")
    monkeypatch.setattr(publisher, "_BEAT_SECONDS", 0.1)
    looking = loader.engine.execution_options(isolation_level="AUTOCOMMIT")
    with publisher.only_publisher(loader.engine), looking.connect() as look:
        first = look.scalar(spoken)
        eventually(lambda: look.scalar(spoken) > first)  # it is alive, and says so
        with pytest.raises(PublishBusyError), publisher.only_publisher(loader.engine):
            pass
    monkeypatch.setattr(publisher, "_SILENT_SECONDS", 0.3)
    monkeypatch.setattr(publisher, "_BEAT_SECONDS", 60)
    with publisher.only_publisher(loader.engine) as stopped:
        with publisher.only_publisher(loader.engine, patience_seconds=240):
            pass
        with pytest.raises(OperationalError):
            stopped.still_held()


def test_a_publisher_whose_session_died_does_not_swap(loader, client):
    sales(loader)

    def lose_session(step):
        if step.startswith("swap"):
            loader.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )

    with pytest.raises(Exception, match=r"terminat|closed"):
        rollup.publish(loader.engine, client, on_step=lose_session)
    assert client.query("SELECT count() FROM analytics.daily_sales_summary").result_rows == [(0,)]


def test_a_difference_between_the_databases_is_found(loader, client):
    sales(loader)
    rollup.publish(loader.engine, client)
    client.command("ALTER TABLE analytics.daily_sales_summary DROP PARTITION '202604'")

    summary, as_happened, _ = checks.after_publish(loader.engine, client)
    assert not summary.ok
    assert "2026-04-11" in summary.detail
    assert as_happened.ok


def test_too_many_refused_hold_their_account_back_until_replayed_or_accepted(engine, client):
    shop, other = Loader(engine), Loader(engine, "amazon", places=(OTHER,))
    bad = {
        "orders": [order("A")] + [order(f"bad{n}", status="?") for n in range(3)],
        "order_items": [line("A")],
    }
    there = {"orders": [order("E", channel=OTHER.name)], "order_items": [line("E", channel=OTHER.name)]}
    shop.load({"orders": [order("B")], "order_items": [line("B")]})
    rollup.publish(engine, client)
    shop.load(bad)
    other.load(there)
    units = (
        "SELECT c.name, sum(total_units) FROM analytics.daily_sales_summary s JOIN analytics.channels c USING"
    )
    units += " channel_id GROUP BY 1 ORDER BY 1"
    strict = breaker.Limits(rate=0.05, rows=2)

    held = rollup.publish(engine, client, limits=strict)
    (reason,) = held.held
    assert "shopify orders: 3 of 5 records" in reason
    assert client.query(units).result_rows == [(OTHER.name, 1), (SHOP.name, 1)]
    assert shop.one("SELECT count(*) FROM ops.dirty_days") == 1  # announced, so the check finds no difference
    agree(engine, client)

    assert rollup.publish(engine, client, limits=breaker.Limits(rate=0.7, rows=2)).held == ()
    shop.load({"orders": [order("C")], "order_items": [line("C")]})
    assert rollup.publish(engine, client, limits=strict).held
    assert quarantine.accept(engine, [], account="shopify") == 3
    assert rollup.publish(engine, client, limits=strict).held == ()
    assert client.query(units).result_rows == [(OTHER.name, 1), (SHOP.name, 3)]
    agree(engine, client)


def test_currencies_are_kept_apart(engine, client):
    loader = Loader(engine, places=(SHOP, OTHER))
    loader.load(
        {
            "orders": [
                order("A", customer_key="k"),
                order("B", currency="CAD", customer_key="k"),
                order("C", channel=OTHER.name, currency="EUR", customer_key="k"),
            ],
            "order_items": [line("A"), line("B"), line("C", channel=OTHER.name)],
        }
    )
    rollup.publish(engine, client)
    assert client.query(
        "SELECT currency, total_revenue FROM analytics.daily_sales_summary ORDER BY 1"
    ).result_rows == [("CAD", 10), ("EUR", 10), ("USD", 10)]
    assert client.query(
        "SELECT uniqExact(customer_key), count() FROM analytics.customer_cohorts"
    ).result_rows == [(1, 3)]
    agree(engine, client)


def test_stock_by_day_and_its_health(loader, client):
    # Midday in the channel's zone, whatever the hour now: 40 days back are 40 business days, summer time or not.
    now = loader.one("SELECT date_trunc('day', clock_timestamp()) - interval '6 hours'")
    loader.load(
        {"orders": [order("A", at=now - 3 * DAY)], "order_items": [line("A", quantity=6, net="60")]},
        until=now,
        advance=True,
    )
    for days, available in [(40, 9), (3, 5), (2, 0), (0, 4)]:
        at = now - days * DAY
        rows = [stock("SKU-1", available, updated=at), stock("X", 1)]
        loader.load({"inventory": rows}, resource="inventory", snapshot=True, until=at, advance=True)

    rollup.publish(loader.engine, client)
    rollup.publish(loader.engine, client)

    daily = client.query(
        "SELECT closing_units, in_stock FROM analytics.inventory_daily JOIN analytics.products p USING product_id"
        " WHERE p.sku = 'SKU-1' ORDER BY date"
    ).result_rows
    assert len(daily) == 41
    assert daily[-4:] == [(5, True), (0, True), (0, False), (4, True)]
    (health,) = client.query(
        "SELECT quantity_available, units_sold_28d, days_in_stock_28d, stockout_days_28d, velocity, days_of_cover,"
        " sell_through FROM analytics.inventory_health JOIN analytics.products p USING product_id WHERE p.sku = 'SKU-1'"
    ).result_rows
    assert health == (4, 6, 27, 1, pytest.approx(6 / 27), pytest.approx(18), pytest.approx(0.6))


def test_forecasts_and_how_good_they_were(loader, client):
    loader.load(
        {"orders": [order("A", at=T0 + DAY)], "order_items": [line("A", quantity=3, net="30")]},
        until=T0 + 3 * DAY,
        advance=True,
    )
    days = [T0.date() + n * DAY for n in range(5)]
    numbers = {
        name: [value] * 5
        for name, value in {"yhat": 2.5, "lo80": 1.0, "hi80": 4.0, "lo95": 0.0, "hi95": 5.0}.items()
    }
    made = pl.DataFrame(
        {"series_id": ["shopify-test|SKU-1"] * 5, "date": days, "model": ["ensemble"] * 5, **numbers}
    )
    forecasts.save(loader.engine, made, T0)
    rollup.publish(loader.engine, client)

    assert client.query("SELECT count(), max(predicted_units) FROM analytics.forecasts").result_rows == [
        (5, 2.5)
    ]
    assert client.query(
        "SELECT horizon_days, units, in_stock, absolute_error, in_80, in_95 FROM analytics.forecast_accuracy"
        " ORDER BY date"
    ).result_rows == [
        (0, 0, True, 2.5, False, True),
        (1, 3, True, 0.5, True, True),
        (2, 0, True, 2.5, False, True),
    ]
    forecasts.save(loader.engine, made.with_columns(yhat=pl.lit(3.0)), T0 + HOUR)
    rollup.publish(loader.engine, client)
    assert client.query("SELECT count(), max(predicted_units) FROM analytics.forecasts").result_rows == [
        (5, 3.0)
    ]
