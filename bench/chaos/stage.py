"""The real stack with something between its parts: databases behind taps, sandbox marketplaces, syncing processes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text

from bench.chaos import judge
from bench.chaos.tap import Moment, Tap
from connectors.sandbox import app
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import World
from deployments.sandbox_accounts import Sandbox
from warehouse import engines, schema
from warehouse.tables import metadata
from warehouse.tables.analytics import DATABASE
from warehouse.tables.analytics import metadata as analytics

PACE = 2000.0
ACCOUNTS = ("amazon", "shopify", "walmart")
SALES = ("orders", "returns")  # with refunds, where a channel has them apart
COMMITTED = Moment("committed", "postgres", rb"COMMIT\x00", "after", once=b"INSERT INTO ops.watermarks")
_ROOT = Path(__file__).parents[2]


class NotDoneError(Exception):
    """A process that was let run failed; the text is what it told."""


@dataclass
class Ended:
    """How a process ended: 0 done, 1 failed, negative: the signal."""

    status: int
    told: str
    seconds: float

    @property
    def work(self) -> list[dict[str, Any]]:
        """What it did, if it came to its end."""
        done: list[dict[str, Any]] = json.loads(self.told) if self.status == 0 else []
        return done


class Process:
    """A syncing process; the leader of a group of its own."""

    def __init__(self, address: Path, request: Mapping[str, Any]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(180)
        self._socket.connect(str(address))
        self._stream = self._socket.makefile("rw")
        self.started = time.monotonic()
        self._stream.write(json.dumps(dict(request)) + "\n")
        self._stream.flush()
        self.pid = int(json.loads(self._stream.readline())["pid"])

    def send(self, number: signal.Signals) -> None:
        """A signal to the whole group, if it still is there."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def wait(self) -> Ended:
        """Until it ends. TimeoutError when it hangs."""
        answer = json.loads(self._stream.readline())
        self._stream.close()
        self._socket.close()
        return Ended(answer["status"], answer["told"] or "", time.monotonic() - self.started)


