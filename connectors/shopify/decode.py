"""From bytes to records to frames; one bad record never takes its neighbours along.

A page is first decoded as a whole, straight into structs; only when that fails is it taken apart record by
record (`find.py` says where the records are).
"""

import re
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

import msgspec
import polars as pl

from connectors.canonical import CanonicalError, Normalized, Rejected
from connectors.kept import kept
from connectors.mending import MARK, marked, mended
from connectors.shopify.find import Kind, Part, find, gid_number, grouped, is_rest, keys_of, records
from connectors.shopify.shapes import Connection
from connectors.shopify.sheets import BadValueError, Sheet

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)  # what a book takes
_MARK = MARK.encode()
_loose = msgspec.json.Decoder(float_hook=str)  # a number keeps its own text, so no amount passes a float
_UNREADABLE = (
    msgspec.MsgspecError,
    BadValueError,
    CanonicalError,
    pl.exceptions.PolarsError,
    ArithmeticError,
    UnicodeDecodeError,
    RecursionError,
)


class Book(Protocol[T_contra]):
    """What a page's records are written into: the frames of one resource."""

    notes: dict[str, None]

    def add(self, record: T_contra, /) -> None:
        """Append the rows of one record. Raises BadValueError."""

    def sheets(self) -> tuple[Sheet, ...]:
        """The sheets behind the frames."""

    def frames(self) -> dict[str, pl.DataFrame]:
        """Canonical frames by name."""


def normalize(kind: Kind[T], body: bytes, book: Callable[[], Book[T]]) -> Normalized:
    """Everything `body` holds of `kind`, in canonical frames; what cannot be read is in `rejected`.

    Raises ValueError when the body is not JSON or JSONL at all, or holds nothing of the kind.
    """
    try:
        parts = find(kind, body)
    except ValueError:
        better = mended(body)
        if better is None or better == body:
            raise
        return _one_by_one(kind, find(kind, better), book, strictly=False)
    whole = book()
    seen = 0
    try:
        for part in parts:
            found = _decode(kind, part)
            if part.holder is not None and kind.place is not None:
                for record in found:
                    kind.place(record, part.holder)
            seen += len(found)
            for record in found:
                whole.add(record)
        return Normalized(whole.frames(), (), tuple(whole.notes), seen)
    except _UNREADABLE:
        return _one_by_one(kind, parts, book, strictly=False)


def _one_by_one(
    kind: Kind[T], parts: list[Part], book: Callable[[], Book[T]], *, strictly: bool
) -> Normalized:
    """The records read alone. `strictly` makes the frames of each, too, which takes long: a last resort."""
    whole = book()
    rejected: list[Rejected] = []
    seen = 0
    for part in parts:
        for raw, children in records(part):
            seen += 1
            try:
                alone = book()
                record = _decode_one(kind, raw, children, alone.notes)
                if part.holder is not None and kind.place is not None:
                    kind.place(record, part.holder)
                alone.add(record)
                for sheet in alone.sheets():
                    sheet.tidy()
                if strictly:
                    alone.frames()
            except _UNREADABLE as error:
                rejected.append(_rejected(kind, raw, error))
                continue
            whole.notes |= alone.notes
            for mine, its in zip(whole.sheets(), alone.sheets(), strict=True):
                mine.rows.extend(its.rows)
    try:
        frames = whole.frames()
    except _UNREADABLE:
        if strictly:
            raise
        return _one_by_one(kind, parts, book, strictly=True)
    return Normalized(frames, tuple(rejected), tuple(whole.notes), seen)


# -- decoding ----------------------------------------------------------------------------------------------


def _decode(kind: Kind[T], part: Part) -> list[T]:
    """All records of a part at once. Raises msgspec's errors."""
    if part.form == "jsonl":
        return _decode_lines(kind, part.raw)
    if part.form == "connection":
        page: Connection[T] = _decoder(kind.shape, "connection").decode(part.raw)
        return page.items()
    raw = part.raw if part.form == "list" else b"[" + part.raw + b"]"
    if part.rest and kind.from_rest is not None:
        return [kind.from_rest(record) for record in _decoder(kind.rest_shape, "list").decode(raw)]
    records: list[T] = _decoder(kind.shape, "list").decode(raw)
    return records


