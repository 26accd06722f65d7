"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[str, int, int], None]


@contextmanager
def steps() -> Iterator[Show]:
    """Gives `show(step, done, total)`. Writes to stderr, so that stdout stays the result alone."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TaskID,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            known: dict[str, TaskID] = {}

            def show(step: str, done: int, total: int) -> None:
                if step not in known:
                    known[step] = bars.add_task(step, total=total)
                bars.update(known[step], completed=done, total=total)

            yield show
        return
    started = time.monotonic()
    said: dict[str, float] = {}  # when each step was last spoken of

    def line(step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - said.get(step, float("-inf")) > 10:
            print(f"[{now - started:6.1f} s] {step}: {done} of {total}", file=sys.stderr, flush=True)
            said[step] = now

    yield line
