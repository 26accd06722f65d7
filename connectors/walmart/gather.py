"""What the normalizers of Walmart's answers share: pages are read record by record, a bad record is refused alone.

A page in the documented shape is decoded by msgspec as a whole; anything else (XML, a webhook, one strange record among
good ones) is looked at loosely, record by record.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import msgspec
import polars as pl

from connectors.base import Context
from connectors.canonical import SCHEMAS, Normalized, Rejected, from_columns
from connectors.kept import kept
from connectors.walmart.payload import UNUSUAL, Raw, blame, member, refuse
from connectors.walmart.shapes import convert, fold
from connectors.walmart.values import FieldError, at, shown


class Gathered:
    """Rows of canonical frames in the making. A kind of answer says which frames it gives and how a record is added."""

    frames: ClassVar[tuple[str, ...]]
    shape: ClassVar[type[msgspec.Struct]]
    shapes: ClassVar[
        tuple[type[msgspec.Struct], ...]
    ] = ()  # all that a record may come in: what is kept of a refused one
    identity: ClassVar[str]  # the field that names a record

    def __init__(self, context: Context) -> None:
        self.channel = context.home.name
        self.home = context.home
        self.fetched = at(context.fetched_at)  # for records without an update clock
        self.rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self.frames}
        self.rejected: list[Rejected] = []
        self.notes: dict[str, None] = {}
        self.records = 0

    def add(self, record: Any) -> None:
        """Appends the rows of one record of the documented shape, all or none. Raises FieldError."""
        raise TypeError(f"{type(self).__name__} does not say how a record is added")

    def add_raw(self, raw: Raw) -> None:
        """The same of one loosely shaped record. Raises FieldError or msgspec.ValidationError."""
        self.add(convert(raw, self.shape))

    def key(self, raw: Any) -> Any:
        """What names a raw record."""
        return member(raw, self.identity)

    def note(self, where: str, value: str) -> None:
        """An unknown value, reported once."""
        self.notes[f"unknown value {shown(value)} in {where}"] = None

    def refuse(self, raw: Raw, field: str, reason: str) -> None:
        self.records += 1
        shown = kept(raw, *self.shapes, fold=fold) if self.shapes else raw
        self.rejected.append(refuse(shown, self.key(raw), field, reason))

    def add_all(self, raws: Iterable[Raw]) -> "Gathered":
        """Every raw record, the unreadable ones refused."""
        for raw in raws:
            try:
                self.add_raw(raw)
            except msgspec.ValidationError as error:
                self.refuse(raw, *blame(error))
            except FieldError as error:
                self.refuse(raw, error.field, error.reason)
        return self

    def add_page(
        self,
        body: bytes,
        decode: Callable[[bytes], Sequence[Any]],
        records: Callable[[bytes], list[Raw]],
    ) -> "Gathered":
        """Every record of a page. `decode` reads the documented shape or raises; `records` finds raw records anyhow.

        Raises ProtocolError when the page cannot be parsed at all.
        """
        try:
            found = decode(body)
        except UNUSUAL:
            return self.add_all(records(body))
        raws: list[Raw] | None = None
        for index, record in enumerate(found):
            try:
                self.add(record)
            except FieldError as error:
                raws = raws or records(body)
                self.refuse(raws[index], error.field, error.reason)
        return self

    def normalized(self) -> Normalized:
        """What was gathered."""
        return Normalized(
            frames={name: frame(name, rows) for name, rows in self.rows.items()},
            rejected=tuple(self.rejected),
            notes=tuple(self.notes),
            records=self.records,
        )


def frame(name: str, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """A canonical frame of row tuples in the schema's column order."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in SCHEMAS[name])
    return from_columns(dict(zip(SCHEMAS[name], map(list, columns), strict=True)), name)
