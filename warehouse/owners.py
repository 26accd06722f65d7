"""Who works: "host:process". Tells a process that has ended from one that may still be at work."""

import os
import socket

import psutil


def current() -> str:
    """This process, as leases and the run ledger name it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(owner: str | None) -> bool:
    """True when `owner` was a process of this machine that runs no more; of others nothing can be known.

    A number that was given to another process meanwhile counts as running: expiry then ends what it held.
    """
    host, _, number = (owner or "").rpartition(":")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        return psutil.Process(int(number)).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True
