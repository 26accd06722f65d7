"""Locks and state files under the data folder, safe between processes and after a crash."""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployments.local.errors import LocalServiceError

PRIVATE = 0o600
# Besides the databases' own: what tells of people, sales or passwords
_PRIVATE_FOLDERS = ("logs", "run", "messages", "models", "backups", "privacy")


def ensure_home(home: Path) -> Path:
    """`home`, absolute and existing. A new one is readable by its owner only, but may be passed through:
    as root, PostgreSQL runs as another user and has to reach its own folder inside."""
    home = home.expanduser().resolve()
    try:
        if not home.exists():
            home.mkdir(parents=True)
            home.chmod(0o711)
        for name in _PRIVATE_FOLDERS:
            (home / name).mkdir(exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError):
        raise LocalServiceError(f"{home} is not a folder: set WHARF_HOME to one Wharf may fill") from None
    except PermissionError:
        raise LocalServiceError(
            f"{home} cannot be written: set WHARF_HOME to a folder of yours, or change its owner"
        ) from None
    return home


def open_lock(path: Path) -> int:
    """A descriptor to `flock`; closed with the process, whatever ends it, and not inherited."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the lock now, or say that another holds it."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def locked(path: Path, *, what: str, timeout_seconds: float = 240.0) -> Iterator[None]:
    """Hold an exclusive lock on `path`; another process holding it longer than the limit is an error."""
    fd = open_lock(path)
    try:
        deadline = time.monotonic() + timeout_seconds
        while not try_lock(fd):
            if time.monotonic() > deadline:
                raise LocalServiceError(
                    f"another process has been busy with {what} for {timeout_seconds:.0f} s ({path}): "
                    "wait for it, or end it and try again"
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(fd)


def read_state(path: Path) -> dict[str, Any] | None:
    """The state last written; None when there is none or it was cut short (written by a crash of the disk)."""
    try:
        state = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Replace the state as a whole; only its owner may read it, for it holds passwords."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(fd, "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def open_log(path: Path, *, limit_bytes: int = 10_000_000) -> int:
    """Append to a log; one that grew past the limit is set aside first (`.1`), so logs stay bounded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > limit_bytes:
            path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)


def tail(path: Path, *, start: int = 0, limit_bytes: int = 20_000) -> list[str]:
    """The last lines of a log written since byte `start`; none when there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - limit_bytes))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
