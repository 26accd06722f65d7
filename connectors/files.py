"""A merchant's file as plain bytes, however it was saved. What is in it, its reader finds out."""

import codecs
import io
from pathlib import Path

from connectors.decoding import EncodingError, decoded
from connectors.errors import ProtocolError

MOST_BYTES = 512 * 2**20  # of one unpacked file
GZIP = b"\x1f\x8b"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_plain(path: Path) -> bytes:
    """The file's content: gzip unpacked, UTF-16 turned into UTF-8.

    Raises ProtocolError that names the file when it is cut off or too large, OSError.
    """
    body = path.read_bytes()
    if body.startswith(GZIP):
        body = _unpacked(body, path)
    return body.decode("utf-16", "replace").encode() if body.startswith(UTF_16) else body


def utf8_source(path: Path) -> Path | io.BytesIO:
    """Text in UTF-8 to scan: the file as it lies on the disk, or its content turned into UTF-8. Raises as above."""
    if _is_utf8(path):
        return path
    body = read_plain(path)
    try:
        body.decode()
    except UnicodeDecodeError:
        body = body.decode("cp1252", "replace").encode()
    return io.BytesIO(body)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(2**20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _unpacked(body: bytes, path: Path) -> bytes:
    parts, size = [], 0
    try:
        for part in decoded([body], "gzip"):
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise ProtocolError(f"{path}: larger than {MOST_BYTES} bytes when unpacked")
    except EncodingError as error:
        reason = str(error).replace("the answer", "the file")
        raise ProtocolError(f"{path}: {reason}; download it again") from None
    return b"".join(parts)
