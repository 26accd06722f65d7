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
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            known: dict[str, int] = {}

            def show(step: str, done: int, total: int) -> None:
                if step not in known:
                    known[step] = bars.add_task(step, total=total)
                bars.update(known[step], completed=done, total=total)

            yield show
        return
    started, last = time.monotonic(), {"step": "", "at": 0.0}

    def line(step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or step != last["step"] or now - float(last["at"]) > 10:
            print(f"[{now - started:6.1f} s] {step}: {done} of {total}", file=sys.stderr, flush=True)
            last.update(step=step, at=now)

    yield line
