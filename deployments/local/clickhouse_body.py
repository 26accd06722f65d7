"""What a request to the ClickHouse front brings along: its body, decompressed, and the fields of a form."""

import gzip
import io
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, cast

import lz4.frame
import zstandard
from python_multipart.multipart import parse_options_header

CHUNK = 256 * 1024


class ProtocolError(Exception):
    """A request that is refused before it reaches the engine."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Raw(io.RawIOBase):
    """A request's body as it came: to its length, or chunk by chunk."""

    def __init__(self, source: IO[bytes], headers: Mapping[str, str]) -> None:
        self._source = source
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length", "0")
        self._left = 0 if self._chunked or not length.isdecimal() else int(length)
        self.finished = not self._chunked and self._left == 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._chunked and self._left == 0 and not self.finished:
            self._next_chunk()
        if self.finished:
            return 0
        data = self._source.read(min(len(buffer), self._left))
        if not data:
            raise ConnectionResetError("the request ended before its body")
        buffer[: len(data)] = data
        self._left -= len(data)
        if self._left == 0:
            if self._chunked:
                self._source.readline(4)  # the line end after a chunk
            else:
                self.finished = True
        return len(data)

    def _next_chunk(self) -> None:
        line = self._source.readline(1024)
        self._left = int(line.split(b";", 1)[0].strip() or b"0", 16)
        if self._left == 0:
            while self._source.readline(8192).strip():
                continue  # trailers
            self.finished = True


class Body(io.RawIOBase):
    """A request's body, decompressed on the way: every frame of it, for clients send several."""

    def __init__(self, source: IO[bytes], headers: Mapping[str, str]) -> None:
        self._raw = _Raw(source, headers)
        self._encoding = headers.get("content-encoding", "identity").strip().lower()
        self._reader: IO[bytes] | None = None
        self.at_end = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end."""
        if self._reader is None:
            self._reader = _decompressed(io.BufferedReader(self._raw, CHUNK), self._encoding)
        parts, missing = [], size
        while missing > 0:
            part = self._reader.read(missing)
            if not part:
                self.at_end = True
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def read_all(self, limit: int) -> bytes:
        """The rest; more than `limit` is refused."""
        rest = self.read(limit + 1)
        if len(rest) > limit:
            raise ProtocolError(
                413, "Code: 307. DB::Exception: the query is too large. (TOO_MANY_BYTES)", 307
            )
        return rest

    def drain(self, limit: int) -> bool:
        """Read and forget what is left of the raw body; False when that is too much."""
        buffer = bytearray(CHUNK)
        with suppress(ConnectionError, TimeoutError, ValueError):
            while limit > 0 and (count := self._raw.readinto(buffer)):
                limit -= count
        return self._raw.finished


def _decompressed(raw: io.BufferedReader, encoding: str) -> IO[bytes]:
    if encoding in ("", "identity"):
        return cast(IO[bytes], raw)
    if encoding == "zstd":
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return cast(IO[bytes], reader)
    if encoding == "lz4":
        return cast(IO[bytes], lz4.frame.LZ4FrameFile(raw, mode="rb"))
    if encoding == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))
    if encoding == "deflate":
        return io.BytesIO(zlib.decompress(raw.read()))
    raise ProtocolError(
        501, f"Code: 48. DB::Exception: Unknown compression {encoding}. (NOT_IMPLEMENTED)", 48
    )


def multipart(content_type: str, body: bytes) -> dict[str, str]:
    """The plain fields of a multipart form: the query and its parameters."""
    from python_multipart import MultipartParser

    fields: dict[str, str] = {}
    header: dict[str, str] = {}
    state = {"name": b"", "value": b"", "header": b""}

    def part_begin() -> None:
        state.update(name=b"", value=b"", header=b"")
        header.clear()

    def header_field(data: bytes, start: int, end: int) -> None:
        state["header"] += data[start:end]

    def header_value(data: bytes, start: int, end: int) -> None:
        name = state["header"].decode().lower()
        header[name] = header.get(name, "") + data[start:end].decode()

    def header_end() -> None:
        state["header"] = b""

    def part_data(data: bytes, start: int, end: int) -> None:
        state["value"] += data[start:end]

    def part_end() -> None:
        _, options = parse_options_header(header.get("content-disposition", ""))
        if b"filename" in options:
            raise ProtocolError(
                501, "Code: 48. DB::Exception: external tables are not supported here. (NOT_IMPLEMENTED)", 48
            )
        fields[options.get(b"name", b"").decode()] = state["value"].decode()

    _, options = parse_options_header(content_type)
    parser = MultipartParser(
        options.get(b"boundary", b""),
        {
            "on_part_begin": part_begin,
            "on_header_field": header_field,
            "on_header_value": header_value,
            "on_header_end": header_end,
            "on_part_data": part_data,
            "on_part_end": part_end,
        },
    )
    parser.write(body)
    parser.finalize()
    return fields
