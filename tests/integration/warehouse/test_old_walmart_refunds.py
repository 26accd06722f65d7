"""Walmart shows no order older than 180 days, its returns it does: what is given back late is counted all the same."""

import itertools
import zlib
from datetime import UTC, datetime, timedelta

from connectors.base import Window
from connectors.extract import Tally, fetch
from connectors.registry import open_client, resources_of
from connectors.sandbox import truth
from connectors.sandbox.app import serving
from connectors.sandbox.replay import ReplayWorld
from connectors.sandbox.state import SandboxState
from tests.order_file_factories import sold, write_csv
from tests.walmart_factories import account
from tests.warehouse_factories import Loader, Place
from warehouse import checks

WALMART = Place("walmart-us", "walmart", "us", "EUR", "UTC")
START = datetime(2024, 1, 2, 10, tzinfo=UTC)
FIRST, SECOND = itertools.islice((str(n) for n in range(1000) if zlib.crc32(str(n).encode()) % 100 >= 75), 2)


def line(order: str, units: int, day: int) -> dict[str, object]:
    at = START + timedelta(days=day)
    return sold(order, "MUG", units, "6.95", Date=f"{at:%Y-%m-%d %H:%M:%S}")


def test_refunds_of_an_order_too_old_to_be_shown_are_counted_once(engine, tmp_path):
    lines = [
        line(FIRST, 5, 0),
        line(SECOND, 3, 100),
        line(FIRST, -2, 30),
        line(FIRST, -1, 200),
        line(SECOND, -3, 120),
    ]
    world = ReplayWorld([write_csv(tmp_path / "lines.csv", lines)])
    loader = Loader(engine, "walmart", (WALMART,))
    state = SandboxState(world, pace=1000)
    with serving(state) as url, open_client(account(f"{url}/walmart", 1000)) as client:
        since = None
        for until in (START + timedelta(days=day) for day in (60, 130, 190, 250)):
            state.clock.freeze(until)
            for name in ("orders", "returns"):
                resource = resources_of("walmart")[name]
                window = Window(since, until)
                batches = fetch(client, resource, window, key=b"k" * 32, fetched_at=until, tally=Tally())
                pages = [{frame: rows.to_dicts() for frame, rows in b.frames.items()} for b in batches]
                loader.load(*pages, resource=name, until=until)
            since = until

    expected = truth.summary(world, until)["channels"]["walmart-us"]["totals"]
    assert loader.one(
        "SELECT sum(refunded_quantity)::bigint, sum(refunded_net_amount)::text FROM core.order_items"
    ) == (expected["refunded_units"], expected["refunded"])
    assert expected["refunded_units"] == 6
    assert loader.rows(
        "SELECT happened_date - DATE '2024-01-02', sum(refunded_units)::int FROM core.sales_events"
        " WHERE kind = 'refund' GROUP BY 1 HAVING sum(refunded_units) <> 0 ORDER BY 1"
    ) == [(30, 2), (120, 3), (200, 1)]
    assert checks.ledger_balances(loader.engine).ok
