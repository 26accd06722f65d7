"""What can go wrong, one function a kind. Each gives trials: what was done, and which rows were wrong afterwards."""

import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.chaos import judge
from bench.chaos.stage import NotDoneError, Process, Stage
from bench.chaos.tap import Moment
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.replay import ReplayWorld

HOUR = timedelta(hours=1)
_MARK = b"INSERT INTO ops.watermarks"
_FORGET = b"DELETE FROM ops.dirty_days"
MOMENTS = (
    Moment("before COPY", "postgres", rb"(?s)\AQ....COPY "),
    Moment("in the middle of COPY", "postgres", rb"\Ad\x00", "half"),
    Moment("rows written, watermark not", "postgres", _MARK),
    Moment("before COMMIT", "postgres", rb"COMMIT\x00", once=_MARK),
    Moment("after COMMIT, unheard", "postgres", rb"COMMIT\x00", "after", once=_MARK),
    Moment("month staged, not swapped", "clickhouse", rb"REPLACE PARTITION"),
    Moment("month swapped, unheard", "clickhouse", rb"REPLACE PARTITION", "after"),
    Moment("all published, not noted", "postgres", _FORGET),
    Moment("noted, unheard", "postgres", rb"COMMIT\x00", "after", once=_FORGET),
)
_SWAPS = 9  # so many months of tables a publication swaps at least
_RESOURCES = 2  # so many transactions with a watermark, and COPYs, a run of one account has at least


@dataclass
class Trial:
    """One trial: what was done (`case`, under a figure of the table), and what was wrong after it."""

    figure: str
    case: str
    wrong: list[str] = field(default_factory=list)
    recovery: float | None = None  # seconds from a restart to its first committed batch
    kills: int = 0  # processes that died of one


def beginning(stage: Stage) -> None:
    """Empty databases, four days of the world's history, all of it synced and right."""
    first = getattr(stage.world, "first_day")  # noqa: B009 of the invented world
    stage.empty(datetime(first.year, first.month, first.day, 12, tzinfo=UTC) + 4 * 24 * HOUR)
    stage.run(resources=["products", "inventory", "orders", "returns"])
    wrong = stage.wrong(stock=True)
    if wrong:
        raise NotDoneError(f"wrong before anything was done to it: {wrong[:5]}")


def kills_at_moments(
    stage: Stage, chance: random.Random, moments: Sequence[Moment] = MOMENTS, **request: Any
) -> Iterator[Trial]:
    """D2. A kill at each moment in turn, each followed by one undisturbed run of one account."""
    figure, accounts = "D2 killed at a chosen moment", stage.accounts
    for moment in moments:
        account = _one_of(stage, accounts, chance)
        most = _RESOURCES if moment.server == "postgres" else _SWAPS
        nth = 1 if _FORGET in (moment.pattern, moment.once) else chance.randint(1, most)
        ended, came = stage.killed_at(moment.again(nth), **request)
        trial = Trial(figure, f"{account}: {moment.name}, no. {nth}")
        trial.kills = int(ended.status == -signal.SIGKILL)
        if came and not trial.kills:
            trial.wrong.append(f"the kill was survived: status {ended.status}")
        if not came:
            trial.case += " (never came)"
        _, trial.recovery = stage.recovered(**request)
        trial.wrong += stage.wrong()
        yield trial
    yield _all_of(stage, accounts, figure)


def kills_at_random(stage: Stage, chance: random.Random, count: int) -> Iterator[Trial]:
    """D1. Kills at any moment of a run of one account, up to three in a row before it is let through."""
    figure, accounts = "D1 killed at random", stage.accounts
    usual: dict[str, float] = {}  # seconds that a run took when it last was let through
    for _ in range(count):
        account = _one_of(stage, accounts, chance)
        if account not in usual:
            usual[account] = stage.run().seconds
            _one_of(stage, (account,), chance)
        trial = Trial(figure, f"{account}: ")
        for _ in range(chance.choice((1, 1, 2, 3))):
            process = stage.start()
            after = chance.uniform(0, usual[account])
            time.sleep(after)
            process.send(signal.SIGKILL)
            is_killed = process.wait().status == -signal.SIGKILL
            trial.kills += is_killed
            trial.case += f"after {after:.1f} s{'' if is_killed else ' (was done)'}; "
        ended, trial.recovery = stage.recovered()
        usual[account] = ended.seconds
        trial.wrong += stage.wrong()
        yield trial
    yield _all_of(stage, accounts, figure)


