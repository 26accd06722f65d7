"""The ledger of backfills: only what is missing, newest first, and what failed comes again."""

from datetime import timedelta

from tests.warehouse_factories import DAY, T0
from warehouse import backfills
from warehouse.batch import Span

TEN = timedelta(days=10)


def spans(slices):
    return [((part.since - T0).days, (part.until - T0).days) for part in slices]


def ask(engine, first, last, **options):
    return backfills.plan(engine, "shop", "orders", Span(T0 + first * DAY, T0 + last * DAY), TEN, **options)


def test_slices_come_newest_first_and_only_those_not_done_come_again(loader):
    engine = loader.engine
    slices = ask(engine, 0, 25)
    assert spans(slices) == [(15, 25), (5, 15), (0, 5)]
    for part, state in zip(slices, ("done", "failed", "running"), strict=True):
        backfills.mark(engine, "shop", "orders", part, state)

    assert spans(ask(engine, 0, 25)) == [(5, 15), (0, 5)]
    assert spans(ask(engine, -3, 40)) == [(30, 40), (25, 30), (5, 15), (-3, 5)]
    assert spans(ask(engine, 16, 20)) == []
    assert spans(ask(engine, 16, 20, again=True)) == [(16, 20)]
    assert backfills.plan(engine, "other", "orders", Span(T0, T0 + DAY), TEN) == [Span(T0, T0 + DAY)]


def test_tries_are_counted_and_a_replan_leaves_no_stale_rows(loader):
    engine = loader.engine
    (part,) = ask(engine, 0, 5)
    for state in ("running", "failed", "running", "done"):
        backfills.mark(engine, "shop", "orders", part, state, "why" if state == "failed" else None)
    assert loader.rows("SELECT state, attempts, message FROM ops.backfill_slices") == [("done", 2, None)]
    ask(engine, 0, 30)
    ask(engine, 0, 20)
    assert (
        loader.one("SELECT count(*) FROM ops.backfill_slices WHERE state <> 'done'") == 3
    )  # 5-10, 10-20, 20-30


def test_the_live_watermark_stays(loader):
    loader.load({}, until=T0, advance=True)
    loader.load({}, until=T0 - 30 * DAY, advance=False)
    assert loader.one("SELECT read_until FROM ops.watermarks") == T0
