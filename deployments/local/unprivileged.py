"""Running a program as somebody other than root: PostgreSQL refuses root, containers often are root.

    python -m deployments.local.unprivileged UID GID PROGRAM ARGUMENT…

drops to UID but keeps the one right to pass through folders closed to others (the project may lie
under /root), then becomes PROGRAM. That is strictly less than the root it was started with.
"""

import ctypes
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.local.errors import LocalServiceError

_CANDIDATES = ("postgres", "nobody", "daemon")
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Identity:
    """Who a program runs as. `uid` None: as ourselves. `passes` says that it keeps the right to pass
    through closed folders, which costs a detour over this module."""

    uid: int | None = None
    gid: int | None = None
    passes: bool = False

    def command(self, argv: Sequence[str]) -> list[str]:
        """`argv`, or the detour to it."""
        if not self.passes:
            return list(argv)
        return [sys.executable, "-m", "deployments.local.unprivileged", str(self.uid), str(self.gid), *argv]

    def popen(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess`. A program of another user starts in `/`, which it can enter."""
        if self.uid is None or self.passes:
            return {"env": _plain_environment()}
        return {
            "env": _plain_environment(),
            "user": self.uid,
            "group": self.gid,
            "extra_groups": [],
            "cwd": "/",
        }


def choose(folder: Path, program: Path) -> Identity:
    """Who should run `program` over `folder`: ourselves, or as root the folder's owner or the first ordinary
    user of the system. LocalServiceError when no such user can reach both."""
    if os.geteuid() != 0:
        return Identity()
    owner = folder.stat().st_uid if folder.exists() else 0
    entry = _entry(owner) if owner else _first_ordinary_user()
    if entry is None:
        raise LocalServiceError(
            "PostgreSQL will not run as root and this system has no ordinary user to run it as "
            f"({', '.join(_CANDIDATES)}): run wharf as a normal user, or set DATABASE_URL to another server"
        )
    plain = Identity(entry.pw_uid, entry.pw_gid)
    if _reaches(plain, folder, program):
        return plain
    passing = Identity(entry.pw_uid, entry.pw_gid, passes=True)
    if sys.platform == "linux" and _reaches(passing, folder, program):
        return passing
    raise LocalServiceError(
        f"PostgreSQL will not run as root, and user {entry.pw_name} cannot reach {folder} and {program}: "
        "run wharf as a normal user, or put the project and WHARF_HOME where others may pass (such as /opt)"
    )


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _first_ordinary_user() -> pwd.struct_passwd | None:
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return entry
    return None


def _reaches(identity: Identity, folder: Path, program: Path) -> bool:
    """Tried, not reasoned: modes, ACLs and mounts all have a say."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    check = ["/bin/sh", "-c", 'cd "$0" && test -x "$1"', str(nearest), str(program)]
    done = subprocess.run(  # noqa: S603 - our own command line
        identity.command(check), capture_output=True, check=False, **identity.popen()
    )
    return done.returncode == 0


def _plain_environment() -> dict[str, str]:
    """Without PG* and LD_*: a PGDATA or a library path from the user's shell must not bend our server."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PYTHON") or name in ("PATH", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
    }
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _become(uid: int, gid: int) -> None:
    """Drop from root to `uid`, keeping only the right to search closed folders (or, in containers that
    withhold it, the wider right to pass file permissions), so that it survives `exec`."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        bit = 1 << capability
        sets = (ctypes.c_uint32 * 6)(
            bit, bit, bit, 0, 0, 0
        )  # effective, permitted, inheritable; then high words
        if (
            libc.capset(header, sets) == 0
            and libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0
        ):
            return


def main(argv: Sequence[str]) -> None:
    """Become the user and the program named; does not return."""
    uid, gid, *command = argv
    _become(int(uid), int(gid))
    os.chdir("/")
    os.execv(command[0], command)  # noqa: S606 - the point of this module, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