def _one_of(stage: Stage, accounts: Sequence[str], chance: random.Random) -> str:
    """Hours later; one account alone is synced and looked at from now on: what it costs to read the others each time
    buys nothing, they are other transactions."""
    stage.move_to(stage.now + chance.uniform(3, 15) * HOUR)
    account = chance.choice(accounts)
    stage.play(stage.world, (account,))
    return account


def _all_of(stage: Stage, accounts: Sequence[str], figure: str) -> Trial:
    """All accounts once more, and what is wrong then."""
    stage.play(stage.world, accounts)
    stage.run()
    return Trial(figure, "all accounts in the end", stage.wrong())


class Chancy(Faults):
    """Every answer is spoiled with a chance of `share`, by a fault that passes when asked again."""

    def __init__(self, chance: random.Random, share: float) -> None:
        super().__init__()
        self._chance, self._share = chance, share
        self.given: dict[str, int] = {}

    def match(self, operation: str) -> Fault | None:
        """A drawn fault; only where a platform's module asks, so once a request."""
        if operation.startswith(("GET ", "POST ")) or self._chance.random() >= self._share:
            return super().match(operation)
        kind: FaultKind = self._chance.choice(
            ("status", "status", "cut", "slow", "repeat", "reorder", "extra")
        )
        status = self._chance.choice((429, 500, 502, 503))
        self.given[kind] = self.given.get(kind, 0) + 1
        return Fault(kind=kind, status=status, seconds=0.2, size=self._chance.randint(0, 400),
                     headers={"retry-after": "0"} if kind == "status" and status == 429 else {})  # fmt: skip


def faulty_source(stage: Stage, chance: random.Random, count: int, share: float = 0.2) -> Iterator[Trial]:
    """D3, D10. Runs against marketplaces that spoil a share of their answers; a run that fails is run again, as
    Prefect would, up to six times."""
    good, stage.state.faults = stage.state.faults, Chancy(chance, share)
    try:
        for _ in range(count):
            stage.move_to(stage.now + chance.uniform(6, 30) * HOUR)
            trial = Trial("D3 a fifth of the answers spoiled", f"{share:.0%}")
            try:
                stage.run(attempts=6, resources=["products", "inventory", "orders", "returns"])
            except NotDoneError as error:
                trial.wrong.append(f"never came to its end: {error}")
            trial.wrong += stage.wrong(stock=True)
            yield trial
    finally:
        stage.state.faults = good


# Field and value, by operation: what one record of a page carries.
POISON: dict[str, tuple[tuple[str, object], ...]] = {
    "amazon.searchOrders": (
        ("quantityOrdered", "many"),
        ("quantityOrdered", -3),
        ("quantityOrdered", 10**19),
        ("createdTime", "never"),
        ("createdTime", None),
        ("lastUpdatedTime", "2026-13-45T99:00:00Z"),
        ("amount", "NaN"),
        ("amount", "1e999"),
        ("currencyCode", 7),
        ("orderItems", "none"),
    ),
    "shopify.orders": (
        ("totalPriceSet", "much"),
        ("totalPriceSet", {"shopMoney": {"amount": "Infinity", "currencyCode": "EUR"}}),
        ("processedAt", "yesterday"),
        ("createdAt", None),
        ("updatedAt", 17),
        ("updatedAt", None),
        ("currencyCode", 7),
        ("id", None),
        ("lineItems", 3),
        ("refunds", "none"),
    ),
    "walmart.orders": (
        ("orderDate", "never"),
        ("orderDate", None),
        ("orderLineQuantity", {"unitOfMeasurement": "EACH", "amount": "x"}),
        ("orderLineQuantity", {"unitOfMeasurement": "EACH", "amount": "-1"}),
        ("chargeAmount", {"currency": "USD", "amount": "NaN"}),
        ("chargeAmount", "free"),
        ("customerOrderId", {"a": [1]}),
        ("purchaseOrderId", None),
        ("lineNumber", {"x": 1}),
        ("orderLines", []),
    ),
}


