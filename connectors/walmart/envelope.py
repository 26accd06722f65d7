"""The wrapper of a page: cursors, counts and where its records begin. JSON as asked for; XML when it comes anyway."""

from typing import TypeVar

import msgspec

from connectors.client import Answer
from connectors.errors import ProtocolError
from connectors.mending import decoded
from connectors.walmart.payload import parse_xml
from connectors.walmart.shapes import fit

Shape = TypeVar("Shape", bound=msgspec.Struct)


def envelope(answer: Answer, shape: type[Shape], where: str) -> Shape:
    """The wrapper of an answer. Raises ProtocolError when it is another one: an error in a 200 is not "no rows"."""
    body = answer.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if body.startswith(b"<"):
            parsed = parse_xml(body, where)
            (root, inner), *_ = parsed.items()
            loose = fit(parsed if root in shape.__struct_fields__ else inner, shape)
            return msgspec.json.decode(msgspec.json.encode(loose), type=shape, strict=False)
        return decoded(msgspec.json.Decoder(shape, strict=False), body)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"{where}: the answer has an unknown shape: {error}") from None
