"""A plain TCP relay before a database that knows when a chosen moment of a conversation has come.

It reads what the client sends, in PostgreSQL's simple protocol or over HTTP: a client that waits for each answer
sends every statement at the start of a packet of its own.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

_SIZE = 1 << 16
_HOST = "127.0.0.1"

# What happens at the moment; whether the packet then goes on to where it was sent.
Strike = Callable[[], bool]


@dataclass(frozen=True)
class Moment:
    """The `nth` packet that matches `pattern`, on a connection where `once` was seen since the last match.

    "before": it has not reached the server. "half": only its first half has. "after": the server has answered and
    the client does not know yet.
    """

    name: str
    server: Literal["postgres", "clickhouse"]
    pattern: bytes
    when: Literal["before", "half", "after"] = "before"
    once: bytes | None = None
    nth: int = 1

    def again(self, nth: int) -> "Moment":
        """The `nth` time instead of the first."""
        return replace(self, nth=nth)


class Tap:
    """The relay to `port` on this machine, listening on `self.port`. One moment is awaited at a time."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._awaited: tuple[Moment, Strike] | None = None
        self._seen = 0
        threading.Thread(target=self._accept, name="tap", daemon=True).start()

    def await_(self, moment: Moment, strike: Strike) -> None:
        """Call `strike` when `moment` comes, once."""
        with self._lock:
            self._awaited, self._seen = (moment, strike), 0

    def forget(self) -> None:
        """Nothing is awaited any more."""
        with self._lock:
            self._awaited = None

    def close(self) -> None:
        """No new connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection((_HOST, self._target))
                except OSError:
                    client.close()
                    continue
                Conversation(self, client, server).start()

    def matched(self, packet: bytes, is_primed: bool) -> tuple[Moment, Strike] | None:
        """Whether this packet is the moment; counts it. None also when it is a match too early."""
        with self._lock:
            if self._awaited is None or not re.search(self._awaited[0].pattern, packet):
                return None
            moment = self._awaited[0]
            if moment.once is not None and not is_primed:
                return None
            self._seen += 1
            if self._seen < moment.nth:
                return None
            found, self._awaited = self._awaited, None
            return found

    def primes(self, packet: bytes) -> bool:
        """Whether this packet is what must come once before the awaited one."""
        awaited = self._awaited
        return awaited is not None and awaited[0].once is not None and awaited[0].once in packet


class Conversation:
    """One connection through the tap."""

    def __init__(self, tap: Tap, client: socket.socket, server: socket.socket) -> None:
        self._tap, self._client, self._server = tap, client, server
        self._on_answer: Strike | None = None

    def start(self) -> None:
        """Relays both ways until either side ends."""
        for work in (self._upstream, self._downstream):
            threading.Thread(target=self._until_closed, args=(work,), daemon=True).start()

    def _until_closed(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            work()
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _upstream(self) -> None:
        is_primed = False
        while packet := self._client.recv(_SIZE):
            found = self._tap.matched(packet, is_primed)
            if self._tap.primes(packet):
                is_primed = True
            elif is_primed and packet[:1] == b"Q" and (b"COMMIT\x00" in packet or b"ROLLBACK\x00" in packet):
                is_primed = False
            if found is not None:
                moment, strike = found
                if moment.when == "after":
                    self._on_answer = strike
                elif moment.when == "half":
                    self._server.sendall(packet[: len(packet) // 2])
                    if not strike():
                        return
                    packet = packet[len(packet) // 2 :]
                elif not strike():
                    return
            self._server.sendall(packet)

    def _downstream(self) -> None:
        while packet := self._server.recv(_SIZE):
            strike, self._on_answer = self._on_answer, None
            if strike is not None and not strike():
                return
            self._client.sendall(packet)