def poison(stage: Stage, chance: random.Random, count: int, **request: Any) -> Iterator[Trial]:
    """D5, D6. One record of every page carries what cannot be: it alone is kept back, with key, field and reason, and
    once the source is well again everything is right."""
    began = stage.now
    listed = [(operation, *bad) for operation, values in POISON.items() for bad in values]
    usable = [entry for entry in listed if entry[0].split(".")[0] in stage.accounts]
    for operation, name, value in chance.sample(usable, min(count, len(usable))):
        account = operation.split(".")[0]
        markets = [market for market in stage.markets if market.platform == account]
        stage.move_to(stage.now + chance.uniform(12, 30) * HOUR)
        stage.state.faults.add(Fault(operation=operation, kind="poison", field=name, value=value, times=None))
        before = _quarantined(stage)
        trial = Trial("D5 one record of each page is poison", f"{operation} {name}={value!r}")
        ended = stage.start(accounts=[account], resources=["orders"], publish=False, **request).wait()
        stage.state.faults.clear()
        kept = _quarantined(stage)[len(before) :]
        if ended.status != 0:
            trial.wrong.append(f"the run failed: {ended.told[:300]}")
        trial.wrong += [f"kept without reason: {row}" for row in kept if not all(row)]
        off = judge.orders_off(stage.engine, stage.world, markets, stage.now)
        # Of a record that is known, the former state stays, and may be the same; what is off must have been told.
        if len(off) > len(kept):
            trial.wrong.append(f"{len(off)} orders are off, {len(kept)} were kept back: {sorted(off)[:4]}")
        trial.case += f": {len(kept)} kept back, {len(off)} off"
        windows = [(began.isoformat(), stage.now.isoformat())]
        stage.run(accounts=[account], resources=["orders"], windows=windows, publish=False)
        left = judge.orders_off(stage.engine, stage.world, markets, stage.now)
        trial.wrong += [f"not healed: {order}" for order in sorted(left)]
        yield trial
    stage.run()
    yield Trial("D5 one record of each page is poison", "all published", stage.wrong())


def _quarantined(stage: Stage) -> list[tuple[str, str, str]]:
    with stage.engine.connect() as connection:
        rows = connection.execute(text("SELECT natural_key, field, reason FROM ops.quarantine ORDER BY id"))
        return [tuple(row) for row in rows]


def pauses(stage: Stage, chance: random.Random, count: int, **request: Any) -> Iterator[Trial]:
    """D11. The holder of a lease is stopped, loses it, a successor does the work, and the holder wakes up."""
    places = (
        Moment("before its merge", "postgres", rb"SET LOCAL work_mem"),
        Moment("in the middle of COPY", "postgres", rb"\Ad\x00", "half"),
    )
    account = chance.choice(stage.accounts)
    for number in range(count):
        moment = places[number % len(places)]
        stage.move_to(stage.now + chance.uniform(6, 30) * HOUR)
        stopped, awake = threading.Event(), threading.Event()

        def stop(
            process: Process, stopped: threading.Event = stopped, awake: threading.Event = awake
        ) -> bool:
            process.send(signal.SIGSTOP)
            stopped.set()
            return awake.wait(120)

        only: dict[str, Any] = {"accounts": [account], "resources": ["orders"], "publish": False}
        process, _ = stage.struck(moment, stop, **only, **request)
        trial = Trial("D11 stopped, replaced, woken", moment.name)
        if not stopped.wait(60):
            trial.case += " (never came)"
            process.wait()
            continue
        with stage.engine.begin() as connection:
            connection.execute(
                text("UPDATE ops.leases SET expires_at = clock_timestamp() - interval '1 second'")
            )
        successor = stage.run(**only, **request)
        awake.set()
        process.send(signal.SIGCONT)
        late = process.wait()
        trial.recovery = successor.seconds
        if late.status == 0:
            trial.wrong.append(f"a stale write: {late.told}")
        stage.run(**request)
        trial.wrong += stage.wrong()
        yield trial


