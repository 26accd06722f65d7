"""Answers with one value that is no JSON: made readable, and the value marked so that its record is refused alone.

`NaN` and `Infinity` become text, which is no number; half of a surrogate pair becomes `MARK`, which no record may hold.
"""

import json
import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
MARK = "\ufdd0"  # a noncharacter: nobody sends it
_HALF = re.compile("[\ud800-\udfff]")  # pairs have become one character by then
_DEEPEST = 200


def mended(body: bytes) -> bytes | None:
    """`body` (JSON, or JSON lines) as strict JSON; None when it is not readable at all, or is strict already."""
    text = body.decode("utf-8-sig", "replace").strip()
    whole = _mended(text)
    if whole is not None:
        return whole
    lines = text.splitlines()
    if len(lines) < 2:
        return None
    mended_lines = [_mended(line) for line in lines if line.strip()]
    if all(line is None for line in mended_lines):
        return None
    kept = (line for line in lines if line.strip())
    return b"\n".join(
        line.encode() if better is None else better for line, better in zip(kept, mended_lines, strict=True)
    )


def marked(value: Any, path: str = "") -> str | None:
    """The path of the first text in a decoded record that was marked; None when none was."""
    if isinstance(value, str):
        return path or "record" if MARK in value else None
    if isinstance(value, dict):
        children = ((f"{path}.{name}".lstrip("."), inner) for name, inner in value.items())
    elif isinstance(value, list):
        children = ((f"{path}[{number}]", inner) for number, inner in enumerate(value))
    else:
        return None
    return next((found for name, inner in children if (found := marked(inner, name)) is not None), None)


def _mended(text: str) -> bytes | None:
    try:
        # Numbers keep their own text, so that no amount passes a float.
        value = json.loads(text, parse_float=str, parse_constant=str)
        return json.dumps(_whole(value, 0), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None


def _whole(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub(MARK, value)
    if isinstance(value, list):
        return [_whole(inner, depth + 1) for inner in value]
    if isinstance(value, dict):
        return {_whole(name, depth + 1): _whole(inner, depth + 1) for name, inner in value.items()}
    return value


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """What `decoder` makes of a body, mended where only that makes it readable. Raises msgspec's errors."""
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError:
        better = mended(body)
        if better is None:
            raise
        return decoder.decode(better)
