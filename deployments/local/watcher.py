"""Ends what a supervisor started when the supervisor is gone, also when it was killed outright.

    python -m deployments.local.watcher < PIPE

The pipe brings `+PGID` and `-PGID` lines; its end means that the supervisor is no more. Then every process group
still on the list is stopped. Works on any POSIX system and reaches grandchildren, unlike PR_SET_PDEATHSIG.
"""

import contextlib
import os
import signal
import sys
import time

_GRACE_SECONDS = 5.0


def alive(group: int) -> bool:
    """Whether the process group has members."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_groups(groups: set[int], grace_seconds: float) -> None:
    """SIGTERM to each, SIGKILL to those that are still there after the grace."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(alive(group) for group in groups):
        time.sleep(0.05)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Read until the supervisor's end, then stop what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        sign, group = line[0], int(line[1:])
        if sign == "+":
            groups.add(group)
        else:
            groups.discard(group)
    end_groups(groups, _GRACE_SECONDS)


if __name__ == "__main__":
    main()