class Stage:
    """Everything a scenario needs; `open_stage` makes one."""

    def __init__(
        self,
        database_url: str,
        clickhouse_url: str,
        state: SandboxState,
        url: str,
        home: Path,
        accounts: Sequence[str],
    ) -> None:
        self.state, self.now = state, state.now()
        self.engine = engines.postgres(database_url)
        self.client = engines.clickhouse(clickhouse_url)
        urls = {"postgres": make_url(database_url), "clickhouse": make_url(clickhouse_url)}
        self.taps = {name: Tap(address.port or 0) for name, address in urls.items()}
        through = {name: address.set(port=self.taps[name].port) for name, address in urls.items()}
        self._sandbox = Sandbox(url)
        self._fixed = {
            "DATABASE_URL": through["postgres"].render_as_string(hide_password=False),
            "CLICKHOUSE_URL": through["clickhouse"].render_as_string(hide_password=False),
            "WHARF_HOME": str(home),
            "WHARF_SECRET_KEY": "a key for trials, thirty-two bytes",  # pragma: allowlist secret
            "WHARF_FIRST_LOAD_DAYS": "400",
        }
        self.play(state.world, accounts)
        self._nursery_at = home / "nursery"
        self._nursery: subprocess.Popen[str] | None = None
        self.import_seconds = 0.0

    @property
    def world(self) -> World:
        """What happened."""
        return self.state.world

    def play(self, world: World, accounts: Sequence[str]) -> None:
        """Let the sandbox play `world` from now on, and sync (and look at) `accounts` of it."""
        self.state.world, self.accounts = world, accounts
        self.markets = [market for market in world.markets if market.platform in accounts]
        self._environment = {**self._sandbox.environment(PACE), **self._fixed}

    def prepare(self) -> None:
        """Start the program that starts processes."""
        began = time.monotonic()
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "bench.chaos.nursery", str(self._nursery_at)],
            cwd=_ROOT,
            env={"PATH": os.environ["PATH"], "PREFECT_HOME": str(self._nursery_at.parent)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._nursery.stdout is not None
        if not self._nursery.stdout.readline():
            raise NotDoneError("the program that starts syncing processes did not start")
        self.import_seconds = time.monotonic() - began

    def close(self) -> None:
        """Ends what was started."""
        if self._nursery is not None:
            self._nursery.terminate()
            self._nursery.wait()
        for tap in self.taps.values():
            tap.close()
        self._sandbox.close()
        self.client.close()
        self.engine.dispose()

    def empty(self, now: datetime) -> None:
        """Both databases without a row, no fault in force, and the world's clock at a quiet instant by `now`."""
        names = ", ".join(f"{table.schema}.{table.name}" for table in metadata.sorted_tables)
        with self.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        for table in analytics.tables.values():
            self.client.command(f"TRUNCATE TABLE {DATABASE}.{table.name}")
        self.state.faults.clear()
        self.state.clock.freeze(now)
        self.move_to(now)

    def move_to(self, instant: datetime) -> datetime:
        """The world's clock to the first instant from `instant` on without a change in the ten minutes before:
        what is newer, connectors leave for later."""
        while any(
            self.world.orders_between(market.channel, instant, updated_since=instant - timedelta(minutes=10))
            for market in self.world.markets
        ):
            instant += timedelta(minutes=3)
        self.state.clock.freeze(instant)
        self.now = instant
        return instant

    def start(self, **request: Any) -> Process:
        """A process that syncs; see `nursery.work`. Everything up to the world's clock unless the request says less."""
        wish: dict[str, Any] = {
            "environment": self._environment,
            "until": self.now.isoformat(),
            "accounts": self.accounts,
            "resources": SALES,
            **request,
        }
        return Process(self._nursery_at, wish)

    def run(self, *, attempts: int = 1, **request: Any) -> Ended:
        """A process that is let run, again when it fails as Prefect would. NotDoneError when it never succeeds."""
        for _ in range(attempts):
            ended = self.start(**request).wait()
            if ended.status == 0:
                return ended
        raise NotDoneError(ended.told)

    def struck(
        self, moment: Moment, strike: Callable[[Process], bool], **request: Any
    ) -> tuple[Process, threading.Event]:
        """A process to which `strike` happens at `moment`; the event tells that it came."""
        began, came = threading.Event(), threading.Event()
        started: list[Process] = []

        def now() -> bool:
            began.wait()
            came.set()
            return strike(started[0])

        self.taps[moment.server].await_(moment, now)
        started.append(self.start(**request))
        began.set()
        return started[0], came

    def killed_at(self, moment: Moment, **request: Any) -> tuple[Ended, bool]:
        """A process killed at `moment`; whether the moment came before the process was done."""

        def kill(process: Process) -> bool:
            process.send(signal.SIGKILL)
            return False

        process, came = self.struck(moment, kill, **request)
        ended = process.wait()
        self.taps[moment.server].forget()
        return ended, came.is_set()

    def recovered(self, **request: Any) -> tuple[Ended, float]:
        """A process that is let run after another died, and the seconds to its first committed batch (to its end
        when nothing was left to commit)."""
        at: list[float] = []

        def note(_: Process) -> bool:
            at.append(time.monotonic())
            return True

        process, _ = self.struck(COMMITTED, note, **request)
        ended = process.wait()
        self.taps["postgres"].forget()
        if ended.status != 0:
            raise NotDoneError(ended.told)
        return ended, (at[0] - process.started) if at else ended.seconds

    def wrong(self, **options: Any) -> list[str]:
        """What is not as it happened."""
        return judge.wrong_rows(self.engine, self.client, self.world, self.markets, self.now, **options)


@contextlib.contextmanager
def open_stage(
    database_url: str, clickhouse_url: str, world: World, accounts: Sequence[str] = ACCOUNTS
) -> Iterator[Stage]:
    """A stage over two databases, which scenarios will empty."""
    schema.upgrade(database_url, clickhouse_url)
    state = SandboxState(world, pace=PACE)
    with tempfile.TemporaryDirectory(prefix="chaos") as home, app.serving(state) as url:
        stage = Stage(database_url, clickhouse_url, state, url, Path(home), accounts)
        try:
            stage.prepare()
            yield stage
        finally:
            stage.close()