def late_news(stage: Stage, chance: random.Random, count: int, **request: Any) -> Iterator[Trial]:
    """What was read later and is older: a backfill that sees the world as it was, windows in any order, and two
    readers at once."""
    for number in range(count):
        earlier = stage.now
        stage.move_to(earlier + chance.uniform(30, 60) * HOUR)
        trial = Trial("older states read later, windows in any order", "")
        stage.run(**request)
        newest = stage.now
        if number % 2 == 0:
            trial.case = "a backfill sees the world as it was"
            stage.move_to(earlier)
            span = (stage.now - 72 * HOUR, stage.now)
            stage.run(
                resources=["orders"], windows=[[end.isoformat() for end in span]], publish=False, **request
            )
            stage.move_to(newest)
        else:
            trial.case = "a backfill in shuffled windows beside a sync"
            edges = [newest - hours * HOUR for hours in range(96, -1, -24)]
            windows = [[a.isoformat(), b.isoformat()] for a, b in pairwise(edges)]
            chance.shuffle(windows)
            stage.move_to(newest + 9 * HOUR)
            racing = stage.start(resources=["orders"], windows=windows, publish=False, **request)
            live = stage.start(**request)
            trial.wrong += [f"failed: {e.told}" for e in (racing.wait(), live.wait()) if e.status != 0]
        stage.run(**request)
        trial.wrong += stage.wrong()
        yield trial


def same_instant(stage: Stage, chance: random.Random, orders: int = 700) -> Iterator[Trial]:
    """Hundreds of orders with one and the same clock, over many edges of pages, and a kill among them."""
    at = datetime(2026, 1, 10, 12, tzinfo=UTC)
    lines = [
        f"{number},{at - HOUR * (number % 10 == 0):%Y-%m-%d %H:%M:%S},SKU-{chance.randint(1, 9)},"
        f"{chance.randint(1, 5)},{chance.randint(100, 9_999) / 100:.2f},USD\n"
        for number in range(10_000, 10_000 + orders)
    ]
    invented = stage.world
    one_each = {market.platform: market for market in stage.world.markets}
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.writelines(["Order,Date,SKU,Qty,Price,Currency\n", *lines])
        file.flush()
        stage.play(ReplayWorld([Path(file.name)], markets=tuple(one_each.values())), stage.accounts)
    stage.empty(at - 3 * HOUR)
    stage.run(resources=["products", "orders"])
    stage.move_to(at + HOUR)
    ended, came = stage.killed_at(MOMENTS[3])
    trial = Trial("many changes at one instant, over edges of pages", f"{orders} orders, {MOMENTS[3].name}")
    if not came or ended.status != -signal.SIGKILL:
        trial.wrong.append("the kill did not come")
    _, trial.recovery = stage.recovered()
    trial.wrong += stage.wrong()
    stage.play(invented, stage.accounts)
    yield trial


def mutants(stage: Stage, chance: random.Random) -> Iterator[Trial]:
    """D25. Each way to be wrong on purpose is told by the scenario it belongs to: `wrong` says which was not."""
    at = {moment.name: moment for moment in MOMENTS}
    ways: dict[str, Any] = {
        # The first of these commits is the watermark's own.
        "watermark-first": lambda name: _killed(stage, at["before COMMIT"].again(2), name),
        "clear-first": lambda name: _killed(stage, at["month staged, not swapped"], name),
        "append-to-live": lambda name: _killed(stage, at["all published, not noted"], name),
        "no-version-guard": lambda name: _wrong(late_news(stage, chance, 1, mutant=name)),
        "no-fence": lambda name: _wrong(pauses(stage, chance, 1, mutant=name)),
        "drop-the-page": lambda name: _wrong(poison(stage, chance, 3, mutant=name)),
    }
    accounts = stage.accounts
    stage.play(stage.world, ("shopify",))  # one is enough to be wrong
    try:
        for name, way in ways.items():
            beginning(stage)
            found = way(name)
            trial = Trial("D25 wrong on purpose, and caught", f"{name}: {len(found)} wrong rows told")
            if not found:
                trial.wrong = [f"{name} was not noticed"]
            yield trial
    finally:
        stage.play(stage.world, accounts)


def _killed(stage: Stage, moment: Moment, mutant: str) -> list[str]:
    stage.move_to(stage.now + 72 * HOUR)
    stage.killed_at(moment, mutant=mutant)
    stage.run(mutant=mutant)
    return stage.wrong()


def _wrong(trials: Iterator[Trial]) -> list[str]:
    return [line for trial in trials for line in trial.wrong]
