"""One writer at a time, and a late one writes nothing."""

import contextlib
import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.local_factories import eventually
from tests.warehouse_factories import DAY, HOUR, T0, frame, line, order
from warehouse import leases, load, merge, runs, watermarks
from warehouse.batch import Span
from warehouse.errors import LeaseHeldError, LeaseLostError, StagingLostError
from warehouse.load import Staging

PAGE = {"orders": [order("A")], "order_items": [line("A")]}


def expire(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE ops.leases SET expires_at = clock_timestamp() - interval '1 second'"))


def test_a_held_lease_is_refused_and_given_back(engine):
    with leases.hold(engine, "a", "orders", "me") as mine:
        with pytest.raises(LeaseHeldError, match="me"), leases.hold(engine, "a", "orders", "you"):
            pass
        with leases.hold(engine, "a", "products", "you"):
            pass  # another resource is free
    with leases.hold(engine, "a", "orders", "you") as yours:
        assert yours.token == mine.token + 1


def test_a_lease_is_renewed_while_its_holder_is_busy(engine, monkeypatch):
    monkeypatch.setattr(leases, "_RENEWALS_PER_EXPIRY", 100)

    def expires_at():
        with engine.connect() as connection:
            return connection.scalar(text("SELECT expires_at FROM ops.leases WHERE account = 'a'"))

    with leases.hold(engine, "a", "orders", "me") as lease:
        first = expires_at()
        eventually(lambda: expires_at() > first)
        with pytest.raises(LeaseHeldError), leases.hold(engine, "a", "orders", "you"):
            pass
        assert not lease.is_lost


def test_a_paused_holder_that_lost_its_lease_writes_nothing(loader):
    engine = loader.engine
    with leases.hold(engine, "shopify", "orders", "paused", expiry_seconds=3600) as old:
        expire(engine)
        with leases.hold(engine, "shopify", "orders", "successor") as new:
            with pytest.raises(LeaseLostError):
                loader.load(PAGE, lease=old, advance=True)
            assert loader.one("SELECT count(*) FROM core.orders") == 0
            assert watermarks.read_until(engine, "shopify", "orders") is None
            assert old.is_lost
            loader.load(PAGE, lease=new, advance=True)
    assert loader.one("SELECT count(*) FROM core.orders") == 1


def test_an_expired_lease_is_lost_even_if_nobody_took_it(loader):
    with leases.hold(loader.engine, "shopify", "orders", "slow", expiry_seconds=3600) as lease:
        expire(loader.engine)
        with pytest.raises(LeaseLostError):
            loader.load(PAGE, lease=lease)


def test_nobody_takes_over_while_a_merge_is_committing(loader):
    engine = loader.engine
    with leases.hold(engine, "shopify", "orders", "merging", expiry_seconds=3600) as lease:
        with engine.begin() as connection:
            leases.fence(connection, lease)
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            claimed = threading.Event()

            def claim():
                with contextlib.suppress(LeaseHeldError), leases.hold(engine, "shopify", "orders", "thief"):
                    claimed.set()

            thief = threading.Thread(target=claim)
            thief.start()
            time.sleep(0.3)
            assert thief.is_alive()  # waits for our commit
        thief.join()
        assert not claimed.is_set()


def _fence_at_the_last_moment(engine, connection, lease):
    """In time, and now over: nobody else sees the extension before it is committed."""
    for seconds in (1.5, 5, 30, 120):  # a busy machine needs longer to be in time
        with engine.begin() as clock:
            clock.execute(
                text(f"UPDATE ops.leases SET expires_at = clock_timestamp() + interval '{seconds} s'")
            )
        try:
            leases.fence(connection, lease)
        except LeaseLostError:
            connection.rollback()
            continue
        with engine.connect() as clock:
            over = text("SELECT pg_sleep_until(expires_at) FROM ops.leases")
            clock.execute(over)
        return
    pytest.fail("it was never in time")


def test_a_holder_stopped_inside_its_merge_is_ended_by_its_successor(loader, monkeypatch):
    monkeypatch.setattr(leases, "_PATIENCE", "SET LOCAL lock_timeout = '300ms'")
    engine = loader.engine
    stopped, other = engine.connect(), engine.connect()
    with leases.hold(engine, "shopify", "orders", "stopped", expiry_seconds=3600) as lease:
        leases.fence(stopped, lease)
        with pytest.raises(LeaseHeldError, match="merged"), leases.hold(engine, "shopify", "orders", "early"):
            pass  # its time is not over
        stopped.rollback()
        _fence_at_the_last_moment(engine, stopped, lease)
        other.execute(text("SELECT 1"))  # a stranger's transaction is no business of ours
        with leases.hold(engine, "shopify", "orders", "successor", expiry_seconds=1) as new:
            assert new.token == lease.token + 1
            with pytest.raises(OperationalError):
                stopped.execute(text("SELECT 1"))
            assert other.scalar(text("SELECT 1")) == 1
    stopped.invalidate()
    stopped.close()
    other.close()


def test_the_watermark_moves_with_the_rows_and_never_back(loader):
    loader.load(PAGE, until=T0 + DAY, advance=True)
    loader.load(PAGE, until=T0, advance=True)
    assert watermarks.read_until(loader.engine, "shopify", "orders") == T0 + DAY

    window = watermarks.next_window(
        loader.engine, "shopify", "orders", until=T0 + 2 * DAY, lookback=HOUR, earliest=T0 - DAY
    )
    assert window == (T0 + DAY - HOUR, T0 + 2 * DAY)
    first = watermarks.next_window(
        loader.engine, "shopify", "products", until=T0, lookback=HOUR, earliest=T0 - DAY
    )
    assert first == (T0 - DAY, T0)


def test_a_backfill_does_not_move_the_watermark(loader):
    loader.load(PAGE, until=T0 + DAY, advance=True)
    loader.load(PAGE, until=T0 + 9 * DAY, advance=False)
    assert watermarks.read_until(loader.engine, "shopify", "orders") == T0 + DAY


def test_a_failing_merge_leaves_no_trace(loader):
    bad = {"orders": [order("A")], "order_items": [line("A")]}
    run = loader.run()
    with Staging(loader.engine, "broken") as staging:
        staging.add({name: frame(name, rows) for name, rows in bad.items()})
        with loader.engine.begin() as connection:
            connection.execute(
                text("ALTER TABLE core.sales_events ADD CONSTRAINT no_more CHECK (false) NOT VALID")
            )
        try:
            with pytest.raises(Exception, match="no_more"):
                merge.commit(
                    loader.engine,
                    staging,
                    run=run,
                    lease=None,
                    window=Span(T0, T0 + DAY),
                    advance_watermark=True,
                )
        finally:
            with loader.engine.begin() as connection:
                connection.execute(text("ALTER TABLE core.sales_events DROP CONSTRAINT no_more"))
    for table in ("core.orders", "core.order_items", "core.products", "ops.watermarks", "ops.dirty_days"):
        assert loader.one(f"SELECT count(*) FROM {table}") == 0
    assert loader.one("SELECT rows_read FROM ops.runs") == 0


def test_staging_lost_in_a_server_crash_is_noticed(loader):
    with Staging(loader.engine, "crashed") as staging:
        staging.add({"orders": frame("orders", [order("A")])})
        with loader.engine.begin() as connection:
            connection.execute(text('TRUNCATE staging."crashed__orders"'))
        with pytest.raises(StagingLostError):
            merge.commit(
                loader.engine,
                staging,
                run=loader.run(),
                lease=None,
                window=Span(T0, T0),
                advance_watermark=True,
            )


def test_staging_is_dropped_and_orphans_are_reaped(engine):
    with Staging(engine, "mine") as staging:
        staging.add({"orders": frame("orders", [order("A")])})
        with engine.begin() as connection:
            connection.execute(text('CREATE TABLE staging."dead__orders" (x int)'))
        assert load.reap(engine) == ["dead"]  # and not ours, which is alive
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'")) == 0


def test_a_stuck_session_of_a_predecessor_is_ended(engine):
    stuck = Staging(engine, "stuck", account="a", resource="orders")
    stuck.__enter__()
    other = Staging(engine, "busy", account="b", resource="orders")
    with other:
        with leases.hold(engine, "a", "orders", "successor"):
            pass
        other.add({"orders": frame("orders", [order("A")])})  # not touched
        with pytest.raises(Exception, match=r"terminat|closed"):
            stuck.add({"orders": frame("orders", [order("A")])})
    stuck.__exit__(ValueError, None, None)
    assert load.reap(engine) == []


def test_two_loads_of_one_id_are_refused(engine):
    with Staging(engine, "same"), pytest.raises(ValueError, match="in use"), Staging(engine, "same"):
        pass


def test_merges_into_one_channel_at_once_end_in_one_state(loader):
    versions = [
        {
            "orders": [order("A", updated=T0 + n * HOUR, total=n)],
            "order_items": [line("A", quantity=n + 1, net="9")],
        }
        for n in range(8)
    ]
    failures = []

    def work(version):
        try:
            loader.load(version)
        except Exception as error:  # noqa: BLE001 whatever it is fails the test below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert loader.one(
        "SELECT o.total, i.quantity FROM core.orders o JOIN core.order_items i ON i.order_id = o.id"
    ) == (7, 8)
    assert loader.one("SELECT sum(units) FROM core.sales_events") == 8


def test_a_run_says_what_it_did_and_dead_ones_are_buried(loader):
    loader.load(PAGE)
    assert loader.one("SELECT rows_read, rows_inserted, outcome FROM ops.runs") == (2, 4, "running")

    run = loader.run("products")
    runs.finish(loader.engine, run, "degraded", message="half", counts={"pages": 3})
    assert loader.one("SELECT outcome, counts, message FROM ops.runs WHERE id = :id", id=run.id) == (
        "degraded",
        {"pages": 3},
        "half",
    )
    assert runs.bury(loader.engine, silent_seconds=3600) == []
    (buried,) = runs.bury(loader.engine, silent_seconds=timedelta(0).total_seconds())
    assert buried.resource == "orders"
    assert loader.one("SELECT outcome FROM ops.runs WHERE id = :id", id=buried.id) == "failed"
