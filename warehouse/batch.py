"""The small frozen things flows pass around: spans, runs, leases, what a merge did."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, Protocol


class SpanLike(Protocol):
    """Half-open span of a source's update clock: since <= t < until."""

    @property
    def since(self) -> datetime | None: ...
    @property
    def until(self) -> datetime: ...


class Span(NamedTuple):
    """Half-open span: since <= t < until."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Run:
    """A row of ops.runs."""

    id: int
    kind: str
    account: str | None = None
    resource: str | None = None


@dataclass(frozen=True)
class MergeResult:
    """What one commit did. Rows are counted over all frames."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0  # known already, or older than what we have
    quarantined: int = 0
    dirty_days: int = 0
    restated_days: int = 0
    held: tuple[str, ...] = ()  # channels whose snapshot is suspect: nothing of it was believed
    answers: dict[str, str] = field(default_factory=dict)  # what each held channel said, digested
    new_notes: tuple[str, ...] = ()  # drift in what the source answered, told for the first time
    counts: dict[str, int] = field(default_factory=dict)  # "orders.inserted" and so on

    @property
    def changed(self) -> int:
        return self.inserted + self.updated


@dataclass(frozen=True)
class Published:
    """What one publication did."""

    days: int = 0
    months: tuple[date, ...] = ()
    rows: int = 0
    seconds: float = 0.0
    held: tuple[str, ...] = ()  # why channels stayed as they were published, one line a run
