"""Requests sent against a throttled sandbox as a share of what it permits: three flows, one account, one budget.

    python -m bench.budgets

Two backfills ask without pause; a live sync asks once a second. All share the buckets of one account in PostgreSQL
(`--local`: in this process). Permitted is the full bucket and what is restored while they run. A refusal (429) would
mean more than permitted was asked for. What is left over at the end is no rate lost: a tenth of the bucket that the
backfills leave to the live sync, and requests on their way as the time ends. It weighs less the longer they run.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.connectors import account
from connectors.base import Account
from connectors.budget import Background, LocalBudget, Rate, RateBudget
from connectors.client import Call, ChannelClient
from connectors.errors import ConnectorError
from connectors.registry import open_client
from connectors.sandbox.app import serving
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.state import SandboxState

TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
PACE = 6.0
RATE = Rate(50 / 60, 50)  # of Walmart's returns: 50 a minute
CALL = Call(
    "walmart.returns",
    RATE,
    "/v3/returns",
    params=(
        ("returnLastModifiedStartDate", "2026-11-19T00:00:00.000Z"),
        ("returnLastModifiedEndDate", "2026-11-20T00:00:00.000Z"),
        ("limit", "1"),
    ),
)


class Flow:
    """One flow that asks until `until`, every `every` seconds or without pause."""

    def __init__(self, seller: Account, budget: RateBudget, until: float, every: float = 0.0) -> None:
        self.sent, self.waits = 0, list[float]()
        self._seller, self._budget, self._until, self._every = seller, budget, until, every
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with open_client(self._seller, budget=self._budget) as client:
            while time.monotonic() < self._until:
                self._ask(client)
                time.sleep(self._every)

    def _ask(self, client: ChannelClient) -> None:
        started = time.monotonic()
        with contextlib.suppress(ConnectorError):
            client.send(CALL)
            if time.monotonic() <= self._until:
                self.sent += 1
                self.waits.append(time.monotonic() - started)


def main() -> int:
    """Prints the figures and writes bench-results/budgets.json; 1 when a request was refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument(
        "--local", action="store_true", help="the budget of one process instead of PostgreSQL's"
    )
    arguments = parser.parse_args()
    state = SandboxState(GeneratedWorld(7, today=TODAY.date(), skus=5, days=30, orders_per_day=5), pace=PACE)
    state.clock.freeze(TODAY)
    with _budget(local=arguments.local) as budget, serving(state) as url:
        seller = account("walmart", url, pace=PACE)
        until = time.monotonic() + arguments.seconds
        live = Flow(seller, budget, until, every=1.0)
        backfills = [Flow(seller, Background(budget), until) for _ in range(2)]
        for flow in (live, *backfills):
            flow.thread.start()
        for flow in (live, *backfills):
            flow.thread.join()
    refused = sum(by_status.get(429, 0) for by_status in state.requests.counts().values())
    permitted = RATE.burst + RATE.per_second * PACE * arguments.seconds
    sent = live.sent + sum(flow.sent for flow in backfills)
    result = {
        "budget": "process" if arguments.local else "PostgreSQL",
        "permitted": round(permitted),
        "sent": sent,
        "share": round(sent / permitted, 3),
        "refused": refused,
        "live, requests": live.sent,
        "live, slowest ms": round(max(live.waits) * 1000),
        "backfills, requests": [flow.sent for flow in backfills],
        "backfills, mean ms": round(
            sum(w for f in backfills for w in f.waits) / max(sent - live.sent, 1) * 1000
        ),
    }
    for name, value in result.items():
        sys.stdout.write(f"{name:22} {value}\n")
    results = Path("bench-results")
    results.mkdir(exist_ok=True)
    (results / "budgets.json").write_text(json.dumps(result, indent=2) + "\n")
    return 1 if refused or sent > permitted else 0


@contextlib.contextmanager
def _budget(*, local: bool) -> Iterator[RateBudget]:
    if local:
        yield LocalBudget()
        return
    from deployments.local.data import using
    from deployments.local.postgres import EmbeddedPostgres
    from warehouse import schema
    from warehouse.budget import PostgresBudget
    from warehouse.engines import postgres

    with tempfile.TemporaryDirectory() as home, using(Path(home)):
        database_url = EmbeddedPostgres(Path(home)).ensure_running()
        schema.upgrade(database_url, None)
        engine = postgres(database_url)
        try:
            yield PostgresBudget(engine)
        finally:
            engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
