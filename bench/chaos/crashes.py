"""What can go wrong below and beside a run: PostgreSQL dies, a holder dies elsewhere or is stopped inside its merge."""

import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil

from bench.chaos.scenarios import MOMENTS, Trial
from bench.chaos.stage import Process, Stage
from bench.chaos.tap import Moment

HOUR = timedelta(hours=1)
_INSIDE = Moment("inside its merge", "postgres", b"INSERT INTO ops.watermarks")


class Server:
    """The embedded PostgreSQL under `home`, to be killed; `start` starts it again at its old address."""

    def __init__(self, home: Path, start: Callable[[], None]) -> None:
        self._pid_file = home / "postgres" / "data" / "postmaster.pid"
        self.start = start

    def kill(self) -> None:
        """SIGKILL to every process of it at once, as when the machine loses power but not its disk."""
        first = psutil.Process(int(self._pid_file.read_text().split("\n", 1)[0]))
        for process in [first, *first.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def server_crashes(stage: Stage, chance: random.Random, count: int, server: Server) -> Iterator[Trial]:
    """D9. PostgreSQL dies at each moment in turn, is started, recovers by itself, and the next run goes on."""
    moments = [moment for moment in MOMENTS if moment.server == "postgres"]
    for moment in islice(cycle(moments), count):
        stage.move_to(stage.now + chance.uniform(6, 30) * HOUR)
        died: list[float] = []

        def crash(_: Process, died: list[float] = died) -> bool:
            died.append(time.monotonic())
            server.kill()
            return False

        trial = Trial("D9 PostgreSQL died in mid-run", moment.name)
        process, came = stage.struck(moment, crash)
        ended = process.wait()
        stage.taps["postgres"].forget()
        if not came.is_set():
            trial.case += " (never came)"
        elif ended.status == 0:
            trial.wrong.append("the run did not notice")
        server.start()
        again = time.monotonic()
        _, seconds = stage.recovered()
        trial.recovery = seconds + (again - died[0] if died else 0)
        trial.wrong += stage.wrong()
        yield trial


def dead_elsewhere(stage: Stage) -> Iterator[Trial]:
    """D8. A holder on another machine dies: nobody can look whether it lives, so its lease has to run out."""
    stage.move_to(stage.now + 12 * HOUR)
    stage.killed_at(next(m for m in MOMENTS if m.name == "before COMMIT"), host="another-machine")
    began = time.monotonic()
    stage.recovered()
    trial = Trial("D8 died on another machine", f"all done after {time.monotonic() - began:.0f} s")
    trial.recovery = time.monotonic() - began
    trial.wrong = stage.wrong()
    yield trial


def stopped_in_its_merge(stage: Stage, chance: random.Random) -> Iterator[Trial]:
    """D8. A holder is stopped with its transaction open, which keeps even its lease locked: its successor has to find
    and end that session, and the holder must not write when it wakes up."""
    stage.move_to(stage.now + chance.uniform(6, 30) * HOUR)
    only: dict[str, Any] = {"accounts": [stage.accounts[0]], "resources": ["orders"], "publish": False}
    stopped, awake = threading.Event(), threading.Event()

    def stop(process: Process) -> bool:
        process.send(signal.SIGSTOP)
        stopped.set()
        return awake.wait(180)

    process, _ = stage.struck(_INSIDE, stop, **only)
    trial = Trial("D8 stopped inside its merge", "")
    if stopped.wait(60):
        began = time.monotonic()
        stage.run(**only)
        trial.recovery = time.monotonic() - began
        trial.case = f"its successor was done after {trial.recovery:.0f} s"
    else:
        trial.case = "(never came)"
    awake.set()
    process.send(signal.SIGCONT)
    late = process.wait()
    if stopped.is_set() and late.status == 0:
        trial.wrong.append(f"a stale write: {late.told}")
    stage.run()
    trial.wrong += stage.wrong()
    yield trial
