"""Scripted misbehaviour: what the sandbox does wrong, to which operation, how often.

A rule names operations by a shell pattern. Two spellings match: the name a platform module asks with
(`shopify.orders`) and the request line (`GET /walmart/v3/orders`), so every request can be hit.
Faults of the wire (status, slow, cut) are carried out by the server around any answer; faults of the content
(repeat, reorder, …) are handed to the platform module, which knows what a page looks like.
"""

import fnmatch
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FaultKind = Literal[
    "status",  # answer `status` with `headers` and `body` instead
    "slow",  # answer after `seconds`
    "cut",  # send only the first `size` bytes of the answer, then drop the connection
    "repeat",  # give the previous page, or the previous cursor, again
    "reorder",  # rows of the page in another order
    "empty",  # a page without rows, or stock that is all zero
    "late",  # rows changed in the last `seconds` are not visible yet
    "extra",  # records carry an unknown field called `field`
    "missing",  # records lack the field called `field`
    "poison",  # one record carries `value` in the field called `field`
]
WIRE: frozenset[str] = frozenset(["status", "slow", "cut"])


class Fault(BaseModel):
    """One rule. It spares the first `after` matching requests, then hits `times` of them (null: all)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str = "*"
    kind: FaultKind
    status: int = Field(default=500, ge=100, le=599)
    headers: dict[str, str] = {}
    body: str | dict[str, Any] | list[Any] | None = None
    seconds: float = Field(default=0.0, ge=0)
    size: int = Field(default=64, ge=0)
    field: str | None = None
    value: Any = None
    times: int | None = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)


@dataclass
class Exchange:
    """One request under way: what it is called, and the faults of the wire that await its answer."""

    operation: str | None = None
    wire: list[Fault] = field(default_factory=list)
    throttled: bool = False  # refused for its rate, whatever the status line says


# Set by the server for each request; a platform module's `next` writes into it.
current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)


@dataclass
class _Rule:
    fault: Fault
    seen: int = 0
    given: int = 0

    def hits(self, operation: str) -> bool:
        """Whether this request is hit; counts it."""
        if not fnmatch.fnmatchcase(operation, self.fault.operation):
            return False
        self.seen += 1
        spent = self.fault.times is not None and self.given >= self.fault.times
        if spent or self.seen <= self.fault.after:
            return False
        self.given += 1
        return True


class Faults:
    """The rules in force, oldest first; a request meets at most one of them per name it goes by."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._rules.append(_Rule(fault))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def describe(self) -> list[dict[str, Any]]:
        """Every rule with how often it matched and struck."""
        with self._lock:
            return [
                {**rule.fault.model_dump(exclude_defaults=True), "seen": rule.seen, "given": rule.given}
                for rule in self._rules
            ]

    def match(self, operation: str) -> Fault | None:
        """The first rule that strikes a request called `operation`."""
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.hits(operation)), None)

    def next(self, operation: str) -> Fault | None:
        """For platform modules, once a request: names it, and gives the content fault it has to play.

        A wire fault is not returned: the server carries it out on the finished answer.
        """
        exchange = current_exchange.get()
        if exchange is not None and exchange.operation is None:
            exchange.operation = operation
        fault = self.match(operation)
        if fault is None or fault.kind not in WIRE:
            return fault
        if exchange is not None:
            exchange.wire.append(fault)
        return None


def bend(records: list[Any], fault: Fault | None) -> list[Any]:
    """The records of a page as a content fault leaves them."""
    if fault is None:
        return records
    if fault.kind == "empty":
        return []
    if fault.kind == "reorder":
        return records[::-1]
    if fault.kind == "extra":
        return [{**record, fault.field or "somethingNew": fault.value or "unexpected"} for record in records]
    if fault.kind == "missing" and fault.field:
        for record in records:
            _drop(record, fault.field)
    if fault.kind == "poison" and fault.field and records and not _put(records[0], fault.field, fault.value):
        records[0][fault.field] = fault.value
    return records


def _drop(value: Any, field: str) -> None:
    if isinstance(value, dict):
        value.pop(field, None)
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            _drop(inner, field)


def _put(value: Any, field: str, poison: Any) -> bool:
    """Sets the first `field` found, depth first; whether there was one."""
    if isinstance(value, dict):
        if field in value:
            value[field] = poison
            return True
        value = list(value.values())
    return isinstance(value, list) and any(_put(inner, field, poison) for inner in value)
