"""fetch(resource, window) → canonical frames, a few pages at a time.

A thread asks for the next pages while this one normalizes, because decoding, not the network, takes the
processor; at most `AHEAD` raw pages wait in memory, whatever the window's size.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from connectors.base import Context, Page, Resource, Window
from connectors.canonical import Normalized, Rejected
from connectors.client import ChannelClient
from connectors.privacy import pseudonym, pseudonymize

AHEAD = 3


@dataclass
class Tally:
    """What a read has seen so far; complete once the iterator of `fetch` has ended."""

    pages: int = 0
    records: int = 0
    rejected: int = 0
    expected: int | None = None  # sum of what the source said its slices hold, where it says so
    watermark: datetime | None = None  # the source's own cut-off, where it gives one
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """Frames of one page, personal data already replaced by pseudonyms, and its refused records."""

    frames: dict[str, pl.DataFrame]
    rejected: tuple[Rejected, ...]


def fetch(
    client: ChannelClient,
    resource: Resource,
    window: Window,
    *,
    key: bytes,
    fetched_at: datetime,
    tally: Tally,
) -> Iterator[Batch]:
    """Batches of everything `resource` changed within `window`; `tally` says afterwards what was seen.

    `key` keys the pseudonyms. Raises the ConnectorError that ended the read: nothing of the window may then
    be taken for complete.
    """
    context = Context(client.account, fetched_at)
    for page in _ahead(resource.pages(client, window)):
        normalized = resource.normalize(page, context)
        _count(tally, page, normalized)
        yield Batch(
            frames={name: pseudonymize(frame, key) for name, frame in normalized.frames.items()},
            rejected=tuple(_nameless(refused, key) for refused in normalized.rejected)
            if resource.name == "customers"
            else normalized.rejected,
        )


def _nameless(refused: Rejected, key: bytes) -> Rejected:
    """A refused customer under his pseudonym: his own id would name him in every list of what was refused."""
    return replace(refused, natural_key=pseudonym(f"shopify:{refused.natural_key}", key))


def _count(tally: Tally, page: Page, normalized: Normalized) -> None:
    tally.pages += 1
    tally.records += normalized.records
    tally.rejected += len(normalized.rejected)
    tally.notes.extend(note for note in normalized.notes if note not in tally.notes)
    if page.expected_records is not None:
        tally.expected = (tally.expected or 0) + page.expected_records
    if page.watermark is not None:
        # The earliest cut-off is the only instant up to which every part of the window was read.
        tally.watermark = min(page.watermark, tally.watermark or page.watermark)


def _ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """`pages`, asked for in a thread up to `AHEAD` in advance; its errors are raised here."""
    waiting: queue.Queue[Page | BaseException | None] = queue.Queue(maxsize=AHEAD)
    stopped = threading.Event()

    def put(item: Page | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def ask() -> None:
        try:
            for page in pages:
                if not put(page):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 carried to the reading thread and raised there
            put(error)

    thread = threading.Thread(target=ask, name="pages-ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5)  # a poll may be asleep; the thread is a daemon and ends with its wait