_decoders: dict[tuple[Any, str], msgspec.json.Decoder[Any]] = {}


def _decoder(shape: Any, form: Literal["connection", "list"]) -> msgspec.json.Decoder[Any]:
    """The decoder of a connection or list of `shape`, made once."""
    known = _decoders.get((shape, form))
    if known is None:
        known = msgspec.json.Decoder(Connection[shape] if form == "connection" else list[shape])
        _decoders[shape, form] = known
    return known


def _decode_lines(kind: Kind[T], body: bytes) -> list[T]:
    families = grouped(body)
    if not families:
        return []
    raw = b"[" + b",".join(root for root, _ in families) + b"]"
    if is_rest(keys_of(families[0][0])) and kind.from_rest is not None:
        return [kind.from_rest(record) for record in _decoder(kind.rest_shape, "list").decode(raw)]
    records: list[T] = _decoder(kind.shape, "list").decode(raw)
    for record, (_, children) in zip(records, families, strict=True):
        if children:
            kind.attach(record, children)
    return records


def _decode_one(kind: Kind[T], raw: bytes, children: list[bytes], notes: dict[str, None]) -> T:
    """One record, leniently: numbers where text is expected and text where numbers are."""
    loose = _loose.decode(raw)
    if _MARK in raw and (field := marked(loose)) is not None:
        raise BadValueError(field, "half of a surrogate pair: no text")
    if isinstance(loose, dict) and "__parentId" in loose:
        raise BadValueError("__parentId", f"its parent {str(loose['__parentId'])[:80]} is not in the file")
    if isinstance(loose, dict) and is_rest(set(loose)) and kind.from_rest is not None:
        return kind.from_rest(_fitted(kind, loose, kind.rest_shape, notes))
    record: T = _fitted(kind, loose, kind.shape, notes)
    if children:
        kind.attach(record, children)
    return record


def _fitted(kind: Kind[Any], loose: Any, shape: Any, notes: dict[str, None]) -> Any:
    """A record as `shape`, without the spare fields that cannot be read; an empty value of another type is none."""
    try:
        return msgspec.convert(loose, shape, strict=False)
    except msgspec.ValidationError as error:
        field = re.split(r"[.\[]", _field_of(error)[0], maxsplit=1)[0]
        if not isinstance(loose, dict) or field not in loose or (field not in kind.spare and loose[field]):
            raise
        if loose[field]:
            notes[f"unreadable {field} in {kind.plural[0]}: left out"] = None
        return _fitted(kind, {name: loose[name] for name in loose if name != field}, shape, notes)


# -- refusing ----------------------------------------------------------------------------------------------


def _rejected(kind: Kind[Any], raw: bytes, error: BaseException) -> Rejected:
    field, reason = _field_of(error)
    try:
        # Bytes that are no text are kept as marks, so that the record can be looked at.
        record = msgspec.json.decode(raw.decode("utf-8", "replace"))
        shape = kind.rest_shape if isinstance(record, dict) and is_rest(set(record)) else kind.shape
        text = msgspec.json.encode(kept(record, shape or kind.shape)).decode()
    except (msgspec.MsgspecError, RecursionError):
        record, text = None, "(not readable as JSON)"
    return Rejected(_key_of(record), field, reason, text)


def _field_of(error: BaseException) -> tuple[str, str]:
    """Which field of the record, and why. msgspec says it as "… - at `$.lineItems.nodes[0].quantity`"."""
    if isinstance(error, BadValueError):
        return error.field, error.reason
    text = str(error)
    reason, _, path = text.partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    if (missing := re.search(r"missing required field `(\w+)`", reason)) is not None:
        field = f"{field}.{missing[1]}".lstrip(".")
    return field or "record", reason


def _key_of(record: Any) -> str:
    if not isinstance(record, dict):
        return "unknown"
    key = record.get("legacyResourceId") or record.get("id") or record.get("name")
    return gid_number(str(key)) if key is not None else "unknown"
