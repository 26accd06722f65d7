"""Ports on the loopback address: finding a free one, and saying plainly when a wanted one is taken."""

import socket
from contextlib import closing

from deployments.local.errors import LocalServiceError

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now. SO_REUSEADDR as servers set it: a port that only
    lingers after its last connections (TIME_WAIT) counts as free."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port(preferred: int | None = None) -> int:
    """`preferred` while it is free, otherwise one the system picks."""
    if preferred and is_free(preferred):
        return preferred
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_port(port: int, what: str, *, setting: str | None = None) -> int:
    """`port`, when `what` can listen there; otherwise one line with who to ask and what to change."""
    if is_free(port):
        return port
    instead = f", or set {setting} to another port" if setting else ""
    raise LocalServiceError(
        f"port {port} for {what} is in use: see who has it with `ss -ltnp 'sport = :{port}'` "
        f"(macOS: `lsof -i :{port}`) and stop it{instead}"
    )
