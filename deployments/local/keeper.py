"""Stops the embedded databases of a data folder once nobody uses them any more, however the last user ended.

    python -m deployments.local.keeper HOME DESCRIPTOR

Users hold a shared lock on `users.lock`, which the system releases with their process. This process waits for
the exclusive one. DESCRIPTOR is `keeper.lock`, locked by whoever started it: one keeper a folder.
"""

import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deployments.local.files import open_lock


def main(argv: Sequence[str]) -> int:
    """Wait, stop, go; status 1 when something would not stop (its log line says what)."""
    home, ours = Path(argv[0]), int(argv[1])
    users = open_lock(home / "users.lock")
    fcntl.flock(users, fcntl.LOCK_EX)
    from deployments.local.data import stop_embedded  # not sooner: waiting should cost little memory
    from deployments.local.errors import LocalServiceError

    status = 0
    try:
        stop_embedded(home)
    except LocalServiceError as error:
        print(error, file=sys.stderr)
        status = 1
    # in this order: who comes next holds `users.lock` before looking for a keeper, and must not find us
    os.close(ours)
    os.close(users)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
