"""Compressed answers, decoded a little at a time: what a few kilobytes unfold to is seen before it fills memory.

httpx decodes each chunk whole: 64 KiB of gzip become 64 MiB at once, and of gzip in gzip as much again per byte.
"""

import zlib
from collections.abc import Iterable, Iterator

ACCEPTED = "gzip, deflate"
_STEP = 2**20  # bytes of decoded text at a time
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class EncodingError(Exception):
    """The answer is encoded in a way that was not asked for, or its encoding is broken."""


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The text of `chunks`, at most a mebibyte at a time. Raises EncodingError."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        yield from chunks
    elif name in _WINDOW:
        yield from _inflated(chunks, name)
    else:
        raise EncodingError(f"the answer is encoded as {encoding[:40]!r}, which was not asked for")


def _inflated(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    inflate = zlib.decompressobj(_WINDOW[name])
    begun = False
    for chunk in chunks:
        rest = chunk
        while rest:
            if inflate.eof:  # another gzip member follows
                inflate = zlib.decompressobj(_WINDOW[name])
            try:
                text = inflate.decompress(rest, _STEP)
            except zlib.error as error:
                if begun or name != "deflate":
                    raise EncodingError(f"the answer's {name} is broken: {error}") from None
                inflate = zlib.decompressobj(-15)  # some servers send deflate without its header
                text = inflate.decompress(rest, _STEP)
            begun = True
            if text:
                yield text
            rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if begun and not inflate.eof:
        raise EncodingError("the answer was cut off before its end")
